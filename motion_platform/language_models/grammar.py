"""What may come next in an answer: the base class of every grammar."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Grammar(ABC):
    """One answer in the making. ids: what was written, without the end mark. done: the end mark was written."""

    out: Tensor
    """(K,) the ids that this kind of answer is made of, end mark last."""

    longest: int
    """The most ids that an answer has, its end mark among them."""

    def __init__(self, out: Tensor, longest: int) -> None:
        self.out, self.longest, self.ids, self.done = out, longest, [], False

    @abstractmethod
    def legal(self) -> Tensor:
        """(K,) True where ``out`` may come next; never all False."""

    def write(self, choice: int) -> int:
        """Take ``out[choice]`` as the next id and return it."""
        id = int(self.out[choice])
        if choice == len(self.out) - 1:
            self.done = True
        else:
            self.ids.append(id)
            self._wrote(choice)
        return id

    def _wrote(self, choice: int) -> None:  # noqa: B027 - most grammars need no state of their own
        """Called with every choice but the end mark."""

    def _only(self, *choices: int) -> Tensor:
        mask = torch.zeros(len(self.out), dtype=torch.bool)
        mask[list(choices)] = True
        return mask
