"""A person in any convention: one walking body, its joints renamed as thirty programs name them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from motion_platform.core.errors import DataError
from motion_platform.motion.body_structure import (
    Body,
    _along,
    bare_names,
    common_affixes,
    locate_by_structure,
    side_of,
)
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


def stick(
    **changed: tuple[str, tuple[float, float, float]] | None,
) -> dict[str, tuple[str, tuple[float, float, float]]]:
    """name -> (parent, place in metres) of a body with arms out whose names say a side and nothing else; changes:
    another place, or None for a joint that is not there."""
    made: dict[str, tuple[str, tuple[float, float, float]]] = {
        "root": ("", (0, 1, 0)), "back": ("root", (0, 1.25, 0)), "chest": ("back", (0, 1.45, 0)),
        "neck": ("chest", (0, 1.5, 0)), "head": ("neck", (0, 1.65, 0)),
    }  # fmt: skip
    for side, x in (("Left", 1), ("Right", -1)):
        made |= {
            f"{side}A": ("root", (x * 0.1, 0.95, 0)), f"{side}B": (f"{side}A", (x * 0.1, 0.5, 0)),
            f"{side}C": (f"{side}B", (x * 0.1, 0.1, 0)), f"{side}D": (f"{side}C", (x * 0.1, 0.02, 0.12)),
            f"{side}P": ("chest", (x * 0.05, 1.4, 0)), f"{side}Q": (f"{side}P", (x * 0.2, 1.4, 0)),
            f"{side}R": (f"{side}Q", (x * 0.48, 1.4, 0)), f"{side}S": (f"{side}R", (x * 0.73, 1.4, 0)),
        }  # fmt: skip
    for name, place in changed.items():
        if place is None:
            del made[name]
        else:
            made[name] = place
    return made


def body_of(tree: dict[str, tuple[str, tuple[float, float, float]]], tips: dict[str, tuple] | None = None) -> Body:
    def depth(name: str) -> int:
        return 1 + depth(tree[name][0]) if name else 0

    names = sorted(tree, key=depth)  # parents first
    joints = np.tile(np.array([tree[name][1] for name in names], float), (2, 1, 1))
    parents = [names.index(tree[name][0]) if tree[name][0] else -1 for name in names]
    return Body(names, parents, joints, {j: np.tile(np.array(tip, float), (2, 1)) for j, tip in (tips or {}).items()})


def found_in(tree: dict[str, tuple[str, tuple[float, float, float]]], tips: dict[str, tuple] | None = None) -> dict:
    return locate_by_structure(body_of(tree, tips), "x")


def test_every_joint_of_a_body_with_letters_for_names_is_found() -> None:
    found = found_in(stick())
    for side in ("left", "right"):
        letters = dict(
            zip(("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist"), "ABCDPQRS", strict=True)
        )
        for joint, letter in letters.items():
            assert found[f"{side}_{joint}"] == (f"{side.title()}{letter}",) * 2 + (0.0,)
    for joint, name in (("pelvis", "root"), ("neck", "neck"), ("head", "head")):
        assert found[joint] == (name, name, 0.0)
    # The trunk of 0.5 m: 0.25 + 0.2 + 0.05; the shares are of that way.
    for joint, share in (("spine1", 0.24), ("spine2", 0.5), ("spine3", 0.6)):
        first, second, part = found[joint]
        height = {"root": 1.0, "back": 1.25, "chest": 1.45, "neck": 1.5}
        assert height[first] + part * (height[second] - height[first]) == pytest.approx(1 + 0.5 * share)
        assert 0 <= part <= 1


def test_legs_are_the_lower_of_two_pairs_that_hang_on_one_joint() -> None:
    """Also where the pair that is longer, and named first, is above."""
    tree = stick()
    tree = {
        name: (("root" if parent == "chest" and name[-1] == "P" else parent), at) for name, (parent, at) in tree.items()
    }
    for first in ("A", "P"):
        order = sorted(
            tree,
            key=lambda name: (
                len(name) < 6 and name[-1:].isupper(),
                name[-1] not in ("ABCD" if first == "A" else "PQRS"),
            ),
        )
        trunk = ["root", "back", "chest", "neck", "head"]
        ordered = {name: tree[name] for name in [*trunk, *(n for n in order if n not in trunk)]}
        found = found_in(ordered)
        assert (found["left_hip"][0], found["left_shoulder"][0]) == ("LeftA", "LeftQ")
    # Turned over, the letters change places: what is below are the legs.
    over = {name: (parent, (x, 3 - y if name not in trunk else y, z)) for name, (parent, (x, y, z)) in tree.items()}
    found = found_in(over)
    assert (found["left_hip"][0], found["right_wrist"][0]) == ("LeftQ", "RightC")


def test_a_side_begins_where_no_parent_has_it() -> None:
    """One limb of many long bones a side is one limb, not two."""
    tree = stick(**{f"{side}{letter}": None for side in ("Left", "Right") for letter in "ABCD"})
    for side, x in (("Left", 1), ("Right", -1)):
        tree |= {f"{side}T": (f"{side}S", (x * 1.0, 1.4, 0)), f"{side}U": (f"{side}T", (x * 1.25, 1.4, 0))}
    with pytest.raises(DataError, match="found 1 left and 1 right limbs, not two of each"):
        found_in(tree)


@pytest.mark.parametrize("far", [0.019, 0.021])
def test_joints_less_than_two_centimetres_apart_are_one(far: float) -> None:
    body = body_of({"a": ("", (0, 0, 0)), "b": ("a", (0, far, 0)), "c": ("b", (0, 1, 0)), "d": ("c", (0, 1 + far, 0))})
    assert body.chain(0) == ([1, 2] if far < 0.02 else [0, 1, 2, 3])
    only = body_of({"a": ("", (0, 0, 0))}, {"a": (0, far, 0)})
    assert only.chain(0) == ([0] if far < 0.02 else [0, 1])


def test_the_way_goes_down_the_largest_child_and_of_equal_ones_the_first() -> None:
    tree = {"a": ("", (0, 0, 0)), "b": ("a", (0, 1, 0)), "c": ("a", (0.5, 0, 0)), "d": ("c", (1.1, 0, 0))}
    assert body_of(tree).chain(0) == [0, 2, 3]  # 0.5 + 0.6 is more than 1
    assert body_of(tree | {"d": ("c", (0.9, 0, 0))}).chain(0) == [0, 1]
    assert body_of(tree | {"d": ("c", (1.0, 0, 0))}).chain(0) == [0, 1]
    assert body_of(tree).size(0) == pytest.approx(2.1)
    assert body_of({**tree, "Twist": ("d", (1.5, 0, 0)), "e": ("Twist", (2, 0, 0))}).chain(0) == [0, 2, 3, 5]


def lengths(*bones: float, names: str = "abcdef") -> Body:
    """A chain of bones of these lengths."""
    ends = np.cumsum([0.0, *bones])
    words = names.split() if " " in names else list(names)
    return body_of({words[k]: (words[k - 1] if k else "", (0.0, float(end), 0.0)) for k, end in enumerate(ends)})


@pytest.mark.parametrize(
    ("bones", "names", "start"),
    [
        ((0.4, 0.4, 0.1), "abcd", 0),
        ((0.1, 0.4, 0.4), "abcd", 1),
        ((0.4, 0.21), "abc", 0),
        ((0.21, 0.4), "abc", 0),
        ((0.4, 0.19), "abc", -1),  # one is less than half of the other
        ((0.19, 0.4), "abc", -1),
        ((0.25, 0.5), "abc", 0),
        ((0.1, 0.5), "a knee c", 0),
        ((0.4, 0.09), "a knee c", 0),  # unless a name says it: a fifth
        ((0.4, 0.09), "a elbow c", 0),
        ((0.4, 0.07), "a knee c", -1),
        ((0.4, 0.4, 0.2), "a b elbow d", 1),  # the name counts more than the lengths
        ((0.40, 0.40, 0.405), "abcd", 0),  # hardly longer and less alike: the first
        ((0.40, 0.40, 0.43), "abcd", 0),
        ((0.40, 0.42, 0.43), "abcd", 1),
        ((0.4,), "ab", -1),
    ],
)  # fmt: skip
def test_where_the_two_long_bones_of_a_limb_begin(bones: tuple[float, ...], names: str, start: int) -> None:
    body = lengths(*bones, names=names)
    assert body.long_bones(body.chain(0)) == start
    wanted = sum(bones[start : start + 2]) if start >= 0 else 0.0
    assert body.limb(0) == pytest.approx(wanted)


def test_limbs_may_differ_as_people_do_and_no_more() -> None:
    for reach, good in ((0.272, True), (0.258, False)):  # of 0.53: half, a little more and less
        left = stick(
            LeftP=("chest", (0.15, 1.4, 0)),
            LeftR=("LeftQ", (0.2 + reach * 28 / 53, 1.4, 0)),
            LeftS=("LeftR", (0.2 + reach, 1.4, 0)),
        )
        if good:
            assert found_in(left)["left_wrist"][0] == "LeftS"
        else:
            with pytest.raises(DataError, match=r"the arms are 0\.26 and 0\.53 m long, which no person's are"):
                found_in(left)
    for leg, good in ((0.172, True), (0.160, False)):  # a quarter of 0.65 m from pelvis to head is 0.1625
        short = {}
        for side, x in (("Left", 0.1), ("Right", -0.1)):
            ends = {"B": 0.95 - leg / 2, "C": 0.95 - leg, "D": 0.95 - leg - 0.01}
            above = {"B": "A", "C": "B", "D": "C"}
            short |= {f"{side}{k}": (f"{side}{above[k]}", (x, y, 0.12 * (k == "D"))) for k, y in ends.items()}
        if good:
            assert found_in(stick(**short))["left_ankle"][0] == "LeftC"
        else:
            with pytest.raises(DataError, match=r"legs of 0\.16 m under a trunk of 0\.65 m are no person's"):
                found_in(stick(**short))


def test_a_limb_of_less_than_a_quarter_of_the_longest_is_none() -> None:
    """A wing of letters that hangs below the arms: long enough to be one, or not."""
    for long, counted in ((0.2, False), (0.22, True)):  # of a leg of 0.85 m: a quarter is 0.2125
        tree = stick()
        for side, x in (("Left", 1), ("Right", -1)):
            for k in "PQRS":
                del tree[f"{side}{k}"]
            ends = (("X", "chest", 0.05), ("Y", f"{side}X", 0.05 + long / 2), ("Z", f"{side}Y", 0.05 + long))
            tree |= {f"{side}{name}": (parent, (x * end, 1.4, 0)) for name, parent, end in ends}
        if counted:
            assert found_in(tree)["left_shoulder"][0] == "LeftX"
        else:
            with pytest.raises(DataError, match="found 1 left and 1 right limbs"):
                found_in(tree)


def test_what_stands_between_is_filled_in() -> None:
    tree = stick(
        LeftP=None,
        RightP=None,
        LeftQ=("chest", (0.2, 1.4, 0)),
        RightQ=("chest", (-0.2, 1.4, 0)),
        LeftD=None,
        RightD=None,
    )
    found = found_in(tree)
    assert found["left_collar"] == ("neck", "LeftQ", 0.42)
    assert found["right_foot"] == ("RightB", "RightC", 1.15)
    headless = {**tree, "head": ("chest", (0, 1.65, 0))}
    del headless["neck"]
    found = found_in(headless)
    assert found["neck"] == ("chest", "head", 0.5)
    assert found["left_collar"] == ("chest", "LeftQ", 0.42)


def test_neck_and_head_by_their_names_or_by_the_way_up() -> None:
    assert found_in(stick())["neck"][0] == "neck"
    two = stick(neck=("chest", (0, 1.48, 0)), n2=("neck", (0, 1.55, 0)), head=("n2", (0, 1.65, 0)))
    found = found_in(two)
    assert (found["neck"][0], found["head"][0]) == ("n2", "head")
    tree = {
        name.replace("neck", "u").replace("head", "v"): (parent.replace("neck", "u"), at)
        for name, (parent, at) in stick().items()
    }
    found = found_in({**tree, "w": ("chest", (0, 1.4, 0.1))})  # a shorter way up is no head
    assert (found["neck"][0], found["head"][0]) == ("u", "v")
    only = {name: entry for name, entry in tree.items() if name != "v"}
    assert found_in(only)["head"][0] == "u"
    with pytest.raises(DataError, match="nothing stands above the arms: no neck and no head"):
        found_in({name: entry for name, entry in tree.items() if name not in "uv"})


def test_limbs_that_hang_on_no_common_joint_are_refused() -> None:
    tree = stick()
    tree |= {"other": ("", (0, 0.95, 0)), "RightA": ("other", (-0.1, 0.95, 0))}
    ordered = dict(sorted(tree.items(), key=lambda item: item[0] != "other"))
    with pytest.raises(DataError, match="the legs, or the arms, hang on no joint that both have"):
        found_in(ordered)


@pytest.mark.parametrize(
    ("name", "others", "side"),
    [
        ("lthigh", {"rthigh"}, "left"), ("lthigh", {"Rthigh"}, "left"), ("lthigh", {"head"}, None),
        ("rthigh", {"lthigh"}, "right"), ("lThigh", set(), "left"),
        ("thighl", {"thighr"}, "left"), ("thighl", {"thighR"}, "left"), ("thighr", {"thighl"}, "right"),
        ("thighR", {"thighL"}, "right"), ("thighl", {"thigh"}, None), ("pedal", {"hand"}, None),
        ("foot.l", set(), "left"), ("UpperLegR", set(), "right"), ("bright", set(), "right"),
    ],
)  # fmt: skip
def test_a_letter_before_or_behind_is_a_side_where_the_other_is_there(name: str, others: set[str], side: str) -> None:
    assert side_of(name, others) == side


def test_affixes_are_those_of_four_of_five_names() -> None:
    names = [f"rig:{k}_jnt" for k in ("hips", "spine", "chest", "neck")]
    assert common_affixes(names) == ("", "")  # four names say nothing
    assert common_affixes([*names, "rig:head_jnt"]) == ("rig:", "_jnt")
    assert common_affixes([*names, "prop"]) == ("rig:", "_jnt")
    assert common_affixes([*names[:3], "neck", "prop"]) == ("", "")
    assert common_affixes(["Arm1", "Arm2", "Arm3", "Arm4", "Arm5"]) == ("", "")  # only up to a separator
    assert bare_names([*names, "prop"]) == ["hips", "spine", "chest", "neck", "prop"]
    assert bare_names([*names, "_jnt"])[-1] == "_jnt"
    assert bare_names(["a:", "b:c", "d", "e", "f"]) == ["a:", "c", "d", "e", "f"]


def test_a_place_on_a_way_is_a_share_of_its_length() -> None:
    body = lengths(1.0, 2.0, 1.0)
    for share, place in ((0.0, 0.0), (0.1, 0.4), (0.25, 1.0), (0.5, 2.0), (0.9, 3.6), (1.0, 4.0)):
        first, second, part = _along(body, [0, 1, 2, 3], share)
        ends = [0.0, 1.0, 3.0, 4.0]
        assert ends[first] + part * (ends[second] - ends[first]) == pytest.approx(place)
        assert second == first + 1
    assert _along(lengths(0.0, 0.0), [0, 1, 2], 0.5)[2] == 0.0
    assert _along(body, [0, 1, 2, 3], 0.25) == (0, 1, 1.0)  # at a joint: the end of the bone before it


@pytest.mark.parametrize(("limb", "word"), [("B", "Shin"), ("S", "Wrist")])
def test_who_stands_on_the_hands_has_the_legs_that_the_names_say(limb: str, word: str) -> None:
    """All hang on one joint and the legs are above: one pair whose names say it is enough."""
    tree = stick()
    tree = {n: (("root" if parent == "chest" and n[-1] == "P" else parent), at) for n, (parent, at) in tree.items()}

    def name(old: str) -> str:
        side = old[:-1]
        return f"{side}{word}" if old and old[-1] == limb and side in ("Left", "Right") else old

    turned = {name(n): (name(parent), (x, 3 - y, z)) for n, (parent, (x, y, z)) in tree.items()}
    found = found_in(turned)
    assert (found["left_hip"][0], found["left_shoulder"][0]) == ("LeftA", "LeftQ")
