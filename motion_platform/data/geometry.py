"""Does a clip's geometry agree with what its name says about left and right?"""

from __future__ import annotations

import numpy as np

from motion_platform.motion.skeleton import get_skeleton


def sides_swapped(joints: np.ndarray) -> bool:
    """True when "left" joints are on the right of the body: (T, 22, 3) joints in metres, Y up.

    The toes say where the front is. With forward f and up y, left is y x f; the vector from right hip to left hip must
    point there in most frames. A file whose joints were named after what the camera sees fails this.
    """
    at = get_skeleton("humanml3d").index
    toes = (joints[:, at("left_foot")] - joints[:, at("left_ankle")]) + (
        joints[:, at("right_foot")] - joints[:, at("right_ankle")]
    )
    forward = toes * [1, 0, 1]
    left = np.cross([0.0, 1.0, 0.0], forward)
    across = joints[:, at("left_hip")] - joints[:, at("right_hip")]
    return bool(np.mean((left * across).sum(-1) < 0) > 0.5)


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
