"""Captions with low-level text: where the planners that look up examples take them from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from motion_platform.core.errors import DataError
from motion_platform.core.opening import read_text, table_of
from motion_platform.data.prepared import PreparedDataset

COLUMNS = ("caption", "low")
SHIPPED = "low_texts.csv"


@dataclass(frozen=True)
class Example:
    """A caption and the actions of the motion that it describes ("walk, bow")."""

    caption: str
    low: str

    @property
    def actions(self) -> list[str]:
        return [action.strip() for action in self.low.split(",") if action.strip()]


def read(table: str | None = None, split: str = "train") -> list[Example]:
    """The examples of a table: a .csv file with the columns caption and low, a prepared data set's folder (``split``
    of it), or None, the table that ships.

    Errors: DataError for a file without its columns, an empty cell, or a table without a row.
    """
    if table is None:
        file = resources.files("motion_platform.planners") / SHIPPED
        return _from_csv(file.read_text(encoding="utf-8"), SHIPPED)
    path = Path(table).expanduser()
    if path.is_dir():
        return _from_prepared(path, split)
    return _from_csv(read_text(path), str(path))


def _from_csv(text: str, where: str) -> list[Example]:
    examples = []
    for number, row in table_of(text, where, COLUMNS):
        caption, low = (" ".join(row[name].split()) for name in COLUMNS)
        if not caption or not Example(caption, low).actions:
            raise DataError(f"{where}: row {number}: {'caption' if not caption else 'low'} is empty")
        examples.append(Example(caption, low))
    return _some(examples, where)


def _from_prepared(folder: Path, split: str) -> list[Example]:
    """Every caption of every clip with its first low-level text; not where the caption itself stands in for one."""
    dataset = PreparedDataset.open(folder)
    examples = {}
    for row in dataset.indices(split):
        high, low = dataset.captions(row)
        if low and low != high:
            for caption in high:
                examples[caption, low[0]] = Example(caption, low[0])
    return _some(examples.values(), f"{folder}, split {split}")


def _some(examples: Iterable[Example], where: str) -> list[Example]:
    if not (found := list(examples)):
        raise DataError(f"{where}: holds no caption with a low-level text")
    return found


def known_actions(examples: Iterable[Example]) -> list[str]:
    """Every action that the examples name, sorted."""
    return sorted({action for example in examples for action in example.actions})
