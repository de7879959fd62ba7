"""ZeroEGGS as its authors publish it: a speaker in 19 styles, BVH at 60 fps and the sound of each take.

Ghorbani et al., "ZeroEGGS: Zero-shot Example-based Gesture Generation from Speech", 2022 (arXiv:2209.07556;
https://github.com/ubisoft/ubisoft-laforge-ZeroEGGS, CC BY-NC-ND 4.0). The six styles that DiffuseStyleGesture and
OHGesture learn are the default; every third frame makes their 20 fps.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.data.report import Report
from motion_platform.data.source import Item, Words
from motion_platform.data.speech import SpeechSource

NAME = re.compile(r"(?P<number>\d+)_(?P<style>[A-Za-z]+)_(?P<take>\d+)")
STYLES = (
    "Agreement", "Angry", "Disagreement", "Distracted", "Flirty", "Happy", "Laughing", "Neutral", "Oration", "Old",
    "Pensive", "Relaxed", "Sad", "Sarcastic", "Scared", "Sneaky", "Speech", "Still", "Threatening", "Tired",
)  # fmt: skip
EMOTIONS = ("Happy", "Sad", "Neutral", "Old", "Angry", "Relaxed")
"""In the order of the published one-hot vector."""


class Zeggs(SpeechSource):
    """``NNN_Style_K*.bvh`` and ``.wav`` of the same name, in one of two forms:

    - ``train/`` and ``valid/``, as the published systems arrange them;
    - one folder with ``info.csv``, whose column ``validation`` says which takes are held out.

    Held-out takes are tested on, every second one of them is for validation. Where neither form says what is held
    out, every eighth take of a style is. ``NNN_Style_K*.TextGrid``, where there is one, gives the words. styles: which
    of the 19 (default: the published six). Labels: ``emotion``, in lower case.
    """

    name = "zeggs"
    licence = "ZeroEGGS (Ghorbani et al. 2022), CC BY-NC-ND 4.0"
    representation = "zeggs"

    def __init__(self, styles: list[str] | None = None) -> None:
        known = {style.lower(): style for style in STYLES}
        for style in styles or ():
            if style.lower() not in known:
                raise UnknownName("style", style, STYLES, f"{self.name}: styles")
        self.styles = [known[style.lower()] for style in styles or EMOTIONS]

    def items(self, source: Path, report: Report) -> list[Item]:
        motions = sorted(source.rglob("*.bvh"))
        if not motions:
            raise DataError(f"{self.name}: no .bvh below {source}; give the folder that holds train/ and valid/")
        self.check_recordings(source, motions)
        held = _held_out(source)
        takes: dict[str, list[tuple[Path, bool | None]]] = {}
        for path in motions:
            found = NAME.match(path.stem)
            if not found:
                report.drop(path.name, "the name is not NNN_Style_K.bvh")
            elif found["style"] not in self.styles:
                report.drop(path.name, f"style {found['style']} is not asked for")
            else:
                folder = path.parent.name.lower()
                out = True if folder.startswith("valid") else False if folder == "train" else held.get(found[0])
                takes.setdefault(found["style"], []).append((path, out))
        items, outside = [], 0
        for style in self.styles:
            for k, (path, out) in enumerate(takes.get(style, [])):
                if out is None:
                    out = k % 8 == 7
                split = ("test", "val")[outside % 2] if out else "train"
                outside += out
                said = Words(labels={"emotion": style.lower()})
                source_name = f"ZeroEGGS: {path.relative_to(source).as_posix()}"
                items.append(Item(path.stem, str(path), split, source_name, said))
        return items

    def recording(self, motion: Path) -> Path:
        return motion.with_suffix(".wav")

    def transcript(self, motion: Path) -> Path | None:
        place = motion.with_suffix(".TextGrid")
        return place if place.is_file() else None


def _held_out(source: Path) -> dict[str, bool]:
    """NNN_Style_K -> whether info.csv holds it out."""
    place = source / "info.csv"
    if not place.is_file():
        return {}
    with place.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"anim_bvh", "validation"} <= set(rows[0]):
        raise DataError(f"{place}: needs the columns anim_bvh and validation, got {', '.join(map(str, rows[0]))}")
    found = ((NAME.match(row["anim_bvh"]), row["validation"]) for row in rows)
    return {name[0]: said.strip().upper() == "TRUE" for name, said in found if name}
