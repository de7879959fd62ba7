"""What does a conductor's left hand do: beat along, or lead entries? Against the entries that the score knows.

"The left hand should be used for cues, dynamics and the hold, and beat along only where that is needed" is what every
textbook asks for (Rudolf, "The Grammar of Conducting", 3rd edition, 1995, chapter 23; Green, "The Modern Conductor").
"""

from __future__ import annotations

import numpy as np

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joint_indices, joints_of
from motion_platform.metrics.beat_f_measure import check_tolerance, event_values, true_beats

WINDOW = 2.0
"""Seconds in which the hands are compared."""
ALIKE, MOVES = 0.5, 0.3
"""A left hand beats along where its vertical speed correlates more than this with that of the right hand, and is at
least such a share of it."""
RESTS = 0.05
"""m/s, standard deviation of its vertical speed: a right hand that is slower rests."""
OUTSIDE = 0.35
"""Of the distance between the shoulders: so far outside of its shoulder a hand reaches for the players."""
APART = 1.0
"""Seconds between two reaches at least: what is nearer is one."""
TOLERANCE = 0.5


def reaches(wrist: np.ndarray, shoulder: np.ndarray, other: np.ndarray, fps: float) -> np.ndarray:
    """(T, 3) metres of a wrist, its shoulder and the other shoulder, Y up -> (n,) seconds of its reaches.

    A reach is the time for which the hand is above its shoulder and outside of it; its middle counts.
    """
    across = shoulder - other
    width = np.linalg.norm(across, axis=-1, keepdims=True)
    outside = ((wrist - shoulder) * across).sum(-1) / np.maximum(width[:, 0] ** 2, 1e-12)
    there = (outside > OUTSIDE) & (wrist[:, 1] > shoulder[:, 1])
    ends = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    found: list[list[float]] = []
    for begin, end in ends.reshape(-1, 2) / fps:
        if found and begin - found[-1][1] < APART:
            found[-1][1] = end
        else:
            found.append([begin, end])
    return np.array([(begin + end) / 2 for begin, end in found])


def along(left: np.ndarray, right: np.ndarray, fps: float) -> tuple[int, int]:
    """(T,) heights of both wrists -> (windows in which the left hand beats along, windows in which the right beats)."""
    heights, size = np.stack([left, right]), round(WINDOW * fps)
    same = moving = 0
    for start in range(0, len(left) - size + 1, size):
        speeds = np.diff(heights[:, start : start + size], axis=1) * fps
        mine, theirs = speeds.std(axis=1)
        if theirs < RESTS:
            continue
        moving += 1
        same += int(mine > MOVES * theirs and np.asarray(np.corrcoef(speeds))[0, 1] > ALIKE)
    return same, moving


class LeftHand(Metric):
    """How much the left hand beats along, and whether it reaches for the players when they enter.

    Values: ``left_hand_beats_along``, the share of windows of two seconds with a beating right hand in which the left
    does the same (to be as in real clips); ``left_hand_cues``, ``_precision``, ``_recall``, the F-measure of its
    reaches (:func:`reaches`) against the events ``cues`` of the data set, at most 0.5 s apart, mean over clips;
    ``left_hand_cues_random_shift``, what the same reaches moved by chance round the clip have. A clip without cues is
    left out of these. Ours.
    """

    name = "left_hand"
    unit = "ratio"
    higher_is_better = None
    needs = None

    def __init__(self, tolerance: float = TOLERANCE, seed: int = 0) -> None:
        check_tolerance(tolerance)
        self.tolerance, self.seed = tolerance, seed

    def about(self, value: str) -> tuple[str, bool | None]:
        return self.unit, True if "_cues" in value and not value.endswith("_random_shift") else None

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN in the prediction or cues not known; for a skeleton without these joints."""
        check_batch(prediction, batch, self.name)
        cues = true_beats(batch, self.name, "cues")
        names = ["left_wrist", "right_wrist", "left_shoulder", "right_shoulder"]
        places = joint_indices(prediction, names)
        fps, rows = prediction.spec.fps, {}
        for b, (sample, joints) in enumerate(zip(batch.ids, joints_of(prediction), strict=True)):
            left, right, shoulder, other = (joints[:, place].double().numpy() for place in places)
            same, moving = along(left[:, 1], right[:, 1], fps)
            found, seconds = reaches(left, shoulder, other, fps), len(joints) / fps
            name, tolerance = f"{self.name}_cues", self.tolerance
            values = event_values(name, cues[b], found, seconds, sample, self.seed, tolerance)
            values[f"{self.name}_beats_along"] = (float(same), float(moving))
            rows[sample] = values
        return RatioState(rows)
