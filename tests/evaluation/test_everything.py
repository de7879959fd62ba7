"""Every shipped model on every task that it can do, by every metric in every space: nothing raises, and what does not
fit is left out with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from motion_platform.core import cards, registry, tasks, weight_files
from motion_platform.core.config import MetricRecipe
from motion_platform.core.errors import WeightsError
from motion_platform.evaluation import benchmark
from motion_platform.evaluation.benchmark import Benchmark, Entry, Job
from motion_platform.model.run import load_run, why_not

SPACES = ("text_motion", "recogniser", "music_motion_sync_small", "beat_tracker", "gesture_space")
FEW = {  # four clips are fewer than the protocols of the field ask for
    "r_precision": {"pool": 2, "top": 1},
    "r_precision_unique": {"pool": 2, "top": 1},
    "diversity": {"pairs": 1},
    "multimodality": {"clips": 1, "generations": 2, "pairs": 1},
    "apd": {"generations": 2},
    "ade": {"generations": 1},
    "fde": {"generations": 1},
    "manifold": {"precision_k": 1, "coverage_k": 1},
}


@pytest.fixture(scope="module", autouse=True)
def loaded_once() -> Iterator[None]:
    """The spaces and models are the same ones in all of these tests."""
    from motion_platform.evaluation import judges

    kept = {}

    def load(name: str, device: str = "cpu"):
        return kept.setdefault(name, load_run(name, device=device))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judges, "load_run", load)
        patch.setattr(benchmark, "load_run", load)
        yield


def every_metric() -> list[MetricRecipe]:
    """Each by itself, and in each of the spaces, whether it has a use for one or not."""
    found = []
    for name in registry.names("metrics"):
        settings = {
            k: v for k, v in FEW.get(name, {}).items() if k in registry.settings_of(registry.get("metrics", name))
        }
        found += [MetricRecipe(name=name, space=space, settings=settings) for space in (None, *SPACES)]
    return found


@pytest.fixture(scope="module")
def folders(sample_folder: Path, conductor_folder: Path, speech_folder: Path) -> dict[str, tuple[Path, str]]:
    """Skeleton -> (a prepared set of it, the split to measure)."""
    return {
        "humanml3d": (sample_folder, "val"),
        "coco_upper": (conductor_folder, "test"),
        "humanml3d_hands": (speech_folder, "train"),
    }


def described(task: str, model: str, folder: Path, split: str, **more) -> Benchmark:
    run = load_run(model)
    steps = 2 if hasattr(run.model.trainable, "schedule") else None
    return Benchmark(
        tasks=[task],
        entries=[Entry(model=model, steps=steps)],
        folder=str(folder),
        split=split,
        samples=2,
        repeats=1,
        several_repeats=1,
        metrics=every_metric(),
        bounds=[],
        shown=1,
        **more,
    )


def tasks_of(model: str) -> list[str]:
    """The tasks that a model can do. Skips where the base of a language model is not on this machine."""
    try:
        run = load_run(model)
    except WeightsError as error:
        pytest.skip(str(error))
    able = lambda task: task == run.task.task or why_not(run.model, tasks.load(task)) is None  # noqa: E731
    return [task for task in cards.names("tasks") if able(task)]


@pytest.mark.slow
@pytest.mark.parametrize("model", weight_files.shipped())
def test_no_metric_in_any_space_ends_an_evaluation(model: str, folders: dict) -> None:
    for task in tasks_of(model):
        folder, split = folders[load_run(model).model.spec.skeleton]
        cells = benchmark.run(Job(described(task, model, folder, split), quiet=True))
        (row,) = [cell.row.facts for cell in cells if cell.row.facts["name"] == model]
        assert row["metrics"], (task, row["refused"])
        assert all(math.isfinite(x) for value in row["metrics"].values() for x in value["values"]), task
        measured = {(v["metric"], v["space"]) for v in row["metrics"].values()}
        for metric in every_metric():
            label = f"{metric.name}@{metric.space}" if metric.space else metric.name
            assert (metric.name, metric.space) in measured or (metric.name, "") in measured or row["refused"][label]
