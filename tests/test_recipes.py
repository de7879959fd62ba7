"""Every smoke recipe runs on the packaged clips, and every recipe builds its model."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from motion_platform.core import cards, config, tasks, weight_files
from motion_platform.model.run import load_run
from motion_platform.training import build, train

NAMES = [name for name in cards.names("configs") if not name.startswith("published/")]
"""The recipes of papers need their data and weights: tests/test_recipes_published.py."""
SMOKE = [name for name in NAMES if name.startswith("smoke/")]


@pytest.fixture(scope="module")
def folders(sample_folder: Path, conductor_folder: Path, gesture_folder: Path, speech_folder: Path) -> dict[str, Path]:
    """Name of a data set -> clips that stand for it: the packaged ones, conducting with music, gesture with speech."""
    others = {"conductor_scores": conductor_folder, "zeggs": gesture_folder, "speech_gestures": speech_folder}
    return defaultdict(lambda: sample_folder, others)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of encoded texts for all recipes."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", SMOKE)
def test_a_smoke_recipe_runs(
    name: str, folders: dict[str, Path], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTION_CACHE", str(cache))
    place = cards.find("configs", name)
    folder = folders[config.load_recipe(place).data.name]
    recipe = config.load_recipe(place, [f"data.folder={folder}", f"output={tmp_path / 'run'}", "data.mirror=false"])
    folder = train.run(recipe, name, device="cpu", quiet=True)
    run = load_run(folder)
    assert run.model.card.step == recipe.train.steps
    assert run.task.task == recipe.task


def stand_in(recipe: config.Recipe, folder: Path, out: Path) -> dict[str, Path]:
    """Setting -> an untrained model of the kind that the recipe builds upon."""
    wanted = {f"slots.{slot}.settings.weights": of for slot, of in recipe.slots.items() if "weights" in of.settings}
    kinds = {key: {"music_beats": "beat_tracker"}.get(of.encoder, "music_motion_sync") for key, of in wanted.items()}
    if "sync_weights" in recipe.model.settings:
        kinds["model.settings.sync_weights"] = "music_motion_sync"
    if isinstance(recipe.model.settings.get("tokenizer"), str):
        kinds["model.settings.tokenizer"] = "vqvae"
    made = {}
    for kind in set(kinds.values()):
        small = config.load_recipe(cards.find("configs", f"smoke/{kind}"), [f"data.folder={folder}"])
        made[kind] = build.assemble(small, name=kind).model.save_pretrained(out / kind)
    return {key: made[kind] for key, kind in kinds.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_its_model(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    place = cards.find("configs", name)
    recipe = config.load_recipe(place)
    base = recipe.model.settings.get("base")
    if (
        isinstance(base, str)
        and base in weight_files.LANGUAGE_MODELS
        and not weight_files.language_model_folder(base).is_dir()
    ):
        pytest.skip(f"needs: motion weights get {base}")
    folder = folders[recipe.data.name]
    others = [f"{key}={path}" for key, path in stand_in(recipe, folder, tmp_path).items()]
    recipe = config.load_recipe(place, [f"data.folder={folder}", *others])
    run = build.assemble(recipe, name=name)
    assert run.model.spec.representation == recipe.representation
    assert tuple(run.model.card.slots) == tuple(recipe.slots)


def test_every_shipped_recipe_has_one_that_runs_in_seconds() -> None:
    trained = {config.load_recipe(cards.find("configs", name)).model.name for name in SMOKE}
    wanted = {config.load_recipe(cards.find("configs", name)).model.name for name in NAMES}
    assert trained == wanted


@pytest.mark.parametrize("name", cards.names("tasks"))
def test_the_metrics_of_every_task_can_be_built(name: str) -> None:
    from motion_platform.core import registry

    for metric in tasks.load(name).metrics:
        assert registry.build("metrics", metric.name, metric.settings).name
