"""``conductor``: 13 keypoints of a conductor in the image plane, as ConductorMotion100 stores them.

Chen et al., "Self-Supervised Music Motion Synchronization Learning for Music-Driven Conducting Motion Generation", 2022
(https://github.com/ChenDelong1999/VirtualConductor): the first 13 keypoints of COCO, (x, y) each, 30 frames a second;
fractions of the frame, x to the right, y DOWN, shoulder width 1/5, hip centre at (0.5, 0.75). The conductor is seen
from the front, so the left hand is at larger x.

What is a plane there stays a plane here: decoding puts it upright at z = 0, facing Z+, in metres. The scale is
``SHOULDERS`` metres for the fifth of the frame, the hip centre stands at (0, ``HIPS``, 0). How deep a hand is, nobody
has measured; a lift to 3-D is made elsewhere and says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion.representations.base import Representation
from motion_platform.motion.skeleton import get_skeleton

SHOULDERS = 0.36
"""Metres between the shoulder joints of an adult (the acromia are 0.40 apart, the joints lie further in)."""
HIPS = 0.95
"""Metres above the floor of a standing adult's hip joints."""
FRAME = 5 * SHOULDERS
"""Metres that one width of the frame is."""
HIP_CENTRE = (0.5, 0.75)


class Conductor(Representation):
    """D = 26: x and y of the 13 joints of skeleton ``coco_upper``, joint after joint."""

    name = "conductor"
    fps = 30.0
    dim = 26
    units = "frame"

    def __init__(self) -> None:
        self.skeleton = get_skeleton("coco_upper")
        self.groups = {"positions": slice(0, self.dim)}

    def encode(self, joints: np.ndarray, rotations: np.ndarray | None = None) -> np.ndarray:
        """(T, 13, 3) metres, Y up -> (T-1, 26) float32: seen from the front, depth is lost.

        The last frame is left out, as in every representation. DataError for fewer than 2 frames.
        """
        joints = self.check_joints(joints, frames=2)
        flat = joints[:-1, :, :2] * [1, -1] / FRAME
        return self.from_keypoints(flat + np.array([HIP_CENTRE[0], HIP_CENTRE[1] + HIPS / FRAME]))

    def decode(self, x: Tensor) -> Tensor:
        """(..., T, 26) -> (..., T, 13, 3) metres, Y up, in the plane z = 0."""
        flat = self.keypoints(self.check_features(x))
        across = (flat[..., 0] - HIP_CENTRE[0]) * FRAME
        up = (HIP_CENTRE[1] - flat[..., 1]) * FRAME + HIPS
        return torch.stack([across, up, torch.zeros_like(up)], dim=-1)

    def contacts(self, joints: np.ndarray) -> np.ndarray:
        """UsageError: an upper body has no feet."""
        raise UsageError(f"{self.name}: an upper body has no feet to touch the floor with")

    def columns(self, joints: Sequence[int]) -> Tensor:
        """Two columns a joint."""
        chosen = sorted(set(self.check_indices(joints)))
        return torch.tensor([2 * j + k for j in chosen for k in range(2)], dtype=torch.long)

    def keypoints(self, x: Tensor) -> Tensor:
        """(..., 26) -> (..., 13, 2) fractions of the frame."""
        return x.unflatten(-1, (len(self.skeleton), 2))

    def from_keypoints(self, keypoints: np.ndarray) -> np.ndarray:
        """(T, 13, 2) fractions of the frame, as ``motion.npy`` holds them -> (T, 26) float32. DataError otherwise."""
        keypoints = np.asarray(keypoints)
        if keypoints.ndim != 3 or keypoints.shape[1:] != (len(self.skeleton), 2):
            raise DataError(f"{self.name}: keypoints have shape {keypoints.shape}, not (T, {len(self.skeleton)}, 2)")
        return keypoints.reshape(len(keypoints), self.dim).astype(np.float32)
