"""ZeroEGGS's features: the published code's numbers, exactly back to joints and rotations, fingers included."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.motion import bodies, io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.representations import get_representation

ZEGGS, GESTURE = get_representation("zeggs"), get_representation("gesture")
NAMES = ["zeggs", "beat", "gesture"]
REFERENCE = np.load(Path(__file__).with_name("zeggs_reference.npz"))


def published():
    """Joints in metres and rotations of the movement that the published code was given."""
    angles, positions = REFERENCE["angles"], REFERENCE["positions"]
    local = Rotation.from_euler("ZYX", angles.reshape(-1, 3), degrees=True).as_quat().reshape(*angles.shape[:2], 4)
    return forward_kinematics(local, positions / 100, ZEGGS.skeleton.parents), local


def moving(representation, frames=9, seed=0):
    """A body of any skeleton that turns, walks and moves every joint."""
    random = np.random.default_rng(seed)
    count = len(representation.skeleton)
    vectors = random.uniform(-1, 1, (1, count, 3)) * np.sin(np.arange(frames)[:, None, None] * 0.3 + 1)
    vectors[:, 0] = np.linspace(0, 2, frames)[:, None] * [0.05, 1, -0.1]
    local = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_quat().reshape(frames, count, 4)
    offsets = np.repeat(random.uniform(-0.2, 0.2, (1, count, 3)), frames, 0)
    offsets[:, 0] = [0.1, 0.9, 0.3] + np.arange(frames)[:, None] * [0.02, 0, 0.01]
    return forward_kinematics(local, offsets, representation.skeleton.parents), local


def test_numbers_are_those_of_the_published_code():
    wanted = REFERENCE["features"]
    assert (ZEGGS.dim, GESTURE.dim) == (1141, 13 + 15 * 52 + 3)
    got = ZEGGS.encode(*published())
    assert got.shape == wanted.shape
    for group, columns in ZEGGS.groups.items():  # centimetres, and centimetres or radians a second
        np.testing.assert_allclose(got[:, columns], wanted[:, columns], atol=2e-3, rtol=1e-5, err_msg=group)


@pytest.mark.parametrize("name", NAMES)
def test_joints_and_rotations_come_back(name):
    representation = get_representation(name)
    joints, local = moving(representation)
    features = torch.from_numpy(representation.encode(joints, local))
    assert len(features) == len(joints)
    np.testing.assert_allclose(representation.decode(features).numpy(), joints, atol=1e-5)  # 0.01 mm
    turned = Rotation.from_quat(representation.rotations(features).numpy().reshape(-1, 4))
    off = (turned * Rotation.from_quat(local.reshape(-1, 4)).inv()).magnitude()
    assert off.max() < 1e-3
    stacked = representation.decode(features.expand(2, 3, -1, -1))
    np.testing.assert_allclose(stacked[1, 2].numpy(), joints, atol=1e-5)


def test_the_first_speeds_are_carried_back_and_the_others_are_differences():
    joints, local = moving(GESTURE)
    x = GESTURE.encode(joints, local)
    place, speed = x[:, GESTURE.groups["positions"]], x[:, GESTURE.groups["velocities"]]
    np.testing.assert_allclose(speed[1:], np.diff(place, axis=0) * 20, atol=1e-2)
    np.testing.assert_allclose(speed[0], speed[1] - (speed[3] - speed[2]), atol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_columns_divide_the_features_among_the_joints(name):
    representation = get_representation(name)
    each = [representation.columns([j]).tolist() for j in range(len(representation.skeleton))]
    assert sorted(chain(*each)) == list(range(representation.dim))
    assert each[0][:13] == list(range(13))
    assert len(representation.speeds) == 6 + 6 * len(representation.skeleton)


def test_every_column_has_its_own_deviation_and_none_below_the_published_floor():
    std = ZEGGS.deviations(np.linspace(0, 1, ZEGGS.dim))
    assert std.min() == 0.01
    np.testing.assert_array_equal(std[20:], np.linspace(0, 1, ZEGGS.dim)[20:])


def test_feet_that_stand_are_seen():
    joints, _ = moving(ZEGGS)
    joints = np.repeat(joints[:1], 4, 0)
    joints[2:, ZEGGS.skeleton.index("RightToeBase")] += 0.1
    assert ZEGGS.contacts(joints).tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_what_cannot_be_encoded_is_refused_in_a_line():
    joints, local = moving(ZEGGS)
    with pytest.raises(DataError, match="positions alone do not say how a hand is turned"):
        ZEGGS.encode(joints)
    with pytest.raises(DataError, match="at least 4"):
        ZEGGS.encode(joints[:3], local[:3])
    with pytest.raises(DataError, match="frame 2 has a NaN"):
        ZEGGS.encode(np.where(np.arange(9)[:, None, None] == 2, np.nan, joints), local)
    with pytest.raises(DataError, match="rotations have shape"):
        ZEGGS.encode(joints, local[:, :5])
    with pytest.raises(DataError, match="rotation of length 0"):
        ZEGGS.encode(joints, local * 0)


def test_a_motion_goes_to_bvh_with_its_fingers_and_comes_back_to_a_tenth_of_a_millimetre(tmp_path):
    joints, local = moving(GESTURE, frames=12)
    x = torch.from_numpy(GESTURE.encode(joints, local))
    spec = MotionSpec("gesture", GESTURE.skeleton.name, 20.0, torch.zeros(GESTURE.dim), torch.ones(GESTURE.dim))
    (clip,) = bodies.clips_of(Motion(x[None], torch.tensor([12]), spec))
    assert clip.rotations.shape == (12, 52, 4)
    io.save([clip], tmp_path / "talk.bvh")
    read = io.load(tmp_path / "talk.bvh", units="cm", up="y")
    assert (read.fps, len(read)) == (20.0, 12)  # public: every frame three times, at 60 fps
    again = bodies.on_skeleton(read, GESTURE.skeleton, 20.0)
    assert np.abs(again.joints - joints).max() < 1e-4
    features = bodies.features_of(read, spec)
    np.testing.assert_allclose(features[:, GESTURE.groups["rotations"]], x[:, GESTURE.groups["rotations"]], atol=1e-4)


def test_a_clip_of_another_body_or_rate_is_brought_to_the_skeleton_or_refused():
    joints, local = moving(ZEGGS, frames=13)
    names = ZEGGS.skeleton
    fast = Clip(joints.astype(np.float32), 60.0, names, local.astype(np.float32))
    slow = bodies.on_skeleton(fast, names, 20.0)
    assert len(slow) == 5
    np.testing.assert_allclose(slow.joints, joints[::3], atol=1e-6)
    off = Rotation.from_quat(slow.rotations.reshape(-1, 4)) * Rotation.from_quat(local[::3].reshape(-1, 4)).inv()
    assert off.magnitude().max() < 1e-5
    with pytest.raises(DataError, match="has 75 joints, but not pelvis, left_hip, right_hip and 49 more of skeleton"):
        bodies.on_skeleton(fast, GESTURE.skeleton, 20.0)
    with pytest.raises(DataError, match="has no joint rotations"):
        bodies.on_skeleton(fast.with_(rotations=None), names, 20.0)


def test_a_long_motion_is_decoded_in_pieces(monkeypatch):
    joints, local = moving(GESTURE, frames=20)
    x = torch.from_numpy(GESTURE.encode(joints, local))
    spec = MotionSpec("gesture", GESTURE.skeleton.name, 20.0, torch.zeros(GESTURE.dim), torch.ones(GESTURE.dim))
    motion = Motion(x[None], torch.tensor([19]), spec)
    (whole,) = bodies.clips_of(motion)
    monkeypatch.setattr(bodies, "FRAMES_AT_ONCE", 8)
    (pieces,) = bodies.clips_of(motion)
    np.testing.assert_allclose(pieces.joints, whole.joints, atol=1e-6)
    np.testing.assert_allclose(pieces.rotations, whole.rotations, atol=1e-6)
    assert ((pieces.rotations[1:] * pieces.rotations[:-1]).sum(-1) > 0).all()  # no sign flips: files interpolate


def test_rotations_of_any_length_are_taken_for_what_they_turn():
    joints, local = moving(GESTURE)
    scales = np.random.default_rng(0).uniform(0.5, 3.0, (*local.shape[:2], 1))
    np.testing.assert_allclose(GESTURE.encode(joints, scales * local), GESTURE.encode(joints, local), atol=1e-5)
