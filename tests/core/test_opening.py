"""Openers of text: what is in a file comes out plain, or as one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.opening import (
    DEEPEST,
    MOST_VALUES,
    check_budget,
    check_head,
    check_plain,
    check_yaml,
    read_json,
    read_table,
    read_text,
    read_yaml,
    short,
)


def test_the_line_of_a_control_character_is_an_editors_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\nwalk\x01")
    with pytest.raises(DataError, match=r"a\.txt: line 2: holds the control character"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_text_of_two_bytes_a_letter_is_read_by_its_mark_where_it_may_be(mark: bytes, tmp_path: Path) -> None:
    order = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    (tmp_path / "a.txt").write_bytes(mark + "a person walks".encode(order))
    assert read_text(tmp_path / "a.txt") == "a person walks"
    with pytest.raises(DataError, match="cannot be read as UTF-8 text \\(byte 0"):
        read_text(tmp_path / "a.txt", wide=False)


def test_a_text_may_be_as_large_as_is_said_and_no_larger(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 10)
    assert read_text(tmp_path / "a.txt", most=10) == "x" * 10
    with pytest.raises(DataError, match="MB of text; at most"):
        read_text(tmp_path / "a.txt", most=9)


@pytest.mark.parametrize(("read", "most"), [(read_text, 256 << 20), (read_json, 256 << 20), (read_yaml, 512 << 10)])
def test_a_file_of_more_than_can_be_honest_is_refused_by_its_size_alone(read, most: int, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(most + 1)  # a hole, which takes no time to write
    with pytest.raises(DataError, match=rf"large: is {most >> 20} MB of text; at most {most >> 20} MB are read"):
        read(tmp_path / "large")


def test_a_yaml_file_may_be_half_a_megabyte(tmp_path: Path) -> None:
    for more in (0, 1):
        text = "a: " + " " * ((512 << 10) - 4 + more) + "1"
        (tmp_path / "a.yaml").write_text(text)
        if more:
            with pytest.raises(DataError, match="MB of text; at most"):
                read_yaml(tmp_path / "a.yaml")
        else:
            assert read_yaml(tmp_path / "a.yaml") == {"a": 1}


def test_the_head_of_a_file_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ConfigError, match="is a Git LFS pointer"):
        check_head(tmp_path / "a.bin", ConfigError)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        check_head(tmp_path / "none.bin")
    with pytest.raises(ConfigError, match="is a Git LFS pointer"):
        read_text(tmp_path / "a.bin", ConfigError)
    with pytest.raises(DataError, match="cannot be read as a card: No such file"):
        read_text(tmp_path / "none.bin", what="a card")
    with pytest.raises(DataError, match="cannot be read: embedded null byte"):
        check_head(Path("a\0b"))
    with pytest.raises(DataError, match="cannot be read as text: embedded null byte"):
        read_text(Path("a\0b"))
    (tmp_path / "b.bin").write_bytes(b"aversion https://git-lfs")
    check_head(tmp_path / "b.bin")


def test_a_file_may_become_64_mb_and_fifty_times_what_it_takes(tmp_path: Path) -> None:
    """And holes take nothing: a file of a gigabyte of them is a small one."""
    path, holes = tmp_path / "large", tmp_path / "holes"
    path.write_bytes(b"x" * 2_000_000)
    size = min(2_000_000, path.stat().st_blocks * 512)
    most = (64 << 20) + 50 * size
    check_budget(path, most, "it")
    with pytest.raises(DataError, match=r"large: it would take 167 MB, out of a file of 2\.00 MB; it is damaged"):
        check_budget(path, most + 1, "it")
    with holes.open("wb") as file:
        file.write(b"a head")
        file.truncate(1 << 30)
    if 0 < holes.stat().st_blocks < 1000:  # not every file system has holes
        most = (64 << 20) + 50 * 512 * holes.stat().st_blocks  # a block of stat is 512 bytes
        check_budget(holes, most, "it")
        with pytest.raises(DataError, match="holes: it would take"):
            check_budget(holes, most + 1, "it")


def test_a_yaml_file_is_as_deep_and_as_large_as_is_allowed_and_no_more() -> None:
    deep = "[" * (DEEPEST - 1) + "1" + "]" * (DEEPEST - 1)
    check_yaml(deep, "a.yaml")
    with pytest.raises(DataError, match=r"a\.yaml: cannot be read: line 1: unfolds to more than 60 levels"):
        check_yaml(f"[{deep}]", "a.yaml")
    # (999 values and their list) 99 times, the list of those and a list of the rest: a hundred thousand
    row = "&a [" + ",".join("1" * 999) + "]"
    most = f"[{row}," + "*a," * 98 + "[" + ",".join("1" * 998) + "]]"
    assert MOST_VALUES == 100_000
    check_yaml(most, "a.yaml")
    with pytest.raises(DataError, match="unfolds to more than 100000 values"):
        check_yaml(most.replace("]]", ",1]]"), "a.yaml")


def test_plain_values_are_as_deep_as_is_allowed_and_no_deeper() -> None:
    value: object = 1
    for _ in range(DEEPEST):
        value = [value]
    assert check_plain(value, "a") is value
    with pytest.raises(DataError, match="a: is nested deeper than 60 levels"):
        check_plain([value], "a")


def test_a_table_is_its_rows_by_column_with_the_numbers_of_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('clip, caption ,side\na,"walks, then sits",left\n\n,,\nb, runs \n')
    assert read_table(path, ["clip", "side"]) == [
        (2, {"clip": "a", "caption": "walks, then sits", "side": "left"}),
        (5, {"clip": "b", "caption": "runs", "side": ""}),
    ]
    path.write_text("")
    assert read_table(path, []) == []


@pytest.mark.parametrize(
    ("text", "need", "message"),
    [
        ("clip\na\n", ["clip", "side"], r"row 1: no column 'side'; needed: clip, side \(got clip\)"),
        ("", ["clip"], r"row 1: no column 'clip'; needed: clip \(got nothing\)"),
        ("clip\na\nb,c\n", ["clip"], "row 3: has more fields than the header"),
        ("clip\n" + "a" * 131_073, ["clip"], "is no table: field larger than field limit"),
    ],
)
def test_a_table_that_is_none_is_one_line(text: str, need: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ConfigError, match=rf"t\.csv: {message}"):
        read_table(tmp_path / "t.csv", need, ConfigError)


def test_json_is_plain_values_and_its_pairs_may_be_made_into_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": [1, 2.5, "x"], "a": null}')
    assert read_json(path) == {"a": None}
    assert read_json(path, pairs=len) == 2


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-2.1e999"])
def test_json_without_finite_numbers_is_refused(number: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(f"[1, {number}]")
    with pytest.raises(DataError, match=rf"a\.json: is not JSON: {number} is no number"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(("text", "what"), [("{", "JSON"), ("[" * 100_000, "JSON"), ("{", "a card")])
def test_what_is_no_json_is_called_what_it_was_to_be(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    said = "is not JSON" if what == "JSON" else "cannot be read as a card"
    with pytest.raises(ConfigError, match=rf"a\.json: {said}: "):
        read_json(tmp_path / "a.json", ConfigError, what=what)


@pytest.mark.parametrize("text", ['a: "\\x01"', '[1, {"\\x02": 1}]'])
def test_control_characters_that_only_an_escape_says_are_refused_wherever_they_are(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(DataError, match=r"a\.yaml: '.x0[12]' holds '.x0[12]', which no text does"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("&a [*a]", "line 1: a table that holds itself"),
        ("- 1\n- !!python/object:os.system {}", "line 2: the tag tag:yaml.org,2002:python.* is not allowed"),
        ("a: !own 1", "line 1: the tag !own is not allowed"),
        ("a: [", "cannot be read as YAML: "),
    ],
)
def test_yaml_that_is_more_than_plain_values_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_yaml(text, "a.yaml")


def test_yaml_is_its_values_and_nothing_is_none(tmp_path: Path) -> None:
    for text, values in (
        ("a: [1, x]\nb: &c {d: 1.5}\ne: *c", {"a": [1, "x"], "b": {"d": 1.5}, "e": {"d": 1.5}}),
        ("", None),
    ):
        (tmp_path / "a.yaml").write_text(text)
        assert read_yaml(tmp_path / "a.yaml") == values


def test_an_error_is_said_on_one_line_of_two_hundred_characters() -> None:
    assert short(ValueError("a\n b")) == "a b"
    assert short(ValueError("")) == "ValueError"
    assert short(ValueError("x" * 200)) == "x" * 200
    assert short(ValueError("x" * 201)) == "x" * 200 + "..."
