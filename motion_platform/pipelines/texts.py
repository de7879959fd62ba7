"""Texts and labels that a person gives: which slot they fill, and whether a model can read them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.opening import read_text
from motion_platform.core.schema import Mixture
from motion_platform.model.run import Run

LONGEST_TEXT = 2000
"""Characters; longer texts are refused, because every text encoder would silently cut them."""
EMPTY = "--text: is empty; say what the body does"
PLANNER_MARK = "@"
"""What a low-level text begins with that is the name of a planner."""


def slots_of(run: Run, texts: Sequence[str | None], low_texts: Sequence[str | None]) -> dict[str, list[str | None]]:
    """Which slot each text fills: --text the first that reads text, --low-text the second (``Task.texts``).

    A slot without any text is left out. Errors: UsageError for a text that cannot be read or that the model has no
    slot for, and for a slot that must be filled and that no text reaches.
    """
    card, given = run.model.card, {}
    readers = run.task.texts()
    if any(text is not None and not text.strip() for text in texts):
        raise UsageError(EMPTY)
    for k, (option, values) in enumerate((("--text", list(texts)), ("--low-text", list(low_texts)))):
        if not any(values):
            continue
        for value in values:
            if value and k and value.startswith(PLANNER_MARK):
                raise UsageError(f"{option}: {value!r} names a planner; that is for --text alone: write the actions")
            if value:
                check_text(value, str(card.data.get("language", "")), option)
        if k >= len(readers):
            raise UsageError(
                f"{option}: task {run.task.task} has {len(readers) or 'no'} slot(s) that read text, no "
                f"{'second' if k else 'first'} one"
            )
        if readers[k] not in card.slots:
            raise UsageError(f"{option}: model {card.name} was trained without the slot {readers[k]!r} that it fills")
        given[readers[k]] = values
    return given


def check_filled(run: Run, given: Container[str]) -> None:
    """UsageError for a slot that the task demands and that no option fills."""
    for slot in run.task.required():
        if slot not in given:
            fills = dict(zip(run.task.texts(), ("--text", "--low-text"), strict=False)).get(slot)
            options = {"audio": "--music FILE", "label": "--style NAME", "motion": "--motion FILE"}
            if slot in run.task.options:
                fills = f"{run.task.options[slot]} {'FILE' if run.task.reads[slot] in ('audio', 'words') else 'VALUE'}"
            fills = fills or options.get(run.task.reads[slot], f"{run.task.option(slot)} VALUE")
            raise UsageError(f"task {run.task.task} needs slot {slot!r} ({run.task.reads[slot]}): give {fills}")


def check_text(text: str, language: str, option: str = "--text") -> None:
    """UsageError for a text that is empty, far too long, or in a script that the model cannot read."""
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    if not text.strip():
        raise UsageError(EMPTY.replace("--text", option))
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"{option}: {shown} has {len(text)} characters; allowed: at most {LONGEST_TEXT}")
    letters = [c for c in text if c.isalpha()]
    if language == "en" and not letters:
        raise UsageError(f"{option}: {shown} holds no word; say what the body does")
    if language == "en" and sum(c.isascii() for c in letters) < 0.5 * len(letters):
        raise UsageError(f"{option}: {shown} is not in Latin script; this model reads English")


@dataclass(frozen=True)
class Line:
    """One line of a file of texts. number: from 1. low: what stands after a tab."""

    number: int
    text: str
    low: str | None


def read_lines(path: Path) -> list[Line]:
    """A file of texts: one a line, a low-level text after a tab; empty lines are skipped. Errors: UsageError."""
    lines = read_text(path, UsageError).splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            high, _, low = line.partition("\t")
            found.append(Line(number, high.strip(), low.strip() or None))
    if not found:
        raise UsageError(f"{path}: holds no text")
    return found


def read_texts(path: Path) -> tuple[list[str], list[str | None]]:
    """The texts and low-level texts of :func:`read_lines`. Errors: UsageError."""
    lines = read_lines(path)
    return [line.text for line in lines], [line.low for line in lines]


def label_of(run: Run, slot: str, value: str | Mixture | None) -> str | Mixture | None:
    """A label that the slot's encoder knows, or several of them with weights: ``happy:0.7,angry:0.3``.

    Errors, before anything is heard or made: UnknownName with the nearest label; UsageError for weights that are none.
    """
    known = getattr(run.model.conditioning.encoders[slot], "labels", None)
    if not value or known is None or value in known or isinstance(value, Mixture):
        return value
    option = run.task.options.get(slot, "--style")
    parts = []
    for part in str(value).split(","):
        label, mark, weight = part.strip().rpartition(":")
        if not mark:
            label, weight = weight, "1"
        if label.strip() not in known:
            raise UnknownName("style" if option == "--style" else slot, label.strip(), known, option)
        try:
            parts.append((label.strip(), float(weight)))
        except ValueError as error:
            raise UsageError(
                f"{option}: got {part.strip()!r}; write {label.strip()}:0.7, a label and its weight"
            ) from error
    return Mixture.of(parts, option)


def sound_slots(run: Run, heard: bool, styled: bool) -> tuple[list[str], str | None]:
    """The slots that --music fills, all that read audio, and the one of --style. UsageError where there is none."""
    task, card = run.task, run.model.card
    found = []
    for option, kind in (("--music", "audio"), ("--style", "label")):
        of_task = [slot for slot, reads in task.reads.items() if reads == kind]
        of_model = [slot for slot in of_task if slot in card.slots]
        if (heard if option == "--music" else styled) and not of_model:
            why = f"task {task.task} has no slot that reads {kind}"
            if of_task:
                why = f"model {card.name} was trained without the slot {of_task[0]!r} that it fills"
            raise UsageError(f"{option}: {why}")
        found.append(of_model)
    return found[0] if heard else [], found[1][0] if styled else None
