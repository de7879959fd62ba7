"""The features of ZeroEGGS that speech-driven gesture is made in: 13 + 15 J + 3 numbers a frame of J joints.

Source: Ghorbani et al., "ZeroEGGS: Zero-shot Example-based Gesture Generation from Speech", 2022 (arXiv:2209.07556),
section 3.2, as DiffuseStyleGesture (Yang et al. 2023, arXiv:2305.04919) lays it out: 1,141 numbers for 75 joints.

    root          13     position on the floor of the chest joint (3), its heading as a quaternion wxyz that takes Z+ to
                         the hips' front on the floor (4), velocity (3) and turning speed (3) of both, the last two as
                         seen by the root of the frame before
    positions     J*3    of every joint in its parent's frame; of the hips in the root's
    rotations     J*6    local rotations: the image of X, then that of Y
    velocities    J*3    of the local positions, a second
    turns         J*3    speeds of the local rotations (rotation vectors a second, axes of the parent)
    gaze          3      where the person looks, one metre ahead along the median of all frames, in the root's frame

Lengths are centimetres in the features and metres outside. A speed is a difference to the frame before times the frame
rate; the first frame's is carried back from the next three (v1 - (v3 - v2)). T frames give T rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError
from motion_platform.motion import rotations as turning
from motion_platform.motion.io.euler import quaternion_multiply, quaternion_to_matrix, unroll
from motion_platform.motion.representations.base import Representation
from motion_platform.motion.skeleton import get_skeleton

CENTIMETRES = 100.0
GAZE = 100.0
"""Centimetres to the place that is looked at."""
SMALLEST_STD = 0.01
"""Published: no column is divided by less."""
STILL = 0.002
"""Squared metres a frame below which a foot touches the ground (HumanML3D's, at the same 20 fps)."""
ROOT = 13


class Zeggs(Representation):
    """The 75 joints of ZeroEGGS, fingers included: D = 1,141. Subclasses name another body with rotations."""

    name, fps, units = "zeggs", 20.0, "centimetre"
    body, chest, head = "zeggs", "Spine2", "Head"
    needs_rotations = frame_by_frame = True

    def __init__(self) -> None:
        self.skeleton = get_skeleton(self.body)
        count, self.groups, self.dim = len(self.skeleton), {}, 0
        widths = {"root": ROOT, "positions": 3 * count, "rotations": 6 * count, "velocities": 3 * count}
        for group, width in {**widths, "turns": 3 * count, "gaze": 3}.items():
            self.groups[group] = slice(self.dim, self.dim + width)
            self.dim += width

    def encode(self, joints: np.ndarray, rotations: np.ndarray | None = None) -> np.ndarray:
        """joints (T, J, 3) metres and local rotations (T, J, 4) xyzw -> (T, D) float32.

        The clip stays where it is and faces where it does, as published. DataError for fewer than 4 frames (the
        first speed is carried back from three), or without rotations.
        """
        joints = self.check_joints(joints, frames=4) * CENTIMETRES
        local = self.check_rotations(rotations, len(joints))
        whole = local.copy()
        place = joints.copy()
        for parent, j in self.skeleton.bones:
            whole[:, j] = quaternion_multiply(whole[:, parent], local[:, j])
            place[:, j] = _turn(_inverse(whole[:, parent]), joints[:, j] - joints[:, parent])
        root = joints[:, self.skeleton.index(self.chest)] * [1, 0, 1]
        yaw = _heading(whole[:, 0])
        looks = _turn(whole[:, self.skeleton.index(self.head)], np.array([0.0, 0.0, 1.0])) * [1, 0, 1]
        seen = np.median(root + GAZE * _unit(looks, "the head"), axis=0)
        back = _inverse(yaw)
        local[:, 0] = quaternion_multiply(back, local[:, 0])
        place[:, 0] = _turn(back, joints[:, 0] - root)
        before = np.concatenate([back[:1], back[:-1]])
        parts = {
            "root": np.concatenate(
                [
                    root,
                    yaw[:, [3, 0, 1, 2]],
                    _turn(before, self._speed(root)),
                    _turn(before, self._turning(yaw)),
                ],
                axis=-1,
            ),
            "positions": place,
            "rotations": np.swapaxes(quaternion_to_matrix(local)[..., :2], -1, -2),
            "velocities": self._speed(place),
            "turns": self._turning(local),
            "gaze": _turn(back, seen - root),
        }
        return np.concatenate([parts[g].reshape(len(joints), -1) for g in self.groups], axis=-1).astype(np.float32)

    def check_rotations(self, rotations: np.ndarray | None, frames: int) -> np.ndarray:
        """Unit quaternions (T, J, 4) float64 with signs that run on. DataError without them, or of another shape."""
        wanted = (frames, len(self.skeleton), 4)
        if rotations is None:
            raise DataError(f"{self.name}: joint positions alone do not say how a hand is turned; give rotations")
        if rotations.shape != wanted or not np.isfinite(rotations).all():
            raise DataError(f"{self.name}: rotations have shape {rotations.shape} or a NaN; {wanted} finite are needed")
        q = rotations.astype(np.float64)
        size = np.linalg.norm(q, axis=-1, keepdims=True)
        if (size < 1e-6).any():
            raise DataError(f"{self.name}: frame {int(np.argwhere(size < 1e-6)[0, 0])} has a rotation of length 0")
        return unroll(q / size)

    def _speed(self, x: np.ndarray) -> np.ndarray:
        """(T, ..., 3) -> differences to the frame before, a second."""
        return _from_first(np.diff(x, axis=0) * self.fps)

    def _turning(self, q: np.ndarray) -> np.ndarray:
        """(T, ..., 4) -> rotation vectors (T, ..., 3) from the frame before, a second."""
        return _from_first(_rotation_vector(quaternion_multiply(q[1:], _inverse(q[:-1]))) * self.fps)

    def decode(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, J, 3) metres: the root's place and heading, then every joint from its parent."""
        x = self.check_features(x)
        place = x[..., self.groups["positions"]].unflatten(-1, (-1, 3)) / CENTIMETRES
        return self._placed(x, self.local_matrices(x), place)

    def local_matrices(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, J, 3, 3) local rotations; of the hips relative to the root."""
        return turning.matrix_from_sixd(x[..., self.groups["rotations"]].unflatten(-1, (-1, 6)))

    def root_matrices(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, 3, 3) of the root's heading; no turn where the quaternion has no length."""
        q = x[..., [4, 5, 6, 3]]
        size = q.norm(dim=-1, keepdim=True)
        still = q.new_tensor([0, 0, 0, 1])
        return turning.matrix_from_quaternion(torch.where(size > 1e-6, q / size.clamp(min=1e-6), still))

    def _placed(self, x: Tensor, local: Tensor, place: Tensor) -> Tensor:
        """Forward kinematics: local rotations (..., T, J, 3, 3), local places (..., T, J, 3) in metres."""
        root = self.root_matrices(x)
        whole = [root @ local[..., 0, :, :]]
        joints = [(root @ place[..., 0, :, None]).squeeze(-1) + x[..., :3] / CENTIMETRES]
        for parent, j in self.skeleton.bones:
            whole.append(whole[parent] @ local[..., j, :, :])
            joints.append(joints[parent] + (whole[parent] @ place[..., j, :, None]).squeeze(-1))
        return torch.stack(joints, dim=-2)

    def rotations(self, x: Tensor) -> Tensor:
        """(..., T, D) -> (..., T, J, 4) local quaternions xyzw; of the hips in the world."""
        x = self.check_features(x)
        local = self.local_matrices(x).clone()
        local[..., 0, :, :] = self.root_matrices(x) @ local[..., 0, :, :]
        return turning.quaternion_from_matrix(local)

    def offsets(self, x: Tensor) -> Tensor:
        """(T, D) -> (J, 3) rest offsets of the body in metres: medians over the frames; 0 for the hips."""
        place = self.check_features(x)[..., self.groups["positions"]].unflatten(-1, (-1, 3)) / CENTIMETRES
        found = place.median(dim=0).values
        found[0] = 0.0
        return found

    def deviations(self, per_column: np.ndarray) -> np.ndarray:
        """Each column by its own, as published, and by no less than ``SMALLEST_STD``."""
        return np.maximum(per_column, SMALLEST_STD)

    def contacts(self, joints: np.ndarray) -> np.ndarray:
        """(T, J, 3) metres -> (T-1, 4) float32: left ankle, left toe, right ankle, right toe stand still."""
        joints = self.check_joints(joints, frames=2)
        feet = [*self.skeleton.indices("left_foot"), *self.skeleton.indices("right_foot")]
        return ((np.diff(joints[:, feet], axis=0) ** 2).sum(-1) < STILL).astype(np.float32)

    @property
    def speeds(self) -> list[int]:
        """The root's speeds, the joints' and their rotations'."""
        return [*range(7, ROOT), *range(self.groups["velocities"].start, self.groups["turns"].stop)]

    def columns(self, joints: Sequence[int]) -> Tensor:
        """The feature columns of these joints, ascending; joint 0 owns the root, the head its gaze."""
        return torch.from_numpy(np.flatnonzero(np.isin(self._owners, self.check_indices(joints))))

    @cached_property
    def _owners(self) -> np.ndarray:
        """(D,) the joint that each column belongs to."""
        every = np.arange(len(self.skeleton))
        owners = {"root": np.zeros(ROOT, int), "gaze": np.full(3, self.skeleton.index(self.head))}
        widths = {"positions": 3, "rotations": 6, "velocities": 3, "turns": 3}
        owners |= {group: every.repeat(width) for group, width in widths.items()}
        return np.concatenate([owners[group] for group in self.groups])


class Beat(Zeggs):
    """The 75 joints of BEAT: D = 1,141."""

    name, body = "beat", "beat"


class Gesture(Zeggs):
    """The 22 joints of HumanML3D and 15 of each hand (SMPL-H's names): D = 796."""

    name, body, chest, head = "gesture", "humanml3d_hands", "spine3", "head"


def _inverse(q: np.ndarray) -> np.ndarray:
    return q * [-1, -1, -1, 1]


def _turn(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(..., 4) unit xyzw and (..., 3) -> (..., 3)."""
    twice = 2 * np.cross(q[..., :3], v)
    return v + q[..., 3:] * twice + np.cross(q[..., :3], twice)


def _unit(v: np.ndarray, what: str) -> np.ndarray:
    size = np.linalg.norm(v, axis=-1, keepdims=True)
    if (size < 1e-8).any():
        raise DataError(f"frame {int(np.argwhere(size < 1e-8)[0, 0])}: {what} points straight up or down: no heading")
    return v / size


def _heading(hips: np.ndarray) -> np.ndarray:
    """(T, 4) rotations of the hips in the world -> (T, 4) xyzw turns about Y that take Z+ to their front."""
    front = _unit(_turn(hips, np.array([0.0, 0.0, 1.0])) * [1, 0, 1], "the hips")
    half = np.arctan2(front[:, 0], front[:, 2]) / 2
    zero = np.zeros_like(half)
    return np.stack([zero, np.sin(half), zero, np.cos(half)], axis=-1)


def _rotation_vector(q: np.ndarray) -> np.ndarray:
    """(..., 4) unit xyzw -> (..., 3): the shorter way round."""
    q = np.where(q[..., 3:] < 0, -q, q)
    size = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(size, q[..., 3:])
    return q[..., :3] * np.where(size < 1e-12, 2.0, angle / np.maximum(size, 1e-12))


def _from_first(v: np.ndarray) -> np.ndarray:
    """(T-1, ...) speeds from frame 1 on -> (T, ...): the first carried back, v1 - (v3 - v2)."""
    return np.concatenate([(v[0] - (v[2] - v[1]))[None], v])
