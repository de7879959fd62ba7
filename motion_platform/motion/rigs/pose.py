"""A body's pose as turns from a stance, so that it can be put on a skeleton of other proportions and another rest pose.

Where the 22 joints are says how a bone points, not how it is turned about itself. Trunk: pelvis and chest are fitted to
the joints that hang on them (Kabsch 1976), what is between is turned in shares. Limbs: a bone's own direction, and the
axis about which its knee or elbow bends; where the limb is straight and the axis cannot be seen, the turn without twist
from the arms held out (from the legs hanging) takes its place. The foot: its sole, so that a foot that stands flat does
so on every skeleton. What positions do not tell (the turn of the hands about the forearm, of the head about the neck)
is none: hands go with the forearm, the head with the neck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from motion_platform.motion.inverse_kinematics import _kabsch, arc, matrix_to_quaternion, swing
from motion_platform.motion.io.euler import quaternion_to_matrix
from motion_platform.motion.skeleton import get_skeleton

SIDES = ("left", "right")
LIMBS = {"arm": ("shoulder", "elbow", "wrist"), "leg": ("hip", "knee", "ankle")}
STANCE = {
    "hip": (0.655, -0.72, 0.02), "spine1": (0.0, 0.96, -0.13), "spine2": (0.0, 0.99, 0.0), "spine3": (0.0, 0.99, 0.0),
    "neck": (0.0, 0.985, 0.09), "head": (0.0, 0.97, 0.11), "collar": (0.37, 0.88, 0.125),
    "shoulder": (0.93, -0.06, -0.17), "foot": (0.08, -0.65, 0.68),
}  # fmt: skip
"""Directions of bones (left side) in the 22 joints of upright people who stand or walk, in the frame of the hips: means
over 32 clips of four mocap data sets, retargeted as everything is. They are what "no turn" means for a trunk."""
OUT = {"arm": (1.0, 0.0, 0.0), "leg": (0.0, -1.0, 0.0)}
"""The left limb without any turn."""
FLEXION = {"arm": (0.0, 0.0, 1.0), "leg": (0.0, 0.0, -1.0)}
"""Where the lower bone goes when the limb bends: forearms forward, shanks back."""
CLEAR_BEND = np.sin(np.radians(25.0))
"""Sine of the bend at which the axis of a knee or elbow is taken as it is seen."""
PRIOR = 0.1
"""Weight of "no twist" beside what is seen, which has 0 (straight) to 1 (bent)."""
SMOOTH = 0.08
"""Seconds over which the twist of a limb is averaged."""


@dataclass(frozen=True)
class Pose:
    """T poses: what each part is turned by from a stance that faces Z+. All (T, 3, 3) but ``joints`` (T, 22, 3).

    turns: "pelvis", "chest", "neck", "left_collar", ... from the stance. frames: "left_shoulder" (upper arm),
    "left_elbow" (forearm), "left_hip", "left_knee" (columns: direction, bending axis, their cross product), "left_foot"
    (sole's direction, axis to the body's left, up).
    """

    joints: np.ndarray
    turns: Mapping[str, np.ndarray]
    frames: Mapping[str, np.ndarray]


def stance_directions(joints: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Joint -> (3,) direction from its parent in a stance that faces Z+: that of ``joints`` (22, 3), else
    ``STANCE``."""
    skeleton = get_skeleton("humanml3d")
    out = {}
    for parent, child in skeleton.bones:
        name = skeleton.joints[child]
        side, _, part = name.rpartition("_")
        if joints is not None:
            step = joints[child] - joints[parent]
            if np.linalg.norm(step) > 1e-6:
                out[name] = step / np.linalg.norm(step)
                continue
        x, y, z = STANCE.get(part, OUT["arm"] if part in LIMBS["arm"] else OUT["leg"])
        direction = np.array([-x if side == "right" else x, y, z])
        out[name] = direction / np.linalg.norm(direction)
    return out


def heading(joints: np.ndarray) -> np.ndarray:
    """(T, 3, 3): columns left, up, forward of bodies (T, 22, 3), by hips and shoulders, upright."""
    left = _vector(joints, "right_hip", "left_hip") + _vector(joints, "right_shoulder", "left_shoulder")
    left[:, 1] = 0.0
    left = _unit(left)
    up = np.broadcast_to([0.0, 1.0, 0.0], left.shape)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def read_pose(
    joints: np.ndarray, fps: float, stance: Mapping[str, np.ndarray] | None = None, slope: float | None = None
) -> Pose:
    """The pose of bodies (T, 22, 3) in the joints of HumanML3D. ``stance``: directions that mean "no turn"; ``slope``:
    radians by which the line from ankle to toes falls when the foot is flat (default: as the stance says)."""
    joints = np.asarray(joints, np.float64)
    stance = stance_directions() if stance is None else stance
    turns: dict[str, np.ndarray] = {}
    frames: dict[str, np.ndarray] = {}
    turns["pelvis"] = _fitted(joints, "pelvis", ("left_hip", "right_hip", "spine1", "spine2"), stance)
    turns["chest"] = _fitted(joints, "spine3", ("left_collar", "right_collar", "neck"), stance)
    turns["neck"] = _swung(turns["chest"], stance["head"], _vector(joints, "neck", "head"))
    for side in SIDES:
        collar = _vector(joints, f"{side}_collar", f"{side}_shoulder")
        turns[f"{side}_collar"] = _swung(turns["chest"], stance[f"{side}_shoulder"], collar)
        for limb, (top, middle, end) in LIMBS.items():
            above = turns["chest" if limb == "arm" else "pelvis"]
            upper = _vector(joints, f"{side}_{top}", f"{side}_{middle}")
            lower = _vector(joints, f"{side}_{middle}", f"{side}_{end}")
            frames[f"{side}_{top}"], frames[f"{side}_{middle}"] = limb_frames(upper, lower, above, limb, side, fps)
        foot = _vector(joints, f"{side}_ankle", f"{side}_foot")
        fall = float(np.arcsin(np.clip(-stance[f"{side}_foot"][1], -1, 1))) if slope is None else slope
        frames[f"{side}_foot"] = _sole(foot, frames[f"{side}_knee"][..., 1], fall)
    return Pose(joints, turns, frames)


def limb_frames(
    upper: np.ndarray, lower: np.ndarray, above: np.ndarray, limb: str, side: str, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3, 3) of the upper and the lower bone of a limb, from their directions (T, 3) and the turn above them."""
    out = np.array(OUT[limb]) * ([-1, 1, 1] if side == "right" else [1, 1, 1])
    axis = np.cross(out, FLEXION[limb])
    seen = np.einsum("tik,ti->tk", above, upper)
    upper, lower = _unit(upper), _unit(lower)
    plain = np.einsum("tik,tkl,l->ti", above, quaternion_to_matrix(swing(out, seen)), axis)
    bent = np.cross(upper, lower)
    size = np.linalg.norm(bent, axis=-1)
    cosine = (plain * bent).sum(-1)
    sine = (np.cross(plain, bent) * upper).sum(-1)
    twist = np.arctan2(sine, cosine)
    weight = np.minimum(size / CLEAR_BEND, 1.0) ** 2
    # A knee or elbow that bends the other way round is one that is straight and noisy.
    weight = np.where(np.abs(twist) > np.radians(110.0), 0.0, weight)
    whole = smooth(weight * np.exp(1j * twist), fps) + PRIOR * np.maximum(1 - smooth(weight, fps), 0.0)
    twist = np.angle(np.where(np.abs(whole) > 1e-9, whole, 1.0))
    axis = plain * np.cos(twist)[:, None] + np.cross(upper, plain) * np.sin(twist)[:, None]
    return frame(upper, axis), frame(lower, axis)


def frame(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(..., 3, 3) with columns direction, axis made normal to it, and their cross product."""
    direction = _unit(direction)
    axis = _unit(axis - (axis * direction).sum(-1, keepdims=True) * direction)
    return np.stack([direction, axis, np.cross(direction, axis)], axis=-1)


def smooth(values: np.ndarray, fps: float, seconds: float = SMOOTH) -> np.ndarray:
    """(T, ...) averaged in time with a Gaussian of ``seconds``; the ends are held."""
    from scipy.ndimage import gaussian_filter1d

    if len(values) < 2:
        return values
    if np.iscomplexobj(values):
        return smooth(values.real, fps, seconds) + 1j * smooth(values.imag, fps, seconds)
    return gaussian_filter1d(values, seconds * fps, axis=0, mode="nearest")


def turn_between(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """(T, 3, 3): ``share`` of the way from one turn to another, along the shortest arc."""
    step = matrix_to_quaternion(np.einsum("tki,tkj->tij", start, end))
    step = np.where(step[:, 3:] < 0, -step, step)
    half = np.arccos(np.clip(step[:, 3:], -1, 1))
    axis = step[:, :3] / np.maximum(np.sin(half), 1e-9)
    part = np.concatenate([axis * np.sin(share * half), np.cos(share * half)], axis=-1)
    return start @ quaternion_to_matrix(part / np.linalg.norm(part, axis=-1, keepdims=True))


def _fitted(joints: np.ndarray, joint: str, around: tuple[str, ...], stance: Mapping[str, np.ndarray]) -> np.ndarray:
    """(T, 3, 3) that turn the stance of what hangs on a joint nearest to where it is."""
    skeleton = get_skeleton("humanml3d")
    origin = skeleton.index(joint)
    rest, seen = [], []
    for name in around:
        way, place = [], skeleton.index(name)
        while place != origin:
            way.append(place)
            place = skeleton.parents[place]
        steps = [np.linalg.norm(joints[:, k] - joints[:, skeleton.parents[k]], axis=-1).mean() for k in way]
        rest.append(sum(stance[skeleton.joints[k]] * step for k, step in zip(way, steps, strict=True)))
        seen.append(joints[:, skeleton.index(name)] - joints[:, origin])
    return _kabsch(np.stack(rest), np.stack(seen, axis=1))


def _swung(above: np.ndarray, rest: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """(T, 3, 3): the turn above, and then the shortest that brings a bone's stance to where it points."""
    seen = _unit(np.einsum("tik,ti->tk", above, direction))
    return above @ quaternion_to_matrix(arc(np.broadcast_to(rest, seen.shape), seen))


def _sole(foot: np.ndarray, left: np.ndarray, fall: float) -> np.ndarray:
    """(T, 3, 3): the sole of a foot whose line from ankle to toes falls by ``fall`` when it is flat."""
    known = frame(foot, left)
    up = known[..., 2]
    return frame(np.cos(fall) * known[..., 0] + np.sin(fall) * up, left)


def _vector(joints: np.ndarray, start: str, end: str) -> np.ndarray:
    skeleton = get_skeleton("humanml3d")
    return joints[:, skeleton.index(end)] - joints[:, skeleton.index(start)]


def _unit(values: np.ndarray) -> np.ndarray:
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-9)
