"""Arrays from strangers: each defect is one line that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.motion.io import arrays

BEYOND = [0xD800, 0xDFFF, 0x110000]
"""Numbers of no character: halves of pairs, and what comes after the last."""


def text_of(*codes: int) -> np.ndarray:
    return np.array(codes, "<u4").view(f"<U{len(codes)}")


@pytest.mark.parametrize("code", [0x61, 0xD7FF, 0xE000, 0x10FFFF])
def test_text_of_any_character_is_read(code: int, tmp_path: Path) -> None:
    for array in (text_of(code, 0x62), text_of(code, 0x62).astype(">U2")):
        np.save(tmp_path / "a.npy", array)
        np.savez(tmp_path / "a.npz", words=array)
        assert arrays.load_array(tmp_path / "a.npy").tolist() == [chr(code) + "b"]
        assert arrays.load_arrays(tmp_path / "a.npz")["words"].tolist() == [chr(code) + "b"]


@pytest.mark.parametrize("code", BEYOND)
def test_text_of_no_character_is_refused(code: int, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", text_of(0x61, code))
    np.savez(tmp_path / "a.npz", words=text_of(0x61, code))
    for read, name in ((arrays.load_array, "a.npy"), (arrays.load_arrays, "a.npz")):
        with pytest.raises(DataError, match=f"{name}: .*characters that do not exist"):
            read(tmp_path / name)


def test_an_archive_under_the_name_of_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(DataError, match=r"a\.npy: is no \.npy array"):
        arrays.load_array(tmp_path / "a.npy")
    for mode in ("r", "c"):
        with pytest.raises(DataError, match=r"a\.npy: is no \.npy array"):
            arrays.mapped(tmp_path / "a.npy", mode)


def test_a_mapped_array_is_the_file_and_a_copy_on_write_is_not(tmp_path: Path) -> None:
    path, values = tmp_path / "a.npy", np.arange(6.0).reshape(2, 3)
    np.save(path, values)
    read = arrays.mapped(path, "r")
    assert isinstance(read, np.memmap)
    np.testing.assert_array_equal(read, values)
    with pytest.raises(ValueError, match="read-only"):
        read[0, 0] = 9.0
    copied = arrays.mapped(path, "c")
    copied[0, 0] = 9.0
    np.testing.assert_array_equal(np.load(path), values)


def test_pickled_and_broken_files_are_never_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "b.npy", np.zeros(9))
    (tmp_path / "b.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:-8])
    for name in ("a.npy", "b.npy"):
        with pytest.raises(DataError, match=rf"{name}: no readable \.npy array"):
            arrays.mapped(tmp_path / name, "r")
    np.savez(tmp_path / "c.npz", x=np.zeros(900))
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:-30])
    for read in (arrays.load_arrays, arrays.member_names):
        with pytest.raises(DataError, match=r"c\.npz: no readable \.npz archive"):
            read(tmp_path / "c.npz")


def test_names_are_those_of_the_arrays_alone(tmp_path: Path) -> None:
    import zipfile

    np.savez(tmp_path / "a.npz", x=np.zeros(1), y=np.ones(2))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("notes.txt", "not an array")
    assert arrays.member_names(tmp_path / "a.npz") == {"x", "y"}
    assert set(arrays.load_arrays(tmp_path / "a.npz")) == {"x", "y"}
    assert set(arrays.load_arrays(tmp_path / "a.npz", {"y", "z"})) == {"y"}


def test_real_numbers_become_doubles_and_others_are_refused() -> None:
    for kind in (np.float16, np.float32, np.int8, np.uint64):
        made = arrays.real(np.array([1, 2], kind), "x")
        assert (made.dtype, made.tolist()) == (np.dtype(np.float64), [1.0, 2.0])
    for array in (np.array([1j]), np.array(["1"]), np.array([True]), np.array(["2020"], "M8[Y]")):
        with pytest.raises(DataError, match=r"x: holds .*, not real numbers"):
            arrays.real(array, "x")


@pytest.mark.parametrize(
    "read", [arrays.load_array, arrays.load_arrays, arrays.member_names, lambda p: arrays.mapped(p, "r")]
)
def test_files_that_are_not_there_or_only_point_to_one_are_named_so(read, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npy: cannot be read: No such file"):
        read(tmp_path / "none.npy")
    (tmp_path / "a.npy").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(DataError, match=r"a\.npy: .*Git LFS"):
        read(tmp_path / "a.npy")
