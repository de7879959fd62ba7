"""SmartBody's names, axes and phases: against scipy's rotations, and on their borders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.gesturing import library, smartbody
from motion_platform.motion.gesturing.library import Gesture
from motion_platform.motion.io.euler import axis_angle_to_quaternion, forward_kinematics
from motion_platform.motion.skeleton import Skeleton, get_skeleton

SKELETON = get_skeleton(library.SKELETON)
PHASES = {"ready": 1.0, "strokeStart": 1.2, "emphasis": 1.4, "stroke": 1.6, "relax": 2.0}
UPPER = [SKELETON.joints[j] for j in library.upper()]


def moving(frames: int, size: float = 0.6) -> Clip:
    """A body with SmartBody's names whose every joint turns by a sine of its own."""
    named = tuple(smartbody._source(joint) for joint in SKELETON.joints)
    t, random = np.arange(frames)[:, None, None] / 30, np.random.default_rng(0)
    rotations = axis_angle_to_quaternion(size * np.sin(random.uniform(1, 4, (52, 3)) * t))
    joints = forward_kinematics(rotations, SKELETON.offsets, SKELETON.parents)
    skeleton = Skeleton("smartbody", named, SKELETON.parents, SKELETON.offsets, {}, {})
    return Clip(joints.astype(np.float32), 30.0, skeleton, rotations.astype(np.float32), "a")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("BeatHighLf01", "beat_high"), ("BeatLowBt02", "beat_low"), ("BeatRt01", "beat"), ("ChopBoth01", "chop"),
        ("Idle01_MeLf01", "me"), ("Idle01_WeBt01", "we"), ("Idle01_YouLf01", "you"), ("Idle01_YouRt02", "you"),
        ("Idle01_YouLeft", None), ("Idle01_YouLf01_ToX", None), ("NegativeBt01", "negation"),
        ("NegateForwardRt01", "negation"), ("NoForward", "negation"), ("Idle_SafeBt01", "negation"),
        ("StopForward", "stop"), ("StopBt01", "stop"), ("StopRt01", None), ("OfferBt01", "offer"),
        ("ReceiveBt01", "receive"), ("PleaBt01", "plea"), ("ShrugBt01", "shrug"), ("Contemplate01", "think"),
        ("Idle_Think01", "think"), ("Idle_HereBt01", "here"), ("Idle_WhenRt01", "when"), ("HoweverLf01", "however"),
        ("BesidesLf01", "however"), ("ExampleLf01", "example"), ("Inclusivity01", "all"), ("Surround01", "all"),
        ("Frame01", "size"), ("EmptyLargeBt01", "size"), ("EmptyMedium01", "size"), ("IndicateLeft01", "indicate_left"),
        ("DeicticLeft", "indicate_left"), ("IndicateRight01", "indicate_right"), ("DeicticRight", "indicate_right"),
        ("ScrewYouRt01", None), ("BeatIdle01_ToW", None), ("YouPointLf01", None), ("YouPointRt", None),
        ("Idle03_PleaBt01", None), ("Idle03_ReceiveBt", None), ("Idle03_ShrugBt", None), ("Idle03_MeRt01", None),
        ("Walk01", None),
    ],
)  # fmt: skip
def test_what_a_name_means(name: str, kind: str | None) -> None:
    assert smartbody.kind_of(name) == kind


@pytest.mark.parametrize(
    ("name", "hands"),
    [("ALf", ("left",)), ("ALf01", ("left",)), ("ARt2", ("right",)), ("ABt01", ("left", "right")),
     ("ABoth", ("left", "right")),
     ("ALf01_x", None), ("A01", None)],
)  # fmt: skip
def test_which_hands_a_name_tells(name: str, hands: tuple[str, ...] | None) -> None:
    assert smartbody.hands_of(name) == hands


def test_names_of_all_joints() -> None:
    names = {joint: smartbody._source(joint) for joint in SKELETON.joints}
    assert len(set(names.values())) == 52
    some = {"pelvis": "Hips", "spine3": "Spine2", "head": "Head", "left_collar": "LeftShoulder",
            "right_elbow": "RightForeArm",
            "left_foot": "LeftToeBase", "right_thumb2": "RightHandThumb2", "left_index1": "LeftHandIndex1"}  # fmt: skip
    assert {joint: names[joint] for joint in some} == some


def test_matrices_become_quaternions_as_scipy_has_them() -> None:
    for turn in [*Rotation.random(40, random_state=1), Rotation.identity(), Rotation.from_rotvec([np.pi, 0, 0])]:
        made = Rotation.from_quat(smartbody._quaternion(turn.as_matrix()))
        assert (made * turn.inv()).magnitude() < 1e-6


def test_where_each_joint_has_its_axes_when_the_body_stands() -> None:
    """X along the bone; Z down for arms and fingers, to the right for legs, to the left for the trunk; the right side
    is the left one turned half round about X."""
    half = 0.5**0.5
    wanted = {
        "spine1": ((0, 1, 0), (1, 0, 0)), "head": ((0, 1, 0), (1, 0, 0)), "left_hip": ((0, -1, 0), (-1, 0, 0)),
        "left_knee": ((0, -1, 0), (-1, 0, 0)), "left_foot": ((0, 0, 1), (-1, 0, 0)),
        "left_collar": ((1, 0, 0), (0, -1, 0)), "left_wrist": ((1, 0, 0), (0, -1, 0)),
        "left_pinky3": ((1, 0, 0), (0, -1, 0)), "left_thumb1": ((half, 0, half), (0, -1, 0)),
        "left_ankle": (np.array([0, -0.39871, 0.91707]) / np.hypot(0.39871, 0.91707), (-1, 0, 0)),
    }  # fmt: skip
    assert smartbody._rest("pelvis").tolist() == [0, 0, 0, 1]
    for name, (x, z) in wanted.items():
        turn = Rotation.from_quat(smartbody._rest(name))
        np.testing.assert_allclose(turn.apply([[1, 0, 0], [0, 0, 1]]), [x, z], atol=1e-4, err_msg=name)
        if name.startswith("left_"):
            other = Rotation.from_quat(smartbody._rest("right" + name[4:])).as_matrix()
            np.testing.assert_allclose(other, np.diag([1, -1, -1]) @ turn.as_matrix(), atol=1e-4, err_msg=name)


def test_turns_are_carried_from_joint_axes_to_the_worlds() -> None:
    clip = moving(5)
    made = smartbody.on_hands(clip)
    assert clip.rotations is not None
    for j, name in enumerate(SKELETON.joints):
        above = (
            Rotation.identity() if not j else Rotation.from_quat(smartbody._rest(SKELETON.joints[SKELETON.parents[j]]))
        )
        wanted = above * Rotation.from_quat(clip.rotations[:, j]) * Rotation.from_quat(smartbody._rest(name)).inv()
        assert (wanted.inv() * Rotation.from_quat(made[:, j])).magnitude().max() < 1e-5, name
    np.testing.assert_allclose(np.linalg.norm(made, axis=-1), 1, atol=1e-9)


def test_of_a_gesture_the_trunk_starts_from_rest_and_the_arms_are_kept() -> None:
    clip = moving(90)
    gesture = smartbody.gesture_of(clip, {**PHASES, "name": "ChrBrad@Idle01_BeatHighBt01"}, "beat")
    whole = smartbody.on_hands(clip)
    for k, name in enumerate(UPPER):
        own = Rotation.from_quat(whole[9:65, SKELETON.index(name)])
        if name in library.TRUNK:  # relative to the first frame of the clip
            own = Rotation.from_quat(whole[0, SKELETON.index(name)]).inv() * own
        assert (own.inv() * Rotation.from_quat(gesture.rotations[:, k])).magnitude().max() < 1e-6, name
    assert ((gesture.rotations[1:] * gesture.rotations[:-1]).sum(-1) > 0).all()
    assert gesture.times == (0.7, 0.9, 1.1, 1.3, 1.7)
    assert gesture.hands == ("left", "right")
    assert (gesture.kind, gesture.fps, gesture.name) == ("beat", 30.0, "ChrBrad@Idle01_BeatHighBt01")


def test_phases_may_end_a_tenth_of_a_second_after_the_clip_and_no_later() -> None:
    clip = moving(60)
    last = clip.seconds + 0.1
    phases = {**PHASES, "name": "BeatBt01"}
    assert smartbody.gesture_of(clip, {**phases, "relax": last}, "beat").times[-1] == pytest.approx(
        last - 0.3, abs=1e-4
    )
    with pytest.raises(DataError, match=r"motion 'a': its phases are out of order: \[1\.0, 1\.2, 1\.4, 1\.6, "):
        smartbody.gesture_of(clip, {**phases, "relax": np.nextafter(last, 9)}, "beat")
    same = {name: 1.5 for name in PHASES}
    assert smartbody.gesture_of(clip, {**same, "name": "BeatBt01"}, "beat").times == (0.7,) * 5
    early = smartbody.gesture_of(clip, {**phases, "ready": 0.1}, "beat")
    assert early.times[0] == 0.1
    assert len(early.rotations) == 60


@pytest.mark.parametrize(("share", "both"), [(0.495, False), (0.5051, True), (1.9, True), (2.03, False)])
def test_a_hand_moves_that_turns_half_as_much_as_the_other(share: float, both: bool) -> None:
    rotations = np.zeros((2, len(UPPER), 4))
    rotations[..., 3] = 1.0
    for side, angle in (("left", 0.5), ("right", 0.5 * share)):
        rotations[1, UPPER.index(f"{side}_elbow")] = Rotation.from_rotvec([0, angle, 0]).as_quat()
    gesture = Gesture("x", "beat", ("left", "right"), (0.0,) * 5, rotations, 30.0)
    assert gesture.reach == pytest.approx(0.5 * max(share, 1.0))
    assert smartbody.moving_hands(gesture) == (("left", "right") if both else (("left",) if share < 1 else ("right",)))
    assert replace(gesture, hands=("right",)).reach == pytest.approx(0.5 * share)


@pytest.mark.parametrize(("relax", "kept"), [(0.367, 1), (0.333, 0), (1.0, 1)])
def test_a_gesture_lasts_half_a_second_at_least(relax: float, kept: int, tmp_path: Path) -> None:
    """Frames from 0 to a tenth of a second after it relaxes, and one: sixteen of them are half a second."""
    folder = tmp_path / "smartbody"
    for place in ("Gestures", "MaleGestures"):
        (folder / place).mkdir(parents=True)
    io.save(moving(40, 1.2), folder / "Gestures" / "BeatBt01.bvh")
    io.save(moving(40, 1.2), folder / "Gestures" / "Idle_MeBt01.bvh")
    io.save(moving(30, 0.1), folder / smartbody.IDLE)
    times = {**dict.fromkeys(PHASES, 0.2), "relax": relax, "name": "BeatBt01", "set": "Gestures"}
    whole = {**dict.fromkeys(PHASES, 0.2), "relax": 1.1, "name": "Idle_MeBt01", "set": "Gestures"}
    table = {"smartbody/Gestures/BeatBt01.bvh": times, "smartbody/Gestures/Idle_MeBt01.bvh": whole}
    (tmp_path / "t.json").write_text(json.dumps(table))
    found = smartbody.build(folder, tmp_path / "t.json")
    assert [gesture.name for gesture in found.gestures] == ["BeatBt01", "Idle_MeBt01"][1 - kept :]
    if relax == 0.367:
        assert found.gestures[0].seconds == smartbody.SHORTEST
    assert len(found.idle) == 30
