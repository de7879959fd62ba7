"""Numbers and lines of text formats, with line numbers that agree with a text editor's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from motion_platform.core.opening import check_pointer

LINE_END = re.compile(r"\r\n|\r|\n")


def read_text(path: Path) -> str:
    """A file as text: UTF-16 by its byte-order mark, else UTF-8, of which bytes that are none become U+FFFD, which no
    number and no keyword contains. DataError for a Git LFS pointer."""
    data = path.read_bytes()
    check_pointer(path, data[:64])
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


def count_of(word: str, most: int) -> int | None:
    """A whole number of 0 to ``most`` in plain digits, else None: of thousands of digits Python makes no number."""
    digits = word.lstrip("0") or "0"
    if not word.isascii() or not word.isdigit() or len(digits) > len(str(most)):
        return None
    return int(digits) if int(digits) <= most else None


def number(word: str) -> float:
    """A finite decimal number; ValueError for anything else ("nan", "1_000", "١" are words to Python's float too)."""
    value = float(word)
    if not np.isfinite(value) or "_" in word or not word.isascii():
        raise ValueError(word)
    return value
