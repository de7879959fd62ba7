"""When to gesture, heard in the prosody of speech: a small convolutional network, and its strokes."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn


class StrokeNetwork(nn.Module):
    """Prosody at the motion's rate -> at every frame, whether a stroke has its apex there (a logit), and how large.

    Dilated convolutions with residual ways see 1.6 s on both sides at 20 frames a second: the accent, what is around
    it, and what is left of the phrase.
    """

    def __init__(self, inputs: int = 4, channels: int = 48, dilations: tuple[int, ...] = (1, 2, 4, 8)) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs, channels, 5, padding=2)
        self.blocks = nn.ModuleList(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation) for dilation in dilations
        )
        self.last = nn.Conv1d(channels, 2, 1)

    def forward(self, heard: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """heard (B, N, inputs), mask (B, N) -> (logits (B, N), sizes (B, N) 0 to 1)."""
        on = mask[:, None].to(heard.dtype)
        h = F.gelu(self.first(heard.transpose(1, 2) * on))
        for block in self.blocks:
            h = h + F.gelu(block(h * on))
        out = self.last(h)
        return out[:, 0], out[:, 1].sigmoid()

    def loss(self, heard: Tensor, mask: Tensor, pulse: Tensor, size: Tensor) -> Tensor:
        """Scalar. pulse (B, N): 1 at an apex, a bell around it; size (B, N) of that stroke. A pulse is rare: it counts
        three times."""
        logits, sizes = self(heard, mask)
        weight = mask * (1 + 2 * pulse)
        hit = F.binary_cross_entropy_with_logits(logits.float(), pulse, reduction="none")
        large = pulse * (sizes.float() - size) ** 2
        return ((hit * weight).sum() + (large * mask).sum()) / mask.sum().clamp(min=1)


def strokes_of(
    probability: np.ndarray, size: np.ndarray, rate: float, threshold: float = 0.3, apart: float = 0.9
) -> tuple[list[float], list[float]]:
    """Probabilities and sizes (N,) at ``rate`` a second -> (apexes in seconds, sizes), in order.

    Peaks of at least ``threshold``, the highest first, none nearer than ``apart`` seconds to a higher one.
    """
    inner = np.pad(probability, 1, constant_values=-1)
    peaks = np.flatnonzero((inner[1:-1] >= inner[:-2]) & (inner[1:-1] > inner[2:]) & (probability >= threshold))
    kept: list[int] = []
    for peak in sorted(peaks.tolist(), key=lambda k: (-probability[k], k)):
        if all(abs(peak - other) >= apart * rate for other in kept):
            kept.append(peak)
    kept.sort()
    return [(k + 0.5) / rate for k in kept], [float(size[k]) for k in kept]
