"""Lengths as a distribution over steps: the median, the error, and a training that changes nothing else."""

from __future__ import annotations

import math

import torch

from motion_platform.generators.tokens.lengths import Lengths


def of(shares: list[float], stride: int = 4, max_frames: int = 18) -> Lengths:
    """A head that gives every text these shares."""
    head = Lengths(8, len(shares), stride, max_frames)
    torch.nn.init.zeros_(head[1].weight)
    head[1].bias.data = torch.tensor(shares).log()
    return head


def test_the_median_is_of_the_steps_and_no_longer_than_the_longest() -> None:
    read = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    assert of([0.1, 0.3, 0.4, 0.1, 0.1]).median(read).tolist() == [12, 12]  # 0.1, 0.4, then 0.8 of them: three steps
    assert of([0.1, 0.1, 0.1, 0.1, 0.6]).median(read).tolist() == [18, 18]


def test_the_error_is_the_cross_entropy_of_the_step_and_what_was_read_is_not_changed_by_it() -> None:
    read = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    head = of([0.5, 0.25, 0.125, 0.0625, 0.0625])
    error = head.error(read, torch.tensor([1, 8, 9]))  # steps 1, 2, 3
    torch.testing.assert_close(error.item(), (1 + 2 + 3) * math.log(2) / 3)
    error.backward()
    assert read.grad is None
    assert head[1].bias.grad is not None
