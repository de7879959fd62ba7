"""CMU motion capture with HumanML3D's captions: the part of HumanML3D whose motions anybody may pass on."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import defaultdict
from pathlib import Path
from statistics import median

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.source import DataSource, Item, Words

POSES = re.compile(r"/CMU/\d+/(?P<trial>\d+_\d+)_poses(\.npy|\.npz)?$")


class CMUHumanML3D(DataSource):
    """A folder with ``cmu/`` (BVH, or AMC with ASF; any depth; named SUBJECT_TRIAL) and ``humanml3d/`` (index.csv,
    captions.json, train.txt, val.txt, test.txt).

    A row of index.csv is a part of a trial, in frames at 20 fps. Segments of one trial stay together: where the
    official lists disagree, test goes before val and val before train, so that nothing official test holds is trained.
    AMC files do not say their frame rate: it is found from the lengths that index.csv gives them.
    """

    name = "cmu_humanml3d"
    licence = (
        "motions: CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu), free for research and commercial use, "
        "not for resale; captions: HumanML3D (MIT)"
    )

    def items(self, source: Path, report: Report) -> list[Item]:
        texts = source / "humanml3d"
        captions = _captions(texts / "captions.json")
        official = {}
        for split in ("train", "val", "test"):
            for line in _read(texts / f"{split}.txt").split():
                official[line] = split
        trials: dict[str, Path] = {}
        for pattern in ("*.amc", "*.bvh"):  # a trial in both formats is read from its BVH
            trials |= {path.stem: path for path in sorted((source / "cmu").rglob(pattern))}
        if not trials:
            raise DataError(f"{self.name}: no .bvh or .amc below {source / 'cmu'}")
        segments: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        index = texts / "index.csv"
        for number, row in enumerate(csv.DictReader(_read(index).splitlines()), start=2):
            try:
                match = POSES.search(row["source_path"])
                if match is None or match["trial"] not in trials:
                    continue
                id = row["new_name"].removesuffix(".npy")
                segments[match["trial"]].append((id, int(row["start_frame"]), int(row["end_frame"])))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DataError(
                    f"{index}: row {number} does not have source_path,start_frame,end_frame,new_name"
                ) from error
        if not segments:
            raise DataError(f"{self.name}: no row of {index} names a trial below {source / 'cmu'}")
        amc_fps = _amc_rate(trials, segments)
        if amc_fps is not None:
            report.notes.append(f"AMC files are at {amc_fps:g} fps by the lengths in index.csv")
        items = []
        for trial, parts in sorted(segments.items()):
            ranks = {official.get(id) for id, _, _ in parts}
            split = next((s for s in ("test", "val") if s in ranks), "train")
            for id, start, end in parts:
                name = f"cmu_{trial}_{id}"
                said = [c for c in captions.get(id, []) if c.strip()]
                if not said:
                    report.drop(name, "HumanML3D's caption list has no caption for it")
                    continue
                items.append(
                    Item(
                        id=name,
                        path=str(trials[trial]),
                        split=split,
                        source=f"CMU {trial}, frames {start} to {end} at 20 fps (HumanML3D {id})",
                        words=Words(tuple(dict.fromkeys(said))),
                        start=start,
                        end=end if end > 0 else None,
                        fps=amc_fps if trials[trial].suffix == ".amc" else None,
                    )
                )
        for trial in sorted(set(trials) - set(segments)):
            report.drop(trial, "no row of index.csv names this trial")
        return items


def _amc_rate(trials: dict[str, Path], segments: dict[str, list[tuple[str, int, int]]]) -> float | None:
    """The frame rate of the AMC files, 30, 60 or 120: most rows of index.csv span their trial at 20 fps."""
    rates = []
    for trial, parts in segments.items():
        if trials[trial].suffix == ".amc":
            frames = sum(line.strip().isdigit() for line in _read(trials[trial]).splitlines())
            rates.append(frames * 20 / max(end for _, _, end in parts))
    return min((30.0, 60.0, 120.0), key=lambda rate: abs(math.log(rate / median(rates)))) if rates else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _captions(path: Path) -> dict[str, list[str]]:
    try:
        captions = json.loads(_read(path))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON: {error}") from error
    if not isinstance(captions, dict):
        raise DataError(f"{path}: must map an id to a list of captions")
    return captions
