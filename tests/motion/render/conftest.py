"""A made-up motion that every picture can be checked with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from motion_platform.motion.clip import Clip
from motion_platform.motion.skeleton import get_skeleton

STANDING = [
    [0, 0.92, 0], [0.08, 0.84, 0], [-0.08, 0.84, 0], [0, 1.03, 0], [0.09, 0.46, 0], [-0.09, 0.46, 0],
    [0, 1.15, 0], [0.09, 0.07, -0.02], [-0.09, 0.07, -0.02], [0, 1.22, 0], [0.1, 0.01, 0.11], [-0.1, 0.01, 0.11],
    [0, 1.42, 0], [0.07, 1.36, 0], [-0.07, 1.36, 0], [0, 1.52, 0.02], [0.19, 1.38, 0], [-0.19, 1.38, 0],
    [0.24, 1.13, 0], [-0.24, 1.13, 0], [0.26, 0.88, 0.04], [-0.26, 0.88, 0.04],
]  # fmt: skip


@pytest.fixture
def walking() -> Callable[..., Clip]:
    """walking(frames, fps, **fields of Clip): a body that stands upright, slides along Z and swings its left hand."""

    def make(frames: int = 60, fps: float = 20.0, **fields: Any) -> Clip:
        joints = np.repeat(np.array([STANDING], np.float32), frames, 0)
        clock = np.arange(frames, dtype=np.float32) / fps
        joints[:, :, 2] += 1.2 * clock[:, None]
        joints[:, 20, 2] += 0.2 * np.sin(6 * clock)
        return Clip(joints, fps, get_skeleton("humanml3d"), **fields)

    return make
