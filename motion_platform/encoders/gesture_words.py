"""What is said, as far as it calls for a gesture: which words, of which kind, and when."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio, Condition, length_mask
from motion_platform.motion.gesturing.plan import lexicon, plain

RATE = 20.0


class GestureWords(Encoder):
    """A recording with words and their times -> a token every 1/20 s: 1 at the kind of the word that is being said.

    The kinds are those of the planner's lexicon (``motion/gesturing/lexicon.yaml``), in alphabetical order; words that
    are not in it leave the token 0. Nothing to train. Errors: DataError for what is no Audio.
    """

    reads = "words"
    rate_hz = RATE
    frozen = True

    def __init__(self) -> None:
        super().__init__()
        self.kinds = sorted(set(lexicon().values()))
        self.dim = len(self.kinds)
        self.eval()

    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, kinds), mask (B, N); None, and a recording without words, has no token."""
        rows = []
        for i, audio in enumerate(raw):
            if audio is not None and not isinstance(audio, Audio):
                raise DataError(f"words[{i}]: got {type(audio).__name__}, expected a recording with words (an Audio)")
            if audio is None or not audio.words:
                rows.append(torch.zeros(0, self.dim))
                continue
            made = torch.zeros(math.ceil(audio.seconds * RATE - 1e-6), self.dim)
            for word in audio.words:
                kind = lexicon().get(plain(word.text))
                if kind is not None:
                    first = int(word.start * RATE)
                    made[first : max(first + 1, round(word.end * RATE)), self.kinds.index(kind)] = 1.0
            rows.append(made)
        counts = torch.tensor([len(row) for row in rows], dtype=torch.long)
        tokens = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 0, self.dim)
        return Condition(tokens, length_mask(counts, tokens.shape[1]), self.rate_hz)

    def fingerprint(self) -> str:
        return hashlib.sha256(f"{type(self).__qualname__} {sorted(lexicon().items())}".encode()).hexdigest()
