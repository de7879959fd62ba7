"""Bodies whose toes point backwards: a mirrored file, or one whose left and right are swapped."""

from __future__ import annotations

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.joint_names import locate

BACKWARDS = -0.3
"""Cosine between a foot and the way the body faces, below which the foot points backwards."""
SHARE = 0.8
"""Share of the frames in which both feet do, for the file to be taken for mirrored."""
FRAMES = 60


def mirror_note(clip: Clip) -> str | None:
    """A line for a body of known joint names whose feet point backwards by its own left, right and up; else None."""
    try:
        _, places = locate(list(clip.skeleton.joints), None, clip.name)
    except DataError:  # no body of known names: nothing says which way it faces
        return None
    some = np.unique(np.linspace(0, len(clip) - 1, FRAMES).astype(int))
    joints = clip.joints[some].astype(np.float64)

    def at(part: str) -> np.ndarray:
        a, b, share = places[part]
        first, second = (joints[:, clip.skeleton.index(name)] for name in (a, b))
        return first + share * (second - first)

    forward = np.cross(at("left_hip") - at("right_hip"), at("neck") - at("pelvis"))
    backwards = np.ones(len(some), bool)
    for side in ("left", "right"):
        foot = at(f"{side}_foot") - at(f"{side}_ankle")
        size = np.linalg.norm(foot, axis=-1) * np.linalg.norm(forward, axis=-1)
        backwards &= (foot * forward).sum(-1) < BACKWARDS * np.maximum(size, 1e-9)
    if backwards.mean() < SHARE:
        return None
    return "its feet point backwards: the file is mirrored, or left and right are swapped in its names"
