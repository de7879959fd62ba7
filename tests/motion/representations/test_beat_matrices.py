"""The numbers of DiffuseStyleGesture+, held to its own lines: scipy's from_euler("XYZ") on what a BVH holds."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored

from motion_platform.core.errors import DataError
from motion_platform.motion.representations import get_representation
from motion_platform.motion.representations.beat_matrices import _offset
from motion_platform.motion.representations.zeggs import STILL
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


def test_the_usual_body_is_what_it_was_and_the_same_on_both_sides(kind):
    check_stored("beat_body", {"offsets": np.array([_offset(name) for name in kind.skeleton.joints])}, atol=1e-9)
    np.testing.assert_allclose(kind.offsets(torch.zeros(1, 2052)).numpy(), kind._body, atol=1e-7)
    for name in kind.skeleton.joints:
        if name.startswith("Left"):
            assert _offset("Right" + name[4:]) == (-_offset(name)[0], *_offset(name)[1:]), name


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_hips_may_be_as_far_as_the_angles_have_one_meaning(kind, axis, sign):
    limit = (1.8, 0.9, 1.8)[axis]
    turned = np.tile([0.0, 0.0, 0.0, 1.0], (3, 75, 1))
    joints = np.zeros((3, 75, 3))
    joints[1, 0, axis] = sign * (limit - 0.002)
    place = kind.place(torch.from_numpy(kind.encode(joints, turned)))
    np.testing.assert_allclose(place.numpy(), joints[:, 0], atol=1e-4)
    joints[1, 0, axis] = sign * limit
    with pytest.raises(DataError, match=rf"frame 1: the hips are at {'xyz'[axis]} = {100 * sign * limit:.0f} cm"):
        kind.encode(joints, turned)


@pytest.mark.parametrize(
    ("name", "column"), [("LeftFoot", 0), ("LeftToeBase", 1), ("RightFoot", 2), ("RightToeBase", 3)]
)
def test_a_foot_stands_that_moves_less_than_the_published_limit(kind, name, column):
    joints = np.zeros((3, 75, 3))
    foot = kind.skeleton.index(name)
    for factor, stands in ((0.99, 1.0), (1.01, 0.0)):
        joints[1:, foot, 2] = factor * np.sqrt(STILL)
        wanted = np.ones((2, 4))
        wanted[0, column] = stands
        np.testing.assert_array_equal(kind.contacts(joints), wanted)


def test_speeds_and_groups_are_the_two_differences(kind):
    assert kind.speeds == list(range(684, 2052))
    ends = {name: (part.start, part.stop) for name, part in kind.groups.items()}
    assert ends == {"root": (0, 9), "rotations": (9, 684), "velocities": (684, 1368), "turns": (1368, 2052)}
    wanted = np.tile(np.maximum(np.linspace(0, 1, 684), 1e-6), 3)
    np.testing.assert_array_equal(kind.deviations(np.concatenate([np.linspace(0, 1, 684), np.ones(1368)])), wanted)
