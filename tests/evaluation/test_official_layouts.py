"""HumanML3D's and KIT-ML's own layouts, from the folder to the papers' table: a tokenizer, a space and a generator are
trained on them, and one command prints every number of the table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from motion_platform.cli.app import app
from motion_platform.core import cards, config
from motion_platform.core.catalog import CATALOG
from motion_platform.data.sources.humanml3d import HumanML3DFolder, KITMLFolder
from motion_platform.data.writer import PreparedWriter
from motion_platform.model.run import load_run
from motion_platform.training import train

PLUGIN = Path(__file__).resolve().parents[1] / "fixtures" / "plugin"
CLIPS = {"train": 8, "val": 2, "test": 36}
TABLE = ("r_precision_top_1", "r_precision_top_2", "r_precision_top_3", "frechet", "multimodal_distance", "diversity")
"""Table 1 of MDM and those after it; multimodality besides."""
SMALL = {
    "vqvae": ["model.settings.width=16", "validation.every=0"],
    "text_motion": ["slots.text.encoder=letters", "model.settings.embedding=4", "model.settings.width=16"],
    "text_to_motion": [
        "slots.text_high.encoder=letters",
        "~slots.text_low",
        "model.settings.layers=1",
        "model.settings.width=16",
        "model.settings.sample_steps=1",
        "validation.every=0",
    ],
}
OTHERS = {
    "fsq": ["model.settings.width=16"],
    "dynamic_pose": ["model.settings.width=16", "slots.text_high.encoder=letters"],
    "text_to_motion_masked": ["slots.text_high.encoder=letters", "~slots.text_low", "model.settings.width=16"],
    "recogniser": [],
}
"""The other smoke recipes of bodies, at their smallest."""


def official(root: Path, dim: int) -> Path:
    """Clips of 45 to 60 frames with two captions each."""
    random = np.random.default_rng(dim)
    for folder in ("new_joint_vecs", "texts"):
        (root / folder).mkdir(parents=True)
    number = 0
    for split, count in CLIPS.items():
        ids = [f"{number + i:06d}" for i in range(count)]
        number += count
        for id in ids:
            x = np.cumsum(random.normal(size=(random.integers(45, 60), dim)) * 0.02, 0)
            np.save(root / "new_joint_vecs" / f"{id}.npy", x.astype(np.float32))
            lines = [f"a person {verb} {id}#a/DET person/NOUN {verb}/VERB#0.0#0.0\n" for verb in ("walks", "goes")]
            (root / "texts" / f"{id}.txt").write_text("".join(lines))
        (root / f"{split}.txt").write_text("\n".join(ids) + "\n")
    return root


def motion(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None, (done.exception, done.output)
    return done.output


@pytest.mark.parametrize(("source", "dim"), [(KITMLFolder, 251), (HumanML3DFolder, 263)])
def test_from_the_official_folder_to_the_papers_table(
    source: type, dim: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(CATALOG["encoders"], "letters", "motion_plugin_example:LettersEncoder")
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    data, name = tmp_path / "prepared", source.name
    source().prepare(official(tmp_path / "official", dim), data, workers=1)
    made = {}
    for kind, changes in SMALL.items():
        representation = "kit_ml" if name == "kit_ml" else "humanml3d"
        own = [f"data.name={name}", f"data.folder={data}", f"representation={representation}", "train.steps=1"]
        own += ["data.max_frames=32", "train.batch_size=4", f"output={tmp_path / kind}"]
        recipe = config.load_recipe(cards.find("configs", f"smoke/{kind}"), [*own, *changes])
        made[kind] = str(train.run(recipe, kind, device="cpu", quiet=True))
    common = ["--data", str(data), "--processes", "1", "--no-bounds"]
    table, space = tmp_path / "table.json", made["text_motion"]
    papers = ["--space", space, "--captions", "random", "--repeats", "2", "-o", str(table)]
    motion("evaluate", made["text_to_motion"], *common, *papers)
    rows = {row["name"]: row for row in json.loads(table.read_text())["rows"]}
    ours, real = rows["text_to_motion"]["metrics"], rows["real motion"]["metrics"]
    assert ours.keys() >= {*TABLE, "multimodality"}
    assert real.keys() >= set(TABLE)
    assert real["frechet"]["mean"] == pytest.approx(0, abs=1e-6)
    assert real["multimodal_distance"]["n"] == ours["multimodal_distance"]["n"] == 2  # another caption, another number
    assert rows["text_to_motion"]["samples"] == CLIPS["test"]
    metrics = ["--metrics", f"mpjpe,frechet={space}", "--repeats", "1", "-o", str(tmp_path / "tokens.json")]
    motion("evaluate", made["vqvae"], *common, *metrics)
    tokens = json.loads((tmp_path / "tokens.json").read_text())["rows"][-1]["metrics"]
    assert tokens["mpjpe"]["mean"] > 0
    assert tokens["frechet"]["mean"] > 0
    if name == "kit_ml":  # the card's own space and recogniser know 22 joints
        said = motion("evaluate", made["text_to_motion"], *common, "--repeats", "1", "--metrics", "frechet,jerk")
        assert "space text_motion sees skeleton humanml3d, these motions have kit" in said
        assert "jerk" in said


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """KIT-ML in its own layout, prepared, and clips of its body with labels, which it has not."""
    root = tmp_path_factory.mktemp("kit")
    KITMLFolder().prepare(official(root / "official", 251), root / "kit_ml", workers=1)
    random = np.random.default_rng(0)
    with PreparedWriter(root / "labelled", name="labelled", representation="kit_ml", licence="none") as writer:
        for i in range(8):
            x = np.cumsum(random.normal(size=(40, 251)) * 0.02, 0).astype(np.float32)
            writer.add(id=f"clip{i}", split="train", source=f"{i}", features=x, labels={"content": ("a", "b")[i % 2]})
        writer.finish()
    return {name: root / name for name in ("kit_ml", "labelled")}


@pytest.mark.parametrize("kind", OTHERS)
def test_whatever_learns_bodies_learns_kits(
    kind: str, kit: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setitem(CATALOG["encoders"], "letters", "motion_plugin_example:LettersEncoder")
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    folder = kit["labelled" if kind == "recogniser" else "kit_ml"]
    own = ["data.name=kit_ml", f"data.folder={folder}", "representation=kit_ml", "train.steps=1", "validation.every=0"]
    own += ["data.max_frames=32", "train.batch_size=4", f"output={tmp_path / kind}", *OTHERS[kind]]
    recipe = config.load_recipe(cards.find("configs", f"smoke/{kind}"), own)
    model = load_run(train.run(recipe, kind, device="cpu", quiet=True)).model
    assert (model.spec.skeleton, model.spec.fps, model.spec.dim) == ("kit", 12.5, 251)
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())


def test_kits_body_is_measured_on_clips_of_the_common_one(sample_folder: Path, tmp_path: Path, monkeypatch) -> None:
    """The smoke recipes of KIT, measured by the commands of a person who has no KIT-ML."""
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    made = {}
    for kind in ("text_motion", "text_to_motion", "vqvae"):
        own = [f"data.folder={sample_folder}", "train.steps=1", "validation.every=0", f"output={tmp_path / kind}"]
        recipe = config.load_recipe(cards.find("configs", f"smoke/kit_{kind}"), own)
        made[kind] = str(train.run(recipe, kind, device="cpu", quiet=True))
    common = ["--data", str(sample_folder), "--processes", "1", "--repeats", "1", "--no-bounds"]
    out = tmp_path / "table.json"
    said = motion("evaluate", made["text_to_motion"], *common, "--space", made["text_motion"], "-o", str(out))
    rows = {row["name"]: row for row in json.loads(out.read_text())["rows"]}
    measured = rows["text_to_motion"]["metrics"]
    assert measured.keys() >= {"frechet", "multimodal_distance", "foot_skating", "jerk", "floating"}
    assert rows["real motion"]["metrics"]["frechet"]["mean"] == pytest.approx(0, abs=1e-6)
    for reason in (
        "recognition: metric recognition: space recogniser sees skeleton humanml3d, these motions have kit",
        "instructed: the motions are of skeleton kit, which has no joint spine3",
    ):
        assert sum(reason in line for line in said.splitlines()) == 1
    lost = motion("evaluate", made["vqvae"], *common, "--metrics", f"mpjpe,frechet={made['text_motion']}")
    assert "mpjpe" in lost
    assert "Not measured" not in lost
