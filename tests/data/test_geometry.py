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


def standing(frames=30):
    """A body that stands still, its knees bent forwards, facing Z+; left is X+."""
    at = get_skeleton("humanml3d").index
    joints = np.zeros((frames, 22, 3))
    joints[:, at("neck"), 1] = 1.5
    joints[:, at("pelvis"), 1] = 1.0
    for side, sign in (("left", 1), ("right", -1)):
        for joint, place in (("hip", (0.1, 1.0, 0)), ("knee", (0.1, 0.5, 0.1)), ("ankle", (0.1, 0, 0))):
            joints[:, at(f"{side}_{joint}")] = np.multiply(place, (sign, 1, 1))
        joints[:, at(f"{side}_wrist")] = (0.3 * sign, 0.8, 0)
    return joints


@pytest.mark.parametrize(("degrees", "judged"), [(0, True), (44, True), (45, True), (47, False), (90, False)])
def test_a_body_is_judged_up_to_a_lean_of_45_degrees(degrees, judged):
    at = get_skeleton("humanml3d").index
    joints = standing()[:, get_skeleton("humanml3d").mirror_indices]  # left and right exchanged
    angle = np.radians(degrees)
    joints[:, at("neck")] = joints[:, at("pelvis")] + 0.5 * np.array([0, np.cos(angle), np.sin(angle)])
    assert sides_swapped(joints) == judged
    assert not sides_swapped(standing())


def test_a_motion_that_shows_no_side_contradicts_none():
    for content in ("wave-left-hand", "wave-right-hand", "turn-left", "turn-right", "walk-left", "walk-right"):
        assert contradicts(standing(), content) is False, content
    assert contradicts(standing(), "wave-both-hands") is None


def test_a_hand_rises_above_where_it_is_lowest_and_a_path_bears_from_where_it_begins():
    at = get_skeleton("humanml3d").index
    joints = standing()
    joints[:, at("right_wrist"), 1] += 0.5  # held up all the time: it does not rise
    joints[:10, at("left_wrist"), 1] -= np.linspace(0, 0.3, 10)
    assert contradicts(joints, "wave-left-hand") is False
    assert contradicts(joints, "wave-right-hand") is True
    joints = standing() + [5.0, 0, 0] + np.linspace(0, 1, 30)[:, None, None] ** 2 * [-0.4, 0, 2.0]
    joints[1:10, :, 0] += 3  # a detour to the left does not count
    joints[0] += [0, 0, 1]
    assert contradicts(joints, "walk-right") is False
    assert contradicts(joints, "walk-left") is True
