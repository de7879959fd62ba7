"""A body of rotations on feet that stand still."""

from __future__ import annotations

import numpy as np

from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.skeleton import Skeleton


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
