"""Motions on characters: seen through a glb reader of the test's own, angles by numpy, feet on the floor."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import json

from characters import PLACES, Seen, character_glb, container
from stored_arrays import check_stored

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.rigs import fit
from motion_platform.motion.rigs.fit import describe_fit, onto
from motion_platform.motion.rigs.rig import load_rig
from motion_platform.motion.skeleton import get_skeleton

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"
LIMBS = [("UpperLeg", "LowerLeg", "hip", "knee"), ("LowerLeg", "Foot", "knee", "ankle"),
         ("UpperArm", "LowerArm", "shoulder", "elbow"), ("LowerArm", "Hand", "elbow", "wrist")]  # fmt: skip


@pytest.fixture(scope="module")
def walk() -> Clip:
    return to_humanml3d(io.load(SAMPLE / "bandai-namco" / "dataset-1_walk_normal_001.bvh"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("characters")
    (folder / "hero.glb").write_bytes(character_glb())
    (folder / "back.glb").write_bytes(character_glb(facing=180.0, scale=1.0))
    (folder / "avatar.vrm").write_bytes(character_glb(vrm=True))
    return folder


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("name", ["hero.glb", "back.glb", "avatar.vrm"])
def test_a_viewer_sees_the_motion_on_the_character(name: str, folder: Path, walk: Clip, tmp_path: Path) -> None:
    clip = onto(walk, load_rig(folder / name))
    out = tmp_path / f"out{Path(name).suffix}"
    io.save(clip, out)
    seen = Seen(out)
    bones = {joint: (joint if name != "avatar.vrm" else f"bone{k}") for k, joint in enumerate(PLACES)}
    angles, lowest = [], []
    for frame in range(0, len(clip), 5):
        world = seen.worlds(0, frame)
        place = {joint: world[bone][:3, 3] for joint, bone in bones.items()}
        for side in ("left", "right"):
            for a, b, first, second in LIMBS:
                wanted = walk.joints[frame, walk.skeleton.index(f"{side}_{second}")]
                wanted = wanted - walk.joints[frame, walk.skeleton.index(f"{side}_{first}")]
                angles.append(degrees(place[f"{side.title()}{b}"] - place[f"{side.title()}{a}"], wanted))
        lowest.append(min(place["LeftToes"][1], place["RightToes"][1]))
        assert np.allclose(place["root"], 0, atol=1e-5)
        for joint, (parent, at) in PLACES.items():  # every bone keeps its length
            if parent not in ("", "root"):
                length = np.linalg.norm(place[joint] - place[parent])
                assert np.isclose(length, np.linalg.norm(np.subtract(at, PLACES[parent][1])), atol=1e-4)
    assert np.mean(angles) < 1.0
    assert np.quantile(angles, 0.95) < 3.0
    assert np.max(angles) < 6.0
    assert np.abs(np.array(lowest) - PLACES["LeftToes"][1][1]).max() < 0.03  # a walk: one foot is always down
    assert np.median(np.abs(np.array(lowest) - PLACES["LeftToes"][1][1])) < 0.002


def test_without_held_feet_limbs_point_exactly_where_they_did(folder: Path, walk: Clip) -> None:
    clip = onto(walk, load_rig(folder / "hero.glb"), keep_feet=False)
    assert clip.info["fit"]["degrees_max"] < 0.01
    held = onto(walk, load_rig(folder / "hero.glb"))
    assert held.info["fit"]["slide_metres"] < 0.001
    assert held.info["fit"]["floor_metres"] < 0.0051
    assert clip.info["fit"]["slide_metres"] > 0.01  # what holding them is good for
    line = describe_fit("walk", held.info["fit"])
    assert re.search(r"within 0\.\d degrees .* standing feet within [0-5] mm", line)


def test_the_trunk_stands_upright_and_faces_as_the_motion_does(folder: Path) -> None:
    """A stance on a character is its own stance, whatever its rest pose and the way it faces in its file."""
    skeleton = to_humanml3d(io.load(SAMPLE / "cmu" / "02_03.bvh"), uniform=False).skeleton
    from motion_platform.motion.rigs.pose import stance_directions

    lengths = {joint: 0.25 for joint in skeleton.joints}
    joints = np.zeros((4, 22, 3))
    for parent, child in skeleton.bones:
        name = skeleton.joints[child]
        joints[:, child] = joints[:, parent] + lengths[name] * stance_directions()[name]
    joints[..., 1] += 1.0
    for name in ("hero.glb", "back.glb"):
        clip = onto(Clip(joints.astype(np.float32), 20.0, skeleton), load_rig(folder / name))
        spine = clip.joints[0, clip.skeleton.index("Neck")] - clip.joints[0, clip.skeleton.index("Hips")]
        rest = np.subtract(PLACES["Neck"][1], PLACES["Hips"][1])
        assert degrees(spine, rest) < 3.0  # in the world it faces Z+, as the motion does
        hips = (
            clip.joints[0, clip.skeleton.index("LeftUpperLeg")] - clip.joints[0, clip.skeleton.index("RightUpperLeg")]
        )
        assert degrees(hips, np.array([1.0, 0.0, 0.0])) < 1.0


def test_a_knee_bends_about_the_axis_that_the_character_has(folder: Path, walk: Clip) -> None:
    """The twist of a thigh: its bending axis, carried from the stance by the rotations alone, is that of the leg."""
    rig = load_rig(folder / "hero.glb")
    clip = onto(walk, rig)
    assert clip.rotations is not None
    from scipy.spatial.transform import Rotation

    for side in ("Left", "Right"):
        whole = None
        for joint in ("root", "Hips", f"{side}UpperLeg"):
            local = Rotation.from_quat(clip.rotations[:, clip.skeleton.index(joint)])
            whole = local if whole is None else whole * local
        assert whole is not None
        carried = whole.apply([1.0, 0.0, 0.0])  # knees bend about X in a stance that faces Z+
        place = {j: clip.joints[:, clip.skeleton.index(f"{side}{j}")] for j in ("UpperLeg", "LowerLeg", "Foot")}
        upper, lower = place["LowerLeg"] - place["UpperLeg"], place["Foot"] - place["LowerLeg"]
        bend = degrees(upper, lower)
        axis = np.cross(upper, lower)
        assert (bend > 40).sum() > 5
        assert degrees(axis, carried)[bend > 40].max() < 15


def test_several_motions_become_named_animations_beside_those_of_the_file(
    folder: Path, walk: Clip, tmp_path: Path
) -> None:
    rig = load_rig(folder / "hero.glb")
    clips = [onto(walk, rig).with_(name="walk", captions=("a person walks",)), onto(walk, rig).with_(name="walk")]
    io.save(clips, tmp_path / "two.glb")
    seen = Seen(tmp_path / "two.glb")
    assert [animation["name"] for animation in seen.json["animations"]] == ["walk", "walk_2"]
    assert seen.json["asset"]["copyright"] == "nobody"  # the character's own words stay
    assert seen.json["animations"][0]["extras"]["captions"] == ["a person walks"]
    again = load_rig(tmp_path / "two.glb")
    io.save(onto(walk, again).with_(name="third"), tmp_path / "three.glb")
    assert [a["name"] for a in Seen(tmp_path / "three.glb").json["animations"]] == ["third", "walk", "walk_2"]
    back = io.load_all(tmp_path / "three.glb")
    assert [clip.name for clip in back] == ["third", "walk", "walk_2"]
    for clip in back:
        assert np.abs(clip.joints - clips[0].joints).max() < 1e-4


def test_a_bvh_is_a_character_too_and_is_written_in_its_own_unit(walk: Clip, tmp_path: Path) -> None:
    rig = load_rig(SAMPLE / "cmu" / "06_09.bvh")
    io.save(onto(walk, rig), tmp_path / "out.bvh")
    text, own = (tmp_path / "out.bvh").read_text(), (SAMPLE / "cmu" / "06_09.bvh").read_text()

    def names(words: str) -> list[str]:
        return re.findall(r"(?:ROOT|JOINT) (\S+)", words)

    def thigh(words: str) -> np.ndarray:
        return np.array(re.search(r"JOINT LeftLeg\s*\{\s*OFFSET (\S+) (\S+) (\S+)", words).groups(), float)  # type: ignore[union-attr]

    assert names(text) == names(own)
    assert np.allclose(thigh(text), thigh(own), atol=1e-3)
    io.save(onto(walk, rig), tmp_path / "m.bvh", unit="m")
    assert np.allclose(thigh((tmp_path / "m.bvh").read_text()), thigh(own) * 0.0254 / 0.45, atol=1e-5)


@pytest.mark.parametrize(("name", "data", "words"), [
    ("hero.fbx", b"x", "allowed: .bvh, .glb, .vrm"),
    ("gone.glb", None, "no such file"),
    ("fox.glb", b"glTF" + bytes(40), "version"),
])  # fmt: skip
def test_what_is_no_character_is_one_line(name: str, data: bytes | None, words: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises((DataError, UsageError), match=re.escape(words)) as error:
        load_rig(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_body_that_never_stands_is_refused(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "io"))
    from bodies import person_bvh

    text = (
        person_bvh(frames=3)
        .text.replace("OFFSET 0.000000 -39", "OFFSET 39.0 0")
        .replace("OFFSET 0 -39 0", "OFFSET 39 0 0")
    )
    path = tmp_path / "sitting.bvh"
    path.write_text(text)
    with pytest.raises(DataError, match="stands upright neither"):
        load_rig(path)


def test_heads_and_hands_turn_where_the_motion_says_it(folder: Path) -> None:
    """A stance whose head looks to its left and whose hand is bent by 30 degrees, in a file with another rest pose."""
    from scipy.spatial.transform import Rotation

    clip = io.load(SAMPLE / "cmu" / "06_09.bvh")
    rotations = np.tile([0.0, 0.0, 0.0, 1.0], (3, len(clip.skeleton), 1))
    rotations[:, clip.skeleton.index("Head")] = Rotation.from_euler("y", 40, degrees=True).as_quat()
    rotations[:, clip.skeleton.index("LeftHand")] = Rotation.from_euler("x", 30, degrees=True).as_quat()
    from motion_platform.motion.io.euler import forward_kinematics

    joints = forward_kinematics(rotations, clip.skeleton.offsets, clip.skeleton.parents) + np.array([0.0, 1.0, 0.0])
    posed = clip.with_(joints=joints.astype(np.float32), rotations=rotations.astype(np.float32))
    made = onto(posed, load_rig(folder / "hero.glb"))
    assert made.rotations is not None

    def world(joint: str) -> Rotation:
        j, turn = made.skeleton.index(joint), Rotation.identity()
        while j >= 0:
            turn, j = Rotation.from_quat(made.rotations[0, j]) * turn, made.skeleton.parents[j]  # type: ignore[index]
        return turn

    assert np.degrees((world("Head") * Rotation.from_euler("y", 40, degrees=True).inv()).magnitude()) < 1.0
    assert np.isclose(np.degrees((world("LeftLowerArm").inv() * world("LeftHand")).magnitude()), 30, atol=3)
    assert np.degrees((world("RightLowerArm").inv() * world("RightHand")).magnitude()) < 3


def test_a_motion_whose_legs_have_no_length_is_refused(folder: Path, walk: Clip) -> None:
    joints = walk.joints.copy()
    for side in ("left", "right"):
        for part in ("knee", "ankle", "foot"):
            joints[:, walk.skeleton.index(f"{side}_{part}")] = joints[:, walk.skeleton.index(f"{side}_hip")]
    rig = load_rig(next(folder.glob("*.glb")))
    with pytest.raises(DataError, match="its legs have no length"):
        fit.onto(walk.with_(joints=joints, rotations=None), rig)


def test_what_hangs_above_the_body_stays_where_the_file_has_it(folder: Path, walk: Clip, tmp_path: Path) -> None:
    path = tmp_path / "aside.glb"
    path.write_bytes(character_glb())
    seen = Seen(path)
    seen.json["nodes"][0]["translation"] = [0.4, 0.0, -0.7]
    path.write_bytes(container(seen.json, seen.blob))
    rig = load_rig(path)
    made = onto(walk, rig)
    assert rig.skeleton.joints[0] == "root"
    np.testing.assert_allclose(made.joints[:, 0], np.tile([0.4, 0.0, -0.7], (len(made), 1)), atol=1e-5)
    plain = onto(walk, load_rig(folder / "hero.glb"))
    hips = rig.skeleton.index("Hips")
    np.testing.assert_allclose(made.joints[:, hips], plain.joints[:, hips], atol=1e-4)  # the motion says where


def without_toes(facing: float) -> bytes:
    """An avatar whose table of human bones names no toes."""
    raw = character_glb(facing=facing, vrm=True)
    size = int.from_bytes(raw[12:16], "little")
    description = json.loads(raw[20 : 20 + size])
    bones = description["extensions"]["VRMC_vrm"]["humanoid"]["humanBones"]
    for side in ("left", "right"):
        del bones[f"{side}Toes"]
    return container(description, raw[28 + size :])


@pytest.mark.parametrize("facing", [0.0, 180.0, 50.0])
def test_feet_without_toes_point_forward(facing: float, tmp_path: Path) -> None:
    (tmp_path / "avatar.vrm").write_bytes(without_toes(facing))
    rig = load_rig(tmp_path / "avatar.vrm")
    skeleton = get_skeleton("humanml3d")
    for side in ("left", "right"):
        foot, ankle = (skeleton.index(f"{side}_{part}") for part in ("foot", "ankle"))
        step = rig.pose.joints[0, foot] - rig.pose.joints[0, ankle]
        np.testing.assert_allclose(step, [0, 0, 0.12], atol=1e-6)
        assert f"{side}_foot" not in rig.limbs
    (tmp_path / "whole.vrm").write_bytes(character_glb(facing=facing, vrm=True))
    whole = load_rig(tmp_path / "whole.vrm")
    for side in ("left", "right"):
        foot, ankle = (skeleton.index(f"{side}_{part}") for part in ("foot", "ankle"))
        step = whole.pose.joints[0, foot] - whole.pose.joints[0, ankle]
        assert np.linalg.norm(step - [0, 0, 0.12]) > 0.05
        assert f"{side}_foot" in whole.limbs


@pytest.mark.parametrize(("at", "last"), [(0.4, "Neck"), (0.5, "Neck"), (0.6, "Head"), (1.0, "Head")])
def test_the_neck_ends_at_the_joint_that_the_head_is_nearer_to(at: float, last: str, folder: Path) -> None:
    rig = load_rig(folder / "hero.glb", names={"head": {"between": ["Neck", "Head"], "at": at}})
    assert [rig.skeleton.joints[j] for j in rig.chains["neck"]][-1] == last


def test_a_bone_that_a_character_must_have_is_asked_for(folder: Path) -> None:
    rule = {"between": ["LeftUpperLeg", "LeftFoot"], "at": 0.5}
    with pytest.raises(DataError, match="has no joint of its own at left_knee, which a character must have"):
        load_rig(folder / "hero.glb", names={"left_knee": rule})


@pytest.mark.parametrize(
    ("left_out", "middle"),
    [
        ("spine chest neck leftShoulder rightShoulder", "pelvis"),
        ("neck leftShoulder rightShoulder", "spine2"),
        ("leftShoulder rightShoulder", "neck"),
        ("chest spine", None),
    ],
)
def test_what_vrm_leaves_free_lies_between_bones_that_are_there(
    left_out: str, middle: str | None, tmp_path: Path
) -> None:
    raw = character_glb(vrm=True)
    size = int.from_bytes(raw[12:16], "little")
    description = json.loads(raw[20 : 20 + size])
    bones = description["extensions"]["VRMC_vrm"]["humanoid"]["humanBones"]
    for name in left_out.split():
        del bones[name]
    (tmp_path / "few.vrm").write_bytes(container(description, raw[28 + size :]))
    rig = load_rig(tmp_path / "few.vrm")
    skeleton = get_skeleton("humanml3d")
    joint = {name: rig.pose.joints[0, skeleton.index(name)] for name in skeleton.joints}

    def check(name: str, a: str, b: str, share: float) -> None:
        np.testing.assert_allclose(joint[name], joint[a] + share * (joint[b] - joint[a]), atol=1e-6, err_msg=name)

    if "neck" in left_out:
        check("neck", "pelvis", "head", 0.9)
    for name, bone, share in (("spine1", "spine", 0.24), ("spine2", "chest", 0.5), ("spine3", "upperChest", 0.6)):
        if bone not in bones:
            check(name, "pelvis", "neck", share)
    if middle is not None:
        for side in ("left", "right"):
            check(f"{side}_collar", middle, f"{side}_shoulder", 0.42)
    del bones["leftHand"]
    (tmp_path / "less.vrm").write_bytes(container(description, raw[28 + size :]))
    with pytest.raises(DataError, match="its table of human bones has none for left_wrist"):
        load_rig(tmp_path / "less.vrm")


def test_motions_on_characters_are_what_they_were(folder: Path, walk: Clip) -> None:
    """Of a motion by its places alone and of one with rotations, on files that face, stand and hang differently."""
    own = io.load(SAMPLE / "cmu" / "06_09.bvh")
    own = own.with_(joints=own.joints[:240:8], rotations=own.rotations[:240:8], fps=15.0)  # type: ignore[index]
    few = walk.with_(joints=walk.joints[:40], rotations=None if walk.rotations is None else walk.rotations[:40])
    made: dict[str, np.ndarray] = {}
    for name in ("hero.glb", "back.glb", "avatar.vrm"):
        rig = load_rig(folder / name)
        for clip, kind, keep in ((few, "places", True), (own, "rotations", True), (few, "free", False)):
            on = onto(clip, rig, keep_feet=keep)
            assert on.rotations is not None
            made[f"{name} {kind}"] = on.joints[1::4]
            made[f"{name} {kind} turns"] = (on.rotations * np.sign(on.rotations[..., 3:]))[1::4]
            report = on.info["fit"]
            made[f"{name} {kind} report"] = np.array([report[key] for key in sorted(report)])
    check_stored("fits", {key: value.astype(np.float32) for key, value in made.items()}, atol=5e-5)
