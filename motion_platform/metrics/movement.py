"""How much does a body move, against real clips of the same labels? What no recogniser sees: a statue may be "a sad
walk"."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric, State, clip_of, merge_ids
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import check_batch, joint_indices, joints_of
from motion_platform.motion.skeleton import Skeleton, get_skeleton

SHORTEST = 1.0
"""Seconds; a swing is measured in clips that are at least as long."""
MIDDLE = 0.3, 0.85
"""Shares of a clip between which a swing is measured: a hand that is only raised does so at the beginning."""
SLOWEST = 0.6
"""Hz from which a movement of the hand counts as swinging."""
STILL = 1e-3
"""Metres; a hand that swings less than this has no rhythm."""
LEAST = {"joint_speed": 0.1, "travel": 0.15, "stride": 0.3, "swing": 0.03, "rhythm": 0.5, "turn": 0.5}
"""A feature counts for a label where the real clips' median is at least this: who stands has no stride."""
JOINTS = ["pelvis", *(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "ankle", "elbow", "wrist"))]


def features_of(joints: Tensor, fps: float, skeleton: Skeleton) -> dict[str, float]:
    """What can be seen of how a body moves. joints (T, J, 3) in metres, Y up.

    joint_speed: mean speed of the joints against the pelvis. travel: path of the pelvis on the floor over the time.
    stride: how far the ankles come apart on the floor (95th percentile), against their distance when nearest. swing:
    root mean square of the way of the livelier wrist against its elbow, faster than ``SLOWEST``, in the middle of the
    clip (``MIDDLE``), where a raised hand rests and a waving one waves. rhythm: the share of that swing's power in its
    strongest frequency and the two beside it. turn: how far the body has turned in all, without sign. A feature that a
    clip is too short for is left out.
    """
    at, x = skeleton.index, joints.double().numpy()
    found: dict[str, float] = {}
    if len(x) < 3:
        return found
    pelvis = x[:, at("pelvis")]
    inner = np.diff(x - pelvis[:, None], axis=0)
    found["joint_speed"] = float(np.linalg.norm(inner, axis=-1).mean() * fps)
    found["travel"] = float(np.linalg.norm(np.diff(pelvis[:, [0, 2]], axis=0), axis=-1).sum() * fps / (len(x) - 1))
    apart = np.linalg.norm((x[:, at("left_ankle")] - x[:, at("right_ankle")])[:, [0, 2]], axis=-1)
    found["stride"] = float(np.percentile(apart, 95) - np.percentile(apart, 5))
    across = x[:, at("left_hip")] - x[:, at("right_hip")]
    heading = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
    found["turn"] = float(abs(heading[-1] - heading[0]))
    if len(x) >= SHORTEST * fps:
        middle = x[round(MIDDLE[0] * len(x)) : round(MIDDLE[1] * len(x))]
        arms = [middle[:, at(f"{side}_wrist")] - middle[:, at(f"{side}_elbow")] for side in ("left", "right")]
        powers = [_power(arm) for arm in arms]
        frequencies = np.fft.rfftfreq(len(middle), 1 / fps)
        fast = frequencies >= SLOWEST
        livelier = max(powers, key=lambda power: power[fast].sum())
        quick = np.where(fast, livelier, 0.0)
        found["swing"] = math.sqrt(quick.sum())
        peak = int(quick.argmax())
        beating = quick[max(peak - 1, 0) : peak + 2].sum()
        found["rhythm"] = float(beating / quick.sum()) if found["swing"] > STILL else 0.0
    return found


def _power(way: np.ndarray) -> np.ndarray:
    """(T, 3) -> mean square of the way at each frequency of ``rfft``, after the parabola nearest to it is taken out."""
    t = np.linspace(-1, 1, len(way))
    basis = np.stack([np.ones_like(t), t, t**2], 1)
    spectrum = np.abs(np.fft.rfft(way - basis @ np.linalg.lstsq(basis, way, rcond=None)[0], axis=0)) ** 2
    spectrum[1:] *= 2
    if len(way) % 2 == 0:
        spectrum[-1] /= 2
    return spectrum.sum(1) / len(way) ** 2


@dataclass
class MovementState(State):
    """rows: sample id -> (label, features of the prediction). real: clip id -> (label, features of the real clip).

    compute: for every label with at least ``least`` real clips, and every feature that counts there, the ratio of the
    medians.
    """

    rows: dict[str, tuple[str, dict[str, float]]] = field(default_factory=dict)
    real: dict[str, tuple[str, dict[str, float]]] = field(default_factory=dict)
    least: int = 3

    @property
    def ids(self) -> set[str]:
        return set(self.rows)

    def merge(self, other: MovementState) -> MovementState:
        merge_ids(self.ids, other.ids)
        return MovementState({**self.rows, **other.rows}, {**self.real, **other.real}, self.least)

    def subset(self, samples: set[str]) -> MovementState:
        clips = {clip_of(sample) for sample in samples}
        rows = {sample: row for sample, row in self.rows.items() if sample in samples}
        return MovementState(rows, {clip: row for clip, row in self.real.items() if clip in clips}, self.least)

    def ratios(self) -> dict[tuple[str, str], float]:
        """(label, feature) -> median of the predictions over median of the real clips."""
        real, made = _by_label(self.real), _by_label(self.rows)
        found = {}
        for label, values in real.items():
            for name, of in values.items():
                middle = float(np.median(of))
                if len(of) >= self.least and middle >= LEAST[name] and label in made:
                    seen = made[label].get(name)
                    found[label, name] = float(np.median(seen)) / middle if seen else 0.0
        return found

    def compute(self) -> dict[str, float]:
        """{"movement": mean score, "movement_within": share of ratios from 0.7 to 1.4, and the median ratio a
        feature}."""
        if not self.rows:
            raise DataError("movement: no samples; there is nothing to average")
        ratios = self.ratios()
        if not ratios:
            raise DataError(f"movement: no label has {self.least} real clips; there is nothing to compare with")
        values = np.array(list(ratios.values()))
        result = {
            "movement": float(np.mean([score(ratio) for ratio in values])),
            "movement_within": float(((values >= 0.7) & (values <= 1.4)).mean()),
        }
        for name in LEAST:
            own = [ratio for (_, feature), ratio in ratios.items() if feature == name]
            if own:
                result[f"movement_{name}"] = float(np.median(own))
        return result


def score(ratio: float) -> float:
    """1 for a ratio of 1, 0.5 for half or twice as much, 0 for a quarter, four times, or nothing at all."""
    return max(0.0, 1 - abs(math.log2(ratio)) / 2) if ratio > 0 else 0.0


class Movement(Metric):
    """How much a body moves against real clips of the same labels (content and style together): a statue scores 0.

    Features: :func:`features_of`; of every label with at least ``clips_a_label`` real clips among those that are
    measured, every feature in which the real clips move at all (``LEAST``) gives the ratio of the median of the
    predictions to the median of the real clips. Values: ``movement``, the mean of :func:`score` over all of them;
    ``movement_within``, the share of ratios from 0.7 to 1.4; ``movement_<feature>``, the median ratio of a feature.
    Real clips against themselves give 1. Ours: docs/metrics.md says what it sees that the others do not.
    """

    name = "movement"
    unit = "ratio"
    higher_is_better = True

    def __init__(self, clips_a_label: int = 3) -> None:
        if clips_a_label < 1:
            raise ValueError(f"clips_a_label {clips_a_label} must be at least 1")
        self.clips_a_label = clips_a_label

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> MovementState:
        """Errors: DataError without labels, without the real motions, for a NaN, or for a body without ``JOINTS``."""
        check_batch(prediction, batch, self.name)
        if batch.labels is None or batch.motion is None:
            raise DataError(f"{self.name}: the batch has no labels or no real motion; it needs a data set with both")
        check_batch(batch.motion, batch, self.name, "real motion")
        joint_indices(prediction, JOINTS)
        skeleton = get_skeleton(prediction.spec.skeleton)
        made = [features_of(joints, prediction.spec.fps, skeleton) for joints in joints_of(prediction)]
        real = [features_of(joints, batch.motion.spec.fps, skeleton) for joints in joints_of(batch.motion)]
        state = MovementState(least=self.clips_a_label)
        for sample, labels, of_made, of_real in zip(batch.ids, batch.labels, made, real, strict=True):
            label = "/".join(labels[key] for key in sorted(labels)) if labels else ""
            state.rows[sample] = (label, of_made)
            if label:
                state.real[clip_of(sample)] = (label, of_real)
        return state

    def about(self, value: str) -> tuple[str, bool | None]:
        """The headline and the share within are better higher, the ratios of the features are to be 1."""
        return "ratio", True if value in ("movement", "movement_within") else None


def _by_label(rows: dict[str, tuple[str, dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    grouped: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for label, features in rows.values():
        for name, value in features.items():
            grouped[label][name].append(value)
    return grouped
