"""One motion in memory: what every reader returns and every writer takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.skeleton import Skeleton

if TYPE_CHECKING:  # reading a motion file does not wait for torch
    from motion_platform.core.schema import Audio

MAX_FRAMES = 1_000_000
"""Longer clips are refused: 10^6 frames are 14 hours at 20 fps, and always a broken header."""


@dataclass(frozen=True)
class Clip:
    """joints (T, J, 3) float32 world positions in metres, Y up; fps frames a second.

    rotations: (T, J, 4) local quaternions xyzw relative to ``skeleton.offsets``, where the source had them. name: a
    stable identifier. captions: what the motion shows. info: provenance (source file, licence, unit), plain values.
    audio: the recording that sounds from the first frame on: a file, or samples in memory. events: name -> times (n,)
    in seconds from the first frame, in order ("beats", "bars").
    """

    joints: np.ndarray
    fps: float
    skeleton: Skeleton
    rotations: np.ndarray | None = None
    name: str = "motion"
    captions: tuple[str, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    audio: Path | Audio | None = None
    events: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"motion {self.name!r}"
        if self.joints.ndim != 3 or self.joints.shape[1:] != (len(self.skeleton), 3):
            raise DataError(
                f"{where}: joints have shape {self.joints.shape}, but skeleton {self.skeleton.name} "
                f"needs (T, {len(self.skeleton)}, 3)"
            )
        if len(self.joints) == 0:
            raise DataError(f"{where}: has zero frames")
        if len(self.joints) > MAX_FRAMES:
            raise DataError(f"{where}: has {len(self.joints)} frames; at most {MAX_FRAMES} are allowed")
        if not np.isfinite(self.joints).all():
            bad = int(np.argwhere(~np.isfinite(self.joints))[0, 0])
            raise DataError(f"{where}: frame {bad} has a NaN or infinite position")
        if not (np.isfinite(self.fps) and 0 < self.fps <= 1000):
            raise DataError(f"{where}: fps is {self.fps}; it must be above 0 and at most 1000")
        if self.rotations is not None and self.rotations.shape != (*self.joints.shape[:2], 4):
            raise DataError(f"{where}: rotations have shape {self.rotations.shape}, not (T, J, 4)")
        for name, times in self.events.items():
            if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
                raise DataError(f"{where}: times of {name} must be finite, (n,) and in order")

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def seconds(self) -> float:
        """Duration: T / fps."""
        return len(self) / self.fps

    def with_(self, **changes: Any) -> Clip:
        """A copy with some fields replaced."""
        return replace(self, **changes)
