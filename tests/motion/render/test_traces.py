"""Lines that hands leave: where they are, how wide, how strong, and for how long."""

from __future__ import annotations

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.motion.clip import Clip
from motion_platform.motion.render.raster import tones
from motion_platform.motion.render.scene import look_at
from motion_platform.motion.render.traces import _line, draw_traces, traced
from motion_platform.motion.skeleton import Skeleton, get_skeleton

HANDS = Skeleton(
    "hands", ("root", "left_hand", "right_hand"), (-1, 0, 0), parts={"traced": ("left_hand", "right_hand")}
)


def waving(seconds: float = 3.0) -> Clip:
    t = np.arange(int(seconds * 30)) / 30
    joints = np.zeros((len(t), 3, 3), np.float32)
    joints[:, 1] = np.stack([0.4 + 0.3 * np.sin(5 * t), 0.4 * np.cos(3 * t), 0 * t], axis=-1)
    joints[:, 2] = np.stack([-0.4 - 0.2 * np.sin(4 * t), 0.3 * np.cos(2 * t), 0.3 * np.sin(t)], axis=-1)
    return Clip(joints, 30.0, HANDS)


def test_which_joints_leave_one() -> None:
    assert traced(waving()) == [1, 2]
    assert traced(Clip(np.zeros((1, 22, 3), np.float32), 20, get_skeleton("humanml3d"))) == []


def drawn(seconds: float, joints: list[int] | None = None) -> np.ndarray:
    image = np.full((60, 80, 3), 0.9, np.float32)
    view = look_at(np.zeros(3), 1.4, (80, 60), yaw=0.3, pitch=0.1)
    draw_traces(image, view, waving(), [1, 2] if joints is None else joints, seconds)
    return image


def test_traces_are_what_they_were() -> None:
    check_stored("traces", {f"{t:g}": drawn(t).astype(np.float16) for t in (0.1, 0.6, 1.0, 2.5, 4.0)}, atol=2e-3)
    assert (drawn(1.0, []) == np.float32(0.9)).all()


def test_a_trace_is_a_second_long_and_in_the_colour_of_its_side() -> None:
    late = drawn(9.0)  # it has stood still for a second
    assert (late == np.float32(0.9)).all()
    left = drawn(2.5, [1])
    changed = np.abs(left - 0.9).max(-1) > 0.5
    wanted = np.float32(0.78) * tones("light")[1]
    assert np.abs(left[changed] - wanted).max() < 0.4


@pytest.mark.parametrize(
    ("p", "q"), [((10.0, 10.0), (30.0, 10.0)), ((10.0, 25.0), (10.0, 5.0)), ((5.0, 5.0), (25.0, 20.0))]
)
def test_a_stroke_covers_what_is_nearer_than_half_its_width(p: tuple[float, float], q: tuple[float, float]) -> None:
    image = np.zeros((30, 40, 3), np.float32)
    _line(image, np.array(p), np.array(q), 2.0, np.ones(3, np.float32), np.float32(0.5))
    step = np.subtract(q, p) / np.linalg.norm(np.subtract(q, p))
    for row in range(30):
        for column in range(40):
            away = np.array([column + 0.5, row + 0.5]) - p
            along, across = float(away @ step), abs(float(away[0] * step[1] - away[1] * step[0]))
            length = float(np.linalg.norm(np.subtract(q, p)))
            cover = np.clip(2.5 - across, 0, 1) * np.clip(along + 0.5, 0, 1) * np.clip(length + 0.5 - along, 0, 1)
            assert image[row, column, 0] == pytest.approx(0.5 * cover, abs=1e-5), (row, column)


def test_a_stroke_at_the_edge_is_cut_and_one_without_length_is_none() -> None:
    for p, q, some in (((-5.0, 5.0), (5.0, 5.0), True), ((-9.0, 5.0), (-7.0, 5.0), False),
                       ((5.0, 5.0), (5.0, 5.0), False),
                       ((5.0, 15.0), (6.0, 18.0), False), ((9.0, 9.0), (15.0, 15.0), True)):  # fmt: skip
        image = np.zeros((10, 10, 3), np.float32)
        _line(image, np.array(p), np.array(q), 1.0, np.ones(3, np.float32), np.float32(1))
        assert bool(image.any()) is some, (p, q)
