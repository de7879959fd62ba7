"""Answers that are lists: known items only, joined by commas, or one free line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from motion_platform.language_models.base import Base
from motion_platform.language_models.grammar import Grammar
from motion_platform.language_models.plain import line_end

MOST_ITEMS = 8
MOST_TIMES = 2
"""How often an item may come in one answer, never twice in a row: a small model repeats itself without end else."""


class Items:
    """The items that a list may hold, as a tree of token ids; made once for all answers.

    Every item begins behind ", " or the prompt's colon, so each is split with a space in front. out: (K,) the ids that
    lists are made of, the end of the line last. Errors: ValueError for no item, or one that is empty.
    """

    def __init__(self, base: Base, items: Sequence[str]) -> None:
        self.items = [" ".join(item.split()) for item in items]
        if not self.items or not all(self.items):
            raise ValueError("items: is empty, or holds an empty one")
        self.comma, end = base.text.encode(",")[-1], line_end(base)
        paths = [tuple(base.text.encode(f" {item}")) for item in self.items]
        ids = sorted({id for path in paths for id in path} | {self.comma})
        self.out: Tensor = torch.tensor([*ids, end])
        self.place = {id: k for k, id in enumerate(ids)}
        self.inside: dict[tuple[int, ...], dict[int, set[int]]] = {}
        """Beginning of an item -> next id -> which items go on so."""
        self.ended: dict[tuple[int, ...], int] = {}
        """All ids of an item -> which it is."""
        for number, path in enumerate(paths):
            self.ended.setdefault(path, number)
            for k, id in enumerate(path):
                self.inside.setdefault(path[:k], {}).setdefault(id, set()).add(number)
        self.longest = 1 + max(map(len, paths))
        """Ids of the longest item with its comma."""


class ItemList(Grammar):
    """At most ``most`` items of :class:`Items`, none twice in a row and none more than ``MOST_TIMES`` times."""

    def __init__(self, items: Items, most: int = MOST_ITEMS) -> None:
        super().__init__(items.out, most * items.longest + 1)
        self.tree, self.most = items, most
        self.chosen: list[int] = []
        self._path: tuple[int, ...] = ()

    def _allowed(self, number: int) -> bool:
        return self.chosen[-1:] != [number] and self.chosen.count(number) < MOST_TIMES

    def legal(self) -> Tensor:
        going = self.tree.inside.get(self._path, {})
        choices = [self.tree.place[id] for id, of in going.items() if any(map(self._allowed, of))]
        if (number := self._complete()) is not None:
            choices.append(len(self.out) - 1)
            if len(self.chosen) + 1 < self.most and self._more_after(number):
                choices.append(self.tree.place[self.tree.comma])
        return self._only(*choices)

    def _more_after(self, number: int) -> bool:
        """Whether any item may follow this one."""
        items = range(len(self.tree.items))
        return any(k != number and self.chosen.count(k) < MOST_TIMES for k in items)

    def _complete(self) -> int | None:
        """The item that has been written whole, if it may stand here."""
        number = self.tree.ended.get(self._path)
        return number if number is not None and self._allowed(number) else None

    def _wrote(self, choice: int) -> None:
        id, number = int(self.out[choice]), self._complete()
        if id == self.tree.comma and number is not None and id not in self.tree.inside.get(self._path, {}):
            self.chosen.append(number)
            self._path = ()
        else:
            self._path += (id,)

    def answer(self) -> list[str]:
        """The items that were written."""
        number = self._complete()
        return [self.tree.items[k] for k in [*self.chosen, *([] if number is None else [number])]]


class FreeLine(Grammar):
    """Any words to the end of the line. words: from ``plain.words_of``."""

    def __init__(self, words: Tensor, longest: int = 48) -> None:
        super().__init__(words, longest)

    def legal(self) -> Tensor:
        if len(self.ids) >= self.longest - 1:
            return self._only(len(self.out) - 1)
        mask = torch.ones(len(self.out), dtype=torch.bool)
        mask[-1] = bool(self.ids)
        return mask
