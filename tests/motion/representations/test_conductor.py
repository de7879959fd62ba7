"""The keypoints of a conductor: published layout in, metres out, and back."""

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion.representations import get_representation
from motion_platform.motion.representations.conductor import HIPS, SHOULDERS

CONDUCTOR = get_representation("conductor")


def standing(frames=5):
    """Somebody in the published normalisation: hip centre (0.5, 0.75), shoulders a fifth of the frame apart."""
    points = {
        "nose": (0.5, 0.28), "left_eye": (0.52, 0.26), "right_eye": (0.48, 0.26), "left_ear": (0.55, 0.27),
        "right_ear": (0.45, 0.27), "left_shoulder": (0.6, 0.4), "right_shoulder": (0.4, 0.4),
        "left_elbow": (0.65, 0.55), "right_elbow": (0.35, 0.55), "left_wrist": (0.6, 0.45),
        "right_wrist": (0.4, 0.45), "left_hip": (0.56, 0.75), "right_hip": (0.44, 0.75),
    }  # fmt: skip
    return np.repeat(np.array([points[joint] for joint in CONDUCTOR.skeleton.joints])[None], frames, 0)


def test_published_normalisation_becomes_a_person_in_metres():
    joints = CONDUCTOR.to_joints(CONDUCTOR.from_keypoints(standing()))
    at = CONDUCTOR.skeleton.index
    assert joints.shape == (5, 13, 3)
    across = joints[:, at("left_shoulder")] - joints[:, at("right_shoulder")]
    np.testing.assert_allclose(across, [[SHOULDERS, 0, 0]] * 5, atol=1e-6)
    hips = (joints[:, at("left_hip")] + joints[:, at("right_hip")]) / 2
    np.testing.assert_allclose(hips, [[0, HIPS, 0]] * 5, atol=1e-6)
    assert 1.6 < joints[0, at("left_eye"), 1] < 1.9
    assert joints[0, at("left_ear"), 0] > 0  # left is X+, as in every skeleton


def test_encode_is_the_way_back_and_loses_only_depth_and_the_last_frame():
    keypoints = standing(6) + np.random.default_rng(0).normal(size=(6, 13, 2)) * 0.05
    features = CONDUCTOR.from_keypoints(keypoints)
    joints = CONDUCTOR.to_joints(features)
    np.testing.assert_allclose(CONDUCTOR.encode(joints), features[:-1], atol=1e-6)
    joints[..., 2] = 0.3
    np.testing.assert_allclose(CONDUCTOR.encode(joints), features[:-1], atol=1e-6)
    np.testing.assert_allclose(CONDUCTOR.keypoints(torch.from_numpy(features)).numpy(), keypoints, atol=1e-6)


def test_columns_of_a_joint_are_its_x_and_y():
    right = CONDUCTOR.skeleton.index("right_wrist")
    assert CONDUCTOR.columns([right]).tolist() == [20, 21]
    assert CONDUCTOR.columns(range(13)).tolist() == list(range(26))
    assert len(CONDUCTOR.part_columns("left_arm")) == 6
    with pytest.raises(UsageError, match="joint 13 is out of range"):
        CONDUCTOR.columns([13])


def test_decode_is_differentiable_for_any_leading_shape():
    x = torch.rand(2, 3, 4, 26, requires_grad=True)
    joints = CONDUCTOR.decode(x)
    assert joints.shape == (2, 3, 4, 13, 3)
    joints.sum().backward()
    assert x.grad.abs().min() > 0


def test_wrong_shapes_are_named():
    with pytest.raises(DataError, match=r"keypoints have shape \(4, 17, 2\), not \(T, 13, 2\)"):
        CONDUCTOR.from_keypoints(np.zeros((4, 17, 2)))
    with pytest.raises(DataError, match=r"not \(\.\.\., T, 26\)"):
        CONDUCTOR.decode(torch.zeros(3, 25))
    with pytest.raises(DataError, match="at least 2 are needed"):
        CONDUCTOR.encode(np.zeros((1, 13, 3)))
    with pytest.raises(UsageError, match="no feet"):
        CONDUCTOR.contacts(np.zeros((2, 13, 3)))
