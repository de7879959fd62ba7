"""A conductor in the image plane -> a body in space: a documented guess, made of what a picture of an arm does tell.

Keypoints say where a joint is seen, not how deep it lies. A bone that keeps its length L and is seen d long leans
towards or away from the viewer by sqrt(L^2 - d^2) (Taylor, "Reconstruction of Articulated Objects from Point
Correspondences in a Single Uncalibrated Image", CVIU 2000, for a scaled orthographic camera). What is guessed:

lengths: of each bone the largest it is seen (98th percentile of the clip, so that a wrong keypoint does not count),
    of an arm at least what the width of the shoulders lets expect of an adult, at most ``LONGEST`` shoulder widths;
    both arms alike. Shoulder width: the 90th percentile of what is seen.
slack: shoulders also rise and sink, which is no leaning: trunk and neck lean where they are seen more than ``SLACK``
    shorter than they are. Shoulders stay where they are seen; it is the hips that give way.
signs: a conductor's arms are in front of the body, so elbows lie before shoulders and wrists before elbows (+Z, towards
    the orchestra and the viewer); the trunk leans forward; it turns towards the side on which the nose is seen.
smoothness: where a bone is seen at full length, a millimetre in the picture is centimetres in depth; so depths are
    averaged in time (Gaussian, ``SMOOTH`` seconds) before bones get their lengths back. Hands move by millimetres in
    the picture, by a centimetre or two where a stretched arm turns sharply.
the head: rigid, turned as nose and ears say; the face's own proportions are an adult's.
the legs: not in the picture at all. They stand: feet stay where they are, knees give way as the hips move.

A wrong guess stays plausible, but it is a guess: measure in the image plane, look in space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.skeleton import get_skeleton

SOURCE, TARGET = "coco_upper", "conductor"
EXPECTED = {"elbow": 0.82, "wrist": 0.75}
"""Lengths of upper arm and forearm of an adult, in widths between the shoulder joints."""
LONGEST = {"elbow": 1.2, "wrist": 1.1}
SLACK = 0.1
"""At rest, generated conductors' shoulders are 6 to 10 % nearer to the hips than with raised arms."""
SMOOTH = 0.07
FACE = 0.11
"""Metres from the axis of the head to the nose, of a body 0.36 m wide between the shoulder joints."""
WIDTH = 0.36
MOST_TURN = 1.0
"""Radians that trunk or head turn at most; beyond, keypoints of a face no longer say how far."""
ANKLE, TOES = 0.08, 0.02
"""Heights above the floor in metres."""


def lift(clip: Clip) -> Clip:
    """A clip of skeleton ``coco_upper`` (metres, Y up, in a plane of equal z, facing Z+) in 3-D, as ``conductor``.

    Bones keep their lengths over the whole clip (exactly). The keypoints in the new clip lie within millimetres of
    where they were seen, where the picture allows it. Errors: DataError for another skeleton.
    """
    if clip.skeleton.joints != get_skeleton(SOURCE).joints:
        raise DataError(f"motion {clip.name!r}: only {SOURCE} is lifted to 3-D, not skeleton {clip.skeleton.name}")
    seen = {name: clip.joints[:, j, :2].astype(np.float64) for j, name in enumerate(clip.skeleton.joints)}
    width = max(float(np.quantile(_length(seen["left_shoulder"] - seen["right_shoulder"]), 0.9)), 1e-3)
    place: dict[str, np.ndarray] = {}
    hips, shoulders = _middle(seen, "hip"), _middle(seen, "shoulder")
    trunk = _bone(shoulders - hips, _longest([shoulders - hips]), clip.fps, SLACK)
    place["neck"] = np.column_stack([shoulders, trunk[:, 2]])
    place["pelvis"] = place["neck"] - trunk
    facing = seen["nose"] - shoulders
    for joint, seen_width in (("shoulder", width), ("hip", None)):
        across = seen[f"left_{joint}"] - seen[f"right_{joint}"]
        full = seen_width or max(float(np.quantile(_length(across), 0.9)), 1e-3)
        half = _across(across, full, facing[:, 0], width, clip.fps) / 2
        middle = place["neck" if joint == "shoulder" else "pelvis"]
        place[f"left_{joint}"], place[f"right_{joint}"] = middle + half, middle - half
    for joint, before in (("elbow", "shoulder"), ("wrist", "elbow")):
        longest = _longest([seen[f"{side}_{joint}"] - seen[f"{side}_{before}"] for side in ("left", "right")])
        length = float(np.clip(longest, EXPECTED[joint] * width, LONGEST[joint] * width))
        for side in ("left", "right"):
            start = place[f"{side}_{before}"]  # where it really ended up, so that errors do not add up along the arm
            place[f"{side}_{joint}"] = start + _bone(seen[f"{side}_{joint}"] - start[:, :2], length, clip.fps)
    _head(place, seen, width, clip.fps)
    _legs(place, width)
    target = get_skeleton(TARGET)
    joints = np.stack([place[name] for name in target.joints], axis=1).astype(np.float32)
    info = {**clip.info, "lifted": "depth is a guess from foreshortening; legs only stand"}
    return clip.with_(joints=joints, skeleton=target, rotations=None, info=info)


def in_space(clip: Clip) -> Clip:
    """The clip itself where it has depth, lifted where it is a conductor in the image plane."""
    return lift(clip) if clip.skeleton.dims == 2 and clip.skeleton.joints == get_skeleton(SOURCE).joints else clip


def on_body(clip: Clip) -> Clip:
    """The clip itself, or a conductor on the 22 joints of HumanML3D, whom every program knows: lifted where it is in
    the image plane; the points of the face are no joints there."""
    clip = in_space(clip)
    if clip.skeleton.joints != get_skeleton(TARGET).joints:
        return clip
    from motion_platform.motion.retarget import find_places, joints_at

    body = get_skeleton("humanml3d")
    joints = joints_at(clip, find_places(clip)[1]).astype(np.float32)
    return clip.with_(joints=joints, skeleton=body, rotations=None)


def views(clips: Sequence[Clip], view: str) -> list[Clip]:
    """What a picture shows of clips: conductors in the image plane ("2d"), lifted ("3d"), or side by side, the lifted
    body first ("both").

    Clips of other skeletons stay as they are.
    """
    shown = []
    for clip in clips:
        solid = in_space(clip)
        if solid is clip:
            shown.append(clip)
            continue
        title = clip.captions[0] if clip.captions else clip.name
        if view != "2d":
            shown.append(solid.with_(captions=(f"{title}, lifted to 3-D", *clip.captions[1:])))
        if view != "3d":
            shown.append(clip.with_(captions=(f"{title}, as made", *clip.captions[1:])) if view == "both" else clip)
    return shown


def _middle(seen: dict[str, np.ndarray], joint: str) -> np.ndarray:
    return (seen[f"left_{joint}"] + seen[f"right_{joint}"]) / 2


def _length(steps: np.ndarray) -> np.ndarray:
    return np.linalg.norm(steps, axis=-1)


def _longest(steps: list[np.ndarray]) -> float:
    """How long a bone is seen at most, on either side."""
    return max(float(np.quantile(_length(step), 0.98)) for step in steps)


def _bone(step: np.ndarray, length: float, fps: float, slack: float = 0.0) -> np.ndarray:
    """(T, 2) as seen -> (T, 3) of the given length, leaning forward where it is seen shorter than slack explains."""
    length = max(length, 1e-3)
    depth = np.sqrt(np.maximum((length * (1 - slack)) ** 2 - (step**2).sum(-1), 0.0))
    return _scaled(np.column_stack([step, smooth(depth, fps)]), length)


def _across(step: np.ndarray, length: float, nose: np.ndarray, width: float, fps: float) -> np.ndarray:
    """(T, 2) from right to left shoulder or hip as seen -> (T, 3): turned towards the side where the nose is seen.

    A trunk that turns to its left brings its left shoulder back, so that depth (left before right) is negative then.
    """
    depth = np.sqrt(np.maximum(length**2 - (step**2).sum(-1), 0.0))
    depth = np.minimum(depth, np.sin(MOST_TURN) * length)
    turn = np.clip(nose / (0.15 * width), -1.0, 1.0)  # a glance aside is half a turn of the trunk at most
    return _scaled(np.column_stack([step, smooth(-turn * depth, fps)]), length)


def _head(place: dict[str, np.ndarray], seen: dict[str, np.ndarray], width: float, fps: float) -> None:
    """A rigid head on a neck of constant length: roll from the ears, turn and nod from the nose between them."""
    size = width / WIDTH
    target = get_skeleton(TARGET)
    assert target.offsets is not None
    offsets = dict(zip(target.joints, target.offsets, strict=True))
    ears = _middle(seen, "ear")
    rise = ears - (seen["left_shoulder"] + seen["right_shoulder"]) / 2
    place["head"] = place["neck"] + _bone(rise, min(_longest([rise]), 0.9 * width), fps, SLACK)
    across = seen["left_ear"] - seen["right_ear"]
    flat = across / np.maximum(_length(across), 1e-6)[:, None]
    roll = smooth(np.arctan2(flat[:, 1], flat[:, 0]), fps)
    side, up = np.column_stack([np.cos(roll), np.sin(roll)]), np.column_stack([-np.sin(roll), np.cos(roll)])
    nose = (seen["nose"] - ears) / (FACE * size)
    most = np.sin(MOST_TURN)
    turn = np.arcsin(np.clip(smooth((nose * side).sum(-1), fps), -most, most))
    rest = np.arctan2(offsets["nose"][1], offsets["nose"][2])
    nod = np.arcsin(np.clip(smooth((nose * up).sum(-1), fps), -most, most)) - rest
    nod = np.clip(nod, -MOST_TURN, MOST_TURN)
    turned = _about_z(roll) @ _about_y(turn) @ _about_x(-nod)
    for joint in ("nose", "left_eye", "right_eye", "left_ear", "right_ear"):
        place[joint] = place["head"] + turned @ (offsets[joint] * size)


def _legs(place: dict[str, np.ndarray], width: float) -> None:
    """Legs on feet that stay: hips as they are, knees where two bones of constant length meet, forward."""
    for side in ("left", "right"):
        hip = place[f"{side}_hip"]
        outward = 0.02 if side == "left" else -0.02
        ankle = np.array([np.median(hip[:, 0]) + outward, 0.0, np.median(hip[:, 2]) - 0.02])
        floor = float(np.median(hip[:, 1])) - 2.4 * width  # a hip joint is 2.4 shoulder widths above the floor
        floor = 0.0 if abs(floor) < 0.25 * width else floor
        ankle[1] = floor + ANKLE
        away = ankle - hip
        far = _length(away)
        bone = float(far.max()) * 1.004 / 2
        along = away / far[:, None]
        bend = np.sqrt(bone**2 - (far / 2) ** 2)
        front = np.array([0.0, 0.0, 1.0]) - along * along[:, 2:]
        front /= _length(front)[:, None]
        place[f"{side}_knee"] = hip + away / 2 + bend[:, None] * front
        place[f"{side}_ankle"] = np.broadcast_to(ankle, hip.shape)
        place[f"{side}_foot"] = np.broadcast_to(ankle + np.array([outward, TOES - ANKLE, 0.14]), hip.shape)


def smooth(values: np.ndarray, fps: float) -> np.ndarray:
    """(T, ...) averaged in time with a Gaussian of ``SMOOTH`` seconds; the ends are held."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, SMOOTH * fps, axis=0, mode="nearest") if len(values) > 1 else values


def _scaled(bone: np.ndarray, length: float) -> np.ndarray:
    return bone * (length / np.maximum(_length(bone), 1e-9))[:, None]


def _about_x(angle: np.ndarray) -> np.ndarray:
    zero, one, c, s = np.zeros_like(angle), np.ones_like(angle), np.cos(angle), np.sin(angle)
    return np.stack([one, zero, zero, zero, c, -s, zero, s, c], -1).reshape(-1, 3, 3)


def _about_y(angle: np.ndarray) -> np.ndarray:
    zero, one, c, s = np.zeros_like(angle), np.ones_like(angle), np.cos(angle), np.sin(angle)
    return np.stack([c, zero, s, zero, one, zero, -s, zero, c], -1).reshape(-1, 3, 3)


def _about_z(angle: np.ndarray) -> np.ndarray:
    zero, one, c, s = np.zeros_like(angle), np.ones_like(angle), np.cos(angle), np.sin(angle)
    return np.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).reshape(-1, 3, 3)
