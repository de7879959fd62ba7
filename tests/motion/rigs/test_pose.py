"""What "no turn" means: the stance is that of upright people, and reading it gives no turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp
from stored_arrays import check_stored

from motion_platform.motion import io
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.rigs.pose import (
    FLEXION,
    LIMBS,
    OUT,
    STANCE,
    frame,
    heading,
    limb_frames,
    read_pose,
    smooth,
    stance_directions,
    turn_between,
)
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


def bodies(count: int, seed: int = 3) -> np.ndarray:
    """(T, 22, 3): bodies whose every bone turns about its stance, by up to a right angle, smoothly in time."""
    random = np.random.default_rng(seed)
    skeleton, stance = get_skeleton("humanml3d"), stance_directions()
    joints = np.zeros((count, 22, 3))
    faced = Rotation.from_rotvec(np.linspace(0, 3.5, count)[:, None] * [0, 1, 0])
    for parent, child in skeleton.bones:
        turns = gaussian_filter1d(random.normal(0, 1.6, (count, 3)), 2.0, axis=0)
        step = Rotation.from_rotvec(turns).apply((0.1 + 0.01 * child) * stance[skeleton.joints[child]])
        joints[:, child] = joints[:, parent] + faced.apply(step)
    return joints


def test_poses_of_any_body_are_what_they_were() -> None:
    joints = bodies(16)
    made: dict[str, np.ndarray] = {}
    for name, pose in {
        "usual": read_pose(joints, 20.0),
        "own": read_pose(joints, 30.0, stance_directions(joints[3])),
        "flat": read_pose(joints[:1], 20.0, slope=0.3),
    }.items():
        assert set(pose.turns) == {"pelvis", "chest", "neck", "left_collar", "right_collar"}
        assert len(pose.frames) == 10
        for kind, turns in (("turn", pose.turns), ("frame", pose.frames)):
            for part, turn in turns.items():
                np.testing.assert_allclose(
                    turn @ turn.transpose(0, 2, 1), np.tile(np.eye(3), (len(turn), 1, 1)), atol=1e-6
                )
                made[f"{name} {kind} {part}"] = turn.astype(np.float32)
    check_stored("poses", made, atol=1e-5)


def test_a_body_faces_where_hips_and_shoulders_do() -> None:
    joints, skeleton = bodies(16), get_skeleton("humanml3d")
    left = sum(
        joints[:, skeleton.index(f"left_{part}")] - joints[:, skeleton.index(f"right_{part}")]
        for part in ("hip", "shoulder")
    ) * [1, 0, 1]
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    np.testing.assert_allclose(heading(joints)[..., 0], left, atol=1e-12)
    np.testing.assert_allclose(heading(joints)[..., 1], np.tile([0, 1, 0], (16, 1)), atol=1e-12)
    np.testing.assert_allclose(heading(joints)[..., 2], np.cross(left, [0, 1, 0]), atol=1e-12)


def test_a_bone_of_no_length_points_as_usual() -> None:
    skeleton, usual, joints = get_skeleton("humanml3d"), stance_directions(), bodies(1)[0]
    foot, ankle = skeleton.index("right_foot"), skeleton.index("right_ankle")
    joints[foot] = joints[ankle]
    made = stance_directions(joints)
    np.testing.assert_array_equal(made["right_foot"], usual["right_foot"])
    for parent, child in skeleton.bones:
        if child != foot:
            step = joints[child] - joints[parent]
            np.testing.assert_allclose(made[skeleton.joints[child]], step / np.linalg.norm(step), atol=1e-12)


def test_part_of_the_way_between_turns_is_that_of_slerp() -> None:
    start, end = (Rotation.random(20, random_state=k) for k in (1, 2))
    end = Rotation.concatenate([end[:18], start[18], start[19] * Rotation.from_rotvec([1e-7, 0, 0])])
    for share in (0.0, 0.25, 0.6, 1.0):
        made = turn_between(start.as_matrix(), end.as_matrix(), share)
        for t in range(20):
            wanted = Slerp([0, 1], Rotation.concatenate([start[t], end[t]]))(share)
            np.testing.assert_allclose(made[t], wanted.as_matrix(), atol=1e-6)


def test_averages_in_time_are_gaussian_and_hold_the_ends() -> None:
    values = np.random.default_rng(1).normal(size=(30, 3))
    np.testing.assert_allclose(smooth(values, 25.0), gaussian_filter1d(values, 2.0, axis=0, mode="nearest"))
    np.testing.assert_allclose(smooth(values, 20.0, 0.25), gaussian_filter1d(values, 5.0, axis=0, mode="nearest"))
    turning = np.exp(1j * values)
    np.testing.assert_allclose(smooth(turning, 25.0), smooth(turning.real, 25.0) + 1j * smooth(turning.imag, 25.0))
    assert smooth(values[:1], 25.0) is not None
    np.testing.assert_array_equal(smooth(values[:1], 25.0), values[:1])
    np.testing.assert_allclose(smooth(values[:2], 25.0), gaussian_filter1d(values[:2], 2.0, axis=0, mode="nearest"))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("limb", ["arm", "leg"])
def test_the_axis_of_a_joint_is_as_seen_where_it_is_clear(limb: str, side: str) -> None:
    """From a bend of 25 degrees on; a straight limb is not twisted; one bent the wrong way is taken for straight."""
    above = Rotation.random(1, random_state=5).as_matrix()
    flip = np.array([-1.0, 1, 1]) if side == "right" else np.ones(3)
    out, flexion = np.array(OUT[limb]) * flip, np.array(FLEXION[limb])
    for bend, twist, seen in ((40, 60, True), (26, -100, True), (90, 108, True), (0, 30, False), (40, 150, False)):
        turned = Rotation.from_rotvec(np.radians(twist) * out)
        bent = turned.apply(np.cos(np.radians(bend)) * out + np.sin(np.radians(bend)) * flexion)
        upper, lower = (np.einsum("ij,j->i", above[0], v)[None] for v in (out, bent))
        first, second = limb_frames(3 * upper, 0.5 * lower, above, limb, side, 20.0)
        usual = above[0] @ np.cross(out, flexion)
        wanted = above[0] @ turned.apply(np.cross(out, flexion)) if seen else usual
        np.testing.assert_allclose(first[0, :, 0], upper[0], atol=1e-9)
        np.testing.assert_allclose(first[0, :, 1], wanted, atol=1e-6, err_msg=f"{bend} {twist}")
        np.testing.assert_allclose(first[0, :, 2], np.cross(upper[0], wanted), atol=1e-6)
        np.testing.assert_allclose(second[0, :, 0], lower[0], atol=1e-9)
    np.testing.assert_allclose(frame(first[0, :, 0] * 2, first[0, :, 0] + first[0, :, 1]), first[0], atol=1e-9)
