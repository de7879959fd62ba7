"""Position channels of joints that are not the root: in any unit, zeros mean no shift from the joint's offset."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.motion.io.bvh import ROUNDED, _no_shift, _Node

CHANNELS = [("rotation", 0), ("position", 0), ("position", 1), ("position", 2)]


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(("share", "none"), [(0.0, True), (0.99, True), (1.01, False), (-1.01, False)])
def test_up_to_a_thousandth_of_the_offset_is_no_shift_in_any_unit(unit: float, share: float, none: bool) -> None:
    node = _Node("a", 0, np.array([0.0, 0.3 * unit, 0.4 * unit]), CHANNELS)
    values = np.full((3, 9), 7.0)
    values[:, 3:6] = 0.0
    values[1, 4] = share * ROUNDED * 0.5 * unit
    assert _no_shift(node, values, 2) is none


def test_a_joint_without_an_offset_is_moved_by_its_channels() -> None:
    values = np.zeros((3, 9))
    assert not _no_shift(_Node("a", 0, None, CHANNELS), values, 2)
    assert not _no_shift(_Node("a", 0, np.zeros(3), CHANNELS), values, 2)
    assert _no_shift(_Node("a", 0, np.ones(3), None), values, 2)
