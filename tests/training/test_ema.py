from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn

from motion_platform.training.ema import EMA


def test_the_average_follows_its_formula() -> None:
    layer = nn.Linear(1, 1, bias=False)
    values = [0.3, -1.0, 2.0, 5.0]
    layer.weight.data.fill_(values[0])
    ema, expected = EMA(layer, 0.3), values[0]
    for n, value in enumerate(values[1:], start=1):
        layer.weight.data.fill_(value)
        ema.update(layer)
        decay = min(0.3, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    assert ema.shadow["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_weights_come_back_untouched_even_after_an_error() -> None:
    layer = nn.Linear(3, 3)
    ema = EMA(layer, 0.9)
    layer.weight.data.add_(1)
    own = layer.weight.detach().clone()
    with contextlib.suppress(ZeroDivisionError), ema.applied(layer):
        assert torch.equal(layer.weight, ema.shadow["weight"])
        1 / 0  # noqa: B018
    assert torch.equal(layer.weight, own)


def test_frozen_weights_are_left_alone_and_state_comes_back() -> None:
    layer = nn.Linear(3, 3)
    layer.bias.requires_grad_(False)
    ema = EMA(layer, 0.5)
    assert list(ema.shadow) == ["weight"]
    layer.weight.data.add_(1)
    ema.update(layer)
    other = EMA(nn.Linear(3, 3).requires_grad_(True), 0.5)
    other.shadow.pop("bias")
    other.load_state_dict(ema.state_dict())
    assert other.updates == 1
    assert torch.equal(other.shadow["weight"], ema.shadow["weight"])
