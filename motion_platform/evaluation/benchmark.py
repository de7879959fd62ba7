"""Many models, tasks and seeds, by one protocol: what ``motion evaluate`` and ``motion benchmark`` do.

A cell is one source on one task with one seed. Every cell is kept in its own file as soon as it is measured, under
everything that decides its numbers; a benchmark that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from motion_platform import __version__
from motion_platform.core import cards, config, registry, tasks, weight_files
from motion_platform.core.config import Component, DataRecipe, MetricRecipe, Strict
from motion_platform.core.contracts import Space
from motion_platform.core.errors import (
    ConfigError,
    DataError,
    MotionPlatformError,
    OutputError,
    UnknownName,
    UsageError,
)
from motion_platform.core.schema import Sampling
from motion_platform.core.tasks import Task
from motion_platform.data.encoded import encoded_as, retargets
from motion_platform.evaluation import processes, protocol, provenance, results
from motion_platform.evaluation.bounds.motion import (
    BOUNDS,
    RealMotion,
    ShuffledCaptions,
    bounds_for,
    make_bound,
    truth_for,
)
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.low_text import low_text_of
from motion_platform.evaluation.outside import OutsideMotions
from motion_platform.evaluation.protocol import Repeats, ResultRow, Say
from motion_platform.evaluation.sources import Source, source_for
from motion_platform.evaluation.testset import TestSet, slots_of_task
from motion_platform.model.run import Run, load_run, open_data, spec_of, why_not


class Entry(Strict):
    """A row of the table: a ``model`` (name or folder), or a ``folder`` of motions from elsewhere.

    sampler, steps, guidance: how it samples (default: as the model says); guidance: one number for all conditions, or
    one a slot. slots: the conditions that are given (default: all that the model has and the task reads).
    lengths: of what it makes, natural or true (default: as the task's protocol says). planner: makes the low-level
    text of the caption, not the data. joined: caption and low-level text are one. shuffled: slots with another clip's.
    """

    name: str | None = None
    model: str | None = None
    folder: str | None = None
    sampler: str | None = None
    steps: int | None = Field(default=None, ge=1)
    guidance: float | dict[str, float] | None = None
    slots: list[str] | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    lengths: Literal["natural", "true"] | None = None
    planner: Component | None = None
    joined: bool = False
    shuffled: list[str] = []

    @property
    def called(self) -> str:
        """Its name in the table."""
        return self.name or Path(self.model or self.folder or "").name


class Benchmark(Strict):
    """``configs/benchmarks/*.yaml``. What is left out is as the task card says; ``data``: another prepared set.

    bounds: which ones (default: all that say something about the task). shown: how many clips the report plays.
    captions: which of a clip's captions stands for it.
    """

    title: str = ""
    tasks: list[str] = Field(min_length=1)
    entries: list[Entry]
    seeds: list[int] = Field(default=[0], min_length=1)
    data: str | None = None
    folder: str | None = None
    split: str | None = None
    samples: int | None = Field(default=None, ge=1)
    captions: Literal["first", "random"] | None = None
    repeats: int | None = Field(default=None, ge=1, le=1000)
    several_repeats: int | None = Field(default=None, ge=1, le=1000)
    metrics: list[MetricRecipe] | None = None
    bounds: list[str] | None = None
    shown: int = Field(default=6, ge=0)
    batch_size: int = Field(default=64, ge=1)


@dataclass(frozen=True)
class Job:
    """A benchmark and how it is run. out: folder of the cells (None: nothing is kept). cards: by name, task cards
    that a model carries and no file of this machine holds."""

    benchmark: Benchmark
    out: Path | None = None
    device: str = "cpu"
    cache: Path | None = None
    quiet: bool = False
    cards: Mapping[str, Task] = field(default_factory=dict)

    def task(self, name: str) -> Task:
        """A task of the benchmark. Errors: UnknownName, ConfigError."""
        return self.cards[name] if name in self.cards else tasks.load(name)


@dataclass
class Cell:
    """A measured row, its task, and the file that keeps it."""

    task: str
    row: ResultRow


def read(name: str) -> Benchmark:
    """A benchmark by name or path, checked. Errors: ConfigError, UnknownName."""
    path = cards.find("benchmarks", name)
    return check(config.check(Benchmark, config.read_yaml(path), path), str(path))


def check(benchmark: Benchmark, where: str, known: Mapping[str, Task] = {}) -> Benchmark:
    """Everything that can be known to be wrong before any work is done. Errors: ConfigError, UnknownName."""
    names = [entry.called for entry in benchmark.entries]
    for i, entry in enumerate(benchmark.entries):
        place = f"{where}: entries.{i}"
        if (entry.model is None) == (entry.folder is None):
            raise ConfigError(f"{place}: write either model or folder")
        keys = ("sampler", "steps", "guidance", "slots", "planner", "shuffled")
        given = [key for key in keys if getattr(entry, key) not in (None, [])]
        if entry.planner is not None and entry.planner.name not in registry.table("planners"):
            raise UnknownName("planner", entry.planner.name, registry.table("planners"), f"{place}.planner.name")
        if entry.folder is not None and given:
            raise ConfigError(f"{place}: {given[0]} is for a model; these motions are made already")
        if names.count(entry.called) > 1:
            raise ConfigError(f"{place}: two entries are called {entry.called!r}; give them names")
        if entry.called in {"real motion", "real captions", "real lengths", *(bound.name for bound in BOUNDS.values())}:
            raise ConfigError(f"{place}: {entry.called!r} is the name of another row; give it a name")
    for task in benchmark.tasks:
        if task not in known:
            tasks.load(task)
    for bound in benchmark.bounds or ():
        if bound not in BOUNDS:
            raise UnknownName("bound", bound, BOUNDS, f"{where}: bounds")
    for i, metric in enumerate(benchmark.metrics or ()):
        if metric.name not in registry.table("metrics"):
            raise UnknownName("metric", metric.name, registry.table("metrics"), f"{where}: metrics.{i}.name")
    return benchmark


def run(job: Job, count: int = 1) -> list[Cell]:
    """Measure every cell that is not kept already, with ``count`` processes; all cells, real motion and bounds first.

    Errors: one line, of whatever is wrong with the request, the data or a model; cells measured so far are kept.
    """
    check(job.benchmark, "benchmark", job.cards)
    if job.out is not None:
        (job.out / "cells").mkdir(parents=True, exist_ok=True)
    return processes.launch(work, (job,), count)


def work(job: Job, rank: int, world: int) -> list[Cell]:
    """The whole benchmark, on every process. What cannot be measured is a row that says why, and the rest goes on.

    Errors: the first of them where nothing that was asked for could be measured.
    """
    device = f"cuda:{rank % torch.cuda.device_count()}" if job.device == "cuda" else job.device
    say = _say if rank == 0 and not job.quiet else (lambda _: None)
    cells: list[Cell] = []
    failed: list[MotionPlatformError] = []
    for name in job.benchmark.tasks:
        task = job.task(name)
        found = Column()
        try:
            measure_task(job, task, found, device, rank, world, say)
        except MotionPlatformError as error:  # no data, no metric that fits: of no row can anything be said
            say(f"{task.task}: not measured: {error}")
            found = Column({entry.called: error for entry in job.benchmark.entries})
        rows = [protocol.not_measured(who, str(why)) for who, why in found.why.items()]
        cells += [*found.cells, *(Cell(task.task, row) for row in rows)]
        failed += [found.why[entry.called] for entry in job.benchmark.entries if entry.called in found.why]
    if len(failed) == len(job.benchmark.tasks) * len(job.benchmark.entries) and failed:
        raise failed[0]
    return cells


@dataclass
class Column:
    """What one task gave. why: row -> why there is none."""

    why: dict[str, MotionPlatformError] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)


def measure_task(job: Job, task: Task, found: Column, device: str, rank: int, world: int, say: Say) -> None:
    """All rows of a task, into ``found``. Errors: those of the data and of the metrics, which are those of all rows."""
    test = test_set(job.benchmark, task)
    loader = RunLoader(job, task, device)
    for source, judges, about in plan_rows(job, task, test, loader, say, found.why):
        for seed in job.benchmark.seeds:
            plan = Repeats(
                job.benchmark.repeats or task.protocol.repeats,
                job.benchmark.several_repeats or task.protocol.several_repeats,
                seed,
                job.benchmark.shown,
            )
            try:
                kept = processes.share(lambda: find(job, task, source, judges, plan, say), rank, world)  # noqa: B023
                if kept is None:
                    kept = protocol.row(source, judges, plan, rank=rank, world=world, say=say)
                    kept.facts |= about | facts_of(task, judges, device)
                    if rank == 0 and job.out is not None:
                        path = cell_path(job, task, source, plan)
                        results.save(path, [kept], {"task": task.task, "key": cell_key(task, source, judges, plan)})
            except OutputError:  # a full disk is nobody's row
                raise
            except MotionPlatformError as error:
                say(f"{source.name}: not measured: {error}")
                found.why[source.name] = error
                break
            found.cells.append(Cell(task.task, kept))


def test_set(benchmark: Benchmark, task: Task) -> TestSet:
    """The clips that a task is measured on, in the representation of the models where all have the same and the motion
    can be given in it. Errors: those of opening the data."""
    data = open_data(DataRecipe(name=benchmark.data or task.data, folder=benchmark.folder))
    models = [entry.model for entry in benchmark.entries if entry.model]
    specs = [spec for spec in map(spec_of, models) if spec]  # one that is not here is left out when its turn comes
    body, names = {"skeleton": data.meta["skeleton"], "fps": data.fps}, {spec["representation"] for spec in specs}
    if len(names) == 1 and (body.items() <= specs[0].items() or retargets(data.representation, *names)):
        data = encoded_as(data, names.pop())
    return TestSet(
        data,
        benchmark.split or task.protocol.split,
        benchmark.samples or task.protocol.samples,
        benchmark.batch_size,
        task.protocol.max_frames,
        task.keep,
        slots_of_task(task),
        benchmark.captions or "first",
    )


class RunLoader:
    """The models of a benchmark, one in memory at a time: a sweep over settings loads its model once."""

    def __init__(self, job: Job, task: Task, device: str) -> None:
        self.job, self.task, self.device = job, task, device
        self._name: str | None = None

    def load(self, name: str, test: TestSet) -> Run:
        """Errors: those of loading it; UsageError for one that cannot do the task, or has another body."""
        if name != self._name:
            self._run, self._name = load_run(name, device=self.device), name
        run, task = self._run, self.task
        if run.task.task != task.task and (why := why_not(run.model, task)) is not None:
            raise UsageError(why)
        if run.model.spec.skeleton != test.spec.skeleton and getattr(run.model.trainable, "sees_motion", True):
            raise UsageError(
                f"{run.model.card.name} knows motion of skeleton {run.model.spec.skeleton}, and {test.dataset.folder} "
                f"holds {test.spec.skeleton}"
            )
        return run


def plan_rows(
    job: Job, task: Task, test: TestSet, loader: RunLoader, say: Say, left_out: dict[str, MotionPlatformError]
) -> Iterator[tuple[Source, Judges, dict[str, Any]]]:
    """(who makes the motions, who judges them, what else to say), in the order of the table. left_out: gets the entries
    that are not here or cannot do the task, and why."""
    benchmark = job.benchmark
    metrics = benchmark.metrics or task.metrics
    if not metrics:
        raise UsageError(f"task {task.task}: there is no metric to compute; name some in the card or with --metrics")
    bounds = bounds_for(task, benchmark.bounds)
    shared: Judges | None = None
    for entry in benchmark.entries:
        try:
            run = loader.load(entry.model, test) if entry.model else None
        except MotionPlatformError as error:
            say(f"{entry.called}: left out of {task.task}: {error}")
            left_out[entry.called] = error
            continue
        about = provenance.model_hashes(run.model, weight_files.find_checkpoint(entry.model)) if run else {}
        if run is not None and isinstance(run.model.trainable, Space) and task.writes != "captions":
            judges = Judges(metrics, test, own=run.model, device=loader.device, lenient=True)
            for source in [RealMotion(), *([ShuffledCaptions()] if "shuffled_captions" in bounds else [])]:
                source.name = entry.called if source.kind == "truth" else f"{entry.called}: {source.name}"
                yield source, judges, about
            continue
        if shared is None:
            shared = Judges(metrics, test, device=loader.device, writes=task.writes, lenient=True)
            for source in [truth_for(task), *map(make_bound, bounds)]:
                yield source, shared, {}
        if run is None:
            if task.writes != "motion":
                raise UsageError(f"{entry.called}: is a folder of motions, and task {task.task} writes {task.writes}")
            yield OutsideMotions(Path(entry.folder).expanduser(), name=entry.called), shared, {}
            continue
        yield (
            source_for(
                run.model,
                task,
                name=entry.called,
                sampling=sampling_of(entry, run),
                given=entry.slots,
                precision=entry.precision,
                cache=job.cache,
                lengths=entry.lengths,
                low_text=low_text_of(task, entry.planner, entry.joined, entry.called),
                shuffled=entry.shuffled,
            ),
            shared,
            about,
        )


def sampling_of(entry: Entry, run: Run) -> Sampling:
    """The entry's settings; one guidance weight is for every slot of the model."""
    guidance = entry.guidance
    if guidance is None:
        weights: dict[str, float] = {}
    elif isinstance(guidance, dict):
        weights = dict(guidance)
    else:
        weights = dict.fromkeys(run.model.guided, float(guidance))
    return Sampling(guidance=weights, sampler=entry.sampler, steps=entry.steps)


def facts_of(task: Task, judges: Judges, device: str) -> dict[str, Any]:
    """Where the numbers of a row come from."""
    return {
        "task": task.task,
        "task_card": provenance.task_hash(task),
        "data": {"name": judges.test.dataset.name, "sha256": judges.test.fingerprint},
        "spaces": provenance.spaces(judges),
        "versions": provenance.versions(),
        "hardware": provenance.hardware(device),
    }


def cell_key(task: Task, source: Source, judges: Judges, plan: Repeats) -> str:
    """A hash of everything that decides the numbers of a cell."""
    return provenance.digest(
        {
            "library": __version__,
            "task": provenance.task_hash(task),
            "data": judges.test.fingerprint,
            "metrics": [judge.recipe.model_dump() for judge in judges.all],
            "spaces": provenance.spaces(judges),
            "source": source.identity(),
            "plan": vars(plan),
        }
    )


def cell_path(job: Job, task: Task, source: Source, plan: Repeats) -> Path:
    """The file of a cell."""
    return job.out / "cells" / f"{slug(source.name)}__{task.task}__seed{plan.seed}.json"


def find(job: Job, task: Task, source: Source, judges: Judges, plan: Repeats, say: Say) -> ResultRow | None:
    """The kept cell, or None when there is none, when it is not whole, or when it was measured under other settings."""
    if job.out is None or not results.is_there(path := cell_path(job, task, source, plan)):
        return None
    try:
        header, (row,) = results.load(path)
    except (DataError, ValueError) as error:
        say(f"{source.name}: measured again: {error}")
        return None
    if header.get("key") != cell_key(task, source, judges, plan):
        say(f"{source.name}: measured again: settings, weights or data are not those of {path}")
        return None
    say(f"{source.name}: kept from {path}")
    return row


def slug(name: str) -> str:
    """A name that can be a file name; different names stay different."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "row"
    return plain if plain == name.replace(" ", "_") else f"{plain}-{provenance.digest(name)[:6]}"


def _say(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)
