"""What pictures share, number by number: floors, sizes, poses between frames, and where a camera sees a point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from motion_platform.motion.clip import Clip
from motion_platform.motion.render.scene import extent, look_at, middle, pose_at, smooth_root, stride
from motion_platform.motion.skeleton import Skeleton, get_skeleton

POINTS = Skeleton("points", ("a", "b", "c"), (-1, 0, 0))


def shown(places: list[list[list[float]]], fps: float = 20.0) -> Clip:
    return Clip(np.array(places, np.float32), fps, POINTS)


@pytest.mark.parametrize(
    ("fps", "every"), [(1, 1), (60, 1), (60.00001, 1), (60.1, 2), (120, 2), (121, 3), (180, 3), (240, 4), (1000, 17)]
)
def test_of_so_many_frames_one_is_shown(fps: float, every: int, walking: Callable[..., Clip]) -> None:
    assert stride(walking(2, fps=fps)) == every


@pytest.mark.parametrize(
    ("low", "floor"), [(0.0, 0.0), (-0.24, 0.0), (-0.26, -0.26), (0.34, 0.0), (0.36, 0.36), (3.0, 3.0), (-3.0, -3.0)]
)
def test_the_floor_is_the_ground_wherever_a_body_comes_near_it(low: float, floor: float) -> None:
    """Within a quarter of its height below and 0.35 above; a body of one metre."""
    found, size = extent(shown([[[0, low, 0], [0, low + 1.0, 0], [0.1, low + 0.5, 0]]] * 3))
    assert found == pytest.approx(floor, abs=1e-6)
    assert size == pytest.approx(1.12 * max(1.0, low + 1.0 - floor), abs=1e-6)


def test_a_body_that_lies_asks_for_as_much_as_it_is_wide() -> None:
    joints = [[[0, 0, 0], [1.5, 0.1, 2.0], [0, 0.2, 0]]]  # 2.5 m from end to end
    assert extent(shown(joints)) == (0.0, pytest.approx(1.12 * 0.8 * 2.5))
    assert extent(shown([[[0, 0, 0]] * 3])) == (0.0, pytest.approx(1.12e-3))


def test_a_short_moment_does_not_make_the_picture_larger() -> None:
    """The height is that of nineteen frames of twenty; what is above the floor as well."""
    frames = [[[0, 0, 0], [0, 1.0 + 0.01 * k, 0], [0, 0.5, 0]] for k in range(101)]
    assert extent(shown(frames))[1] == pytest.approx(1.95 * 1.12)
    jumps = [[[0, 0.01 * k, 0], [0, 1.0 + 0.01 * k, 0], [0, 0.5 + 0.01 * k, 0]] for k in range(101)]
    assert extent(shown(jumps)) == (0.0, pytest.approx(1.95 * 1.12))


def test_a_flat_figure_is_as_large_as_its_whole_motion() -> None:
    skeleton = get_skeleton("coco_upper")
    joints = np.zeros((2, 13, 3), np.float32)
    joints[0, 3], joints[1, 4] = [0.5, 0.9, 0], [-0.5, -0.3, 0]
    assert extent(Clip(joints, 15, skeleton)) == (pytest.approx(-0.3), pytest.approx(1.2 * 1.2))
    joints[..., 0] *= 2
    assert extent(Clip(joints, 15, skeleton))[1] == pytest.approx(0.9 * 2.0 * 1.2)
    assert extent(Clip(joints * 0, 15, skeleton))[1] == pytest.approx(1.2e-3)


def test_the_middle_is_that_of_the_box_around_all_frames() -> None:
    clip = shown([[[0, 0, 0], [1, 2, 3], [0, 0, 0]], [[-2, 1, 0], [1, 5, 0], [0, 0, -7]]])
    assert middle(clip).tolist() == [-0.5, 2.5, -2.0]


def test_poses_lie_on_straight_lines_between_frames(walking: Callable[..., Clip]) -> None:
    clip = walking(7)
    for seconds in (-1.0, 0.0, 0.01, 0.05, 0.12, 0.2999, 0.3, 0.31, 5.0):
        at = min(max(seconds * 20, 0), 6)
        for axis in range(3):
            wanted = np.interp(at, range(7), clip.joints[:, 20, axis])
            assert pose_at(clip, seconds)[20, axis] == pytest.approx(wanted, abs=1e-6)
    assert np.array_equal(pose_at(walking(1), 3.0), walking(1).joints[0])


@pytest.mark.parametrize(
    ("count", "fps", "reach"), [(40, 20.0, 8), (40, 30.0, 12), (5, 20.0, 2), (40, 1.0, 1), (1, 20.0, 0)]
)
def test_the_way_is_averaged_over_as_much_on_either_side(
    count: int, fps: float, reach: int, walking: Callable[..., Clip]
) -> None:
    joints = walking(count, fps=fps).joints + np.random.default_rng(1).normal(size=(count, 22, 3)).astype(np.float32)
    clip = walking(count, fps=fps).with_(joints=joints)
    made = smooth_root(clip)
    for t in range(count):
        by = min(reach, t, count - 1 - t)
        np.testing.assert_allclose(made[t], joints[t - by : t + by + 1, 0].mean(0), atol=1e-5)


@pytest.mark.parametrize(
    ("yaw", "pitch", "field"), [(0.0, 0.0, 0.56), (0.62, 0.2, 0.56), (-1.4, -0.5, 0.2), (2.5, 0.9, 1.2)]
)
def test_a_camera_sees_its_target_in_the_middle_and_so_much_around_it(yaw: float, pitch: float, field: float) -> None:
    target = np.array([1.0, 2.0, -0.5])
    view = look_at(target, 3.0, (400, 300), yaw=yaw, pitch=pitch, field_of_view=field)
    axes = np.stack([view.right, view.up, view.back])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_allclose(view.back, [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    assert view.right[1] == 0.0
    assert view.size == (400, 300)
    places = target + np.array([[0, 0, 0], 1.5 * view.up, -1.5 * view.up, 2.0 * view.right, 0.7 * view.back])
    seen, scale = view.project(places)
    np.testing.assert_allclose(seen[:4, :2], [[200, 150], [200, 0], [200, 300], [400, 150]], atol=1e-9)
    distance = 1.5 / np.tan(field / 2)
    np.testing.assert_allclose(seen[:, 2], [distance] * 4 + [distance - 0.7])
    np.testing.assert_allclose(scale, view.focal / seen[:, 2])
    np.testing.assert_allclose(view.eye, target + distance * view.back)
    behind, scale = view.project(view.eye + view.back)
    assert (behind[2], scale) == (1e-3, view.focal / 1e-3)  # never behind the camera


def test_the_usual_camera_is_a_little_from_the_left_and_from_above() -> None:
    view = look_at(np.zeros(3), 2.0, (10, 10))
    distance = 1 / np.tan(0.28)
    place = [np.sin(0.62) * np.cos(0.2), np.sin(0.2), np.cos(0.62) * np.cos(0.2)]
    np.testing.assert_allclose(view.eye, distance * np.array(place))
    assert view.focal == pytest.approx(5 / np.tan(0.28))
