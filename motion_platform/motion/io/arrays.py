"""Open .npy and .npz files from strangers: never unpickle, never read more than fits, one error for every defect."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.io.text import check_pointer

MAX_BYTES = 4 << 30


def check_head(path: Path) -> None:
    """DataError for a Git LFS pointer, or a file that cannot be opened."""
    try:
        with path.open("rb") as file:
            check_pointer(path, file.read(64))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def load_array(path: Path) -> np.ndarray:
    """The array of an .npy file, numeric or text. DataError when it is broken, pickled or huge."""
    check_head(path)
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
        if isinstance(array, np.ndarray) and array.nbytes <= MAX_BYTES:
            return np.array(array)
    except Exception as error:  # numpy, zipfile and ast raise a dozen different ones for broken bytes
        if "Python objects" in str(error):
            raise DataError(
                f"{path}: is a pickled Python object, as MDM writes its results.npy; unpickling could run code, so it "
                "is not read. If you trust it, in Python: d = numpy.load('results.npy', allow_pickle=True).item(); "
                "numpy.save('motions.npy', d['motion'].transpose(0, 3, 1, 2))"
            ) from error
        raise DataError(f"{path}: no readable .npy array: {_one_line(error)}") from error
    raise DataError(f"{path}: no .npy array of at most {MAX_BYTES >> 30} GiB")


def load_arrays(path: Path, wanted: set[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, only those ``wanted`` where given. DataError when it is broken or huge."""
    check_head(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if wanted is None or m.filename.removesuffix(".npy") in wanted]
            size = sum(member.file_size for member in members)
            if size > MAX_BYTES:
                raise DataError(f"{path}: unpacks to {size >> 20} MiB; at most {MAX_BYTES >> 20} are allowed")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if wanted is None or name in wanted}
    except DataError:
        raise
    except Exception as error:  # as above
        raise DataError(f"{path}: no readable .npz archive: {_one_line(error)}") from error


def member_names(path: Path) -> set[str]:
    """Names of the arrays in an .npz file, without reading them. DataError when it is no archive."""
    check_head(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except Exception as error:  # as above
        raise DataError(f"{path}: no readable .npz archive: {_one_line(error)}") from error


def real(array: np.ndarray, where: str) -> np.ndarray:
    """The array as float64; DataError where it holds no real numbers."""
    if array.dtype.kind not in "fiu":
        raise DataError(f"{where}: holds {array.dtype}, not real numbers")
    return array.astype(np.float64)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."
