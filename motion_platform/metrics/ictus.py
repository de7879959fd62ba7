"""Does the conductor's hand beat the music? Ictuses of the right wrist against the true beats.

The ictus is the point of the beat: where the hand stops falling and rebounds (Rudolf, "The Grammar of Conducting", 3rd
edition, 1995, chapter 1). Here: the lowest point of the wrist's fall.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joint_indices, joints_of
from motion_platform.metrics.beat_f_measure import TOLERANCE, beat_values, check_tolerance, reference

SHORTEST = 0.2
"""Seconds between two ictuses at least: nobody beats faster than 300 a minute."""
SMALLEST = 0.01
"""Metres of rebound at least: below, a hand at rest trembles."""
SHARE = 0.2
"""And at least so much of the usual rebound in the seconds around: a wobble on the way is no beat."""
AROUND = 6.0
SMOOTHING = 0.03
"""Seconds, standard deviation of the Gaussian that quiets the shaking of a tracked hand."""
BARS = (3, 4)
"""Beats of the bars that are counted (3/4 and 4/4)."""


def ictuses(height: np.ndarray, fps: float) -> np.ndarray:
    """(T,) height of a wrist in metres -> (n,) seconds of its ictuses, finer than a frame (the lowest point of the
    parabola through three frames)."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    if len(height) < 3:
        return np.zeros(0)
    smooth = gaussian_filter1d(np.asarray(height, np.float64), SMOOTHING * fps, mode="nearest")
    found, about = find_peaks(-smooth, prominence=SMALLEST, distance=max(1, round(SHORTEST * fps)))
    rebound = about["prominences"]
    near = np.abs(found[:, None] - found[None, :]) <= AROUND * fps
    usual = np.array([np.median(rebound[row]) for row in near]) if len(found) else rebound
    found = found[rebound >= SHARE * usual]
    before, here, after = smooth[found - 1], smooth[found], smooth[found + 1]
    bend = before - 2 * here + after
    return (found + np.where(bend > 0, (before - after) / (2 * np.where(bend > 0, bend, 1)), 0.0)) / fps


def check_choices(hand: str, beats: str) -> None:
    """Errors: ValueError for another hand than left and right, other beats than score and librosa."""
    if hand not in ("left", "right"):
        raise ValueError(f"hand: got {hand!r}; allowed: left, right")
    if beats not in ("score", "librosa"):
        raise ValueError(f"beats: got {beats!r}; allowed: score, librosa")


def wrist_ictuses(prediction: Motion, hand: str = "right") -> list[np.ndarray]:
    """B lists of seconds. Errors: DataError for a skeleton without wrists."""
    wrist = joint_indices(prediction, [f"{hand}_wrist"])[0]
    fps = prediction.spec.fps
    return [ictuses(_height(joints, wrist), fps) for joints in joints_of(prediction)]


def _height(joints: Tensor, joint: int) -> np.ndarray:
    return joints[:, joint, 1].numpy()


def bars_right(
    found: np.ndarray, beats: np.ndarray, bars: np.ndarray, sizes: tuple[int, ...] = BARS
) -> tuple[int, int]:
    """(bars with as many ictuses as beats, bars) among the bars whose end is known and that have 3 or 4 beats.

    A bar is heard from a third of its first beat before its line: an ictus is never exactly on it.
    """
    right = counted = 0
    for start, end in pairwise(bars.tolist()):
        inside = beats[(beats > start - 0.02) & (beats < end - 0.02)]
        if len(inside) not in sizes:
            continue
        early = (end - start) / len(inside) / 3
        counted += 1
        right += int(((found >= start - early) & (found < end - early)).sum()) == len(inside)
    return right, counted


class Ictus(Metric):
    """F-measure of the right wrist's ictuses against the true beats, at most 70 ms apart; mean over clips. 1 is best.

    The measure of :class:`BeatFMeasure` (Dixon 2007, section 5). Values: ``ictus``, ``ictus_precision``,
    ``ictus_recall``; ``ictus_best_level`` (against half, as many or twice as many beats); ``ictus_random_shift``, what
    the same ictuses moved by chance reach; ``ictus_bars_right``: bars of three or four beats that have as many ictuses,
    over all such bars; ``ictus_lag``, by how many seconds an ictus within 70 ms of a beat comes late, on average: no
    score, players know that a hand leads or follows. A clip without beats is left out. Setting ``beats: librosa``: the
    beats of librosa's tracker stand for those of the score, for recordings; they are often those of another level.
    """

    name = "ictus"
    unit = "ratio"
    higher_is_better = True
    needs = None

    def __init__(self, hand: str = "right", tolerance: float = TOLERANCE, beats: str = "score", seed: int = 0) -> None:
        check_choices(hand, beats)
        check_tolerance(tolerance)
        self.hand, self.tolerance, self.beats, self.seed = hand, tolerance, beats, seed

    def about(self, value: str) -> tuple[str, bool | None]:
        if value.endswith("_lag"):
            return "s", None
        return self.unit, None if value.endswith("_random_shift") else True

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN in the prediction or beats that are not known; for a skeleton without wrists."""
        check_batch(prediction, batch, self.name)
        beats, bars = reference(batch, self.name, self.beats)
        rows = {}
        for b, (sample, found) in enumerate(zip(batch.ids, wrist_ictuses(prediction, self.hand), strict=True)):
            seconds = float(prediction.lengths[b]) / prediction.spec.fps
            values = beat_values(self.name, beats[b], found, seconds, sample, self.seed, self.tolerance)
            right, counted = bars_right(found, beats[b], bars[b])
            values[f"{self.name}_bars_right"] = (float(right), float(counted))
            late = found[:, None] - beats[b][None, :]
            late = late[np.abs(late) <= self.tolerance]
            values[f"{self.name}_lag"] = (float(late.sum()), float(len(late)))
            rows[sample] = values
        return RatioState(rows)
