"""Instruction wordings: read from one file, checked, and rendered into token ids."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from motion_platform.core import config
from motion_platform.core.errors import ConfigError, UnknownName

FILE = Path(__file__).with_name("instructions.yaml")
SHIPPED = {name: Path(__file__).with_name(f"instructions_{name}.yaml") for name in ("alpaca", "many")}
"""Other files of wordings, by name."""
TASKS: dict[str, tuple[str, ...]] = {
    "text_to_motion": ("text",),
    "motion_to_text": ("motion",),
    "motion_prediction": ("start",),
    "motion_in_between": ("start", "end"),
    "keyframes_to_motion": ("keys",),
    "length_from_text": ("text",),
    "random_motion": (),
    "text_denoising": ("text",),
    "motion_denoising": ("keys",),
}
"""Task -> what its wordings must hold."""
EXTRA = ("text_denoising", "motion_denoising")
"""Tasks that a file may leave out, because no model is asked them but in pre-training."""
PLACES = ("text", "seconds", "motion", "start", "end", "keys")
ALSO = ("text", "seconds")
_PLACE = re.compile(r"\{(\w*)\}")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")

Part = str | Sequence[int]
"""What fills a place: words, or ids that are no words."""


@dataclass(frozen=True)
class Instructions:
    """wordings: task -> those of training. unseen: task -> those held out. also: what is said where it is known."""

    wordings: Mapping[str, Sequence[str]]
    unseen: Mapping[str, Sequence[str]]
    also: Mapping[str, str]

    def prompt(
        self, wording: str, values: Mapping[str, Part | Sequence[Part]], encode: Callable[[str], list[int]]
    ) -> list[int]:
        """Ids of a wording with its places filled; a value that is "" is not known. Words next to each other are
        split together, so that a caption reads as it does in running text."""
        held = set(_PLACE.findall(wording))
        said = [self.also[name] for name in ALSO if values.get(name) and name not in held]
        ids: list[int] = []
        words = ""
        for k, piece in enumerate(_PLACE.split("".join([wording, *said]))):
            value = piece if k % 2 == 0 else values[piece]
            for part in [value] if isinstance(value, str) or (value and isinstance(value[0], int)) else value:
                if isinstance(part, str):
                    words += part
                    continue
                ids += [*(encode(words) if words else []), *part]
                words = ""
        return ids + (encode(words) if words else [])


def load(path: str | Path | None = None, *, limit: int | None = None) -> Instructions:
    """The wordings of a file, a path or a name of ``SHIPPED`` (None: ours); limit: at most so many a task, in order.

    Errors: ConfigError for a file that is none, a wording that lacks its place or has an unknown one; UnknownName for
    a task that is none.
    """
    file = FILE if path is None else SHIPPED.get(str(path)) or Path(path).expanduser()
    values = config.check(InstructionFile, config.read_yaml(file), file)
    for name, wording in values.also.items():
        if name not in ALSO:
            raise UnknownName("place", name, ALSO, f"{file}: also")
        _check(wording, (name,), f"{file}: also.{name}")
    for task, group in values.tasks.items():
        if task not in TASKS:
            raise UnknownName("task", task, TASKS, f"{file}: tasks")
        for kind in ("seen", "unseen"):
            for i, wording in enumerate(getattr(group, kind)):
                for each in spelled(wording):
                    _check(each, TASKS[task], f"{file}: tasks.{task}.{kind}.{i}")
    for task in TASKS:
        if (task not in values.tasks or not values.tasks[task].seen) and task not in EXTRA:
            raise ConfigError(f"{file}: tasks.{task}.seen: is missing; at least one wording is needed")
    also = {name: values.also.get(name, f" {{{name}}}") for name in ALSO}
    seen = {task: _all(group.seen)[:limit] for task, group in values.tasks.items()}
    return Instructions(seen, {task: _all(group.unseen) for task, group in values.tasks.items()}, also)


def spelled(wording: str) -> list[str]:
    """Every wording that one with choices stands for: "[Show|Make] {text}[| now]." is four, in the order of writing."""
    parts = _CHOICE.split(wording)
    choices = [part.split("|") if k % 2 else [part] for k, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _all(wordings: Sequence[str]) -> list[str]:
    """Wordings with their choices spelled out, each once."""
    return list(dict.fromkeys(each for wording in wordings for each in spelled(wording)))


class Wordings(config.Strict):
    """The wordings of one task."""

    seen: list[str]
    unseen: list[str] = []


class InstructionFile(config.Strict):
    """An instruction file: see ``instructions.yaml``."""

    also: dict[str, str] = {}
    tasks: dict[str, Wordings]


def _check(wording: str, needed: Sequence[str], where: str) -> None:
    found = _PLACE.findall(wording)
    for place in found:
        if place not in PLACES:
            raise UnknownName("place", f"{{{place}}}", [f"{{{p}}}" for p in PLACES], where)
        if place not in needed and place not in ALSO:
            raise ConfigError(f"{where}: {wording!r} has {{{place}}}, which this task cannot fill")
    for place in needed:
        if place not in found:
            raise ConfigError(f"{where}: {wording!r} lacks its slot {{{place}}}; put it where the value belongs")


Answer = Literal["motion", "text", "seconds"]
ANSWERS: dict[str, Answer] = {"motion_to_text": "text", "length_from_text": "seconds", "text_denoising": "text"}
"""What a task is answered with, where it is no motion."""
