"""Shared by all tests: the packaged clips, prepared once a session, and a small prepared data set with an encoder that
needs no weights, so that tests of whole runs take seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform.core import cards, config
from motion_platform.core.catalog import CATALOG
from motion_platform.core.config import Recipe
from motion_platform.data.writer import PreparedWriter

PLUGIN = Path(__file__).resolve().parent / "fixtures" / "plugin"


@pytest.fixture(scope="session")
def sample_root() -> Path:
    """The folder of the packaged motion files."""
    from motion_platform.data.sources.sample import sample_root

    return sample_root()


@pytest.fixture(scope="session")
def sample_folder(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged clips, prepared."""
    from motion_platform.data.sources.sample import Sample

    out = tmp_path_factory.mktemp("prepared") / "sample"
    Sample().prepare(sample_root, out, workers=1)
    return out


@pytest.fixture(scope="session")
def sample_dataset(sample_folder: Path):
    """The packaged clips as a PreparedDataset."""
    from motion_platform.data.prepared import PreparedDataset

    return PreparedDataset.open(sample_folder)


@pytest.fixture(scope="session")
def conductor_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of conducting each, to music that is nothing but beats: prepared, in the layout of music data."""
    import numpy as np

    from motion_platform.data.writer import PreparedWriter

    out = tmp_path_factory.mktemp("prepared") / "conductor_scores"
    streams = {"mel": (90.0, 128)}
    writer = PreparedWriter(
        out, name="conductor_scores", representation="conductor", licence="CC0", streams=streams, events=True
    )
    with writer:
        for number, split in enumerate(["train"] * 4 + ["val", "test"]):
            random = np.random.default_rng(number)
            period = 0.5 + 0.06 * number
            beats = np.arange(0.2, 12, period)
            music = random.uniform(0, 0.1, (12 * 90, 128)).astype(np.float32)
            for beat in beats:
                music[round(beat * 90) : round(beat * 90) + 6] += 0.8
            phase = (np.arange(12 * 30) / 30 - 0.2) / period
            pose = np.tile([0.5, 0.3], (12 * 30, 13, 1)) + np.linspace(0, 0.4, 13)[:, None]
            pose[:, [7, 8, 9, 10], 1] -= 0.05 * np.abs(np.sin(np.pi * phase))[:, None]
            pose += random.normal(0, 0.002, pose.shape)
            writer.add(
                id=f"piece {number}",
                split=split,
                source=f"piece {number}.mid",
                features=pose.reshape(len(pose), 26).astype(np.float32),
                labels={"style": ("calm", "large")[number % 2]},
                streams={"mel": music.clip(0, 1)},
                events={"beats": beats, "bars": beats[::4]},
            )
        writer.finish()
    return out


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
