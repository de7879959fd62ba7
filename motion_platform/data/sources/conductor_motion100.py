"""ConductorMotion100 as its authors publish it: ``{train,val,test}/N/mel.npy`` and ``motion.npy``.

Chen et al., "Self-Supervised Music Motion Synchronization Learning for Music-Driven Conducting Motion Generation"
(https://github.com/ChenDelong1999/VirtualConductor): 100 hours as pieces of 60 s; mel (5400, 128) at 90 Hz, motion
(1800, 13, 2) at 30 Hz. Sound and beats were never published. For academic use; ask the authors for anything else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.source import Converted, DataSource, Item, PreparedRow, Words
from motion_platform.motion.io.arrays import load_array
from motion_platform.motion.representations import get_representation
from motion_platform.motion.representations.conductor import Conductor

SPLITS = ("train", "val", "test")
SHAPES = {"mel.npy": (5400, 128), "motion.npy": (1800, 13, 2)}


class ConductorMotion100(DataSource):
    """The published folder, with the published splits."""

    name = "conductor_motion100"
    licence = "ConductorMotion100 (Chen et al. 2022): academic use only"
    representation = "conductor"
    streams = {"mel": (90.0, 128)}

    def items(self, source: Path, report: Report) -> list[Item]:
        found = []
        for split in SPLITS:
            folders = (
                [path for path in (source / split).iterdir() if path.is_dir()] if (source / split).is_dir() else []
            )
            for folder in sorted(folders, key=lambda path: (len(path.name), path.name)):
                found.append(
                    Item(f"{split}_{folder.name}", str(folder), split, f"{self.name}: {split}/{folder.name}", Words())
                )
        if not found:
            raise DataError(f"{self.name}: {source} has no folders train/N, val/N or test/N")
        return found

    def convert(self, item: Item, mirror: bool) -> Converted:
        """One piece. ``mirror`` is not used: a mirrored conductor would be left-handed."""
        result = Converted(item)
        try:
            mel, motion = (_array(Path(item.path) / name, shape) for name, shape in SHAPES.items())
            representation = get_representation(self.representation)
            assert isinstance(representation, Conductor)
            features = representation.from_keypoints(motion)
            result.rows = [PreparedRow(item.id, item.split, item.source, features, item.words, streams={"mel": mel})]
        except DataError as error:
            result.error, result.nan = str(error), "NaN" in str(error)
        return result


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array of a file. DataError when it is missing, no array, of another shape, or not finite."""
    try:
        array = load_array(path)
    except DataError as error:
        raise DataError(f"{path}: cannot be read as an array ({error})") from error
    if array.shape != shape:
        raise DataError(f"{path}: has shape {array.shape}, not {shape}")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path}: holds {array.dtype}, not numbers")
    if not np.isfinite(array).all():
        raise DataError(f"{path}: has a NaN or infinite value")
    return array.astype(np.float32)
