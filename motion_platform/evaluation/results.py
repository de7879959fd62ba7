"""Results on disk: ``NAME.json`` (the numbers and where they come from) and ``NAME.npz`` (what a comparison needs).

The JSON holds the sha256 of the arrays and of itself, and is written last: a file that is there and agrees with itself
is whole, anything else is no result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.core.files import atomic_path
from motion_platform.evaluation.protocol import Row
from motion_platform.evaluation.provenance import digest

FORMAT = 1


def save(path: Path, rows: Sequence[Row], header: dict[str, Any]) -> None:
    """Write ``path`` (.json) and its arrays beside it (.npz). Errors: OutputError."""
    arrays = {f"{i}/{name}": array for i, row in enumerate(rows) for name, array in row.arrays.items()}
    with atomic_path(path.with_suffix(".npz")) as temporary:
        np.savez_compressed(temporary, **arrays)
        found = hashlib.sha256(temporary.read_bytes()).hexdigest()
    whole = {"format": FORMAT, **header, "rows": [row.facts for row in rows], "arrays_sha256": found}
    whole = json.loads(json.dumps(whole, allow_nan=False))
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({**whole, "sha256": digest(whole)}, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """(header, rows). DataError for what is missing, half-written, changed or of another version."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        stated, kind = whole.pop("sha256"), whole["format"]
        facts, arrays_sha256 = whole["rows"], whole["arrays_sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is no whole result file: {type(error).__name__}: {error}") from error
    if kind != FORMAT:
        raise DataError(f"{path}: is of result format {kind!r}; this program reads {FORMAT}")
    if digest(whole) != stated:
        raise DataError(f"{path}: was changed after it was written: its sha256 is another")
    beside = path.with_suffix(".npz")
    try:
        data = beside.read_bytes()
    except OSError as error:
        raise DataError(f"{beside}: is missing; it belongs to {path.name}") from error
    if hashlib.sha256(data).hexdigest() != arrays_sha256:
        raise DataError(f"{beside}: is not whole, or not of {path.name}")
    rows = [Row(each, {}) for each in facts]
    with np.load(beside, allow_pickle=False) as found:
        for key in found.files:
            i, _, name = key.partition("/")
            rows[int(i)].arrays[name] = found[key]
    header = {k: v for k, v in whole.items() if k not in ("rows", "arrays_sha256", "format")}
    return header, rows
