"""A first frame that is not of the motion: exporters put a T-pose, often at the origin, in front of it."""

from __future__ import annotations

import numpy as np

from motion_platform.motion.clip import Clip

REFERENCE_SPEED = 7.5
"""Metres a second (0.25 m in a frame at 30 fps), the mean of all joints: see :func:`starts_with_reference_pose`."""
REFERENCE_RATIO = 3.0


def starts_with_reference_pose(clip: Clip) -> bool:
    """Whether the first frame is not of the motion: exporters put a T-pose, often at the origin, in front of it.

    So it is when, from the first frame to the second, the joints move on average faster than ``REFERENCE_SPEED`` and
    ``REFERENCE_RATIO`` times as far as between any two of the next five: nobody's whole body does both. (In the
    CMU trials used here such frames are at 13 m/s or more, the fastest runner at 4 m/s.)
    """
    if len(clip) < 3:
        return False
    steps = np.linalg.norm(np.diff(clip.joints[:6].astype(np.float64), axis=0), axis=-1).mean(axis=1)
    return bool(steps[0] * clip.fps > REFERENCE_SPEED and steps[0] > REFERENCE_RATIO * steps[1:].max())


def without_reference_pose(clip: Clip) -> Clip:
    """The clip with its second frame also in the place of the first."""
    joints = clip.joints.copy()
    joints[0] = joints[1]
    rotations = None if clip.rotations is None else clip.rotations.copy()
    if rotations is not None:
        rotations[0] = rotations[1]
    return clip.with_(joints=joints, rotations=rotations)
