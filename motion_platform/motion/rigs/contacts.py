"""Feet that stay where they stand: which frames they do, where they are held, and legs that reach there.

A leg is two bones of constant length; that the ankle lies at a given place leaves one angle free, the side to which the
knee points, which is kept (the two-bone solution of every animation program). Between two stands a correction fades
from one to the other, so nothing jumps.
"""

from __future__ import annotations

import numpy as np

from motion_platform.motion.intervals import runs
from motion_platform.motion.inverse_kinematics import arc
from motion_platform.motion.io.euler import quaternion_to_matrix
from motion_platform.motion.rigs.pose import smooth

NEAR = 0.05
"""Metres (for a leg of 0.83 m) above its lowest height at which a foot may stand."""
SLOW = 0.35
"""Metres a second (for a leg of 0.83 m) below which a foot stands."""
SHORTEST = 0.1
"""Seconds that a stand lasts at least; shorter gaps and stands are none."""
FADE = 0.25
"""Seconds in which a correction is let go."""
STRETCHED = 0.99999
"""Share of a leg's length to which it is stretched at most, so that the knee keeps a side to point to."""
LEG = 0.83


def stands(toes: np.ndarray, fps: float, leg: float = LEG) -> np.ndarray:
    """(T,) whether a foot (T, 3) stands: near the lowest height at which it is seen, and slow."""
    size = leg / LEG
    if len(toes) < 3:
        return np.ones(len(toes), bool)
    low = toes[:, 1] < np.quantile(toes[:, 1], 0.02) + NEAR * size
    speed = np.linalg.norm(np.gradient(toes, 1 / fps, axis=0), axis=-1)
    found = low & (speed < SLOW * size)
    shortest = max(1, round(SHORTEST * fps))
    for value in (False, True):  # close short gaps, then drop short stands
        for start, end in runs(found == value):
            if end - start < shortest and (start > 0 or value) and (end < len(found) or value):
                found[start:end] = not value
    return found


def held(places: np.ndarray, standing: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """(T, 3): by how much a point (T, 3) is moved so that it stays, while it stands, at the goal (S, 3) of each
    stand; elsewhere 0."""
    out = np.zeros_like(places)
    for (start, end), goal in zip(runs(standing), goals, strict=True):
        out[start:end] = goal - places[start:end]
    return out


def faded(values: np.ndarray, standing: np.ndarray, fps: float) -> np.ndarray:
    """(T, N) corrections that are known while a foot stands, between stands running from one to the next; they fade
    within ``FADE`` seconds before the first and after the last, and where stands are far apart."""
    out = np.where(standing[:, None], values, 0.0)
    spans, fade = runs(standing), max(1, round(FADE * fps))
    for k, free in enumerate(
        [0, *(end for _, end in spans)]
    ):  # from the end of a stand (or the start of all) to the next
        upto = spans[k][0] if k < len(spans) else len(out)
        if upto <= free:
            continue
        t = np.arange(free, upto)
        before = out[free - 1] if k > 0 else np.zeros(out.shape[1])
        after = out[upto] if k < len(spans) else np.zeros(out.shape[1])
        leave = np.clip((t - free + 1) / min(fade, upto - free + 1), 0, 1)[:, None]
        arrive = np.clip((upto - t) / min(fade, upto - free + 1), 0, 1)[:, None]
        out[free:upto] = before * _ease(1 - leave) + after * _ease(1 - arrive)
    return out


def turned_on(new: list[np.ndarray], old: list[np.ndarray], standing: np.ndarray, fps: float) -> list[np.ndarray]:
    """(T, 3, 3) of a leg's upper and lower bone: new where the foot stands, and between stands the old ones turned by
    what the turns of hip and knee of the stands fade to. So a leg that swings is never off by more than one that
    stands, however straight it is."""
    from scipy.spatial.transform import Rotation

    hip = old[0].transpose(0, 2, 1) @ new[0]
    before, after = (bones[0].transpose(0, 2, 1) @ bones[1] for bones in (old, new))
    knee = before.transpose(0, 2, 1) @ after
    by = faded(np.concatenate([Rotation.from_matrix(turn).as_rotvec() for turn in (hip, knee)], axis=1), standing, fps)
    upper = old[0] @ Rotation.from_rotvec(by[:, :3]).as_matrix()
    return [upper, upper @ before @ Rotation.from_rotvec(by[:, 3:]).as_matrix()]


def _ease(share: np.ndarray) -> np.ndarray:
    return share * share * (3 - 2 * share)


def lowering(hips: list[np.ndarray], goals: list[np.ndarray], lengths: list[float], fps: float) -> np.ndarray:
    """(T,) metres by which a body must sink so that every hip (T, 3) reaches its ankle's goal; smooth in time."""
    from scipy.ndimage import maximum_filter1d

    need = np.zeros(len(hips[0]))
    for hip, goal, length in zip(hips, goals, lengths, strict=True):
        away = np.linalg.norm((hip - goal)[:, [0, 2]], axis=-1)
        reach = np.sqrt(np.maximum((length * STRETCHED) ** 2 - away**2, 0.0))
        need = np.maximum(need, (hip - goal)[:, 1] - reach)
    need = np.maximum(need, 0.0)
    if not need.any() or len(need) < 3:
        return need
    width = max(1, round(0.1 * fps))
    return smooth(maximum_filter1d(need, 2 * width + 1), fps, 0.05)


def bent(
    hip: np.ndarray, goal: np.ndarray, upper: np.ndarray, lower: np.ndarray, lengths: tuple[float, float],
    axis: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """(directions of the upper and lower bone, bending axis), each (T, 3), with which a leg reaches its goal.

    upper, lower: the directions before; axis: the bending axis before, which turns along with the line from hip to
    ankle.
    """
    first, second = lengths
    old = first * upper + second * lower
    new = goal - hip
    far = np.linalg.norm(new, axis=-1, keepdims=True)
    along = new / np.maximum(far, 1e-9)
    far = np.clip(far, abs(first - second) + 1e-6, (first + second) * STRETCHED)
    turn = quaternion_to_matrix(arc(old / np.maximum(np.linalg.norm(old, axis=-1, keepdims=True), 1e-9), along))
    axis = np.einsum("tij,tj->ti", turn, axis)
    axis = axis - (axis * along).sum(-1, keepdims=True) * along
    axis /= np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    side = np.cross(along, axis)  # where the knee points: upper x lower is along the axis
    cosine = np.clip((first**2 + far**2 - second**2) / (2 * first * far), -1.0, 1.0)
    sine = np.sqrt(1 - cosine**2)
    knee = first * (cosine * along + sine * side)
    foot = far * along
    below = foot - knee
    return knee / first, below / np.maximum(np.linalg.norm(below, axis=-1, keepdims=True), 1e-9), axis
