"""Do hands move as fast, and as often fast, as real ones?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric, State, clip_of, merge_ids
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import check_batch, joint_indices, joints_of

BIN, BINS = 0.05, 120
"""m/s a bin of the histogram, and how many: to 6 m/s; whatever is faster falls into the last."""


@dataclass
class HandSpeedState(State):
    """rows: sample id -> (BINS,) frames a bin of the predictions; real: clip id -> the same of the real motions.
    fastest: sample id -> its highest speed.
    """

    rows: dict[str, np.ndarray] = field(default_factory=dict)
    real: dict[str, np.ndarray] = field(default_factory=dict)
    fastest: dict[str, float] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        return set(self.rows)

    def merge(self, other: HandSpeedState) -> HandSpeedState:
        merge_ids(self.ids, other.ids)
        return HandSpeedState(
            {**self.rows, **other.rows}, {**self.real, **other.real}, {**self.fastest, **other.fastest}
        )

    def subset(self, samples: set[str]) -> HandSpeedState:
        clips = {clip_of(sample) for sample in samples}
        return HandSpeedState(
            {sample: counts for sample, counts in self.rows.items() if sample in samples},
            {clip: counts for clip, counts in self.real.items() if clip in clips},
            {sample: speed for sample, speed in self.fastest.items() if sample in samples},
        )

    def compute(self) -> dict[str, float]:
        """Errors: DataError when there are no samples, or no frames."""
        made = sum(self.rows[sample] for sample in sorted(self.rows))
        real = sum(self.real[clip] for clip in sorted(self.real))
        if not self.rows or not np.any(made) or not np.any(real):
            raise DataError("hand_speed: no samples of two frames; there is nothing to compare")
        p, q = made / made.sum(), real / real.sum()
        overlap = np.sqrt(p * q).sum()
        limit = BIN * (1 + int(np.searchsorted(np.cumsum(q), 0.999)))
        return {
            "hand_speed": float(np.sqrt(max(0.0, 1 - overlap))),
            "hand_speed_ratio": float((p * np.arange(BINS)).sum() / max((q * np.arange(BINS)).sum(), 1e-9)),
            "hand_speed_beyond": float(np.mean([speed > limit for speed in self.fastest.values()])),
        }


class HandSpeed(Metric):
    """Hellinger distance of the distribution of the wrists' speeds (against the pelvis) from that of the real motions.

    0: the same distribution, 1: none in common; histograms of 5 cm/s (Kucherenko et al. 2019, "Analyzing input and
    output representations for speech-driven gesture generation", section 5, compare speeds so). Values: ``hand_speed``;
    ``hand_speed_ratio``, mean speed over the real mean speed; ``hand_speed_beyond``, the part of the motions in which a
    wrist is ever faster than the 99.9th percentile of real wrists.
    """

    name = "hand_speed"
    unit = "ratio"
    higher_is_better = False
    needs = None

    def about(self, value: str) -> tuple[str, bool | None]:
        return self.unit, None if value.endswith("_ratio") else self.higher_is_better

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> HandSpeedState:
        """Errors: DataError without the real motions, or for a NaN; for a skeleton without wrists."""
        check_batch(prediction, batch, self.name)
        if batch.motion is None:
            raise DataError(f"{self.name}: the batch has no real motion to compare with")
        check_batch(batch.motion, batch, self.name, "real motion")
        state = HandSpeedState()
        speeds = zip(batch.ids, _speeds(prediction), _speeds(batch.motion), strict=True)
        for sample, made, real in speeds:
            state.rows[sample], state.real[clip_of(sample)] = _histogram(made), _histogram(real)
            state.fastest[sample] = float(made.max(initial=0.0))
        return state


def _speeds(motion: Motion) -> list[np.ndarray]:
    """B arrays: speeds of both wrists against the pelvis, m/s."""
    left, right, pelvis = joint_indices(motion, ["left_wrist", "right_wrist", "pelvis"])

    def of(joints: Tensor) -> np.ndarray:
        hands = joints[:, [left, right]] - joints[:, pelvis, None]
        return (hands.diff(dim=0).norm(dim=-1) * motion.spec.fps).numpy().ravel()

    return [of(joints) for joints in joints_of(motion)]


def _histogram(speeds: np.ndarray) -> np.ndarray:
    return np.bincount((speeds / BIN).astype(int).clip(max=BINS - 1), minlength=BINS).astype(float)
