"""Numbers and lines of text formats, with line numbers that agree with a text editor's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

LINE_END = re.compile(r"\r\n|\r|\n")


def read_text(path: Path) -> str:
    """A file as text; bytes that are no UTF-8 become U+FFFD, which no number and no keyword contains."""
    return path.read_bytes().decode("utf-8-sig", errors="replace")


def number(word: str) -> float:
    """A finite decimal number; ValueError for anything else ("nan", "1_000", "١" are words to Python's float too)."""
    value = float(word)
    if not np.isfinite(value) or "_" in word or not word.isascii():
        raise ValueError(word)
    return value
