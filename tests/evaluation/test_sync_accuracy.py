"""From a recipe of the music-motion space to its accuracy, and to the music encoder that others take from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motion_platform.core import cards, config
from motion_platform.core.config import MetricRecipe
from motion_platform.core.errors import UsageError
from motion_platform.encoders.music_mel import MusicMel
from motion_platform.evaluation import passes as evaluate
from motion_platform.metrics.sync_accuracy import SyncAccuracy
from motion_platform.model.run import load_run
from motion_platform.training import train


@pytest.fixture(scope="module")
def trained(conductor_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "sync"
    overrides = [f"data.folder={conductor_folder}", f"output={out}", "train.steps=2"]
    recipe = config.load_recipe(cards.find("configs", "smoke/music_motion_sync"), overrides)
    return train.run(recipe, "smoke/music_motion_sync", device="cpu", quiet=True)


def test_a_space_is_measured_on_real_motion(trained: Path) -> None:
    result = evaluate.measure_run(load_run(trained), split="train")
    kinds = ("easy", "hard", "super_hard")
    expected = {f"sync_accuracy_{kind}{pairs}" for kind in kinds for pairs in ("", "_pairs")}
    assert set(result["metrics"]) == expected
    assert all(0 <= value <= 1 for value in result["metrics"].values())
    assert not result["refused"]
    assert evaluate.measure_run(load_run(trained), split="train")["metrics"] == result["metrics"]


def test_a_batch_of_one_has_no_easy_negatives(trained: Path) -> None:
    names = set(evaluate.measure_run(load_run(trained), split="test")["metrics"])
    assert "sync_accuracy_hard" in names
    assert "sync_accuracy_easy" not in names


def test_its_music_encoder_is_found_by_its_folder(trained: Path) -> None:
    encoder = MusicMel(weights=str(trained))
    own = load_run(trained).model.conditioning.encoders["music"].network
    for name, value in own.state_dict().items():
        torch.testing.assert_close(encoder.network.state_dict()[name], value)


def test_a_space_that_does_not_listen_is_refused(trained: Path) -> None:
    assert SyncAccuracy.needs == "sync"
    with pytest.raises(
        UsageError, match="sync_accuracy: space recogniser sees skeleton humanml3d, these motions have coco_upper"
    ):
        evaluate.measure_run(load_run(trained), metrics=[MetricRecipe(name="sync_accuracy", space="recogniser")])


def test_motion_is_found_by_its_music_among_others(trained: Path) -> None:
    """R-precision and distance of the space that hears music, without captions; a metric of captions says so."""
    pairs = [
        ("r_precision", {"pool": 2, "top": 1}),
        ("multimodal_distance", {}),
        ("r_precision_unique", {"pool": 2, "top": 1}),
    ]
    metrics = [MetricRecipe(name=name, settings=settings, space=str(trained)) for name, settings in pairs]
    result = evaluate.measure_run(load_run(trained), metrics=metrics, split="train")
    assert set(result["metrics"]) == {"r_precision_top_1", "r_precision_left_out", "multimodal_distance"}
    assert "captions themselves are not there" in result["refused"]["r_precision_unique"]
    assert result["metrics"]["multimodal_distance"] > 0
