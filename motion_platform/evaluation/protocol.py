"""The protocol: how often, with which seeds, and what a row of the table says in the end.

A model is measured ``repeats`` times (metrics that want several motions of a clip: ``several_repeats`` times), each
time with other noise and other pools and pairs; a row is the mean of these values and 1.96 s / sqrt(n), s their
standard deviation (Guo et al. 2022). What does not change from repeat to repeat is measured once: n is 1, without an
interval. Beside it stands the interval over recordings (evaluation/recordings.py), of the first repeat: how far the
number would be from itself on other clips.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion_platform.core.contracts import clip_of
from motion_platform.core.seeding import seed_of
from motion_platform.data.prepared import SAMPLES
from motion_platform.evaluation.judges import Judge, Judges
from motion_platform.evaluation.passes import Pass, measure
from motion_platform.evaluation.provenance import peak_memory
from motion_platform.evaluation.recordings import intervals
from motion_platform.evaluation.sources import Source
from motion_platform.evaluation.testset import TestSet
from motion_platform.metrics.base import RatioState
from motion_platform.metrics.sets import SetState

Say = Callable[[str], None]
PLAYED = ("beats", "bars")
"""Events that the page of an evaluation marks in the sound."""
ONE_MOTION = "it needs several motions for one clip, and here there is one"


@dataclass(frozen=True)
class Repeats:
    """seed: of the whole evaluation; the seed of repeat k is 1000 seed + k. shown: how many clips the report shows."""

    repeats: int = 20
    several_repeats: int = 5
    seed: int = 0
    shown: int = 0

    def seed_of(self, repeat: int) -> int:
        return 1000 * self.seed + repeat


@dataclass
class ResultRow:
    """One row of a table: ``facts`` are plain values for JSON, ``arrays`` what a comparison and the report need.

    arrays: ``ids``, ``recordings`` (n,); ``point/<value>`` (n, 2) sum and weight of every clip, over all repeats;
    ``space/<space>/<motion|truth|text>`` (n, E) of the first repeat; ``captions`` (n,); ``shown/<clip>`` (T, J, 3);
    of real motion also ``sound/<clip>`` (n,) int16, at the samples a second of ``facts["sound"]``.
    """

    facts: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def row(
    source: Source,
    judges: Judges,
    plan: Repeats,
    *,
    rank: int = 0,
    world: int = 1,
    say: Say | None = None,
) -> ResultRow:
    """Measure one source by the whole protocol; the same row on every process. Errors: those of ``measure``."""
    say = say or (lambda _: None)
    began, test = time.perf_counter(), judges.test
    source.prepare(test, rank, world)
    values: dict[str, list[float]] = {}
    who: dict[str, tuple[Judge, str]] = {}
    refused: dict[str, str] = dict(judges.refused)
    points: dict[str, dict[str, np.ndarray]] = {}
    arrays: dict[str, np.ndarray] = {}
    seconds, made = 0.0, 0
    shown = shown_rows(test.rows, plan.shown)
    said: dict[str, str] = {}
    over_recordings: dict[str, float] = {}

    def take(found: Pass, chosen: Sequence[Judge]) -> None:
        nonlocal seconds, made
        for judge, named in found.compute(chosen).values():
            for name, value in named.items():
                values.setdefault(judge.value_name(name), []).append(value)
                who[judge.value_name(name)] = judge, name
        refused.update(found.refused)
        for clip, caption in found.said.items():
            said.setdefault(clip, caption)
        seconds, made = seconds + found.seconds, made + found.made

    groups: dict[tuple[int, int | None], list[Judge]] = {}
    for judge in judges.all:
        groups.setdefault(judge.group, []).append(judge)
    for (generations, clips), members in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        if generations > 1 and not source.varied:
            refused.update(dict.fromkeys((judge.label for judge in members), ONE_MOTION))
            continue
        repeats = plan.repeats if generations == 1 else plan.several_repeats
        for k in range(repeats):
            seed = plan.seed_of(k)
            changes = {j.label for j in members if j.seeded or (j.needs == "text" and test.captions == "random")}
            chosen = [
                j for j in members if j.label not in refused and (k == 0 or j.label in changes or not source.fixed)
            ]
            if not chosen:
                break
            start = time.perf_counter()
            several = generations > 1 or clips is not None
            batches = test.several(clips, generations, seed_of(seed, "clips")) if several else None
            first = shown if k == 0 and not several else frozenset()
            found = measure(source, judges, chosen, seed, batches=batches, shown=first, rank=rank, world=world)
            take(found, chosen)
            if k == 0:
                over_recordings |= _over_recordings(found, chosen, test.recordings)
            if not several:
                keep(found, chosen, points, arrays, first=k == 0)
            what = "" if generations == 1 else f", {generations} motions a clip"
            say(f"{source.name}: repeat {k + 1} of {repeats}{what}, {time.perf_counter() - start:.1f} s")
    for name, rows in points.items():
        arrays[f"point/{name}"] = np.array([rows.get(sample, (0.0, 0.0)) for sample in test.ids])
    arrays["ids"] = np.array(test.ids)
    arrays["recordings"] = np.array([test.recordings[clip] for clip in test.ids])
    facts = {
        "name": source.name,
        "kind": source.kind,
        "source": source.identity(),
        "split": test.split,
        "samples": len(test.rows),
        "seed": plan.seed,
        "repeats": plan.repeats,
        "seeds": [plan.seed_of(k) for k in range(plan.repeats)],
        "metrics": {name: summary(of, *who[name], over_recordings.get(name)) for name, of in values.items()},
        "refused": refused,
        "processes": world,
        "wall_seconds": round(time.perf_counter() - began, 2),
        "seconds_per_motion": round(seconds / made, 6) if made else None,
        "motions_made": made,
        "peak_memory_mb": peak_memory(world),
        "body": {"skeleton": test.spec.skeleton, "fps": test.spec.fps},
        "shown": {test.dataset.id(r): next(iter(test.dataset.captions(r)[0]), "") for r in sorted(shown)},
    }
    if said:
        facts["said"] = said
    if source.kind == "truth":
        facts |= _sounds(test, shown, arrays)
    return ResultRow(facts, arrays)


def _sounds(test: TestSet, shown: frozenset[int], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the shown clips sound like, where the data set holds that: arrays, and the facts that belong to them."""
    heard: dict[str, dict[str, Any]] = {}
    for row in sorted(shown) if SAMPLES in test.dataset.streams else ():
        audio, clip = test.dataset.audio(row, 0, test.frames(row)), test.dataset.id(row)
        if audio.samples is not None:
            arrays[f"sound/{clip}"] = np.round(np.clip(audio.samples, -1, 1) * 32767).astype(np.int16)
            events = test.dataset.events(row, 0, test.frames(row))
            heard[clip] = {"rate": audio.rate, **{name: events[name].tolist() for name in PLAYED if name in events}}
    return {"sound": heard} if heard else {}


def not_measured(name: str, why: str) -> ResultRow:
    """The row of one that gives no number at all."""
    return ResultRow({"name": name, "kind": "model", "metrics": {}, "refused": {"": why}})


def _over_recordings(found: Pass, judges: Sequence[Judge], recordings: dict[str, str]) -> dict[str, float]:
    """Value name -> its interval over recordings, of the judges that gave a value."""
    return {
        judge.value_name(name): interval
        for judge in judges
        if judge.label in found.states and judge.label not in found.refused
        for name, interval in intervals(found.states[judge.label], recordings).items()
    }


def summary(values: Sequence[float], judge: Judge, name: str, over_recordings: float | None = None) -> dict[str, Any]:
    """What is said of one value: mean, 95 % intervals over repeats and recordings, n, all of them, what they are."""
    unit, higher = judge.metric.about(name)
    mean, interval = mean_and_interval(values)
    return {
        "mean": mean,
        "interval": interval,
        "interval_over_recordings": over_recordings,
        "n": len(values),
        "values": list(values),
        "unit": unit,
        "higher_is_better": higher,
        "metric": judge.recipe.name,
        "settings": judge.recipe.settings,
        "space": judge.space,
        "value": name,
    }


def mean_and_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and 1.96 s / sqrt(n) with s^2 over n - 1; None for a single value, which says nothing about spread."""
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return mean, None
    if max(values) == min(values):  # without the last bit of a sum over n
        return values[0], 0.0
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return mean, 1.96 * math.sqrt(variance / n)


def shown_rows(rows: Sequence[int], count: int) -> frozenset[int]:
    """``count`` rows spread evenly over the sorted ids: the same for every row of the table."""
    count = min(count, len(rows))
    return frozenset(rows[(2 * i + 1) * len(rows) // (2 * count)] for i in range(count))


def keep(
    found: Pass,
    judges: Sequence[Judge],
    points: dict[str, dict[str, np.ndarray]],
    arrays: dict[str, np.ndarray],
    *,
    first: bool,
) -> None:
    """Gather what a comparison of two rows needs: sums of every clip, and the first repeat's embeddings."""
    for judge in judges:
        state = found.states.get(judge.label)
        if isinstance(state, RatioState):
            for sample, named in state.rows.items():
                for name, pair in named.items():
                    table = points.setdefault(judge.value_name(name), {})
                    table[clip_of(sample)] = table.get(clip_of(sample), np.zeros(2)) + pair
        elif isinstance(state, SetState) and first:
            rows = state.rows()
            for part in ("motion", "truth", "text"):
                if getattr(rows, part) is not None:
                    arrays[f"space/{judge.space}/{part}"] = getattr(rows, part).astype(np.float32)
            if rows.captions is not None:
                arrays["captions"] = np.array(rows.captions)
    if first:
        arrays.update({f"shown/{clip}": joints for clip, joints in found.shown.items()})
