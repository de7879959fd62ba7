"""Rotations against scipy, forward kinematics against a chain worked out by scipy."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from motion_platform.motion import rotations


@pytest.fixture
def some():
    return Rotation.random(60, random_state=3)


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array))


def test_conversions_agree_with_scipy(some):
    quaternion, matrix = tensor(some.as_quat()), tensor(some.as_matrix())
    torch.testing.assert_close(rotations.matrix_from_quaternion(quaternion), matrix)
    back = Rotation.from_quat(rotations.quaternion_from_matrix(matrix).numpy())
    assert (back * some.inv()).magnitude().max() < 1e-7
    sixd = np.concatenate([some.as_matrix()[:, :, 0], some.as_matrix()[:, :, 1]], axis=-1)
    torch.testing.assert_close(rotations.sixd_from_matrix(matrix), tensor(sixd))
    torch.testing.assert_close(rotations.sixd_from_quaternion(quaternion), tensor(sixd))
    torch.testing.assert_close(rotations.matrix_from_sixd(tensor(sixd)), matrix)
    back = Rotation.from_quat(rotations.quaternion_from_sixd(tensor(sixd)).numpy())
    assert (back * some.inv()).magnitude().max() < 1e-7


def test_sixd_of_a_network_becomes_a_rotation_and_carries_gradient():
    sixd = torch.randn(4, 7, 6, dtype=torch.float64, requires_grad=True)
    matrix = rotations.matrix_from_sixd(sixd)
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(3, dtype=torch.float64).expand(4, 7, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(4, 7, dtype=torch.float64))
    matrix[..., 2].sum().backward()
    assert torch.isfinite(sixd.grad).all()
    assert sixd.grad.abs().max() > 0


def test_about_y_agrees_with_scipy():
    angles = np.linspace(-4, 4, 9)
    expected = Rotation.from_euler("y", angles[:, None]).as_matrix()
    torch.testing.assert_close(rotations.matrix_about_y(tensor(angles)), tensor(expected))


def test_continuous_removes_sign_flips_only():
    path = Rotation.from_euler("y", np.linspace(0, 9, 40)[:, None]).as_quat()
    flipped = path * np.where(np.arange(40) % 3 == 1, -1, 1)[:, None]
    fixed = rotations.continuous(tensor(flipped)[:, None])[:, 0].numpy()
    assert ((fixed[1:] * fixed[:-1]).sum(-1) > 0).all()
    np.testing.assert_allclose(np.abs((fixed * path).sum(-1)), 1, atol=1e-12)


def test_slerp_agrees_with_scipy(some):
    ends = some[:2]
    weights = np.linspace(0, 1, 11)
    expected = Slerp([0, 1], ends)(weights)
    start, end = tensor(ends.as_quat()[0]).expand(11, 4), tensor(ends.as_quat()[1]).expand(11, 4)
    for sign in (1, -1):
        got = Rotation.from_quat(rotations.slerp(start, sign * end, tensor(weights)).numpy())
        assert (got * expected.inv()).magnitude().max() < 1e-7


def test_forward_kinematics_agrees_with_scipy():
    parents = (-1, 0, 1, 1, 0)
    rng = np.random.default_rng(0)
    offsets, root = rng.normal(size=(5, 3)), rng.normal(size=(6, 3))
    local = Rotation.random(30, random_state=1).as_quat().reshape(6, 5, 4)
    got = rotations.forward_kinematics(tensor(local), tensor(root), tensor(offsets), parents).numpy()
    for t in range(6):
        whole, joints = [Rotation.from_quat(local[t, 0])], [root[t]]
        for j in range(1, 5):
            joints.append(joints[parents[j]] + whole[parents[j]].apply(offsets[j]))
            whole.append(whole[parents[j]] * Rotation.from_quat(local[t, j]))
        np.testing.assert_allclose(got[t], joints, atol=1e-12)
