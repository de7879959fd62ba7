"""Every shipped model on every task that it can do, judged by every registered metric: nothing raises, and a metric
that does not fit is left out with a reason of one line."""

from __future__ import annotations

import pytest

from motion_platform.core import cards, gguf, registry, tasks, weight_files
from motion_platform.core.config import MetricRecipe
from motion_platform.core.tasks import Task
from motion_platform.evaluation import benchmark, judges
from motion_platform.evaluation.benchmark import Benchmark, Entry, Job
from motion_platform.evaluation.protocol import ResultRow
from motion_platform.model.run import Run, load_run, why_not

NAMES = weight_files.shipped()
BASES = {"motion_lm_small": "smollm2-135m"}
"""Models that want a language model, which does not come with the package and is slow: where it is here."""
CLIPS = {"humanml3d": "sample_folder", "humanml3d_hands": "speech_folder", "coco_upper": "conductor_folder"}
"""Skeleton -> the fixture with clips of it."""
SPACES = ("beat_tracker", "gesture_space", "music_motion_sync_small", "recogniser", "text_motion")
"""Shipped spaces: a metric that needs one is asked for in each, also in those of another skeleton."""
QUICK = {"conductor_small", "gesture_small", "text_to_motion_small", "text_to_motion_masked", "text_to_motion_open"}
"""Models that sample in as few steps as they are told."""
FEW = {"multimodality": {"generations": 2, "pairs": 1}, "apd": {"generations": 2}}
"""Settings of metrics that otherwise want hundreds of motions."""


@pytest.fixture(scope="module")
def models() -> dict[str, Run]:
    """Every shipped model whose parts are here."""
    missing = {name for name, base in BASES.items() if gguf.origin(weight_files.language_model_folder(base)) is None}
    return {name: load_run(name) for name in NAMES if name not in missing}


@pytest.fixture(autouse=True)
def _loaded_once(models: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (benchmark, judges):
        monkeypatch.setattr(module, "load_run", lambda name, device="cpu": models[str(name)])


def every_metric() -> list[MetricRecipe]:
    """All that are registered, those that need a space in every shipped one."""
    found = []
    for name in registry.names("metrics"):
        needed = [None] if registry.get("metrics", name).needs is None else SPACES
        found += [MetricRecipe(name=name, space=space, settings=FEW.get(name, {})) for space in needed]
    return found


def measured(models: dict[str, Run], card: Task, skeleton: str, folder: str, **how) -> dict[str, ResultRow]:
    """name -> row, of the models that can do the task on clips of this skeleton."""
    able = [n for n, each in models.items() if each.model.spec.skeleton == skeleton and can(each, card)]
    entries = [Entry(model=name, steps=2 if name in QUICK else None) for name in able]
    split = "train" if skeleton == "humanml3d_hands" else None  # three sentences come with the package
    described = Benchmark(
        tasks=[card.task], entries=entries, folder=folder, split=split, repeats=1, several_repeats=1, shown=0, **how
    )
    cells = benchmark.run(Job(described, quiet=True)) if able else []
    return {cell.row.facts["name"]: cell.row for cell in cells}


def can(run: Run, card: Task) -> bool:
    return run.task.task == card.task or why_not(run.model, card) is None


def check(row: ResultRow, recipes: list[MetricRecipe]) -> None:
    """Every metric has a value or one line that says why it has none."""
    found, refused = row.facts["metrics"].values(), row.facts["refused"]
    for recipe in recipes:
        labels = (recipe.name, f"{recipe.name}@{recipe.space}")
        reasons = [why for label, why in refused.items() if label in labels]
        values = any((of["metric"], of["space"] or None) == (recipe.name, recipe.space) for of in found)
        assert values or reasons, f"{row.facts['name']}: {labels[-1]} has neither a value nor a reason"
        assert all(why and "\n" not in why for why in reasons), reasons


@pytest.mark.slow
@pytest.mark.parametrize("name", cards.names("tasks"))
def test_models_that_can_do_a_task_and_bounds_are_measured_by_whatever_fits(
    name: str, models: dict[str, Run], request: pytest.FixtureRequest
) -> None:
    """Every metric has a value or a reason, in every shipped space; every model has a value of some metric."""
    recipes, seen = every_metric(), set()
    for skeleton, clips in CLIPS.items():
        folder = str(request.getfixturevalue(clips))
        rows = measured(models, tasks.load(name), skeleton, folder, metrics=recipes, samples=2)
        for who, row in rows.items():
            if "" not in row.facts["refused"]:  # a bound that cannot be made of these clips says so
                check(row, recipes)
            if who in models:
                assert row.facts["metrics"], f"{who} can do {name} and has no number: {row.facts['refused']}"
        seen |= set(rows) & set(models)
    assert seen, f"no shipped model can do {name}"
