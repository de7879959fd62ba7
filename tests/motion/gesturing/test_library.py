"""The packaged gestures: their phases, their mirror images, and what packing costs."""

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.gesturing import library, smartbody
from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.retarget import mirror
from motion_platform.motion.skeleton import get_skeleton

SKELETON = get_skeleton(library.SKELETON)


def turned(gesture):
    """(T, 52, 3) joints of a body that only makes the gesture."""
    rotations = np.zeros((len(gesture.rotations), len(SKELETON), 4))
    rotations[..., 3] = 1
    rotations[:, list(library.upper())] = gesture.rotations
    return rotations, forward_kinematics(rotations, SKELETON.offsets, SKELETON.parents)


def test_every_gesture_has_its_phases_in_order_and_moves_the_hands_that_it_names():
    found = library.packaged()
    assert len(found.gestures) > 100
    assert {"beat", "beat_high", "beat_low", "me", "you", "negation", "all"} <= found.kinds.keys()
    assert "LGPL-2.1" in found.licence
    for gesture in found.gestures:
        assert (np.diff(gesture.times) >= 0).all(), gesture.name
        assert 0 <= gesture.at("emphasis") <= gesture.seconds
        assert gesture.arrival <= gesture.at("emphasis") + 1 / gesture.fps
        assert gesture.reach >= smartbody.SMALLEST
        assert np.allclose(np.linalg.norm(gesture.rotations, axis=-1), 1, atol=1e-6)


def test_a_mirrored_gesture_is_the_gesture_in_a_mirror():
    gesture = next(g for g in library.packaged().gestures if g.hands == ("left",))
    rotations, joints = turned(gesture)
    seen = mirror(Clip(joints.astype(np.float32), gesture.fps, SKELETON, rotations.astype(np.float32)))
    image = gesture.mirrored()
    assert image.hands == ("right",)
    assert np.abs(turned(image)[1] - seen.joints).max() < 1e-5
    assert image.mirrored().hands == gesture.hands


def test_a_gesture_between_frames_lies_between_them():
    gesture = library.packaged().gestures[0]
    poses = gesture.poses(np.array([-1.0, 0.0, 0.5 / gesture.fps, 1e3]))
    assert np.allclose(poses[0], gesture.rotations[0])
    assert np.allclose(poses[1], gesture.rotations[0])
    assert np.allclose(poses[3], gesture.rotations[-1])
    middle = library.blend(gesture.rotations[0], gesture.rotations[1], 0.5)
    assert np.abs((poses[2] * middle).sum(-1)).min() > 1 - 1e-6


def test_saving_keeps_every_turn_and_bad_files_are_one_line(tmp_path):
    found = library.packaged()
    few = found.only([g.name for g in found.gestures[:3]])
    again = library.load(few.save(tmp_path / "few.npz"))
    for a, b in zip(few.gestures, again.gestures, strict=True):
        assert (a.name, a.kind, a.hands, a.times) == (b.name, b.kind, b.hands, b.times)
        turn = library.quaternion_multiply(a.rotations * [-1, -1, -1, 1], b.rotations)
        assert np.linalg.norm(library.rotation_vectors(turn), axis=-1).max() < 2e-4
    with pytest.raises(DataError, match="none of the gestures"):
        found.only(["no such gesture"])
    (tmp_path / "broken.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no library of gestures"):
        library.load(tmp_path / "broken.npz")


@pytest.mark.parametrize(
    ("name", "kind", "hands"),
    [
        ("ChrBrad@Idle01_BeatHighBt01", "beat_high", ("left", "right")),
        ("ChrBrad@Idle01_WeRt01", "we", ("right",)),
        ("ChrBrad@Idle01_WeightShift01", None, None),
        ("ChrConnor@IdleStand01_ScrewYouRt01", None, ("right",)),
        ("ChrBrad@Idle01_YouPointLf01", None, ("left",)),
        ("ChrGarza@IdleStand01_NegateForwardLowRt01", "negation", ("right",)),
    ],
)
def test_names_tell_kind_and_hands(name, kind, hands):
    assert smartbody.kind_of(name) == kind
    assert smartbody.hands_of(name) == hands
