"""Motions that somebody else's program made: a folder of them, named by the clips they are for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from motion_platform.core.contracts import clip_of
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.files import settle
from motion_platform.core.opening import read_json, read_table
from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.evaluation.sources import Source
from motion_platform.evaluation.testset import Item, TestSet
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.arrays import load_array
from motion_platform.motion.representations import get_representation
from motion_platform.motion.retarget import to_humanml3d

SUFFIXES = (".npy", ".npz", ".bvh")
INDEXES = ("index.csv", "index.json")
SHOWN = 5


def is_results(folder: Path) -> bool:
    """Is this a folder of motions? A checkpoint has a model.yaml; a folder without one holds results."""
    settle(folder / "model.yaml")
    return folder.is_dir() and not (folder / "model.yaml").is_file()


class OutsideMotions(Source):
    """Motions read from ``folder``: ``<clip id>.npy`` (joints (T, 22, 3) in metres, or raw features (T, 263 | 67)),
    ``.npz`` or ``.bvh``; or under any names with an ``index.csv`` (columns id, file) or ``index.json`` ({id: file}).

    Several motions of a clip are called ``<clip id>#0``, ``#1``, ...: multimodality then reads them. Height above the
    floor is taken as it is, so floating counts; lengths may differ from the clips', what is longer than the protocol's
    longest clip is cut. Files for clips that are not measured are counted and left alone.

    Errors: DataError for a clip without a motion (all are counted, the first are named), with two, or with a NaN.
    """

    kind = "folder"
    fixed = True

    def __init__(self, folder: Path, *, name: str | None = None) -> None:
        self.folder, self.name = folder, name or folder.resolve().name
        self.files = find_files(folder)
        self.varied = any(clip_of(sample) != sample for sample in self.files)
        self.left_alone = 0

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self.test = test
        clips = {clip_of(sample) for sample in self.files}
        plain = set(self.files)
        missing = [sample for sample in test.ids if sample not in plain and f"{sample}#0" not in plain]
        if missing:
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            raise DataError(
                f"{self.folder}: {len(missing)} of {len(test.ids)} clips of split {test.split} have no motion: "
                f"{', '.join(missing[:SHOWN])}{more}; a score over the others could not be compared with anything"
            )
        self.left_alone = len(clips - set(test.ids))

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        read = []
        for sample in batch.ids:
            path = self.files.get(sample) or self.files.get(f"{sample}#0")
            if path is None:
                raise DataError(
                    f"{self.folder}: there is no motion {sample!r}; metrics of several motions need them all"
                )
            read.append(self._read(path))
        names = {name for _, name in read}
        if len(names) > 1:  # joints and features mixed: what they have in common are the joints
            read = [(encode(decode(x, name)), "humanml3d_essential") for x, name in read]
        representation = get_representation(read[0][1])
        rows = [torch.from_numpy(np.ascontiguousarray(x[: self.test.max_frames or len(x)])) for x, _ in read]
        lengths = torch.tensor([len(x) for x in rows])
        zero, one = torch.zeros(representation.dim), torch.ones(representation.dim)
        spec = MotionSpec(
            representation.name, representation.skeleton.name, representation.fps, zero, one, representation.units
        )
        return Motion(pad_sequence(rows, batch_first=True).float(), lengths, spec)

    def _read(self, path: Path) -> tuple[np.ndarray, str]:
        """(raw features (T, D) float32, representation). Errors: DataError with the file (and frame)."""
        if path.suffix == ".npy":
            clip = io.load(path)  # checks everything; features are then taken as they are in the file
            name = clip.info.get("representation")
            if name is not None:
                return load_array(path).astype(np.float32), name
        else:
            try:
                clip = io.load(path)
            except DataError as error:
                raise DataError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
        return encode(self._joints(clip, path)), "humanml3d_essential"

    def _joints(self, clip: Clip, path: Path) -> np.ndarray:
        wanted = get_representation("humanml3d_essential")
        if clip.skeleton.joints == wanted.skeleton.joints and clip.fps == wanted.fps:
            return clip.joints
        if clip.skeleton.dims != 3:
            raise DataError(f"{path}: skeleton {clip.skeleton.name} is flat; motions in space are needed")
        return to_humanml3d(clip, fps=wanted.fps).joints

    def identity(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for sample, path in sorted(self.files.items()):
            digest.update(f"{sample}\n".encode())
            digest.update(path.read_bytes())
        return {**super().identity(), "files": digest.hexdigest(), "motions": len(self.files)}


def encode(joints: np.ndarray) -> np.ndarray:
    """(T, 22, 3) -> (T, 67): T frames are made of T + 1 poses, and the last one goes on as before."""
    if len(joints) < 2:
        joints = np.concatenate([joints, joints[-1:]])
    last = 2 * joints[-1].astype(np.float64) - joints[-2]
    return get_representation("humanml3d_essential").encode(np.concatenate([joints, last[None]]))


def decode(features: np.ndarray, representation: str) -> np.ndarray:
    return get_representation(representation).decode(torch.from_numpy(features)).numpy()


def find_files(folder: Path) -> dict[str, Path]:
    """sample id -> file. Errors: UsageError for a folder without motions; DataError for an id that is there twice."""
    found: dict[str, Path] = {}
    for name in INDEXES:
        if (folder / name).is_file():
            pairs = _index(folder / name)
            break
    else:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
        pairs = [(path.relative_to(folder).with_suffix("").as_posix(), path) for path in paths]
    for sample, path in pairs:
        if sample in found:
            raise DataError(f"{folder}: clip {sample!r} is there twice: {found[sample].name} and {path.name}")
        if not os.path.isfile(path):  # false for what can be no name, too
            raise DataError(f"{folder}: the index names {path.name} for clip {sample!r}, but there is no such file")
        found[sample] = path
    if not found:
        raise UsageError(
            f"{folder}: is neither a checkpoint (no model.yaml) nor a folder of motions ({', '.join(SUFFIXES)})"
        )
    return found


def _index(path: Path) -> list[tuple[str, Path]]:
    if path.suffix == ".json":
        found = read_json(path, pairs=list)  # a dictionary would hide an id that is there twice
        pairs = found if isinstance(found, list) else [found]
    else:
        pairs = [(row["id"], row["file"]) for _, row in read_table(path, ("id", "file"))]
    for pair in pairs:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(e, str) and e for e in pair)):
            raise DataError(
                f"{path}: is no index (csv with the columns id and file, or json {{id: file}}): got {pair!r:.60}"
            )
    return [(sample, path.parent / file) for sample, file in pairs]
