"""A body whose toes point backwards is told from one that is whole."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.motion.clip import Clip
from motion_platform.motion.mirrored import mirror_note
from motion_platform.motion.retarget import to_kit
from motion_platform.motion.skeleton import Skeleton, get_skeleton

SKELETON = get_skeleton("humanml3d")


def standing(turn: float = 0.0, frames: int = 8) -> np.ndarray:
    """(T, 22, 3) a person that faces Z+, turned about Y by so many degrees."""
    base = SKELETON.offsets.copy()
    for parent, child in SKELETON.bones:
        base[child] += base[parent]
    toes = [SKELETON.index(f"{side}_foot") for side in ("left", "right")]
    ankles = [SKELETON.index(f"{side}_ankle") for side in ("left", "right")]
    base[toes] = base[ankles] + [0.0, -0.05, 0.15]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return np.repeat((base @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T)[None], frames, 0)


def as_clip(joints: np.ndarray) -> Clip:
    return Clip(joints.astype(np.float32), 20.0, SKELETON)


@pytest.mark.parametrize("turn", [0.0, 70.0, 200.0])
def test_a_mirrored_body_is_noted_whichever_way_it_faces(turn: float) -> None:
    joints = standing(turn)
    assert mirror_note(as_clip(joints)) is None
    note = mirror_note(as_clip(joints * [-1, 1, 1]))
    assert note is not None
    assert "feet point backwards" in note


def test_swapped_names_are_noted() -> None:
    swapped = [SKELETON.joints.index(_other(name)) for name in SKELETON.joints]
    assert mirror_note(as_clip(standing()[:, swapped])) is not None


def _other(name: str) -> str:
    if name.startswith("left"):
        return name.replace("left", "right")
    return name.replace("right", "left")


@pytest.mark.parametrize(("share", "noted"), [(0.9, True), (0.8, True), (0.78, False), (0.7, False)])
def test_most_of_the_frames_have_to_show_it(share: float, noted: bool) -> None:
    joints = standing(frames=50)
    joints[: round(share * 50)] *= [-1, 1, 1]
    assert (mirror_note(as_clip(joints)) is not None) == noted


def test_one_foot_alone_is_a_twisted_ankle() -> None:
    joints = standing()
    foot, ankle = SKELETON.index("left_foot"), SKELETON.index("left_ankle")
    joints[:, foot] = joints[:, ankle] + [0.0, -0.05, -0.15]
    assert mirror_note(as_clip(joints)) is None


@pytest.mark.parametrize(("cosine", "noted"), [(-0.35, True), (-0.25, False), (0.0, False)])
def test_feet_that_point_sideways_are_not_backwards(cosine: float, noted: bool) -> None:
    """Feet turned until their cosine to the way the body faces is on either side of the bound."""
    joints = standing()
    for side in ("left", "right"):
        ankle = joints[:, SKELETON.index(f"{side}_ankle")]
        joints[:, SKELETON.index(f"{side}_foot")] = ankle + 0.2 * np.array([np.sqrt(1 - cosine**2), 0.0, cosine])
    forward = np.cross(
        joints[0, SKELETON.index("left_hip")] - joints[0, SKELETON.index("right_hip")],
        joints[0, SKELETON.index("neck")] - joints[0, SKELETON.index("pelvis")],
    )
    assert np.allclose(forward / np.linalg.norm(forward), [0, 0, 1], atol=0.05)
    assert (mirror_note(as_clip(joints)) is not None) == noted


def test_a_body_of_unknown_names_has_no_side() -> None:
    rig = Skeleton("thing", ("a", "b"), (-1, 0), np.zeros((2, 3)))
    assert mirror_note(Clip(np.zeros((3, 2, 3), np.float32), 20.0, rig)) is None


def test_a_body_whose_places_lie_between_its_joints_is_told_from_its_mirror_image() -> None:
    kit = to_kit(as_clip(standing(frames=20)), fps=20.0)
    moved = kit.with_(joints=kit.joints + np.array([40.0, 1.0, -30.0], np.float32))
    assert mirror_note(moved) is None
    assert mirror_note(moved.with_(joints=moved.joints * np.array([-1, 1, 1], np.float32))) is not None
