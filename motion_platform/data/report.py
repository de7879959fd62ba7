"""What a preparation found: counted, explained, and kept in meta.json."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Report:
    """Numbers and reasons of one preparation. ``dropped`` and ``failed``: [{"what", "why"}]."""

    name: str
    files: int = 0
    clips: int = 0
    mirrored: int = 0
    frames: int = 0
    hours: float = 0.0
    splits: dict[str, int] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)
    dropped: list[dict[str, str]] = field(default_factory=list)
    nan: list[str] = field(default_factory=list)
    too_short: list[str] = field(default_factory=list)
    cut_into_windows: list[str] = field(default_factory=list)
    longer_than_window: list[str] = field(default_factory=list)
    reference_poses: list[str] = field(default_factory=list)
    sides_checked: int = 0
    sides_swapped: list[str] = field(default_factory=list)
    without_captions: int = 0
    captions: int = 0
    captions_distinct: int = 0
    captions_shared: int = 0
    captions_ambiguous: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def drop(self, what: str, why: str) -> None:
        self.dropped.append({"what": what, "why": why})

    def count_captions(self, rows: Iterable[tuple[str, list[str], dict[str, str]]]) -> None:
        """From (id, captions, labels) of every row: how many captions, how many different, how many on several clips,
        and how many on clips of different labels (those teach the model two motions for one sentence)."""
        clips: Counter[str] = Counter()
        labels: dict[str, set[str]] = defaultdict(set)
        for _, captions, label in rows:
            self.captions += len(captions)
            for caption in {c.lower().strip(" .!") for c in captions}:
                clips[caption] += 1
                labels[caption].add(str(sorted(label.items())))
        self.captions_distinct = len(clips)
        self.captions_shared = sum(n > 1 for n in clips.values())
        self.captions_ambiguous = sum(len(found) > 1 for found in labels.values())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """A page for a person."""
        splits = ", ".join(f"{name} {count}" for name, count in self.splits.items())
        lines = [
            f"{self.name}: {self.clips} clips ({self.mirrored} of them mirrored), {self.hours:.2f} h, "
            f"{self.frames} frames, from {self.files} files in {self.seconds:.0f} s",
            f"  splits: {splits}",
            f"  captions: {self.captions}, {self.captions_distinct} different, "
            f"{self.captions_shared} on several clips, "
            f"{self.captions_ambiguous} on different labels, {self.without_captions} clips without",
            f"  length: {len(self.too_short)} too short, {len(self.cut_into_windows)} cut into windows, "
            f"{len(self.longer_than_window)} longer than a window and kept whole",
            f"  left and right: {self.sides_checked} checked, "
            f"{len(self.sides_swapped)} swapped{_some(self.sides_swapped)}",
            f"  NaN: {len(self.nan)}{_some(self.nan)}",
        ]
        if self.reference_poses:
            lines.append(
                f"  left out: the first frame of {', '.join(self.reference_poses[:10])}"
                f"{', ...' if len(self.reference_poses) > 10 else ''}: a reference pose"
            )
        for title, entries in (("failed", self.failed), ("dropped", self.dropped)):
            lines.append(f"  {title}: {len(entries)}")
            reasons: dict[str, list[str]] = defaultdict(list)
            for entry in entries:
                reasons[entry["why"]].append(entry["what"])
            for why, what in sorted(reasons.items(), key=lambda r: -len(r[1]))[:10]:
                lines.append(f"    {len(what)} x {why}{_some(what)}")
            if len(reasons) > 10:
                lines.append(f"    and {len(reasons) - 10} more reasons (all are in meta.json)")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


def _some(names: list[str]) -> str:
    if not names:
        return ""
    return f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
