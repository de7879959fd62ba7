"""Seams that are smoothed by a closed form, and a body that stands on its feet."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion_platform.motion.gesturing.stance import joined, smoothed, stand
from motion_platform.motion.skeleton import get_skeleton


def line(frames: int, start: float, slope: float) -> np.ndarray:
    return start + slope * np.arange(frames)


def test_two_lines_of_one_slope_become_one_at_the_seam_and_are_their_own_half_a_second_on() -> None:
    """What is added at the seam is half a cosine from the whole jump to none."""
    fps, before, after = 20.0, line(30, 0.0, 0.5), line(40, 3.0, 0.5)
    x = np.stack([np.concatenate([before, after]), np.zeros(70)], -1)
    made = joined(x, [30], fps)
    jump = (before[-1] + 0.5) - 3.0
    wanted = x[:, 0].copy()
    wanted[30:40] += jump * np.cos(np.pi * np.arange(10) / 20) ** 2
    np.testing.assert_allclose(made[:, 0], wanted, atol=1e-12)
    assert made[30, 0] - made[29, 0] == pytest.approx(0.5)  # it goes on as it went
    np.testing.assert_array_equal(made[:, 1], 0)
    np.testing.assert_array_equal(x[:, 0], np.concatenate([before, after]))  # what was given stays


@pytest.mark.parametrize(("seam", "changed"), [(0, False), (1, False), (2, True), (29, True), (30, False), (31, False)])
def test_a_seam_needs_two_frames_before_it_and_one_behind(seam: int, changed: bool) -> None:
    x = np.random.default_rng(0).normal(size=(30, 3))
    assert (joined(x, [seam], 20.0) != x).any() == changed
    if changed:
        made = joined(x, [seam], 20.0)
        np.testing.assert_allclose(made[seam], 2 * x[seam - 1] - x[seam - 2])
        np.testing.assert_array_equal(made[:seam], x[:seam])
        np.testing.assert_array_equal(made[seam + 10 :], x[seam + 10 :])


def test_later_seams_go_on_from_what_earlier_ones_made() -> None:
    x = np.concatenate([np.zeros(10), np.ones(4), np.zeros(10)])[:, None]
    made = joined(x, [10, 14], 20.0)
    first = joined(x, [10], 20.0)
    np.testing.assert_allclose(made[:14], first[:14])
    assert made[14, 0] == pytest.approx(2 * first[13, 0] - first[12, 0])


def test_smoothing_is_a_gaussian_of_seconds_and_none_is_none() -> None:
    pulse = np.zeros((101, 1))
    pulse[50] = 1.0
    made = smoothed(pulse, 0.25, 20.0)[:, 0]
    spread = np.sqrt((made * (np.arange(101) - 50) ** 2).sum())
    assert made.sum() == pytest.approx(1)
    assert spread / 20 == pytest.approx(0.25, rel=1e-2)
    np.testing.assert_allclose(smoothed(np.full((9, 2), 3.0), 0.5, 20.0), 3.0)  # ends stay where they are
    assert smoothed(pulse, 0.0, 20.0) is pulse


def test_the_feet_stay_over_the_origin_and_the_lowest_touches_the_floor() -> None:
    skeleton = get_skeleton("humanml3d")
    rotations = Rotation.random(5 * 22, random_state=0).as_quat().reshape(5, 22, 4)
    rotations = rotations + np.array([0, 0, 0, 6.0])
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    joints = stand(rotations, skeleton)
    feet = joints[:, [*skeleton.indices("left_foot"), *skeleton.indices("right_foot")]]
    np.testing.assert_allclose(feet[..., [0, 2]].mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(feet[..., 1].min(1), 0, atol=1e-6)
    for parent, child in skeleton.bones:
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(skeleton.offsets[child]), atol=1e-5)
    assert joints.dtype == np.float32
