"""Checkpoints of format 1 are read unchanged and written as format 2; a renamed setting is found again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from motion_platform.core import checkpoint_files, weight_files
from motion_platform.core.errors import ConfigError, WeightsError
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.model.motion_model import MotionModel

SHIPPED = weight_files.SHIPPED
OLD = ("conductor_small", "gesture_small", "text_to_motion_small")


def changed(folder: Path, name: str, **settings) -> Path:
    """A copy of a shipped checkpoint with other settings in its card; None takes one away."""
    shutil.copytree(SHIPPED / name, folder, ignore=shutil.ignore_patterns("*.md"))
    card = yaml.safe_load((folder / "model.yaml").read_text())
    card["model"]["settings"] |= settings
    card["model"]["settings"] = {key: value for key, value in card["model"]["settings"].items() if value is not None}
    (folder / "model.yaml").write_text(yaml.safe_dump(card))
    return folder


@pytest.mark.parametrize("name", OLD)
def test_format_1_is_read_and_format_2_is_written_with_the_same_weights(name: str, tmp_path: Path) -> None:
    flat = yaml.safe_load((SHIPPED / name / "model.yaml").read_text())
    assert flat["format"] == 1
    assert "diffusion" not in flat["model"]["settings"]
    old = MotionModel.from_pretrained(name)
    new = yaml.safe_load((old.save_pretrained(tmp_path / "new", dtype="float32") / "model.yaml").read_text())
    assert new["format"] == 2
    blocks = {key: value for key, value in new["model"]["settings"].items() if isinstance(value, dict)}
    assert blocks["diffusion"]["sample_steps"] == flat["model"]["settings"]["sample_steps"]
    together = {key: value for block in ("network", "diffusion") for key, value in blocks.get(block, {}).items()}
    alone = {key: value for key, value in new["model"]["settings"].items() if key not in ("network", "diffusion")}
    assert {**alone, **together} == flat["model"]["settings"]  # nothing is lost, nothing is new
    again = MotionModel.from_pretrained(tmp_path / "new")
    pairs = zip(old.own_state().values(), again.own_state().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert again.card.model.settings == new["model"]["settings"]
    assert (again.generator.sample_steps, again.generator.guidance) == (
        old.generator.sample_steps,
        old.generator.guidance,
    )


def test_a_setting_that_was_renamed_is_found_under_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = changed(tmp_path / "old", "conductor_small", sample_steps=None, denoising_steps=7)
    with pytest.raises(
        ConfigError, match=r"model: conductor_ddpm has no setting 'denoising_steps'; did you mean"
    ) as no:
        MotionModel.from_pretrained(folder)
    assert str(folder / "model.yaml") in str(no.value)
    assert "\n" not in str(no.value)
    monkeypatch.setattr(DiffusionSettings, "renamed", {"denoising_steps": "sample_steps"}, raising=False)
    model = MotionModel.from_pretrained(folder)
    assert model.generator.sample_steps == 7
    assert model.card.model.settings["diffusion"]["sample_steps"] == 7


def test_another_format_is_refused(tmp_path: Path) -> None:
    folder = changed(tmp_path / "next", "conductor_small")
    card = (folder / "model.yaml").read_text().replace("format: 1", "format: 3")
    (folder / "model.yaml").write_text(card)
    with pytest.raises(WeightsError, match=r"is of checkpoint format 3; this version .* reads 1 and 2$"):
        checkpoint_files.read_card(folder)
