"""Does a clip's geometry agree with what its name says about left and right?"""

from __future__ import annotations

import numpy as np

from motion_platform.motion.skeleton import get_skeleton

UPRIGHT = 0.7
"""Cosine of the trunk's angle to the vertical, at least."""


def sides_swapped(joints: np.ndarray) -> bool:
    """True when "left" joints are on the right of the body: (T, 22, 3) joints in metres.

    Knees say where the front is, whatever the person does: they only bend forwards (toes point back in a sprint).
    With forward f and up u (pelvis to neck), left is u x f, and the vector from right hip to left hip must point there,
    summed over the clip so that well-bent knees count most. Files named after what a camera sees fail this.
    Only frames with an upright trunk (within 45 degrees of the vertical) count: in a deep bend or on all fours the
    line from pelvis to neck is no "up"; a clip without such frames is not judged.
    """
    at = get_skeleton("humanml3d").index
    forward = np.zeros_like(joints[:, 0])
    for side in ("left", "right"):
        hip, knee, ankle = (joints[:, at(f"{side}_{joint}")] for joint in ("hip", "knee", "ankle"))
        forward = forward + knee - (hip + ankle) / 2
    up = joints[:, at("neck")] - joints[:, at("pelvis")]
    upright = up[:, 1] > UPRIGHT * np.linalg.norm(up, axis=-1)
    across = joints[:, at("left_hip")] - joints[:, at("right_hip")]
    return bool((np.cross(up, forward) * across)[upright].sum() < 0)


def contradicts(joints: np.ndarray, content: str) -> bool | None:
    """Whether the motion shows the other side than its content label names; None for labels that name no side.

    joints (T, 22, 3) facing Z+ in the first frame. Hands: the named wrist must rise higher above its start. Turns: the
    heading must change to the named side. walk-left, walk-right: the path must bear to that side.
    """
    side = "left" if "left" in content else "right" if "right" in content else None
    if side is None:
        return None
    at = get_skeleton("humanml3d").index
    if "hand" in content:
        rise = {s: np.ptp(joints[:, at(f"{s}_wrist"), 1]) for s in ("left", "right")}
        measured = rise["left"] - rise["right"]
    elif "turn" in content:
        across = joints[:, at("left_hip")] - joints[:, at("right_hip")]
        heading = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
        measured = heading[-1] - heading[0]
    else:
        # Swaying hips make the first frame's heading a poor judge: compare the path with the mean heading.
        across = (joints[:, at("left_hip")] - joints[:, at("right_hip")]).mean(0)
        moved = joints[-1, 0] - joints[0, 0]
        measured = float(moved @ across)
    return bool(measured < 0 if side == "left" else measured > 0)
