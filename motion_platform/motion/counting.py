"""How often, how far and for how long a body does something, by geometry alone: peaks of one signal of its joints.

The thresholds were set on real clips (``python -m benchmarks.counts ruler`` tries them on others, and on motions that
are wrong); nothing here was trained. Joints are (T, 22, 3) of the skeleton "humanml3d", metres, Y up, at 20 fps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from motion_platform.motion.skeleton import get_skeleton

BODY, FPS = "humanml3d", 20.0
SIDES = ("left", "right")


def _at(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[:, get_skeleton(BODY).index(name)]


def _smooth(signal: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(signal, 1.0, axis=0, mode="nearest")


def _peaks(signal: np.ndarray, height: float, prominence: float, distance: float) -> int:
    """Peaks at least so high, standing out so far, so many seconds apart; one at an end counts."""
    low = float(signal.min()) if len(signal) else 0.0
    padded = np.concatenate([[low], signal, [low]])
    found, _ = find_peaks(padded, height=height, prominence=prominence, distance=round(distance * FPS))
    return len(found)


def _length(joints: np.ndarray, *names: str) -> float:
    """The median length of a chain of joints."""
    chain = [_at(joints, name) for name in names]
    return float(sum(np.median(np.linalg.norm(b - a, axis=1)) for a, b in pairwise(chain)))


def kicks(joints: np.ndarray, sides: Sequence[str] = SIDES) -> int:
    """A stretched leg at 35 degrees or more from the vertical, in front or behind, foot well over the floor."""
    count = 0
    for side in sides:
        hip, ankle = _at(joints, f"{side}_hip"), _at(joints, f"{side}_ankle")
        leg = ankle - hip
        stretch = np.linalg.norm(leg, axis=1) / _length(joints, f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        angle = np.degrees(np.arccos(np.clip(-leg[:, 1] / np.linalg.norm(leg, axis=1), -1, 1)))
        high = ankle[:, 1] - np.percentile(ankle[:, 1], 5) > 0.2
        count += _peaks(_smooth(np.where((stretch > 0.75) & high, angle, 0.0)), 35, 25, 0.4)
    return count


def punches(joints: np.ndarray, sides: Sequence[str] = SIDES) -> int:
    """A wrist that shoots away from its shoulder, faster than 1 m/s, below the top of the head."""
    count = 0
    for side in sides:
        arm = _at(joints, f"{side}_wrist") - _at(joints, f"{side}_shoulder")
        low = _at(joints, f"{side}_wrist")[:, 1] < _at(joints, "head")[:, 1] + 0.1
        speed = np.gradient(gaussian_filter1d(np.linalg.norm(arm, axis=1), 0.7, mode="nearest")) * FPS
        count += _peaks(np.where(low, speed, 0.0), 1.0, 0.8, 0.3)
    return count


def bows(joints: np.ndarray) -> int:
    """The trunk leans 25 degrees or more while the pelvis stays up, and comes back."""
    trunk = _at(joints, "neck") - _at(joints, "pelvis")
    lean = np.degrees(np.arccos(np.clip(trunk[:, 1] / np.linalg.norm(trunk, axis=1), -1, 1)))
    hips = _at(joints, "pelvis")[:, 1]
    return _peaks(_smooth(np.where(hips > 0.75 * np.percentile(hips, 95), lean, 0.0)), 25, 15, 0.5)


def waves(joints: np.ndarray, sides: Sequence[str] = SIDES) -> int:
    """To and fro of a hand that is up, sideways from its elbow; the hand that does it more often."""
    best = 0
    across = _at(joints, "left_shoulder") - _at(joints, "right_shoulder")
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    for side in sides:
        wrist, elbow = _at(joints, f"{side}_wrist"), _at(joints, f"{side}_elbow")
        up = wrist[:, 1] > elbow[:, 1]
        sway = _smooth(((wrist - elbow) * across).sum(1))
        sway = np.where(up, sway, np.median(sway[up]) if up.any() else 0.0)
        found, _ = find_peaks(sway, prominence=0.06, distance=3)
        best = max(best, len(found))
    return best


def jumps(joints: np.ndarray) -> int:
    """Both feet over the floor and the pelvis going up with them."""
    feet = np.minimum(_at(joints, "left_foot")[:, 1], _at(joints, "right_foot")[:, 1])
    hips = _at(joints, "pelvis")[:, 1]
    rise = np.minimum(feet - np.percentile(feet, 10), hips - np.median(hips) + 0.05)
    return _peaks(_smooth(rise), 0.07, 0.06, 0.3)


def squats(joints: np.ndarray) -> int:
    """The pelvis goes down by a fifth of its height and comes back."""
    hips = _smooth(_at(joints, "pelvis")[:, 1])
    top = float(np.percentile(hips, 95))
    return _peaks(top - hips, 0.2 * top, 0.15 * top, 0.5)


def raises(joints: np.ndarray, sides: Sequence[str] = SIDES) -> int:
    """A wrist that comes up over its shoulder; the hand that does it more often."""
    best = 0
    for side in sides:
        high = _smooth(_at(joints, f"{side}_wrist")[:, 1] - _at(joints, f"{side}_shoulder")[:, 1])
        best = max(best, _peaks(high, 0.0, 0.25, 0.5))
    return best


def steps(joints: np.ndarray) -> int:
    """How often one foot passes the other along the way of the pelvis."""
    hips = _smooth(_at(joints, "pelvis")[:, [0, 2]])
    way = np.gradient(gaussian_filter1d(hips, 5.0, axis=0, mode="nearest"), axis=0)
    way = way / np.linalg.norm(way, axis=1, keepdims=True).clip(1e-6)
    apart = _smooth(((_at(joints, "left_ankle") - _at(joints, "right_ankle"))[:, [0, 2]] * way).sum(1))
    return sum(len(find_peaks(s, height=0.08, prominence=0.12)[0]) for s in (apart, -apart))


def metres(joints: np.ndarray) -> float:
    """The way of the pelvis over the floor, without its sway."""
    hips = _at(joints, "pelvis")[:, [0, 2]]
    straight = np.linspace(hips[0], hips[-1], len(hips))  # what is smoothed is 0 at both ends: no way is lost there
    hips = straight + gaussian_filter1d(hips - straight, 8.0, axis=0, mode="nearest")
    return float(np.linalg.norm(np.diff(hips, axis=0), axis=1).sum())


def degrees(joints: np.ndarray) -> float:
    """How far the hips have turned from first to last."""
    across = (_at(joints, "left_hip") - _at(joints, "right_hip"))[:, [0, 2]]
    heading = np.unwrap(np.arctan2(across[:, 0], across[:, 1]))
    return float(abs(np.degrees(heading[-1] - heading[0])))


def seconds(joints: np.ndarray) -> float:
    """The length."""
    return len(joints) / FPS


RULERS: dict[str, Callable[..., float]] = {
    "kicks": kicks,
    "punches": punches,
    "bows": bows,
    "waves": waves,
    "jumps": jumps,
    "squats": squats,
    "raises": raises,
    "steps": steps,
    "metres": metres,
    "degrees": degrees,
    "seconds": seconds,
}
SIDED = ("kicks", "punches", "waves", "raises")
"""Rulers of a leg or an arm, which take the ``sides`` that count."""


def on_side(what: str, joints: np.ndarray, side: str) -> float:
    """What one of ``SIDED`` counts of the left or the right limb, 0 where the other one does it as often; of "both"
    what each of them does at least."""
    left, right = (RULERS[what](joints, (each,)) for each in SIDES)
    if side == "both":
        return min(left, right)
    own, other = (left, right) if side == "left" else (right, left)
    return own if own > other else 0
