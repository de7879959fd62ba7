"""A small temporal convolutional network that hears beats, bars, tempo and metre in a mel spectrogram.

The plan is that of Davies and Boeck 2019 ("Temporal convolutional networks for musical audio beat tracking", EUSIPCO,
section II) and, for several answers from one network, Boeck and Davies 2020 ("Deconstruct, analyse, reconstruct",
ISMIR, section 3): a few two-dimensional convolutions that shrink the bands away, then dilated convolutions over time
whose reach doubles from layer to layer. Here it works at 30 frames a second and sees over a minute to either side,
because whether a pulse is the beat or a half of it is heard in the long run, not at the pulse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.audio import beats
from motion_platform.audio.bar_pointer import Beats, Pointer, decode, lengths
from motion_platform.core.errors import UsageError

BANDS = 128
STRIDE = 3
"""Mel frames (90 Hz) a frame of answers (30 Hz)."""
RATE = 30.0
FASTEST, SLOWEST, TEMPI = 0.25, 2.4, 48
"""Seconds from beat to beat, and how many classes lie between, evenly in the logarithm: 4.9 % each."""
METRES = (1, 2, 3, 4, 6)
"""Beats a bar that are told apart."""
GROUPS = 8
"""Groups of bands whose onset strength is given to the temporal part at once."""
CHUNK = 5400
"""Mel frames that the two-dimensional part looks at in one go: one minute, 40 MB."""


def tempo_class(seconds: Tensor) -> Tensor:
    """Seconds from beat to beat -> place on the scale of tempi, 0 .. TEMPI - 1 with fractions; held at the ends."""
    place = (seconds / FASTEST).log() / math.log(SLOWEST / FASTEST) * (TEMPI - 1)
    return place.clamp(0, TEMPI - 1)


@dataclass
class Heard:
    """Answers at 30 Hz, as logits. beat (B, S): a beat is here; bar (B, S): if it is one, it opens a bar; tempo
    (B, S, TEMPI): the time from beat to beat here; metre (B, S, len(METRES)): beats in the bar here."""

    beat: Tensor
    bar: Tensor
    tempo: Tensor
    metre: Tensor


def read(heard: Heard, row: int, steps: int, pointer: Pointer = Pointer()) -> Beats:
    """The beats and bars of one row of what was heard, of its first ``steps`` frames. Errors: those of ``decode``."""
    unheard = [m for m in pointer.metres if m not in METRES]
    if unheard:
        raise UsageError(f"bar pointer: metre {unheard[0]}; the network tells {', '.join(map(str, METRES))} apart")
    n = torch.from_numpy(lengths(RATE, pointer))
    tempo = heard.tempo[row, :steps].float().log_softmax(-1)
    place = tempo_class(n / RATE)  # a length lies between two classes
    low = place.floor().long().clamp(max=TEMPI - 2)
    tempo = torch.lerp(tempo[:, low], tempo[:, low + 1], (place - low).to(tempo))
    metre = heard.metre[row, :steps].float()[:, [METRES.index(m) for m in pointer.metres]].log_softmax(-1)
    beat, bar = heard.beat[row, :steps].float().sigmoid(), heard.bar[row, :steps].float().sigmoid()
    arrays = [t.cpu().numpy() for t in (beat, bar, tempo, metre)]
    return decode(arrays[0], arrays[1], RATE, pointer, tempo=arrays[2], metre=arrays[3])


@torch.no_grad()
def hints(mel: Tensor) -> Tensor:
    """(B, N, 128) -> (B, S, 64 + 8): tempogram, and the onset strength of eight groups of bands, about unit size."""
    strength, groups = [], []
    for start in range(0, mel.shape[1], CHUNK):
        rise = beats.rise(mel[:, max(0, start - 2) : start + CHUNK])[:, min(2, start) :]
        strength.append(rise.mean(-1))
        by_group = rise.unflatten(2, (GROUPS, -1)).mean(-1)
        groups.append(by_group.unflatten(1, (-1, STRIDE)).amax(2))
    return torch.cat([5 * beats.tempogram(torch.cat(strength, 1)), 10 * torch.cat(groups, 1) - 1], -1)


class Block(nn.Module):
    """LayerNorm, dilated convolution over time, GELU, pointwise convolution, added to the input."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, kernel, dilation=dilation, padding=dilation * (kernel // 2))
        self.out = nn.Conv1d(width, width, 1)
        self.drop = nn.Dropout1d(dropout)  # whole channels: neighbouring frames would give a dropped one away

    def forward(self, h: Tensor, mask: Tensor) -> Tensor:
        """h (B, W, S), mask (B, 1, S) -> (B, W, S), zero on padding."""
        mixed = self.mix(self.norm(h.transpose(1, 2)).transpose(1, 2) * mask)
        return h + self.out(self.drop(F.gelu(mixed))) * mask


class BeatNetwork(nn.Module):
    """Mel (B, N, 128) at 90 Hz -> :class:`Heard` at 30 Hz.

    channels: of the two-dimensional part. width: of the temporal part. layers: dilations 1, 2, 4, ...; with 10 layers
    and kernel 5 a frame hears 68 s to either side. dropout: in the temporal part.
    """

    def __init__(
        self, channels: int = 12, width: int = 48, layers: int = 10, kernel: int = 5, dropout: float = 0.1
    ) -> None:
        super().__init__()
        if kernel % 2 == 0 or min(channels, width, layers) < 1:
            raise ValueError(
                f"kernel {kernel} must be odd, channels {channels}, width {width}, layers {layers} above 0"
            )
        self.width = width
        self.bands = nn.Conv2d(2, channels, (3, 7), stride=(1, 4), padding=(1, 0))  # 128 -> 31 bands
        self.steps = nn.Conv2d(channels, 2 * channels, (5, 5), stride=(STRIDE, 3), padding=(1, 0))  # -> 9 bands
        self.enter = nn.Conv2d(2 * channels, width, (1, 9))
        self.pulse = nn.Linear(beats.LAGS + GROUPS, width)
        self.straight = nn.Linear(beats.LAGS, TEMPI)  # most of the tempo can be read off the tempogram
        self.blocks = nn.ModuleList(Block(width, kernel, 2**i, dropout) for i in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 2 + TEMPI + len(METRES))

    def forward(self, mel: Tensor, mask: Tensor) -> Heard:
        """mel (B, N, 128), mask (B, N), True on real frames; N is cut to a multiple of 3 (below 3: one step)."""
        steps = max(1, mel.shape[1] // STRIDE)
        beyond = steps * STRIDE - mel.shape[1]  # below 0: so many frames are cut off
        mel, mask = F.pad(mel, (0, 0, 0, beyond)), F.pad(mask, (0, beyond))
        small = mask[:, 1::STRIDE][:, None].to(mel.dtype)  # (B, 1, S): a step is real when its middle frame is
        mel = mel * mask[..., None]
        hint = hints(mel)
        h = (self.listen(mel, mask) + self.pulse(hint).transpose(1, 2)) * small
        for block in self.blocks:
            h = block(h, small)
        out = self.out(self.norm(h.transpose(1, 2)))
        tempo = out[..., 2 : 2 + TEMPI] + self.straight(hint[..., : beats.LAGS])
        return Heard(out[..., 0], out[..., 1], tempo, out[..., 2 + TEMPI :])

    def listen(self, mel: Tensor, mask: Tensor) -> Tensor:
        """The two-dimensional part: (B, N, 128), (B, N) -> (B, W, N / 3). Long recordings go through in pieces,
        with margins as wide as the kernels look, so that the result is the same."""
        margin = 2 * STRIDE
        if self.training or mel.shape[1] <= CHUNK + 2 * margin:
            return self._listen(mel, mask)
        parts = []
        for start in range(0, mel.shape[1], CHUNK):
            first, last = max(0, start - margin), min(mel.shape[1], start + CHUNK + margin)
            made = self._listen(mel[:, first:last], mask[:, first:last])
            skip = (start - first) // STRIDE
            parts.append(made[..., skip : skip + min(CHUNK, mel.shape[1] - start) // STRIDE])
        return torch.cat(parts, -1)

    def _listen(self, mel: Tensor, mask: Tensor) -> Tensor:
        h = torch.stack([2 * mel, 4 * beats.rise(mel)], 1)  # silence is 0, as the padding of a convolution is
        h = F.elu(self.bands(h)) * mask[:, None, :, None]
        return F.elu(self.enter(F.elu(self.steps(h))))[..., 0]
