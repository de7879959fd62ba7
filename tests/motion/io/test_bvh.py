import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parent))
from bodies import PERSON, person_bvh

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import bvh
from motion_platform.motion.skeleton import get_skeleton


def read(tmp_path: Path, text: str | bytes, **options: object) -> Clip:
    path = tmp_path / "a.bvh"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return bvh.read(path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("orders", "moving"),
    [
        (("ZXY",), {0: "XYZ"}),
        (("XYZ", "ZYX", "YZX", "", "X", "ZXZ"), {0: "XYZ"}),
        (("ZXY", "YXZ"), {0: "ZY"}),
        (("ZYX",), {}),
        (("ZXY",), {0: "XYZ", **{j: "YXZ" for j in range(1, 22)}}),
    ],
)
def test_joints_and_rotations_are_those_of_a_slow_independent_reading(
    tmp_path: Path, orders: tuple[str, ...], moving: dict[int, str]
) -> None:
    made = person_bvh(orders=orders, moving=moving)
    clip = read(tmp_path, made.text)
    np.testing.assert_allclose(clip.joints, made.joints / 100, atol=2e-6)
    assert clip.skeleton.joints == tuple(name for name, _, _ in PERSON)
    assert clip.skeleton.parents == tuple(parent for _, parent, _ in PERSON)
    assert clip.fps == 30
    assert clip.info["unit"] == "cm"
    assert clip.rotations is not None
    between = Rotation.from_quat(clip.rotations.reshape(-1, 4)).inv() * Rotation.from_quat(
        made.rotations.reshape(-1, 4)
    )
    assert between.magnitude().max() < 1e-5


def test_rotations_and_offsets_alone_give_the_joints(tmp_path: Path) -> None:
    from motion_platform.motion.io.euler import forward_kinematics

    clip = read(tmp_path, person_bvh().text)
    positions = np.tile(clip.skeleton.offsets, (len(clip), 1, 1))
    positions[:, 0] = clip.joints[:, 0]
    joints = forward_kinematics(clip.rotations.astype(float), positions, clip.skeleton.parents)
    np.testing.assert_allclose(joints, clip.joints, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace("\n", "\r\n", 40).replace("\t", "   "),
        lambda t: t + "\n \t\n\n",
        lambda t: t.replace("HIERARCHY", "hierarchy").replace("OFFSET", "Offset").replace("CHANNELS", "channels")
        .replace("JOINT", "Joint").replace("MOTION", "Motion").replace("rotation", "ROTATION")
        .replace("End Site", "END SITE"),
        lambda t: t.replace("MOTION\nFrames: 5\nFrame Time:", "MOTION \nFRAMES:5\nframe time:\t"),
        lambda t: t.replace("\n{", " {").replace("OFFSET 0.000000 12.000000", "OFFSET 0 1.2E+1"),
        lambda t: "\ufeff" + t,
        lambda t: "\n" + t.rstrip("\n"),
    ],
)  # fmt: skip
def test_ways_of_writing_do_not_matter(tmp_path: Path, change: object) -> None:
    made = person_bvh()
    clip = read(tmp_path, change(made.text))  # type: ignore[operator]
    np.testing.assert_allclose(clip.joints, made.joints / 100, atol=2e-6)


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, "cm"), (10, "mm"), (0.01, "m"), (1 / 2.54, "inch"), (0.45 / 2.54, "cmu")]
)
def test_the_unit_is_found_from_the_size_of_the_body(tmp_path: Path, scale: float, unit: str) -> None:
    clip = read(tmp_path, person_bvh(scale=scale, angle=5).text)
    assert clip.info["unit"] == unit
    assert 1.2 < np.ptp(clip.joints[0, :, 1]) < 1.9


def test_the_unit_may_be_given_and_must_make_a_person(tmp_path: Path) -> None:
    text = person_bvh().text
    assert np.ptp(read(tmp_path, text, units="mm").joints[0, :, 1]) < 0.2
    with pytest.raises(UnknownName, match="unknown unit 'metre'"):
        read(tmp_path, text, units="metre")
    with pytest.raises(DataError, match=r"units="):
        read(tmp_path, person_bvh(scale=1e-4).text)


def test_z_up_is_found_and_turned(tmp_path: Path) -> None:
    made = person_bvh(angle=5)
    turned = []
    for line in made.text.splitlines():  # the same body lying along Z: offsets (x, -z, y), channels as they are
        words = line.split()
        if words and words[0] == "OFFSET":
            line = f"OFFSET {words[1]} {-float(words[3])} {words[2]}"
        turned.append(line)
    text = "\n".join(turned).replace(
        "CHANNELS 6 Xposition Yposition Zposition", "CHANNELS 6 Xposition Zposition Yposition"
    )
    clip = read(tmp_path, text)
    assert clip.info["up"] == "z"
    head, foot = clip.skeleton.index("Head"), clip.skeleton.index("LeftFoot")
    assert (clip.joints[:, head, 1] - clip.joints[:, foot, 1] > 1.2).all()
    assert clip.skeleton.offsets[clip.skeleton.index("LeftLeg"), 1] == pytest.approx(-0.39)
    np.testing.assert_allclose(clip.joints[:, 0, 1], made.joints[:, 0, 1] / 100, atol=1e-5)
    assert read(tmp_path, text, up="y").info["up"] == "y"
    assert read(tmp_path, made.text).info["up"] == "y"
    with pytest.raises(UnknownName, match="up axis"):
        read(tmp_path, text, up="x")


@pytest.mark.parametrize(
    ("written", "fps"),
    [("0.0333333", 30), ("0.033333", 30), ("0.0333", 30), ("0.0333332", 30), (".008333", 120), ("0.05", 20),
     ("0.016667", 60), ("0.0333667", 29.97), ("0.04", 25), ("8.3333e-3", 120), ("1", 1)],
)  # fmt: skip
def test_frame_times_become_whole_frame_rates(tmp_path: Path, written: str, fps: float) -> None:
    assert read(tmp_path, person_bvh(frame_time=written).text).fps == pytest.approx(fps, abs=1e-3)
    if fps == int(fps):
        assert read(tmp_path, person_bvh(frame_time=written).text).fps == fps


def test_angles_that_are_wrapped_at_half_a_turn_do_not_flip_the_sign(tmp_path: Path) -> None:
    lines = person_bvh(5, angle=5).text.splitlines()
    for line, turn in zip(range(len(lines) - 5, len(lines)), (178, 179, -180, -179, -178), strict=True):
        words = lines[line].split()
        lines[line] = " ".join([*words[:3], str(turn), "0", "0", *words[6:]])
    clip = read(tmp_path, "\n".join(lines) + "\n")
    assert clip.rotations is not None
    assert (clip.rotations[1:, 0] * clip.rotations[:-1, 0]).sum(-1).min() > 0.99


def test_a_root_that_only_carries_the_body_is_folded_in(tmp_path: Path) -> None:
    made = person_bvh()
    body = made.text.split("MOTION")[0].replace("HIERARCHY\nROOT", "JOINT")
    zeros = "0 0 100 0 90 0 "
    rows = "\n".join(zeros + row for row in made.text.splitlines()[-5:])
    text = (
        "HIERARCHY\nROOT joint_Root\n{\nOFFSET 0 0 0\n"
        "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation\n"
        f"{body}}}\nMOTION\nFrames: 5\nFrame Time: 0.05\n{rows}\n"
    )
    clip = read(tmp_path, text)
    assert clip.info["folded_root"] == "joint_Root"
    assert clip.skeleton.joints[0] == "Hips"
    expected = Rotation.from_euler("y", 90, degrees=True).apply(made.joints.reshape(-1, 3)).reshape(made.joints.shape)
    np.testing.assert_allclose(clip.joints, (expected + np.array([0, 0, 100])) / 100, atol=2e-6)


def test_bones_that_stretch_and_end_sites_are_told(tmp_path: Path) -> None:
    made = person_bvh(frames=20, moving={0: "XYZ", 8: "X"})
    assert "stretching" not in read(tmp_path, made.text).info  # 3 mm
    lines = made.text.splitlines()
    column = lines[lines.index("MOTION") + 3].split()
    k = 6 + 3 * 7  # joints before LeftForeArm
    column[k] = "40"
    lines[lines.index("MOTION") + 3] = " ".join(column)
    clip = read(tmp_path, "\n".join(lines))
    assert clip.info["stretching"] == ["LeftForeArm"]
    assert clip.info["end_sites"]["Head"] == [[0, 0, pytest.approx(0.05)]]


def test_a_named_skeleton_must_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not those of skeleton humanml3d"):
        read(tmp_path, person_bvh().text, skeleton=get_skeleton("humanml3d"))


MOTION_LINE = person_bvh().text.splitlines().index("MOTION") + 1


def _row(text: str, n: int, change: object) -> str:
    lines = text.splitlines()
    lines[MOTION_LINE + 2 + n] = change(lines[MOTION_LINE + 2 + n])  # type: ignore[operator]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "", "MOTION"),
        (lambda t: t.split("MOTION")[0], "no MOTION section"),
        (lambda t: t[:200] + "\nMOTION\n", r"line \d+: "),
        (lambda t: t.replace("Frames: 5", "Frames: 0"), rf"line {MOTION_LINE + 1}: Frames must be 1 to 1000000, got"),
        (lambda t: t.replace("Frames: 5", "Frames: 2000000"), "got '2000000'"),
        (lambda t: t.replace("Frames: 5", "Frames: -1"), "got '-1'"),
        (lambda t: t.replace("0.0333333", "0"), rf"line {MOTION_LINE + 2}: Frame Time"),
        (lambda t: t.replace("0.0333333", "-0.1"), "Frame Time"),
        (lambda t: t.replace("0.0333333", "nan"), "Frame Time"),
        (lambda t: t.replace("Frame Time: ", "Time "), "after MOTION come"),
        (lambda t: _row(t, 1, lambda r: r.rsplit(" ", 1)[0]), rf"line {MOTION_LINE + 4}: 68 values, .* 69 channels"),
        (lambda t: _row(t, 2, lambda r: r + " 1"), rf"line {MOTION_LINE + 5}: 70 values"),
        (lambda t: _row(t, 3, lambda r: "nan " + r.split(" ", 1)[1]), rf"line {MOTION_LINE + 6}: 'nan' is not"),
        (lambda t: _row(t, 3, lambda r: "1_0 " + r.split(" ", 1)[1]), "'1_0' is not a finite"),
        (lambda t: _row(t, 4, lambda r: "x1 " + r.split(" ", 1)[1]), rf"line {MOTION_LINE + 7}: 'x1' is not a finite"),
        (lambda t: _row(t, 0, lambda r: "0,5 " + r.split(" ", 1)[1]), "'0,5' is not a finite"),
        (lambda t: _row(t, 0, lambda r: "1e300 " + r.split(" ", 1)[1]), "NaN or infinite"),
        (lambda t: t.replace("Zrotation", "Wrotation", 1), r"line 5: joint 'Hips': unknown channel 'Wrotation'; did"),
        (lambda t: t.replace("Yposition", "Xposition", 1), "listed twice"),
        (lambda t: t.replace("CHANNELS 6", "CHANNELS 7", 1), "number of channels"),
        (lambda t: t.replace("CHANNELS 6", "CHANNELS 5", 1), "unexpected 'Yrotation'"),
        (lambda t: t.replace("}", "", 1), "braces are not closed"),
        (lambda t: t.replace("MOTION", "}\nMOTION"), "a } too many"),
        (lambda t: t.replace("OFFSET 0.000000 12", "OFFSET x 12", 1), "three numbers of OFFSET"),
        (lambda t: t.replace("\tOFFSET 0.000000 12.000000 0.000000\n", "", 1), "has no OFFSET"),
        (lambda t: t.replace("JOINT Spine1", "JOINT"), "without a name"),
        (lambda t: "solid cube\n" + t, "starts with HIERARCHY"),
    ],
)  # fmt: skip
def test_broken_files_are_refused_in_one_line(tmp_path: Path, change: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, change(person_bvh().text))  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_one_frame_is_a_motion(tmp_path: Path) -> None:
    assert len(read(tmp_path, person_bvh(frames=1).text)) == 1
