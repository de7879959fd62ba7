"""VirtualConductor's weights in our networks, against what their own code computes."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.errors import UsageError, WeightsError
from motion_platform.core.schema import Audio, Motion
from motion_platform.encoders.music_mel import MusicMel
from motion_platform.model.run import load_run
from motion_platform.published import virtual_conductor as published_conductor

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("make_m2s_reference", HERE / "make_m2s_reference.py")
theirs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(theirs)


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(HERE / "m2s_reference.npz") as saved:
        return dict(saved)


@pytest.fixture(scope="module")
def saved(reference: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the published names and shapes."""
    shapes = [tuple(map(int, shape.split())) for shape in reference["shapes"].tolist()]
    state = theirs.drawn(reference["names"].tolist(), shapes)
    state["motion_encoder.st_gcn.A"] = torch.from_numpy(reference["graph"])
    path = tmp_path_factory.mktemp("published") / "M2SNet.pt"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def folder(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_conductor.import_m2s(saved, tmp_path_factory.mktemp("ours") / "m2s")


def close(ours: torch.Tensor, original: np.ndarray) -> None:
    assert np.abs(ours.numpy() - original).max() < 1e-5 * np.abs(original).max()


def test_both_networks_and_their_fusion_are_the_originals(folder: Path, reference: dict[str, np.ndarray]) -> None:
    model = load_run(folder).model
    mel, keypoints = theirs.inputs()
    lengths = torch.full((2,), keypoints.shape[1])
    motion = Motion(keypoints.flatten(2), lengths, model.spec)
    with torch.no_grad():
        given = model.conditioning({"music": [Audio(2.0, features={"mel": row.numpy()}) for row in mel]})
        seen = model.trainable.motion_features(motion)
        close(given["music"].encoded, reference["music"])
        close(seen, reference["motion"])
        close(model.trainable.logits(given["music"].encoded, seen).sigmoid(), reference["sync"][..., 0])
        close(model.trainable.sync_probability(given, motion), reference["sync"].mean((1, 2)))
        close(model.trainable.embed(motion), reference["motion"].mean(1))
        close(model.trainable.embed_condition(given), reference["music"].mean(1))


def test_its_music_encoder_is_taken_by_name(folder: Path, reference: dict[str, np.ndarray]) -> None:
    encoder = MusicMel(weights=str(folder))
    assert encoder.frozen
    close(encoder([Audio(2.0, features={"mel": row.numpy()}) for row in theirs.inputs()[0]]).tokens, reference["music"])


def test_every_published_tensor_has_its_place(saved: Path, reference: dict[str, np.ndarray]) -> None:
    found = published_conductor.read_m2s(saved)
    assert len(found) == len(reference["names"]) - 2 == 232
    state = torch.load(saved, weights_only=True)
    floats = [value for name, value in found.items() if value.is_floating_point()]
    unused = sum(state[name].numel() for name in published_conductor.UNUSED)
    assert sum(value.numel() for value in floats) + unused == sum(
        value.numel() for value in state.values() if value.is_floating_point()
    )


class Runs:
    """A pickle of this makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


def test_a_file_that_would_run_code_is_refused_before_it_does(tmp_path: Path) -> None:
    torch.save({"head.weight": Runs(tmp_path / "ran")}, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        published_conductor.read_m2s(tmp_path / "weights.pt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "weights.pt", weights_only=False)  # the trap itself works
    assert (tmp_path / "ran").exists()


def test_what_is_not_the_file(saved: Path, tmp_path: Path) -> None:
    state = torch.load(saved, weights_only=True)

    def says(content: object, match: str) -> None:
        path = tmp_path / "weights.pt"
        torch.save(content, path)
        with pytest.raises(WeightsError, match=match):
            published_conductor.import_m2s(path, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    says([1, 2], "no table of tensors")
    says({**state, "head.weight": torch.zeros(3)}, "head.weight is not of this network")
    says({name: value for name, value in state.items() if "conv4" not in name}, "lacks what becomes")
    says({**state, "fuse_layer.0.bias": torch.zeros(3)}, r"has shape \(3,\), not \(64,\)")
    (tmp_path / "garbage.pt").write_bytes(b"not a zip")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        published_conductor.read_m2s(tmp_path / "garbage.pt")
    with pytest.raises(UsageError, match="is a file"):
        published_conductor.import_m2s(saved, tmp_path / "garbage.pt")
