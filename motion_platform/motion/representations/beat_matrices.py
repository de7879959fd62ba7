"""The 684 x 3 numbers a frame of DiffuseStyleGesture+ for BEAT: a matrix a joint, and its two differences.

Source: Yang et al., "The DiffuseStyleGesture+ entry to the GENEA Challenge 2023" (arXiv:2308.13879), as its code has it
(``process_BEAT_bvh.py``, ``h5_data_loader.py``), at 30 frames a second:

    root          9      the hips' place in centimetres (x, y, z), put through the code's Euler angles as if they were
                         degrees: Rx(x) Ry(y) Rz(z), row by row
    rotations     J*9    local rotations of the 75 joints, row by row
    velocities    684    differences of these to the frame before; of the first frame 0
    turns         684    differences of the differences

The place comes back where it is less than 90 cm up or down and 180 cm to every side of the file's own zero. BEAT's
files have that zero at the hips (by the published mean and deviation the sine of the height is 0.003 and 0.039: 2 cm),
so nothing is lost of them; what stands on the floor has to be moved there first, and is refused. Bone lengths are not
in the numbers: positions are those of a body of usual proportions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError
from motion_platform.motion import rotations as turning
from motion_platform.motion.io.euler import axis_angle_to_quaternion, quaternion_multiply, quaternion_to_matrix
from motion_platform.motion.representations.base import SMALLEST_STD, Representation
from motion_platform.motion.representations.zeggs import STILL
from motion_platform.motion.skeleton import get_skeleton

LIMITS = (180.0, 90.0, 180.0)
"""Centimetres of x, y and z below which the published angles have one meaning."""
BODY: dict[str, tuple[float, float, float]] = {
    "Spine": (0, 10, -2), "Spine1": (0, 11, -2), "Spine2": (0, 11, -1), "Spine3": (0, 11, 0), "Neck": (0, 15, 1),
    "Neck1": (0, 5, 0), "Head": (0, 5, 1), "HeadEnd": (0, 10, 0), "Shoulder": (2, 10, 5), "Arm": (16, 0, 0),
    "ForeArm": (28, 0, 0), "Hand": (24, 0, 0), "Middle1": (9, 0, 0), "Middle": (4, 0, 0), "Ring": (3, 0, -1),
    "Ring1": (6, 0, -1), "Ringx": (4, 0, 0), "Pinky": (3, 0, -2), "Pinky1": (5, 0, -1), "Pinkyx": (3, 0, 0),
    "Index": (3, 0, 1), "Index1": (6, 0, 1), "Indexx": (4, 0, 0), "Thumb1": (2, -1, 2), "Thumbx": (3, 0, 1),
    "UpLeg": (10, 0, 0), "Leg": (0, -40, 0), "Foot": (0, -40, 0), "ForeFoot": (0, -5, 0), "ToeBase": (0, 0, 16),
    "ToeBaseEnd": (0, 0, 7),
}  # fmt: skip
"""Centimetres from the parent, of the middle and of the left side; the joints of a finger after its first are alike."""


class BeatMatrices(Representation):
    """The 75 joints of BEAT as DiffuseStyleGesture+ has them: D = 2,052."""

    name, fps, units = "beat_matrices", 30.0, "centimetre"
    needs_rotations = frame_by_frame = True

    def __init__(self) -> None:
        self.skeleton = get_skeleton("beat")
        pose = 9 * (1 + len(self.skeleton))
        edges = {"root": 9, "rotations": pose, "velocities": 2 * pose, "turns": 3 * pose}
        starts = [0, *edges.values()]
        self.groups = {name: slice(a, b) for (name, b), a in zip(edges.items(), starts, strict=False)}
        self.pose, self.dim = pose, 3 * pose

    def encode(self, joints: np.ndarray, rotations: np.ndarray | None = None) -> np.ndarray:
        """joints (T, 75, 3) metres, of which the hips count, and local rotations (T, 75, 4) xyzw -> (T, 2052) float32.

        DataError for hips that are farther from the file's zero than the numbers can hold, or without rotations.
        """
        joints = self.check_joints(joints)
        if rotations is None or rotations.shape != (*joints.shape[:2], 4) or not np.isfinite(rotations).all():
            raise DataError(
                f"{self.name}: joint positions alone do not say how a hand is turned; give finite rotations"
            )
        place = 100.0 * joints[:, 0]
        far = np.abs(place) >= np.array(LIMITS)
        if far.any():
            frame, axis = (int(i) for i in np.argwhere(far)[0])
            raise DataError(
                f"{self.name}: frame {frame}: the hips are at {'xyz'[axis]} = {place[frame, axis]:.0f} cm; allowed: "
                f"less than {LIMITS[axis]:g} from zero, where BEAT has the hips; move the motion there"
            )
        q = rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)
        every = np.concatenate([_as_if_degrees(place)[:, None], q.astype(np.float64)], 1)
        pose = quaternion_to_matrix(every).reshape(len(joints), -1)
        first = np.diff(pose, axis=0, prepend=pose[:1])
        second = np.diff(first, axis=0, prepend=first[:1])
        return np.concatenate([pose, first, second], -1).astype(np.float32)

    def place(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, 3) metres of the hips from the file's zero."""
        m = self._matrices(x)[..., 0, :, :]
        found = [torch.atan2(-m[..., 1, 2], m[..., 2, 2]), torch.asin(m[..., 0, 2].clamp(-1, 1))]
        found.append(torch.atan2(-m[..., 0, 1], m[..., 0, 0]))
        return torch.rad2deg(torch.stack(found, -1)) / 100.0

    def rotations(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, 75, 4) local quaternions xyzw."""
        return turning.quaternion_from_matrix(self._matrices(x)[..., 1:, :, :])

    def _matrices(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, 76, 3, 3), each a rotation again."""
        nine = self.check_features(x)[..., : self.pose].unflatten(-1, (-1, 3, 3))
        return turning.matrix_from_sixd(turning.sixd_from_matrix(nine))

    def decode(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, 75, 3) metres, on a body of usual proportions."""
        local = self._matrices(x)[..., 1:, :, :]
        offsets = torch.as_tensor(self._body, dtype=x.dtype, device=x.device)
        whole, joints = [local[..., 0, :, :]], [self.place(x)]
        for parent, j in self.skeleton.bones:
            whole.append(whole[parent] @ local[..., j, :, :])
            joints.append(joints[parent] + whole[parent] @ offsets[j])
        return torch.stack(joints, -2)

    def offsets(self, x: Tensor) -> Tensor:
        """(75, 3) metres: the body that :meth:`decode` turns."""
        return torch.as_tensor(self._body, dtype=x.dtype)

    @cached_property
    def _body(self) -> np.ndarray:
        return np.array([_offset(name) for name in self.skeleton.joints]) / 100.0

    def deviations(self, per_column: np.ndarray) -> np.ndarray:
        """As published: differences are divided by the deviation of the number that they are a difference of."""
        own = np.maximum(per_column[: self.pose], SMALLEST_STD)
        return np.tile(own, 3)

    def contacts(self, joints: np.ndarray) -> np.ndarray:
        """(T, 75, 3) metres -> (T-1, 4) float32: left ankle, left toe, right ankle, right toe stand still."""
        joints = self.check_joints(joints, frames=2)
        feet = [self.skeleton.index(name) for name in ("LeftFoot", "LeftToeBase", "RightFoot", "RightToeBase")]
        return ((np.diff(joints[:, feet], axis=0) ** 2).sum(-1) < STILL).astype(np.float32)

    @property
    def speeds(self) -> list[int]:
        """Both differences."""
        return [*range(self.pose, self.dim)]

    def columns(self, joints: Sequence[int]) -> Tensor:
        """The feature columns of these joints, ascending; the hips own the place."""
        blocks = np.concatenate([[0], np.arange(len(self.skeleton))]).repeat(9)
        return torch.from_numpy(np.flatnonzero(np.isin(np.tile(blocks, 3), self.check_indices(joints))))


def _as_if_degrees(place: np.ndarray) -> np.ndarray:
    """(T, 3) -> (T, 4) xyzw of Rx(x) Ry(y) Rz(z), each number taken for degrees."""
    x, y, z = (axis_angle_to_quaternion(np.radians(place[:, [k]]) * np.eye(3)[k]) for k in range(3))
    return quaternion_multiply(quaternion_multiply(x, y), z)


def _offset(joint: str) -> tuple[float, float, float]:
    """Of a joint from its parent in the usual body, in centimetres."""
    side = -1 if joint.startswith("Right") else 1
    part = joint.removeprefix("Left").removeprefix("Right")
    finger = part.removeprefix("Hand") or part
    known = next((name for name in (part, finger, f"{finger[:-1]}x", finger.rstrip("234")) if name in BODY), None)
    x, y, z = BODY[known] if known is not None else (0.0, 0.0, 0.0)
    return side * x, y, z
