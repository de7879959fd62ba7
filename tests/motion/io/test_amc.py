from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError
from motion_platform.motion.io import amc
from motion_platform.motion.skeleton import Skeleton

# name, parent, direction, length, axis (degrees), dof: a person in 1/0.45 inch
BONES = [
    ("lhipjoint", "root", (0.67, -0.72, 0.18), 2.64, (0, 0, 0), ""),
    ("lfemur", "lhipjoint", (0.34, -0.94, 0), 7.41, (0, 0, 20), "rx ry rz"),
    ("ltibia", "lfemur", (0.34, -0.94, 0), 7.93, (0, 0, 20), "rx"),
    ("lfoot", "ltibia", (0.08, -0.22, 0.97), 2.29, (-90, 5, 20), "rx rz"),
    ("ltoes", "lfoot", (0, 0, 1), 1.15, (-90, 5, 20), "rx"),
    ("rhipjoint", "root", (-0.63, -0.75, 0.19), 2.51, (0, 0, 0), ""),
    ("rfemur", "rhipjoint", (-0.34, -0.94, 0), 7.61, (0, 0, -20), "rx ry rz"),
    ("rtibia", "rfemur", (-0.34, -0.94, 0), 7.99, (0, 0, -20), "rx"),
    ("rfoot", "rtibia", (-0.11, -0.3, 0.95), 2.34, (-90, 0, -20), "rx rz"),
    ("rtoes", "rfoot", (0, 0, 1), 1.16, (-90, 0, -20), "rx"),
    ("lowerback", "root", (0.02, 0.99, -0.11), 2.03, (0, 0, 0), "rx ry rz"),
    ("upperback", "lowerback", (0.02, 1, 0), 2.03, (0, 0, 0), "rx ry rz"),
    ("thorax", "upperback", (0, 1, 0.06), 2.06, (0, 0, 0), "rx ry rz"),
    ("lowerneck", "thorax", (0, 0.99, 0.12), 1.72, (0, 0, 0), "rx ry rz"),
    ("upperneck", "lowerneck", (0.01, 0.99, -0.13), 1.74, (0, 0, 0), "rx ry rz"),
    ("head", "upperneck", (0, 1, -0.06), 1.74, (0, 0, 0), "rx ry rz"),
    ("lclavicle", "thorax", (0.95, 0.28, -0.11), 3.53, (0, 0, 0), "ry rz"),
    ("lhumerus", "lclavicle", (1, 0, 0), 5.07, (180, -30, -90), "rx ry rz"),
    ("lradius", "lhumerus", (1, 0, 0), 3.6, (180, -30, -90), "rx"),
    ("lwrist", "lradius", (1, 0, 0), 1.8, (0, 90, 90), "ry"),
    ("rclavicle", "thorax", (-0.96, 0.22, -0.2), 3.66, (0, 0, 0), "ry rz"),
    ("rhumerus", "rclavicle", (-1, 0, 0), 5.36, (180, 30, 90), "rz rx ry"),
    ("rradius", "rhumerus", (-1, 0, 0), 3.58, (180, 30, 90), "rx"),
    ("rwrist", "rradius", (-1, 0, 0), 1.79, (0, -90, -90), "ry"),
]  # fmt: skip
ROOT_DOF = "tx ty tz rx ry rz"
SCALE = 0.0254 / 0.45


def asf_text(radians: bool = False) -> str:
    turn = np.pi / 180 if radians else 1
    lines = [
        "# made for a test", ":version 1.10", ":name X", ":units", "  mass 1.0", "  length 0.45",
        f"  angle {'rad' if radians else 'deg'}", ":documentation", "   begin nothing here", ":root",
        "   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0", ":bonedata",
    ]  # fmt: skip
    for i, (name, _, direction, length, axis, dof) in enumerate(BONES):
        lines += ["  begin", f"     id {i + 1}", f"     name {name}", f"     direction {' '.join(map(str, direction))}"]
        lines += [f"     length {length}", f"     axis {' '.join(str(a * turn) for a in axis)}  XYZ"]
        lines += [f"    dof {dof}", "    limits (-160.0 20.0)", "           (-70.0 70.0)"] if dof else []
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(parent for _, parent, *_ in BONES):
        lines.append(f"    {parent} {' '.join(name for name, p, *_ in BONES if p == parent)}")
    return "\n".join([*lines, "  end", ""])


def motion(frames: int = 4, seed: int = 0) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(frames):
        frame = {"root": np.concatenate([random.uniform(-1, 1, 3) + np.array([0, 17, 0]), random.uniform(-90, 90, 3)])}
        frame |= {name: random.uniform(-40, 40, len(dof.split())) for name, *_, dof in BONES if dof}
        made.append({name: np.round(values, 3) for name, values in frame.items()})
    return made


def amc_text(frames: list[dict[str, np.ndarray]], radians: bool = False) -> str:
    lines = ["#!OML:ASF nothing", ":FULLY-SPECIFIED", ":RADIANS" if radians else ":DEGREES"]
    for t, frame in enumerate(frames, 1):
        lines.append(str(t))
        for name, values in frame.items():
            turn = np.array([1, 1, 1, *[np.pi / 180] * 3]) if name == "root" else np.pi / 180
            values = values * turn if radians else values
            lines.append(f"{name} {' '.join(f'{v:.12g}' for v in np.atleast_1d(values))}")
    return "\n".join(lines) + "\n"


def slow(frame: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Where each bone starts and ends, bone by bone: M = C R C^-1, fixed axes in the order listed."""

    def fixed(dof: str, values: np.ndarray) -> Rotation:  # lower case: extrinsic, first listed is applied first
        axes = "".join(word[1] for word in dof.split() if word[0] == "r")
        # Of one axis a number: some versions of scipy make a stack of one rotation of an array.
        angles = float(np.squeeze(values)) if len(axes) == 1 else np.asarray(values)
        return Rotation.from_euler(axes, angles, degrees=True) if axes else Rotation.identity()

    world = {"root": fixed(ROOT_DOF, frame["root"][3:])}
    place = {"root": (frame["root"][:3], frame["root"][:3])}
    for name, parent, direction, length, axis, dof in BONES:
        c = Rotation.from_euler("xyz", axis, degrees=True)
        local = c * fixed(dof, frame[name]) * c.inv() if dof else Rotation.identity()
        world[name] = world[parent] * local
        start = place[parent][1]
        place[name] = (start, start + world[name].apply(np.array(direction) * length))
    return place


def write(folder: Path, motion_text: str, skeleton_text: str | None = None, name: str = "35_01.amc") -> Path:
    (folder / "35.asf").write_text(asf_text() if skeleton_text is None else skeleton_text)
    (folder / name).write_text(motion_text)
    return folder / name


@pytest.mark.parametrize("radians", [False, True])
def test_joints_are_the_starts_of_bones_of_a_slow_independent_reading(tmp_path: Path, radians: bool) -> None:
    frames = motion()
    clip = amc.read(write(tmp_path, amc_text(frames, radians), asf_text(radians)), fps=30)
    assert clip.fps == 30
    assert clip.info["unit"] == "1/0.45 inch"
    for t, frame in enumerate(frames):
        for name, (start, end) in slow(frame).items():
            j = clip.skeleton.index(name)
            np.testing.assert_allclose(clip.joints[t, j], start * SCALE, atol=2e-5, err_msg=name)
            children = [k for k, p in enumerate(clip.skeleton.parents) if p == j and name != "root"]
            for k in children:
                np.testing.assert_allclose(clip.joints[t, k], end * SCALE, atol=2e-5)


def test_the_tip_of_a_last_bone_follows_from_its_end_site(tmp_path: Path) -> None:
    from motion_platform.motion.retarget import _tip

    frames = motion()
    clip = amc.read(write(tmp_path, amc_text(frames)))
    tip = _tip(clip, "head", clip.info["end_sites"]["head"][0])
    np.testing.assert_allclose(tip, [slow(frame)["head"][1] * SCALE for frame in frames], atol=2e-5)


def test_a_skeleton_that_is_told_keeps_its_name_and_must_have_these_joints(tmp_path: Path) -> None:
    path = write(tmp_path, amc_text(motion()))
    own = amc.read(path).skeleton
    told = Skeleton("mine", own.joints, own.parents, own.offsets)
    assert amc.read(path, skeleton=told).skeleton.name == "mine"
    other = Skeleton("other", ("first", *own.joints[1:]), own.parents, own.offsets)
    with pytest.raises(DataError, match="not those of skeleton other"):
        amc.read(path, skeleton=other)


def test_the_frame_rate_is_assumed_and_told(tmp_path: Path) -> None:
    clip = amc.read(write(tmp_path, amc_text(motion())))
    assert clip.fps == 120
    assert clip.info["fps_assumed"] is True


def test_finding_the_skeleton(tmp_path: Path) -> None:
    path = write(tmp_path, amc_text(motion()))
    assert amc.find_asf(path).name == "35.asf"
    with pytest.raises(DataError, match=r"36\.asf is not beside it \(ASF files there: 35\.asf\); give it: --asf FILE"):
        amc.find_asf(tmp_path / "36_01.amc")
    (tmp_path / "36_01.amc").write_text(amc_text(motion()))
    assert len(amc.read(tmp_path / "36_01.amc", asf=tmp_path / "35.asf")) == 4
    assert amc.find_asf(tmp_path / "walk.amc").name == "35.asf"
    with pytest.raises(DataError, match="no such ASF"):
        amc.read(path, asf=tmp_path / "none.asf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "", "no frame"),
        (lambda t: ":DEGREES\n", "no frame"),
        (lambda t: t[: t.rindex("lfemur")], "no line for bone 'lfemur'; the file is truncated|no line for bone"),
        (lambda t: t.replace("rwrist", "rwhist", 1), r"line \d+: bone 'rwhist' is not in 35\.asf"),
        (lambda t: t.replace("ltibia ", "ltibia 1 ", 1), r"line \d+: bone 'ltibia' has 2 values"),
        (lambda t: t.replace("ltibia ", "ltibia nan", 1), r"expected 1 finite numbers"),
        (lambda t: t.replace("\n2\n", "\n", 1), "two in frame 1"),
        (lambda t: t.replace("root", "#", 9), "no values of the root"),
        (lambda t: t.replace("1\nroot", "root", 1), "expected a frame number"),
    ],
)
def test_broken_motions_are_refused(tmp_path: Path, change: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        amc.read(write(tmp_path, change(amc_text(motion()))))  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "", "no bones"),
        (lambda t: t[: t.index(":hierarchy") - 8], "not closed"),
        (lambda t: t[: t.index(":hierarchy")], "does not hang on the root"),
        (lambda t: t.replace("    thorax lowerneck lclavicle", "    thorax lowerneck lclavicle lfemur"), "two parents"),
        (lambda t: t.replace("    thorax lowerneck", "    thorax nothing"), "'nothing', which is no bone"),
        (lambda t: t.replace("     length 7.41", "     length x"), r"line \d+: expected 1 finite"),
        (lambda t: t.replace("XYZ", "XXZ"), "permutation of XYZ"),
        (lambda t: t.replace("dof rx ry rz", "dof rx rw", 1), "dof is some of"),
        (lambda t: t.replace("name ltibia", "name lfemur"), "second bone 'lfemur'"),
        (lambda t: t.replace("length", "# length").replace("dof", "dof"), "units="),
    ],
)
def test_broken_skeletons_are_refused(tmp_path: Path, change: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        amc.read(write(tmp_path, amc_text(motion()), change(asf_text())))  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_where_a_skeleton_stands_and_faces_is_where_its_motion_starts_from(tmp_path: Path) -> None:
    frames = motion()
    plain = amc.read(write(tmp_path, amc_text(frames)))
    bones = asf_text().splitlines()
    kept = [*bones[: bones.index(":root")], ":root", *bones[bones.index(":bonedata") :]]
    left_out = amc.read(write(tmp_path, amc_text(frames), "\n".join(kept)))
    np.testing.assert_array_equal(left_out.joints, plain.joints)
    for frame in frames:
        frame["root"][3:] = 0
    still = amc.read(write(tmp_path, amc_text(frames)))
    moved = asf_text().replace("position 0 0 0", "position 1 2 3").replace("orientation 0 0 0", "orientation 20 30 40")
    clip = amc.read(write(tmp_path, amc_text(frames), moved))
    np.testing.assert_allclose(clip.joints[:, 0], still.joints[:, 0] + np.array([1, 2, 3]) * SCALE, atol=2e-5)
    turn = Rotation.from_euler("xyz", [20, 30, 40], degrees=True)
    wanted = turn.apply((still.joints - still.joints[:, :1]).reshape(-1, 3)).reshape(still.joints.shape)
    np.testing.assert_allclose(clip.joints - clip.joints[:, :1], wanted, atol=2e-5)
    other = amc.read(write(tmp_path, amc_text(frames), moved.replace("   axis XYZ", "   axis ZYX")))
    turn = Rotation.from_euler("zyx", [20, 30, 40], degrees=True)
    wanted = turn.apply((still.joints - still.joints[:, :1]).reshape(-1, 3)).reshape(still.joints.shape)
    np.testing.assert_allclose(other.joints - other.joints[:, :1], wanted, atol=2e-5)


def test_a_skeleton_has_a_thousand_bones_at_most(tmp_path: Path) -> None:
    head, _, tail = asf_text().partition(":hierarchy")
    for more, allowed in ((1000 - len(BONES), True), (1001 - len(BONES), False)):
        bones = "".join(f" begin\n name x{k}\n direction 0 1 0\n length 0\n end\n" for k in range(more))
        links = "".join(f" root x{k}\n" for k in range(more))
        text = f"{head}{bones}:hierarchy{tail.rstrip().removesuffix('end')}{links} end\n"
        path = write(tmp_path, amc_text(motion(1)), text)
        if allowed:
            assert len(amc.read(path).skeleton.joints) == 1001
        else:
            with pytest.raises(DataError, match="more than 1000 bones"):
                amc.read(path)


def _lines(text: str, word: str) -> int:
    """The number of the first line that starts with a word, from 1."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.split()[:1] == [word])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("   order TX TY", "   order TX TX"), "the root's order is some of"),
        (lambda t: t.replace("   order TX", "   order QX"), "the root's order is some of"),
        (lambda t: t.replace("   axis XYZ", "   axis"), "permutation of XYZ, got ''"),
        (lambda t: t.replace("   position 0 0 0", "   position 0 0"), "expected 3 finite numbers, got '0 0'"),
        (lambda t: t.replace("   orientation 0 0 0", "   orientation 0 inf 0"), "expected 3 finite numbers"),
        (lambda t: t.replace("name lfemur", "name root"), "a second bone 'root'"),
        (lambda t: t.replace("     name lfemur", "     name"), "a bone without a name"),
        (lambda t: t.replace(":bonedata\n", ":bonedata\n end\n"), "a bone without a name"),
        (lambda t: t.replace(":bonedata\n", ":bonedata\n length 1\n"), "'length' outside of begin ... end"),
        (lambda t: t.replace("dof rx ry rz", "dof rx rx rz", 1), "dof is some of rx ry rz tx ty tz"),
        (lambda t: t.replace("     name lfemur", "     axis 0 0 0 XYZ\n     name lfemur"), "axis and no name before"),
        (lambda t: t.replace("    root lhipjoint", "    lfemur root lhipjoint"), "bone 'root' has two parents"),
    ],
)
def test_skeletons_with_one_wrong_line_are_refused(tmp_path: Path, change: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        amc.read(write(tmp_path, amc_text(motion()), change(asf_text())))  # type: ignore[operator]


def test_the_wrong_line_is_named(tmp_path: Path) -> None:
    skeleton, frames = asf_text(), amc_text(motion())
    wrong = skeleton.replace("     length 2.64", "     length x")
    line = skeleton[: skeleton.index("     length 2.64")].count("\n") + 1
    with pytest.raises(DataError, match=rf"35\.asf: line {line}: expected 1 finite"):
        amc.read(write(tmp_path, frames, wrong))
    line = _lines(frames, "ltibia")
    with pytest.raises(DataError, match=rf"35_01\.amc: line {line}: bone 'ltibia' has 2 values"):
        amc.read(write(tmp_path, frames.replace("ltibia ", "ltibia 1 ", 1)))
    with pytest.raises(DataError, match=rf"line {frames.count(chr(10)) - 1}: frame 4 has no line for bone 'rwrist'"):
        amc.read(write(tmp_path, "\n".join(frames.splitlines()[:-1])))
    rows = frames.splitlines()
    del rows[rows.index("3") - 1]  # frame 2 without its last bone
    with pytest.raises(DataError, match=rf"line {rows.index('3') + 1}: frame 2 has no line for bone 'rwrist'"):
        amc.read(write(tmp_path, "\n".join(rows)))
    twice = frames.replace("\n2\n", "\nrwrist 1\n2\n")
    with pytest.raises(DataError, match="bone 'rwrist' has no value in frame 2 or two in frame 1"):
        amc.read(write(tmp_path, twice))


def test_a_motion_has_as_many_frames_as_a_clip_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amc, "MAX_FRAMES", 4)
    assert len(amc.read(write(tmp_path, amc_text(motion(4))))) == 4
    with pytest.raises(DataError, match="more than 4 frames"):
        amc.read(write(tmp_path, amc_text(motion(5))))


def test_the_up_axis_that_is_given_turns_everything(tmp_path: Path) -> None:
    path = write(tmp_path, amc_text(motion()))
    plain, turned = amc.read(path), amc.read(path, up="z")
    assert (plain.info["up"], turned.info["up"]) == ("y", "z")
    back = Rotation.from_euler("x", -90, degrees=True)  # what was up along Z is up along Y
    np.testing.assert_allclose(
        turned.joints, back.apply(plain.joints.reshape(-1, 3)).reshape(plain.joints.shape), atol=1e-5
    )
    np.testing.assert_allclose(turned.skeleton.offsets, back.apply(plain.skeleton.offsets), atol=1e-9)
    np.testing.assert_allclose(turned.info["end_sites"]["head"], back.apply(plain.info["end_sites"]["head"]), atol=1e-9)
    wanted = back * Rotation.from_quat(plain.rotations.reshape(-1, 4)) * back.inv()
    assert (wanted.inv() * Rotation.from_quat(turned.rotations.reshape(-1, 4))).magnitude().max() < 1e-5


def test_a_root_that_never_turns_stands_as_the_skeleton_says(tmp_path: Path) -> None:
    frames = motion()
    skeleton = asf_text().replace("   orientation 0 0 0", "   orientation 20 30 40")
    for frame in frames:
        frame["root"][3:] = 0
    turning = amc.read(write(tmp_path, amc_text(frames), skeleton))
    for frame in frames:
        frame["root"] = frame["root"][:3]
    skeleton = skeleton.replace("   order TX TY TZ RX RY RZ", "   order TX TY TZ")
    np.testing.assert_allclose(amc.read(write(tmp_path, amc_text(frames), skeleton)).joints, turning.joints, atol=1e-6)


def test_a_bone_may_move_out_of_its_place(tmp_path: Path) -> None:
    frames = motion()
    plain = amc.read(write(tmp_path, amc_text(frames)))
    for t, frame in enumerate(frames):
        frame["ltibia"] = np.array([0.5 * t, frame["ltibia"][0], -0.25 * t])
    bones = asf_text().split("name ltibia")
    clip = amc.read(
        write(tmp_path, amc_text(frames), "name ltibia".join([bones[0], bones[1].replace("dof rx", "dof tx rx tz", 1)]))
    )
    knee, thigh = (clip.skeleton.index(name) for name in ("ltibia", "lfemur"))
    for t in range(4):
        local = clip.joints[t, knee] - plain.joints[t, knee]
        assert np.linalg.norm(local) == pytest.approx(np.hypot(0.5, 0.25) * t * SCALE, abs=1e-5)
        np.testing.assert_allclose(clip.joints[t, thigh], plain.joints[t, thigh], atol=1e-6)
        world = _world(clip, thigh)[t]
        np.testing.assert_allclose(local, world.apply(np.array([0.5, 0, -0.25]) * t * SCALE), atol=1e-5)


def _world(clip: object, joint: int) -> list[Rotation]:
    """The rotation of a joint in the world, a frame."""
    found = [Rotation.identity()] * len(clip.rotations)  # type: ignore[attr-defined]
    while joint >= 0:
        found = [Rotation.from_quat(q) * r for q, r in zip(clip.rotations[:, joint], found, strict=True)]  # type: ignore[attr-defined]
        joint = clip.skeleton.parents[joint]  # type: ignore[attr-defined]
    return found


def test_an_axis_without_an_order_is_xyz_and_the_letters_may_be_small(tmp_path: Path) -> None:
    path = write(tmp_path, amc_text(motion()))
    plain = amc.read(path)
    for change in (("  XYZ\n", "\n"), ("  XYZ\n", "  xyz\n")):
        np.testing.assert_array_equal(
            amc.read(write(tmp_path, amc_text(motion()), asf_text().replace(*change))).joints, plain.joints
        )
    other = amc.read(write(tmp_path, amc_text(motion()), asf_text().replace("  XYZ\n", "  ZYX\n")))
    assert np.abs(other.joints - plain.joints).max() > 0.01


@pytest.mark.parametrize(
    ("there", "motion_name", "found"),
    [
        (("07.ASF", "8.asf"), "07_01.amc", "07.ASF"),
        (("8.asf", "9.asf"), "08_01.amc", "8.asf"),
        (("07.asf", "07_01.asf"), "07_01.amc", "07_01.asf"),
        (("HDM_mm.asf", "HDM_m.asf"), "hdm_mm_depositFloorR.amc", "HDM_mm.asf"),
        (("other.asf",), "walk_1.amc", "other.asf"),
        (("other.asf",), "35_01.amc", None),
        (("one.asf", "two.asf"), "walk.amc", None),
        ((), "walk.amc", None),
    ],
)
def test_which_skeleton_is_a_motions(
    tmp_path: Path, there: tuple[str, ...], motion_name: str, found: str | None
) -> None:
    for name in there:
        (tmp_path / name).touch()
    (tmp_path / "folder.asf").mkdir()
    if found is None:
        with pytest.raises(DataError, match="is not beside it"):
            amc.find_asf(tmp_path / motion_name)
    else:
        assert amc.find_asf(tmp_path / motion_name).name == found


def test_a_bone_without_a_length_has_none(tmp_path: Path) -> None:
    text = asf_text()
    start = text.index("name ltoes")
    line = "     length 1.15\n"
    cut = text[:start] + text[start:].replace(line, "", 1)
    assert len(cut) == len(text) - len(line)
    clip = amc.read(write(tmp_path, amc_text(motion()), cut))
    assert clip.info["end_sites"]["ltoes"] == [[0.0, 0.0, 0.0]]
    assert np.linalg.norm(clip.info["end_sites"]["rtoes"]) == pytest.approx(1.16 * SCALE)
