"""Many tasks and models in one table: models downwards, the headline numbers of the tasks across.

A suite is a list of tasks, each with its data and its headline values, and a list of models. Every task is a benchmark
(benchmark.py) of the models that can do it; what cannot be measured, a model that is not here, data that is not
prepared, a number that a metric refuses, stands in the table as a mark with its reason below, and the rest goes on.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field

from motion_platform.core import cards, config, tasks
from motion_platform.core.config import MetricRecipe, Strict
from motion_platform.core.errors import ConfigError, MotionPlatformError, suggest
from motion_platform.core.files import atomic_path
from motion_platform.core.tasks import Task
from motion_platform.evaluation import benchmark, provenance
from motion_platform.evaluation.benchmark import Benchmark, Cell, Entry, Job
from motion_platform.evaluation.protocol import Say
from motion_platform.evaluation.report import arrow, lines_of, number
from motion_platform.model.run import load_run, why_not

FORMAT = 1
UNABLE = "n/a"
SIGNS = (
    "Mean \u00b1 95 % interval over recordings. \u2191 higher is better, \u2193 lower, \u2192 nearer to real. "
    "n/a: the model is made for something else (suite.json says why)."
)


class SuiteTask(Strict):
    """One task of a suite. headline: the values that stand in the table. What is left out is as the card says; data,
    folder: another prepared set; models: only those of the suite (default: all that can)."""

    task: str
    headline: list[str] = Field(min_length=1)
    data: str | None = None
    folder: str | None = None
    split: str | None = None
    samples: int | None = Field(default=None, ge=1)
    repeats: int | None = Field(default=None, ge=1, le=1000)
    metrics: list[MetricRecipe] | None = None
    bounds: list[str] | None = None
    models: list[str] | None = None


class Suite(Strict):
    """``configs/suites/*.yaml``. models: names or folders of checkpoints."""

    title: str = ""
    models: list[str] = Field(min_length=1)
    tasks: list[SuiteTask] = Field(min_length=1)
    seeds: list[int] = Field(default=[0], min_length=1)


@dataclass
class Column:
    """A task as it was measured. why: row -> why it has no number at all; "" for the whole column. unable: model ->
    why it is not made for the task."""

    task: SuiteTask
    cells: list[Cell] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    unable: dict[str, str] = field(default_factory=dict)


def read(name: str) -> Suite:
    """A suite by name or path, checked as far as it can be before any work. Errors: ConfigError, UnknownName."""
    path = cards.find("suites", name)
    return check(config.check(Suite, config.read_yaml(path), path), str(path))


def check(suite: Suite, where: str) -> Suite:
    """Tasks are there and named once; models that a task names are of the suite. Errors: ConfigError, UnknownName."""
    for i, each in enumerate(suite.tasks):
        tasks.load(each.task)
        if [other.task for other in suite.tasks].count(each.task) > 1:
            raise ConfigError(f"{where}: tasks.{i}: {each.task} is there twice")
        for name in each.models or ():
            if name not in suite.models:
                raise ConfigError(f"{where}: tasks.{i}.models: {suggest(name, suite.models)}")
    return suite


def run(suite: Suite, out: Path, *, count: int = 1, device: str = "cpu", cache: Path | None = None, say: Say) -> list:
    """Measure every task of a suite; a column each. Cells are kept in ``out``, as those of a benchmark are."""
    able, missing = who_can(suite, say)
    columns = []
    for each in suite.tasks:
        task, column = tasks.load(each.task), Column(each, why=dict(missing))
        names = [name for name in suite.models if each.models is None or name in each.models]
        column.unable = {name: why for name, reasons in able.items() if (why := reasons[each.task]) is not None}
        column.why |= {name: "not asked for this task" for name in suite.models if name not in names}
        entries = [Entry(model=name) for name in names if name not in column.why | column.unable]
        columns.append(column)
        if not entries:
            continue
        described = benchmark_of(each, task, entries, suite.seeds)
        try:
            column.cells = benchmark.run(Job(described, out / each.task, device, cache), count)
        except MotionPlatformError as error:  # data that is not there, a metric that nobody can compute: named
            column.why[""] = str(error)
            say(f"{each.task}: not measured: {error}")
    return columns


def benchmark_of(each: SuiteTask, task: Task, entries: Sequence[Entry], seeds: Sequence[int]) -> Benchmark:
    """The benchmark of one task: of its card's metrics those that give a headline, unless the suite names others."""
    metrics = each.metrics
    if metrics is None:
        metrics = [m for m in task.metrics if any(value.startswith(m.name) for value in each.headline)] or None
    return Benchmark(
        tasks=[each.task],
        entries=list(entries),
        seeds=list(seeds),
        data=each.data,
        folder=each.folder,
        split=each.split,
        samples=each.samples,
        repeats=each.repeats,
        several_repeats=None if each.repeats is None else min(each.repeats, task.protocol.several_repeats),
        metrics=metrics,
        bounds=each.bounds,
        shown=0,
    )


def who_can(suite: Suite, say: Say) -> tuple[dict[str, dict[str, str | None]], dict[str, str]]:
    """(model -> task -> why it cannot, None where it can; model -> why it is not here). Every model is loaded once."""
    able: dict[str, dict[str, str | None]] = {}
    missing: dict[str, str] = {}
    for name in suite.models:
        try:
            loaded = load_run(name)
        except MotionPlatformError as error:
            missing[name] = str(error)
            say(f"{name}: left out: {error}")
            continue
        own = loaded.task.task
        able[name] = {
            each.task: None if each.task == own else why_not(loaded.model, tasks.load(each.task))
            for each in suite.tasks
        }
    return able, missing


# ---------------------------------------------------------------------------------------------------------- the table


@dataclass
class Table:
    """header: a line of tasks and one of values. rows: name and cells. notes: why a cell is empty, by its number."""

    header: list[tuple[str, str]]
    rows: list[tuple[str, list[str]]]
    notes: list[str]


def table_of(suite: Suite, columns: Sequence[Column]) -> Table:
    """Real motion and bounds first, then the models in the order of the suite."""
    header: list[tuple[str, str]] = []
    shown: dict[str, list[str]] = {}
    notes: dict[str, int] = {}
    lines = [{line.name: line for line in lines_of([cell.row for cell in column.cells])} for column in columns]
    measured = [name for found in lines for name in found if name not in suite.models]
    names = list(dict.fromkeys([*measured, *suite.models]))

    def mark(why: str) -> str:
        return f"\u2014 [{notes.setdefault(' '.join(why.split()), len(notes) + 1)}]"

    for column, found in zip(columns, lines, strict=True):
        summaries = {v: s for line in found.values() for row in line.rows for v, s in row.facts["metrics"].items()}
        for value in column.task.headline:
            header.append((column.task.task, f"{value} {arrow(summaries[value])}" if value in summaries else value))
            for name in names:
                cells = shown.setdefault(name, [])
                line = found.get(name)
                if line is not None and value in line.values:
                    cells.append(number(*line.values[value][:2]))
                elif name in column.unable and name not in column.why:
                    cells.append(UNABLE)
                elif name in suite.models:
                    cells.append(mark(column.why.get(name) or column.why.get("") or _refused(line, value)))
                else:
                    cells.append("")
    return Table(header, [(name, shown[name]) for name in names if any(shown[name])], list(notes))


def _refused(line: Any, value: str) -> str:
    """Why a measured row lacks a value."""
    refused: Mapping[str, str] = line.rows[0].facts["refused"] if line is not None else {}
    near = [why for label, why in refused.items() if value.startswith(label.split("@")[0])]
    return near[0] if near else f"{value}: no metric of this task gives it"


def markdown(suite: Suite, columns: Sequence[Column]) -> str:
    """One table, the reasons of its gaps below."""
    table = table_of(suite, columns)
    parts = [f"# {suite.title}\n"] if suite.title else []
    parts.append("| | " + " | ".join(f"{task}: {value}" for task, value in table.header) + " |")
    parts.append("|---|" + "---:|" * len(table.header))
    parts += [f"| {name.replace('|', '/')} | " + " | ".join(cells) + " |" for name, cells in table.rows]
    parts += ["", SIGNS]
    parts += ["", *(f"- [{k}] {why}" for k, why in enumerate(table.notes, 1))]
    return "\n".join(parts).rstrip() + "\n"


def page(suite: Suite, columns: Sequence[Column]) -> str:
    """The same as one HTML page, which asks the network for nothing."""
    table = table_of(suite, columns)
    style = (resources.files("motion_platform.evaluation") / "report.css").read_text(encoding="utf-8")
    spans: dict[str, int] = {}
    for task, _ in table.header:
        spans[task] = spans.get(task, 0) + 1
    head = "".join(f'<th colspan="{n}">{html.escape(task)}</th>' for task, n in spans.items())
    values = "".join(f"<th>{html.escape(value)}</th>" for _, value in table.header)
    rows = "\n".join(
        f"<tr><th>{html.escape(name)}</th>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
        for name, cells in table.rows
    )
    notes = "\n".join(f"<li>{html.escape(why)}</li>" for why in table.notes)
    title = html.escape(suite.title or "Suite")
    legend = html.escape(SIGNS)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head>"
        f"<body><h1>{title}</h1><table><thead><tr><th></th>{head}</tr><tr><th></th>{values}</tr></thead>"
        f"<tbody>{rows}</tbody></table><p>{legend}</p><ol>{notes}</ol></body></html>\n"
    )


def as_json(suite: Suite, columns: Sequence[Column]) -> str:
    """All numbers, where they come from, why the others are missing, and the sha256 of it all."""
    found = {
        column.task.task: {
            "headline": column.task.headline,
            "not_measured": column.unable | column.why,
            "rows": [{k: v for k, v in cell.row.facts.items() if k != "shown"} for cell in column.cells],
        }
        for column in columns
    }
    whole = {"format": FORMAT, "suite": suite.model_dump(), "versions": provenance.versions(), "tasks": found}
    whole = json.loads(json.dumps(whole, allow_nan=False))
    return json.dumps({**whole, "sha256": provenance.digest(whole)}, indent=1) + "\n"


def write(suite: Suite, columns: Sequence[Column], out: Path) -> list[Path]:
    """``suite.md``, ``suite.html``, ``suite.json`` in ``out``. Errors: OutputError."""
    makers = {"suite.md": markdown, "suite.html": page, "suite.json": as_json}
    texts = {name: maker(suite, columns) for name, maker in makers.items()}
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [out / name for name in texts]
