"""Six emotions as transforms of how somebody gestures: how large, how fast, in which posture; measured, not imagined.

The numbers (``emotions.yaml``) are those of :func:`measure` on the styles of Bandai-Namco's data set 1, of the same
actions made neutrally: ratios of the wrists' range and pace, differences of angles. Emotions are those of ZeroEGGS
(Ghorbani et al. 2022), so that a label means the same for every model of the task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.packaged import packaged_yaml
from motion_platform.motion.clip import Clip


@dataclass(frozen=True)
class Manner:
    """amplitude, tempo: factors against neutral. spine, head: degrees bent forward, more than neutral (the head's
    against the spine). shoulders: degrees raised. spread: degrees that the hanging arms stand off further."""

    amplitude: float = 1.0
    tempo: float = 1.0
    spine: float = 0.0
    head: float = 0.0
    shoulders: float = 0.0
    spread: float = 0.0


@cache
def manners() -> dict[str, Manner]:
    """Emotion -> its manner, as they ship."""
    return {
        name: Manner(**numbers)
        for name, numbers in packaged_yaml("motion_platform.motion.gesturing", "emotions.yaml").items()
    }


def mixed(weights: Mapping[str, float]) -> Manner:
    """The manner between emotions: weights by name, which count by their shares; none is neutral.

    Factors are averaged as logarithms. Errors: UnknownName; UsageError for a weight below 0 or weights that sum to 0.
    """
    known = manners()
    for name, weight in weights.items():
        if name not in known:
            raise UnknownName("emotion", name, known)
        if not weight >= 0:
            raise UsageError(f"emotion {name}: got the weight {weight:g}; allowed: 0 or more")
    total = sum(weights.values())
    if not weights:
        return Manner()
    if total <= 0:
        raise UsageError(f"emotions {', '.join(weights)}: the weights sum to 0; give at least one above 0")
    shares = {name: weight / total for name, weight in weights.items()}
    made = {}
    for key in asdict(Manner()):
        values = np.array([getattr(known[name], key) for name in shares])
        each = np.array(list(shares.values()))
        factor = key in ("amplitude", "tempo")
        made[key] = float(np.exp((each * np.log(values)).sum()) if factor else (each * values).sum())
    return Manner(**made)


def measure(clips: Sequence[Clip]) -> dict[str, float]:
    """What of :class:`Manner` is seen in clips on the 22 joints of HumanML3D, in metres, seconds and degrees.

    amplitude: range of the wrists as seen from the chest, from the 5th to the 95th percentile, root of the summed
    squares, of the hand that moves more. tempo: that wrist's mean speed while it moves (above a tenth of its largest),
    by the amplitude. spine: angle of the line from pelvis to neck to the vertical, forwards. head: that of the line
    from neck to head, more than the spine's. shoulders: angle from collar to shoulder above the horizontal, both sides'
    mean. spread: angle of the upper arms to the trunk, outwards. Angles are medians; all are averaged over the clips.
    """
    rows = []
    for clip in clips:
        at = {name: clip.joints[:, clip.skeleton.index(name)].astype(np.float64) for name in clip.skeleton.joints}
        across = at["left_shoulder"] - at["right_shoulder"]
        across = _unit(across * [1, 0, 1])
        front = np.cross(across, [0.0, 1.0, 0.0])
        axes = np.stack([across, np.broadcast_to([0.0, 1.0, 0.0], across.shape), front], axis=-2)
        best = (0.0, 1.0)
        for side in ("left", "right"):
            seen = np.einsum("tij,tj->ti", axes, at[f"{side}_wrist"] - at["spine3"])
            size = float(np.linalg.norm(np.quantile(seen, 0.95, axis=0) - np.quantile(seen, 0.05, axis=0)))
            speed = np.linalg.norm(np.diff(seen, axis=0), axis=-1) * clip.fps
            pace = float(speed[speed > 0.1 * speed.max()].mean()) / max(size, 1e-6)
            best = max(best, (size, pace))
        spine, head = (_pitch(axes, at[b] - at[a]) for a, b in (("pelvis", "neck"), ("neck", "head")))
        raised, spread = [], []
        for side, sign in (("left", 1.0), ("right", -1.0)):
            raised.append(_unit(at[f"{side}_shoulder"] - at[f"{side}_collar"])[:, 1])
            out = np.einsum("tij,tj->ti", axes, _unit(at[f"{side}_elbow"] - at[f"{side}_shoulder"]))
            spread.append(np.degrees(np.arctan2(sign * out[:, 0], np.maximum(-out[:, 1], 1e-6))))
        rows.append(
            {
                "amplitude": best[0],
                "tempo": best[1],
                "spine": float(np.median(spine)),
                "head": float(np.median(head - spine)),
                "shoulders": float(np.degrees(np.arcsin(np.median(raised)))),
                "spread": float(np.quantile(np.minimum(*spread), 0.5)),
            }
        )
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def compared(emotional: Mapping[str, float], neutral: Mapping[str, float]) -> Manner:
    """The manner of one set of measurements against another."""
    factors = ("amplitude", "tempo")
    return Manner(**{k: v / neutral[k] if k in factors else v - neutral[k] for k, v in emotional.items()})


def _pitch(axes: np.ndarray, bone: np.ndarray) -> np.ndarray:
    seen = np.einsum("tij,tj->ti", axes, bone)
    return np.degrees(np.arctan2(seen[:, 2], seen[:, 1]))


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
