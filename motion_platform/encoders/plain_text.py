"""The text itself, for a model that has a reader of words of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.encoders.text import TextEncoder, pad


class PlainText(TextEncoder):
    """A token a character: its Unicode code point, which float32 holds exactly. It has no weights.

    A language model splits text its own way; ``Condition.encoded`` brings it the text through the slots that every
    generator has. max_characters: longer texts are cut, said once. Errors: ValueError for less than 1 character.
    """

    dim = 1

    def __init__(self, max_characters: int = 400) -> None:
        super().__init__("plain_text", identity=f"characters={max_characters}", frozen=True)
        if max_characters < 1:
            raise ValueError(f"max_characters: got {max_characters}; at least 1")
        self.limit = max_characters
        self.register_buffer("_place", torch.zeros(0), persistent=False)
        self.finish()

    @property
    def device(self) -> torch.device:
        return self._place.device

    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, texts))
        if longest > self.limit:
            self.cut(longest)
        points, mask = pad([[ord(c) for c in text[: self.limit]] for text in texts], 0, self.device)
        return points[..., None].float(), mask


def spell(points: Tensor, mask: Tensor) -> list[str]:
    """The inverse: code points (B, N, 1), mask (B, N) -> B texts; "" for a row without a real token."""
    rows = zip(points[..., 0].round().long().tolist(), mask.tolist(), strict=True)
    return ["".join(chr(c) for c, real in zip(row, on, strict=True) if real) for row, on in rows]
