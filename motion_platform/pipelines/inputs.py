"""What a person gives, slot by slot, read and checked: one table of kinds for the command line, Python and a web page.

A task's card names its slots and the kind of each (text, audio, words, label, motion). A kind says how a value is
read, what it is called in names and ids, how long it lasts, and what of it travels with the clip. Any combination of
kinds that a card names works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from motion_platform.audio import listening, transcripts
from motion_platform.core.errors import UsageError, suggest
from motion_platform.model.run import Run
from motion_platform.pipelines import texts


@dataclass(frozen=True)
class Read:
    """One value as its encoder takes it. said: its words in ids, names and captions. file: where it came from, for what
    is a recording. seconds: how long it lasts, None where it does not say."""

    value: Any
    said: str
    file: Path | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class InputRow:
    """All inputs of one motion: slot -> what was read."""

    of: Mapping[str, Read]
    kinds: Mapping[str, str] = field(default_factory=dict)

    def first(self, kind: str) -> tuple[str, Read] | None:
        """The first slot of a kind, and what it holds."""
        return next(((slot, read) for slot, read in self.of.items() if self.kinds.get(slot) == kind), None)

    def said(self, kind: str) -> list[str]:
        """The words of all slots of a kind, in order."""
        return [read.said for slot, read in self.of.items() if self.kinds.get(slot) == kind]


def read_text(run: Run, slot: str, value: Any, seconds: float | None) -> Read:
    """A sentence; None and "" leave the slot unconditioned. UsageError for what no text encoder can read."""
    if value:
        texts.check_text(str(value), str(run.model.card.data.get("language", "")), option=f"slot {slot}")
    return Read(value, value or "")


def read_audio(run: Run, slot: str, value: Any, seconds: float | None) -> Read:
    """A recording: a file. ``seconds`` cuts it, and more than that is heard. DataError, UsageError."""
    path = Path(value)
    audio = listening.hear(path, seconds)
    return Read(audio, path.name, path, audio.seconds if seconds is None else min(seconds, audio.seconds))


def read_label(run: Run, slot: str, value: Any, seconds: float | None) -> Read:
    """A label that the slot's encoder knows, or a mixture of several. UnknownName with the nearest one; UsageError."""
    return Read(texts.label_of(run, slot, value), str(value or ""))


def read_words(run: Run, slot: str, value: Any, seconds: float | None) -> Read:
    """What is said, as it was given; :func:`read_row` puts it into the recordings of the row."""
    return Read(value, "")


def read_motion(run: Run, slot: str, value: Any, seconds: float | None) -> Read:
    """A clip, or a motion file (its first motion), as features of the model. DataError, UsageError."""
    from motion_platform.motion import bodies, io
    from motion_platform.motion.clip import Clip

    clip = value if isinstance(value, Clip) else io.load(value)
    return Read(bodies.features_of(clip, run.model.spec), clip.name)


KINDS: dict[str, Callable[[Run, str, Any, float | None], Read]] = {
    "text": read_text,
    "audio": read_audio,
    "words": read_words,
    "label": read_label,
    "motion": read_motion,
}
"""kind of slot -> how a person's value is read."""


def check_slots(run: Run, given: Mapping[str, Sequence[Any]]) -> None:
    """UsageError for a slot that the task or the model does not have, and for one that must be filled and is not."""
    task, card = run.task, run.model.card
    for slot in given:
        if slot not in task.reads:
            raise UsageError(f"slot {slot!r}: task {task.task} has none of that name; {suggest(slot, task.reads)}")
        if slot not in card.slots:
            raise UsageError(f"slot {slot!r}: model {card.name} was trained without it; {suggest(slot, card.slots)}")
    texts.check_filled(run, given)


def check_values(run: Run, given: Mapping[str, Sequence[Any]], count: int) -> None:
    """UsageError for slots or numbers of values that do not fit; UnknownName for a label; before anything is read."""
    check_slots(run, given)
    for slot, values in given.items():
        if len(values) not in (1, count):
            raise UsageError(f"slot {slot!r}: got {len(values)} values for {count} motions; give one, or one for each")
        if run.task.reads[slot] == "label":
            for value in values:
                texts.label_of(run, slot, value)


def read_row(run: Run, given: Mapping[str, Sequence[Any]], number: int, seconds: float | None) -> InputRow:
    """Row ``number`` of the inputs. given: slot -> one value for all rows, or one a row. seconds: the cut of the row.

    A value that stands in several slots is read once. Recordings get the words that are said in them, and a slot of
    words is filled with the recording. Errors: those of the kinds; UsageError for words without a recording.
    """
    kept: dict[tuple[str, str], Read] = {}
    of = {}
    for slot, values in given.items():
        kind, value = run.task.reads[slot], values[number % len(values)]
        key = (kind, repr(value))
        if kind != "audio" or key not in kept:
            kept[key] = KINDS[kind](run, slot, value, seconds)
        of[slot] = kept[key]
    for slot in [slot for slot, read in of.items() if run.task.reads[slot] == "words" and read.value]:
        heard = next((other for other in of if run.task.reads[other] == "audio"), None)
        if heard is None:
            raise UsageError(f"{run.task.option(slot)}: needs the recording in which it is said")
        audio = transcripts.with_words(of[heard].value, of[slot].value)
        for other in of:
            if run.task.reads[other] == "audio":
                of[other] = replace(of[other], value=audio)
        of[slot] = Read(audio, "")
    return InputRow(of, {slot: run.task.reads[slot] for slot in given})
