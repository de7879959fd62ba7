"""Numbers and lines of text formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from motion_platform.core.errors import DataError
from motion_platform.motion.io.text import LINE_END, count_of, number, read_text

WORDS = "HIERARCHY é 走\r\nROOT"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
def test_every_encoding_is_read_as_the_same_text(tmp_path: Path, encoding: str) -> None:
    path, mark = tmp_path / "a.bvh", {"utf-16-le-bom": b"\xff\xfe", "utf-16-be-bom": b"\xfe\xff"}.get(encoding, b"")
    path.write_bytes(mark + WORDS.encode(encoding.removesuffix("-bom")))
    assert read_text(path) == WORDS


def test_bytes_that_are_no_text_become_a_sign_that_no_number_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.write_bytes(b"1.5\xff2")
    assert read_text(path) == "1.5\ufffd2"
    with pytest.raises(ValueError, match=r"1\.5"):
        number(read_text(path))


def test_a_pointer_of_git_lfs_is_no_motion(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")
    with pytest.raises(DataError, match="Git LFS"):
        read_text(path)


def test_lines_end_as_in_an_editor() -> None:
    assert LINE_END.split("a\r\nb\rc\nd\x0be\u2028f") == ["a", "b", "c", "d\x0be\u2028f"]


@pytest.mark.parametrize(("word", "value"), [("-1.5e-3", -0.0015), ("+2", 2.0), (".5", 0.5), (" 7\t", 7.0)])
def test_numbers(word: str, value: float) -> None:
    assert number(word) == value


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity", "1e999", "1_000", "\u0661", "", "1,5", "0x10"])
def test_words_that_are_no_finite_decimal_number(word: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        number(word)


@pytest.mark.parametrize(("word", "found"), [
    ("0", 0), ("6", 6), ("7", None), ("12", None), ("06", 6), ("0" * 5000 + "3", 3), ("9" * 5000, None),
    ("", None), ("-1", None), ("1_0", None), ("\u0663", None), ("\u00b2", None), ("3.0", None),
])  # fmt: skip
def test_a_count_is_plain_digits_however_many(word, found):
    assert count_of(word, 6) == found
