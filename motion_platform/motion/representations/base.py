"""What a motion representation is: numbers of a frame that a network models, and the way back to joint positions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion.skeleton import Skeleton

SMALLEST_STD = 1e-6
"""Below, a group of columns does not move."""


class Representation(ABC):
    """D numbers a frame for one skeleton at one frame rate.

    name: its registered name. skeleton: whose joints it describes. fps: frames a second that its velocities assume.
    dim: D. groups: name -> columns, the whole width in order ("root", "positions", "rotations", "velocities",
    "contacts", as far as the representation has them). units: what the feature lengths are in; joint positions are
    metres on both ways through, whatever the features are in.
    """

    name: str
    skeleton: Skeleton
    fps: float
    dim: int
    groups: dict[str, slice]
    units: str = "metre"
    needs_rotations: bool = False
    """Whether joint positions alone are not enough to encode."""
    frame_by_frame: bool = False
    """Whether each frame decodes by itself, so that a long motion may be decoded in pieces."""

    @abstractmethod
    def encode(self, joints: np.ndarray, rotations: np.ndarray | None = None) -> np.ndarray:
        """(T, J, 3) joint positions in metres, Y up -> (T-1, D) float32 features (T where a row needs no next frame).

        rotations: (T, J, 4) local quaternions xyzw, for a representation that ``needs_rotations``; others leave them.
        DataError for fewer than 2 frames.
        """

    @abstractmethod
    def decode(self, x: Tensor) -> Tensor:
        """(..., T, D) features -> (..., T, J, 3) joint positions in metres; differentiable, any leading shape."""

    def rotations(self, x: Tensor) -> Tensor | None:
        """(..., T, D) features -> (..., T, J, 4) local quaternions xyzw; None where only positions are known."""
        return None

    def offsets(self, x: Tensor) -> Tensor | None:
        """(T, D) features -> (J, 3) rest offsets in metres that :meth:`rotations` turn; None: the skeleton's own."""
        return None

    def deviations(self, per_column: np.ndarray) -> np.ndarray:
        """(D,) standard deviation of each column -> (D,) what models divide by, every one above 0.

        By default the average within feature groups (HumanML3D's ``cal_mean_variance``): all joint positions share one,
        all rotations, all velocities, all contacts; of a root of 4, the turning speed, the two planar velocities and
        the height have one each. Otherwise a joint that hardly moves would weigh as much as a hand. A group that never
        moves gets 1: it is left as it is instead of being blown up.
        """
        std = per_column.copy()
        for columns in self._together():
            average = per_column[columns].mean()
            std[columns] = average if average > SMALLEST_STD else 1.0
        return std

    def _together(self) -> list[slice]:
        """Columns that share one standard deviation."""
        found = []
        for name, columns in self.groups.items():
            if name == "root" and columns.stop - columns.start == 4:
                at = columns.start  # turning speed | velocity x, z | height
                found += [slice(at, at + 1), slice(at + 1, at + 3), slice(at + 3, at + 4)]
            else:
                found.append(columns)
        return found

    @abstractmethod
    def contacts(self, joints: np.ndarray) -> np.ndarray:
        """(T, J, 3) joint positions in metres -> (T-1, 4) float32, 1 where a foot joint stands still."""

    @abstractmethod
    def columns(self, joints: Sequence[int]) -> Tensor:
        """The feature columns that belong to these joints, ascending: what an edit of a body part keeps or repaints.

        Joint 0 owns the root columns. All joints together own all columns. UsageError for a joint out of range.
        """

    @property
    def speeds(self) -> list[int]:
        """The columns that are changes a frame: at twice the tempo they are twice as large. None by default."""
        return []

    def part_columns(self, part: str) -> Tensor:
        """The feature columns of a named body part of the skeleton. UnknownName when there is no such part."""
        return self.columns(self.skeleton.indices(part))

    def check_joints(self, joints: np.ndarray, frames: int = 1) -> np.ndarray:
        """The joints as float64, refused with a DataError when they are not finite (T >= frames, J, 3)."""
        joints = np.asarray(joints)
        wanted = (len(self.skeleton), 3)
        if joints.ndim != 3 or joints.shape[1:] != wanted:
            raise DataError(f"{self.name}: joints have shape {joints.shape}, not (T, {wanted[0]}, 3)")
        if len(joints) < frames:
            raise DataError(f"{self.name}: a clip of {len(joints)} frame(s) is too short; at least {frames} are needed")
        if not np.isfinite(joints).all():
            bad = int(np.argwhere(~np.isfinite(joints))[0, 0])
            raise DataError(f"{self.name}: frame {bad} has a NaN or infinite position")
        return joints.astype(np.float64)

    def check_features(self, x: Tensor) -> Tensor:
        """The features, refused with a DataError when their last axis is not D."""
        if x.ndim < 2 or x.shape[-1] != self.dim:
            raise DataError(f"{self.name}: features have shape {tuple(x.shape)}, not (..., T, {self.dim})")
        return x

    def check_indices(self, joints: Sequence[int]) -> list[int]:
        """The joint numbers, refused with a UsageError when one is out of range."""
        for j in joints:
            if not 0 <= j < len(self.skeleton):
                raise UsageError(f"{self.name}: joint {j} is out of range; allowed: 0 to {len(self.skeleton) - 1}")
        return [int(j) for j in joints]

    def to_joints(self, features: np.ndarray) -> np.ndarray:
        """(T, D) feature array -> (T, J, 3) float32 positions in metres: ``decode`` for numpy users."""
        with torch.no_grad():
            return self.decode(torch.from_numpy(np.array(features, np.float32))).numpy()
