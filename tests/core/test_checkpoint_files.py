"""Checkpoints of format 1 are read unchanged and written as format 2; a renamed setting is found again."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

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


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A checkpoint folder of four tensors."""
    return written(tmp_path / "small", {"spec.mean": torch.zeros(2), "spec.std": torch.ones(2)} | OF_A_NET)


OF_A_NET = {"net.half": torch.tensor([0.5, 3.0]).half(), "net.codes": torch.tensor([2**40])}


def written(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    changed(folder, "conductor_small")
    save_file(tensors, folder / "model.safetensors")
    card = yaml.safe_load((folder / "model.yaml").read_text())
    card["weights"]["sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    (folder / "model.yaml").write_text(yaml.safe_dump(card))
    return folder


def test_the_tensors_of_one_part_are_floats_or_integers_without_its_prefix(small: Path) -> None:
    card, tensors = checkpoint_files.checkpoint_part(str(small), "net.")
    assert card.name == "conductor_small"
    assert {name: (of.dtype, of.tolist()) for name, of in tensors.items()} == {
        "half": (torch.float32, [0.5, 3.0]),
        "codes": (torch.int64, [2**40]),
    }
    with pytest.raises(WeightsError, match=r"is a conductor_ddpm without tensors codec\.\*; name another checkpoint"):
        checkpoint_files.checkpoint_part(str(small), "codec.")


def test_weights_that_are_changed_missing_or_something_else_are_one_line(small: Path, tmp_path: Path) -> None:
    read = checkpoint_files.read_weights
    card = checkpoint_files.read_card(small)
    assert read(small, card).keys() == {"spec.mean", "spec.std", *OF_A_NET}
    file = small / "model.safetensors"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(
        WeightsError, match=r"is not the file that model\.yaml describes: sha256 is .*; the file was ch"
    ):
        read(small, card)
    card.weights["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="is not a weight file of this kind: "):
        read(small, card)
    file.unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: is missing"):
        checkpoint_files.read_card(small)
    for lacking in ("spec.mean", "spec.std"):
        kept = {"spec.mean": torch.zeros(2), "spec.std": torch.ones(2)}
        del kept[lacking]
        folder = written(tmp_path / lacking, kept)
        with pytest.raises(WeightsError, match=f"it lacks {lacking}"):
            read(folder, checkpoint_files.read_card(folder))


def test_another_format_is_refused(tmp_path: Path) -> None:
    folder = changed(tmp_path / "next", "conductor_small")
    card = (folder / "model.yaml").read_text().replace("format: 1", "format: 3")
    (folder / "model.yaml").write_text(card)
    with pytest.raises(WeightsError, match=r"is of checkpoint format 3; this version .* reads 1 and 2$"):
        checkpoint_files.read_card(folder)
    for text, kind in (("- 1", "list"), ("", "NoneType"), ("name: x", "None")):
        (folder / "model.yaml").write_text(text)
        with pytest.raises(WeightsError, match=f"is of checkpoint format {kind}; this version"):
            checkpoint_files.read_card(folder)


def test_cards_are_read_without_torch() -> None:
    code = (
        "import sys; from motion_platform.core import checkpoint_files, plan, registry; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    of_torch = [
        name for name, of in vars(checkpoint_files).items() if str(getattr(of, "__module__", ""))[:5] == "torch"
    ]
    assert of_torch == []  # nor is anything of it named here, which a type checker alone needs
