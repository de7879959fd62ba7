"""The published network that hears music for a conductor: a mel spectrogram at 90 Hz into 64 numbers at 30 Hz.

``MusicEncoder`` of VirtualConductor (Liu, Chen et al. 2022, "Self-Supervised Music Motion Synchronization Learning",
https://doi.org/10.1007/s11390-022-2030-z, section 4; taken over by Diffusion-Conductor, section 3.3): three groups of
residual convolutions and max-pooling. The papers say three layers a group; the released weights have 3, 2 and 2, and
so has this.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

BANDS = 128
STRIDE = 3
"""Mel frames a token: 90 Hz to 30 Hz, in the second group's pooling."""
LAYERS = (3, 2, 2)
MARGIN = 18
"""Mel frames to either side of its own that a token hears."""


class ResidualConvolution(nn.Module):
    """relu(norm(conv3x3(x))) + x; without ``residual`` no sum; where the width changes, x goes through a 1x1 conv."""

    def __init__(self, width: int, new: int, *, residual: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, new, 3, padding=1, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(new)
        self.shortcut: nn.Module | None = None
        if residual:
            same = width == new
            self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(width, new, 1), nn.BatchNorm2d(new))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, T, bands) -> (B, new channels, T, bands)."""
        heard = torch.relu(self.norm(self.convolution(x)))
        return heard if self.shortcut is None else heard + self.shortcut(x)


class MusicNetwork(nn.Module):
    """channels: of the three groups (published: 16, 32, 32). dim: numbers a token (published: 64).

    Training normalises over the batch as it comes (batch normalisation), so batches should hold pieces of one length.
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 32), dim: int = 64) -> None:
        super().__init__()
        if len(channels) != 3 or min(channels) < 1 or dim < 1:
            raise ValueError(f"channels: got {list(channels)} and dim {dim}; three groups of at least 1, and 1 or more")
        groups, width = [], 1
        pools = [(5, (1, 2)), (5, (STRIDE, 2)), (3, (1, 2))]
        for size, count, (kernel, stride) in zip(channels, LAYERS, pools, strict=True):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers.append(ResidualConvolution(width, size, residual=width > 1))
                width = size
            layers.append(nn.MaxPool2d(kernel, stride, padding=kernel // 2))
            groups.append(nn.Sequential(*layers))
        self.groups = nn.ModuleList(groups)
        self.out = nn.Conv1d(width * BANDS // 8, dim, 1)
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, mel: Tensor) -> Tensor:
        """(B, N, 128) at 90 Hz, N >= 4 -> (B, ceil(N / 3), dim) at 30 Hz; token i lies at frame 3i."""
        x = mel[:, None]
        for group in self.groups:
            x = group(x)
        return self.norm(self.out(x.permute(0, 1, 3, 2).flatten(1, 2))).transpose(1, 2)

    def in_pieces(self, mel: Tensor, tokens: int = 1800) -> Tensor:
        """:meth:`forward` of one long recording, ``tokens`` at a time: the same numbers in bounded memory.

        Every piece is given the ``MARGIN`` that its tokens hear. In evaluation mode only.
        """
        count, made = -(-mel.shape[1] // STRIDE), []
        margin = MARGIN // STRIDE
        for start in range(0, count, tokens):
            first = max(0, start - margin)
            last = min(count, start + tokens + margin)
            piece = self(mel[:, first * STRIDE : last * STRIDE])
            made.append(piece[:, start - first : min(start + tokens, count) - first])
        return torch.cat(made, 1)
