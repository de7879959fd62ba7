import importlib
import json
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from stored_arrays import check_stored

sys.path.insert(0, str(Path(__file__).parent))
from bodies import person_bvh

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def clip() -> Clip:
    return Clip(np.zeros((3, 22, 3), np.float32), 20, get_skeleton("humanml3d"))


def test_the_extension_picks_the_reader_whatever_its_case(tmp_path: Path) -> None:
    (tmp_path / "A.BVH").write_text(person_bvh().text)
    assert io.load(tmp_path / "A.BVH").name == "A"
    assert io.load(str(tmp_path / "A.BVH"), fps=25).fps == 25
    io.save(clip(), tmp_path / "b.npz")
    assert io.load(tmp_path / "b.npz", skeleton="humanml3d").skeleton.name == "humanml3d"


def test_several_motions_of_one_file(tmp_path: Path) -> None:
    io.save([clip(), clip().with_(name="second")], tmp_path / "b.npz")
    assert [c.name for c in io.load_all(tmp_path / "b.npz")] == ["motion", "second"]
    with pytest.raises(DataError, match="holds 2 motions"):
        io.load(tmp_path / "b.npz")


def test_what_was_written_is_said(tmp_path: Path) -> None:
    assert io.save(clip(), tmp_path / "b.npz") == [tmp_path / "b.npz"]
    walking = io.load(_file(tmp_path / "a.bvh"))
    written = io.save([walking, walking], tmp_path / "c.bvh")
    assert written == [tmp_path / "c_1.bvh", tmp_path / "c_2.bvh"]
    assert all(path.is_file() for path in written)
    assert not (tmp_path / "c.bvh").exists()


def _file(path: Path) -> Path:
    path.write_text(person_bvh().text)
    return path


def test_bad_paths_and_options_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.bvh").touch()
    (tmp_path / "a.bvh").write_text(person_bvh().text)
    cases = [
        ({"path": tmp_path}, DataError, "is a folder"),
        ({"path": tmp_path / "none.bvh"}, DataError, "No such file"),
        ({"path": tmp_path / "empty.bvh"}, DataError, "is empty"),
        ({"path": tmp_path / "a.bhv"}, UsageError, "did you mean '.bvh'"),
        ({"path": tmp_path / "a"}, UsageError, "without extension"),
        ({"path": tmp_path / "a.bvh", "asf": "x.asf"}, UsageError, "--asf .* is not for .bvh files"),
        ({"path": tmp_path / "a.bvh", "skeleton": "humanml"}, UsageError, "did you mean 'humanml3d'"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            io.load(**arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"did you mean '\.glb'"):
        io.save(clip(), tmp_path / "a.gltb")
    with pytest.raises(UsageError, match="no motion"):
        io.save([], tmp_path / "a.npz")


@pytest.mark.parametrize("target", sorted({*io.READERS.values(), *io.WRITERS.values()}))
def test_every_reader_and_writer_is_there(target: str) -> None:
    module, _, attribute = target.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_files_hold_what_they_held(tmp_path: Path) -> None:
    """Every word and every number that is written, of a body that stands, moves ahead and lifts an arm forwards."""
    body = get_skeleton("humanml3d")
    joints = np.zeros((4, 22, 3))
    for parent, child in body.bones:
        joints[:, child] = joints[:, parent] + np.round(np.asarray(body.offsets[child]), 2)
    joints += [0, 1, 0]
    joints[2:, :, 2] += 0.25
    shoulder, elbow, wrist = (joints[3, body.index(f"right_{joint}")] for joint in ("shoulder", "elbow", "wrist"))
    upper, lower = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    elbow[:] = shoulder + np.array([0.0, 0.0, upper])
    wrist[:] = elbow + np.array([0.0, 0.0, lower])
    moving = Clip(joints.astype(np.float32), 20, body, name="a", captions=("lifts an arm",))
    made: dict[str, np.ndarray] = {}
    io.save(moving, tmp_path / "a.bvh")
    words = (tmp_path / "a.bvh").read_text().split()
    numbers = [word for word in words if re.fullmatch(r"-?\d+(\.\d+)?", word)]
    made["bvh numbers"] = np.array(numbers, np.float32)
    made["bvh words"] = _checksum(" ".join(word for word in words if word not in numbers))
    for name in ("a.glb", "a.vrma"):
        io.save(moving, tmp_path / name)
        data = (tmp_path / name).read_bytes()
        size = int.from_bytes(data[12:16], "little")
        leaves = list(_leaves(json.loads(data[20 : 20 + size])))
        made[f"{name} numbers"] = np.array([leaf for leaf in leaves if not isinstance(leaf, str)], np.float32)
        made[f"{name} words"] = _checksum("\n".join(leaf for leaf in leaves if isinstance(leaf, str)))
        floats = np.frombuffer(data[28 + size : 28 + size + (len(data) - 28 - size) // 4 * 4], np.float32)
        motion = floats[-600:] if name == "a.glb" else floats
        made[f"{name} floats"] = np.where(np.isfinite(motion) & (np.abs(motion) < 100), motion, 0)
    check_stored("files", made, atol=1e-4)


def _checksum(text: str) -> np.ndarray:
    return np.array([zlib.crc32(text.encode())], np.float64)


def _leaves(value: object):
    """Keys and values of a tree, in order."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _far(length: float, far: float) -> Clip:
    """A chain whose last bone is so long and whose root is so far away."""
    body = Skeleton("chain", ("a", "b", "c"), (-1, 0, 1))
    joints = np.zeros((2, 3, 3), np.float32)
    joints[:, 1, 1], joints[:, 2, 1] = 50.0, 50.0 + length  # the first bone may be of any length
    joints[:, 0, 2] = far
    return Clip(joints, 20, body)


def test_what_no_motion_is_is_refused_from_its_border_on(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for length, far in ((10.0, 1e4), (-10.0, -1e4)):
        io.save(_far(length, far), path)
        assert io.load(path).joints[0, 0, 2] == far
    io.save(_far(10.1, 0.0), path)
    with pytest.raises(DataError, match=r"a bone is 10\.1 m long; the file is damaged, or in another unit"):
        io.load(path)
    io.save(_far(10.1, -10010.0), path)
    with pytest.raises(DataError, match=r"a joint is 1\.001e\+04 m away; the file is damaged, or in another unit"):
        io.load(path)


def test_a_rotation_that_is_no_number_is_refused(tmp_path: Path) -> None:
    """Whatever a reader, a plug-in's too, has made of its file."""
    whole = io.load(_file(tmp_path / "a.bvh"))
    assert whole.rotations is not None
    io._check_size(tmp_path, whole)
    broken = whole.rotations.copy()
    broken[2, 3, 0] = np.nan
    with pytest.raises(DataError, match="a rotation is beyond all numbers"):
        io._check_size(tmp_path, whole.with_(rotations=broken))


def test_frame_rates_are_read_from_one_a_minute_to_a_thousand_a_second(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.bvh")
    for fps in (1 / 60, 1000.0):
        assert io.load(path, fps=fps).fps == fps
    for fps in (0.0166, 1000.1):
        with pytest.raises(UsageError, match=r"0\.017 to 1000 frames a second are read"):
            io.load(path, fps=fps)


@pytest.mark.parametrize(("name", "most"), [("a.mp4", 25), ("a.PNG", 12), ("a.glb", None)])
def test_one_picture_shows_so_many_motions_at_most(name: str, most: int | None) -> None:
    io.check_motions(name, most or 1000)
    if most is not None:
        with pytest.raises(
            UsageError, match=f"{most + 1} motions are too many for one {name[1:].lower()} file; at most"
        ):
            io.check_motions(name, most + 1)


def test_motions_of_the_image_plane_are_read_without_a_word_about_how_they_lie(tmp_path: Path) -> None:
    flat = get_skeleton("coco_upper")
    made = Clip(np.random.default_rng(0).uniform(0, 1, (4, len(flat), 3)).astype(np.float32), 20, flat)
    assert io._warned(made) is made


def test_a_file_of_the_format_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.amc").write_text("1\nroot 0 0 0\n")
    with pytest.raises(DataError, match=r"no such ASF file"):
        io.load(tmp_path / "a.amc", asf=tmp_path)
