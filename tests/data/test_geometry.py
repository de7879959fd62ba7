"""Left and right by geometry, on real clips: right as recorded, wrong once joints or names are swapped."""

from pathlib import Path

import numpy as np
import pytest

from motion_platform.data.geometry import contradicts, sides_swapped
from motion_platform.motion import io, retarget
from motion_platform.motion.skeleton import get_skeleton


@pytest.fixture(scope="module")
def clips(sample_root: Path):
    files = sorted((sample_root / "bandai-namco").glob("*.bvh"))
    return {path.stem.split("_", 1)[1]: retarget.to_humanml3d(io.load(path)).joints for path in files}


def test_no_real_clip_is_called_swapped_and_every_relabelled_body_is(clips):
    swap = get_skeleton("humanml3d").mirror_indices
    assert len(clips) == 40
    for name, joints in clips.items():
        assert not sides_swapped(joints), name
        assert sides_swapped(joints[:, swap]), name
        assert not sides_swapped(joints[:, swap] * [-1, 1, 1]), name  # a true mirror image is a proper body


def test_names_agree_with_motions_and_contradict_mirror_images(clips):
    swap = get_skeleton("humanml3d").mirror_indices
    checked = 0
    for name, joints in clips.items():
        content = name.split("_")[0]
        found = contradicts(joints, content)
        if "left" in content or "right" in content:
            assert found is False, name
            assert contradicts(joints[:, swap] * [-1, 1, 1], content) is True, name
            checked += 1
        else:
            assert found is None
    assert checked >= 10


@pytest.mark.parametrize("degrees", [60, 170, 200, 340, 500])
def test_a_turn_beyond_half_a_circle_is_still_to_its_side(degrees):
    swap = get_skeleton("humanml3d").mirror_indices
    angle = np.radians(np.linspace(0, degrees, 100))
    joints = np.zeros((100, 22, 3))
    for side, sign in (("left", 0.1), ("right", -0.1)):  # facing Z+, left is X+; about Y+ is to the left
        hip = get_skeleton("humanml3d").index(f"{side}_hip")
        joints[:, hip] = sign * np.stack([np.cos(angle), 0 * angle, -np.sin(angle)], -1)
    assert contradicts(joints, "walk-turn-left") is False
    assert contradicts(joints, "walk-turn-right") is True
    assert contradicts(joints[:, swap] * [-1, 1, 1], "walk-turn-right") is False


def test_a_turn_is_seen_from_where_it_begins():
    """Hips that are turned 40 degrees to the left in the first frame and 10 in the last have turned right."""
    angle = np.radians(np.linspace(40, 10, 50))
    joints = np.zeros((50, 22, 3))
    for side, sign in (("left", 0.1), ("right", -0.1)):
        hip = get_skeleton("humanml3d").index(f"{side}_hip")
        joints[:, hip] = sign * np.stack([np.cos(angle), 0 * angle, -np.sin(angle)], -1)
    assert contradicts(joints, "walk-turn-right") is False
    assert contradicts(joints, "walk-turn-left") is True


def test_a_deep_bend_is_no_swapped_body(clips):
    """The trunk of every clip leaned forward by 130 degrees at the hips: "up" points to the floor in all frames."""
    skeleton = get_skeleton("humanml3d")
    legs = [
        skeleton.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot")
    ]
    upper = [j for j in range(22) if j not in [*legs, skeleton.index("pelvis")]]
    joints = next(joints for name, joints in clips.items() if name.startswith("raise")).copy()
    pelvis = joints[:, :1]
    c, s = np.cos(np.deg2rad(130)), np.sin(np.deg2rad(130))
    lean = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    bent = joints.copy()
    bent[:, upper] = (joints[:, upper] - pelvis) @ lean.T + pelvis
    assert not sides_swapped(bent)
    half = np.concatenate([bent, joints])
    assert not sides_swapped(half)
    assert sides_swapped(half[:, skeleton.mirror_indices]), "the upright half still tells"
