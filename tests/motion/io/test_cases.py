"""Files as people have them (tests/fixtures/cases): each is read, or refused in one line that says the way out.

What is wanted of each was computed by another reader than ours, or follows from how the file was made. They were
made up for this purpose; nothing in them is copied from a source.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines.texts import read_texts

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
AT = get_skeleton("humanml3d").index

# left: knee, thigh, elbow, upper arm; right: the same. Degrees, of frame 0; thigh and upper arm from straight down
ANGLES = {
    "names_two_spines.bvh": (8.7, 1.8, 6.6, 102.9, 3.1, 14.5, 1.3, 78.1),
    "names_no_toes.bvh": (8.7, 1.8, 5.6, 90.0, 14.5, 7.8, 5.7, 89.0),
    "names_unity.bvh": (8.7, 1.8, 1.4, 103.2, 3.1, 14.5, 8.7, 81.2),
    "names_bip001.bvh": (8.7, 1.8, 1.4, 103.2, 3.1, 14.5, 8.7, 81.2),
    "names_example_of_the_format_page.bvh": (8.7, 1.8, 5.9, 95.7, 14.5, 7.8, 1.4, 77.2),
    "names_prefix_underscore.bvh": (8.7, 1.8, 1.4, 103.2, 3.1, 14.5, 8.7, 81.2),
    "names_ipi.bvh": (8.7, 1.8, 1.4, 103.2, 3.1, 14.5, 8.7, 81.2),
}


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.acos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


def limb_angles(pose: np.ndarray) -> list[float]:
    """(22, 3) -> the eight angles above."""
    found = []
    down = np.array([0.0, -1.0, 0.0])
    for side in ("left", "right"):
        hip, knee, ankle = (pose[AT(f"{side}_{name}")] for name in ("hip", "knee", "ankle"))
        shoulder, elbow, wrist = (pose[AT(f"{side}_{name}")] for name in ("shoulder", "elbow", "wrist"))
        found += [angle(knee - hip, ankle - knee), angle(knee - hip, down)]
        found += [angle(elbow - shoulder, wrist - elbow), angle(elbow - shoulder, down)]
    return found


@pytest.mark.parametrize("name", ANGLES)
def test_limbs_keep_their_angles_whatever_the_joints_are_called(name: str) -> None:
    clip = to_humanml3d(io.load(CASES / name), uniform=True)
    np.testing.assert_allclose(limb_angles(clip.joints[0]), ANGLES[name], atol=0.06)  # the table is rounded to 0.1


def test_a_z_up_world_over_a_y_up_rest_stands() -> None:
    clip = io.load(CASES / "axis_zup_world_yup_rest.bvh")
    at = clip.skeleton.index
    head = next(j for j in clip.skeleton.joints if "head" in j.lower())
    toes = [j for j in clip.skeleton.joints if "toe" in j.lower()]
    high = clip.joints[:, at(head), 1] - clip.joints[:, [at(t) for t in toes], 1].mean(1)
    assert ((high > 1.45) & (high < 1.6)).all()
    assert clip.info["up"] == "z"


@pytest.mark.parametrize(
    ("name", "unit", "height"),
    [("unit_giant_412cm.bvh", "cm", 3.45), ("unit_decimetre.bvh", "dm", 1.56), ("unit_child_95cm.bvh", "cm", 0.85)],
)
def test_units_that_fit_best(name: str, unit: str, height: float) -> None:
    clip = io.load(CASES / name)
    assert clip.info["unit"] == unit
    assert np.ptp(clip.joints[0, :, 1]) == pytest.approx(height, abs=0.02)
    assert ("notes" in clip.info) == (name != "unit_decimetre.bvh")


def test_zero_positions_mean_no_shift_from_the_offset() -> None:
    clip = io.load(CASES / "channels_six_all_zero.bvh")
    assert np.ptp(clip.joints[0, :, 1]) == pytest.approx(1.56, abs=0.01)
    retargeted = to_humanml3d(clip, uniform=False)
    thigh = np.linalg.norm(retargeted.joints[0, AT("left_hip")] - retargeted.joints[0, AT("left_knee")])
    assert thigh == pytest.approx(0.42, abs=0.005)


@pytest.mark.parametrize(
    ("name", "frames", "said"),
    [
        ("rows_one_more_than_declared.bvh", (3, 4), "frames declared"),
        ("rows_fewer_and_last_cut.bvh", (3,), "3 whole frames read"),
        ("root_second_is_a_prop.bvh", (4,), "left out: Ball"),
    ],
)
def test_what_is_nearly_whole_is_read_with_a_note(name: str, frames: tuple[int, ...], said: str) -> None:
    clip = io.load(CASES / name)
    assert len(clip) in frames
    assert len(clip.skeleton) == 22
    assert said in " ".join(clip.info["notes"])


@pytest.mark.parametrize("name", ["text_utf16.bvh", "text_comma_decimals.bvh"])
def test_text_of_other_places_is_the_same_motion(name: str) -> None:
    clip, plain = io.load(CASES / name), io.load(CASES / "root_second_is_a_prop.bvh")
    np.testing.assert_allclose(clip.joints, plain.joints, atol=2e-3)


def test_equal_names_are_told_apart_and_odd_names_are_kept(tmp_path: Path) -> None:
    clip = io.load(CASES / "names_twice.bvh")
    assert {"Toe", "Toe_2"} <= set(clip.skeleton.joints)
    assert to_humanml3d(clip).joints.shape[1] == 22
    odd = io.load(CASES / "names_underscores.bvh")
    (written,) = io.save(odd, tmp_path / "odd.bvh")
    back = io.load(written)
    assert {"__Arm_L", "Arm_L"} <= set(back.skeleton.joints)
    for name in ("__Arm_L", "Arm_L"):
        apart = back.joints[:, back.skeleton.index(name)] - odd.joints[:, odd.skeleton.index(name)]
        assert np.abs(apart).max() < 1e-3


def test_a_rounded_frame_time_is_a_usual_rate() -> None:
    assert io.load(CASES / "frame_time_0.017.bvh").fps == 60


def test_a_reference_pose_in_front_is_left_out_when_retargeting() -> None:
    clip = to_humanml3d(io.load(CASES / "first_frame_reference_pose.bvh"))
    assert np.abs(clip.joints[0, 0, [0, 2]]).max() < 1e-3
    assert np.linalg.norm(np.diff(clip.joints[:, 0], axis=0), axis=-1).max() < 0.1
    assert "left out: the first frame, a reference pose" in clip.info["notes"]


def test_arrays_of_the_neighbours() -> None:
    clip = io.load(CASES / "joints24_smpl.npy")
    assert clip.skeleton.name == "humanml3d"
    np.testing.assert_allclose(clip.joints, np.load(CASES / "joints24_smpl.npy")[:, :22], atol=1e-6)
    with pytest.raises(DataError, match="is a pickled Python object, as MDM writes its results") as caught:
        io.load(CASES / "mdm_results.npy")
    assert "numpy.load" in str(caught.value)
    assert "allow_pickle=False" not in str(caught.value)
    speaker = io.load(CASES / "beat2_yup.npz")
    high = speaker.joints[:, AT("head"), 1] - speaker.joints[:, AT("left_foot"), 1]
    assert ((high > 1.2) & (high < 1.7)).all()
    assert "read as Y up" in speaker.info["notes"][0]


@pytest.mark.parametrize("ending", [".npz", ".npy", ".bvh", ".amc", ".mp3", ".json"])
def test_a_pointer_of_git_lfs_is_named_in_every_format(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"motion{ending}"
    path.write_bytes((CASES / "lfs_pointer.npz").read_bytes())
    with pytest.raises(DataError, match="is a Git LFS pointer, not the file"):
        io.load(path)


def test_a_list_of_prompts_from_notepad() -> None:
    assert read_texts(CASES / "prompts_with_bom.txt")[0] == ["a person walks"]


def test_the_skeleton_of_an_hdm05_recording_is_found_by_its_longest_name() -> None:
    clip = io.load(CASES / "hdm05" / "HDM_aa_walk2StepsLstart_001_120.amc")
    assert clip.info["skeleton_source"] == "HDM_aa.asf"
    assert len(clip) == 4
    at = clip.skeleton.index
    thigh = np.linalg.norm(clip.joints[0, at("lfemur")] - clip.joints[0, at("ltibia")])
    assert thigh == pytest.approx(0.406, abs=0.005)


def test_a_body_whose_feet_point_backwards_is_warned_of(tmp_path: Path) -> None:
    """A file mirrored as some exporters do it: every X has the other sign, the names stay."""
    whole = (CASES / "frame_time_0.017.bvh").read_text()
    swapped = re.sub(r"(JOINT|ROOT) (Left|Right)", lambda m: f"{m[1]} {'Right' if m[2] == 'Left' else 'Left'}", whole)
    (tmp_path / "mirrored.bvh").write_text(swapped)
    assert any("feet point backwards" in note for note in io.load(tmp_path / "mirrored.bvh").info["notes"])
    assert not any("backwards" in note for note in io.load(CASES / "frame_time_0.017.bvh").info.get("notes", []))


def test_zeros_that_were_rounded_are_no_shift_either(tmp_path: Path) -> None:
    text = (CASES / "channels_six_all_zero.bvh").read_text()
    head, motion, rows = text.partition("Frame Time")
    (tmp_path / "rounded.bvh").write_text(head + motion + re.sub(r" 0(?= )", " -0.000006", rows))
    clean, rounded = io.load(CASES / "channels_six_all_zero.bvh"), io.load(tmp_path / "rounded.bvh")
    np.testing.assert_allclose(rounded.joints, clean.joints, atol=1e-4)


@pytest.mark.parametrize("up", ["y", "z", "-y"])
def test_joints_of_another_world_are_turned_by_the_option(up: str, tmp_path: Path) -> None:
    upright = np.load(CASES / "joints24_smpl.npy")[:, :22]
    x, y, z = np.moveaxis(upright, -1, 0)
    turned = np.stack({"y": (x, y, z), "z": (x, -z, y), "-y": (x, -y, -z)}[up], axis=-1)
    np.save(tmp_path / "a.npy", turned)
    clip = io.load(tmp_path / "a.npy", up=up)
    assert clip.info["up"] == up
    np.testing.assert_allclose(clip.joints, upright, atol=1e-6)
    assert ("lies, or is upside down" in str(io.load(tmp_path / "a.npy").info.get("notes"))) == (up != "y")


@pytest.mark.parametrize("fps", [1e-9, 0.0, -30.0, math.nan, 1e9])
def test_a_rate_that_nothing_has_is_refused(fps: float) -> None:
    with pytest.raises(UsageError, match="--fps"):
        io.load(CASES / "names_unity.bvh", fps=fps)


def test_a_name_that_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="File name too long"):
        io.load(tmp_path / ("a" * 300 + ".bvh"))


def test_a_name_of_bytes_that_are_no_character_is_drawn(tmp_path: Path) -> None:
    clip = io.load(CASES / "rows_one_more_than_declared.bvh").with_(name="bad\udcff")
    assert io.save(clip, tmp_path / "x.png")[0].stat().st_size > 1000
