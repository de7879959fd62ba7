"""A gesture library out of SmartBody's talk animations: BVH files and the times of their phases.

SmartBody (Thiebaux et al. 2008, USC Institute for Creative Technologies; github.com/worldforge/smartbody, LGPL-2.1)
gives every animation the times ready, strokeStart, emphasis, stroke and relax. Its characters share one way of naming
and of turning joints (each bone along its joint's X axis), so a gesture is carried over by its rotations alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.gesturing.library import SIDES, SKELETON, TRUNK, Gesture, Library, upper
from motion_platform.motion.io.euler import quaternion_multiply, unroll
from motion_platform.motion.skeleton import get_skeleton

LICENCE = "LGPL-2.1 (SmartBody, USC Institute for Creative Technologies)"
SETS = ("Gestures", "Gestures2", "FemaleGestures", "MaleGestures")
IDLE = "MaleGestures/ChrGarza.IdleStand01.bvh"
KINDS = (
    ("beat_high", r"BeatHigh"),
    ("beat_low", r"BeatLow"),
    ("beat", r"Beat"),
    ("chop", r"Chop"),
    ("me", r"_Me"),
    ("we", r"_We(?!ight)"),
    ("you", r"You(?!Left|Right)(?!Lf\d*_)"),
    ("negation", r"Negative|NegateForward|NoForward|_Safe"),
    ("stop", r"Stop(Forward|Bt)"),
    ("offer", r"Offer"),
    ("receive", r"Receive"),
    ("plea", r"Plea"),
    ("shrug", r"Shrug"),
    ("think", r"Contemplate|_Think"),
    ("here", r"_Here"),
    ("when", r"_When"),
    ("however", r"However|Besides"),
    ("example", r"Example"),
    ("all", r"Inclusivity|Surround"),
    ("size", r"Frame|EmptyLarge|EmptyMedium"),
    ("indicate_left", r"IndicateLeft|DeicticLeft"),
    ("indicate_right", r"IndicateRight|DeicticRight"),
)
"""What a gesture means, by its name; the first that fits. Names that fit none (stretches, turns) are left out."""
LEFT_OUT = re.compile(r"ScrewYou|Idle01_ToW|Point(Lf|Rt)\d*$|Idle03_(Plea|Receive|Shrug|Me)")
SHORTEST, SMALLEST = 0.5, 0.15
"""Seconds and radians (:attr:`Gesture.reach`); below, a file holds a remnant."""
BEFORE, AFTER = 0.7, 0.1
"""Seconds kept before the hand is ready and after it relaxes; the way back is the plan's own."""

JOINTS = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
    "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
}  # fmt: skip


def build(folder: str | Path, times: str | Path) -> Library:
    """The library of a folder of SmartBody BVH files. times: JSON, "smartbody/SET/NAME.bvh" -> phases in seconds.

    Errors: DataError for a folder without gestures, or a file without its times.
    """
    folder = Path(folder)
    try:
        known: dict[str, dict[str, Any]] = json.loads(Path(times).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{times}: is no table of phases: {' '.join(str(error).split())}") from error
    gestures = []
    for key, phases in sorted(known.items()):
        kind = kind_of(str(phases.get("name", "")))
        place = folder.parent / key
        if kind is None or phases.get("set") not in SETS or not place.is_file():
            continue
        gesture = gesture_of(io.load(place), phases, kind)
        if gesture.seconds >= SHORTEST and gesture.reach >= SMALLEST:
            gestures.append(gesture)
    if not gestures or not (folder / IDLE).is_file():
        raise DataError(f"{folder}: holds no talk gestures of SmartBody, or no {IDLE}; expected {SETS[0]}/*.bvh")
    idle = io.load(folder / IDLE)
    return Library(tuple(gestures), on_hands(idle), idle.fps, LICENCE)


def kind_of(name: str) -> str | None:
    """The kind of a gesture by its name; None for what is no talk gesture."""
    if LEFT_OUT.search(name):
        return None
    return next((kind for kind, pattern in KINDS if re.search(pattern, name)), None)


def hands_of(name: str) -> tuple[str, ...] | None:
    """The hands that a name tells (Lf, Rt, Bt, Both); None where it tells none."""
    found = re.search(r"(Lf|Rt|Bt|Both)\d*$", name)
    return None if found is None else {"Lf": ("left",), "Rt": ("right",)}.get(found[1], ("left", "right"))


def gesture_of(clip: Clip, phases: dict[str, Any], kind: str) -> Gesture:
    """The part of a clip in which its gesture is, on our joints. DataError for phases out of order."""
    names = ("ready", "strokeStart", "emphasis", "stroke", "relax")
    at = np.array([float(phases[name]) for name in names])
    if (np.diff(at) < -1e-6).any() or at[-1] > clip.seconds + 0.1:
        raise DataError(f"motion {clip.name!r}: its phases are out of order: {at.tolist()}")
    first = max(0, int((at[0] - BEFORE) * clip.fps))
    last = min(len(clip), int((at[-1] + AFTER) * clip.fps) + 2)
    rotations = on_hands(clip)
    trunk = [get_skeleton(SKELETON).index(name) for name in TRUNK]
    start = rotations[:1, trunk] * [-1, -1, -1, 1]
    rotations[:, trunk] = quaternion_multiply(np.broadcast_to(start, rotations[:, trunk].shape), rotations[:, trunk])
    rotations = unroll(rotations[first:last, list(upper())])
    times = tuple(round(float(time) - first / clip.fps, 4) for time in at)
    gesture = Gesture(str(phases["name"]), kind, ("left", "right"), times, rotations, clip.fps)
    return replace(gesture, hands=hands_of(gesture.name) or moving_hands(gesture))


def moving_hands(gesture: Gesture) -> tuple[str, ...]:
    """The hands that move, for a name that does not tell them: those that turn at least half as much as the other."""
    reach = {side: replace(gesture, hands=(side,)).reach for side in SIDES}
    return tuple(side for side, size in reach.items() if size >= 0.5 * max(reach.values()))


def on_hands(clip: Clip) -> np.ndarray:
    """(T, 52, 4) local rotations on skeleton ``humanml3d_hands``, whose joints have the world's axes at rest."""
    skeleton = get_skeleton(SKELETON)
    assert clip.rotations is not None
    rest = {name: _rest(name) for name in skeleton.joints}
    turned = np.empty((len(clip), len(skeleton), 4))
    for j, name in enumerate(skeleton.joints):
        parent = skeleton.parents[j]
        own = clip.rotations[:, clip.skeleton.index(_source(name))].astype(np.float64)
        above = np.array([0, 0, 0, 1.0]) if parent < 0 else rest[skeleton.joints[parent]]
        back = rest[name] * [-1, -1, -1, 1]
        turned[:, j] = quaternion_multiply(quaternion_multiply(np.broadcast_to(above, own.shape), own), back)
    return turned / np.linalg.norm(turned, axis=-1, keepdims=True)


def _source(name: str) -> str:
    """SmartBody's name of one of our joints."""
    side, _, part = name.partition("_")
    if not part:
        return JOINTS[name]
    finger = re.fullmatch(r"(index|middle|pinky|ring|thumb)(\d)", part)
    return f"{side.capitalize()}Hand{part.capitalize()}" if finger else f"{side.capitalize()}{JOINTS[part]}"


def _rest(name: str) -> np.ndarray:
    """Quaternion (4,) from the axes of SmartBody's joint to the world's when the body stands with arms out.

    Each bone lies along its joint's X axis (on the right side against it). The columns below are where X and Z point.
    """
    side, _, part = name.partition("_")
    if name == "pelvis":
        return np.array([0, 0, 0, 1.0])
    x: tuple[float, float, float]
    z: tuple[float, float, float]
    if not part:
        x, z = (0, 1, 0), (1, 0, 0)
    elif part in ("hip", "knee"):
        x, z = (0, -1, 0), (-1, 0, 0)
    elif part == "ankle":
        x, z = (0, -0.39871, 0.91707), (-1, 0, 0)
    elif part == "foot":
        x, z = (0, 0, 1), (-1, 0, 0)
    elif part.startswith("thumb"):
        x, z = (0.5**0.5, 0, 0.5**0.5), (0, -1, 0)
    else:
        x, z = (1, 0, 0), (0, -1, 0)
    matrix = np.stack([x, np.cross(z, x), z], axis=-1).astype(np.float64)
    if part and side == "right":
        matrix = np.diag([1.0, -1.0, -1.0]) @ matrix
    return _quaternion(matrix)


def _quaternion(matrix: np.ndarray) -> np.ndarray:
    """A rotation matrix (3, 3) -> (4,) xyzw: the eigenvector of the largest eigenvalue (Bar-Itzhack 2000)."""
    m = matrix
    k = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m[0, 0] + m[1, 1] + m[2, 2]],
        ]
    )
    return np.linalg.eigh(k)[1][:, -1]
