"""The models that come with the package: every folder whole, small, and honest about where it comes from."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors import safe_open

from motion_platform.core import cards, config, gguf, tasks, weight_files
from motion_platform.core.checkpoint_files import WEIGHTS, read_card
from motion_platform.data.sources import sample
from motion_platform.metrics.beat_consistency import consistency
from motion_platform.metrics.beat_f_measure import best_level, f_measure, shifted
from motion_platform.metrics.ictus import ictuses
from motion_platform.model.motion_model import MotionModel
from motion_platform.motion import io
from motion_platform.pipelines import caption, generate, inventory

NAMES = weight_files.shipped()
BASE = "smollm2-135m"
LICENCES = {
    "bandai_cmu": "CC BY-NC 4.0",
    "conductor_scores": "synthetic",
    "open_motion": "CC BY-NC 4.0",
    "speech_gestures": "planned, not captured",
}
"""Data set -> what its licence and the page of everything trained on it must say."""
COMMERCIAL = {"rvq_commercial": "CC BY 3.0", "text_to_motion_open": "CC BY 3.0"}
"""The same of models of the part of ``open_motion`` that may be used commercially."""
WAVES = ("dataset-2_wave-left-hand_normal_024", "dataset-2_wave-right-hand_normal_015")


def test_all_of_them_together_are_small() -> None:
    sizes = {name: (weight_files.SHIPPED / name / WEIGHTS).stat().st_size for name in NAMES}
    assert max(sizes.values()) <= 20e6, sizes
    assert sum(sizes.values()) <= 90 * 2**20, sizes  # a wheel of 100 MB is the most that PyPI takes


@pytest.mark.parametrize("name", COMMERCIAL)
def test_what_may_be_used_commercially_has_learned_from_nothing_else(name: str) -> None:
    said = inventory.describe(name)["licence"]
    assert "CC BY 3.0" in said
    assert not re.search(r"\bNC\b|\bSA\b|LGPL|unknown", said)
    assert sum(f.stat().st_size for n in COMMERCIAL for f in [weight_files.SHIPPED / n / WEIGHTS]) <= 5.0e6


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_holds_what_a_stranger_needs(name: str) -> None:
    folder = weight_files.SHIPPED / name
    card = read_card(folder)
    assert card.name == name
    assert card.weights["sha256"] == weight_files.sha256_of(folder / WEIGHTS)
    licence = COMMERCIAL.get(name) or LICENCES[card.data["name"]]
    assert licence in card.data["licence"]
    assert tasks.load(card.task).task == card.task
    page = (folder / "README.md").read_text(encoding="utf-8")
    for word in (licence, "| licence |", "hardware", "recipe", "data", "## Measured"):
        assert word in page, word
    for text in (page, (folder / "model.yaml").read_text(), (folder / "recipe.yaml").read_text()):
        assert not re.search(r"(^|[\s:\"'])/(tmp|home|work|root)\b", text), "a path of somebody's machine"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_counts_the_weights_as_they_are(name: str) -> None:
    folder = weight_files.SHIPPED / name
    page = (folder / "README.md").read_text(encoding="utf-8")
    said = re.search(r"^\| network .*?([\d.]+) M (?:parameters|tensors)", page, re.MULTILINE)
    with safe_open(folder / WEIGHTS, "numpy") as file:
        count = sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118 - it is no dict
    if said is None:
        assert count < 10_000, "a network whose page does not say how many weights it has"
    else:
        assert float(said[1]) == round(count / 1e6, len(said[1].partition(".")[2]))


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_beside_the_weights_is_one_that_trains_them_again(name: str) -> None:
    folder = weight_files.SHIPPED / name
    lines = (folder / "recipe.yaml").read_text(encoding="utf-8").splitlines()
    trained_by = lines[0].removeprefix("# motion train ").strip()
    beside = config.load_recipe(folder / "recipe.yaml")
    ours = config.load_recipe(cards.find("configs", trained_by))
    aside = {"output", "validation"}  # neither changes a weight
    assert beside.model_dump(exclude=aside) == ours.model_dump(exclude=aside)
    built = yaml.safe_load((folder / "model.yaml").read_text())["model"]["settings"]
    assert {**built, **ours.model.settings} == built  # a model also holds what its data told it, such as labels
    assert lines[1] == Path(cards.find("configs", trained_by)).read_text(encoding="utf-8").splitlines()[1]


@pytest.mark.skipif(
    gguf.origin(weight_files.language_model_folder(BASE)) is None,
    reason=f"needs: motion weights get {BASE}",
)
def test_the_language_model_speaks_and_moves() -> None:
    run = generate.load("motion_to_text", "motion_lm_small")
    assert run.model.card.name == "motion_lm_small"
    clips = [io.load(sample.sample_root() / "bandai-namco" / f"{name}.bvh") for name in WAVES]
    for said in caption.caption_clips(run, clips):
        assert "wav" in said.text, said
    model: MotionModel = run.model
    motion = model.generate({"text_high": ["a person waves", None]}, [80, 37], ["a", "b"], seed=1)
    assert motion.lengths.tolist() == [80, 37]
    assert bool(motion.x.isfinite().all())


def test_the_conductor_beats_a_piece_that_it_never_heard() -> None:
    folder = sample.sample_root() / "music"
    run = generate.load("music_to_conductor", None)
    given, count = generate.inputs_of(run, music=[folder / "mozart_k130_andantino.ogg"])
    clip = generate.make(run, given, count=count)[0]
    truth = np.loadtxt(folder / "mozart_k130_andantino_beats.csv", delimiter=",", skiprows=1)
    beats = truth[:, 0]
    found = ictuses(clip.joints[:, clip.skeleton.index("right_wrist"), 1], clip.fps)
    assert f_measure(beats, found)[0] >= 0.8
    assert best_level(beats, found) >= 0.8
    assert consistency(beats, found, 0.1) >= 0.8
    moved = np.mean([consistency(beats, times, 0.1) for times in shifted(found, len(clip) / clip.fps, "k130", 0)])
    assert moved <= 0.7  # what a hand in that rhythm reaches anywhere
    assert best_level(beats, clip.events["beats"]) >= 0.7
    assert len(clip.events["bars"]) >= 4  # of four beats, where three are written: a limit that the card names
