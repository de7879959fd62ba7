"""Bandai-Namco-Research Motiondataset 1 and 2: BVH files whose names say what they show, put into words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from motion_platform.core.errors import DataError
from motion_platform.data.report import Report
from motion_platform.data.source import DataSource, Item, Words
from motion_platform.data.splits import stratified
from motion_platform.texts.bandai import HIGH_PER_CLIP, captions_of, labels_of, vocabulary

NAME = re.compile(r"dataset-(?P<set>[12])_(?P<content>[a-z-]+)_(?P<style>[a-z-]+)_(?P<take>\d+)$")
REPEATS = {"walk", "walk-back", "walk-left", "walk-right", "run", "dash", "dance-short", "kick", "punch", "slash"}
"""Contents of which any part shows the whole; the others (a bow, a turn) lose their meaning when cut."""


class BandaiNamco(DataSource):
    """A folder with the BVH files: ``1/`` and ``2/``, or the original repository's own layout.

    Split: the takes of each (set, content, style) are divided 80/5/15 by a hash of their names; kinds with fewer than
    4 takes (most of set 1, which has one take of each) stay in train. Mirrored copies and windows stay with their take.
    """

    name = "bandai_namco"
    licence = "CC BY-NC 4.0, (c) Bandai Namco Research Inc. (Bandai-Namco-Research-Motiondataset 1 and 2)"

    def items(self, source: Path, report: Report) -> list[Item]:
        files: dict[str, Path] = {}
        for path in sorted(source.rglob("*.bvh")):
            if not NAME.match(path.stem):
                report.drop(path.name, "the name is not dataset-N_CONTENT_STYLE_TAKE.bvh")
            elif path.stem in files:
                report.drop(str(path.relative_to(source)), "a second file of that name")
            else:
                files[path.stem] = path
        if not files:
            raise DataError(f"{self.name}: no dataset-N_CONTENT_STYLE_TAKE.bvh below {source}")
        words = vocabulary()
        parts = {stem: NAME.match(stem).groupdict() for stem in files}  # type: ignore[union-attr]
        for stem, part in list(parts.items()):
            for kind, known in (("content", words["contents"]), ("style", words["styles"])):
                if part[kind] not in known:
                    report.drop(stem, f"no words for the {kind} {part[kind]!r}")
                    del files[stem], parts[stem]
                    break
        kinds = {stem: f"{part['set']} {part['content']} {part['style']}" for stem, part in parts.items()}
        splits = stratified(kinds, seed=self.name)
        clips = Counter((part["content"], part["style"]) for part in parts.values())
        items = []
        for stem, path in files.items():
            content, style = parts[stem]["content"], parts[stem]["style"]
            wordings = how_many_captions(clips[content, style])
            high, low = captions_of(content, style, stem, high=wordings)
            mirror_high, mirror_low = captions_of(content, style, stem, mirrored=True, high=wordings)
            items.append(
                Item(
                    id=stem,
                    path=str(path),
                    split=splits[stem],
                    source=f"Bandai-Namco-Research-Motiondataset-{parts[stem]['set']}: {path.name}",
                    words=Words(tuple(high), tuple(low), labels_of(content, style)),
                    mirror_words=Words(tuple(mirror_high), tuple(mirror_low), labels_of(content, style, mirrored=True)),
                    repeats=content in REPEATS,
                    told_sides=True,
                )
            )
        return items


def how_many_captions(clips: int) -> int:
    """Captions for each clip of a kind with so many clips: what is rare is worded more often, up to 6 times."""
    return HIGH_PER_CLIP * max(1, min(6, 40 // clips))
