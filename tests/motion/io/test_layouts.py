"""What an ending may hold in several ways is asked for by name, and a wrong name is refused with the right ones."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.layouts import LAYOUTS, check_layout, layouts_of
from motion_platform.motion.skeleton import Skeleton


def test_every_layout_is_of_an_ending_that_is_written() -> None:
    for ending, layouts in LAYOUTS.items():
        assert ending in io.WRITERS
        for layout in layouts:
            check_layout(layout, f"walk{ending.upper()}")
    assert layouts_of("walk.bvh") == ()


@pytest.mark.parametrize(
    ("layout", "name", "kind", "message"),
    [
        ("amas", "a.npz", UnknownName, r"--layout: unknown .npz layout 'amas'; did you mean 'amass'"),
        ("amass", "a.npy", UnknownName, "allowed: features, joints"),
        ("amass", "a.bvh", UsageError, "is for .npz and .npy files"),
    ],
)
def test_a_wrong_one_is_refused_and_nothing_written(layout, name, kind, message, tmp_path) -> None:
    clip = Clip(np.zeros((2, 2, 3), np.float32), 20, Skeleton("stick", ("a", "b"), (-1, 0)))
    with pytest.raises(kind, match=message):
        io.save(clip, tmp_path / name, layout=layout)
    assert list(tmp_path.iterdir()) == []
