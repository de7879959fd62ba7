"""Convolutions over time: the encoder and decoder of motion tokenizers.

Source: the residual network of T2M-GPT (Zhang et al., CVPR 2023, arXiv:2301.06052, section 3.1 and its code), which
MotionGPT (Jiang et al., NeurIPS 2023, arXiv:2306.14795, section 3.1) and MoMask use as well.

Everything here reads h (B, C, T) and mask (B, 1, T), True = real (None: all real). Padding is zero before every
convolution, as it is beyond the end of a tensor, so that a row's result does not depend on how long the others are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BlockMaker = Callable[[int, int], nn.Module]
"""(width, dilation) -> a block that keeps the shape of h; see :class:`ResidualBlock`."""


def masked(h: Tensor, mask: Tensor | None) -> Tensor:
    """Zero outside the mask."""
    return h if mask is None else h * mask


class ResidualBlock(nn.Module):
    """ReLU, dilated convolution of three, ReLU, convolution of one, added to the input."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.spread = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.reach = dilation

    def forward(self, h: Tensor, mask: Tensor | None) -> Tensor:
        return masked(h + self.mix(F.relu(self.spread(F.relu(h)))), mask)


class DualPathwayBlock(nn.Module):
    """Two depthwise-separable convolutions of different kernel sizes side by side, fused by one of size one and added.

    DynamicPoseNet, section 2: "two separate streams with different convolutional filter sizes, capturing both detailed
    and broader pose features ... then fused". A stream is a depthwise convolution (one filter a channel) and a
    pointwise one to half the width. Both are dilated alike.
    """

    def __init__(self, width: int, dilation: int, *, kernels: tuple[int, int] = (3, 7)) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(
            nn.Conv1d(width, width, k, padding=dilation * (k // 2), dilation=dilation, groups=width) for k in kernels
        )
        self.pointwise = nn.ModuleList(nn.Conv1d(width, width // 2, 1) for _ in kernels)
        self.fuse = nn.Conv1d(2 * (width // 2), width, 1)
        self.reach = dilation * (max(kernels) // 2)

    def forward(self, h: Tensor, mask: Tensor | None) -> Tensor:
        x = F.relu(h)
        streams = [point(depth(x)) for depth, point in zip(self.depthwise, self.pointwise, strict=True)]
        return masked(h + self.fuse(F.relu(torch.cat(streams, 1))), mask)


def dilations(depth: int, growth: int) -> list[int]:
    """Dilations of a stage: growth^(depth-1), ..., growth, 1."""
    return [growth**k for k in reversed(range(depth))]


class Encoder(nn.Module):
    """(B, dim, T) -> (B, out, T / product of strides): convolution in; a stage a stride (down, then blocks); out."""

    def __init__(
        self, dim: int, width: int, out: int, strides: Sequence[int], spread: Sequence[int], block: BlockMaker
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.enter = nn.Conv1d(dim, width, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv1d(width, width, 2 * s - s % 2, stride=s, padding=s // 2) if s > 1 else nn.Identity()
            for s in strides
        )
        self.blocks = nn.ModuleList(nn.ModuleList(block(width, d) for d in spread) for _ in strides)
        self.leave = nn.Conv1d(width, out, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """T must be a multiple of the product of strides, and so must the real frames of every row."""
        h = masked(self.enter(masked(x, mask)), mask)
        if self.strides[0] > 1:
            h = F.relu(h)
        for stride, down, blocks in zip(self.strides, self.down, self.blocks, strict=True):
            mask = None if mask is None else mask[..., ::stride]
            h = masked(down(h), mask)
            for block in blocks:
                h = block(h, mask)
        return masked(self.leave(h), mask)


class Decoder(nn.Module):
    """(B, width of a code, S) -> (B, dim, S x product of strides): the encoder backwards, with nearest up-sampling."""

    def __init__(
        self, dim: int, width: int, given: int, strides: Sequence[int], spread: Sequence[int], block: BlockMaker
    ) -> None:
        super().__init__()
        self.strides = tuple(reversed(strides))
        self.enter = nn.Conv1d(given, width, 3, padding=1)
        self.blocks = nn.ModuleList(nn.ModuleList(block(width, d) for d in spread) for _ in strides)
        self.up = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) if s > 1 else nn.Identity() for s in self.strides)
        self.last = nn.Conv1d(width, width, 3, padding=1)
        self.leave = nn.Conv1d(width, dim, 3, padding=1)

    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """mask: (B, 1, S) of the steps."""
        h = masked(F.relu(self.enter(masked(z, mask))), mask)
        for stride, blocks, up in zip(self.strides, self.blocks, self.up, strict=True):
            for block in blocks:
                h = block(h, mask)
            if stride > 1:
                h = h.repeat_interleave(stride, -1)
                mask = None if mask is None else mask.repeat_interleave(stride, -1)
            h = masked(up(h), mask)
        return masked(self.leave(masked(F.relu(self.last(h)), mask)), mask)

    @property
    def reach(self) -> int:
        """Steps to each side of a step that its frames depend on."""
        steps, scale = Fraction(1), 1
        for stride, blocks in zip(self.strides, self.blocks, strict=True):
            steps += Fraction(sum(block.reach for block in blocks), scale)
            scale *= stride
            steps += Fraction(1, scale) if stride > 1 else 0
        return math.ceil(steps + Fraction(2, scale))
