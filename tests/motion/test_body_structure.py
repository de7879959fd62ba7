"""A person in any convention: one walking body, its joints renamed as thirty programs name them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from motion_platform.core.errors import DataError
from motion_platform.motion.body_structure import bare_names, common_affixes, side_of
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import to_humanml3d
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
