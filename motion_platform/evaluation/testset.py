"""The clips that a model is measured on, in batches that never depend on who computes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from motion_platform.core.contracts import generation_id
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Batch, MotionSpec
from motion_platform.core.seeding import seed_of
from motion_platform.core.tasks import Keep, Task
from motion_platform.data.loader import Collate
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.slots import USUAL, Slot, slot_of
from motion_platform.model.keeping import edit_for

Item = tuple[int, int | None]
"""A row of the data set, and which of several predictions for it (None: the only one)."""


@dataclass
class TestSet:
    """``samples``: that many clips, spread evenly over the sorted ids (None: all). keep: what of a clip is given
    to those who complete it, for tasks that say so. slots: what a task's card says of its slots. captions: which of a
    clip's captions stands for it, the first, or one at random in every repeat, as in the protocol of Guo et al. 2022.

    Errors: UsageError for an empty split.
    """

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    dataset: PreparedDataset
    split: str
    samples: int | None = None
    batch_size: int = 64
    max_frames: int | None = 196
    keep: Keep | None = None
    slots: dict[str, Slot] = field(default_factory=dict)
    captions: Literal["first", "random"] = "first"
    rows: list[int] = field(init=False)

    def __post_init__(self) -> None:
        rows = sorted(self.dataset.indices(self.split), key=self.dataset.id)
        if not rows:
            raise UsageError(f"data set {self.dataset.folder}: split {self.split!r} is empty")
        if self.samples is not None and self.samples < len(rows):
            rows = [rows[i * len(rows) // self.samples] for i in range(self.samples)]
        self.rows = rows

    @property
    def spec(self) -> MotionSpec:
        return self.dataset.spec()

    @property
    def ids(self) -> list[str]:
        return [self.dataset.id(row) for row in self.rows]

    @cached_property
    def recordings(self) -> dict[str, str]:
        """Clip id -> the recording that it is of: parts of a file and mirrored copies are of one."""
        return {self.dataset.id(row): self.dataset.source(row) for row in self.rows}

    def frames(self, row: int) -> int:
        """The length of a clip, cut to ``max_frames``."""
        return min(int(self.dataset.frames[row]), self.max_frames or int(self.dataset.frames[row]))

    @cached_property
    def batches(self) -> list[list[Item]]:
        """Every clip once, clips of one length together."""
        return self._cut([(row, None) for row in self.rows])

    def several(self, clips: int | None, generations: int, seed: int) -> list[list[Item]]:
        """``generations`` items for each of ``clips`` clips (None: all), which are drawn with ``seed``."""
        rows = self.rows
        if clips is not None and clips < len(rows):
            chosen = np.random.RandomState(seed % 2**32).choice(len(rows), clips, replace=False)
            rows = [rows[i] for i in sorted(chosen.tolist())]
        return self._cut([(row, g) for row in rows for g in range(generations)])

    def _cut(self, items: list[Item]) -> list[list[Item]]:
        items = sorted(items, key=lambda item: (self.frames(item[0]), self.dataset.id(item[0]), item[1] or 0))
        return [items[start : start + self.batch_size] for start in range(0, len(items), self.batch_size)]

    def batch(
        self, items: Sequence[Item], slots: Sequence[str], asked: Sequence[int] | None = None, seed: int = 0
    ) -> Batch:
        """The batch of these items; ``asked``: the rows whose captions and labels stand in it (default: their own).
        seed: of the repeat, for captions that are drawn: a clip has one caption in a repeat, whoever asks."""
        rows = [row for row, _ in items]
        drawn = seed_of(seed, "caption") if self.captions == "random" else None
        collate = Collate(self.dataset, self.spec, self._wanted(slots), max_frames=self.max_frames, caption_seed=drawn)
        batch = collate(rows)
        ids = [i if g is None else generation_id(i, g) for i, (_, g) in zip(batch.ids, items, strict=True)]
        batch = replace(batch, ids=ids)
        if asked is not None:
            other = collate(list(asked))
            batch = replace(batch, raw=other.raw, captions=other.captions, labels=other.labels)
        if self.dataset.has_tokens:  # references of metrics, no condition of a model
            tokens = [self.dataset.caption_tokens(row) for row in (rows if asked is None else asked)]
            batch = replace(batch, raw={**batch.raw, "caption_tokens": tokens})
        if self.keep is not None:
            batch = replace(batch, edit=edit_for(self.keep, batch.motion, ids))
        return batch

    def texts(self, slots: Sequence[str]) -> dict[str, list[str]]:
        """slot -> every different text that a batch can hold there."""
        wanted = {name: slot for name, slot in self._wanted(slots).items() if slot.kind in ("text", "label")}
        collate = Collate(self.dataset, self.spec, wanted, max_frames=1)
        last = 1 if self.captions == "first" else None
        every = {slot: {text for row in self.rows for text in collate.inputs(row, slot)[:last]} for slot in wanted}
        return {slot: sorted(text for text in texts if text) for slot, texts in every.items()}

    def _wanted(self, names: Sequence[str]) -> dict[str, Slot]:
        """What the slots read, by the card or by their usual names; a name that is neither is left out."""
        known = {**USUAL, **self.slots}
        return {name: known[name] for name in names if name in known}

    def cannot_fill(self, names: Sequence[str]) -> str | None:
        """The first of these slots that no clip fills, in words; None when all are filled."""
        known = self._wanted(names)
        for name in names:
            if name not in known or not self.dataset.fills(self.rows, known[name]):
                return f"{name}, and {self.dataset.folder} has nothing for it"
        return None

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the data, the split and the choice of clips."""
        digest = hashlib.sha256((self.dataset.folder / "meta.json").read_bytes())
        digest.update(f"{self.split} {self.max_frames} {self.batch_size}".encode())
        if self.captions != "first":
            digest.update(self.captions.encode())
        if self.keep is not None:
            digest.update(self.keep.model_dump_json().encode())
        for row in self.rows:
            digest.update(f"{self.dataset.id(row)}:{self.frames(row)}\n".encode())
        return digest.hexdigest()


def slots_of_task(task: Task) -> dict[str, Slot]:
    """What a task's card says of its slots, as far as a prepared row can fill them."""
    return {name: slot_of(name, kind, task.columns.get(name)) for name, kind in task.reads.items()}


def training_rows(test: TestSet) -> list[int]:
    """Rows of the training split in the order of their ids. DataError when there is none."""
    rows = test.dataset.indices("train")
    if not rows:
        raise DataError(f"{test.dataset.folder}: has no training clips, which the bounds are made of; use --no-bounds")
    return rows
