"""Numbers for one pass over a test set: every process takes its share of the batches, states are merged, and metrics
computed once. Repeats, intervals and bounds are in protocol.py."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from motion_platform.core.config import MetricRecipe
from motion_platform.core.contracts import Generator, MotionTokenizer, State
from motion_platform.core.errors import DataError, MotionPlatformError, UsageError
from motion_platform.core.schema import Motion, Sampling
from motion_platform.evaluation.bounds.motion import RealMotion
from motion_platform.evaluation.judges import Judge, Judges
from motion_platform.evaluation.processes import gather
from motion_platform.evaluation.sources import Prediction, Source, source_for
from motion_platform.evaluation.testset import Item, TestSet, slots_of_task
from motion_platform.model.run import Run
from motion_platform.motion.representations import get_representation

log = logging.getLogger("motion_platform")


@dataclass
class Pass:
    """What one pass over the set gave. states, refused: by the judges' labels; shown: clip id -> joints (T, J, 3);
    said: clip id -> the caption that was made for it."""

    states: dict[str, State] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    shown: dict[str, np.ndarray] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    made: int = 0

    def merge(self, other: Pass) -> Pass:
        states = dict(self.states)
        for label, state in other.states.items():
            states[label] = states[label].merge(state) if label in states else state
        return Pass(
            states,
            {**other.refused, **self.refused},
            {**self.shown, **other.shown},
            {**self.said, **other.said},
            self.seconds + other.seconds,
            self.made + other.made,
        )

    def compute(self, judges: Sequence[Judge]) -> dict[str, tuple[Judge, dict[str, float]]]:
        """label -> (judge, its values); what a metric refuses, or has no value for, goes to ``refused``."""
        values = {}
        for judge in judges:
            if judge.label not in self.states or judge.label in self.refused:
                continue
            try:
                found = self.states[judge.label].compute()
            except MotionPlatformError as error:
                self.refused[judge.label] = str(error)
                continue
            if found:
                values[judge.label] = judge, found
            else:
                self.refused[judge.label] = f"{judge.recipe.name}: none of these clips is of a kind that it judges"
        return values


@torch.no_grad()
def measure(
    source: Source,
    judges: Judges,
    chosen: Sequence[Judge],
    seed: int,
    *,
    batches: Sequence[Sequence[Item]] | None = None,
    shown: frozenset[int] = frozenset(),
    rank: int = 0,
    world: int = 1,
) -> Pass:
    """One pass over ``batches`` (default: every clip once) with the judges ``chosen``; the same on every process.

    Process ``rank`` takes ``batches[rank::world]``. A metric that refuses is left out from there on, and says why.
    Errors: DataError for a prediction with a NaN; whatever the source raises.
    """
    metrics = {judge.label: judge.seed(seed) for judge in chosen}

    def work() -> Pass:
        found = Pass()
        seconds, made = source.seconds, source.made
        every = judges.test.batches if batches is None else batches
        for items in every[rank::world]:
            asked = source.asked([row for row, _ in items], seed)
            batch = judges.test.batch(items, [*judges.slots(), *source.slots], asked, seed)
            prediction = source.predict(batch, items, seed)
            motion = prediction if isinstance(prediction, Motion) else batch.motion
            captions = check_made(prediction, batch.ids, source.name)
            batch = source.judged(batch)
            left = [judge for judge in chosen if judge.label not in found.refused]
            seen, unseen = judges.see(left, source, motion, batch, items, asked, captions, seed)
            part = Pass(refused=unseen)
            for judge in left:
                if judge.label in unseen:
                    continue
                try:
                    part.states[judge.label] = metrics[judge.label].state(
                        motion if judge.metric.judges == "motion" else prediction, batch, seen.get(judge.space)
                    )
                except MotionPlatformError as error:
                    part.refused[judge.label] = str(error)
            for b, (row, _) in enumerate(items):
                if row in shown and judges.test.dataset.id(row) not in found.shown:
                    part.shown[judges.test.dataset.id(row)] = row_joints(motion, b)
                    if captions is not None:
                        part.said[judges.test.dataset.id(row)] = captions[b]
            found = found.merge(part)
        found.seconds, found.made = source.seconds - seconds, source.made - made
        return found

    parts = gather(work, world)
    total = parts[0]
    for part in parts[1:]:
        total = total.merge(part)
    return total


def measure_run(
    run: Run,
    *,
    metrics: Sequence[MetricRecipe] | None = None,
    split: str | None = None,
    samples: int | None = None,
    batch_size: int = 64,
    sampling: Sampling | None = None,
    seed: int | None = None,
    rank: int = 0,
    world: int = 1,
) -> dict[str, Any]:
    """{"task", "model", "split", "samples", "seed", "metrics": {name: value}, "refused": {metric: why}}: one pass.

    A generator makes for each clip what its task writes, from what the task reads; a tokenizer writes and reads every
    motion; a space is given the real motion and is its own judge. Without ``metrics``: those of the task that want one
    motion a clip.
    Errors: UsageError when there is nothing to measure; DataError for a NaN; those of :class:`Judges`.
    """
    data = run.data
    test = TestSet(
        run.open_data(),
        split or run.task.protocol.split,
        samples,
        batch_size,
        data.max_frames if data else None,
        run.task.keep,
        slots_of_task(run.task),
    )
    judges = Judges(
        run.task.metrics if metrics is None else metrics,
        test,
        own=run.model,
        device=str(run.model.device),
        writes=run.task.writes,
    )
    chosen = judges.all if metrics is not None else [judge for judge in judges.all if judge.group == (1, None)]
    if any(judge.group != (1, None) for judge in chosen):
        raise UsageError("one pass makes one motion a clip; metrics of several need the whole protocol")
    if not chosen:
        raise UsageError(f"task {run.task.task}: there is no metric to compute; name some in the card or the recipe")
    seed = run.seed if seed is None else seed
    was_training = run.model.training
    run.model.eval()
    source: Source = RealMotion()
    if isinstance(run.model.trainable, (Generator, MotionTokenizer)):
        source = source_for(run.model, run.task, sampling=sampling)
    source.prepare(test, rank, world)
    found = measure(source, judges, chosen, seed, rank=rank, world=world)
    run.model.train(was_training)
    values = {
        judge.value_name(name): value
        for judge, named in found.compute(chosen).values()
        for name, value in named.items()
    }
    for label, why in found.refused.items():
        log.warning("%s is not measured: %s", label, why)
    return {
        "task": run.task.task,
        "model": run.model.card.name,
        "split": test.split,
        "samples": len(test.rows),
        "seed": seed,
        "metrics": values,
        "refused": found.refused,
    }


def check_finite(motion: Motion, ids: Sequence[str], who: str) -> None:
    """DataError with the clip and the frame of the first value that is no number."""
    wrong = ~torch.isfinite(motion.x).all(-1) & motion.mask
    if wrong.any():
        b, frame = (int(i) for i in wrong.nonzero()[0])
        raise DataError(f"{who}: the motion for {ids[b]!r} has a NaN or infinite value in frame {frame}")


def check_made(made: Prediction, ids: Sequence[str], who: str) -> list[str] | None:
    """The captions, if that is what was made. DataError for motions that are not finite, or not one caption a clip."""
    if isinstance(made, Motion):
        check_finite(made, ids, who)
    if isinstance(made, Motion | torch.Tensor):
        return None
    if len(made) != len(ids):
        raise DataError(f"{who}: made {len(made)} captions for {len(ids)} clips")
    return list(made)


def row_joints(motion: Motion, b: int) -> np.ndarray:
    """(T, J, 3) float32 metres of one motion of a batch."""
    x = motion.x[b, : int(motion.lengths[b])].detach().float().cpu()
    return get_representation(motion.spec.representation).decode(x).numpy().astype(np.float32)
