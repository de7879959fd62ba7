"""More kinds of motion than the shipped models first knew: Bandai-Namco, CMU, and five sets under open licences."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.source import DataSource, Item, Words
from motion_platform.data.sources.bandai_namco import BandaiNamco
from motion_platform.data.sources.bvh_folder import BVHFolder
from motion_platform.data.sources.cmu_humanml3d import CMUHumanML3D
from motion_platform.data.splits import stratified
from motion_platform.motion import io
from motion_platform.texts.kinds import kind_of

LICENCES = {
    "accad": "CC BY 3.0 (ACCAD Open Motion Project, The Ohio State University)",
    "cmu-more": "CMU Graphics Lab Motion Capture Database, free for research and commercial use, not for resale",
    "hdm05": "CC BY-SA 3.0 (HDM05, Universitaet Bonn)",
    "smartbody": "LGPL-2.1 (SmartBody, USC Institute for Creative Technologies)",
    "mesh2motion": "CC0 (Mesh2Motion)",
}
"""A folder of ``open/`` -> the licence of its clips; each row of the prepared set says it in its source."""
COMMERCIAL = ("accad", "cmu-more", "mesh2motion")
"""Folders whose clips, and weights trained on them, may be used commercially."""
DESCRIBED_FPS = 30.0


class OpenMotion(DataSource):
    """A folder with ``open/`` (captions.csv, cmu_descriptions.json, a folder a set), and beside it what the two older
    sources read: ``bandai-namco/``, ``cmu/``, ``humanml3d/``.

    parts: "all", or "commercial": CMU, ACCAD and Mesh2Motion alone, which allow commercial use. A trial of CMU without
    a caption of HumanML3D gets CMU's own sentence. kinds: every clip's only label is the kind of motion that its
    captions name (texts/kinds.py), for sets whose clips have few labels or none that two of them share. Errors:
    DataError for a folder that is missing.
    """

    name = "open_motion"

    def __init__(self, parts: Literal["all", "commercial"] = "all", kinds: bool = False) -> None:
        self.parts, self.kinds = parts, kinds
        used = [LICENCES[name] for name in self.folders]
        older = [CMUHumanML3D.licence] if parts == "commercial" else [BandaiNamco.licence, CMUHumanML3D.licence]
        self.licence = "; ".join(dict.fromkeys([*older, *used]))

    @property
    def folders(self) -> tuple[str, ...]:
        return COMMERCIAL if self.parts == "commercial" else tuple(LICENCES)

    def items(self, source: Path, report: Report) -> list[Item]:
        needed = ["open", "cmu", "humanml3d", *([] if self.parts == "commercial" else ["bandai-namco"])]
        for folder in needed:
            if not (source / folder).is_dir():
                raise DataError(f"{self.name}: {source} has no folder {folder!r}; it needs {', '.join(needed)}")
        items = [] if self.parts == "commercial" else BandaiNamco().items(source / "bandai-namco", report)
        captioned = CMUHumanML3D().items(source, report)
        items = [*items, *captioned, *self._described(source, captioned), *self._open(source, report)]
        return [_labelled_by_captions(item) for item in items] if self.kinds else items

    def _open(self, source: Path, report: Report) -> list[Item]:
        """The clips of ``open/``: their licence goes into the source, their id begins with the set's name."""
        kept = []
        for item in BVHFolder(fps=DESCRIBED_FPS).items(source / "open", report):
            folder = item.source.split("/")[0]
            if folder in self.folders:
                kept.append(replace(item, source=f"{item.source}; {LICENCES[folder]}"))
        return kept

    def _described(self, source: Path, captioned: list[Item]) -> list[Item]:
        """Trials of CMU that nobody captioned, with CMU's own sentence; in the split that a draw by trial gives."""
        path = source / "open" / "cmu_descriptions.json"
        try:
            sentences = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
        known = {match[0] for item in captioned if (match := re.search(r"\d+_\d+", item.id))}
        files = {p.stem: p for p in sorted((source / "cmu").rglob("*")) if p.suffix.lower() in io.READERS}
        trials = [trial for trial in files if trial not in known and sentences.get(trial)]
        splits = stratified(dict.fromkeys(trials, "all"), seed=self.name)
        return [
            Item(
                id=f"cmu_{trial}",
                path=str(files[trial]),
                split=splits[trial],
                source=f"CMU {trial}; {LICENCES['cmu-more']}",
                words=Words((f"a person does: {sentences[trial]}",)),
                fps=DESCRIBED_FPS if files[trial].suffix == ".amc" else None,
            )
            for trial in trials
        ]


def _labelled_by_captions(item: Item) -> Item:
    kind = kind_of(item.words.high)
    labels = {} if kind is None else {"content": kind}
    mirrored = item.mirror_words and replace(item.mirror_words, labels=labels)
    return replace(item, words=replace(item.words, labels=labels), mirror_words=mirrored)
