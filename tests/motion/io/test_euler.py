import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion_platform.motion.io.euler import (
    axis_angle_to_quaternion,
    euler_to_quaternion,
    forward_kinematics,
    quaternion_multiply,
    quaternion_to_axis_angle,
    quaternion_to_matrix,
    unroll,
)


@pytest.mark.parametrize("order", ["XYZ", "ZXY", "YZX", "ZYX", "ZXZ", "Y", "XZ"])
def test_euler_angles_agree_with_scipy(order: str) -> None:
    angles = np.random.default_rng(0).uniform(-4, 4, (50, len(order)))
    ours = quaternion_to_matrix(euler_to_quaternion(angles, ["XYZ".index(c) for c in order]))
    scipy = Rotation.from_euler(order, angles).as_matrix()  # upper case: intrinsic
    np.testing.assert_allclose(ours, scipy, atol=1e-12)


def test_axis_angle_and_product_agree_with_scipy_and_are_finite_at_zero() -> None:
    vectors = np.vstack([np.random.default_rng(1).normal(size=(50, 3)) * 2, np.zeros((1, 3)), [[1e-9, 0, 0]]])
    a, b = Rotation.from_rotvec(vectors), Rotation.from_rotvec(vectors[::-1])
    np.testing.assert_allclose(quaternion_to_matrix(axis_angle_to_quaternion(vectors)), a.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(quaternion_to_axis_angle(-a.as_quat()), a.as_rotvec(), atol=1e-12)
    product = quaternion_multiply(a.as_quat(), b.as_quat())
    np.testing.assert_allclose(quaternion_to_matrix(product), (a * b).as_matrix(), atol=1e-12)


def test_unroll_keeps_rotations_and_removes_jumps() -> None:
    smooth = Rotation.from_euler("y", np.linspace(0, 12, 100)[:, None]).as_quat()
    signs = np.random.default_rng(2).choice([-1.0, 1.0], (100, 1))
    out = unroll(smooth * signs)
    np.testing.assert_allclose(np.abs((out * smooth).sum(-1)), 1)
    assert ((out[1:] * out[:-1]).sum(-1) > 0.9).all()


@pytest.mark.parametrize("size", [1e-15, 1e-13, 1e-11, 1e-6, 1.0, 3.14])
def test_rotation_vectors_of_any_size_come_back(size: float) -> None:
    vector = size * np.array([[2.0, -1.0, 2.0]]) / 3
    for sign in (1, -1):
        np.testing.assert_allclose(
            quaternion_to_axis_angle(sign * axis_angle_to_quaternion(vector)), vector, rtol=1e-9, atol=0
        )


def test_joints_hang_on_their_parents_and_turn_with_them() -> None:
    random = np.random.default_rng(4)
    parents, local = [-1, 0, 1, 0, 3], Rotation.random(15, random_state=1)
    steps = random.normal(size=(5, 3))
    made = forward_kinematics(local.as_quat().reshape(3, 5, 4), steps, parents)
    for t in range(3):
        world = [local[5 * t]]
        places = [steps[0]]
        for j in range(1, 5):
            places.append(places[parents[j]] + world[parents[j]].apply(steps[j]))
            world.append(world[parents[j]] * local[5 * t + j])
        np.testing.assert_allclose(made[t], places, atol=1e-12)
    moving = np.broadcast_to(steps, (3, 5, 3)) + np.arange(3)[:, None, None]
    np.testing.assert_allclose(
        forward_kinematics(local.as_quat().reshape(3, 5, 4), moving, parents)[0], made[0], atol=1e-12
    )
