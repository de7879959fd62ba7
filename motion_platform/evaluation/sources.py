"""Who made what is judged, motions, captions or lengths: a model. Real motion and bounds are in bounds.py, a folder in
outside.py."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.contracts import Generator, MotionTokenizer, Trainable
from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.core.files import atomic_path
from motion_platform.core.schema import Batch, Edit, Motion, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.core.tasks import Task
from motion_platform.evaluation.low_text import LowText
from motion_platform.evaluation.testset import Item, TestSet
from motion_platform.model.motion_model import MotionModel
from motion_platform.motion.io.arrays import load_arrays

Kind = Literal["truth", "bound", "model", "folder"]
Precision = Literal["fp32", "bf16"]
Prediction = Motion | list[str] | Tensor
"""What a source makes for a batch: motions, B sentences, or (B,) numbers of frames."""


class Source(ABC):
    """Where the motions (captions, lengths) of one row of the table come from.

    fixed: the same ones in every repeat. varied: it can make several different ones for one clip. slots: the
    conditions that it reads. slow: what it cost is worth reporting.
    """

    name: str
    kind: Kind
    fixed: bool = False
    varied: bool = False
    slots: tuple[str, ...] = ()
    seconds: float = 0.0
    made: int = 0

    @classmethod
    def suits(cls, task: Task) -> bool:  # noqa: ARG003 - those that ask override it
        """Does a row of this kind say something about the task?"""
        return True

    def prepare(self, test: TestSet, rank: int, world: int) -> None:  # noqa: B027 - most have nothing to do
        """Called once, on all processes, before anything is asked for."""

    def asked(self, rows: Sequence[int], seed: int) -> list[int] | None:
        """The rows whose captions and labels count as the request for these rows; None: their own."""
        return None

    def judged(self, batch: Batch) -> Batch:
        """The batch as the metrics see it: a source that is itself taken from the batch leaves itself out."""
        return batch

    @abstractmethod
    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Prediction:
        """One prediction for every id of the batch; it depends on ids and seed, not on the rest of the batch."""

    def identity(self) -> dict[str, Any]:
        """What decides which motions come out, in plain values: the key under which results are kept."""
        return {"kind": self.kind, "name": self.name}


class ModelSource(Source):
    """A generator. given: the slots that are filled (None: all it has). cache: folder where motions are kept. lengths:
    "natural", as long as the model itself makes such a motion, which is what a user gets (the true length tells much
    of the kind), or "true", as long as the clip that the condition came from; always true where something is kept.
    low_text: what stands in the place of the data's low-level text. shuffled: slots that are filled with what belongs
    to another clip, the next longer one of another recording: what the model does whatever it is told there.
    """

    kind = "model"
    varied = True
    needs: type[Trainable] = Generator

    def __init__(
        self,
        model: MotionModel,
        *,
        name: str | None = None,
        sampling: Sampling | None = None,
        given: Sequence[str] | None = None,
        precision: Precision = "fp32",
        cache: Path | None = None,
        lengths: Literal["natural", "true"] = "true",
        low_text: LowText | None = None,
        shuffled: Sequence[str] = (),
    ) -> None:
        if not isinstance(model.trainable, self.needs):
            raise UsageError(f"{model.card.name} is a {model.card.model.name}: it does not generate motion")
        for slot in [*(given or ()), *shuffled]:
            if slot not in model.card.slots:
                raise UsageError(f"{model.card.name} has no condition {slot!r}; {suggest(slot, model.card.slots)}")
        self.model, self.name = model, name or model.card.name
        self.sampling, self.precision, self.cache = sampling or Sampling(), precision, cache
        self.lengths, self.low_text, self.shuffled = lengths, low_text, tuple(shuffled)
        self.given = tuple(model.card.slots if given is None else given)
        self.slots = self.given if low_text is None else low_text.reads(self.given)
        self._data = ""
        self._columns: slice | None = None

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self._data, self._test = test.fingerprint, test
        self._others = others_of(test) if self.shuffled else {}
        read = {name for name, slot in test.slots.items() if slot.kind == "motion"} & set(self.slots)
        self._columns = test.dataset.columns(self.model.spec.representation) if test.keep or read else None
        # All texts, in one order: an encoder's last bit depends on what it is batched with.
        if self.low_text is not None:
            raws = [self._raw(test.batch(items, self.slots)) for items in test.batches]
            texts = {slot: sorted({str(v) for raw in raws for v in raw[slot] if v}) for slot in self.given}
            self.model.conditioning.precompute(texts)
        elif self.slots:
            self.model.conditioning.precompute(test.texts(self.slots))

    def _raw(self, batch: Batch) -> dict[str, Sequence[Any]]:
        """slot -> B inputs, as the model gets them."""
        if self.low_text is not None:
            return dict(self.low_text.fill(batch.raw, self.given))
        return {slot: [self._own(value) for value in batch.raw[slot]] for slot in self.slots}

    def _own(self, value: Any) -> Any:
        """A raw input; of a motion (T, D) the model's own columns of what is stored."""
        return value[:, self._columns] if isinstance(value, Tensor) else value

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        raw = self._raw(batch)
        if self.shuffled:
            others = [(self._others[row], None) for row, _ in items]
            raw |= {slot: self._test.batch(others, self.shuffled).raw[slot] for slot in self.shuffled}
        if self.lengths == "natural" and batch.edit is None:
            natural = self.model.natural_lengths(raw)
            batch = batch if natural is None else replace(batch, lengths=torch.tensor(natural))
        path = self._path(batch, raw, seed)
        if path is not None and path.is_file():
            return self._read(path, batch)
        half = torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.precision == "bf16")
        with stopwatch(self.model.device) as watch, half:
            motion = self.model.generate(
                raw, batch.lengths, batch.ids, seed=seed, sampling=self.sampling, edit=self._edit(batch)
            )
        motion = replace(motion, x=motion.x.float(), own=None if motion.own is None else motion.own.float())
        self.seconds += watch()
        self.made += len(batch.ids)
        if path is not None:
            self._write(path, motion, watch())
        return motion

    def _edit(self, batch: Batch) -> Edit | None:
        """What is given of the motions, in the model's own columns of the stored features."""
        if batch.edit is None:
            return None
        return Edit(batch.edit.x[..., self._columns], batch.edit.keep[..., self._columns])

    def identity(self) -> dict[str, Any]:
        return {
            **super().identity(),
            "weights": self.model.card.weights.get("sha256"),
            "fingerprints": dict(sorted(self.model.card.fingerprints.items())),
            "settings": self.model.card.model.settings,
            "sampler": self.sampling.sampler,
            "steps": self.sampling.steps,
            "guidance": dict(sorted(self.sampling.guidance.items())),
            "given": list(self.given),
            "precision": self.precision,
            "lengths": self.lengths,
            **({} if self.low_text is None else {"low_text": self.low_text.identity}),
            **({"shuffled": list(self.shuffled)} if self.shuffled else {}),
        }

    def _path(self, batch: Batch, raw: Mapping[str, Sequence[Any]], seed: int) -> Path | None:
        if self.cache is None:
            return None
        made_of = {k: v for k, v in self.identity().items() if k != "name"}
        key = [made_of, seed, batch.ids, batch.lengths.tolist(), dict(raw)]
        digest = hashlib.sha256(json.dumps([*key, self._data], sort_keys=True, default=str).encode()).hexdigest()
        return self.cache / digest[:2] / f"{digest[:32]}.npz"

    def _write(self, path: Path, motion: Motion, seconds: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            own = {} if motion.own is None else {"own": motion.own[motion.mask].cpu().numpy()}
            np.savez(temporary, x=motion.x[motion.mask].cpu().numpy(), seconds=seconds, **own)

    def _read(self, path: Path, batch: Batch) -> Motion:
        spec, lengths = self.model.spec, batch.lengths.to(self.model.device)
        try:
            found = load_arrays(path, {"x", "seconds", "own"})
            frames, seconds = torch.from_numpy(found["x"]), float(found["seconds"])
            own = torch.from_numpy(found["own"]) if "own" in found else None
        except (DataError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: kept motions cannot be read ({error}); delete the file") from error
        if frames.shape != (int(lengths.sum()), spec.dim):
            raise DataError(f"{path}: kept motions have shape {tuple(frames.shape)}; delete the file")
        motion = Motion(torch.zeros(len(lengths), int(lengths.max()), spec.dim), lengths, spec)
        motion.x[motion.mask.cpu()] = frames
        if own is not None:
            motion.own = torch.zeros_like(motion.x)
            motion.own[motion.mask.cpu()] = own
        self.seconds += seconds
        self.made += len(batch.ids)
        return motion.to(self.model.device)


class CaptionSource(ModelSource):
    """A model that says what the real motions show."""

    needs = Trainable

    def __init__(self, model: MotionModel, *, name: str | None = None, sampling: Sampling | None = None) -> None:
        super().__init__(model, name=name, sampling=sampling, given=())

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self._columns = test.dataset.columns(self.model.spec.representation)

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> list[str]:
        motion = Motion(batch.motion.x[..., self._columns], batch.motion.lengths, self.model.spec)
        with stopwatch(self.model.device) as watch, torch.no_grad():
            noise = NoiseSource(batch.ids, seed)
            said = self.model.trainable.describe(motion.to(self.model.device), noise=noise, sampling=self.sampling)
        self.seconds += watch()
        self.made += len(batch.ids)
        return list(said)


class LengthSource(ModelSource):
    """A model that says how long a motion of a description lasts, in frames."""

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Tensor:
        """Errors: UsageError for a model that does not know."""
        with stopwatch(self.model.device) as watch:
            found = self.model.natural_lengths({slot: batch.raw[slot] for slot in self.slots})
        if found is None:
            raise UsageError(f"{self.name}: has not learned how long a motion lasts (setting natural_length)")
        self.seconds += watch()
        self.made += len(batch.ids)
        return torch.tensor(found)


class ReconstructionSource(Source):
    """A motion tokenizer: every motion written as tokens and read back."""

    kind = "model"
    fixed = True

    def __init__(self, model: MotionModel, *, name: str | None = None) -> None:
        self.model, self.name = model, name or model.card.name

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self._columns = test.dataset.columns(self.model.spec.representation)

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        lengths, device = batch.motion.lengths, self.model.device
        motion = Motion(batch.motion.x[..., self._columns], lengths, self.model.spec).to(device)
        tokenizer = self.model.trainable
        with stopwatch(device) as watch:
            made = tokenizer.decode(tokenizer.encode(motion))
        self.seconds += watch()
        self.made += len(batch.ids)
        return Motion(made.x[:, : int(lengths.max())], lengths.to(device), made.spec)  # its last step may be longer

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "weights": self.model.card.weights.get("sha256")}


def source_for(
    model: MotionModel,
    task: Task,
    *,
    name: str | None = None,
    sampling: Sampling | None = None,
    given: Sequence[str] | None = None,
    precision: Precision = "fp32",
    cache: Path | None = None,
    lengths: Literal["natural", "true"] | None = None,
    low_text: LowText | None = None,
    shuffled: Sequence[str] = (),
) -> Source:
    """The model at work on a task. given: the slots that are filled (None: all that it has and the task reads).
    lengths, low_text, shuffled: see :class:`ModelSource` (lengths None: as the task's protocol says)."""
    if isinstance(model.trainable, MotionTokenizer):
        return ReconstructionSource(model, name=name)
    if task.writes == "captions":
        return CaptionSource(model, name=name, sampling=sampling)
    if given is None:
        given = [slot for slot in model.card.slots if slot in task.reads]
    if task.writes == "lengths":
        return LengthSource(model, name=name, given=given)
    how = lengths or task.protocol.lengths
    return ModelSource(
        model,
        name=name,
        sampling=sampling,
        given=given,
        precision=precision,
        cache=cache,
        lengths=how,
        low_text=low_text,
        shuffled=shuffled,
    )


def others_of(test: TestSet) -> dict[int, int]:
    """Row -> the next longer row of another recording (the longest: the next shorter). UsageError for one recording."""
    order = sorted(test.rows, key=lambda row: (test.frames(row), test.dataset.id(row)))
    own = [test.recordings[test.dataset.id(row)] for row in order]
    if len(set(own)) < 2:
        raise UsageError(f"{test.dataset.folder}: holds one recording; there is no other to take a condition from")
    found = {}
    for k, row in enumerate(order):
        around = [*range(k + 1, len(order)), *range(k - 1, -1, -1)]
        found[row] = order[next(j for j in around if own[j] != own[k])]
    return found


@contextlib.contextmanager
def stopwatch(device: torch.device) -> Iterator[Callable[[], float]]:
    """Seconds of the block: this process's CPU time on a CPU (other programs do not change it), else of the clock."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    start, spent = clock(), [0.0]
    read: Callable[[], float] = lambda: spent[0]  # noqa: E731
    yield read
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    spent[0] = clock() - start
