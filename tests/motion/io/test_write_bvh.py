"""BVH files read back as the motion they were written from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import OutputError, UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import bvh, write_bvh
from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def moving(frames: int = 90, seed: int = 0, keep_rotations: bool = False, fps: float = 20.0) -> Clip:
    skeleton = get_skeleton("humanml3d")
    rng = np.random.default_rng(seed)
    vectors = gaussian_filter1d(rng.normal(size=(frames, 22, 3)), 8, axis=0, mode="nearest") * 2
    local = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_quat().reshape(frames, 22, 4)
    assert skeleton.offsets is not None
    positions = np.broadcast_to(skeleton.offsets, (frames, 22, 3)).copy()
    positions[:, 0] = np.array([3.0, 0.9, -2.0]) + np.cumsum(0.02 * rng.normal(size=(frames, 3)), axis=0)
    joints = forward_kinematics(local, positions, skeleton.parents).astype(np.float32)
    return Clip(joints, fps, skeleton, local.astype(np.float32) if keep_rotations else None, name="moving")


def error(clip: Clip, path: Path) -> np.ndarray:
    again = bvh.read(path)
    assert len(again) == len(clip)
    assert again.fps == pytest.approx(clip.fps, rel=1e-6)
    order = [again.skeleton.index(joint) for joint in clip.skeleton.joints]
    return np.linalg.norm(again.joints[:, order] - clip.joints, axis=-1)


def test_positions_come_back(tmp_path: Path) -> None:
    clip = moving()
    assert write_bvh.write(clip, tmp_path / "a.bvh") == [tmp_path / "a.bvh"]
    assert error(clip, tmp_path / "a.bvh").mean() < 0.0005  # the goal is 5 mm; this body is rigid
    again = bvh.read(tmp_path / "a.bvh")
    parents = list(again.skeleton.parents[1:])
    lengths = np.linalg.norm(again.joints[:, 1:] - again.joints[:, parents], axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-5
    assert again.info["unit"] == "cm"


def test_rotations_of_the_source_are_kept(tmp_path: Path) -> None:
    clip = moving(keep_rotations=True)
    write_bvh.write(clip, tmp_path / "a.bvh")
    again = bvh.read(tmp_path / "a.bvh")
    order = [again.skeleton.index(joint) for joint in clip.skeleton.joints]
    assert again.rotations is not None
    assert clip.rotations is not None
    assert np.abs((again.rotations[:, order] * clip.rotations).sum(-1)).min() > 1 - 1e-6
    assert error(clip, tmp_path / "a.bvh").max() < 1e-4


def test_bones_that_change_get_position_channels(tmp_path: Path) -> None:
    clip = moving(keep_rotations=True)
    joints = clip.joints.copy()
    joints[:, 15] += np.linspace(0, 0.05, len(clip), dtype=np.float32)[:, None]
    write_bvh.write(clip.with_(joints=joints), tmp_path / "a.bvh")
    assert (tmp_path / "a.bvh").read_text().count("CHANNELS 6") == 2
    assert error(clip.with_(joints=joints), tmp_path / "a.bvh").max() < 1e-4


def test_angles_agree_with_scipy_and_do_not_jump() -> None:
    turns = np.linspace(0, 6 * np.pi, 300)
    rotations = Rotation.from_euler("ZXY", np.stack([turns, 2.5 * np.sin(turns / 3), 0.7 * turns], axis=-1))
    angles = write_bvh.continuous_euler(rotations.as_matrix())
    assert (Rotation.from_euler("ZXY", angles) * rotations.inv()).magnitude().max() < 1e-6
    assert np.abs(np.diff(angles, axis=0)).max() < 0.2
    poles = Rotation.from_euler("ZXY", [[0.3, np.pi / 2, 0.9], [-1.0, -np.pi / 2, 2.0]])
    again = Rotation.from_euler("ZXY", write_bvh.continuous_euler(poles.as_matrix()))
    assert (again * poles.inv()).magnitude().max() < 1e-6


def test_several_motions_become_several_files(tmp_path: Path) -> None:
    written = write_bvh.write([moving(5), moving(7)], tmp_path / "walk.bvh")
    assert [p.name for p in written] == ["walk_1.bvh", "walk_2.bvh"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["walk_1.bvh", "walk_2.bvh"]


def test_every_limb_has_an_end_and_names_are_one_word_each(tmp_path: Path) -> None:
    write_bvh.write(moving(1), tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text()
    assert text.count("End Site") == 5
    assert text.count("{") == text.count("}") == 22 + 5
    skeleton = Skeleton(
        "odd", ("my hips", "my_hips", "{x}"), (-1, 0, 1), np.array([[0, 0, 0], [0, 0.7, 0], [0, 0.9, 0]])
    )
    clip = Clip(np.cumsum(np.tile([0, 0.5, 0], (2, 3, 1)), 1).astype(np.float32), 20, skeleton)
    write_bvh.write(clip, tmp_path / "b.bvh")
    assert bvh.read(tmp_path / "b.bvh", units="cm").skeleton.joints == ("my_hips", "my_hips_", "_x_")


def test_end_sites_come_back_in_metres(tmp_path: Path) -> None:
    tip = [0.11, -0.02, 0.03]
    clip = moving(3, keep_rotations=True).with_(info={"end_sites": {"left_wrist": [tip]}})
    write_bvh.write(clip, tmp_path / "a.bvh")
    found = bvh.read(tmp_path / "a.bvh", units="cm").info["end_sites"]
    assert np.allclose(found["left_wrist"], [tip], atol=1e-6)
    offset = clip.skeleton.offsets[clip.skeleton.index("right_wrist")]
    assert np.allclose(found["right_wrist"], [0.5 * offset], atol=1e-6)  # not known: half of the forearm


@pytest.mark.parametrize("fps", [20.0, 29.97, 30.0, 59.94, 119.88, 120.0])
def test_the_frame_rate_comes_back(tmp_path: Path, fps: float) -> None:
    write_bvh.write(moving(3, fps=fps), tmp_path / "a.bvh")
    assert bvh.read(tmp_path / "a.bvh").fps == pytest.approx(fps, rel=1e-6)


def test_bad_requests_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no motion"):
        write_bvh.write([], tmp_path / "a.bvh")
    with pytest.raises(OutputError, match="does not exist"):
        write_bvh.write(moving(3), tmp_path / "nowhere" / "a.bvh")
    assert list(tmp_path.iterdir()) == []


REAL = [
    "bandai-namco/dataset-1_dash_musical_001.bvh",
    "bandai-namco/dataset-2_walk-turn-left_exhausted_038.bvh",
    "cmu/07_12.bvh",
]


@pytest.mark.parametrize("name", REAL)
def test_real_clips_come_back_within_five_millimetres(name: str, tmp_path: Path) -> None:
    source = resources.files("motion_platform") / "sample" / name
    clip = to_humanml3d(bvh.read(Path(str(source))))
    assert clip.rotations is None  # so that rotations have to be found
    write_bvh.write(clip, tmp_path / "a.bvh")
    assert error(clip, tmp_path / "a.bvh").mean() < 0.005
    again = bvh.read(tmp_path / "a.bvh")
    lengths = np.linalg.norm(again.joints[:, 1:] - again.joints[:, list(again.skeleton.parents[1:])], axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-5


def test_a_published_clip_comes_back_within_a_tenth_of_a_millimetre(tmp_path: Path) -> None:
    with np.load(Path(__file__).parents[2] / "fixtures" / "guo" / "official_012314.npz") as published:
        clip = Clip(published["joints"].astype(np.float32), 20.0, get_skeleton("humanml3d"))
    write_bvh.write(clip, tmp_path / "a.bvh")
    assert error(clip, tmp_path / "a.bvh").mean() < 1e-4


def test_names_with_blanks_go_back_as_they_came(tmp_path: Path) -> None:
    from motion_platform.motion.io import bvh

    clip = bvh.read(Path(__file__).parents[2] / "fixtures" / "cases" / "names_bip001.bvh")
    write_bvh.write(clip, tmp_path / "back.bvh")
    assert bvh.read(tmp_path / "back.bvh").skeleton.joints == clip.skeleton.joints
    assert "Bip001 L Thigh" in clip.skeleton.joints


def test_an_unknown_unit_is_named(tmp_path: Path) -> None:
    from motion_platform.core.errors import UnknownName

    with pytest.raises(UnknownName, match="unknown unit 'metre'"):
        write_bvh.bvh_text(moving(1), "metre")


@pytest.mark.parametrize(("unit", "size"), [("m", 1.0), ("dm", 0.1), ("cm", 0.01), ("mm", 0.001), ("inch", 0.0254)])
def test_a_file_in_another_unit_holds_the_same_places(tmp_path: Path, unit: str, size: float) -> None:
    clip = moving(4)
    write_bvh.write(clip, tmp_path / "a.bvh", unit=unit)
    rows = (tmp_path / "a.bvh").read_text().split("Frame Time")[1].splitlines()[1:]
    first = np.array([row.split()[:3] for row in rows], float)
    np.testing.assert_allclose(first * size, clip.joints[:, 0], atol=1e-5 * size + 1e-6)
