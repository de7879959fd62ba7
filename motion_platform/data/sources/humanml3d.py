"""HumanML3D and KIT-ML in their official layouts: feature files, captions with tags, and lists."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.source import Converted, DataSource, Item, Row, Words
from motion_platform.motion.representations import get_representation


class HumanML3DFolder(DataSource):
    """The official folder: ``new_joint_vecs/ID.npy`` (T, 263), ``texts/ID.txt``, and the lists train, val, test (.txt).

    A line of a text file is ``caption#tokens#from#to``; a caption with times (in seconds) describes that part of the
    clip, which becomes a clip of its own, ``ID_FROM-TO`` in frames. As in the official loader, clips and parts shorter
    than ``min_frames`` or not shorter than ``max_frames`` are left out; unlike it, everything left out is reported
    (among it the NaN of M007975). Mirrored clips (``M...``) are in the official lists: nothing is mirrored here.
    """

    name = "humanml3d"
    licence = "texts: HumanML3D (MIT); motions: AMASS and HumanAct12, under their own licences (not to be passed on)"
    representation = "humanml3d"
    expected_train = 23384

    def __init__(self, min_frames: int = 40, max_frames: int = 200) -> None:
        self.min_frames, self.max_frames = min_frames, max_frames

    def items(self, source: Path, report: Report) -> list[Item]:
        for need in ("new_joint_vecs", "texts"):
            if not (source / need).is_dir():
                raise DataError(
                    f"{self.name}: {source} has no folder {need!r}; the official layout has new_joint_vecs/, texts/, "
                    "train.txt, val.txt, test.txt"
                )
        items: dict[str, Item] = {}
        for split in ("train", "val", "test"):
            listing = source / f"{split}.txt"
            if not listing.is_file():
                raise DataError(f"{self.name}: {listing} is missing")
            ids = listing.read_text(encoding="utf-8").split()
            if split == "train":
                report.notes.append(f"train.txt lists {len(ids)} clips (the official release: {self.expected_train})")
            for id in ids:
                if id in items:
                    report.drop(id, f"listed twice: in {items[id].split}.txt and in {split}.txt")
                    continue
                path = source / "new_joint_vecs" / f"{id}.npy"
                if not path.is_file():
                    report.drop(id, "listed, but new_joint_vecs has no file for it")
                    continue
                items[id] = Item(id, str(path), split, f"{self.name} {id.removeprefix('M')}", Words())
        return list(items.values())

    def convert(self, item: Item, mirror: bool) -> Converted:
        """Features as they are, once for the whole clip and once for each part that has its own captions."""
        result = Converted(item)
        if not mirror and item.id.startswith("M"):
            return result
        path = Path(item.path)
        try:
            features = np.load(path, allow_pickle=False)
            self._check(features, path)
            if not np.isfinite(features).all():
                result.nan, result.dropped = True, "NaN or infinite features"
                return result
            parts = self._captions(path.parent.parent / "texts" / f"{item.id}.txt", result)
        except (DataError, OSError, ValueError, EOFError) as error:
            result.error = str(error).splitlines()[0] if str(error) else type(error).__name__
            return result
        for (start, stop), captions in parts.items():
            whole = (start, stop) == (0, 0)
            piece = features if whole else features[start:stop]
            id = item.id if whole else f"{item.id}_{start}-{stop}"
            if len(piece) < self.min_frames:
                result.too_short = True
                result.remarks.append((id, f"shorter than {self.min_frames} frames"))
            elif len(piece) >= self.max_frames:
                result.remarks.append((id, f"{self.max_frames} frames or longer"))
            else:
                words = Words(tuple(dict.fromkeys(captions)))
                result.rows.append(
                    Row(id, item.split, item.source, piece.astype(np.float32), words, item.id.startswith("M"))
                )
        if not parts:
            result.dropped = "no usable caption"
        return result

    def _check(self, features: np.ndarray, path: Path) -> None:
        dim = get_representation(self.representation).dim
        if features.ndim != 2 or features.shape[1] != dim or features.dtype.kind != "f":
            raise DataError(f"{path}: features have shape {features.shape} ({features.dtype}), not float (T, {dim})")

    def _captions(self, path: Path, result: Converted) -> dict[tuple[int, int], list[str]]:
        """(first frame, frame after the last) -> captions; (0, 0) is the whole clip. Bad lines become remarks."""
        fps = get_representation(self.representation).fps
        parts: dict[tuple[int, int], list[str]] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            fields = line.strip().split("#")
            try:
                start, stop = (0.0 if math.isnan(float(t)) else float(t) for t in fields[2:4])
                if not fields[0].strip() or start < 0 or stop < start:
                    raise ValueError
            except ValueError:
                result.remarks.append((f"{path.name} line {number}", "is not caption#tokens#from#to"))
                continue
            parts.setdefault((int(start * fps), int(stop * fps)), []).append(fields[0].strip())
        return parts


class KITMLFolder(HumanML3DFolder):
    """KIT-ML in the same layout: (T, 251) features at 12.5 fps, clips of 24 to 199 frames."""

    name = "kit_ml"
    licence = "KIT Motion-Language Dataset: see motion-annotation.humanoids.kit.edu (not to be passed on)"
    representation = "kit_ml"
    expected_train = 4888

    def __init__(self, min_frames: int = 24, max_frames: int = 200) -> None:
        super().__init__(min_frames, max_frames)
