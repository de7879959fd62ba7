"""An answer in the making: ids are taken from the grammar's own list, and its last one ends it."""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.language_models.grammar import Grammar


class Counting(Grammar):
    """One to three words, and then the end."""

    def __init__(self) -> None:
        super().__init__(torch.tensor([70, 50, 99]), longest=4)
        self.seen: list[int] = []

    def legal(self) -> Tensor:
        return self._only(2) if len(self.ids) == 3 else self._only(0, 1) if not self.ids else self._only(0, 1, 2)

    def _wrote(self, choice: int) -> None:
        self.seen.append(choice)


def test_choices_are_places_in_the_list_and_the_end_is_no_word() -> None:
    grammar = Counting()
    assert grammar.legal().tolist() == [True, True, False]
    assert [grammar.write(choice) for choice in (1, 0)] == [50, 70]
    assert (grammar.ids, grammar.seen, grammar.done) == ([50, 70], [1, 0], False)
    assert grammar.write(1) == 50
    assert grammar.legal().tolist() == [False, False, True]
    assert grammar.write(2) == 99
    assert (grammar.ids, grammar.seen, grammar.done) == ([50, 70, 50], [1, 0, 1], True)
    assert grammar.longest == 4
