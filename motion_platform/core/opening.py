"""Open text files from strangers, one function a format: whatever is in them, what comes out is plain, or one error.

Text (UTF-8, with or without byte-order mark, or UTF-16 with one), JSON, YAML and tables (CSV). Arrays are opened in
``motion/io/arrays.py``. A caller says which error its readers know (``error``: DataError, ConfigError, ...).
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NoReturn

from motion_platform.core.errors import DataError, MotionPlatformError

MOST = 256 << 20
"""Bytes of a text file: more is never captions or a card, and a hundred times as much memory once it is taken apart."""
MOST_YAML = 1 << 19
"""Bytes of YAML, each of which takes a thousand while it is read; the largest card has four thousand."""
MOST_VALUES = 100_000
"""Values of a YAML file, aliases unfolded."""
SPARE, TIMES = 64 << 20, 50
"""What a file may become in memory: so many bytes, and so many times its own size on the disk."""
DEEPEST = 60
"""Tables in tables; people write five."""
LFS_POINTER = b"version https://git-lfs"
"""How a file begins that Git LFS left in the place of the real one."""
CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\ud800-\udfff]")
"""What no text holds: control characters but blanks, and halves of a character."""


def check_pointer(path: Path, head: bytes, error: type[MotionPlatformError] = DataError) -> None:
    """``error`` where a file begins as a Git LFS pointer does."""
    if head.startswith(LFS_POINTER):
        raise error(f"{path}: is a Git LFS pointer, not the file; in its repository run: git lfs pull")


def check_head(path: Path, error: type[MotionPlatformError] = DataError) -> None:
    """``error`` for a file that cannot be opened, or is a Git LFS pointer."""
    try:
        with path.open("rb") as file:
            check_pointer(path, file.read(len(LFS_POINTER)), error)
    except (OSError, ValueError) as problem:  # ValueError: a name with a zero byte
        raise error(f"{path}: cannot be read: {getattr(problem, 'strerror', None) or problem}") from problem


def read_text(
    path: Path, error: type[MotionPlatformError] = DataError, *, most: int = MOST, what: str = "text", wide: bool = True
) -> str:
    """A file as text. what: it is to be, for the message. wide: UTF-16 is read, too. ``error`` for one that cannot be
    read, is no text, or is larger than ``most`` bytes."""
    try:
        if (size := path.stat().st_size) > most:
            raise error(f"{path}: is {size >> 20} MB of text; at most {most >> 20} MB are read")
        data = path.read_bytes()
    except (OSError, ValueError) as problem:  # ValueError: a name with a zero byte
        raise error(f"{path}: cannot be read as {what}: {getattr(problem, 'strerror', None) or problem}") from problem
    check_pointer(path, data, error)
    try:
        text = data.decode("utf-16" if wide and data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(
            f"{path}: cannot be read as UTF-8 text (byte {problem.start}: {problem.reason}); save it as UTF-8"
        ) from problem
    if found := CONTROLS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise error(f"{path}: line {line}: holds the control character {found[0]!r}, which no text does")
    return text


def read_json(
    path: Path,
    error: type[MotionPlatformError] = DataError,
    *,
    what: str = "JSON",
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """A JSON file as plain values, all numbers finite. what: it is to be, for the message; pairs: makes a table of its
    pairs. ``error`` for anything else."""
    text = read_text(path, error, what=what)
    try:
        return check_plain(
            json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=pairs), str(path), error
        )
    except (ValueError, RecursionError) as problem:
        said = "is not JSON" if what == "JSON" else f"cannot be read as {what}"
        raise error(f"{path}: {said}: {short(problem)}") from problem


def read_yaml(path: Path, error: type[MotionPlatformError] = DataError, *, what: str = "YAML") -> Any:
    """A YAML file as plain values. what: it is to be, for the message. ``error`` for anything else, and for what a card
    does not need; see :func:`check_yaml`."""
    import yaml

    text = read_text(path, error, most=MOST_YAML, what=what)
    check_yaml(text, str(path), error)
    try:
        return check_plain(yaml.safe_load(text), str(path), error)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise error(f"{path}: cannot be read as {what}: {short(problem)}") from problem


def check_yaml(text: str, where: str, error: type[MotionPlatformError] = DataError) -> None:
    """``error`` for YAML that names Python classes, is nested deeper than ``DEEPEST``, or whose aliases unfold to more
    than ``MOST_VALUES``: ten lines of aliases of aliases are a billion values ("billion laughs").

    Some versions of what reads it refuse these themselves, others run for hours; so they are refused here.
    """
    import yaml

    sizes: dict[int, tuple[int, int]] = {}
    open_nodes: set[int] = set()

    def measure(node: yaml.Node) -> tuple[int, int]:
        """(values, levels) below a node when all aliases are unfolded; each node is looked at once."""
        if id(node) in sizes:  # done; what is open and not done holds itself
            return sizes[id(node)]
        place = f"{where}: cannot be read: line {node.start_mark.line + 1}"
        if id(node) in open_nodes:
            raise error(f"{place}: a table that holds itself (an alias to what it is in)")
        if not str(node.tag).startswith("tag:yaml.org,2002:") or "python" in str(node.tag):
            raise error(f"{place}: the tag {node.tag} is not allowed; write the plain value")
        open_nodes.add(id(node))
        inner = node.value if isinstance(node, (yaml.SequenceNode, yaml.MappingNode)) else []
        parts = [measure(part) for each in inner for part in (each if isinstance(each, tuple) else (each,))]
        found = 1 + sum(size for size, _ in parts), 1 + max((depth for _, depth in parts), default=0)
        if found[0] > MOST_VALUES or found[1] > DEEPEST:
            much = f"{DEEPEST} levels" if found[1] > DEEPEST else f"{MOST_VALUES} values"
            raise error(f"{place}: unfolds to more than {much}")
        sizes[id(node)] = found
        return found

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            measure(node)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise error(f"{where}: cannot be read as YAML: {short(problem)}") from problem


def check_plain(value: Any, where: str, error: type[MotionPlatformError] = DataError) -> Any:
    """The value. ``error`` where a text in it holds control characters or half a character, or it is too deep."""
    for text, depth in _leaves(value, 0):
        if depth > DEEPEST:
            raise error(f"{where}: is nested deeper than {DEEPEST} levels")
        if isinstance(text, str) and (found := CONTROLS.search(text)):
            raise error(f"{where}: {text[:20]!r} holds {found[0]!r}, which no text does")
    return value


def _leaves(value: Any, depth: int) -> Iterator[tuple[Any, int]]:
    """Everything in nested tables and lists, keys too, with its depth."""
    if isinstance(value, (dict, list, tuple)) and depth <= DEEPEST:
        for inner in value if not isinstance(value, dict) else (part for pair in value.items() for part in pair):
            yield from _leaves(inner, depth + 1)
    else:
        yield value, depth


def read_table(
    path: Path, need: Collection[str], error: type[MotionPlatformError] = DataError
) -> list[tuple[int, dict[str, str]]]:
    """(row number, cells by column) of a CSV file; empty rows are left out, an absent cell is empty.

    need: columns that must be there. ``error`` for a file without them, or a row with more cells than the header.
    """
    return table_of(read_text(path, error), str(path), need, error)


def table_of(
    text: str, where: str, need: Collection[str] = (), error: type[MotionPlatformError] = DataError
) -> list[tuple[int, dict[str, str]]]:
    """The same of text."""
    found = []
    try:
        rows = csv.DictReader(text.splitlines())
        header = [name.strip() for name in rows.fieldnames or ()]
        rows.fieldnames = header
        for name in need:
            if name not in header:
                raise error(
                    f"{where}: row 1: no column {name!r}; needed: {', '.join(need)} "
                    f"(got {', '.join(header)[:200] or 'nothing'})"
                )
        for row in rows:
            number = rows.line_num  # empty rows count: as an editor numbers them
            if None in row:
                raise error(
                    f"{where}: row {number}: has more fields than the header; put a text with a comma in double quotes"
                )
            cells = {key: (value or "").strip() for key, value in row.items()}
            if any(cells.values()):
                found.append((number, cells))
    except csv.Error as problem:
        raise error(f"{where}: is no table: {short(problem)}") from problem
    return found


def check_budget(path: Path, needed: float, what: str, error: type[MotionPlatformError] = DataError) -> None:
    """``error`` where a file would become more than what it can honestly hold: ``SPARE`` bytes plus ``TIMES`` its size
    (what is on the disk of it: holes do not count). needed: bytes; what: what takes them, for the message."""
    status = path.stat()
    size = min(status.st_size, getattr(status, "st_blocks", status.st_size) * 512 or status.st_size)
    if needed > SPARE + TIMES * size:
        raise error(
            f"{path}: {what} would take {needed / 1e6:,.0f} MB, out of a file of {size / 1e6:,.2f} MB; it is damaged, "
            "or was made to fill the memory"
        )


def short(problem: BaseException) -> str:
    """What an error says, on one line of at most 200 characters."""
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= 200 else text[:200] + "..."


def _finite(word: str) -> float:
    return value if math.isfinite(value := float(word)) else _refuse(word)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word:.40} is no number")
