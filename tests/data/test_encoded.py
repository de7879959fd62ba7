"""A prepared set in another representation: the same motion, what is told of it, and new statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.catalog import CATALOG
from motion_platform.core.errors import UsageError
from motion_platform.data.encoded import encoded_as, retargets, rows_of
from motion_platform.data.prepared import PreparedDataset
from motion_platform.motion.representations import get_representation
from motion_platform.motion.representations.base import Representation
from motion_platform.motion.skeleton import get_skeleton

NAME = "plain_joints"


class PlainJoints(Representation):
    """Joint positions as they are, one row a pose."""

    name, skeleton, fps, dim = NAME, get_skeleton("humanml3d"), 20.0, 66
    groups = {"positions": slice(0, 66)}

    def encode(self, joints, rotations=None):
        return self.check_joints(joints).reshape(len(joints), 66).astype(np.float32)

    def decode(self, x):
        return x.unflatten(-1, (22, 3))

    def contacts(self, joints):
        return np.zeros((len(joints) - 1, 4), np.float32)

    def columns(self, joints):
        return torch.tensor([3 * j + k for j in sorted(self.check_indices(joints)) for k in range(3)])


class Turned(PlainJoints):
    """One that wants rotations."""

    name, needs_rotations = "turned", True


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(CATALOG["representations"], NAME, f"{__name__}:PlainJoints")
    monkeypatch.setitem(CATALOG["representations"], "turned", f"{__name__}:Turned")
    get_representation.cache_clear()
    yield
    get_representation.cache_clear()


def test_the_same_joints_and_everything_that_is_told_of_a_clip(sample_dataset: PreparedDataset) -> None:
    made = encoded_as(sample_dataset, NAME)
    assert (made.representation, made.dim, made.ids()) == (NAME, 66, sample_dataset.ids())
    stored = get_representation(sample_dataset.representation)
    for i in (0, 7):
        joints = stored.to_joints(sample_dataset.features(i))
        np.testing.assert_allclose(made.features(i).reshape(-1, 22, 3), joints, atol=1e-5)
        assert made.captions(i) == sample_dataset.captions(i)
        assert (made.labels(i), made.split(i)) == (sample_dataset.labels(i), sample_dataset.split(i))
    train = np.concatenate([made.features(i) for i in made.indices("train")])
    np.testing.assert_allclose(made.spec().mean, train.mean(0), atol=1e-4)


def test_it_is_made_once_and_again_for_another_preparation(sample_dataset: PreparedDataset) -> None:
    first = encoded_as(sample_dataset, NAME)
    state = (first.folder / "state.json").stat().st_mtime_ns
    assert encoded_as(sample_dataset, NAME).folder == first.folder
    assert (first.folder / "state.json").stat().st_mtime_ns == state
    sample_dataset.__dict__["preparation"] = "another"
    try:
        assert encoded_as(sample_dataset, NAME).folder != first.folder
    finally:
        del sample_dataset.__dict__["preparation"]


def test_what_is_stored_is_not_made_again(sample_dataset: PreparedDataset) -> None:
    assert encoded_as(sample_dataset, sample_dataset.representation) is sample_dataset
    assert encoded_as(sample_dataset, "humanml3d_essential") is sample_dataset  # the first columns of what is stored


def test_another_skeleton_and_missing_rotations_are_refused_in_a_line(conductor_folder: Path, sample_dataset) -> None:
    conductors = PreparedDataset.open(conductor_folder)
    with pytest.raises(UsageError, match=r"coco_upper, 30 fps\); plain_joints is of skeleton humanml3d at 20 fps"):
        encoded_as(conductors, NAME)
    with pytest.raises(UsageError, match="without joint rotations, which turned needs"):
        encoded_as(sample_dataset, "turned")


def test_the_packaged_clips_on_kits_body(sample_dataset: PreparedDataset) -> None:
    kit = encoded_as(sample_dataset, "kit_ml")
    assert (kit.representation, kit.meta["skeleton"], kit.fps, kit.dim) == ("kit_ml", "kit", 12.5, 251)
    assert kit.meta["licence"] == sample_dataset.meta["licence"]
    assert kit.ids() == sample_dataset.ids()
    for i in (0, 7, 40):
        assert (kit.captions(i), kit.labels(i), kit.split(i)) == tuple(
            getattr(sample_dataset, what)(i) for what in ("captions", "labels", "split")
        )
        assert kit.frames[i] == (sample_dataset.frames[i] - 1) * 5 // 8 + 1  # 12.5 of 20 frames
    rows = np.concatenate([kit.features(i) for i in kit.indices("train")])
    assert np.isfinite(rows).all()
    assert rows[:, 3].mean() == pytest.approx(560, rel=0.05)  # mm, the mean height of the pelvis in KIT-ML itself
    # the way of a walk is as long as before, counted in lengths of the leg
    walk = next(i for i in range(len(kit)) if kit.labels(i).get("content") == "walk")
    before, after = (
        get_representation(name).to_joints(data.features(walk))[:, 0]
        for name, data in (("humanml3d", sample_dataset), ("kit_ml", kit))
    )
    leg = {name: np.linalg.norm(get_skeleton(name).offsets, axis=1) for name in ("humanml3d", "kit")}
    # the bones that the published retargeting measures a person by: of the left leg, and of KIT's
    scale = leg["kit"][[17, 18]].sum() / leg["humanml3d"][[5, 8]].sum()
    moved = np.linalg.norm((after[-1] - after[0])[[0, 2]]) / np.linalg.norm((before[-1] - before[0])[[0, 2]])
    assert moved == pytest.approx(scale, rel=0.05)


def test_what_may_be_retargeted() -> None:
    assert retargets("humanml3d", "kit_ml")
    assert retargets("humanml3d_essential", "kit_ml")
    for pair in (
        ("kit_ml", "humanml3d"),
        ("humanml3d", "humanml3d_essential"),
        ("conductor", "kit_ml"),
        ("x", "kit_ml"),
    ):
        assert not retargets(*pair)


def test_the_last_pose_goes_on_as_before() -> None:
    chosen = get_representation("humanml3d_essential")
    steps = np.linspace(0, 1, 30)[:, None, None] * [0.0, 0.0, 1.0]
    joints = steps + np.random.default_rng(0).normal(0, 0.2, (1, 22, 3))  # a stiff body that is pushed
    rows = rows_of(chosen, joints)
    assert rows.shape == (30, 67)
    np.testing.assert_allclose(rows[:-1], chosen.encode(joints), atol=1e-5)
    np.testing.assert_allclose(rows[-1, :4], rows[-2, :4], atol=1e-4)  # the same velocity


def test_the_last_rotation_goes_on_as_before() -> None:
    """What is encoded behind the last pose is one more turn of the same size about the same axis."""
    from scipy.spatial.transform import Rotation

    seen: dict[str, np.ndarray] = {}

    class Watched(Turned):
        def encode(self, joints, rotations=None):
            seen.update(joints=joints, rotations=rotations)
            return super().encode(joints)

    first, turn = Rotation.random(22, random_state=0), Rotation.from_rotvec([0.1, -0.2, 0.05])
    rotations = np.stack([(turn**k * first).as_quat() for k in range(4)])
    joints = np.arange(4.0)[:, None, None] ** 2 * np.ones((1, 22, 3))
    assert rows_of(Watched(), joints, rotations).shape == (4, 66)
    assert seen["joints"][:, 0, 0].tolist() == [0, 1, 4, 9, 14]
    np.testing.assert_array_equal(seen["rotations"][:4], rotations)
    assert ((turn**4 * first).inv() * Rotation.from_quat(seen["rotations"][4])).magnitude().max() < 1e-9
    rows_of(Watched(), joints[:1], rotations[:1])  # one pose stays
    np.testing.assert_array_equal(seen["joints"], joints[[0, 0]])
    assert (Rotation.from_quat(seen["rotations"][1]) * first.inv()).magnitude().max() < 1e-9


def test_what_is_told_of_the_work_goes_to_the_error_stream_and_is_cleared(sample_dataset, capsys, monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    made = encoded_as(sample_dataset, NAME)
    told = capsys.readouterr()
    assert told.out == ""
    assert f"encoding as {NAME}" in told.err
    assert told.err.rstrip("\n").endswith("\x1b[2K")
    assert made.meta["report"]["encoded_from"] == "humanml3d"
    assert made.folder.name.startswith(f"sample-{NAME}-")
    assert len(made.folder.name.rpartition("-")[2]) == 12
