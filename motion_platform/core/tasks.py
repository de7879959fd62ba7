"""A task card: what goes in, what comes out, on which data, how it is scored, and with which model by default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from motion_platform.core import cards, config, registry
from motion_platform.core.config import MetricRecipe, ModelFile, Strict
from motion_platform.core.errors import ConfigError, UnknownName, suggest

Kind = Literal["text", "audio", "words", "label", "motion"]
"""What a slot reads. "words": what is said in the row's recording, with times; an encoder is given the recording."""


class Protocol(Strict):
    """How the numbers are taken: the split, how often it is repeated, and at most how many clips (None: all).

    several_repeats: how often for metrics that want several motions of a clip. max_frames: what is longer is cut.
    lengths: of what a model makes, its own choice ("natural", as a user gets it) or the true clip's, which tells its
    kind.
    """

    split: str = "test"
    repeats: int = Field(default=1, ge=1, le=1000)
    several_repeats: int = Field(default=5, ge=1, le=1000)
    samples: int | None = Field(default=None, ge=1)
    max_frames: int | None = Field(default=196, ge=1)
    lengths: Literal["natural", "true"] = "true"


class Keep(Strict):
    """What of a clip is given to a generator, and stays in what it makes: the rest of the clip is made.

    prefix: the first ``part`` of the frames (MotionGPT: 0.2). in_between: the first and the last ``part`` (0.25).
    initial_pose, last_pose: the first or last ``pose_frames`` frames. key_poses: ``poses`` = [least, most] places drawn
    by the clip's id, each of ``pose_frames`` frames and starting at a multiple of them. The default of 4 frames is one
    token of a tokenizer of stride 4: the initial, last and key tokens of MotionGPT (Zhang et al. 2024, qiqiApink).
    """

    how: Literal["prefix", "in_between", "initial_pose", "last_pose", "key_poses"]
    part: float = Field(default=0.2, gt=0, lt=1)
    poses: list[int] = Field(default=[3, 5], min_length=2, max_length=2)
    pose_frames: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> Keep:
        if not 1 <= self.poses[0] <= self.poses[1]:
            raise ValueError(f"poses must be [least, most] with 1 <= least <= most, not {self.poses}")
        if self.how == "in_between" and self.part >= 0.5:
            raise ValueError(f"part {self.part:g} at both ends leaves nothing to make; allowed: below 0.5")
        return self


class Task(Strict):
    """``tasks/<task>.yaml``. reads: slot -> kind of input; ``optional`` lists the slots that may be left out.

    A slot may also be written ``speech: {kind: audio, column: wav, option: --speech}``: column is what it reads of a
    prepared row (data/slots.py), option its name on the command line (by default the slot's own). keep: what of the
    motion in the slot that reads ``motion`` stays, for a task that completes a motion.
    """

    task: str
    title: str
    source: str
    reads: dict[str, Kind]
    columns: dict[str, str] = Field(default_factory=dict)
    options: dict[str, str] = Field(default_factory=dict)
    optional: list[str] = Field(default_factory=list)
    writes: Literal["motion", "captions", "lengths", "tokens", "labels", "embedding"]
    keep: Keep | None = None
    data: str
    metrics: list[MetricRecipe] = Field(default_factory=list)
    protocol: Protocol = Field(default_factory=Protocol)
    default_model: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _slots(cls, values: Any) -> Any:
        """Slots that are written as a mapping, taken apart."""
        if not isinstance(values, dict) or not isinstance(values.get("reads"), dict):
            return values
        reads, parts = {}, {"column": dict(values.get("columns") or {}), "option": dict(values.get("options") or {})}
        for slot, said in values["reads"].items():
            if isinstance(said, dict):
                wrong = sorted(set(said) - {"kind", *parts})
                if wrong or "kind" not in said:
                    got = wrong[0] if wrong else "no kind"
                    raise ValueError(f"slot {slot}: got {got}; a slot is a kind, or {{kind, column, option}}")
                for part, found in parts.items():
                    if part in said:
                        found[slot] = str(said[part])
                reads[slot] = said["kind"]
            else:
                reads[slot] = said
        return {**values, "reads": reads, "columns": parts["column"], "options": parts["option"]}

    def texts(self) -> list[str]:
        """The slots that read text, those that must be filled first: --text is for the first, --low-text the second."""
        slots = [slot for slot, kind in self.reads.items() if kind == "text"]
        return sorted(slots, key=self.optional.__contains__)

    def option(self, slot: str) -> str:
        """What a slot is called on the command line."""
        return self.options.get(slot, "--" + slot.replace("_", "-"))

    def required(self) -> list[str]:
        """The slots that a person must fill."""
        return [slot for slot in self.reads if slot not in self.optional]


def load(name: str) -> Task:
    """Read and check a task card by name or path. Errors: UnknownName, ConfigError."""
    return read(cards.find("tasks", name))


def read(path: Path) -> Task:
    """Read and check a task card from a file; names in it must be registered."""
    task = check(config.read_yaml(path), path)
    if task.task != path.stem:
        raise ConfigError(f"{path}: task: got {task.task!r}; a card is named like its file, {path.stem!r}")
    return task


def of_model(card: ModelFile, where: str | Path) -> Task:
    """The task of a trained model: the card that the model carries, else the one of that name."""
    return load(card.task) if card.task_card is None else check(card.task_card, f"{where}: task_card")


def check(values: Mapping[str, Any], path: str | Path) -> Task:
    """Check the values of a task card; names in it must be registered. Errors: UnknownName, ConfigError."""
    task = config.check(Task, values, path)
    for slot in task.optional:
        if slot not in task.reads:
            raise ConfigError(f"{path}: optional: no slot {slot!r}; {suggest(slot, task.reads)}")
    if task.keep is not None and (task.writes != "motion" or "motion" not in task.reads.values()):
        raise ConfigError(f"{path}: keep: is for a task that reads a motion and writes motion")
    if task.data not in registry.table("data"):
        raise UnknownName("data set", task.data, registry.table("data"), f"{path}: data")
    for i, metric in enumerate(task.metrics):
        if metric.name not in registry.table("metrics"):
            raise UnknownName("metric", metric.name, registry.table("metrics"), f"{path}: metrics.{i}.name")
    return task
