"""Numbers for a model: every process takes its share of the sorted ids, states are merged, metrics computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from motion_platform import registry
from motion_platform.config import MetricRecipe
from motion_platform.data.loader import Collate
from motion_platform.engine import checkpoint
from motion_platform.engine.build import Run
from motion_platform.errors import UsageError
from motion_platform.schema import Batch, Embeddings, Generator, Motion, Sampling, Space, State


@torch.no_grad()
def run(
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
    """{"task", "model", "split", "samples", "seed", "metrics": {name: value}}; the same on every process.

    A generator makes one motion for each clip, from its captions and of its length; a space is given the real motion
    and is its own judge. ``samples``: that many clips, spread evenly over the sorted ids.
    Errors: UsageError when there is nothing to measure; whatever a metric refuses.
    """
    metrics = list(run.task.metrics if metrics is None else metrics)
    split = split or run.task.protocol.split
    seed = run.seed if seed is None else seed
    dataset = run.open_data()
    judges = [(registry.build("metrics", m.name, m.settings), _space(m, run)) for m in metrics]
    if not judges:
        raise UsageError(f"task {run.task.task}: there is no metric to compute; name some in the card or the recipe")
    rows = sorted(dataset.indices(split), key=dataset.id)
    if not rows:
        raise UsageError(f"data set {dataset.folder}: split {split!r} is empty")
    if samples is not None and samples < len(rows):
        rows = [rows[i * len(rows) // samples] for i in range(samples)]
    longest = run.data.max_frames if run.data else None
    collate = Collate(dataset, run.model.spec, tuple(run.model.card.slots), max_frames=longest)
    was_training = run.model.training
    run.model.eval()
    states: list[State | None] = [None] * len(judges)
    own = rows[rank::world]
    for start in range(0, len(own), batch_size):
        batch = collate(own[start : start + batch_size])
        motion = predict(run, batch, seed, sampling)
        for i, (metric, space) in enumerate(judges):
            state = metric.state(motion, batch, embed(space, motion, batch, metric.needs))
            states[i] = state if states[i] is None else states[i].merge(state)
    run.model.train(was_training)
    values: dict[str, float] = {}
    for state in _merge_processes(states, world):
        values |= state.compute()
    return {
        "task": run.task.task,
        "model": run.model.card.name,
        "split": split,
        "samples": len(rows),
        "seed": seed,
        "metrics": values,
    }


def predict(run: Run, batch: Batch, seed: int, sampling: Sampling | None = None) -> Motion:
    """What is judged: a generator's motion for the batch's conditions, or the real motion for a space."""
    if not isinstance(run.model.trainable, Generator):
        return batch.motion.to(run.model.device)
    return run.model.generate(batch.raw, batch.lengths, batch.ids, seed=seed, sampling=sampling)


def embed(space: Space | None, motion: Motion, batch: Batch, needs: str | None) -> Embeddings | None:
    """What ``space`` sees in a batch, as far as a metric that ``needs`` it reads it. Errors: UsageError."""
    if space is None or needs is None:
        return None
    if needs == "recogniser":
        if not hasattr(space, "classify"):
            raise UsageError(f"space {type(space).__name__}: does not classify; name a recogniser")
        return Embeddings(labels=space.classify(motion))
    seen = Embeddings(motion=space.embed(motion))
    if needs in ("truth", "text") and batch.motion is not None:
        seen.truth = space.embed(batch.motion.to(motion.x.device))
    return seen


def _space(metric: MetricRecipe, run: Run) -> Space | None:
    """The space a metric measures in: the checkpoint it names, or the model itself when that is a space."""
    needs = registry.get("metrics", metric.name).needs
    if metric.space is not None:
        return checkpoint.load(metric.space, device=str(run.model.device)).model.trainable
    if needs is None:
        return None
    if isinstance(run.model.trainable, Space):
        return run.model.trainable
    raise UsageError(f"metric {metric.name}: needs a {needs}; write space: NAME_OR_FOLDER beside it")


def _merge_processes(states: list[State | None], world: int) -> list[State]:
    """The states of all processes merged; a process without a sample has none."""
    gathered: list[list[State | None]] = [states]
    if world > 1:
        gathered = [[]] * world
        torch.distributed.all_gather_object(gathered, states)
    merged = []
    for column in zip(*gathered, strict=True):
        total = None
        for state in column:
            if state is not None:
                total = state if total is None else total.merge(state)
        merged.append(total)
    return merged
