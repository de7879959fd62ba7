import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parent))
import warnings

from bodies import PERSON, person_bvh

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import bvh
from motion_platform.motion.skeleton import Skeleton, get_skeleton


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


def test_a_row_more_than_is_allowed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = person_bvh().text
    assert len(read(tmp_path, text.replace("Frames: 5", "Frames: 1000000"))) == 5
    with pytest.raises(DataError, match="Frames must be 1 to 1000000, got '1000001'"):
        read(tmp_path, text.replace("Frames: 5", "Frames: 1000001"))
    whole = read(tmp_path, text)
    monkeypatch.setattr(bvh, "MAX_FRAMES", 4)
    clip = read(tmp_path, text.replace("Frames: 5", "Frames: 4"))
    np.testing.assert_array_equal(clip.joints, whole.joints[:4])
    clip = read(tmp_path, text.replace("Frames: 5", "Frames: 3"))
    np.testing.assert_array_equal(clip.joints, whole.joints[:4])
    assert "3 frames declared, 5 rows there: 4 whole frames read" in clip.info["notes"]
    with pytest.raises(DataError, match="Frames must be 1 to 4, got '5'"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("written", "fps"),
    [("0.001", 1000), ("60", 1 / 60), ("0.0009", None), ("0.000999", None), ("60.01", None), ("61", None),
     ("1_0", None), ("0.03333633", 30), ("0.03333703", 29.9967), ("0.033331", 30), ("0.033329", 30.00390)],
)  # fmt: skip
def test_a_frame_lasts_a_thousandth_to_sixty_seconds(tmp_path: Path, written: str, fps: float | None) -> None:
    text = person_bvh(frame_time=written).text
    if fps is None:
        with pytest.raises(DataError, match=rf"line {MOTION_LINE + 2}: Frame Time must be 0.001 to 60 seconds"):
            read(tmp_path, text)
    else:
        assert read(tmp_path, text).fps == pytest.approx(fps, abs=1e-4)


@pytest.mark.parametrize(
    ("written", "fps"),
    [("0.03", 30), ("0.017", 60), ("0.008", 125), ("0.0083", 120), ("0.042", 24), ("0.0042", 240), ("0.067", 15),
     ("0.07", 15), ("0.014", 72), ("0.0139", 72), ("0.011", 90), ("0.0111", 90), ("0.007", 144), ("0.0069", 144),
     ("0.02", 50), ("0.04", 25), ("0.1", 10), ("0.005", 200), ("0.06", 17), ("0.0213", 47), ("0.3", 3), ("0.6", 5 / 3),
     ("7e-3", 1000 / 7), ("0.0225", 1 / 0.0225), ("1.5", 1 / 1.5), ("4", 0.25)],
)  # fmt: skip
def test_a_short_frame_time_is_the_usual_rate_that_rounds_to_it(tmp_path: Path, written: str, fps: float) -> None:
    assert read(tmp_path, person_bvh(frame_time=written).text).fps == pytest.approx(fps, rel=1e-12)


def _head(*lines: str) -> str:
    return "HIERARCHY\n" + "\n".join(lines) + "\nMOTION\nFrames: 1\nFrame Time: 0.1\n0 0 0\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("ROOT a", "{", "OFFSET 0"), "line 5: the hierarchy ends where three numbers of OFFSET should be"),
        (("ROOT a",), "line 3: the hierarchy ends where { should be"),
        (("JOINT a", "{"), "line 2: JOINT outside of ROOT"),
        (("ROOT a", "{", "OFFSET 0 0 0", "End Site", "{", "JOINT b"), "line 7: JOINT inside End Site"),
        (("End Site", "{"), "line 2: End Site outside of a joint"),
        (("ROOT a", "{", "OFFSET 0 0 0", "End Site", "{", "End Site"), "line 7: End Site outside of a joint"),
        (("OFFSET 0 0 0",), "line 2: OFFSET outside of a joint"),
        (("CHANNELS 0",), "line 2: CHANNELS outside of a joint"),
        (("ROOT a", "{", "OFFSET 0 0 0", "End Site", "{", "CHANNELS 0"), "line 7: CHANNELS outside of a joint"),
        (("ROOT a", "OFFSET 0 0 0"), "line 3: expected { after joint 'a'"),
        (("ROOT a", "{", "OFFSET 0 0 0", "End Site", "OFFSET 0 0 0"), "line 6: expected { after End Site"),
        (("ROOT a", "{", "OFFSET 0 0 0", "OFFSET 0 0 0"), "line 5: a second OFFSET of joint 'a'"),
        (("ROOT a", "{", "CHANNELS 1 Xrotation", "CHANNELS 1 Xrotation"), "line 5: a second CHANNELS of joint 'a'"),
        (("ROOT a", "{", "CHANNELS x"), "line 4: joint 'a': the number of channels must be 0 to 6, got 'x'"),
        (("ROOT a", "{", "CHANNELS \u00b2"), "line 4: joint 'a': the number of channels must be 0 to 6, got '\u00b2'"),
        (("ROOT a", "{", "CHANNELS " + "9" * 5000), "must be 0 to 6, got '" + "9" * 20 + "'"),
        (("ROOT a", "{", "CHANNELS 12"), "line 4: joint 'a': the number of channels must be 0 to 6, got '12'"),
        (("ROOT a", "{", "CHANNELS 7"), "line 4: joint 'a': the number of channels must be 0 to 6, got '7'"),
        (("ROOT a", "{", "CHANNELS 2 Yposition Yposition"), "line 4: joint 'a': a position channel is listed twice"),
        (("ROOT a", "{", "OFFSET 0 0 0", "}", "}"), "line 6: a } too many"),
        (("ROOT a", "{", "OFFSET 0 0 0", "MIDDLE"), "line 5: unexpected 'MIDDLE'"),
        ((), "line 1: no ROOT joint"),
        (("ROOT a", "{", "OFFSET 0 0 0", "}"), "no joint has a channel"),
        (("ROOT a", "{", "OFFSET 0 0 0", "CHANNELS 0", "}"), "no joint has a channel"),
    ],
)  # fmt: skip
def test_a_broken_hierarchy_is_refused_with_its_line(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, _head(*lines))
    assert message in str(caught.value)


def test_a_body_has_a_thousand_joints_at_most(tmp_path: Path) -> None:
    inner = "JOINT j\n{\nOFFSET 0 1 0\n}\n"
    for count in (1000, 1001):
        body = "ROOT r\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n" + inner * (count - 1) + "}"
        text = _head(body)
        if count == 1000:
            assert len(read(tmp_path, text, units="m").skeleton) == 1000
        else:
            with pytest.raises(DataError, match=f"line {3 + 4 * 1000 - 1}: more than 1000 joints"):
                read(tmp_path, text, units="m")


def test_the_line_that_is_wrong_is_counted_from_the_start_of_the_file(tmp_path: Path) -> None:
    text = person_bvh().text
    with pytest.raises(DataError, match=rf"line {MOTION_LINE + 6}: 68 values"):
        read(tmp_path, _row(text, 3, lambda r: r.rsplit(" ", 1)[0]).replace("\n", "\r\n"))
    blank = text.replace("0.0333333\n", "0.0333333\n\n\n")
    with pytest.raises(DataError, match=rf"line {MOTION_LINE + 6}: 70 values"):
        read(tmp_path, _row(blank, 3, lambda r: r + " 1"))
    with pytest.raises(DataError, match=rf"line {MOTION_LINE + 2}: 9 frames declared, but 0 are there"):
        read(tmp_path, "\n".join(text.replace("Frames: 5", "Frames: 9").splitlines()[: MOTION_LINE + 2]) + " ")
    with pytest.raises(DataError, match=rf"line {MOTION_LINE}: after MOTION come"):
        read(tmp_path, text.replace("Frames:", "Frame s"))


def test_a_bone_stretches_from_half_a_centimetre_on(tmp_path: Path) -> None:
    lines = person_bvh(frames=9, moving={0: "XYZ", 8: "X"}).text.splitlines()
    column, start = 6 + 3 * 7, lines.index("MOTION") + 3
    for longer, told in ((0.49, False), (0.51, True), (-0.51, True)):
        for line in range(start, start + 9):
            words = lines[line].split()
            words[column] = str(26 + (longer if line == start + 4 else 0.0))
            lines[line] = " ".join(words)
        assert read(tmp_path, "\n".join(lines)).info.get("stretching", []) == (["LeftForeArm"] if told else [])


def test_positions_of_a_joint_up_to_a_thousandth_of_its_offset_are_no_shift(tmp_path: Path) -> None:
    lines = person_bvh(frames=2, moving={0: "XYZ", 8: "XYZ"}).text.splitlines()
    column, start = 6 + 3 * 7, lines.index("MOTION") + 3
    for left, length in ((0.0259, 0.26), (-0.0259, 0.26), (0.0261, 0.000261), (-0.0261, 0.000261)):
        for line in (start, start + 1):
            words = lines[line].split()
            words[column : column + 3] = [str(left), "0", "0"]
            lines[line] = " ".join(words)
        clip = read(tmp_path, "\n".join(lines), units="cm")
        bone = clip.joints[:, clip.skeleton.index("LeftForeArm")] - clip.joints[:, clip.skeleton.index("LeftArm")]
        np.testing.assert_allclose(np.linalg.norm(bone, axis=-1), length, atol=1e-6)


def test_a_named_skeleton_lends_its_parts_to_the_bones_of_the_file(tmp_path: Path) -> None:
    own = read(tmp_path, person_bvh().text).skeleton
    lent = Skeleton("mine", own.joints, own.parents, None, {"head": ("Head",)}, {"LeftHand": "RightHand"})
    found = read(tmp_path, person_bvh().text, skeleton=lent).skeleton
    assert (found.name, found.parts, found.mirror) == ("mine", lent.parts, lent.mirror)
    np.testing.assert_array_equal(found.offsets, own.offsets)


def test_the_largest_of_several_bodies_is_read(tmp_path: Path) -> None:
    made = person_bvh()
    prop = "ROOT Stick\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n}\n"
    head, rows = made.text.split("MOTION")[0].replace("HIERARCHY\n", ""), made.text.splitlines()[-5:]
    for first in (True, False):
        body = prop + head if first else head + prop
        values = [f"1 2 3 {row}" if first else f"{row} 1 2 3" for row in rows]
        text = "HIERARCHY\n" + body + "MOTION\nFrames: 5\nFrame Time: 0.05\n" + "\n".join(values)
        clip = read(tmp_path, text)
        np.testing.assert_allclose(clip.joints, made.joints / 100, atol=2e-6)
        assert clip.skeleton.parents == tuple(parent for _, parent, _ in PERSON)
        assert clip.info["notes"] == ["left out: Stick (other roots of the file)"]


@pytest.mark.parametrize("up", ["z", "-y"])
def test_rotations_of_other_worlds_give_the_joints_too(tmp_path: Path, up: str) -> None:
    from motion_platform.motion.io.euler import forward_kinematics

    plain, turned = read(tmp_path, person_bvh().text, up="y"), read(tmp_path, person_bvh().text, up=up)
    back = Rotation.from_euler("x", {"z": -90, "-y": 180}[up], degrees=True)
    np.testing.assert_allclose(
        turned.joints, back.apply(plain.joints.reshape(-1, 3)).reshape(plain.joints.shape), atol=1e-5
    )
    positions = np.tile(turned.skeleton.offsets, (len(turned), 1, 1))
    positions[:, 0] = turned.joints[:, 0]
    made = forward_kinematics(turned.rotations.astype(float), positions, turned.skeleton.parents)
    np.testing.assert_allclose(made, turned.joints, atol=1e-5)
    tip = back.apply([0, 0, 0.05])
    np.testing.assert_allclose(turned.info["end_sites"]["Head"], [tip], atol=1e-9)


def test_a_word_in_the_last_row_is_refused_also_where_warnings_are_not_shown(tmp_path: Path) -> None:
    """An older numpy reads up to it and only warns, which would be a motion without its end."""
    broken = _row(person_bvh().text, 4, lambda r: r.rsplit(" ", 1)[0] + " x1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match=rf"line {MOTION_LINE + 7}: 'x1' is not a finite number"):
            read(tmp_path, broken)


def test_joints_of_the_same_name_are_numbered_from_two_on(tmp_path: Path) -> None:
    arm = "JOINT Arm\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\n"
    text = (
        "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\n"
        "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
        + 4 * arm
        + "}\nMOTION\nFrames: 2\nFrame Time: 0.05\n"
        + 2 * (" ".join(["0"] * 18) + "\n")
    )
    clip = read(tmp_path, text)
    assert [joint for joint in clip.skeleton.joints if "Arm" in joint][:4] == ["Arm", "Arm_2", "Arm_3", "Arm_4"]
