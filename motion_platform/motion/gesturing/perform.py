"""A plan of gestures carried out by a body: 52 joints that stand, breathe, gesture and nod. Rotations, then positions.

Each arm has its own line of gestures over an idle pose: a gesture's poses come in while the hand is prepared, stay
while it holds, and go where it retracts, by minimum-jerk weights (Flash and Hogan 1985). What comes next lies over what
was there, so neighbouring gestures run into each other. Feet stand still.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.motion.gesturing.emotions import Manner
from motion_platform.motion.gesturing.library import SIDES, SKELETON, TRUNK, Library, arm, blend, standing, upper
from motion_platform.motion.gesturing.plan import LIVELIEST, QUICKEST, SLOWEST, GesturePlan, Stroke
from motion_platform.motion.io.euler import axis_angle_to_quaternion, forward_kinematics, quaternion_multiply, unroll
from motion_platform.motion.skeleton import get_skeleton

RETRACTION = 0.9
"""Seconds in which a hand goes back to rest."""
NEAR = 0.7
"""Seconds to the next preparation below which a hand does not go back but waits."""
LARGEST, SMALLEST = 1.35, 0.5
"""How far a gesture is enlarged or diminished; beyond, arms would leave what was ever captured."""
BREATHS = 0.25
"""A second: 15 a minute, an adult at rest."""
BREATH = {"spine2": -0.6, "spine3": -0.9, "neck": 1.1}
"""Degrees bent forward at the end of breathing in."""
SHOULDER_BREATH = 1.2
NOD, NOD_WIDTH = 3.5, 0.13
"""Degrees that the head goes down on the strongest accent, and the standard deviation of that in seconds."""


def perform(
    plan: GesturePlan, frames: int, fps: float, library: Library, manner: Manner = Manner(), amplitude: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """(joints (frames, 52, 3) metres, local rotations (frames, 52, 4) xyzw) of skeleton ``humanml3d_hands``.

    The body stands above the origin and faces Z+; frame k is at k / fps seconds. amplitude: factor on the gestures.
    """
    skeleton = get_skeleton(SKELETON)
    seconds = np.arange(frames) / fps
    rotations = _idle(library, seconds, manner)
    order = list(upper())
    for side in SIDES:
        joints = arm(skeleton, side)
        columns = [order.index(j) for j in joints]
        own = [stroke for stroke in plan.strokes if side in stroke.gesture.hands]
        rotations[:, joints] = _arm(rotations[:, joints], own, columns, seconds, manner, amplitude)
    _raise_shoulders(rotations, seconds, manner)
    trunk = [skeleton.index(name) for name in TRUNK]
    turns = _trunk(plan.strokes, len(TRUNK), seconds, manner)
    rotations[:, trunk] = quaternion_multiply(rotations[:, trunk], turns)
    head = skeleton.index("head")
    rotations[:, head] = quaternion_multiply(rotations[:, head], _about_x(_nods(plan, seconds)))
    rotations = unroll(rotations)
    offsets = np.array(skeleton.offsets)
    pelvis = np.zeros((frames, 3))
    pelvis[:, 1] = standing(rotations[0], skeleton)
    positions = np.broadcast_to(offsets, (frames, *offsets.shape)).copy()
    positions[:, 0] = pelvis
    placed = forward_kinematics(rotations, positions, skeleton.parents)
    return placed.astype(np.float32), rotations.astype(np.float32)


def at_rest(library: Library, seconds: np.ndarray, manner: Manner) -> np.ndarray:
    """(T, 52, 4) local rotations of somebody who stands and breathes: :func:`perform` without a gesture."""
    rotations = _idle(library, seconds, manner)
    _raise_shoulders(rotations, seconds, manner)
    return rotations


def retractions(strokes: Sequence[Stroke]) -> list[float | None]:
    """Of one arm's strokes, when the hand starts back after each; None where it goes on into the next."""
    following = [stroke.start for stroke in strokes[1:]] + [np.inf] * min(len(strokes), 1)
    return [s.hold if after - s.hold > NEAR else None for s, after in zip(strokes, following, strict=True)]


def rise(share: np.ndarray) -> np.ndarray:
    """0 to 1 by minimum jerk."""
    x = np.clip(share, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


def _weights(strokes: Sequence[Stroke], seconds: np.ndarray, manner: Manner) -> list[np.ndarray]:
    """Per stroke the weight (T,) of its poses over what was there before."""
    back = RETRACTION / float(np.clip(manner.tempo, QUICKEST, SLOWEST))
    found = []
    covered = [stroke.full for stroke in strokes[1:]] + [np.inf]
    for stroke, leaves, hidden in zip(strokes, retractions(strokes), covered, strict=False):
        weight = rise((seconds - stroke.start) / max(stroke.full - stroke.start, 1e-3))
        if leaves is not None:
            weight = weight * (1 - rise((seconds - leaves) / back))
        else:  # the next gesture lies over it whole, and leaves to rest, not back to this one
            weight = np.where(seconds < hidden, weight, 0.0)
        found.append(weight)
    return found


def _clip_times(stroke: Stroke, seconds: np.ndarray) -> np.ndarray:
    """Seconds of the speech -> seconds of the gesture's own clip, whose phases meet those of the plan.

    The hand comes from wherever it is: of the clip's own way up only the second half is seen.
    """
    from scipy.interpolate import PchipInterpolator

    gesture = stroke.gesture
    apex = gesture.at("emphasis")
    # After the apex the clip runs at its own pace, as far as the plan shows it.
    own = np.array(
        [gesture.arrival, apex, min(gesture.at("stroke_end"), apex + LIVELIEST * (stroke.done - stroke.apex))]
    )
    planned = np.array([stroke.full, stroke.apex, stroke.done])
    kept = np.concatenate([[True], np.diff(planned) > 1e-3])
    if kept.sum() < 2:
        return np.full(len(seconds), own[1])
    at, to = planned[kept], np.maximum.accumulate(own[kept])
    return PchipInterpolator(at, to)(np.clip(seconds, at[0], at[-1]))


def _arm(
    idle: np.ndarray,
    strokes: Sequence[Stroke],
    columns: Sequence[int],
    seconds: np.ndarray,
    manner: Manner,
    amplitude: float,
) -> np.ndarray:
    """idle (T, K, 4) of an arm's joints -> the same with its gestures laid over it."""
    made = idle
    size = float(np.clip(manner.amplitude, SMALLEST, LARGEST)) * amplitude
    for stroke, weight in zip(strokes, _weights(strokes, seconds, manner), strict=True):
        on = np.flatnonzero(weight > 0)
        if not len(on):
            continue
        poses = stroke.gesture.poses(_clip_times(stroke, seconds[on]))[:, columns]
        scale = np.ones(len(columns))
        scale[:4] = size * (0.85 + 0.15 * stroke.strength)  # collar, shoulder, elbow, wrist; fingers keep their form
        poses = blend(idle[on], poses, np.broadcast_to(scale, poses.shape[:2]))
        made = made.copy()
        made[on] = blend(made[on], poses, np.broadcast_to(weight[on, None], poses.shape[:2]))
    return made


def _trunk(strokes: Sequence[Stroke], count: int, seconds: np.ndarray, manner: Manner) -> np.ndarray:
    """(T, count, 4) turns of the trunk that the gestures bring along."""
    made = np.zeros((len(seconds), count, 4))
    made[..., 3] = 1.0
    for stroke, weight in zip(strokes, _weights(strokes, seconds, manner), strict=True):
        on = np.flatnonzero(weight > 0)
        if len(on):
            poses = stroke.gesture.poses(_clip_times(stroke, seconds[on]))[:, :count]
            made[on] = blend(made[on], poses, np.broadcast_to(weight[on, None], poses.shape[:2]))
    return made


def _idle(library: Library, seconds: np.ndarray, manner: Manner) -> np.ndarray:
    """(T, 52, 4): the library's loop to and fro, legs and pelvis still, breathing, in the manner's posture."""
    skeleton = get_skeleton(SKELETON)
    length = (len(library.idle) - 1) / library.idle_fps
    folded = np.abs((seconds + length) % (2 * length) - length)  # there and back: no jump where the loop closes
    place = folded * library.idle_fps
    before = np.minimum(place.astype(int), len(library.idle) - 2)
    share = (place - before)[:, None, None]
    made = library.idle[before] * (1 - share) + library.idle[before + 1] * share
    made /= np.linalg.norm(made, axis=-1, keepdims=True)
    still = [j for j, name in enumerate(skeleton.joints) if name == "pelvis" or name.endswith(LEGS)]
    made[:, still] = library.idle[0, still]
    breath = _breath(seconds, manner)
    bend = {name: np.zeros(len(seconds)) for name in TRUNK}
    for name, degrees in BREATH.items():
        bend[name] += degrees * breath
    for name in ("spine1", "spine2", "spine3"):
        bend[name] += manner.spine / 3
    bend["neck"] += 0.4 * manner.head
    bend["head"] += 0.6 * manner.head
    for name, bent in bend.items():
        j = skeleton.index(name)
        made[:, j] = quaternion_multiply(made[:, j], _about_x(bent))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = skeleton.index(f"{side}_shoulder")
        # Hanging arms hang although the trunk bends, and stand off by the manner's spread.
        hang = _about_x(np.full(len(seconds), -0.7 * manner.spine))
        away = _about_z(np.full(len(seconds), sign * (manner.spread - manner.shoulders)))
        made[:, shoulder] = quaternion_multiply(quaternion_multiply(away, hang), made[:, shoulder])
    return made


def _raise_shoulders(rotations: np.ndarray, seconds: np.ndarray, manner: Manner) -> None:
    """In place: shoulders as high as the manner has them, and with the breath."""
    skeleton = get_skeleton(SKELETON)
    raised = manner.shoulders + SHOULDER_BREATH * _breath(seconds, manner)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        collar = arm(skeleton, side)[0]
        rotations[:, collar] = quaternion_multiply(_about_z(sign * raised), rotations[:, collar])


def _breath(seconds: np.ndarray, manner: Manner) -> np.ndarray:
    """(T,) 0 breathed out to 1 breathed in."""
    tempo = float(np.clip(manner.tempo, QUICKEST, SLOWEST))
    return 0.5 - 0.5 * np.cos(2 * np.pi * BREATHS * tempo**0.5 * seconds)


LEGS = ("_hip", "_knee", "_ankle", "_foot")


def _nods(plan: GesturePlan, seconds: np.ndarray) -> np.ndarray:
    """(T,) degrees that the head is lowered on the accents."""
    made = np.zeros(len(seconds))
    for accent in plan.accents:
        near = np.abs(seconds - accent.time) < 4 * NOD_WIDTH
        made[near] += NOD * accent.strength * np.exp(-0.5 * ((seconds[near] - accent.time) / NOD_WIDTH) ** 2)
    return np.minimum(made, 1.5 * NOD)


def _about_x(degrees: np.ndarray) -> np.ndarray:
    return axis_angle_to_quaternion(np.radians(degrees)[..., None] * np.array([1.0, 0.0, 0.0]))


def _about_z(degrees: np.ndarray) -> np.ndarray:
    return axis_angle_to_quaternion(np.radians(degrees)[..., None] * np.array([0.0, 0.0, 1.0]))
