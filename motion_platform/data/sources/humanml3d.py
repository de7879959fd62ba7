"""HumanML3D and KIT-ML in their official layouts: feature files, captions with tags, and lists."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.core.opening import read_text
from motion_platform.data import babel as babel_labels
from motion_platform.data.babel import TimedLabel
from motion_platform.data.report import Report
from motion_platform.data.source import Converted, DataSource, Item, PreparedRow, Words
from motion_platform.motion.io.arrays import load_array
from motion_platform.motion.representations import get_representation
from motion_platform.texts.sides import swap_sides

LOW_FOLDERS = ("babel_texts", "gpt_texts")
"""Folders beside ``texts`` whose ``ID.txt`` holds a clip's low-level text in its first line, as the authors of the
dual-text model lay them out (Ribeiro-Gomes et al. 2024); a line that says None is none."""


@dataclass(frozen=True)
class DualTextItem(Item):
    """labels: of BABEL, in seconds of the clip. repeat: where there is no low-level text, the captions stand in."""

    labels: tuple[TimedLabel, ...] = ()
    repeat: bool = False


LARGEST = 1e4
"""Of a feature: metres, metres a second and entries of rotation matrices are far below."""


class HumanML3DFolder(DataSource):
    """The official folder: ``new_joint_vecs/ID.npy`` (T, 263), ``texts/ID.txt``, and the lists train, val, test (.txt).

    A line of a text file is ``caption#tokens#from#to``; a caption with times (in seconds) describes that part of the
    clip, which becomes a clip of its own, ``ID_FROM-TO`` in frames. As in the official loader, clips and parts shorter
    than ``min_frames`` or not shorter than ``max_frames`` are left out; unlike it, everything left out is reported
    (among it the NaN of M007975). Mirrored clips (``M...``) are in the official lists: nothing is mirrored here.

    Low-level text comes from ``babel``, a folder with BABEL's own train.json and val.json, joined by HumanML3D's
    index.csv (in the folder or the one above), else from ``babel_texts/ID.txt`` and ``gpt_texts/ID.txt``. low: what a
    clip without any gets, "repeat" its captions, as the paper does, or "none"; by default repeat where any of the
    three is there, and none where none is.
    """

    name = "humanml3d"
    licence = "texts: HumanML3D (MIT); motions: AMASS and HumanAct12, under their own licences (not to be passed on)"
    representation = "humanml3d"
    expected_train = 23384
    has_tokens = True

    def __init__(
        self,
        min_frames: int = 40,
        max_frames: int = 200,
        babel: str | None = None,
        low: Literal["repeat", "none"] | None = None,
    ) -> None:
        self.min_frames, self.max_frames, self.babel, self.low = min_frames, max_frames, babel, low

    def items(self, source: Path, report: Report) -> list[Item]:
        for need in ("new_joint_vecs", "texts"):
            if not (source / need).is_dir():
                raise DataError(
                    f"{self.name}: {source} has no folder {need!r}; the official layout has new_joint_vecs/, texts/, "
                    "train.txt, val.txt, test.txt"
                )
        labels = self._labels(source, report)
        written = [name for name in LOW_FOLDERS if (source / name).is_dir()]
        repeat = self.low == "repeat" or (self.low is None and bool(labels or written))
        items: dict[str, Item] = {}
        for split in ("train", "val", "test"):
            listing = source / f"{split}.txt"
            if not listing.is_file():
                raise DataError(f"{self.name}: {listing} is missing")
            ids = read_text(listing).split()
            if split == "train":
                report.notes.append(f"train.txt lists {len(ids)} clips (the official release: {self.expected_train})")
            for id in ids:
                if id in items:
                    report.drop(id, f"listed twice: in {items[id].split}.txt and in {split}.txt")
                    continue
                path = source / "new_joint_vecs" / f"{id}.npy"
                if not os.path.isfile(path):  # false for what can be no name, too
                    report.drop(id, "listed, but new_joint_vecs has no file for it")
                    continue
                items[id] = DualTextItem(
                    id,
                    str(path),
                    split,
                    f"{self.name} {id.removeprefix('M')}",
                    Words(),
                    labels=tuple(labels.get(id, ())),
                    repeat=repeat,
                )
        low = ["BABEL", *written] if self.babel else written
        otherwise = "the captions" if repeat else "nothing"
        report.notes.append(f"low-level text: from {', '.join(low) or 'nowhere'}; where there is none, {otherwise}")
        return list(items.values())

    def _labels(self, source: Path, report: Report) -> dict[str, list[TimedLabel]]:
        """Clip -> BABEL's labels. DataError where ``babel`` was given and names no clip."""
        if self.babel is None:
            return {}
        places = (source / "index.csv", source.parent / "index.csv")
        index = next((place for place in places if place.is_file()), places[0])
        labels = babel_labels.join(index, babel_labels.read(Path(self.babel).expanduser()))
        if not labels:
            raise DataError(f"{self.name}: babel: no row of {index} names a recording that {self.babel} has labels of")
        report.notes.append(f"BABEL labels {len(labels)} clips of index.csv, mirrored ones among them")
        return labels

    def convert(self, item: Item, mirror: bool) -> Converted:
        """Features as they are, once for the whole clip and once for each part that has its own captions."""
        result = Converted(item)
        if not mirror and item.id.startswith("M"):
            return result
        path = Path(item.path)
        try:
            features = load_array(path)
            self._check(features, path)
            if not np.isfinite(features).all():
                result.nan, result.dropped = True, "NaN or infinite features"
                return result
            if (np.abs(features) > LARGEST).any():
                raise DataError(
                    f"{path}: a feature of {np.abs(features).max():.4g}; no motion has one beyond {LARGEST:g}"
                )
            folder = path.parent.parent
            parts = self._captions(folder / "texts" / f"{item.id}.txt", result)
            written = _written(folder, item.id)
        except (DataError, OSError, ValueError) as error:
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
                said = dict(reversed(captions))  # a caption that is there twice keeps its first tokens
                high = tuple(dict.fromkeys(caption for caption, _ in captions))
                tokens = tuple(said[caption] for caption in high if said[caption])
                words = Words(high, self._low(item, (start, stop), written, high), tokens=tokens)
                result.rows.append(
                    PreparedRow(id, item.split, item.source, piece.astype(np.float32), words, item.id.startswith("M"))
                )
        if not parts:
            result.dropped = "no usable caption"
        return result

    def _low(
        self, item: Item, part: tuple[int, int], written: tuple[str, ...], high: tuple[str, ...]
    ) -> tuple[str, ...]:
        """The low-level text of a part in frames ((0, 0): all): BABEL's labels there, else what files say of all of
        the clip, else the captions where they stand in."""
        if not isinstance(item, DualTextItem):
            return written
        labels = item.labels
        if part != (0, 0):
            fps = get_representation(self.representation).fps
            labels = tuple(babel_labels.within(labels, part[0] / fps, part[1] / fps))
        if labels:
            return (babel_labels.sentence(labels),)
        return written or (high if item.repeat else ())

    def _check(self, features: np.ndarray, path: Path) -> None:
        dim = get_representation(self.representation).dim
        if features.ndim != 2 or features.shape[1] != dim or features.dtype.kind != "f":
            raise DataError(f"{path}: features have shape {features.shape} ({features.dtype}), not float (T, {dim})")

    def _captions(self, path: Path, result: Converted) -> dict[tuple[int, int], list[tuple[str, str]]]:
        """(first frame, frame after the last) -> captions, each with its tokens ("" where it has none); (0, 0) is the
        whole clip. Bad lines become remarks."""
        fps = get_representation(self.representation).fps
        parts: dict[tuple[int, int], list[tuple[str, str]]] = {}
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            if not line.strip():
                continue
            fields = line.strip().split("#")
            try:
                start, stop = (0.0 if math.isnan(float(t)) else float(t) for t in fields[2:4])
                if not fields[0].strip() or start < 0 or stop < start or math.isinf(stop):
                    raise ValueError
            except ValueError:
                result.remarks.append((f"{path.name} line {number}", "is not caption#tokens#from#to"))
                continue
            parts.setdefault((int(start * fps), int(stop * fps)), []).append((fields[0].strip(), fields[1].strip()))
        return parts


def _written(folder: Path, id: str) -> tuple[str, ...]:
    """The low-level texts that files beside ``texts`` give a clip; a mirrored clip without one swaps the sides."""
    found = []
    for name in LOW_FOLDERS:
        own, other = folder / name / f"{id}.txt", folder / name / f"{id.removeprefix('M')}.txt"
        path = own if own.is_file() else other
        if path.is_file():
            lines = read_text(path).strip().splitlines()
            text = lines[0].strip() if lines else ""
            if text and text != "None":
                found.append(text if path == own else swap_sides(text))
    return tuple(dict.fromkeys(found))


class KITMLFolder(HumanML3DFolder):
    """KIT-ML in the same layout: (T, 251) features at 12.5 fps, clips of 24 to 199 frames."""

    name = "kit_ml"
    licence = "KIT Motion-Language Dataset: see motion-annotation.humanoids.kit.edu (not to be passed on)"
    representation = "kit_ml"
    expected_train = 4888

    def __init__(self, min_frames: int = 24, max_frames: int = 200) -> None:
        super().__init__(min_frames, max_frames)
