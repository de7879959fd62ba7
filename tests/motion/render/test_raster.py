"""The software renderer against shapes whose picture is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.motion.clip import Clip
from motion_platform.motion.render.body import Body, bone_lengths, build_body, human_roles, side_of
from motion_platform.motion.render.raster import Backdrop, Theme, _box, cast_shadow, draw_body, tones
from motion_platform.motion.render.scene import extent, look_at, middle, pose_at, smooth_root
from motion_platform.motion.skeleton import Skeleton, get_skeleton

WHITE = np.ones((4, 3), np.float32)


def capsule(start: list[float], end: list[float], ra: float, rb: float) -> tuple[Body, np.ndarray]:
    body = Body(np.eye(2), np.array([0, 1]), np.array([[0, 1]]), np.array([[ra, rb]]), np.array([0]))
    return body, np.array([start, end], float)


def picture(body: Body, points: np.ndarray, side: int = 300) -> tuple[np.ndarray, np.ndarray]:
    # A very long lens 1 000 m away: one metre is 100 pixels everywhere.
    view = look_at(np.zeros(3), 3.0, (side, side), yaw=0.0, pitch=0.0, field_of_view=0.003)
    image, depth = np.zeros((side, side, 3), np.float32), np.full((side, side), np.inf, np.float32)
    draw_body(image, depth, view, body, points, WHITE, 1.0)
    return image, depth - (view.eye @ view.back)


def nearest_surface(x: float, y: float, body: Body, points: np.ndarray) -> float:
    """Greatest z of the union of 4 001 spheres along the capsule: an independent, slow way to the same number."""
    s = np.linspace(0, 1, 4001)[:, None]
    centre = points[0] + s * (points[1] - points[0])
    radius = body.radii[0, 0] + s[:, 0] * (body.radii[0, 1] - body.radii[0, 0])
    inside = radius**2 - (x - centre[:, 0]) ** 2 - (y - centre[:, 1]) ** 2
    return float(np.where(inside >= 0, centre[:, 2] + np.sqrt(np.maximum(inside, 0)), -np.inf).max())


@pytest.mark.parametrize(
    ("start", "end", "ra", "rb"),
    [
        ([-0.7, -0.3, 0.0], [0.6, 0.4, 0.0], 0.30, 0.15),
        ([-0.3, 0.2, -0.8], [0.4, -0.1, 0.9], 0.20, 0.35),
        ([0.1, 0.0, 0.5], [-0.2, 0.3, -0.6], 0.35, 0.10),
        ([0.0, 0.0, -0.5], [0.02, 0.0, 0.5], 0.40, 0.20),  # seen along its axis
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.50, 0.50),  # a sphere
    ],
)
def test_depth_is_that_of_the_spheres_along_the_capsule(
    start: list[float], end: list[float], ra: float, rb: float
) -> None:
    body, points = capsule(start, end, ra, rb)
    _, depth = picture(body, points)
    hits = 0
    for row in range(0, 300, 7):
        for column in range(0, 300, 7):
            z = nearest_surface((column + 0.5 - 150) / 100, (149.5 - row) / 100, body, points)
            shown = -float(depth[row, column])
            if np.isfinite(z) and np.isfinite(shown):
                hits += 1
                assert shown == pytest.approx(z, abs=0.06)
    assert hits > 20


def test_area_of_a_sphere_is_smooth_at_its_edge() -> None:
    body, points = capsule([0.003, 0.004, 0], [0.003, 0.004, 0], 0.5, 0.5)
    image, depth = picture(body, points)
    assert np.isfinite(depth).sum() == pytest.approx(np.pi * 50**2, rel=0.01)
    assert ((image.max(-1) > 0.02) & (image.max(-1) < 0.3)).any()  # pixels that are covered in part


def test_floor_lines_stay_on_the_floor_when_the_camera_moves() -> None:
    views = [look_at(np.array([x, 1.0, 0.0]), 2.2, (200, 200)) for x in (0.0, 1.0)]
    backdrop = Backdrop(views[0], Theme(), 0.0, 1.9)
    again = Backdrop(views[1], Theme(), 0.0, 1.9)
    assert np.allclose(backdrop.image(views[1].eye), again.image(views[1].eye), atol=1e-3)
    # One metre on is a whole number of cells: the picture is the same; a quarter on, it is not.
    assert np.allclose(backdrop.image(views[0].eye), backdrop.image(views[1].eye), atol=1e-3)
    aside = backdrop.image(views[0].eye + np.array([0.25, 0, 0]))
    assert np.abs(backdrop.image(views[0].eye) - aside).max() > 0.05


def test_shadows_darken_the_floor_beside_a_body(walking: Callable[..., Clip]) -> None:
    clip = walking(1)
    view = look_at(np.array([0, 0.9, 0]), 2.2, (200, 200))
    image = np.ones((200, 200, 3), np.float32)
    body = build_body(clip)
    cast_shadow(image, view, body, body.place(clip.joints[0].astype(float)), 0.0, 1.8, 0.4)
    assert 0.55 <= image.min() < 0.75
    assert (image[:60] == 1).all()


def test_sides_are_read_from_names() -> None:
    left = ["left_knee", "LeftKnee", "l_knee", "UpperLeg_L", "arm.l", "LHipJoint", "mixamorig:LeftArm"]
    assert [side_of(name) for name in left] == [1] * len(left)
    assert [side_of(name.replace("eft", "ight").replace("l_k", "r_k")) for name in ["LeftKnee", "l_knee"]] == [0, 2]
    assert [side_of(name) for name in ("RightKnee", "Toes_R", "RThumb", "pelvis", "lower_spine", "Head")] == [
        2,
        2,
        2,
        0,
        0,
        0,
    ]


def test_human_bodies_are_the_same_on_both_sides(walking: Callable[..., Clip]) -> None:
    body = build_body(walking(2))
    assert (body.tones == 1).sum() == (body.tones == 2).sum() > 8
    assert np.allclose(body.weights.sum(1), 1)
    assert human_roles(get_skeleton("coco_upper")) is None
    assert bone_lengths(walking(3))[1:].min() > 0.05
    snake = Skeleton("snake", tuple("abcdefgh"), (-1, *range(7)))
    clip = Clip(np.cumsum(np.full((2, 8, 3), 0.1, np.float32), 1), 20, snake)
    assert len(build_body(clip).ends) == 7


def test_poses_between_frames(walking: Callable[..., Clip]) -> None:
    clip = walking(30)
    assert np.allclose(pose_at(clip, 0.525), (clip.joints[10] + clip.joints[11]) / 2)
    assert np.allclose(pose_at(clip, 99), clip.joints[-1])
    assert np.allclose(smooth_root(clip)[15], clip.joints[15, 0], atol=1e-5)
    floor, height = extent(clip)
    assert floor == 0.0
    assert 1.5 < height < 1.9


def test_key_points_of_an_image_get_a_figure() -> None:
    skeleton = get_skeleton("coco_upper")
    rows = """0 75 3 78 -3 78 7 76 -7 76 18 55 -18 55 30 30 -25 30 35 50 -45 45 12 0 -12 0"""
    flat = np.array(rows.split(), np.float32).reshape(13, 2) / 100
    clip = Clip(np.pad(flat, ((0, 0), (0, 1)))[None], 15, skeleton)
    body = build_body(clip)
    assert {0, 1, 2, 3} == set(body.tones)
    assert np.allclose(body.weights.sum(1), 1)
    floor, height = extent(clip)
    assert floor == 0
    assert height > 0.78
    assert np.allclose(middle(clip), [-0.05, 0.39, 0])


def test_light_shadow_and_floor_are_what_they_were(walking: Callable[..., Clip]) -> None:
    """As numbers, finer than a picture's steps: floors of other sizes and cameras, shadows far and near, all tones."""
    made: dict[str, np.ndarray] = {}
    for k, (target, tall, options, size, reach) in enumerate([
        (np.array([0.3, 0.9, -0.2]), 2.2, {}, 1.9, None),
        (np.array([-1.0, 0.2, 2.0]), 4.0, {"yaw": 1.1, "pitch": 0.6}, 1.2, 0.9),
        (np.array([0.0, 1.0, 0.0]), 2.0, {"yaw": -0.4, "pitch": 0.05}, 1.8, 6.0),
    ]):  # fmt: skip
        view = look_at(target, tall, (60, 44), **options)
        backdrop = Backdrop(view, Theme(), 0.0 if k != 1 else -0.3, size, reach)
        made[f"floor {k}"] = backdrop.image(view.eye + np.array([0.13, 0.0, 0.29]))
    clip = walking(30)
    body, points = build_body(clip), build_body(clip).place(clip.joints[25].astype(float))
    for k, lift in enumerate((0.0, 0.12, 0.6)):
        view = look_at(np.array([0, 0.7, 1.4]), 2.4, (60, 60))
        image = np.ones((60, 60, 3), np.float32)
        cast_shadow(image, view, body, points + np.array([0, lift, 0]), 0.0, 1.7, 0.42)
        made[f"shadow {k}"] = image[..., 0]
    for k, (yaw, pitch) in enumerate(((0.0, 0.1), (2.1, 0.4), (-1.2, -0.3))):
        view = look_at(np.array([0, 0.8, 1.4]), 2.0, (56, 56), yaw=yaw, pitch=pitch)
        image, depth = np.full((56, 56, 3), 0.5, np.float32), np.full((56, 56), np.inf, np.float32)
        draw_body(image, depth, view, body, points, tones("light"), 1.7)
        made[f"body {k}"] = image
        made[f"depth {k}"] = np.where(np.isfinite(depth), depth - (view.eye - [0, 0.8, 1.4]) @ view.back, 9.0)
    check_stored("raster", {name: values.astype(np.float16) for name, values in made.items()}, atol=2e-3)


@pytest.mark.parametrize("eye", [0.0, -0.1])
def test_a_floor_at_or_above_the_eye_is_not_seen(eye: float) -> None:
    view = look_at(np.array([0, eye, 0]), 2.0, (20, 20), pitch=0.0)
    floor = float(view.eye[1])
    for level in (floor, floor + 0.5):
        image = Backdrop(view, Theme(), level, 1.8).image(view.eye)
        assert np.ptp(image, axis=(0, 1)).max() == 0
    assert np.ptp(Backdrop(view, Theme(), floor - 0.5, 1.8).image(view.eye), axis=(0, 1)).max() > 0.01


def test_a_camera_that_looks_up_sees_no_floor() -> None:
    view = look_at(np.array([0, 30.0, 0]), 2.0, (20, 20), pitch=-1.0)
    assert view.eye[1] > 0
    assert np.ptp(Backdrop(view, Theme(), 0.0, 1.8).image(view.eye), axis=(0, 1)).max() == 0


def test_what_is_outside_of_the_picture_or_smaller_than_a_pixel_is_not_drawn() -> None:
    body, points = capsule([0, 0, 0], [0.1, 0, 0], 0.1, 0.1)
    for aside in ([5.0, 0, 0], [-5.0, 0, 0], [0, 5.0, 0], [0, -5.0, 0]):
        image, depth = picture(body, points + aside)
        assert image.max() == 0
        assert not np.isfinite(depth).any()
        floor = np.ones((40, 40, 3), np.float32)
        cast_shadow(
            floor,
            look_at(np.zeros(3), 1.0, (40, 40)),
            body,
            points + np.array(aside) * [9, 0, 0] + [0, 0.1, 0],
            0.0,
            1.8,
            0.4,
        )
        assert (floor.min() == 1) == (aside[0] != 0)
    tiny, points = capsule([0, 0, 0], [0, 0, 0], 1e-4, 1e-4)  # where four pixels meet
    image, depth = picture(tiny, points)
    assert not np.isfinite(depth).any()


@pytest.mark.parametrize(
    ("p", "q", "radii", "squash", "wanted"),
    [
        ((10.0, 20.0), (30.0, 25.0), (2.0, 3.0), 1.0, (8, 34, 18, 29)),
        ((30.0, 25.0), (10.0, 20.0), (3.0, 2.0), 1.0, (8, 34, 18, 29)),
        ((10.0, 20.0), (30.0, 25.0), (2.0, 4.0), 0.5, (8, 35, 19, 28)),
        ((10.6, 20.6), (12.2, 20.2), (0.5, 1.0), 1.0, (10, 14, 19, 22)),
        ((1.0, 2.0), (3.0, 1.0), (4.0, 4.0), 1.0, (0, 8, 0, 7)),
        ((45.0, 35.0), (47.0, 37.0), (4.0, 8.0), 1.0, (39, 50, 29, 40)),
        ((45.0, 35.0), (47.0, 37.0), (8.0, 2.0), 0.25, (37, 50, 33, 38)),
        ((49.0, 10.0), (49.5, 10.0), (0.0, 0.0), 1.0, (49, 50, 10, 11)),
        ((50.0, 10.0), (52.0, 10.0), (0.0, 0.0), 1.0, None),
        ((-3.0, 10.0), (-2.0, 10.0), (0.5, 0.5), 1.0, None),
        ((10.0, 41.0), (10.0, 42.0), (0.5, 0.5), 1.0, None),
        ((10.0, -9.0), (10.0, -8.0), (2.0, 3.0), 1.0, None),
    ],
)
def test_boxes_hold_both_discs_and_no_more_than_the_picture(
    p: tuple, q: tuple, radii: tuple[float, float], squash: float, wanted: tuple | None
) -> None:
    assert _box(np.array(p), np.array(q), *radii, (50, 40), squash) == wanted
