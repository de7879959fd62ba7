"""BABEL's labels of AMASS recordings, joined with the clips that HumanML3D cut out of the same recordings.

Format: BABEL 1.0 (Punnakkal et al. 2021, arXiv:2106.09696), ``train.json`` and ``val.json``: id -> {feat_p, seq_ann,
frame_ann}; ``extra_train.json`` and ``extra_val.json`` hold lists of annotations by several people (seq_anns,
frame_anns). Low-level text of a clip: its frame labels sorted by start and joined by commas (Ribeiro-Gomes et al.
2024, "MotionGPT: Human Motion Synthesis with Improved Diversity and Realism via GPT-3 Prompting", section 3.2).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from motion_platform.core.errors import DataError
from motion_platform.core.opening import read_json
from motion_platform.texts.sides import swap_sides

FILES = ("train.json", "val.json", "extra_train.json", "extra_val.json")
"""Read in this order: an earlier file's annotation of a recording goes first. test.json has no labels."""
UNSAID = ("transition",)
"""Labels that name no action."""
FPS = 20.0
"""The frame rate of HumanML3D's index."""
CROPPED = {
    "Eyes_Japan_Dataset": 3.0,
    "MPI_HDM05": 3.0,
    "TotalCapture": 1.0,
    "MPI_Limits": 1.0,
    "Transitions_mocap": 0.5,
}
"""Seconds that HumanML3D cuts off the beginning of a subset's recordings before it counts the frames of its index."""


@dataclass(frozen=True)
class TimedLabel:
    """What is done from ``start`` to ``end``, in seconds; a label of the whole recording has no bounds."""

    text: str
    start: float = -math.inf
    end: float = math.inf


def read(folder: Path) -> dict[str, list[list[TimedLabel]]]:
    """Recording (``subset/.../name``, without its ending) -> one list of labels an annotator.

    Errors: DataError for a folder without BABEL's files and for a file of another version.
    """
    if not folder.is_dir():
        raise DataError(f"babel: {folder} is no folder; give the one that holds BABEL's {', '.join(FILES[:2])}")
    paths = [folder / name for name in FILES if (folder / name).is_file()]
    if not paths:
        raise DataError(f"babel: {folder} holds none of {', '.join(FILES)}; unpack BABEL 1.0 there")
    recordings: dict[str, list[list[TimedLabel]]] = {}
    for path in paths:
        records = read_json(path)
        if not isinstance(records, dict):
            raise DataError(f"{path}: is a {type(records).__name__}, not BABEL 1.0's table of records by id")
        for sid, record in records.items():
            recording, annotations = _record(record, f"{path}: record {sid}")
            recordings.setdefault(recording, []).extend(annotations)
    return recordings


def _record(record: Any, where: str) -> tuple[str, list[list[TimedLabel]]]:
    """(recording, labels of every annotator): those of frames where there are any, else those of the whole."""
    try:
        recording = "/".join(PurePosixPath(record["feat_p"]).with_suffix("").parts[1:])
        if "seq_anns" in record or "frame_anns" in record:
            frames, wholes = record.get("frame_anns") or [], record.get("seq_anns") or []
        else:
            frames, wholes = [record["frame_ann"]], [record["seq_ann"]]
        annotations = [_labels(each, timed=True) for each in frames if each]
        if not any(annotations):
            annotations = [_labels(each, timed=False) for each in wholes if each]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{where}: {why}; BABEL 1.0 is read, whose records have feat_p, seq_ann, frame_ann and labels with "
            "proc_label, start_t, end_t"
        ) from error
    return recording, [labels for labels in annotations if labels]


def _labels(annotation: Mapping[str, Any], *, timed: bool) -> list[TimedLabel]:
    labels = []
    for label in annotation["labels"]:
        text = " ".join(label["proc_label"].split())
        if text and text.lower() not in UNSAID:
            times = (float(label["start_t"]), float(label["end_t"])) if timed else ()
            labels.append(TimedLabel(text, *times))
    return sorted(labels, key=lambda label: (label.start, label.end))


def join(index: Path, recordings: Mapping[str, list[list[TimedLabel]]]) -> dict[str, list[TimedLabel]]:
    """Clip of HumanML3D -> the first annotator's labels, in seconds after the clip's first frame, cut to the clip.

    index: HumanML3D's index.csv (source_path, start_frame, end_frame, new_name). Clips without a label are left out;
    mirrored clips (``M`` + id) are in it with their sides swapped. DataError for an index without its columns.
    """
    if not index.is_file():
        raise DataError(f"babel: {index} is missing; copy HumanML3D's index.csv beside new_joint_vecs")
    clips: dict[str, list[TimedLabel]] = {}
    with open(index, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                source = PurePosixPath(row["source_path"]).with_suffix("")
                start, stop = float(row["start_frame"]) / FPS, float(row["end_frame"]) / FPS
                id = PurePosixPath(row["new_name"]).stem
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"{index}: row {number} does not have source_path,start_frame,end_frame,new_name"
                ) from error
            parts = [part for part in source.parts if part != "."]
            recording = "/".join(parts[1:] if parts[:1] == ["pose_data"] else parts)
            if not recordings.get(recording):
                continue
            crop = CROPPED.get(recording.split("/")[0], 0.0)
            end = math.inf if stop < 0 else crop + stop
            if labels := within(recordings[recording][0], crop + start, end):
                clips[id] = labels
                clips[f"M{id}"] = [replace(label, text=swap_sides(label.text)) for label in labels]
    return clips


def within(labels: Iterable[TimedLabel], start: float, end: float) -> list[TimedLabel]:
    """The labels that belong to a part of their recording, counted from its beginning.

    One belongs to it when at least half of the label, or half of the part, lies in both.
    """
    kept = []
    for label in labels:
        shared = min(label.end, end) - max(label.start, start)
        if shared > 0 and (math.isinf(shared) or shared >= 0.5 * min(label.end - label.start, end - start)):
            kept.append(replace(label, start=label.start - start, end=label.end - start))
    return kept


def sentence(labels: Iterable[TimedLabel]) -> str:
    """The labels in their order, joined by commas."""
    return ", ".join(label.text for label in labels)
