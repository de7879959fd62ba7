"""What do LoRA's rank and targets buy, and does learning the tasks together beat learning one? One command, one table.

    MOTION_DATA=FOLDER python -m benchmarks.lora_study --out runs/lora_study

Every run of ``lora_study.yaml`` (``--study`` for another file) is trained from its recipe, then measured on its tasks
by the protocol of ``motion benchmark``. Finished runs and numbers are kept in ``--out``: started again, it goes on
where it stopped. The table (``table.md``, ``study.json``) holds, for every run, what is trained in millions of
parameters, the MB of the checkpoint, the seconds of training (of the last start, where it was interrupted), and the
numbers: those of the study's metrics, and the loss on exercises of each task made of the test split, which tells
short runs apart where what they generate does not. ``--only`` names runs; ``--steps`` and ``--samples`` shorten all.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from benchmarks.common import environment, write_json
from motion_platform.cli.evaluate import recipes_of
from motion_platform.core import config, tasks
from motion_platform.core.config import Strict
from motion_platform.core.errors import MotionPlatformError, UsageError, suggest
from motion_platform.core.seeding import seed_everything
from motion_platform.data.loader import make_loader
from motion_platform.evaluation import benchmark, report
from motion_platform.evaluation.benchmark import Benchmark, Entry, Job
from motion_platform.model.motion_model import WEIGHTS, MotionModel, read_card
from motion_platform.model.run import open_data
from motion_platform.training import build, train

DONE = "study.json"
"""Beside a trained model: how long it took. A run without it was interrupted and is trained on."""


class StudyRun(Strict):
    """One row: overrides of the recipe, a mixture of its own (None: the study's), and the tasks it is measured on."""

    name: str
    overrides: list[str] = Field(default_factory=list)
    mixture: dict[str, float] | None = None
    tasks: list[str] | None = None


class Study(Strict):
    """``lora_study.yaml``. metrics: task -> names as in ``motion evaluate --metrics``. mixture: of every run that has
    none of its own (None: the recipe's)."""

    recipe: str
    overrides: list[str] = Field(default_factory=list)
    mixture: dict[str, float] | None = None
    tasks: list[str] = Field(min_length=1)
    metrics: dict[str, list[str]]
    samples: int | None = Field(default=None, ge=1)
    repeats: int = Field(default=1, ge=1)
    runs: list[StudyRun] = Field(min_length=1)


def read(path: Path) -> Study:
    """A study, checked as far as that is possible without work. Errors: ConfigError, UnknownName, UsageError."""
    study = config.check(Study, config.read_yaml(path), path)
    names = [run.name for run in study.runs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{path}: runs: {name!r} is there twice")
    for task in {*study.tasks, *(task for run in study.runs for task in run.tasks or [])}:
        tasks.load(task)
        if task not in study.metrics:
            raise UsageError(f"{path}: metrics: task {task} has none; {suggest(task, study.metrics)}")
        recipes_of(study.metrics[task])
    return study


def recipe_of(study: Study, run: StudyRun, folder: Path, more: Sequence[str] = ()) -> config.Recipe:
    """The recipe of a run, checked. Errors: ConfigError, UnknownName."""
    overrides = [*study.overrides, *run.overrides, *more, f"output={folder}"]
    recipe, _ = build.load_recipe(study.recipe, overrides)
    mixture = study.mixture if run.mixture is None else run.mixture
    if mixture is not None:  # an override would be merged into the recipe's own table
        settings = {**recipe.model.settings, "mixture": mixture}
        recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"settings": settings})})
    return recipe


def trained(recipe: config.Recipe, name: str, folder: Path) -> float:
    """Seconds of training; the model lies in ``folder``. A finished run is taken as it is, a begun one goes on."""
    told = folder / DONE
    wanted = recipe.model_dump(exclude={"output"})
    if told.is_file():
        found = json.loads(told.read_text())
        if found["recipe"] == wanted:
            return found["seconds"]
        raise UsageError(f"{folder}: was trained by another recipe; give another --out, or delete the folder")
    began = time.perf_counter()
    train.run(recipe, name, resume=(folder / "resume").is_dir(), again="the study again")
    seconds = time.perf_counter() - began
    write_json(told, {"recipe": wanted, "seconds": seconds})
    return seconds


@torch.no_grad()
def held_out_loss(recipe: config.Recipe, folder: Path, task: str) -> dict[str, Any]:
    """Summary of the mean cross-entropy of a token of the answers, in nats, on one exercise of ``task`` a test clip.

    Every model with the same tokenizer gets the same exercises, so that a difference is the models' and not the draw's.
    """
    model = MotionModel.from_pretrained(folder)
    model.trainable.mixture, model.trainable.tasks_a_clip = {task: 1.0}, 1
    loader = make_loader(
        open_data(recipe.data),
        "test",
        model.spec,
        tuple(recipe.slots),
        batch_size=recipe.train.batch_size,
        max_frames=recipe.data.max_frames,
        train=False,
        mirror=False,
    )
    seed_everything(0)
    losses = torch.stack([model(loader.batch(k))["loss"].double().cpu() for k in range(len(loader))])
    facts = {"unit": "nats", "higher_is_better": False, "metric": "loss"}
    return {"mean": float(losses.mean()), "interval": None, **facts}


def measured(study: Study, run: StudyRun, recipe: config.Recipe, out: Path) -> dict[str, dict[str, Any]]:
    """``task value`` -> its summary, of every task of a run, on the data of its recipe."""
    found = {}
    for task in run.tasks or study.tasks:
        described = Benchmark(
            tasks=[task],
            entries=[Entry(name=run.name, model=recipe.output)],
            data=recipe.data.name,
            folder=recipe.data.folder,
            metrics=recipes_of(study.metrics[task]),
            samples=study.samples,
            repeats=study.repeats,
            bounds=[],
            shown=0,
        )
        cells = benchmark.run(Job(described, out / "numbers"))
        for value, summary in next(c.row.facts for c in cells if c.row.facts["name"] == run.name)["metrics"].items():
            found[f"{task} {value}"] = summary
        found[f"{task} loss"] = held_out_loss(recipe, Path(recipe.output), task)
    return found


def work(study: Study, out: Path, only: Sequence[str] = (), more: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Train and measure; a row a run. The table is written anew after every run."""
    for name in only:
        if name not in [run.name for run in study.runs]:
            raise UsageError(f"--only: no run {name!r}; {suggest(name, [run.name for run in study.runs])}")
    chosen = [run for run in study.runs if not only or run.name in only]
    folders = {run.name: out / "models" / benchmark.slug(run.name) for run in chosen}
    recipes = {run.name: recipe_of(study, run, folders[run.name], more) for run in chosen}  # all errors before any work
    rows: list[dict[str, Any]] = []
    for run in chosen:
        seconds = trained(recipes[run.name], run.name, folders[run.name])
        card = read_card(folders[run.name])
        rows.append(
            {
                "name": run.name,
                "parameters": card.weights["parameters"],
                "megabytes": (folders[run.name] / WEIGHTS).stat().st_size / 1e6,
                "seconds": seconds,
                "values": measured(study, run, recipes[run.name], out),
            }
        )
        text = table(rows)
        out.mkdir(parents=True, exist_ok=True)
        (out / "table.md").write_text(text, encoding="utf-8")
        write_json(out / "study.json", {"environment": environment(), "study": study.model_dump(), "rows": rows})
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: what every run cost, and what it reached; a task that a run was not measured on stays empty."""
    summaries = {name: summary for row in rows for name, summary in row["values"].items()}
    names = report.headline(summaries)
    heads = ["", "M trained", "MB", "s", *(f"{name} {report.arrow(summaries[name])}" for name in names)]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in rows:
        cells = [row["name"], f"{row['parameters'] / 1e6:.2f}", f"{row['megabytes']:.1f}", f"{row['seconds']:.0f}"]
        for name in names:
            found = row["values"].get(name)
            cells.append("\u2014" if found is None else report.number(found["mean"], found["interval"]))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=Path(__file__).with_suffix(".yaml"))
    parser.add_argument("--out", type=Path, default=Path("runs/lora_study"))
    parser.add_argument("--only", action="append", default=[], help="name of a run; repeatable")
    parser.add_argument("--steps", type=int, help="of training, for every run")
    parser.add_argument("--samples", type=int, help="clips that are measured")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override for every run")
    args = parser.parse_args(arguments)
    try:
        study = read(args.study)
        if args.samples is not None:
            study = study.model_copy(update={"samples": args.samples})
        more = [*args.set, *([f"train.steps={args.steps}"] if args.steps else [])]
        print(table(work(study, args.out, args.only, more)))
    except MotionPlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
