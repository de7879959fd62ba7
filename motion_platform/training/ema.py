"""Exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from motion_platform.training.parts import part_of
from motion_platform.training.zero import held, later


class EMA:
    """shadow <- d * shadow + (1 - d) * weight, with d = min(decay, (1 + n) / (10 + n)) after n updates.

    The early, smaller d keeps the random start out of the average (Karras et al. 2022 use the same idea; this ramp is
    TensorFlow's ``num_updates``). Only parameters that are trained are averaged. ``decay`` 0 follows the weights.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self._trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self.shadow = {n: held(p).clone().float() for n, p in self._trained.items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights after an optimiser step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        weights = [held(p).float() for n, p in module.named_parameters() if n in self.shadow]
        torch._foreach_lerp_(list(self.shadow.values()), weights, 1 - decay)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Inside the block the module carries the averaged weights; afterwards its own, untouched."""
        own = {n: p.detach().clone() for n, p in module.named_parameters() if n in self.shadow}
        self._write(module, self.shadow)
        try:
            yield
        finally:
            self._write(module, own)

    def state_dict(self) -> dict[str, object]:
        shadow = {n: later(average, self._trained[n]) for n, average in self.shadow.items()}
        return {"updates": self.updates, "shadow": shadow}

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        self.updates = int(state["updates"])
        for name, value in state["shadow"].items():
            self.shadow[name].copy_(part_of(value, self._trained[name]))

    @torch.no_grad()
    def _write(self, module: nn.Module, values: dict[str, Tensor]) -> None:
        for name, parameter in module.named_parameters():
            if name in values:
                parameter.copy_(values[name])
