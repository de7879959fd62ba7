"""Do the hands stroke when the voice does? Apexes of gestures against the strokes that are known of a recording."""

from __future__ import annotations

import numpy as np

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joint_indices, joints_of
from motion_platform.metrics.beat_f_measure import check_tolerance, event_values, hits, shifted, true_beats

SMOOTHING = 0.05
"""Seconds, standard deviation of the Gaussian over the speed of a hand."""
PROMINENCE = 0.4
"""m/s by which a peak of the speed stands out at least."""
SHARE = 0.3
"""Of its peak: where the speed has fallen to this, the hand has arrived."""
RISE = 0.05
"""Metres above its lowest place (5th percentile) that a hand is at an apex: a hand that comes down to rest strokes
nothing."""
TOLERANCE = 0.15


def apexes(wrists: np.ndarray, pelvis: np.ndarray, fps: float) -> np.ndarray:
    """wrists (T, 2, 3) and pelvis (T, 3) in metres, Y up -> (n,) seconds at which a hand arrives after a fast movement.

    The stroke of a gesture ends on the stressed syllable (McNeill 1992; Kendon 2004): its speed peaks a few tenths of
    a second earlier and falls there. The faster hand counts.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    if len(wrists) < 3:
        return np.zeros(0)
    hands = wrists - pelvis[:, None]
    speed = gaussian_filter1d(np.linalg.norm(np.gradient(hands, axis=0), axis=-1) * fps, SMOOTHING * fps, axis=0)
    faster, which = speed.max(1), speed.argmax(1)
    lowest = np.percentile(hands[..., 1], 5, axis=0)
    times = []
    for peak in find_peaks(faster, prominence=PROMINENCE)[0]:
        slow = np.flatnonzero(faster[peak:] <= SHARE * faster[peak])
        there = peak + slow[0] if len(slow) else len(faster) - 1
        if hands[there, which[peak], 1] - lowest[which[peak]] > RISE:
            times.append(there / fps)
    return np.unique(times)


class StrokeAlignment(Metric):
    """F-measure of the apexes of gestures against the strokes of a recording, at most 0.15 s apart; mean over clips.

    The strokes are the events ``strokes`` of the data set: planned ones where it was made by a plan, marked ones where
    somebody marked them. Values: ``stroke_alignment``, ``_precision``, ``_recall``; ``_random_shift``, what the same
    apexes moved by chance round the clip reach; ``_on_accents``, the part of the apexes that are as near to a stressed
    syllable (events ``accents``), and ``_on_accents_random_shift``; ``_a_minute``, how many apexes there are. A clip
    without a known stroke is left out of the F-measure. Definition of an apex: :func:`apexes`; the planner that put
    the strokes there reaches about 0.7, not 1, by it, and chance 0.16. Ours.
    """

    name = "stroke_alignment"
    unit = "ratio"
    higher_is_better = True
    needs = None

    def __init__(self, tolerance: float = TOLERANCE, seed: int = 0) -> None:
        check_tolerance(tolerance)
        self.tolerance, self.seed = tolerance, seed

    def about(self, value: str) -> tuple[str, bool | None]:
        if value.endswith("_a_minute"):
            return "a minute", None
        return self.unit, None if value.endswith("_random_shift") else True

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN in the prediction or strokes not known; for a skeleton without wrists."""
        check_batch(prediction, batch, self.name)
        strokes = true_beats(batch, self.name, "strokes")
        accents = true_beats(batch, self.name, "accents")
        wrists = joint_indices(prediction, ["left_wrist", "right_wrist"])
        (pelvis,) = joint_indices(prediction, ["pelvis"])
        fps, name = prediction.spec.fps, self.name
        rows = {}
        for b, (sample, joints) in enumerate(zip(batch.ids, joints_of(prediction), strict=True)):
            found = apexes(joints[:, wrists].numpy(), joints[:, pelvis].numpy(), fps)
            seconds = len(joints) / fps
            moved = shifted(found, seconds, sample, self.seed)
            values = event_values(name, strokes[b], found, seconds, sample, self.seed, self.tolerance)
            near = [self._near(accents[b], times) for times in (found, *moved)]
            values |= {
                f"{name}_on_accents": (float(near[0]), float(len(found))),
                f"{name}_on_accents_random_shift": (float(np.mean(near[1:])), float(len(found))),
                f"{name}_a_minute": (60.0 * len(found), seconds),
            }
            rows[sample] = values
        return RatioState(rows)

    def _near(self, accents: np.ndarray, times: np.ndarray) -> int:
        return hits(accents, times, self.tolerance)
