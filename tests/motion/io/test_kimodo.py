"""Joints as kimodo writes them (docs/source/user_guide/output_formats.md of its repository)."""

from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import kimodo
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import get_skeleton

BODY = get_skeleton("humanml3d")
SAME = {
    "Hips": "pelvis", "Spine1": "spine1", "Spine2": "spine2", "Chest": "spine3", "Neck1": "neck", "Head": "head",
    **{
        f"{Side}{theirs}": f"{side}_{ours}"
        for Side, side in (("Left", "left"), ("Right", "right"))
        for theirs, ours in {"Leg": "hip", "Shin": "knee", "Foot": "ankle", "ToeBase": "foot", "Shoulder": "collar",
                             "Arm": "shoulder", "ForeArm": "elbow", "Hand": "wrist"}.items()
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def walk(sample_root: Path) -> Clip:
    path = sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh"
    return to_humanml3d(io.load(path), fps=30.0, uniform=False)


def write(path: Path, joints: np.ndarray) -> Path:
    """The fields that kimodo writes, the joints among them."""
    frames, count = joints.shape[:2]
    turns = np.tile(np.eye(3, dtype=np.float32), (frames, count, 1, 1))
    np.savez(
        path, posed_joints=joints.astype(np.float32), global_rot_mats=turns, local_rot_mats=turns,
        foot_contacts=np.zeros((frames, 4), bool), smooth_root_pos=joints[:, 0], root_positions=joints[:, 0],
        global_root_heading=np.ones((frames, 2), np.float32),
    )  # fmt: skip
    return path


def as_soma(walk: Clip, count: int) -> np.ndarray:
    """(T, count, 3): the walk's joints at their places in the SOMA skeleton, the others beside their parent."""
    skeleton = kimodo.soma(count)
    joints = np.zeros((len(walk), count, 3))
    for j, (name, parent) in enumerate(zip(skeleton.joints, skeleton.parents, strict=True)):
        if name == "Neck2":
            joints[:, j] = walk.joints[:, [BODY.index("neck"), BODY.index("head")]].mean(1)
        elif name in SAME:
            joints[:, j] = walk.joints[:, BODY.index(SAME[name])]
        else:
            joints[:, j] = joints[:, parent] + [0, 0.02, 0.01]
    return joints


def test_the_body_of_smpl_x_is_read_as_it_is(tmp_path: Path, walk: Clip) -> None:
    clip = io.load(write(tmp_path / "a.npz", walk.joints))
    np.testing.assert_array_equal(clip.joints, walk.joints)
    assert clip.skeleton is BODY
    assert clip.fps == 30
    assert "30 fps, as kimodo writes" in clip.info["notes"][0]
    given = io.load(tmp_path / "a.npz", fps=60)
    assert given.fps == 60
    assert "notes" not in given.info


@pytest.mark.parametrize("count", [30, 77])
def test_a_soma_body_becomes_the_22_joints(tmp_path: Path, walk: Clip, count: int) -> None:
    clip = io.load(write(tmp_path / "a.npz", as_soma(walk, count)))
    assert clip.joints.shape == (len(walk), count, 3)
    found, expected = to_humanml3d(clip, uniform=False), to_humanml3d(walk, uniform=False)
    for j, joint in enumerate(BODY.joints):
        apart = np.linalg.norm(found.joints[:, j] - expected.joints[:, j], axis=-1).max()
        assert apart < (0.12 if joint.startswith(("spine", "neck")) else 0.002), joint


def test_the_soma_skeleton_is_that_of_its_authors() -> None:
    """Spot checks against kimodo/skeleton/definitions.py: count, order and parents."""
    whole, small = kimodo.soma(77), kimodo.soma(30)
    assert (len(whole), len(small)) == (77, 30)
    order = {0: "Hips", 7: "HeadEnd", 11: "LeftShoulder", 14: "LeftHand", 18: "LeftHandThumbEnd",
             23: "LeftHandIndexEnd", 39: "RightShoulder", 42: "RightHand", 66: "RightHandPinkyEnd", 67: "LeftLeg",
             72: "RightLeg", 76: "RightToeEnd"}  # fmt: skip
    assert {j: whole.joints[j] for j in order} == order
    order = {7: "Jaw", 14: "LeftHandThumbEnd", 21: "RightHandMiddleEnd", 22: "LeftLeg", 29: "RightToeBase"}
    assert {j: small.joints[j] for j in order} == order
    for skeleton in (whole, small):
        above = {name: skeleton.joints[p] for name, p in zip(skeleton.joints, skeleton.parents, strict=True) if p >= 0}
        assert above["LeftHandMiddleEnd"] == ("LeftHandMiddle4" if skeleton is whole else "LeftHand")
        assert (above["RightLeg"], above["LeftShoulder"], above["Jaw"]) == ("Hips", "Chest", "Head")


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((4, 34, 3)), "robot G1"),
        (np.zeros((4, 23, 3)), r"shape \(4, 23, 3\)"),
        (np.zeros((4, 22)), r"shape \(4, 22\)"),
        (np.zeros((0, 22, 3)), "has 0 frames"),
        (np.full((4, 22, 3), np.inf), "frame 0 has a NaN or infinite"),
    ],
)
def test_what_is_no_person_is_refused(tmp_path: Path, joints: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "a.npz", posed_joints=joints)
    with pytest.raises(DataError, match=message):
        io.load(tmp_path / "a.npz")


def test_options_of_other_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", np.zeros((2, 22, 3)))
    with pytest.raises(UsageError, match="up= is for parameters of SMPL"):
        io.load(path, up="y")
