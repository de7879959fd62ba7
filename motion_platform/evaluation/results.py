"""Results on disk: ``NAME.json`` (the numbers and where they come from) and ``NAME.npz`` (what a comparison needs).

The two are one thing, written together or not at all (core/files.py). The JSON holds the sha256 of the arrays and of
itself: a file that is there and agrees with itself is whole, anything else is no result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.core.files import atomic_files, settle
from motion_platform.core.opening import read_json, short
from motion_platform.evaluation.protocol import ResultRow
from motion_platform.evaluation.provenance import digest
from motion_platform.motion.io.arrays import load_arrays

FORMAT = 1


def save(path: Path, rows: Sequence[ResultRow], header: dict[str, Any]) -> None:
    """Write ``path`` (.json) and its arrays beside it (.npz). Errors: OutputError."""
    arrays = {f"{i}/{name}": array for i, row in enumerate(rows) for name, array in row.arrays.items()}
    with atomic_files(path) as partial:
        beside = partial / path.with_suffix(".npz").name
        np.savez_compressed(beside, **arrays)
        found = hashlib.sha256(beside.read_bytes()).hexdigest()
        whole = {"format": FORMAT, **header, "rows": [row.facts for row in rows], "arrays_sha256": found}
        whole = json.loads(json.dumps(whole, allow_nan=False))
        text = json.dumps({**whole, "sha256": digest(whole)}, indent=1) + "\n"
        (partial / path.name).write_text(text, encoding="utf-8")


def is_there(path: Path) -> bool:
    """Whether there is a result of this name, one that a killed process had decided to write included."""
    settle(path)
    return path.is_file()


def load(path: Path) -> tuple[dict[str, Any], list[ResultRow]]:
    """(header, rows). DataError for what is missing, half-written, changed or of another version."""
    settle(path)
    try:
        whole = read_json(path)
        stated, kind = whole.pop("sha256"), whole["format"]
        facts, arrays_sha256 = whole["rows"], whole["arrays_sha256"]
        if not isinstance(facts, list) or not facts or not all(isinstance(each, dict) for each in facts):
            raise TypeError("rows: a list of tables is needed")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is no whole result file: {type(error).__name__}: {short(error)}") from error
    if kind != FORMAT:
        raise DataError(f"{path}: is of result format {kind!r:.40}; this program reads {FORMAT}")
    if digest(whole) != stated:
        raise DataError(f"{path}: was changed after it was written: its sha256 is another")
    beside = path.with_suffix(".npz")
    try:
        data = beside.read_bytes()
    except OSError as error:
        raise DataError(f"{beside}: is missing; it belongs to {path.name}") from error
    if hashlib.sha256(data).hexdigest() != arrays_sha256:
        raise DataError(f"{beside}: is not whole, or not of {path.name}")
    rows = [ResultRow(each, {}) for each in facts]
    for key, array in load_arrays(beside).items():
        i, _, name = key.partition("/")
        if not name or i not in map(str, range(len(rows))):
            raise DataError(f"{beside}: holds {key!r:.60}, which belongs to no row of {path.name}")
        rows[int(i)].arrays[name] = array
    header = {k: v for k, v in whole.items() if k not in ("rows", "arrays_sha256", "format")}
    return header, rows
