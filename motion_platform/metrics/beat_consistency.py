"""How near are ictuses and beats to each other, without a window: the softer companion of the F-measure."""

from __future__ import annotations

import numpy as np

from motion_platform.audio.bar_pointer import nearest
from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch
from motion_platform.metrics.beat_f_measure import reference, shifted
from motion_platform.metrics.ictus import check_choices, wrist_ictuses


def consistency(of: np.ndarray, to: np.ndarray, sigma: float) -> float:
    """Mean over ``of`` of exp(-d^2 / 2 sigma^2), d the seconds to the nearest of ``to``; 0 where either is empty."""
    if not len(of) or not len(to):
        return 0.0
    return float(np.exp(-(nearest(of, to) ** 2) / (2 * sigma**2)).mean())


class BeatConsistency(Metric):
    """Mean over the beats of exp(-d^2 / 2 sigma^2), d: seconds to the nearest ictus of the right wrist. 1 is best.

    Li et al. 2021 (AI Choreographer, arXiv:2101.08779, equation 5), as conducting uses it; sigma is 0.1 s, the three
    frames at 30 Hz that are published. Both lists are on one clock in seconds: the published figures compare places in
    90 Hz music with places in 30 Hz motion and mean nothing. Values: ``beat_consistency`` from the beats,
    ``beat_consistency_of_ictuses`` from the ictuses (low for a hand that beats more than is written), and
    ``..._random_shift`` of each: what the same ictuses moved by chance reach, which for a busy hand is not little.
    Mean over clips; a clip without beats is left out. Setting ``beats: librosa``: the beats of librosa's tracker stand
    for those of the score, for recordings.
    """

    name = "beat_consistency"
    unit = "ratio"
    higher_is_better = True
    needs = None

    def __init__(self, sigma: float = 0.1, hand: str = "right", beats: str = "score", seed: int = 0) -> None:
        if not sigma > 0:
            raise ValueError(f"sigma: got {sigma} s; allowed: above 0")
        check_choices(hand, beats)
        self.sigma, self.hand, self.beats, self.seed = sigma, hand, beats, seed

    def about(self, value: str) -> tuple[str, bool | None]:
        return self.unit, None if value.endswith("_random_shift") else True

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN in the prediction or beats that are not known; for a skeleton without wrists."""
        check_batch(prediction, batch, self.name)
        truth = reference(batch, self.name, self.beats)[0]
        rows = {}
        for b, (sample, found) in enumerate(zip(batch.ids, wrist_ictuses(prediction, self.hand), strict=True)):
            beats, weight = truth[b], float(len(truth[b]) > 0)
            seconds = float(prediction.lengths[b]) / prediction.spec.fps
            moved = shifted(found, seconds, sample, self.seed)
            values = {
                self.name: consistency(beats, found, self.sigma),
                f"{self.name}_random_shift": np.mean([consistency(beats, times, self.sigma) for times in moved]),
                f"{self.name}_of_ictuses": consistency(found, beats, self.sigma),
                f"{self.name}_of_ictuses_random_shift": np.mean(
                    [consistency(times, beats, self.sigma) for times in moved]
                ),
            }
            rows[sample] = {name: (float(value) * weight, weight) for name, value in values.items()}
        return RatioState(rows)
