"""Text as ids: the tokenizer that a language model brings, or plain bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class TextTokenizer(Protocol):
    """Splits text: ``size`` ids, ``encode`` without special tokens, ``decode``, ``special`` ids that are no text.

    start: what every text begins with where the model was trained so (a <s> of LLaMA), else nothing.
    """

    size: int
    special: frozenset[int]
    start: tuple[int, ...]

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


class Bytes:
    """UTF-8 bytes as tokens: the text tokenizer of a base that is built from a configuration, with no files."""

    size, special, start = 256, frozenset(), ()

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode(errors="replace")
