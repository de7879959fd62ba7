"""A person in any convention: one walking body, its joints renamed as thirty programs name them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from motion_platform.core.errors import DataError
from motion_platform.motion.body_structure import Body, bare_names, common_affixes, side_of
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import find_places, to_humanml3d
from motion_platform.motion.skeleton import Skeleton, get_skeleton

OURS = get_skeleton("humanml3d")
TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")

CONVENTIONS = yaml.safe_load((Path(__file__).resolve().parents[1] / "fixtures" / "conventions.yaml").read_text())


@pytest.fixture(scope="module")
def walk(sample_root) -> Clip:
    from motion_platform.motion import io

    return to_humanml3d(io.load(sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh"), uniform=False)


def renamed(walk: Clip, convention: str) -> Clip:
    """The walk in a skeleton of another program: its own names and order, joints that the program has not left out."""
    table = CONVENTIONS[convention]
    trunk, limb, sides = table["trunk"], table["limb"], table["sides"]
    names: dict[str, str] = {
        ours: theirs for ours, theirs in zip(TRUNK, trunk.split(" "), strict=True) if theirs != "-"
    }
    for side, written in zip(("left", "right"), sides.split(" "), strict=True):
        words = zip(LIMBS, limb.split(" "), strict=True)
        names |= {f"{side}_{ours}": theirs.format(written) for ours, theirs in words if theirs != "-"}
    kept = [joint for joint in OURS.joints if joint in names]

    def parent(joint: str) -> int:
        above = OURS.parents[OURS.index(joint)]
        while above >= 0 and OURS.joints[above] not in names:
            above = OURS.parents[above]
        return kept.index(OURS.joints[above]) if above >= 0 else -1

    joints = walk.joints[:, [OURS.index(joint) for joint in kept]]
    offsets = np.zeros((len(kept), 3), np.float32)
    skeleton = Skeleton(convention, tuple(names[j] for j in kept), tuple(parent(j) for j in kept), offsets)
    return Clip(joints, walk.fps, skeleton)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_person_is_found_in(convention: str, walk: Clip) -> None:
    found = to_humanml3d(renamed(walk, convention), uniform=False)
    expected = to_humanml3d(walk, uniform=False)
    for part in ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist"):
        for side in ("left", "right"):
            j = OURS.index(f"{side}_{part}")
            apart = np.linalg.norm(found.joints[:, j] - expected.joints[:, j], axis=-1)
            assert apart.max() < 0.01, f"{side}_{part}"
    for joint in ("pelvis", "spine2", "neck", "head"):
        apart = np.linalg.norm(found.joints[:, OURS.index(joint)] - expected.joints[:, OURS.index(joint)], axis=-1)
        assert apart.max() < 0.12, joint


def test_there_are_thirty() -> None:
    assert len(CONVENTIONS) >= 30


def test_what_nearly_all_names_share_is_no_part_of_them() -> None:
    names = ["Bip001 Pelvis", "Bip001 L Thigh", "Bip001 R Thigh", "Bip001 Head", "Bip001 Neck", "Bip001 Spine"]
    assert common_affixes(names) == ("Bip001 ", "")
    assert bare_names(names)[:2] == ["Pelvis", "L Thigh"]
    assert bare_names(["LeftArm", "LeftLeg", "LeftHand", "RightArm", "Head", "Neck"])[0] == "LeftArm"


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("LeftUpLeg", "left"),
        ("L_Thigh", "left"),
        ("thigh.R", "right"),
        ("rShin", "right"),
        ("Head", None),
        ("Hips", None),
    ],
)
def test_the_side_of_a_name(name: str, side: str | None) -> None:
    assert side_of(name, {name, "lShin"}) == side


def test_an_animal_or_half_a_body_is_refused_with_what_was_found(walk: Clip) -> None:
    clip = renamed(walk, "unity")
    kept = [j for j, name in enumerate(clip.skeleton.joints) if "Arm" not in name and "Hand" not in name]
    names = tuple(clip.skeleton.joints[j] for j in kept)
    parents = tuple(kept.index(clip.skeleton.parents[j]) if clip.skeleton.parents[j] >= 0 else -1 for j in kept)
    half = Clip(clip.joints[:, kept], clip.fps, Skeleton("half", names, parents, np.zeros((len(kept), 3), np.float32)))
    with pytest.raises(DataError, match="by its structure: found 1 left and 1 right limbs") as caught:
        to_humanml3d(half)
    assert "--names FILE" in str(caught.value)


def with_joints(clip: Clip, added: list[tuple[str, str, np.ndarray]]) -> Clip:
    """The clip with more joints: (name, the joint it hangs on, (3,) from it)."""
    names, parents, joints = list(clip.skeleton.joints), list(clip.skeleton.parents), clip.joints
    for name, parent, offset in added:
        joints = np.concatenate([joints, joints[:, [names.index(parent)]] + np.asarray(offset, np.float32)], 1)
        parents.append(names.index(parent))
        names.append(name)
    return Clip(joints, clip.fps, Skeleton("more", tuple(names), tuple(parents), np.zeros((len(names), 3), np.float32)))


def moved(clip: Clip, joint: str, place: np.ndarray) -> Clip:
    joints = clip.joints.copy()
    joints[:, clip.skeleton.index(joint)] = place
    return Clip(joints, clip.fps, clip.skeleton)


def hung(clip: Clip, joint: str, parent: str) -> Clip:
    """The clip with a joint that hangs on another one."""
    parents = list(clip.skeleton.parents)
    parents[clip.skeleton.index(joint)] = clip.skeleton.index(parent)
    offsets = np.zeros((len(parents), 3), np.float32)
    return Clip(clip.joints, clip.fps, Skeleton("hung", clip.skeleton.joints, tuple(parents), offsets))


def divided(clip: Clip, above: str, below: str, name: str) -> Clip:
    """The clip with a joint halfway between two."""
    a, b = clip.skeleton.index(above), clip.skeleton.index(below)
    names, parents = list(clip.skeleton.joints), [p + (p >= b) for p in clip.skeleton.parents]
    names.insert(b, name)
    parents.insert(b, a)
    parents[b + 1] = b
    joints = np.insert(clip.joints, b, (clip.joints[:, a] + clip.joints[:, b]) / 2, axis=1)
    offsets = np.zeros((len(names), 3), np.float32)
    return Clip(joints, clip.fps, Skeleton("divided", tuple(names), tuple(parents), offsets))


def places_of(clip: Clip) -> dict[str, str]:
    convention, places = find_places(clip)
    assert convention == "structure"
    return {joint: place[0] for joint, place in places.items() if place[2] == 0}


def test_a_face_is_no_arm(walk: Clip) -> None:
    body = renamed(walk, "sfu")
    for side, x in (("Left", 0.02), ("Right", -0.02)):
        for words in (("EyeSocket", "EyeBall", "EyeTip", "EyeEnd"), ("A", "B", "C", "D")):  # also where no name says it
            body = with_joints(
                body,
                [
                    (f"{side}{name}", f"{side}{words[k - 1]}" if k else "Head", [x, 0, 0.03])
                    for k, name in enumerate(words)
                ],
            )
    found = places_of(body)
    assert (found["left_shoulder"], found["left_elbow"], found["left_wrist"]) == ("LeftArm", "LeftForeArm", "LeftHand")
    assert found["head"] == "Head"


def test_a_long_collar_is_no_upper_arm(walk: Clip) -> None:
    body = renamed(walk, "biovision")  # LeftCollar, LeftShoulder, LeftElbow, LeftWrist
    names = tuple(name.replace("Chest", "Back") for name in body.skeleton.joints)
    body = Clip(body.joints, body.fps, Skeleton("x", names, body.skeleton.parents, body.skeleton.offsets))
    for side in ("Left", "Right"):  # half an upper arm long, as where collars begin at the neck
        body = moved(body, f"{side}Collar", walk.joints[:, OURS.index("neck")])
    found = places_of(body)
    for place, name in (("collar", "Collar"), ("shoulder", "Shoulder"), ("elbow", "Elbow"), ("wrist", "Wrist")):
        assert found[f"left_{place}"] == f"Left{name}"


@pytest.mark.parametrize("words", ["Arm1 Arm2 Arm3 Arm4", "P Q R S"])
def test_without_a_name_that_says_it_the_two_bones_most_alike_are_the_limb(words: str, walk: Clip) -> None:
    names = dict(zip(("Collar", "Shoulder", "Elbow", "Wrist"), words.split(), strict=True))
    body = renamed(walk, "biovision")
    joints = tuple(next((j.replace(a, b) for a, b in names.items() if a in j), j) for j in body.skeleton.joints)
    body = Clip(body.joints, body.fps, Skeleton("unknown", joints, body.skeleton.parents, body.skeleton.offsets))
    for side in ("Left", "Right"):
        body = moved(body, f"{side}{names['Collar']}", walk.joints[:, OURS.index("neck")])
    found = places_of(body)
    assert [found[f"right_{j}"] for j in ("shoulder", "elbow", "wrist")] == [f"Right{n}" for n in words.split()[1:]]


def test_a_neck_may_hang_below_the_arms(walk: Clip) -> None:
    found = places_of(hung(renamed(walk, "motion analysis"), "Neck", "Spine2"))
    assert (found["neck"], found["head"]) == ("Neck", "Head")


def test_a_joint_that_divides_a_bone_is_no_knee(walk: Clip) -> None:
    body = renamed(walk, "sfu")
    names = tuple(
        joint.replace("UpLeg", "UpperLeg01").replace("ForeArm", "LowerArm01") for joint in body.skeleton.joints
    )
    body = Clip(body.joints, body.fps, Skeleton("x", names, body.skeleton.parents, body.skeleton.offsets))
    for side in ("Left", "Right"):
        for above, below in ((f"{side}UpperLeg01", f"{side}Leg"), (f"{side}LowerArm01", f"{side}Hand")):
            body = divided(body, above, below, above.replace("01", "02"))
    found = places_of(body)
    assert [found[f"left_{j}"] for j in ("hip", "knee", "ankle")] == ["LeftUpperLeg01", "LeftLeg", "LeftFoot"]
    assert [found[f"left_{j}"] for j in ("shoulder", "elbow", "wrist")] == ["LeftArm", "LeftLowerArm01", "LeftHand"]


def test_a_body_without_toes_stands_on_its_ankles_and_says_so(walk: Clip) -> None:
    body = renamed(walk, "sfu")
    kept = [j for j, name in enumerate(body.skeleton.joints) if "Toe" not in name]
    names = tuple(body.skeleton.joints[j] for j in kept)
    parents = tuple(kept.index(body.skeleton.parents[j]) if j else -1 for j in kept)
    bare = Clip(body.joints[:, kept], body.fps, Skeleton("bare", names, parents, np.zeros((len(kept), 3), np.float32)))
    found = to_humanml3d(bare, uniform=False)
    assert "put below the ankles" in found.info["notes"][0]
    below = found.joints[:, OURS.index("left_ankle"), 1] - found.joints[:, OURS.index("left_foot"), 1]
    assert 0.02 < np.median(below) < 0.1


@pytest.mark.parametrize(
    ("limbs", "factor", "said"),
    [("LeftArm", 0.45, "the arms are"), ("LeftArm RightArm LeftLeg RightLeg", 0.1, "m under a trunk of")],
)
def test_what_has_no_human_proportions_is_refused(limbs: str, factor: float, said: str, walk: Clip) -> None:
    body = renamed(walk, "sfu")
    names, joints = body.skeleton.joints, body.joints.copy()
    for limb in limbs.split():
        chain = ("Arm", "ForeArm", "Hand") if limb.endswith("Arm") else ("UpLeg", "Leg", "Foot", "ToeBase")
        chain = [names.index(limb.removesuffix("Arm").removesuffix("Leg") + joint) for joint in chain]
        joints[:, chain] = joints[:, chain[:1]] + factor * (joints[:, chain] - joints[:, chain[:1]])
    with pytest.raises(DataError, match=said):
        to_humanml3d(Clip(joints, body.fps, body.skeleton))


def test_two_joints_in_one_place_are_one(walk: Clip) -> None:
    body = renamed(walk, "mixamo")
    body = moved(body, "mixamorig:Spine2", body.joints[:, body.skeleton.index("mixamorig:Spine1")])
    found = to_humanml3d(body, uniform=False)
    expected = to_humanml3d(walk, uniform=False)
    assert found.info["convention"] == "structure"
    for joint in ("left_elbow", "right_knee", "head"):
        apart = np.linalg.norm(found.joints[:, OURS.index(joint)] - expected.joints[:, OURS.index(joint)], axis=-1)
        assert apart.max() < 0.01, joint


def test_an_end_site_is_a_joint_of_its_own_on_the_side_of_its_joint() -> None:
    joints = np.zeros((2, 2, 3))
    joints[:, 1] = [0.0, -0.4, 0.0]
    body = Body(["LeftLeg", "LeftFoot"], [-1, 0], joints, {"LeftFoot": np.full((2, 3), [0.0, -0.4, 0.2])})
    assert body.names == ["LeftLeg", "LeftFoot", "LeftFoot_end"]
    assert (body.parents, body.children(1), body.count) == ([-1, 0, 1], [2], 2)
    assert body.sides == ["left", "left", "left"]
    assert body.bare[2] == "end"
    assert len(body.bare) == len(body.names) == body.x.shape[1] == 3
    assert body.length(1, 2) == pytest.approx(0.2)
