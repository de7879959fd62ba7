"""Rotations found from positions put every joint back where it was, and do not flip."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored

from motion_platform.core.errors import DataError
from motion_platform.motion.inverse_kinematics import arc, matrix_to_quaternion, rotations_from_joints, swing
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
