"""Open .npy and .npz files from strangers: never unpickle, never read more than fits, one error for every defect."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.core.opening import check_budget, check_head, short


def load_array(path: Path) -> np.ndarray:
    """The array of an .npy file, numeric or text. DataError when it is broken, pickled, or more than the file holds."""
    check_head(path)
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception as error:  # numpy, zipfile and ast raise a dozen different ones for broken bytes
        if "Python objects" in str(error):
            raise DataError(
                f"{path}: is a pickled Python object, as MDM writes its results.npy; unpickling could run code, so it "
                "is not read. If you trust it, in Python: d = numpy.load('results.npy', allow_pickle=True).item(); "
                "numpy.save('motions.npy', d['motion'].transpose(0, 3, 1, 2))"
            ) from error
        raise DataError(f"{path}: no readable .npy array: {short(error)}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: is no .npy array")
    check_budget(path, array.size * max(8, array.itemsize), f"an array {array.shape}")
    try:
        return _text(np.array(array))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def mapped(path: Path, mode: Literal["r", "c"]) -> np.ndarray:
    """The array of an .npy file, mapped from it ("c": copy on write). DataError when it is broken or pickled."""
    check_head(path)
    try:
        array = np.load(path, allow_pickle=False, mmap_mode=mode)
    except Exception as error:  # as above
        raise DataError(f"{path}: no readable .npy array: {short(error)}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: is no .npy array")
    return array


def load_arrays(path: Path, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, only those ``wanted`` where given: no other is unpacked. DataError when it is broken,
    or more than the file can honestly hold."""
    check_head(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist() if m.filename.endswith(".npy")}
            chosen = [name for name in members if wanted is None or name in wanted]
            check_budget(path, sum(_size(archive, members[name]) for name in chosen), "what it unpacks to")
        with np.load(path, allow_pickle=False) as archive:
            return {name: _text(np.asarray(archive[name])) for name in chosen}
    except DataError:
        raise
    except Exception as error:  # as above
        raise DataError(f"{path}: no readable .npz archive: {short(error)}") from error


def _text(array: np.ndarray) -> np.ndarray:
    """The array. ValueError for text of numbers that are no characters, which Python falls over much later."""
    if array.dtype.kind == "U" and array.size:
        codes = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if (codes > 0x10FFFF).any() or ((codes >= 0xD800) & (codes < 0xE000)).any():
            raise ValueError("holds text with characters that do not exist")
    return array


def _size(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Bytes of a member as float64, or as it is where that is more; by its header."""
    with archive.open(member) as file:
        read = _READERS[np.lib.format.read_magic(file)]
        shape, _, dtype = read(file)
    return math.prod(shape) * max(8, dtype.itemsize) + member.file_size


_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def member_names(path: Path) -> set[str]:
    """Names of the arrays in an .npz file, without reading them. DataError when it is no archive."""
    check_head(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    except Exception as error:  # as above
        raise DataError(f"{path}: no readable .npz archive: {short(error)}") from error


def real(array: np.ndarray, where: str) -> np.ndarray:
    """The array as float64; DataError where it holds no real numbers."""
    if array.dtype.kind not in "fiu":
        raise DataError(f"{where}: holds {array.dtype}, not real numbers")
    return array.astype(np.float64)
