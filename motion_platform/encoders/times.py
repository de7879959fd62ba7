"""Times that a person writes: "1.2, 3.4" seconds, as numbers for a model that acts at them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Condition, length_mask


class Times(Encoder):
    """Text of seconds with commas -> one token a time, in ascending order; its number is the time in seconds.

    Errors: UsageError for what is no list of times of 0 or later; DataError for what is no text.
    """

    reads = "label"
    dim = 1
    frozen = True

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, raw: Sequence[str]) -> Condition:
        """B texts -> tokens (B, N, 1), mask (B, N); "" has no token."""
        rows = []
        for i, text in enumerate(raw):
            if not isinstance(text, str):
                raise DataError(f"times[{i}]: got {type(text).__name__}, expected seconds with commas (a str)")
            rows.append(torch.tensor(times_of(text), dtype=torch.float32)[:, None])
        if not rows:
            return Condition(torch.zeros(0, 1, 1), torch.zeros(0, 1, dtype=torch.bool))
        tokens: Tensor = pad_sequence(rows, batch_first=True)
        return Condition(tokens, length_mask(torch.tensor([len(row) for row in rows]), tokens.shape[1]))

    def fingerprint(self) -> str:
        return hashlib.sha256(type(self).__qualname__.encode()).hexdigest()


def times_of(text: str) -> list[float]:
    """ "1.2, 3.4" -> [1.2, 3.4], ascending, each once. UsageError."""
    try:
        times = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError as error:
        raise UsageError(f"times: got {text!r:.60}; write seconds with commas: 1.2,3.4") from error
    if not all(math.isfinite(time) and time >= 0 for time in times):
        raise UsageError(f"times: got {text!r:.60}; a time is a number of seconds, 0 or later")
    return times
