import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from bodies import person_bvh

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.skeleton import get_skeleton


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
