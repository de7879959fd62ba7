"""The conductor's motion: a plan of beats into 13 keypoints in the image plane.

The right hand's ictus is on the beat; its path is :mod:`patterns`. Size follows the dynamics, sharpness the
articulation, and both the conductor. The left hand mirrors in the loudest parts, else rests or shows swells; it holds
fermatas and cues entries. Shoulders, head and hips follow the hands, breathe and sway. Elbows come from two bones of
fixed length in space. Everything is computed at ``RATE`` and smoothed as muscles would, then taken at the motion's own
rate.

Nothing here was measured on people: it is a rule, seeded, and what is trained on it learns the rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion_platform.data.scores.conductors import Conductor
from motion_platform.data.scores.performance import CURVE_RATE, PerformancePlan
from motion_platform.motion.conducting.patterns import strokes

RATE = 120.0
EVERY = 4
"""Every fourth sample is a frame: 30 a second."""
MUSCLE = 0.022
"""Seconds: standard deviation of the Gaussian that rounds every hand's path off."""
HEIGHT, WIDTH = 0.20, 0.10
"""Fractions of the frame that a gesture of size 1 is high, and wide to either side."""
PLANE = 0.57
"""Where the first ictus of a gesture of size 1 lies, downward in the frame: at the lowest rib."""
RIGHT_HAND = 0.385
"""Across, where the first ictus lies; the conductor's right is the picture's left."""
REST_RIGHT, REST_LEFT = (0.43, 0.655), (0.565, 0.66)
UPPER_ARM, FOREARM = 0.165, 0.155
SHOULDER, HIP = 0.1, 0.062
"""Half the distance between the shoulders (a fifth of the frame, as published) and between the hips."""
SHOULDER_Y, HIP_Y, NOSE_Y = 0.47, 0.75, 0.335


@dataclass(frozen=True)
class _Time:
    """What is true at every sample: which beat k it is in, how far (phase 0 to 1), how much the hands conduct."""

    t: np.ndarray
    k: np.ndarray
    phase: np.ndarray
    active: np.ndarray


def conduct(plan: PerformancePlan, conductor: Conductor, random: np.random.Generator) -> np.ndarray:
    """(T, 13, 2) float32 keypoints at 30 Hz, T = the plan's seconds * 30, in ConductorMotion100's units.

    A plan without beats gives a conductor at rest.
    """
    frames = round(plan.seconds * CURVE_RATE)
    t = np.arange(frames * EVERY) / RATE
    dynamics = np.interp(t, np.arange(len(plan.dynamics)) / CURVE_RATE, plan.dynamics) if frames else t
    if len(plan.beats) < 2:
        right, left = _rest(t, REST_RIGHT, random), _rest(t, REST_LEFT, random)
    else:
        time, marks, index, count = _time(plan, t, conductor, random)
        right = _beating(plan, time, index, count, marks, dynamics, conductor)
        left = _left(plan, t, right, dynamics, time.active, conductor, random)
        rest = _rest(t, REST_RIGHT, random)
        right = rest + (right - rest) * time.active[:, None]
    right = _smooth(right, MUSCLE) + _drift(t, random, 0.0025, 0.5)
    left = _smooth(left, MUSCLE * 1.3) + _drift(t, random, 0.0025, 0.5)
    return _body(t, right, left, conductor, random)[::EVERY].astype(np.float32)


def _time(
    plan: PerformancePlan, t: np.ndarray, conductor: Conductor, random: np.random.Generator
) -> tuple[_Time, np.ndarray, np.ndarray, np.ndarray]:
    """Beats as the hand gives them: late or early by the conductor's lag, with two more in front and one behind."""
    n = len(plan.beats)
    human = conductor.lag + _smooth_steps(random.normal(0, 1, n), 1.0) * conductor.jitter
    given = plan.beats + human
    first, last = given[1] - given[0], given[-1] - given[-2]
    marks = np.concatenate([[given[0] - 2 * first, given[0] - first], given, [given[-1] + last]])
    marks = np.maximum.accumulate(marks + np.arange(len(marks)) * 1e-6)
    before = (plan.index[0] - np.array([2, 1])) % plan.count[0]
    index = np.concatenate([before, plan.index, [(plan.index[-1] + 1) % plan.count[-1]]])
    count = np.concatenate([np.repeat(plan.count[0], 2), plan.count, [plan.count[-1]]])
    holds = np.concatenate([[0, 0], plan.holds])
    k = np.clip(np.searchsorted(marks, t, side="right") - 1, 0, len(marks) - 2)
    lasts = np.diff(marks)[k]
    phase = np.clip((t - marks[k]) / lasts, 0, 1)
    hold = holds[k]
    held = hold > 0
    if held.any():
        # A fermata: up to the middle in tempo, stand there, and the second half of the beat leads on.
        tempo = 0.5 / (1 + hold[held])
        u = phase[held]
        up, down = np.minimum(u / tempo, 1), np.maximum((u - (1 - tempo)) / tempo, 0)
        phase[held] = 0.44 * up + 0.08 * u + 0.48 * down
    rising = _step((t - (marks[1] - 0.5 * first)) / (0.6 * first))
    falling = _step((t - (marks[-2] + 0.35 * last)) / (1.2 * last + 0.3))
    return _Time(t, k, phase, rising * (1 - falling)), marks, index, count


def _beating(
    plan: PerformancePlan,
    time: _Time,
    index: np.ndarray,
    count: np.ndarray,
    marks: np.ndarray,
    dynamics: np.ndarray,
    conductor: Conductor,
) -> np.ndarray:
    """(n, 2) the right hand."""
    t, k, u = time.t, time.k, time.phase
    across, height, rebound, bend = strokes(index, count).T
    # The size belongs to a stroke: loud is large, slow is large; what comes is shown before it sounds.
    ahead = np.interp(marks + 0.25, t, dynamics)
    loud = 1 - conductor.response + conductor.response * (0.25 + 1.0 * ahead) / 0.75
    slow = np.clip(np.append(np.diff(marks), marks[-1] - marks[-2]) / 0.6, 0.4, 2.0) ** 0.35
    sizes = np.clip(conductor.size * loud * slow, 0.25, 1.55)
    sizes = np.convolve(np.pad(sizes, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    ease = u * u * (3 - 2 * u)
    size = sizes[k] + (sizes[k + 1] - sizes[k]) * ease
    short = np.interp(t, np.arange(len(plan.articulation)) / CURVE_RATE, plan.articulation)
    sharp = np.clip(conductor.sharpness + 0.45 * (short - 0.3), 0.12, 1.0)
    apex = rebound[k] * conductor.bounce ** np.where(rebound[k] < 0.9, 1.0, 0.3)
    up = np.where(u < 0.5, height[k], height[k + 1])
    away = np.abs(2 * u - 1)  # 1 on an ictus, 0 at the top
    # A bouncing ball (sharp: fastest at the ictus) and a pendulum (round: it slows down there) are the two ends.
    fall = sharp * away**2 + (1 - sharp) * (1 - np.cos(np.pi * away)) / 2
    high = apex - (apex - up) * fall
    sweep = (1 - sharp) * u + sharp * ease
    out = across[k] + (across[k + 1] - across[k]) * (0.5 * ease + 0.5 * sweep) + bend[k] * np.sin(np.pi * u) ** 2
    x = RIGHT_HAND - WIDTH * conductor.width * size * out
    y = PLANE - HEIGHT * size * high + 0.02 * (size - 1)
    return np.stack([x, y], 1)


def _left(
    plan: PerformancePlan,
    t: np.ndarray,
    mirror: np.ndarray,
    dynamics: np.ndarray,
    active: np.ndarray,
    conductor: Conductor,
    random: np.random.Generator,
) -> np.ndarray:
    """(n, 2) the left hand: it mirrors where it is loud, shows swells, and rests; it holds fermatas, and it cues.

    What it does can be heard in the music, so that a model can learn when.
    """
    rest = _rest(t, REST_LEFT, random)
    mirrored = np.stack([1 - mirror[:, 0], mirror[:, 1]], 1)
    mirrored = np.stack([0.615 + 0.85 * (mirrored[:, 0] - 0.615), PLANE + 0.9 * (mirrored[:, 1] - PLANE)], 1)
    slow = _smooth(dynamics, 0.6)
    shaped = np.stack([0.60 + 0.05 * slow, 0.60 - 0.20 * slow], 1) + _drift(t, random, 0.006, 1.5)
    # A new way every some bars, blended over a second.
    bars = plan.bars if len(plan.bars) > 1 else plan.beats
    changes = bars[:: max(1, int(random.integers(3, 7)))]
    ways = _ways(t, slow, changes, conductor)
    weights = _smooth(np.eye(3)[ways[np.searchsorted(changes, t)]], 0.35)
    left = (weights[:, :1] * mirrored + weights[:, 1:2] * rest + weights[:, 2:] * shaped) * active[:, None]
    left += rest * (1 - active[:, None])
    for begin, end in _fermatas(plan):
        # Up with the note, still as long as it lasts, and a small loop that ends it.
        u, lasts = t - begin, end - begin
        loop = np.exp(-(((u - lasts + 0.15) / 0.13) ** 2))
        there = np.stack([0.64 + 0.03 * loop, 0.44 + 0.05 * loop], 1)
        left += (there - left) * (_step((u + 0.5) / 0.6) * (1 - _step((u - lasts - 0.1) / 0.7)))[:, None]
    for cue in plan.cues:
        u = t - cue
        # Across first, then up, and down before in: an arc.
        weight = np.stack([_step((u + a) / 0.6) * (1 - _step((u - b) / 0.8)) for a, b in ((0.95, 0.45), (0.8, 0.3))], 1)
        # The hand opens towards the players: a small lift, and down with the beat.
        there = np.stack([np.full(len(u), 0.70), 0.40 + 0.07 * np.exp(-((u / 0.16) ** 2))], 1)
        left += (there - left) * weight * 0.9
    return left


def _ways(t: np.ndarray, slow: np.ndarray, changes: np.ndarray, conductor: Conductor) -> np.ndarray:
    """(n + 1,) what the left hand does before, between and after n times: 0 mirror, 1 rest, 2 shape the dynamics.

    The loudest parts are mirrored, of the others those shaped in which the loudness changes most: the conductor's
    shares of each.
    """
    parts = np.split(slow, np.searchsorted(t, changes))
    loud = np.array([part.mean() if len(part) else 0.0 for part in parts])
    swell = np.array([np.ptp(part) if len(part) else 0.0 for part in parts])
    mirror, _, shape = np.array(conductor.left) / sum(conductor.left)
    ways = np.full(len(parts), 1)
    order = np.argsort(-loud, kind="stable")
    tutti, others = np.split(order, [round(mirror * len(parts))])
    ways[tutti] = 0
    ways[others[np.argsort(-swell[others], kind="stable")][: round(shape * len(parts))]] = 2
    return ways


def _fermatas(plan: PerformancePlan) -> list[tuple[float, float]]:
    """(begin, end) of each beat that is held, in seconds."""
    ends = np.append(plan.beats[1:], plan.seconds)
    return [(float(plan.beats[k]), float(ends[k])) for k in np.flatnonzero(plan.holds > 0)]


def _body(
    t: np.ndarray,
    right: np.ndarray,
    left: np.ndarray,
    conductor: Conductor,
    random: np.random.Generator,
) -> np.ndarray:
    """(n, 13, 2): the trunk follows the hands, breathes and sways; the head nods; the elbows fit."""
    hands = _smooth((right + left) / 2 - [0.5, PLANE], 0.12)
    sway = _drift(t, random, 0.010 * conductor.sway, 1.6)
    breath = 0.0022 * np.sin(2 * np.pi * (0.25 * t + random.random()) + _drift(t, random, 0.8, 4.0)[:, 0])
    lean = _drift(t, random, 0.006 * conductor.sway, 2.5)[:, 0]
    hip = np.stack([0.5 + 0.3 * sway[:, 0], HIP_Y + 0.1 * sway[:, 1] + 0.03 * hands[:, 1]], 1)
    chest = np.stack(
        [0.5 + sway[:, 0] + 0.10 * hands[:, 0], SHOULDER_Y + 0.4 * sway[:, 1] + 0.10 * hands[:, 1] - breath], 1
    )
    tilt = lean + 0.05 * _smooth(left[:, 1] - right[:, 1], 0.25)
    half = np.stack([np.full_like(t, SHOULDER), -SHOULDER * tilt], 1)
    lift_left = 0.06 * np.clip(SHOULDER_Y - left[:, 1], -0.1, 0.3)
    lift_right = 0.06 * np.clip(SHOULDER_Y - right[:, 1], -0.1, 0.3)
    left_shoulder, right_shoulder = chest + half, chest - half
    left_shoulder[:, 1] -= lift_left
    right_shoulder[:, 1] -= lift_right
    across = np.stack([np.full_like(t, HIP), np.zeros_like(t)], 1)
    nod = conductor.nod * 0.05 * _smooth(right[:, 1] - PLANE, 0.05)
    turn = _drift(t, random, 0.010, 1.2)[:, 0] + 0.05 * _smooth(left[:, 0] - 0.6, 0.3)
    head = chest + np.stack([0.5 * sway[:, 0] + 0.4 * turn, NOSE_Y - SHOULDER_Y + nod], 1)

    def on_head(x: float, y: float, forward: float) -> np.ndarray:
        """A point of the head; what lies further forward moves more when it turns or nods."""
        return head + np.stack([x + forward * turn, y + (forward - 1) * nod * 0.6], 1)

    left_wrist, left_elbow = _arm(left_shoulder, left, +1)
    right_wrist, right_elbow = _arm(right_shoulder, right, -1)
    points = [
        on_head(0, 0, 1.0), on_head(0.018, -0.020, 0.8), on_head(-0.018, -0.020, 0.8), on_head(0.043, -0.012, -0.2),
        on_head(-0.043, -0.012, -0.2), left_shoulder, right_shoulder, left_elbow, right_elbow, left_wrist, right_wrist,
        hip + across, hip - across,
    ]  # fmt: skip
    return np.clip(np.stack(points, 1), 0, 1)


def _arm(shoulder: np.ndarray, wrist: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(wrist, elbow): bones of fixed length in space, the hand in front of the body, the elbow out and down.

    side: +1 for the left arm, which is on the picture's right. A hand out of reach is drawn in.
    """
    reach = 0.985 * (UPPER_ARM + FOREARM)
    flat = wrist - shoulder
    distance = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = flat * np.minimum(1, reach / np.maximum(distance, 1e-6))
    distance = np.linalg.norm(flat, axis=1)
    depth = np.minimum(0.17, np.sqrt(np.maximum(reach**2 - distance**2, 0)))
    to = np.concatenate([flat, depth[:, None]], 1)
    length = np.linalg.norm(to, axis=1, keepdims=True)
    towards = to / length
    along = (length**2 + UPPER_ARM**2 - FOREARM**2) / (2 * length)
    aside = np.sqrt(np.maximum(UPPER_ARM**2 - along**2, 0))
    pole = np.array([side * 0.75, 0.9, -0.35])
    normal = pole - towards * (towards @ pole)[:, None]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    elbow = along * towards + aside * normal
    return shoulder + flat, shoulder + elbow[:, :2]


def _rest(t: np.ndarray, place: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    return np.array(place) + _drift(t, random, 0.004, 1.5)


def _drift(t: np.ndarray, random: np.random.Generator, size: float, seconds: float) -> np.ndarray:
    """(n, 2) smooth noise of this standard deviation, that forgets within ``seconds``."""
    if not len(t):
        return np.zeros((0, 2))
    step = seconds / 4
    count = int(t[-1] / step) + 12
    coarse = _smooth_steps(random.normal(0, 1, (count, 2)), 2.0)
    coarse *= size / np.sqrt(1 / (2 * np.sqrt(np.pi) * 2.0))  # the variance that is left of white noise
    at = t / step + 5
    low = at.astype(int)
    u = (at - low)[:, None]
    u = u * u * (3 - 2 * u)
    return coarse[low] * (1 - u) + coarse[low + 1] * u


def _step(u: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    u = np.clip(u, 0, 1)
    return u * u * u * (u * (6 * u - 15) + 10)


def _smooth(x: np.ndarray, seconds: float) -> np.ndarray:
    return _smooth_steps(x, seconds * RATE)


def _smooth_steps(x: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.asarray(x, np.float64), sigma, axis=0, mode="nearest") if len(x) else x
