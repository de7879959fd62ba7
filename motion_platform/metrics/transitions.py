"""How one action of a timeline runs into the next: jerk at the borders, against jerk inside the actions.

Sources: peak jerk and area under the jerk of FlowMDM (Barquero et al. 2024, arXiv:2402.15509, section 4), there of the
joint that jerks most in a transition of 1.5 s (45 frames at 30 fps), against the mean of a data set; here against the
same motion's own insides, so that a run may jerk more than a bow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REACH = 0.5
"""Seconds on both sides of a border that are the transition."""


def jerk_of(joints: np.ndarray, fps: float) -> np.ndarray:
    """(T, J, 3) metres -> (T - 3, J) m/s^3; row t is of the frames t to t + 3."""
    return np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1) * fps**3


def transition_report(joints: np.ndarray, borders: Sequence[int], fps: float, reach: float = REACH) -> dict[str, float]:
    """How a motion (T, J, 3) in metres runs over its borders (frames at which an action begins).

    Returns, of the frames within ``reach`` seconds of a border against all others: jerk_ratio, the quotient of the mean
    jerks (mean over joints); peak_ratio, the largest jerk of any joint at a border by the 99th percentile of the
    largest elsewhere; area_under_jerk, the sum over a transition of the distance of the most jerking joint from its
    mean elsewhere, times the length of a frame (m/s^2, mean over borders); pop, the largest second difference of a
    joint within two frames of a border, in cm. NaN where there is no border or no frame elsewhere.
    """
    jerk = jerk_of(joints, fps)
    frame = np.arange(len(jerk)) + 1.5
    near = np.zeros(len(jerk), bool)
    for border in borders:
        near |= np.abs(frame - border) <= reach * fps
    names = ("jerk_ratio", "peak_ratio", "area_under_jerk", "pop")
    if not near.any() or near.all():
        return dict.fromkeys(names, float("nan"))
    most = jerk.max(1)
    areas = [np.abs(most[np.abs(frame - b) <= reach * fps] - most[~near].mean()).sum() / fps for b in borders]
    second = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(1)
    pops = [second[max(0, b - 3) : b + 2].max(initial=0.0) for b in borders]
    return {
        "jerk_ratio": float(jerk[near].mean() / max(jerk[~near].mean(), 1e-12)),
        "peak_ratio": float(most[near].max() / max(np.percentile(most[~near], 99), 1e-12)),
        "area_under_jerk": float(np.mean(areas)),
        "pop": float(100 * np.max(pops)),
    }
