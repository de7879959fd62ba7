import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "io"))
from bodies import person_bvh

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import bvh
from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.retarget import (
    KIT_PLACES,
    find_places,
    mirror,
    mirror_pairs,
    resample,
    to_humanml3d,
    to_kit,
)
from motion_platform.motion.skeleton import Skeleton, get_skeleton

BODY = get_skeleton("humanml3d")
KIT = get_skeleton("kit")


@pytest.fixture
def person(tmp_path: Path) -> Clip:
    (tmp_path / "a.bvh").write_text(person_bvh(31, angle=15).text)
    return bvh.read(tmp_path / "a.bvh").with_(captions=("a walk",))


def test_a_body_becomes_the_common_one(person: Clip) -> None:
    out = to_humanml3d(person)
    assert (out.fps, out.skeleton, out.captions, out.name) == (20, BODY, ("a walk",), "a")
    assert out.info["convention"] == "mixamo"
    assert len(out) == 21  # one second at 30 fps
    lengths = np.linalg.norm(out.joints[:, 1:] - out.joints[:, list(BODY.parents[1:])], axis=-1)
    expected = np.linalg.norm(BODY.offsets[1:], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(expected, (21, 1)), atol=1e-4)
    assert out.joints[..., 1].min() == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(out.joints[0, 0, [0, 2]], 0, atol=1e-5)
    at = {joint: out.joints[0, j] for j, joint in enumerate(BODY.joints)}
    assert at["left_hip"][0] - at["right_hip"][0] > 0.05
    across = at["left_hip"] - at["right_hip"] + at["left_shoulder"] - at["right_shoulder"]
    assert across[2] == pytest.approx(0, abs=1e-5)


def test_directions_of_bones_are_kept(person: Clip) -> None:
    plain = to_humanml3d(person, uniform=False, fps=30)
    common = to_humanml3d(person, fps=30)
    for name in ("left_knee", "right_elbow", "head", "left_foot"):
        j = BODY.index(name)
        bones = [c.joints[:, j] - c.joints[:, BODY.parents[j]] for c in (plain, common)]
        a, b = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in bones)
        np.testing.assert_allclose(a[:, 1], b[:, 1], atol=1e-4)  # other hips, other heading: compare the slope
        turned = np.arctan2(a[:, 0], a[:, 2]) - np.arctan2(b[:, 0], b[:, 2])
        steep = np.hypot(a[:, 0], a[:, 2]) < 0.05
        np.testing.assert_allclose(turned[~steep], np.median(turned[~steep]), atol=1e-3)
    # unscaled: the same distances as in the source
    source = person.joints[:, person.skeleton.index("LeftHand")] - person.joints[:, person.skeleton.index("RightFoot")]
    ours = plain.joints[:, BODY.index("left_wrist")] - plain.joints[:, BODY.index("right_ankle")]
    np.testing.assert_allclose(np.linalg.norm(ours, axis=-1), np.linalg.norm(source, axis=-1), atol=1e-4)


def test_heading_and_place_of_the_source_do_not_matter(person: Clip) -> None:
    angle = 2.0
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    moved = person.with_(joints=(person.joints @ turn.T + [5, 1, -3]).astype(np.float32), rotations=None)
    np.testing.assert_allclose(to_humanml3d(moved).joints, to_humanml3d(person).joints, atol=1e-4)


def test_it_changes_nothing_the_second_time(person: Clip) -> None:
    once = to_humanml3d(person)
    np.testing.assert_allclose(to_humanml3d(once).joints, once.joints, atol=1e-4)


@pytest.mark.parametrize(
    ("source", "frames", "expected"),
    [(120, 121, 21), (60, 60, 20), (30, 31, 21), (25, 26, 21), (20, 9, 9), (10, 3, 5), (29.97, 300, 200), (30, 1, 1),
     (30, 2, 1)],
)  # fmt: skip
def test_resampling_is_linear_in_time(source: float, frames: int, expected: int) -> None:
    joints = np.arange(frames)[:, None, None] / source * np.ones((1, 2, 3))  # each value is its own time
    out = resample(joints, source, 20)
    assert len(out) == expected
    np.testing.assert_allclose(out[:, 0, 0], np.arange(expected) / 20, atol=1e-9)


def test_a_body_becomes_kits(person: Clip) -> None:
    out = to_kit(person)
    assert (out.fps, out.skeleton, out.captions, out.name, len(out)) == (12.5, KIT, ("a walk",), "a", 13)
    lengths = np.linalg.norm(out.joints[:, 1:] - out.joints[:, list(KIT.parents[1:])], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(np.linalg.norm(KIT.offsets[1:], axis=-1), (13, 1)), atol=1e-4)
    assert out.joints[..., 1].min() == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(out.joints[0, 0, [0, 2]], 0, atol=1e-5)
    at = {joint: out.joints[0, j] for j, joint in enumerate(KIT.joints)}
    across = at["left_hip"] - at["right_hip"] + at["left_shoulder"] - at["right_shoulder"]
    assert across[0] > 0.1  # faces Z+, the left is X+
    assert across[2] == pytest.approx(0, abs=1e-5)


def test_limbs_of_kit_are_bent_as_the_sources(person: Clip) -> None:
    """Angles at knees and elbows, which no turn, bone length or place of a body changes."""
    source = {"left": ("LeftArm", "LeftForeArm", "LeftHand", "LeftUpLeg", "LeftLeg", "LeftFoot")}
    source["right"] = tuple(name.replace("Left", "Right") for name in source["left"])
    out = to_kit(person, fps=30)
    for side, names in source.items():
        joints = [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
        for limb in (slice(0, 3), slice(3, 6)):
            one, other = (_angle(c, limb_names) for c, limb_names in ((person, names[limb]), (out, joints[limb])))
            np.testing.assert_allclose(other, one, atol=1e-3)


def _angle(clip: Clip, names: tuple[str, ...]) -> np.ndarray:
    """(T,) cosine at the middle one of three joints."""
    a, b, c = (clip.joints[:, clip.skeleton.index(name)].astype(float) for name in names)
    lengths = np.linalg.norm(a - b, axis=-1) * np.linalg.norm(c - b, axis=-1)
    return ((a - b) * (c - b)).sum(-1) / lengths


def test_kits_spine_is_where_the_table_of_names_finds_it_again() -> None:
    """joint_names.yaml says where the 22 joints are in KIT's spine; the way there and back ends where it began."""
    kit = Clip(_standing(), 12.5, KIT)
    back = to_kit(to_humanml3d(kit, fps=12.5, uniform=False).with_(name="standing"))
    for name in ("spine1", "spine2", "neck", "left_heel", "right_heel"):
        j = KIT.index(name)
        np.testing.assert_allclose(
            back.joints[:, j] - back.joints[:, 0], kit.joints[:, j] - kit.joints[:, 0], atol=2e-3
        )


def test_a_clip_of_kit_keeps_its_bones() -> None:
    tall = Clip(_standing() * np.float32(1.7), 25.0, KIT)
    out = to_kit(tall)
    assert (out.fps, len(out)) == (12.5, 3)
    np.testing.assert_allclose(np.diff(out.joints, axis=1)[0], np.diff(tall.joints, axis=1)[0], atol=1e-5)


def _standing(frames: int = 5) -> np.ndarray:
    """KIT's person at rest."""
    joints = np.zeros((len(KIT), 3))
    for parent, j in KIT.bones:
        joints[j] = joints[parent] + KIT.offsets[j]
    joints[:, 1] -= joints[:, 1].min()
    return np.repeat(joints[None], frames, 0).astype(np.float32)


def test_resampling_refuses_the_impossible() -> None:
    with pytest.raises(UsageError, match="fps is 0"):
        resample(np.zeros((3, 2, 3)), 30, 0)
    with pytest.raises(DataError, match="at most 1000000"):
        resample(np.zeros((3000, 1, 3)), 0.01, 1000)


def test_one_frame_is_enough(person: Clip) -> None:
    assert len(to_humanml3d(person.with_(joints=person.joints[:1], rotations=person.rotations[:1]))) == 1


def test_places_between_joints_and_end_sites(person: Clip) -> None:
    names = {"left_foot": "LeftToeBase_end", "spine1": {"between": ["Hips", "Spine"], "at": 0.5}}
    out = to_humanml3d(person, names=names, uniform=False, fps=30)
    plain = to_humanml3d(person, uniform=False, fps=30)
    toe = out.joints[:, BODY.index("left_foot")] - plain.joints[:, BODY.index("left_foot")]
    lift = out.joints[:, 0] - plain.joints[:, 0]  # the floor may be lower with the tip of the toe
    np.testing.assert_allclose(np.linalg.norm(toe - lift, axis=-1), 0.05, atol=1e-4)
    spine = out.joints[:, BODY.index("spine1")] - out.joints[:, 0]
    whole = plain.joints[:, BODY.index("spine1")] - plain.joints[:, 0]
    np.testing.assert_allclose(spine, whole / 2, atol=1e-4)


def test_a_skeleton_without_names_we_know_is_refused() -> None:
    clip = Clip(np.zeros((2, 2, 3), np.float32), 20, Skeleton("x", ("a", "b"), (-1, 0)))
    with pytest.raises(DataError, match="of the 22 joints not found"):
        to_humanml3d(clip)


def test_mirroring_swaps_sides_and_is_its_own_inverse(person: Clip) -> None:
    twin = mirror(person)
    left, right = (person.skeleton.index(f"{side}Hand") for side in ("Left", "Right"))
    np.testing.assert_allclose(twin.joints[:, left], person.joints[:, right] * [-1, 1, 1])
    again = mirror(twin)
    np.testing.assert_allclose(again.joints, person.joints)
    np.testing.assert_allclose(again.rotations, person.rotations)
    np.testing.assert_allclose(again.skeleton.offsets, person.skeleton.offsets)


def test_end_sites_are_mirrored_with_their_joints(person: Clip) -> None:
    ends = {"LeftHand": [[0.1, 0.2, 0.3]], "RightHand": [[-0.4, 0.5, 0.6]], "Head": [[0.07, 0.1, 0.0]]}
    twin = mirror(person.with_(info={**person.info, "end_sites": ends}))
    assert twin.info["end_sites"] == {
        "RightHand": [[-0.1, 0.2, 0.3]], "LeftHand": [[0.4, 0.5, 0.6]], "Head": [[-0.07, 0.1, 0.0]]
    }  # fmt: skip


def test_mirrored_rotations_give_the_mirrored_joints(person: Clip) -> None:
    twin = mirror(person)
    positions = np.tile(twin.skeleton.offsets, (len(twin), 1, 1))
    positions[:, 0] = twin.joints[:, 0]
    joints = forward_kinematics(twin.rotations.astype(float), positions, twin.skeleton.parents)
    np.testing.assert_allclose(joints, twin.joints, atol=1e-5)


def test_mirroring_and_retargeting_may_change_places(person: Clip) -> None:
    a, b = to_humanml3d(mirror(person), uniform=False), mirror(to_humanml3d(person, uniform=False))
    np.testing.assert_allclose(a.joints, b.joints, atol=1e-4)
    assert b.skeleton is BODY


@pytest.mark.parametrize(
    ("left", "right"),
    [("LeftArm", "RightArm"), ("Hand_L", "Hand_R"), ("lfemur", "rfemur"), ("lShldr", "rShldr"),
     ("LHipJoint", "RHipJoint"), ("thigh.l", "thigh.r"), ("upperarm_l", "upperarm_r"),
     ("mixamorig:LeftFoot", "mixamorig:RightFoot"),
     ("LThumb", "RThumb"), ("left_wrist", "right_wrist"), ("Bip01 L Thigh", "Bip01 R Thigh"), ("leftEye", "rightEye")],
)  # fmt: skip
def test_twins_by_name(left: str, right: str) -> None:
    assert mirror_pairs((left, right, "root", "lowerback", "Chest", "Spine")) == {left: right, right: left}


def test_a_body_without_sides_cannot_be_mirrored() -> None:
    clip = Clip(np.zeros((2, 2, 3), np.float32), 20, Skeleton("x", ("a", "b"), (-1, 0)))
    with pytest.raises(DataError, match="no left and right"):
        mirror(clip)


def test_what_a_person_names_counts_before_the_structure_too(person: Clip) -> None:
    """A body whose names are of no convention: the joints that are named, and only they, are where they are said."""
    unknown = dict(zip(person.skeleton.joints, (f"{name}Q" for name in person.skeleton.joints), strict=True))
    body = person.skeleton
    clip = person.with_(
        skeleton=Skeleton("odd", tuple(unknown.values()), body.parents, body.offsets), info={}, rotations=None
    )
    convention, found = find_places(clip)
    assert convention == "structure"
    shin, foot = found["left_knee"][0], found["left_ankle"][0]
    convention, own = find_places(clip, {"left_knee": {"between": [shin, foot], "at": 0.25}, "head": found["neck"][0]})
    assert convention == "structure"
    assert own["left_knee"] == (shin, foot, 0.25)
    assert own["head"] == found["neck"]
    assert {k: v for k, v in own.items() if k not in ("left_knee", "head")} == {
        k: v for k, v in found.items() if k not in ("left_knee", "head")
    }
    with pytest.raises(DataError, match=r"'left_knee' is named 'none', which is no joint here; nearest: '\w+'"):
        find_places(clip, {"left_knee": "none"})
    assert find_places(clip, {"mine": {"left_knee": "none"}}) == ("structure", found)  # a convention that is not there


def test_kits_heels_lie_alike_on_both_sides_by_its_own_bones(person: Clip) -> None:
    """The share of the foot at which a heel lies is that of KIT's own bones, ankle to heel of ankle to toes."""
    shares = []
    for side in ("left", "right"):
        ankle, foot, share = KIT_PLACES[f"{side}_heel"]
        assert (ankle, foot) == (f"{side}_ankle", f"{side}_foot")
        heel, toes = (
            np.linalg.norm(KIT.offsets[j])
            for j in range(len(KIT))
            if KIT.joints[j].startswith(side) and KIT.joints[j].split("_")[-1] in ("heel", "toes", "foot", "toe")
        )
        assert share == pytest.approx(heel / (heel + toes), abs=0.05), (heel, toes)
        shares.append(share)
    assert shares[0] == shares[1]
