"""Many runs of one recipe with other values: a grid, or a search by Optuna, in one table.

Every run is an ordinary run folder (``OUT/run-0001``). The table is made anew from the folders, so a sweep that was
stopped goes on by the same command: what is complete is read, what was stopped is resumed.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion_platform.core.config import Recipe
from motion_platform.core.errors import ConfigError, DataError, MotionPlatformError, UsageError, suggest
from motion_platform.core.files import atomic_path
from motion_platform.model.run import RESUME
from motion_platform.training import build, train

PLAN, TABLE = "sweep.json", "sweep.csv"
LOGARITHMIC = 100.0
"""A range whose ends are this many times apart is searched in its logarithm."""


@dataclass(frozen=True)
class Over:
    """A key of the recipe and its values, or a range of numbers (low, high) to search in."""

    key: str
    values: tuple[str, ...] = ()
    range: tuple[float, float] | None = None

    @property
    def whole(self) -> bool:
        """Whether a range is one of whole numbers."""
        return self.range is not None and all(end == int(end) for end in self.range)


@dataclass
class Trial:
    """One run: its overrides, and what came of it: the value, or why there is none."""

    folder: Path
    overrides: list[str]
    value: float | None = None
    step: int = 0
    failed: str = ""


def read_over(text: str) -> Over:
    """``key=a,b,c`` or ``key=low..high``. ConfigError."""
    key, equals, said = text.partition("=")
    low, dots, high = said.partition("..")
    if dots:
        try:
            ends = float(low), float(high)
        except ValueError as error:
            raise ConfigError(f"--over {text!r}: a range is written key=LOW..HIGH, with numbers") from error
        if not ends[0] < ends[1]:
            raise ConfigError(f"--over {text!r}: the range is empty; write the lower end first")
        return Over(key.strip(), range=ends)
    values = tuple(value.strip() for value in said.split(",") if value.strip())
    if not equals or not key.strip() or not values:
        raise ConfigError(f"--over {text!r}: write it as key=A,B,C, or key=LOW..HIGH for --search optuna")
    return Over(key.strip(), values)


def run(
    recipe: str,
    overrides: Sequence[str],
    over: Sequence[Over],
    out: Path,
    *,
    metric: str = "loss",
    maximise: bool = False,
    trials: int | None = None,
    device: str | None = None,
) -> list[Trial]:
    """Train every combination (trials None), or ``trials`` that Optuna chooses; the best first, those that failed last.

    metric: a key of log.jsonl (``loss``, ``validation/NAME``), its last value counts.
    Errors: those of a recipe, before anything is trained; UsageError for a folder of another sweep, or a metric that
    the first run does not log. A run that fails is said in the table, and the rest goes on.
    """
    if not over:
        raise UsageError("sweep: nothing varies; give --over KEY=A,B,C")
    if trials is None and any(each.range for each in over):
        raise UsageError("sweep: a range (LOW..HIGH) is for --search optuna; a grid needs its values, KEY=A,B,C")
    plan = {"recipe": recipe, "overrides": list(overrides), "over": [vars(each) for each in over], "metric": metric}
    text = json.dumps({**plan, "maximise": maximise, "search": "grid" if trials is None else "optuna"}, indent=1)
    if (out / PLAN).is_file() and json.loads((out / PLAN).read_text()) != json.loads(text):
        raise UsageError(f"{out}: holds another sweep; give another --out, or the same command to go on")
    chosen = _grid(over) if trials is None else None
    for values in chosen or [_first(over)]:
        build.load_recipe(recipe, [*overrides, *values])
    out.mkdir(parents=True, exist_ok=True)
    _write(out / PLAN, text)
    made: list[Trial] = []
    searched = iter(chosen) if chosen is not None else _searched(over, trials or 0, maximise, made)
    for values in searched:
        trial = Trial(out / f"run-{len(made) + 1:04d}", values)
        _train(trial, recipe, overrides, metric, device)
        made.append(trial)
        _write(out / TABLE, _csv(ranked(made, maximise), over, metric))
    return ranked(made, maximise)


def ranked(trials: Sequence[Trial], maximise: bool) -> list[Trial]:
    """The best first, those without a value last."""
    sign = -1 if maximise else 1
    return sorted(trials, key=lambda trial: math.inf if trial.value is None else sign * trial.value)


def table(trials: Sequence[Trial], over: Sequence[Over], metric: str) -> str:
    """The runs under one another, for a person."""
    rows = [["run", *(each.key for each in over), metric, "steps"]]
    for trial in trials:
        shown = "failed" if trial.value is None else f"{trial.value:.6g}"
        rows.append([trial.folder.name, *_values(trial), shown, str(trial.step)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"{trial.folder.name}: {trial.failed}" for trial in trials if trial.failed)])


def _grid(over: Sequence[Over]) -> list[list[str]]:
    return [
        [f"{each.key}={value}" for each, value in zip(over, values, strict=True)]
        for values in itertools.product(*(each.values for each in over))
    ]


def _first(over: Sequence[Over]) -> list[str]:
    """A choice that is allowed, to check the recipe with."""
    return [f"{each.key}={each.values[0] if each.values else _number(each.range[0], each)}" for each in over]  # type: ignore[index]


def _number(value: float, over: Over) -> str:
    return str(round(value)) if over.whole else f"{value:.6g}"


def _searched(over: Sequence[Over], trials: int, maximise: bool, made: Sequence[Trial]) -> Iterator[list[str]]:
    """What Optuna (Akiba et al. 2019; its TPE sampler, seeded) proposes, told what came of the runs before."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError('sweep: --search optuna needs: pip install "motion-platform[sweep]"') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = "maximize" if maximise else "minimize"
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=0))
    for number in range(trials):
        asked = study.ask()
        values = []
        for each in over:
            if each.range is None:
                values.append(f"{each.key}={asked.suggest_categorical(each.key, each.values)}")
                continue
            low, high = each.range
            log = low > 0 and high / low >= LOGARITHMIC
            suggest_number: Any = asked.suggest_int if each.whole else asked.suggest_float
            ends = (int(low), int(high)) if each.whole else (low, high)
            values.append(f"{each.key}={_number(suggest_number(each.key, *ends, log=log), each)}")
        yield values
        result = made[number]
        failed = optuna.trial.TrialState.FAIL if result.value is None else None
        study.tell(asked, None if failed else result.value, state=failed)


def _train(trial: Trial, recipe: str, overrides: Sequence[str], metric: str, device: str | None) -> None:
    """Train, resume or only read one run. Interrupted passes through: the sweep stops, and goes on from there."""
    found, _ = build.load_recipe(recipe, [*overrides, *trial.overrides, f"output={trial.folder}"])
    if not _complete(trial.folder, found):
        print(f"{trial.folder.name}: {' '.join(trial.overrides)}", flush=True)
        try:
            train.run(
                found,
                trial.folder.name,
                resume=(trial.folder / RESUME).is_file(),
                device=device,
                again="the same sweep again",
            )
        except train.Interrupted:
            raise
        except MotionPlatformError as error:
            trial.failed = str(error)
            return
    logged = _last(trial.folder)
    trial.step = int(logged.pop("step", 0))
    if metric not in logged:
        raise UsageError(f"{trial.folder}: logs no {metric!r}; {suggest(metric, logged)}")
    trial.value = logged[metric]


def _complete(folder: Path, recipe: Recipe) -> bool:
    """Whether a run of this recipe has reached its end."""
    log = folder / "log.jsonl"
    if not (folder / "model.yaml").is_file() or not log.is_file():
        return False
    steps = recipe.train.steps
    return steps is not None and int(_last(folder).get("step", 0)) >= steps


def _last(folder: Path) -> dict[str, float]:
    """The last value of everything that a run logged."""
    found: dict[str, float] = {}
    try:
        for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
            found |= json.loads(line)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: log.jsonl cannot be read ({error}); remove the folder, it is made anew") from error
    return found


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _values(trial: Trial) -> list[str]:
    return [override.partition("=")[2] for override in trial.overrides]


def _csv(trials: Sequence[Trial], over: Sequence[Over], metric: str) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["run", *(each.key for each in over), metric, "steps", "failed"])
    for trial in trials:
        rows.writerow([trial.folder.name, *_values(trial), trial.value, trial.step, trial.failed])
    return text.getvalue()
