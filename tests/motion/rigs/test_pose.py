"""What "no turn" means: the stance is that of upright people, and reading it gives no turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform.motion import io
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.rigs.pose import FLEXION, LIMBS, OUT, STANCE, heading, read_pose, stance_directions
from motion_platform.motion.skeleton import get_skeleton

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"


def test_the_stance_is_of_directions_and_near_people_who_walk() -> None:
    """Its numbers are means over other clips; whoever walks is within a fifth of a right angle and half of another."""
    for part, direction in STANCE.items():
        assert np.linalg.norm(direction) == pytest.approx(1.0, abs=0.06), part
    for limb in LIMBS:
        assert np.linalg.norm(OUT[limb]) == np.linalg.norm(FLEXION[limb]) == 1
        assert np.dot(OUT[limb], FLEXION[limb]) == 0
    walk = to_humanml3d(io.load(SAMPLE / "bandai-namco" / "dataset-1_walk_normal_001.bvh"))
    skeleton, stance = get_skeleton("humanml3d"), stance_directions()
    bases = heading(walk.joints)
    seen = {}
    for parent, child in skeleton.bones:
        name = skeleton.joints[child]
        own = np.einsum("tji,tj->ti", bases, walk.joints[:, child] - walk.joints[:, parent]).mean(0)
        seen[name] = own / np.linalg.norm(own)
        if name.rpartition("_")[2] in STANCE:
            assert np.degrees(np.arccos(np.clip(seen[name] @ stance[name], -1, 1))) < 27, name
        if name.startswith("left_"):  # the other side is the mirror image
            np.testing.assert_array_equal(stance[name] * [-1, 1, 1], stance["right" + name[4:]])
    assert np.allclose([np.linalg.norm(direction) for direction in stance.values()], 1)


def test_a_body_in_its_stance_is_not_turned() -> None:
    skeleton, stance = get_skeleton("humanml3d"), stance_directions()
    joints = np.zeros((4, 22, 3))
    for parent, child in skeleton.bones:
        joints[:, child] = joints[:, parent] + 0.2 * stance[skeleton.joints[child]]
    pose = read_pose(joints, 20.0)
    for name, turn in pose.turns.items():
        np.testing.assert_allclose(turn, np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-5, err_msg=name)
    for side, out in (("left", 1.0), ("right", -1.0)):
        np.testing.assert_allclose(pose.frames[f"{side}_shoulder"][0, :, 0], [out, 0, 0], atol=1e-5)
        np.testing.assert_allclose(pose.frames[f"{side}_hip"][0, :, 0], [0, -1, 0], atol=1e-5)
    turned = read_pose(joints @ np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]), 20.0)  # a quarter turn to the left
    np.testing.assert_allclose(turned.turns["pelvis"][0], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], atol=1e-3)
    np.testing.assert_allclose(heading(joints)[0], np.eye(3), atol=1e-6)
