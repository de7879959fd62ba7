"""A language model as it is, no module around it: what ``decoding.write`` needs of one that is not trained here."""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.language_models.base import Base


class PlainWriter:
    """Writes with a base's own table and head. Everything is frozen; ids are those of the base's tokenizer."""

    decoding = "plain"

    def __init__(self, base: Base) -> None:
        self.base = base
        for module in base.modules:
            module.eval().requires_grad_(False)

    @property
    def rows(self) -> Tensor:
        return self.base.table.weight

    def embed(self, ids: Tensor) -> Tensor:
        return self.base.table(ids)

    def logits(self, hidden: Tensor, out: Tensor) -> Tensor:
        out = out.to(hidden.device)
        scores = hidden @ self.base.head.weight[out].T * self.base.scale
        bias = getattr(self.base.head, "bias", None)
        return scores if bias is None else scores + bias[out]

    def encode(self, text: str) -> list[int]:
        """Ids of a prompt, behind the token that the base's texts begin with, where it has one."""
        return [*self.base.text.start, *self.base.text.encode(text)]


def line_end(base: Base) -> int:
    """The id that ends a line."""
    return base.text.encode("\n")[-1]


def words_of(base: Base) -> Tensor:
    """(K,) every id that is plain text within one line, in order, and last the id that ends a line.

    Left out are special tokens, line breaks, control characters, and bytes that are no character alone.
    """
    text, end = base.text, line_end(base)
    kept = []
    for id in range(text.size):
        piece = "" if id in text.special or id == end else text.decode([id])
        if piece and piece.isprintable() and "\N{REPLACEMENT CHARACTER}" not in piece:
            kept.append(id)
    return torch.tensor([*kept, end])
