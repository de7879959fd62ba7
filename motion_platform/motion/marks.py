"""What a motion's own record says of its time: which parts were given and kept, and where its pieces meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from motion_platform.motion.clip import Clip

BODY_PARTS = {"upper_body": "upper body kept", "lower_body": "lower body kept"}
"""``info["keep"]`` of an edit that keeps joints, not time."""


@dataclass(frozen=True)
class Marks:
    """In seconds from the first frame. kept: [from, to] of what was given and stays; what: its label. seams: where
    windows or segments meet. segments: (from, to, words, part of the body), of a motion made from a plan."""

    kept: list[list[float]]
    what: str
    seams: list[float]
    segments: list[tuple[float, float, str, str]]

    def plain(self) -> dict[str, Any]:
        """As plain values, for a page."""
        return {"kept": self.kept, "what": self.what, "seams": self.seams, "segments": [list(s) for s in self.segments]}


def marks_of(clip: Clip) -> Marks:
    """The marks of a clip, from ``info["kept"]``, ``info["keep"]``, ``info["seam_times"]`` and ``info["plan"]``, as the
    pipelines write them and an .npz keeps them; what a file says wrongly there marks nothing."""
    info, end = clip.info, (len(clip) - 1) / clip.fps
    kept = [
        [round(max(0.0, pair[0]), 3), round(min(end, pair[1]), 3)]
        for pair in _rows(info.get("kept"))
        if len(pair) == 2 and all(map(_is_number, pair)) and pair[0] <= end
    ]
    plan = info.get("plan")
    segments = [
        (round(s["start"], 3), round(min(end, s["start"] + s["seconds"]), 3), str(s.get("text") or ""), str(s["lane"]))
        for s in _rows(plan.get("segments") if isinstance(plan, dict) else None, dict)
        if _is_number(s.get("start")) and _is_number(s.get("seconds")) and "lane" in s
    ]
    times = info.get("seam_times")
    seams = [t for t in times if _is_number(t)] if isinstance(times, (list, tuple)) else []
    met = {t for t in (*seams, *(start for start, *_ in segments)) if 0 < t < end}
    what = BODY_PARTS.get(str(info.get("keep")), "kept")
    return Marks(kept, what, sorted(round(t, 3) for t in met), segments)


def _rows(value: Any, kind: type | tuple[type, ...] = (list, tuple)) -> list[Any]:
    """The rows of a list that are of a kind."""
    return [row for row in value if isinstance(row, kind)] if isinstance(value, (list, tuple)) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
