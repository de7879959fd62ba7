"""How a prepared row fills a slot of a task: one table of kinds, and the usual slots by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.tasks import Kind

SOUND = ("audio", "words")
"""Kinds that are filled with a recording."""
ALL_LABELS = "*"


@dataclass(frozen=True)
class Slot:
    """kind: what fills it. column: of a text "high" or "low" captions, or "both", one text of each; of a label its name
    in the labels ("*": all of them together); of a recording nothing, every stored front end is given; of words and
    a motion nothing."""

    kind: Kind
    column: str = ""


USUAL: dict[str, Slot] = {
    "text": Slot("text", "high"),
    "text_high": Slot("text", "high"),
    "text_low": Slot("text", "low"),
    "label": Slot("label", ALL_LABELS),
    "content": Slot("label", "content"),
    "style": Slot("label", "style"),
    "music": Slot("audio"),
    "rhythm": Slot("audio"),
}
"""What these names mean where a card says nothing else."""
TEXT_COLUMNS = ("high", "low", "both")


def slot_of(name: str, kind: str | None = None, column: str | None = None, *, where: str = "this data set") -> Slot:
    """What a slot reads of a prepared row. kind, column: as a card says them; a text slot of any name reads the
    high-level captions unless its column says "low", a label slot the label of its own name.

    Errors: UnknownName for a name without a kind that is none of the usual; UsageError for a column that no text has.
    """
    usual = USUAL.get(name)
    if kind is None:
        if usual is None:
            raise UnknownName("slot", name, USUAL, where)
        return usual
    if usual is not None and usual.kind == kind and column is None:
        return usual
    if kind == "text":
        if column not in (None, *TEXT_COLUMNS):
            raise UsageError(f"{where}: slot {name!r}: column {column!r}; a text is in: {', '.join(TEXT_COLUMNS)}")
        return Slot("text", column or "high")
    if kind == "label":
        return Slot("label", column or name)
    return Slot("audio" if kind == "audio" else "words" if kind == "words" else "motion", column or "")


def slots_of(
    names: Iterable[str],
    kinds: Mapping[str, str] = {},
    columns: Mapping[str, str] = {},
    *,
    where: str = "this data set",
) -> dict[str, Slot]:
    """name -> Slot, for a task whose card says kinds and columns. Errors: those of :func:`slot_of`."""
    return {name: slot_of(name, kinds.get(name), columns.get(name), where=where) for name in names}
