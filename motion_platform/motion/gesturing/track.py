"""A plan of strokes as numbers a frame: what a network is told of when to gesture, whoever has planned it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

COLUMNS = ("next", "since", "pulse", "size")
REACH = 1.5
"""Seconds beyond which a stroke that comes or was is not told."""
WIDTH = 0.1
"""Seconds: standard deviation of a pulse."""


def stroke_track(times: Sequence[float], sizes: Sequence[float], frames: int, rate: float) -> np.ndarray:
    """Apexes in seconds and their sizes (0 to 1) -> (frames, 4) float32, frame k at (k + 0.5) / rate.

    next, since: 1 at an apex, falling by straight lines to 0 at ``REACH`` seconds before and after it. pulse: a bell of
    height 1 on it. size: of the stroke that comes within ``REACH``, else of the one that was. Without strokes 0.
    """
    made = np.zeros((frames, len(COLUMNS)), np.float32)
    at = np.asarray(times, np.float64)
    order = np.argsort(at)
    at, size = at[order], np.asarray(sizes, np.float64)[order]
    if not len(at) or not frames:
        return made
    seconds = (np.arange(frames) + 0.5) / rate
    coming = np.searchsorted(at, seconds)
    ahead = np.where(coming < len(at), at[np.minimum(coming, len(at) - 1)] - seconds, np.inf)
    behind = np.where(coming > 0, seconds - at[np.maximum(coming - 1, 0)], np.inf)
    made[:, 0] = np.clip(1 - ahead / REACH, 0, 1)
    made[:, 1] = np.clip(1 - behind / REACH, 0, 1)
    made[:, 2] = np.exp(-0.5 * (np.minimum(ahead, behind) / WIDTH) ** 2)
    sized = np.where(ahead < REACH, size[np.minimum(coming, len(at) - 1)], size[np.maximum(coming - 1, 0)])
    made[:, 3] = np.where(np.minimum(ahead, behind) < REACH, sized, 0.0)
    return made
