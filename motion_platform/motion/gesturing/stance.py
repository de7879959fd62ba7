"""A body of rotations on feet that stand still."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.skeleton import Skeleton

SETTLE = 0.5
"""Seconds in which what is left of a jump at a seam dies away."""


def joined(x: np.ndarray, seams: Sequence[int], fps: float) -> np.ndarray:
    """Features (T, D) without jumps at seams: what a part begins with too far off the way that the one before was
    going is taken off it, less and less over ``SETTLE`` (inertialisation: Bollo 2018)."""
    made = np.array(x, np.float64)
    for seam in seams:
        if 2 <= seam < len(made):
            jump = made[seam - 1] + (made[seam - 1] - made[seam - 2]) - made[seam]
            count = min(round(SETTLE * fps), len(made) - seam)
            left = 0.5 + 0.5 * np.cos(np.pi * np.arange(count) / (SETTLE * fps))
            made[seam : seam + count] += left[:, None] * jump
    return made


def smoothed(x: np.ndarray, seconds: float, fps: float) -> np.ndarray:
    """Features (T, D) by a Gaussian of that standard deviation in time; ends stay where they are."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.asarray(x, np.float64), seconds * fps, axis=0, mode="nearest") if seconds > 0 else x


def stand(rotations: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Local rotations (T, J, 4) xyzw -> joints (T, J, 3) metres, float32, with the skeleton's bone lengths.

    The middle of the feet (skeleton parts left_foot, right_foot) stays above the origin, and the lowest foot joint on
    the floor: what is left of sliding is what the legs themselves turn.
    """
    assert skeleton.offsets is not None
    joints = forward_kinematics(rotations.astype(np.float64), np.array(skeleton.offsets), skeleton.parents)
    feet = joints[:, [*skeleton.indices("left_foot"), *skeleton.indices("right_foot")]]
    shift = -feet.mean(1)
    shift[:, 1] = -feet[..., 1].min(1)
    return (joints + shift[:, None]).astype(np.float32)
