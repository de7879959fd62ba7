"""Speech as its prosody: loudness, pitch, voicing and onsets at the motion's rate. Nothing to train."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from motion_platform.audio.prosody import COLUMNS, prosody
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio, Condition, length_mask


class Prosody(Encoder):
    """Audio -> energy, pitch, voicing, onset (:mod:`motion_platform.audio.prosody`), ``rate`` tokens a second.

    Loudness and pitch are measured against the whole recording, so it is heard whole.
    Errors: ValueError for a rate outside of 1 to 100; when encoding, DataError for what is no Audio or not finite.
    """

    reads = "audio"
    dim = len(COLUMNS)
    frozen = True
    hears_whole = True

    def __init__(self, rate: float = 20.0) -> None:
        super().__init__()
        if not 1 <= rate <= 100:
            raise ValueError(f"rate {rate:g}; allowed: 1 to 100 tokens a second")
        self.rate_hz = float(rate)
        self.eval()

    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, 4), mask (B, N); None has no token."""
        rows = []
        for i, audio in enumerate(raw):
            if audio is not None and not isinstance(audio, Audio):
                raise DataError(f"speech[{i}]: got {type(audio).__name__}, expected Audio")
            rows.append(torch.zeros(0, self.dim) if audio is None else torch.from_numpy(prosody(audio, self.rate_hz)))
        counts = torch.tensor([len(row) for row in rows], dtype=torch.long)
        tokens = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 0, self.dim)
        return Condition(tokens, length_mask(counts, tokens.shape[1]), self.rate_hz)

    def fingerprint(self) -> str:
        return hashlib.sha256(f"{type(self).__qualname__} {self.rate_hz:g} 1".encode()).hexdigest()
