"""A small prepared data set and an encoder that needs no weights, so that engine tests take seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform import cards, config
from motion_platform.catalog import CATALOG
from motion_platform.config import Recipe
from motion_platform.data.writer import PreparedWriter

PLUGIN = Path(__file__).resolve().parents[1] / "fixtures" / "plugin"


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 clips of 20 to 60 frames: random walks around one of two poses."""
    folder = tmp_path_factory.mktemp("data") / "toy"
    random = np.random.default_rng(0)
    with PreparedWriter(folder, name="toy", representation="humanml3d_essential", licence="none") as writer:
        for i in range(40):
            action = ("runs", "walks")[i % 2]
            x = np.cumsum(random.normal(size=(random.integers(20, 60), 67)) * 0.02, 0) + i % 2
            writer.add(
                id=f"clip{i:03d}",
                split=("train", "train", "train", "val", "test")[i % 5],
                source="toy",
                features=x.astype(np.float32),
                captions_high=[f"a person {action} number {i % 7}", f"somebody {action}"],
                captions_low=[action],
                labels={"content": action, "style": ("calm", "angry")[i % 3 > 0]},
            )
        writer.finish({})
    return folder


@pytest.fixture
def recipe(toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make a checked recipe: the smoke recipe on the toy data with the letters encoder, plus overrides."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(CATALOG["encoders"], "letters", "motion_plugin_example:LettersEncoder")
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))

    def make(*overrides: str, base: str = "smoke/text_to_motion", output: str = "run") -> Recipe:
        path = cards.find("configs", base)
        own = [f"data.folder={toy_data}", f"output={tmp_path / output}"]
        if base == "smoke/text_to_motion":
            own += [f"slots.{slot}.encoder=letters" for slot in ("text_high", "text_low")]
            own += ["model.settings.layers=1", "model.settings.width=32", "model.settings.dropout=0.1"]
        return config.load_recipe(path, [*own, *overrides])

    return make


@pytest.fixture
def own_task(tmp_path: Path):
    """Write a task card outside tasks/: its path."""

    def write(reads: str, *, optional: str = "", name: str = "my_task") -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"task: {name}\ntitle: Mine\nsource: nowhere\nreads: {{{reads}}}\noptional: [{optional}]\n"
            "writes: motion\ndata: sample\nmetrics: [{name: foot_skating}]\n"
        )
        return path

    return write


@pytest.fixture
def own_recipe(recipe):
    """A recipe for a task card of one's own, whose slots read letters."""

    def make(task: Path, *slots: str, **more: str) -> Recipe:
        made = recipe("validation.every=0", "train.steps=1", **more)
        letters = {slot: made.slots["text_high"] for slot in slots}
        return made.model_copy(update={"task": str(task), "slots": letters})

    return make
