"""What may come next in an answer: no sampled answer can fail to be read.

A grammar looks at the ids written so far and says which of the output ids (``Vocabulary.motion_out`` or ``text_out``)
may follow, as a boolean mask. The end mark is forced where the longest answer is reached, so generation always stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motion_platform.generators.language.vocabulary import Vocabulary
from motion_platform.language_models.grammar import Grammar


def motion_grammar(
    vocabulary: Vocabulary, *, steps: int | None, most: int, known: Mapping[int, Sequence[int]] = {}
) -> Grammar:
    """The grammar of a motion of ``steps`` steps, or of 1 to ``most`` where None.

    known: step -> its Q codes, written as they are (key frames).
    """
    kind = CodeGrammar if vocabulary.writing == "tokens" else DecimalGrammar
    return kind(vocabulary, steps, most, known)


class CodeGrammar(Grammar):
    """Codebooks in turn, the end only after a whole step."""

    def __init__(
        self, vocabulary: Vocabulary, steps: int | None, most: int, known: Mapping[int, Sequence[int]]
    ) -> None:
        self.least, self.most = (1, max(most, 1)) if steps is None else (steps, steps)
        super().__init__(vocabulary.motion_out, self.most * vocabulary.codebooks + 1)
        self.codes, self.codebooks, self.known = vocabulary.codes, vocabulary.codebooks, known

    def legal(self) -> Tensor:
        step, q = divmod(len(self.ids), self.codebooks)
        if step >= self.most:
            return self._only(len(self.out) - 1)
        if step in self.known:
            return self._only(q * self.codes + self.known[step][q])
        mask = torch.zeros(len(self.out), dtype=torch.bool)
        mask[q * self.codes : (q + 1) * self.codes] = True
        mask[-1] = q == 0 and step >= self.least
        return mask


class DecimalGrammar(Grammar):
    """Decimal numbers below ``codes`` without leading zeros, with commas between; the end only after a whole step."""

    COMMA, END = 10, 11

    def __init__(
        self, vocabulary: Vocabulary, steps: int | None, most: int, known: Mapping[int, Sequence[int]]
    ) -> None:
        self.least, self.most = (1, max(most, 1)) if steps is None else (steps, steps)
        written = len(str(vocabulary.codes - 1)) + 1  # a number and its comma, or the end mark
        super().__init__(vocabulary.motion_out, max(self.most * vocabulary.codebooks * written, 1))
        self.codes, self.codebooks, self.known = vocabulary.codes, vocabulary.codebooks, known
        self.count, self.word = 0, ""  # numbers finished by a comma, and the one being written
        self.begun = {str(c)[:n] for c in range(self.codes) for n in range(1, len(str(c)) + 1)}

    def legal(self) -> Tensor:
        step, q = divmod(self.count, self.codebooks)
        if self.most == 0:
            return self._only(self.END)
        wanted = str(self.known[step][q]) if step in self.known else None
        if wanted is not None and self.word != wanted:
            return self._only(int(wanted[len(self.word)]))
        choices = [] if wanted else [d for d in range(10) if self.word + str(d) in self.begun]
        if self.word:
            whole = (self.count + 1) % self.codebooks == 0
            made = (self.count + 1) // self.codebooks
            if not whole or made < self.most:
                choices.append(self.COMMA)
            if whole and made >= self.least:
                choices.append(self.END)
        return self._only(*choices)

    def _wrote(self, choice: int) -> None:
        if choice == self.COMMA:
            self.count, self.word = self.count + 1, ""
        else:
            self.word += str(choice)


class TextGrammar(Grammar):
    """A sentence of 1 to ``most`` tokens that are printable; the first one holds a letter, so it is never empty."""

    def __init__(self, vocabulary: Vocabulary, most: int, readable: Tensor, opening: Tensor) -> None:
        super().__init__(vocabulary.text_out, max(most, 1) + 1)
        self.most, self.readable, self.opening = max(most, 1), readable, opening

    def legal(self) -> Tensor:
        if len(self.ids) >= self.most:
            return self._only(len(self.out) - 1)
        return self.readable if self.ids else self.opening


class SecondsGrammar(Grammar):
    """Seconds as ``d.d``, ``dd.d``: one or two digits, a point, one digit."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary.text_out, len("00.0") + 1)
        self.digits = [vocabulary.single(str(d)) for d in range(10)]
        self.point, self.end = vocabulary.single("."), len(self.out) - 1

    def legal(self) -> Tensor:
        n, point = len(self.ids), self.ids.index(self.point) if self.point in self.ids else None
        if point is None:
            return self._only(*(self.digits if n < 2 else []), *([self.point] if n else []))
        return self._only(self.end if n > point + 1 else self.digits[0], *(self.digits if n == point + 1 else []))

    def seconds(self) -> float:
        """What was written, as a number."""
        back = {i: str(d) for d, i in enumerate(self.digits)} | {self.point: "."}
        return float("".join(back[i] for i in self.ids))


def readable_text(vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """(tokens that are printable text or the end, tokens that hold a letter), both (K,) over ``text_out``.

    Left out are the base's special tokens, line breaks, control characters, and bytes that are no character alone.
    """
    readable, letters = [], []
    for i in range(vocabulary.text_size):
        piece = "" if i in vocabulary.text.special or i >= vocabulary.text.size else vocabulary.text.decode([i])
        readable.append(bool(piece) and piece.isprintable() and "\N{REPLACEMENT CHARACTER}" not in piece)
        letters.append(readable[-1] and any(c.isalpha() for c in piece))
    return torch.tensor([*readable, True]), torch.tensor([*letters, False])
