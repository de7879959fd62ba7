"""Rotations found from positions put every joint back where it was, and do not flip."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.inverse_kinematics import (
    _bent,
    _kabsch,
    arc,
    matrix_to_quaternion,
    posed,
    rest_directions,
    rotations_from_joints,
    swing,
)
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def place(local: np.ndarray, offsets: np.ndarray, root: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """Forward kinematics with scipy: an oracle of its own."""
    joints, turned = [root], [Rotation.from_quat(local[:, 0])]
    for j in range(1, len(parents)):
        joints.append(joints[parents[j]] + turned[parents[j]].apply(offsets[j]))
        turned.append(turned[parents[j]] * Rotation.from_quat(local[:, j]))
    return np.stack(joints, axis=1)


def smooth_motion(skeleton: Skeleton, frames: int = 120, size: float = 0.9, seed: int = 0) -> np.ndarray:
    """Joints of a random smooth motion with constant bones; a whole turn of the body on the way."""
    rng = np.random.default_rng(seed)
    vectors = gaussian_filter1d(rng.normal(size=(frames, len(skeleton), 3)), 8, axis=0, mode="nearest")
    vectors *= size / vectors.std()
    local = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_quat().reshape(frames, len(skeleton), 4)
    spin = Rotation.from_rotvec(np.linspace(0, 2 * np.pi, frames)[:, None] * [0, 1, 0])
    local[:, 0] = (spin * Rotation.from_rotvec(0.3 * vectors[:, 0])).as_quat()
    root = np.cumsum(0.02 * rng.normal(size=(frames, 3)), axis=0)
    assert skeleton.offsets is not None
    return place(local, skeleton.offsets, root, skeleton.parents)


@pytest.mark.parametrize("name", ["humanml3d", "kit"])
def test_joints_come_back(name: str) -> None:
    skeleton = get_skeleton(name)
    joints = smooth_motion(skeleton)
    local, offsets = rotations_from_joints(joints, skeleton)
    again = place(local, offsets, joints[:, 0], skeleton.parents)
    assert np.linalg.norm(again - joints, axis=-1).mean() < 1e-4
    assert np.linalg.norm(again - joints, axis=-1).max() < 1e-3
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, list(skeleton.parents[1:])], axis=-1).mean(0)
    assert np.allclose(np.linalg.norm(offsets[1:], axis=-1), lengths, atol=1e-9)
    assert np.allclose(np.linalg.norm(local, axis=-1), 1)


def test_noise_on_positions_does_not_add_up_along_limbs() -> None:
    skeleton = get_skeleton("humanml3d")
    joints = smooth_motion(skeleton)
    noisy = joints + np.random.default_rng(1).normal(scale=0.004, size=joints.shape)
    local, offsets = rotations_from_joints(noisy, skeleton)
    error = np.linalg.norm(place(local, offsets, noisy[:, 0], skeleton.parents) - noisy, axis=-1)
    assert error.mean() < 0.006  # the noise itself moves each joint by 0.0064
    assert error[:, 20:].mean() < 0.006


def test_rotations_may_be_interpolated_through_whole_turns() -> None:
    """q and -q are one rotation, but between them lies a whole turn: neighbours must have one sign."""
    skeleton = get_skeleton("humanml3d")
    turned = Rotation.from_rotvec(np.linspace(0, 4 * np.pi, 120)[:, None] * [0, 1, 0]).as_matrix()
    joints = np.einsum("tik,tjk->tji", turned, smooth_motion(skeleton, size=0.2))
    local, _ = rotations_from_joints(joints, skeleton)
    assert (local[1:] * local[:-1]).sum(-1).min() > 0.9
    assert local[:, 0, 3].min() < -0.9  # the turn did pass to the other sign


def test_end_joints_have_no_rotation_of_their_own() -> None:
    skeleton = get_skeleton("humanml3d")
    local, _ = rotations_from_joints(smooth_motion(skeleton), skeleton)
    ends = [j for j in range(len(skeleton)) if j not in skeleton.parents]
    assert np.allclose(np.abs(local[:, ends]), [0, 0, 0, 1])


def test_a_bone_that_passes_the_opposite_of_its_rest_direction_does_not_flip() -> None:
    angle = np.linspace(np.pi - 0.5, np.pi + 0.5, 80)
    # Past the pole at a distance of 0.002: the shortest arc alone turns by nearly half a turn between two frames.
    seen = np.stack([np.sin(angle), np.cos(angle), np.full_like(angle, 0.002)], axis=-1)
    seen /= np.linalg.norm(seen, axis=-1, keepdims=True)
    plain = Rotation.from_quat(arc(np.broadcast_to([0.0, 1.0, 0.0], seen.shape), seen))
    smooth = Rotation.from_quat(swing(np.array([0.0, 1.0, 0.0]), seen))
    assert np.degrees((plain[1:] * plain[:-1].inv()).magnitude().max()) > 60
    assert np.degrees((smooth[1:] * smooth[:-1].inv()).magnitude().max()) < 15
    assert np.allclose(smooth.apply([0, 1, 0]), seen, atol=1e-9)


def test_quaternions_of_matrices_agree_with_scipy() -> None:
    rotations = Rotation.random(500, random_state=3)
    ours = matrix_to_quaternion(rotations.as_matrix())
    assert np.allclose(np.abs((ours * rotations.as_quat()).sum(-1)), 1, atol=1e-12)
    half = Rotation.from_rotvec(np.pi * np.eye(3))
    assert np.allclose(np.abs((matrix_to_quaternion(half.as_matrix()) * half.as_quat()).sum(-1)), 1)


def test_degenerate_bodies_give_rotations_all_the_same() -> None:
    line = Skeleton("line", ("a", "b", "c", "d"), (-1, 0, 0, 2))  # two children on one line, no rest pose
    joints = np.zeros((5, 4, 3))
    joints[:, 1] = [0, 1, 0]
    joints[:, 2] = [0, -1, 0]
    local, offsets = rotations_from_joints(joints, line)  # joint d lies on c
    assert np.isfinite(local).all()
    assert np.allclose(place(local, offsets, joints[:, 0], line.parents), joints)
    local, offsets = rotations_from_joints(np.zeros((1, 4, 3)), line)  # all joints in one place, one frame
    assert np.allclose(np.abs(local), [0, 0, 0, 1])
    with pytest.raises(DataError, match="needs"):
        rotations_from_joints(np.zeros((5, 3, 3)), line)


@pytest.mark.parametrize("name", ["humanml3d", "kit", "humanml3d_hands"])
def test_turns_that_positions_leave_open_are_chosen_as_they_were(name: str) -> None:
    """How a bone is turned about itself, in bent limbs and straight ones, with lengths that breathe and still feet."""
    skeleton = get_skeleton(name)
    joints = smooth_motion(skeleton, 60, 0.5, seed=3)
    joints[20:30] = joints[20:21]  # stands still
    joints *= 1 + 0.02 * np.sin(np.arange(60) / 5)[:, None, None]
    joints[40:, 1:] = joints[40:, :1] + joints[0, 1:] - joints[0, :1]
    rotations, offsets = rotations_from_joints(joints, skeleton)[:2]
    check_stored(f"turns_{name}", {"rotations": rotations[::6].astype(np.float32), "offsets": offsets}, atol=1e-4)


def test_bones_without_any_direction_are_not_turned_and_gaps_repeat_what_was() -> None:
    still = swing(np.array([0.0, 1.0, 0.0]), np.zeros((4, 3)))
    np.testing.assert_array_equal(still, np.tile([0.0, 0.0, 0.0, 1.0], (4, 1)))
    seen = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1.0]])
    made = swing(np.array([0.0, 2.0, 0.0]), seen)
    pointed = Rotation.from_quat(made).apply([0.0, 1.0, 0.0])
    np.testing.assert_allclose(pointed, seen[[1, 1, 1, 3]], atol=1e-9)


@pytest.mark.parametrize(("by", "moved"), [(0.0004, False), (0.0006, True)])
def test_a_bone_that_changes_by_half_a_millimetre_is_moved_as_well_as_turned(by: float, moved: bool) -> None:
    skeleton = get_skeleton("humanml3d")
    assert skeleton.offsets is not None
    local = Rotation.random(4 * 22, random_state=1).as_quat().reshape(4, 22, 4)
    joints = place(local, skeleton.offsets, np.ones((4, 3)), skeleton.parents)
    elbow, wrist = skeleton.index("left_elbow"), skeleton.index("left_wrist")
    turned = Rotation.identity()
    way = [elbow]
    while skeleton.parents[way[-1]] >= 0:
        way.append(skeleton.parents[way[-1]])
    for j in reversed(way):
        turned = turned * Rotation.from_quat(local[:, j])
    joints[2, wrist] += turned[2].apply([0.0, by, 0.0])
    clip = Clip(joints.astype(np.float64), 20.0, skeleton, 3 * local)
    found, offsets, tracks = posed(clip)
    np.testing.assert_allclose(found, local, atol=1e-6)
    np.testing.assert_array_equal(offsets, skeleton.offsets)
    assert sorted(tracks) == ([0, wrist] if moved else [0])
    np.testing.assert_allclose(tracks[0], np.ones((4, 3)), atol=1e-6)
    if moved:
        wanted = np.tile(skeleton.offsets[wrist], (4, 1))
        wanted[2, 1] += by
        np.testing.assert_allclose(tracks[wrist], wanted, atol=1e-5)


def test_two_bones_reach_from_start_to_end_on_the_side_where_the_middle_was() -> None:
    random = np.random.default_rng(2)
    start, middle = random.normal(size=(2, 30, 3))
    step = random.normal(size=(30, 3))
    end = start + step / np.linalg.norm(step, axis=-1, keepdims=True) * random.uniform(0.15, 0.89, (30, 1))
    made = _bent(start, middle, end, 0.5, 0.4)
    np.testing.assert_allclose(np.linalg.norm(made - start, axis=-1), 0.5, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(end - made, axis=-1), 0.4, atol=1e-9)
    normal = np.cross(end - start, middle - start)
    np.testing.assert_allclose(((made - start) * normal).sum(-1), 0, atol=1e-9)
    assert ((np.cross(end - start, made - start) * normal).sum(-1) > 0).all()
    far = _bent(np.zeros((2, 3)), np.array([[0.1, 1, 0]] * 2), np.array([[0, 3.0, 0], [0, 0.05, 0]]), 0.5, 0.4)
    np.testing.assert_allclose(far, [[0, 0.5, 0], [0, 0.5, 0]], atol=1e-3)  # stretched, or folded
    still = _bent(
        np.zeros((2, 3)), np.array([[0, 0.5, 0], [0.3, 0.4, 0]]), np.array([[0, 0.8, 0], [0.0, 0, 0]]), 0.5, 0.4
    )
    np.testing.assert_array_equal(still, [[0, 0.5, 0], [0.3, 0.4, 0]])  # no side, or no line: as it was


def test_the_best_turn_of_several_directions_is_that_of_kabsch() -> None:
    random = np.random.default_rng(4)
    rest = random.normal(size=(4, 3))
    turns = Rotation.random(10, random_state=2)
    seen = np.stack([turn.apply(rest) for turn in turns]) + random.normal(0, 0.05, (10, 4, 3))
    for made, places in zip(_kabsch(rest, seen), seen, strict=True):
        wanted = Rotation.align_vectors(places, rest)[0]
        assert (wanted.inv() * Rotation.from_matrix(made)).magnitude() < 1e-4
    line = _kabsch(np.array([[0, 1.0, 0], [0, -1.0, 0]]), np.tile(np.array([[1.0, 0, 0], [-1.0, 0, 0]]), (2, 1, 1)))
    np.testing.assert_allclose(line @ [0, 1.0, 0], [[1, 0, 0]] * 2, atol=1e-3)  # on one line: with the least turn
    np.testing.assert_allclose(line @ [0, 0, 1.0], [[0, 0, 1]] * 2, atol=1e-3)


def test_a_reach_of_half_leaves_half_of_the_error_to_the_elbow() -> None:
    """Whose bones grow in one frame: its hand is missed where nothing gives way, and met where the elbow does."""
    skeleton = get_skeleton("humanml3d")
    joints = smooth_motion(skeleton, 40, 0.5, seed=5)
    elbow, wrist = skeleton.index("left_elbow"), skeleton.index("left_wrist")
    joints[17, elbow] += [0.03, 0.02, -0.03]
    missed = []
    for share in (0.0, 0.5, 1.0):
        local, offsets = rotations_from_joints(joints, skeleton, reach={"hip": 1.0, "shoulder": share})
        again = place(local, offsets, joints[:, 0], skeleton.parents)
        missed.append([np.linalg.norm(again[17, j] - joints[17, j]) for j in (elbow, wrist)])
    (elbow_0, wrist_0), (elbow_half, wrist_half), (elbow_1, wrist_1) = missed
    assert elbow_0 < elbow_half < elbow_1
    assert wrist_0 > wrist_half > wrist_1
    with pytest.raises(KeyError):
        rotations_from_joints(joints, skeleton, reach={"hip": 1.0})


def test_another_bodys_rest_keeps_its_own_shape_and_lengths() -> None:
    skeleton = get_skeleton("humanml3d")
    joints = smooth_motion(skeleton, 20, 0.4)
    assert skeleton.offsets is not None
    rest = 1.1 * skeleton.offsets + np.where(np.arange(22)[:, None] > 0, 0.01, 0.0)
    local, offsets = rotations_from_joints(joints, skeleton, rest=rest)
    np.testing.assert_array_equal(offsets, rest)
    again = place(local, offsets, joints[:, 0], skeleton.parents)
    seen = joints[:, skeleton.index("left_foot")] - joints[:, 0]
    made = again[:, skeleton.index("left_foot")] - again[:, 0]
    cosine = (seen * made).sum(-1) / np.linalg.norm(seen, axis=-1) / np.linalg.norm(made, axis=-1)
    assert cosine.min() > 0.99
    check_stored("turns_rest", {"rotations": local[::4].astype(np.float32)}, atol=1e-4)


def test_bones_rest_as_people_do_with_arms_out_else_as_the_skeleton_or_the_pose_says() -> None:
    skeleton, pose = get_skeleton("humanml3d"), np.random.default_rng(0).normal(size=(22, 3))
    made = rest_directions(skeleton, pose)
    np.testing.assert_allclose(np.linalg.norm(made[1:], axis=-1), 1)
    for joint, wanted in (("left_hip", (0.6, -0.8, 0)), ("right_hip", (-0.6, -0.8, 0)), ("left_wrist", (1, 0, 0)),
                          ("right_elbow", (-1, 0, 0)), ("right_foot", (0, -0.4, 0.92)),
                          ("head", (0, 0.95, 0.3))):  # fmt: skip
        np.testing.assert_allclose(made[skeleton.index(joint)], wanted / np.linalg.norm(wanted))
    kit = get_skeleton("kit")
    assert kit.offsets is not None
    np.testing.assert_allclose(
        rest_directions(kit, pose[:21])[1:], kit.offsets[1:] / np.linalg.norm(kit.offsets[1:], axis=-1, keepdims=True)
    )
    bare = Skeleton("bare", ("a", "b", "c"), (-1, 0, 1))
    np.testing.assert_allclose(
        rest_directions(bare, np.array([[0, 0, 0], [0, 3, 4], [0, 3, 4.0]])), [[0, 0, 0], [0, 0.6, 0.8], [0, 0, 0]]
    )


def test_opposite_directions_are_half_a_turn_apart() -> None:
    for axis in (*np.eye(3), np.array([0.6, 0.0, 0.8])):
        made = Rotation.from_quat(arc(axis[None], -axis[None]))
        np.testing.assert_allclose(made.apply(axis)[0], -axis, atol=1e-9)
        assert made.magnitude()[0] == pytest.approx(np.pi)
        near = np.cross(axis, [0.3, 0.5, -0.2])
        near = -axis + 1e-4 * near / np.linalg.norm(near)
        near /= np.linalg.norm(near)
        np.testing.assert_allclose(Rotation.from_quat(arc(axis[None], near[None])).apply(axis)[0], near, atol=1e-7)
