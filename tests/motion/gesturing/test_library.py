"""The packaged gestures: their phases, their mirror images, and what packing costs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.gesturing import library, smartbody
from motion_platform.motion.io.euler import axis_angle_to_quaternion, forward_kinematics
from motion_platform.motion.retarget import mirror
from motion_platform.motion.skeleton import Skeleton, get_skeleton

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


PHASES = {"ready": 1.0, "strokeStart": 1.2, "emphasis": 1.4, "stroke": 1.6, "relax": 2.0}


def smartbody_clip(frames: int = 90, size: float = 0.6) -> Clip:
    """A body with SmartBody's names whose every joint turns by a sine of its own."""
    named = {joint: smartbody._source(joint) for joint in SKELETON.joints}
    skeleton = Skeleton("smartbody", tuple(named.values()), SKELETON.parents, SKELETON.offsets, {}, {})
    t, random = np.arange(frames)[:, None, None] / 30, np.random.default_rng(0)
    turn = size * np.sin(random.uniform(1, 4, (52, 3)) * t + random.uniform(0, 7, (52, 3)))
    rotations = axis_angle_to_quaternion(turn)
    joints = forward_kinematics(rotations, SKELETON.offsets, SKELETON.parents)
    return Clip(joints.astype(np.float32), 30.0, skeleton, rotations.astype(np.float32), "a")


def test_a_library_is_built_of_smartbodys_files(tmp_path: Path) -> None:
    """Kept: talk gestures of the four sets that are long and large enough, from 0.7 s before the hand is ready on."""
    folder, table = tmp_path / "smartbody", {}
    for place, name, size, end in (
        ("Gestures", "ChrBrad@Idle01_BeatHighBt01", 0.6, 2.0),
        ("Gestures", "ChrBrad@Idle01_MeRt01", 0.6, 2.0),
        ("Gestures", "ChrBrad@Idle01_WeightShift01", 0.6, 2.0),  # no talk gesture
        ("Gestures2", "ChrBrad@Idle01_StopBt01", 0.01, 2.0),  # hardly moves
        ("Locomotion", "ChrBrad@Idle01_OfferBt01", 0.6, 2.0),  # another set
    ):
        (folder / place).mkdir(parents=True, exist_ok=True)
        io.save(smartbody_clip(size=size), folder / place / f"{name}.bvh")
        table[f"smartbody/{place}/{name}.bvh"] = {**PHASES, "relax": end, "name": name, "set": place}
    table["smartbody/Gestures/not there.bvh"] = {**PHASES, "name": "ChrBrad@Idle01_BeatBt07", "set": "Gestures"}
    (tmp_path / "times.json").write_text(json.dumps(table))
    with pytest.raises(DataError, match="no talk gestures of SmartBody"):
        smartbody.build(folder, tmp_path / "times.json")
    (folder / "MaleGestures").mkdir()
    io.save(smartbody_clip(30, 0.1), folder / smartbody.IDLE)
    found = smartbody.build(folder, tmp_path / "times.json")
    high, me = found.gestures
    assert (high.kind, high.hands, me.kind, me.hands) == ("beat_high", ("left", "right"), "me", ("right",))
    assert high.times == pytest.approx([0.7, 0.9, 1.1, 1.3, 1.7])
    assert len(high.rotations) == 56  # from frame 9 to frame 64, a tenth of a second after it relaxes
    assert (found.idle_fps, found.licence) == (30.0, smartbody.LICENCE)
    check_stored("smartbody", {"gesture": high.rotations[::10], "idle": found.idle[::10]}, atol=2e-5)
    (tmp_path / "none.json").write_text("[")
    with pytest.raises(DataError, match="no table of phases"):
        smartbody.build(folder, tmp_path / "none.json")


def test_a_joint_at_rest_lies_along_its_bone() -> None:
    """SmartBody's X axis is the bone; on the right it is turned against it."""
    for joint, bone in (("left_elbow", [1, 0, 0]), ("right_elbow", [1, 0, 0]), ("left_knee", [0, -1, 0]),
                        ("right_knee", [0, 1, 0]), ("spine2", [0, 1, 0]), ("left_foot", [0, 0, 1])):  # fmt: skip
        x, y, z, w = smartbody._rest(joint)
        along = [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)]
        assert along == pytest.approx(bone, abs=1e-9), joint


def test_phases_end_with_the_clip_and_in_order() -> None:
    clip, phases = smartbody_clip(60), {**PHASES, "name": "ChrBrad@Idle01_BeatHigh"}
    assert len(smartbody.gesture_of(clip, phases, "beat").rotations) == 60 - 9
    assert smartbody.gesture_of(clip, {**phases, "ready": 0.5}, "beat").times[0] == 0.5  # the clip begins later
    for wrong in ({"relax": 2.2}, {"stroke": 1.39}, {"ready": 1.21}):
        with pytest.raises(DataError, match="out of order"):
            smartbody.gesture_of(clip, {**phases, **wrong}, "beat")


def test_a_hand_that_turns_half_as_much_as_the_other_moves() -> None:
    gesture = next(g for g in library.packaged().gestures if g.hands == ("left", "right"))
    reach = {side: replace(gesture, hands=(side,)).reach for side in smartbody.SIDES}
    wanted = tuple(side for side in smartbody.SIDES if reach[side] >= 0.5 * max(reach.values()))
    assert smartbody.moving_hands(gesture) == wanted
    still = gesture.rotations.copy()
    right = [list(library.upper()).index(j) for j in library.arm(SKELETON, "right")]
    still[:, right] = still[:1, right]
    assert smartbody.moving_hands(replace(gesture, rotations=still)) == ("left",)


def _written(path: Path, **changes: object) -> Path:
    """A library of one gesture, its head's entries or arrays changed."""
    few = library.packaged().only([library.packaged().gestures[0].name])
    with np.load(few.save(path)) as file:
        fields = {name: file[name] for name in file.files}
    head = json.loads(str(fields["head"]))
    for name, value in changes.items():
        if name in fields:
            fields[name] = value
        else:
            head["gestures"][0][name] = value
    fields["head"] = np.array(json.dumps(head))
    np.savez(path, **fields)
    return path


@pytest.mark.parametrize("fps", [0.001, 1000.0])
def test_a_gesture_has_more_than_no_and_up_to_a_thousand_frames_a_second(tmp_path, fps):
    assert library.load(_written(tmp_path / "a.npz", fps=fps)).gestures[0].fps == fps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 0.0}, "gesture 0: a number is not finite, or 0 frames a second"),
        ({"fps": -1.0}, "gesture 0: a number is not finite, or -1 frames a second"),
        ({"fps": 1000.1}, "gesture 0: a number is not finite, or 1000.1 frames a second"),
        ({"times": [0.0, float("nan"), 0.2, 0.3, 0.4]}, "gesture 0: a number is not finite"),
        ({"times": [0.0, 0.1, 0.2, 0.3, float("inf")]}, "gesture 0: a number is not finite"),
        ({"gesture_000": np.zeros((3, 3), np.int16)}, r"rotations of shape \(3, 3\)"),
        ({"gesture_000": np.zeros((3, 4, 4), np.int16)}, r"rotations of shape \(3, 4, 4\)"),
        ({"gesture_000": np.zeros((3, 4, 3))}, "float64"),
        ({"idle": np.zeros((0, 4, 3), np.int16)}, r"rotations of shape \(0, 4, 3\)"),
    ],
)
def test_a_library_with_a_number_that_is_none_is_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=f"is no library of gestures: .*{message}"):
        library.load(_written(tmp_path / "a.npz", **changes))


def test_a_gesture_of_one_frame_is_that_frame():
    gesture = library.packaged().gestures[0]
    one = replace(gesture, rotations=gesture.rotations[:1])
    assert one.seconds == 0.0
    np.testing.assert_allclose(
        one.poses(np.array([-1.0, 0.0, 2.0])), np.tile(gesture.rotations[:1], (3, 1, 1)), atol=1e-9
    )
    two = replace(gesture, rotations=gesture.rotations[:2])
    np.testing.assert_allclose(two.poses(np.array([9.0]))[0], gesture.rotations[1], atol=1e-9)
