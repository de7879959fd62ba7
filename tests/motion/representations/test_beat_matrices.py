"""The numbers of DiffuseStyleGesture+, held to its own lines: scipy's from_euler("XYZ") on what a BVH holds."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError
from motion_platform.motion.representations import get_representation
from motion_platform.motion.representations.beat_matrices import _offset
from motion_platform.motion.skeleton import get_skeleton

FRAMES = 6


@pytest.fixture(scope="module")
def kind():
    return get_representation("beat_matrices")


@pytest.fixture
def channels():
    """What a BVH of BEAT holds: the hips' place in centimetres, then three angles a joint, in degrees."""
    random = np.random.default_rng(0)
    place = np.array([30.0, -2.0, -120.0]) + np.cumsum(random.normal(0, 1, (FRAMES, 1, 3)), 0)
    return np.concatenate([place, random.uniform(-80, 80, (FRAMES, 75, 3))], 1)


def of_channels(channels):
    """(joints, rotations) of a clip: only the hips' place counts."""
    joints = np.zeros((FRAMES, 75, 3))
    joints[:, 0] = channels[:, 0] / 100
    turned = Rotation.from_euler("XYZ", channels[:, 1:].reshape(-1, 3), degrees=True).as_quat()
    return joints, turned.reshape(FRAMES, 75, 4)


def theirs(channels):
    """``process_bvh_bugfix`` and the data loader, before their division by mean and deviation."""
    pose = Rotation.from_euler("XYZ", channels.reshape(-1, 3), degrees=True).as_matrix().reshape(FRAMES, 684)
    first = np.concatenate((np.zeros([1, 684]), pose[1:] - pose[:-1]), axis=0)
    second = np.concatenate((np.zeros([1, 684]), first[1:] - first[:-1]), axis=0)
    return np.concatenate((pose, first, second), axis=-1)


def test_every_number_is_theirs(kind, channels):
    made = kind.encode(*of_channels(channels))
    assert made.shape == (FRAMES, 2052)
    assert np.abs(made - theirs(channels)).max() < 1e-6
    assert kind.groups["turns"].stop == 2052


def test_place_and_rotations_come_back_and_joints_are_those_of_the_usual_body(kind, channels):
    joints, turned = of_channels(channels)
    x = torch.from_numpy(kind.encode(joints, turned))
    assert np.abs(kind.place(x).numpy() - joints[:, 0]).max() < 1e-5
    back = kind.rotations(x).numpy()
    assert np.abs((back * turned).sum(-1)).min() > 1 - 1e-6
    placed = kind.decode(x)
    skeleton, body = get_skeleton("beat"), kind.offsets(x)
    for parent, j in skeleton.bones:
        length = (placed[:, j] - placed[:, parent]).norm(dim=-1)
        assert torch.allclose(length, body[j].norm().expand(FRAMES), atol=1e-5)
        assert body[j].norm() > 0, skeleton.joints[j]
    assert torch.equal(body[skeleton.index("LeftHand")] * torch.tensor([-1, 1, 1]), body[skeleton.index("RightHand")])


def test_what_the_published_angles_would_lose_is_refused(kind, channels):
    joints, turned = of_channels(channels)
    joints[3, 0, 1] = 0.95
    with pytest.raises(DataError, match=r"frame 3: the hips are at y = 95 cm; allowed: less than 90"):
        kind.encode(joints, turned)
    with pytest.raises(DataError, match="give finite rotations"):
        kind.encode(joints)


def test_differences_are_divided_by_the_deviation_of_the_number_itself(kind):
    std = np.arange(2052.0)
    assert np.array_equal(kind.deviations(std)[684:1368], kind.deviations(std)[:684])
    assert kind.deviations(std)[5] == 5


def test_joints_own_their_matrices_and_the_differences_of_these(kind):
    assert kind.columns([0]).tolist() == [*range(18), *range(684, 702), *range(1368, 1386)]
    assert len(kind.columns(range(75))) == 2052
    still = np.zeros((3, 75, 3))
    assert kind.contacts(still).tolist() == [[1, 1, 1, 1]] * 2


def test_fingers_of_the_usual_body_are_straight_from_their_first_joint_on():
    """What a hand spreads it spreads in the palm: behind it a finger goes along its own X, by 3 to 4 centimetres."""
    skeleton = get_skeleton("beat")
    body = {name: _offset(name) for name in skeleton.joints}
    for side, sign in (("Left", 1), ("Right", -1)):
        for finger in ("Middle", "Ring", "Pinky", "Index"):
            for number in (2, 3, 4):
                x, y, z = body[f"{side}Hand{finger}{number}"]
                assert (y, z) == (0, 0), finger
                assert 3 <= sign * x <= 4
        assert {body[f"{side}HandThumb{number}"] for number in (2, 3, 4)} == {(sign * 3, 0, 1)}
