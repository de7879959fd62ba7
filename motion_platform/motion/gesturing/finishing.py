"""What is done to a talking body after it was made: the emotion's posture, rest in pauses, no hand too fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.motion.gesturing.accents import Phrase
from motion_platform.motion.gesturing.library import TRUNK, blend, rotation_vectors
from motion_platform.motion.gesturing.perform import RETRACTION, rise
from motion_platform.motion.gesturing.stance import stand
from motion_platform.motion.io.euler import axis_angle_to_quaternion, quaternion_multiply
from motion_platform.motion.skeleton import Skeleton

STAY = 0.2
"""Seconds that a hand stays after the last word of a phrase, before it goes back."""
COMING = 0.6
"""Seconds before the next phrase in which a hand comes up again."""
AROUND = (1.2, 0.6)
"""Seconds before and after a stroke that was asked for in which hands do not rest."""
SLOW = 3.0
"""Seconds, standard deviation of the Gaussian over what is off a posture: gestures are faster, and stay."""
REACH = 3
"""Frames on both sides that take over what a frame is too fast."""
ROUNDS = 400
BLOCK = 4800
"""Frames that are looked at, or finished, at a time."""


def resting(phrases: Sequence[Phrase], marks: Sequence[float], pause: float, seconds: np.ndarray) -> np.ndarray:
    """(T,) at these seconds, 0 where the hands are free to gesture and 1 where they rest, by minimum jerk between.

    Hands rest before the first phrase, after the last, and in pauses of at least ``pause`` seconds, but not around
    strokes that somebody asked for (``marks``).
    """
    busy = [(phrase.start, phrase.end + STAY) for phrase in phrases]
    busy = sorted(busy + [(mark - AROUND[0] + COMING, mark + AROUND[1]) for mark in marks])
    weight = np.zeros(len(seconds))
    free = -np.inf
    for start, end in [*busy, (np.inf, np.inf)]:
        if start - free >= pause - STAY:
            down = rise((seconds - free) / RETRACTION) if np.isfinite(free) else np.ones(len(seconds))
            up = rise((start - seconds) / COMING) if np.isfinite(start) else np.ones(len(seconds))
            within = (seconds >= free) & (seconds <= start)
            weight = np.where(within, down * up, weight)
        free = max(free, end)
    return weight


def rested(rotations: np.ndarray, rest: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Local rotations (T, J, 4) and those of standing (T, J, 4) by weight (T,): frames of weight 0 stay as they are."""
    made = rotations.copy()
    whole = np.flatnonzero(weight > 0)
    for start in range(0, len(whole), BLOCK):
        on = whole[start : start + BLOCK]
        made[on] = blend(rotations[on], rest[on], np.broadcast_to(weight[on, None], rest[on].shape[:2]))
    return made


def postured(rotations: np.ndarray, rest: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """Local rotations (T, J, 4) whose trunk and head are, in the slow mean, bent as in standing (T, J, 4)."""
    from scipy.ndimage import gaussian_filter1d

    trunk = [skeleton.index(name) for name in TRUNK]
    off = rotation_vectors(quaternion_multiply(rest[:, trunk], rotations[:, trunk] * [-1, -1, -1, 1]))
    turn = axis_angle_to_quaternion(gaussian_filter1d(off, SLOW * fps, axis=0, mode="nearest"))
    made = rotations.copy()
    made[:, trunk] = quaternion_multiply(turn, rotations[:, trunk])
    return made


def paced(rotations: np.ndarray, skeleton: Skeleton, fps: float, fastest: float) -> np.ndarray:
    """Local rotations (T, J, 4) -> the same way through the same poses, slower where a wrist is faster than ``fastest``
    (m/s, against the pelvis), and a little faster just before and after. Other frames stay as they are.
    """
    made = rotations
    for k in range(8):
        speed = wrist_speeds(made, skeleton, fps)
        if not len(speed) or speed.max() <= fastest:
            break
        made = _slowed(made, speed, (1 - 0.01 * (k + 1)) * fastest)
    return made


def wrist_speeds(rotations: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """(T - 1,) m/s of the faster wrist against the pelvis."""
    wrists = [skeleton.index("left_wrist"), skeleton.index("right_wrist")]
    hands = []
    for start in range(0, len(rotations), BLOCK):  # all joints of an hour at once would take gigabytes
        joints = stand(rotations[start : start + BLOCK], skeleton).astype(np.float64)
        hands.append(joints[:, wrists] - joints[:, [skeleton.index("pelvis")]])
    return np.linalg.norm(np.diff(np.concatenate(hands), axis=0), axis=-1).max(-1, initial=0.0) * fps


def _slowed(rotations: np.ndarray, speed: np.ndarray, limit: float) -> np.ndarray:
    """The motion on a new clock on which the faster wrist goes its way at ``limit`` at most."""
    small = 1e-3 * limit  # a hand that stands still takes time, too
    old = np.concatenate([[0.0], np.cumsum(speed + small)])
    new = np.concatenate([[0.0], np.cumsum(spread(speed, limit) + small)])
    frames = np.arange(len(rotations), dtype=np.float64)
    place = np.interp(new, old, frames)
    place = np.where(np.abs(place - frames) < 1e-6, frames, place)
    before = np.minimum(place.astype(int), len(rotations) - 2)
    moved = np.flatnonzero(place != frames)
    share = (place - before)[moved]
    made = rotations.copy()
    a, b = rotations[before[moved]], rotations[before[moved] + 1]
    made[moved] = blend(a, b, np.broadcast_to(share[:, None], a.shape[:2]))
    return made


def spread(speed: np.ndarray, limit: float) -> np.ndarray:
    """Speeds (n,) with the same sum, none above ``limit``: what is above goes to the frames around, as near as there is
    room. Where there is none in the whole motion, what is left stays above."""
    from scipy.ndimage import convolve1d

    kernel = np.hanning(2 * REACH + 3)[1:-1]
    made = np.array(speed, np.float64)
    for _ in range(ROUNDS):
        over = np.maximum(made - limit, 0.0)
        if over.max(initial=0.0) < 1e-6 * limit:
            break
        made = np.minimum(made, limit) + convolve1d(over, kernel / kernel.sum(), mode="reflect")
    return made
