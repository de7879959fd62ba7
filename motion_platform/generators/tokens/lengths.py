"""How long a motion of a text is: a distribution over steps of a motion tokenizer."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Lengths(nn.Sequential):
    """From what a text was read to (B, width) to logits of its length (B, S): a clip of k + 1 steps is class k.

    stride: frames a step. max_frames: the longest.
    """

    def __init__(self, width: int, steps: int, stride: int, max_frames: int) -> None:
        super().__init__(nn.LayerNorm(width), nn.Linear(width, steps))
        self.steps, self.stride, self.max_frames = steps, stride, max_frames

    def error(self, read: Tensor, frames: Tensor) -> Tensor:
        """Cross-entropy of lengths in frames (B,), in nats. What was read is not changed by it."""
        steps = (-(-frames // self.stride)).clamp(max=self.steps)
        return F.cross_entropy(self(read.detach()).float(), steps.to(read.device) - 1)

    def median(self, read: Tensor) -> Tensor:
        """(B,) frames: the median of the lengths that clips of such a text have."""
        share = self(read).float().softmax(-1).cumsum(-1)
        return (((share < 0.5).sum(-1) + 1) * self.stride).clamp(max=self.max_frames)
