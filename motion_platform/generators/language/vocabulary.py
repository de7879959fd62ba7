"""What a motion language model reads and writes: the text tokens of its base, and ids of its own beyond them.

Ids 0 .. V-1 are the base's text tokens. Behind them lie the ids whose rows the model learns itself: the motion codes
(code c of codebook q is V + q * codes + c), then the four marks. The base's own tables are never resized or written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from motion_platform.core.errors import DataError
from motion_platform.language_models.text import TextTokenizer

Writing = Literal["tokens", "decimal"]
MARKS = ("motion_start", "motion_end", "text_start", "text_end")


@dataclass
class Vocabulary:
    """The ids of one model.

    text: the base's tokenizer; text_size: V, the rows of the base's table. codes, codebooks: of the motion tokenizer.
    writing: a motion code is one id of our own ("tokens", MotionGPT), or its decimal number in digits and commas of
    the base's own text ("decimal", MotionGPT by Zhang et al. 2024, section 3.2).

    motion_out, text_out: the ids that can be written in a motion and in a text, end mark last; an answer is predicted
    among these alone, in training as in generation.
    """

    text: TextTokenizer
    text_size: int
    codes: int
    codebooks: int
    writing: Writing = "tokens"
    own: int = field(init=False)
    motion_out: Tensor = field(init=False)
    text_out: Tensor = field(init=False)

    def __post_init__(self) -> None:
        written = self.codes * self.codebooks if self.writing == "tokens" else 0
        first = self.text_size + written
        self.motion_start, self.motion_end, self.text_start, self.text_end = range(first, first + len(MARKS))
        self.own = written + len(MARKS)
        if self.writing == "tokens":
            body = list(range(self.text_size, first))
        else:
            self.digits = [self.single(str(d)) for d in range(10)]
            self.comma = self.single(",")
            body = [*self.digits, self.comma]
        self.motion_out = torch.tensor([*body, self.motion_end])
        self.text_out = torch.tensor([*range(self.text_size), self.text_end])

    def single(self, character: str) -> int:
        """The id that writes one character alone, whatever the tokenizer merges."""
        return self.text.encode(character)[-1]

    def write(self, codes: Tensor) -> list[int]:
        """Codes (S, Q) -> ids. Errors: DataError for a number that is no code."""
        rows = codes.tolist()
        if any(not 0 <= c < self.codes for row in rows for c in row):
            wrong = next(c for row in rows for c in row if not 0 <= c < self.codes)
            raise DataError(f"motion_lm: got motion code {wrong}; allowed: 0 to {self.codes - 1}")
        if self.writing == "tokens":
            return [self.text_size + q * self.codes + c for row in rows for q, c in enumerate(row)]
        ids: list[int] = []
        for c in (c for row in rows for c in row):
            ids += [*([self.comma] if ids else []), *(self.digits[int(d)] for d in str(c))]
        return ids

    def parse(self, ids: Sequence[int]) -> Tensor:
        """Ids as :meth:`write` makes them -> codes (S, Q). Errors: DataError for anything else."""
        if self.writing == "tokens":
            flat = [i - self.text_size - (k % self.codebooks) * self.codes for k, i in enumerate(ids)]
        else:
            back = {i: str(d) for d, i in enumerate(self.digits)} | {self.comma: ","}
            words = "".join(back.get(i, "?") for i in ids).split(",")
            flat = [int(word) if word.isdecimal() else -1 for word in words] if ids else []
        if any(not 0 <= c < self.codes for c in flat) or len(flat) % self.codebooks:
            raise DataError(f"motion_lm: {len(ids)} ids are no motion of {self.codebooks} codebook(s)")
        return torch.tensor(flat, dtype=torch.int64).reshape(-1, self.codebooks)

    def motion(self, codes: Tensor) -> list[int]:
        """A whole motion inside a prompt: start mark, codes (S, Q), end mark."""
        return [self.motion_start, *self.write(codes), self.motion_end]
