"""A person's own clips: a folder of motion files in any readable format, and what they show."""

from __future__ import annotations

import difflib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.core.opening import read_json, read_table, read_text
from motion_platform.data.prepared import SPLITS
from motion_platform.data.report import Report
from motion_platform.data.source import Converted, DataSource, Item, Words, convert_file
from motion_platform.data.splits import stratified
from motion_platform.motion import io

COLUMNS = ("file", "caption", "low", "content", "style", "split", "group", "start", "end")


@dataclass
class _Said:
    """What the captions file says about one clip."""

    high: list[str] = field(default_factory=list)
    low: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    split: str | None = None
    group: str | None = None
    start: int = 0
    end: int | None = None


class BVHFolder(DataSource):
    """Motion files below the folder (.bvh, .amc with .asf, .npz, .npy), and captions in one of three forms:

    - ``captions.csv`` with the columns file, caption and, if wanted, low (action sequence), content, style (labels),
      split, group (clips of a group stay together: a performer, a session), start, end (frames at 20 fps). Several rows
      for one file are several captions of it.
    - ``captions.json``: {file: "caption" | [captions] | {"captions": [...], "low": [...], "labels": {...}, "split":
      ..., "group": ..., "start": ..., "end": ...}}.
    - ``NAME.txt`` beside ``NAME.bvh``: one caption a line (a HumanML3D text file will do).

    captions: another name of the captions file. names: a YAML file that adds to joint_names.yaml. fps: of files whose
    format does not say. licence: of the clips; it is kept with the prepared data. repeats: long clips may be cut into
    windows, because every part shows what its captions say. Groups are split 80/5/15 unless the captions file says
    where a clip goes.
    """

    name = "bvh_folder"

    def __init__(
        self,
        captions: str | None = None,
        names: str | None = None,
        fps: float | None = None,
        licence: str = "not stated",
        repeats: bool = False,
    ) -> None:
        self.captions, self.names, self.fps, self.licence, self.repeats = captions, names, fps, licence, repeats

    def convert(self, item: Item, mirror: bool) -> Converted:
        return convert_file(item, self.representation, mirror, self.names)

    def items(self, source: Path, report: Report) -> list[Item]:
        readable = io.readers()
        files = {
            path.relative_to(source).as_posix(): path
            for path in sorted(source.rglob("*"))
            if path.suffix.lower() in readable and path.is_file()
        }
        if not files:
            raise DataError(f"{self.name}: no motion file below {source}; readable: {', '.join(sorted(readable))}")
        said = self._said(source, files)
        for name in sorted(set(files) - {clip for clip, _ in said}):
            report.drop(name, "no caption")
        if not said:
            raise DataError(
                f"{self.name}: not one of {len(files)} clips has a caption (captions.csv, captions.json, NAME.txt)"
            )
        groups = {about.group or name: "all" for (name, _), about in said.items()}
        splits = stratified(groups, seed=self.name)
        parts: dict[str, int] = defaultdict(int)
        for name, _ in said:
            parts[name] += 1
        items = []
        for (name, span), about in sorted(said.items(), key=_in_order):
            id = _stem(name).replace("/", "_")
            if sum(_stem(other) == _stem(name) for other in files) > 1:
                id = name.replace("/", "_")  # walk.bvh beside walk.npz
            if parts[name] > 1:
                id += f"_{span[0]}-{'end' if span[1] is None else span[1]}"
            items.append(
                Item(
                    id=id,
                    path=str(files[name]),
                    split=about.split or splits[about.group or name],
                    source=name,
                    words=Words(tuple(dict.fromkeys(about.high)), tuple(dict.fromkeys(about.low)), about.labels),
                    start=about.start,
                    end=about.end,
                    fps=self.fps,
                    repeats=self.repeats,
                )
            )
        return items

    def _said(self, source: Path, files: Mapping[str, Path]) -> dict[tuple[str, tuple[int, int | None]], _Said]:
        """(file, (start, end)) -> what is said about it."""
        if self.captions is not None:
            path = source / self.captions
            if not path.is_file():
                raise DataError(f"{self.name}: no captions file {path}")
        else:
            path = next((p for p in (source / "captions.csv", source / "captions.json") if p.is_file()), source)
        if path == source:
            return _beside(files)
        return _from_json(path, files) if path.suffix.lower() == ".json" else _from_csv(path, files)


def _in_order(entry: tuple[tuple[str, tuple[int, int | None]], _Said]) -> tuple[str, int, float]:
    """By file, then by the part's place: a whole clip (no end) stands after the parts that begin where it does."""
    (name, (start, end)), _ = entry
    return name, start, math.inf if end is None else end


def _beside(files: Mapping[str, Path]) -> dict[tuple[str, tuple[int, int | None]], _Said]:
    said: dict[tuple[str, tuple[int, int | None]], _Said] = {}
    for name, path in files.items():
        text = path.with_suffix(".txt")
        if text.is_file():
            lines = [line.split("#")[0].strip() for line in read_text(text).splitlines()]
            if any(lines):
                said[name, (0, None)] = _Said(high=[line for line in lines if line])
    return said


def _from_csv(path: Path, files: Mapping[str, Path]) -> dict[tuple[str, tuple[int, int | None]], _Said]:
    rows = read_table(path, ("file", "caption"))
    for column in rows[0][1] if rows else ():
        if column not in COLUMNS:
            raise UnknownName("column", column, COLUMNS, f"{path}: row 1")
    said: dict[tuple[str, tuple[int, int | None]], _Said] = {}
    for number, cell in rows:
        where = f"{path}: row {number}"
        name = _file(cell["file"], files, where)
        if not cell["caption"]:
            raise DataError(f"{where}: the caption of {name!r} is empty")
        start = _frame(cell.get("start"), where, "start") or 0
        end = _frame(cell.get("end"), where, "end")
        about = said.setdefault((name, (start, end)), _Said(start=start, end=end))
        about.high.append(cell["caption"])
        if cell.get("low"):
            about.low.append(cell["low"])
        about.labels |= {key: cell[key] for key in ("content", "style") if cell.get(key)}
        _settle(about, cell.get("split"), cell.get("group"), where)
    return said


def _from_json(path: Path, files: Mapping[str, Path]) -> dict[tuple[str, tuple[int, int | None]], _Said]:
    table = read_json(path)
    if not isinstance(table, dict):
        raise DataError(f"{path}: must map a file to its captions, got a {type(table).__name__}")
    said = {}
    for key, value in table.items():
        where = f"{path}: {key!r}"
        name = _file(key, files, where)
        entry = value if isinstance(value, dict) else {"captions": value}
        allowed = ("captions", "low", "labels", "split", "group", "start", "end")
        for field_name in entry:
            if field_name not in allowed:
                raise UnknownName("key", field_name, allowed, where)
        start = _frame(entry.get("start"), where, "start") or 0
        end = _frame(entry.get("end"), where, "end")
        labels = entry.get("labels", {})
        if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
            raise DataError(f"{where}: labels must map a name to a text, got {labels!r}")
        about = _Said(_list(entry.get("captions"), where), _list(entry.get("low", []), where), dict(labels))
        if not about.high:
            raise DataError(f"{where}: has no caption")
        about.start, about.end = start, end
        _settle(about, entry.get("split"), entry.get("group"), where)
        said[name, (start, end)] = about
    return said


def _list(value: Any, where: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
        raise DataError(f"{where}: captions must be a text or a list of texts, got {value!r}")
    return [t.strip() for t in texts if t.strip()]


def _file(name: str, files: Mapping[str, Path], where: str) -> str:
    """The file that a captions file means: its path below the folder, or its bare name where that is clear."""
    if name in files:
        return name
    matches = [f for f, path in files.items() if path.name == name or _stem(f) == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise DataError(f"{where}: {name!r} could be {' or '.join(matches[:3])}; write the path below the folder")
    near = difflib.get_close_matches(name, files, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise DataError(f"{where}: there is no motion file {name!r} below the folder{hint}")


def _stem(file: str) -> str:
    """A path without its ending, the last one."""
    return file.rsplit(".", 1)[0]


def _frame(value: Any, where: str, column: str) -> int | None:
    if value in (None, ""):
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise DataError(f"{where}: {column} is {value!r}; it must be a frame number at 20 fps, 0 or above")
    return number


def _settle(about: _Said, split: Any, group: Any, where: str) -> None:
    """Fill in split and group; several rows of a clip must not contradict each other."""
    if about.end is not None and about.end <= about.start:
        raise DataError(f"{where}: end {about.end} must be above start {about.start}")
    if split:
        if split not in SPLITS:
            raise UnknownName("split", split, SPLITS, where)
        if about.split not in (None, split):
            raise DataError(f"{where}: the clip is in split {about.split!r} by an earlier row, here in {split!r}")
        about.split = split
    if group:
        about.group = str(group)
