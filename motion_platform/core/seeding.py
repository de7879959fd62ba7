"""Randomness that depends on the sample, not on the batch it came in or on the process that computed it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import numpy as np
import torch


def seed_of(*parts: object) -> int:
    """A 63-bit seed from any values, stable across processes, platforms and Python's hash randomisation."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch. Called once by a command, never by a component."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class NoiseSource:
    """Standard normal noise for a batch, one independent stream a sample id.

    Sample ``i`` draws from a generator seeded with ``(seed, ids[i], name)``, on the CPU in float32, so that the result
    does not depend on batch size, order, device or the number of processes.
    """

    def __init__(self, ids: Sequence[str], seed: int) -> None:
        self.ids, self.seed = list(ids), int(seed)

    def normal(self, shape: Sequence[int], *, name: str, device: torch.device | str = "cpu") -> torch.Tensor:
        """Noise (B, *shape); ``name`` says what for (``"start"``, ``"step 12"``): equal names give equal noise.

        The first axis of ``shape`` is drawn row by row, so a longer sample starts with a shorter one's noise.
        """
        # torch makes normal numbers 16 at a time and redraws an incomplete last block: only whole blocks are prefixes.
        whole = (-(-shape[0] // 16) * 16, *shape[1:])
        rows = []
        for sample in self.ids:
            generator = torch.Generator().manual_seed(seed_of(self.seed, sample, name))
            rows.append(torch.randn(whole, generator=generator)[: shape[0]])
        return torch.stack(rows).to(device)
