"""What can be heard of a pulse without learning: onset strength and tempogram of a mel spectrogram.

Both are torch functions of the published mel (values 0 to 1, 90 Hz), so that they follow whatever augmentation does to
it, and run where the network runs.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.audio.mel import FRAMES_A_SECOND

SHORTEST, LONGEST, LAGS = 0.25, 4.8, 64
"""Seconds: the lags of the tempogram, from a fast beat to a slow bar, evenly in the logarithm."""
WINDOW, HOP = 900, 30
"""Mel frames: a tempogram looks at 10 s, three times a second."""
STRIDE = 3
"""Mel frames a frame of 30 Hz."""


def rise(mel: Tensor) -> Tensor:
    """(B, N, 128) -> (B, N, 128): by how much a band is louder than two frames (22 ms) before; 0 where it is not.

    The difference against a frame that is not the last one finds soft onsets too (Boeck and Widmer 2013, SuperFlux,
    section 2.2).
    """
    before = torch.cat([mel[:, :1], mel[:, :1], mel[:, :-2]], 1)[:, : mel.shape[1]]
    return (mel - before).clamp(min=0)


def onset_strength(mel: Tensor) -> Tensor:
    """(B, N, 128) -> (B, N): the rise averaged over bands, as in spectral flux (Bello et al. 2005, section III)."""
    return rise(mel).mean(-1)


def lags() -> Tensor:
    """(64,) seconds."""
    return torch.exp(torch.linspace(math.log(SHORTEST), math.log(LONGEST), LAGS))


def _lag_filters() -> Tensor:
    """(900, 64) triangles over lags in frames, from each lag's neighbour to its other one, of sum 1."""
    frames, place = torch.arange(WINDOW, dtype=torch.float32)[:, None], lags() * FRAMES_A_SECOND
    width = (place * (math.log(LONGEST / SHORTEST) / (LAGS - 1))).clamp(min=2.0)
    filters = (1 - (frames - place).abs() / width).clamp(min=0)
    return filters / filters.sum(0)


def tempogram(strength: Tensor, *, held: bool = False) -> Tensor:
    """(B, N) onset strength at 90 Hz -> (B, S, 64) at 30 Hz, S = N // 3 (at least 1): how alike the 10 s around are to
    themselves a lag later; 1 is the same, 0 what chance gives. Grosche, Mueller and Kurth 2010, the autocorrelation
    tempogram. Silence: 0.

    Beyond both ends there is silence; or, held, the first and the last 5 s have what the nearest 10 s have that are all
    there, so that music that was cut off does not look as if it ended."""
    steps = max(1, strength.shape[1] // STRIDE)
    padded = F.pad(strength, (WINDOW // 2, WINDOW // 2 + HOP))
    pieces = padded.unfold(1, WINDOW, HOP)  # (B, W, 900), piece w is centred on frame 30 w
    window = torch.hann_window(WINDOW, device=strength.device, dtype=strength.dtype)
    pieces = (pieces - (pieces * window).sum(-1, keepdim=True) / window.sum()) * window
    alike = torch.fft.irfft(torch.fft.rfft(pieces, 2 * WINDOW).abs().square())[..., :WINDOW]
    own = torch.fft.irfft(torch.fft.rfft(window, 2 * WINDOW).abs().square())[:WINDOW]
    # A long lag leaves less of the window to compare: its share is taken out.
    alike = alike / alike[..., :1].clamp(min=1e-9) / (own / own[0]).clamp(min=0.05)
    found = alike @ _lag_filters().to(alike)
    at = (torch.arange(steps, device=strength.device) + 0.5) * STRIDE / HOP
    if held and strength.shape[1] >= WINDOW:
        at = at.clamp(WINDOW // 2 / HOP, (strength.shape[1] - WINDOW // 2) // HOP)
    left = at.floor().long().clamp(max=found.shape[1] - 2) if found.shape[1] > 1 else at.long() * 0
    right = (left + 1).clamp(max=found.shape[1] - 1)
    return torch.lerp(found[:, left], found[:, right], (at - left).clamp(0, 1).to(found)[:, None])
