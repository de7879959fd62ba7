"""Bones that keep their lengths and feet that stand, on a real walk with faults put into it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from stored_arrays import check_stored

from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.motion import io
from motion_platform.motion.foot_lock import _contact, _gaussian, constant_bones, lock_feet, standing
from motion_platform.motion.representations import get_representation
from motion_platform.motion.retarget import resample, to_humanml3d
from motion_platform.motion.skeleton import get_skeleton

BODY = get_skeleton("humanml3d")
FEET = [BODY.index("left_foot"), BODY.index("right_foot")]


@pytest.fixture(scope="module")
def walk(sample_root) -> np.ndarray:
    clip = to_humanml3d(io.load(sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh"), uniform=False)
    joints = resample(clip.joints, clip.fps, 20.0)
    return joints - [0, joints[:, FEET, 1].min(), 0]


def slide(joints: np.ndarray) -> float:
    """Mean speed of the slower of the low feet, cm/s."""
    foot = joints[:, FEET]
    low = np.maximum(foot[1:, :, 1], foot[:-1, :, 1]) < 0.08
    speed = np.where(low, np.linalg.norm(np.diff(foot[..., [0, 2]], axis=0), axis=-1) * 2000, np.inf).min(1)
    return float(speed[np.isfinite(speed)].mean())


def lengths(joints: np.ndarray) -> np.ndarray:
    parent, child = (list(ends) for ends in zip(*BODY.bones, strict=True))
    return np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)


def test_bones_keep_their_median_length_and_their_directions(walk) -> None:
    breathing = walk * (1 + 0.05 * np.sin(np.arange(len(walk)) / 3))[:, None, None]
    still = constant_bones(breathing, BODY)
    assert np.ptp(lengths(still), axis=0).max() < 1e-9
    np.testing.assert_allclose(lengths(still)[0], np.median(lengths(breathing), axis=0))
    parent, child = BODY.bones[7]
    unit = [(x[:, child] - x[:, parent]) / lengths(x)[:, 7:8] for x in (breathing, still)]
    np.testing.assert_allclose(*unit, atol=1e-9)


@pytest.mark.parametrize("fault", ["the body drifts", "the feet swim"])
def test_a_walk_that_slides_stands_again(walk, fault: str) -> None:
    bad, t = walk.copy(), np.arange(len(walk)) / 20
    if fault == "the body drifts":
        bad[..., 2] += 0.25 * t[:, None]
    else:
        bad[:, [*FEET, BODY.index("left_ankle"), BODY.index("right_ankle")], 0] += 0.03 * np.sin(6 * t)[:, None]
    mended = lock_feet(bad, 20.0, BODY)
    assert slide(bad) > slide(walk) + 5
    assert slide(mended) < 0.5 * slide(bad)
    assert np.abs(lengths(mended) - lengths(bad))[:, :8].max() < 0.12, "a leg was torn"
    hips = [BODY.index("left_hip"), BODY.index("left_knee")]
    thigh = [np.linalg.norm(x[:, hips[1]] - x[:, hips[0]], axis=-1) for x in (bad, mended)]
    np.testing.assert_allclose(*thigh, atol=1e-6)


def test_a_drift_of_the_body_is_taken_from_its_way(walk) -> None:
    drifting = walk + np.arange(len(walk))[:, None, None] / 20 * [0, 0, 0.25]
    back = lock_feet(drifting, 20.0, BODY)
    off = np.linalg.norm((back - lock_feet(walk, 20.0, BODY))[:, 0], axis=-1)
    assert off.max() < 0.25 * 0.25 * len(walk) / 20


def test_what_stands_and_what_flies_is_left_alone(walk) -> None:
    up = walk + np.array([0, 0.5, 0])
    np.testing.assert_array_equal(lock_feet(up, 20.0, BODY), up)
    statue = np.repeat(walk[:1], 40, axis=0)
    np.testing.assert_allclose(lock_feet(statue, 20.0, BODY), statue, atol=1e-4)
    np.testing.assert_array_equal(lock_feet(walk[:2], 20.0, BODY), walk[:2])
    arms = get_skeleton("coco_upper")
    wave = np.random.default_rng(0).normal(size=(30, len(arms), 3))
    np.testing.assert_array_equal(lock_feet(wave, 20.0, arms), wave)


def test_features_go_through_with_their_lengths(walk) -> None:
    representation = get_representation("humanml3d_essential")
    drifting = walk + np.arange(len(walk))[:, None, None] / 20 * [0, 0, 0.25]
    x = torch.from_numpy(representation.encode(drifting))
    spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(67), torch.ones(67))
    batch = Motion(torch.stack([x, x]), torch.tensor([len(x), 1]), spec)
    mended = standing(batch)
    assert mended.x.shape == batch.x.shape
    assert mended.x.dtype == batch.x.dtype
    torch.testing.assert_close(mended.x[1], batch.x[1])
    joints = [representation.to_joints(each.x[0].numpy()) for each in (batch, mended)]
    assert slide(joints[1]) < 0.5 * slide(joints[0])


@pytest.mark.parametrize("frames", [1, 3, 200])
def test_the_average_over_time_is_scipys(frames: int) -> None:
    values = np.random.default_rng(5).normal(size=(frames, 3))
    wanted = gaussian_filter1d(values, 2.0, axis=0, mode="constant")
    np.testing.assert_allclose(_gaussian(values, 2.0), wanted, rtol=0, atol=1e-14)


def test_what_is_mended_is_what_it_was(walk) -> None:
    """Every border and width decides where a foot stands: on a drift, on feet that swim, at another frame rate."""
    t = np.arange(len(walk)) / 20
    drift, swim = walk.copy(), walk.copy()
    drift[..., 2] += 0.25 * t[:, None]
    swim[:, [*FEET, BODY.index("left_ankle"), BODY.index("right_ankle")], 0] += 0.03 * np.sin(6 * t)[:, None]
    quick = resample(drift.astype(np.float32), 20.0, 50.0)
    made = {
        "drift": lock_feet(drift, 20.0, BODY)[::2],
        "swim": lock_feet(swim, 20.0, BODY)[::2],
        "quick": lock_feet(quick, 50.0, BODY)[::8],
    }
    check_stored("foot_lock", {name: joints[:, :12].astype(np.float32) for name, joints in made.items()}, atol=2e-5)


@pytest.mark.parametrize("fps", [20.0, 60.0])
def test_a_foot_carries_where_it_is_low_slow_and_for_long_enough(fps: float) -> None:
    def foot(height: float = 0.0, speed: float = 0.0, frames: int = 40) -> np.ndarray:
        return np.stack([speed * np.arange(frames) / fps, np.full(frames, height), np.zeros(frames)], -1)

    for height, carries in ((0.079, True), (0.081, False)):
        assert (_contact(foot(height), fps) == carries).all()
    for speed, carries in ((0.59, True), (0.61, False), (-0.59, True), (-0.61, False)):
        assert (_contact(foot(0.0, speed), fps) == carries).all()
    least = int(np.ceil(0.15 * fps))
    for count in (least - 1, least):
        up = foot()
        up[:, 1] = 0.2
        up[10 : 10 + count, 1] = 0.0
        assert _contact(up, fps).sum() == (count if count == least else 0)


def test_one_frame_between_two_contacts_is_one_and_two_are_none() -> None:
    for gap in (1, 2):
        foot = np.zeros((40, 3))
        foot[20 : 20 + gap, 1] = 0.2
        wanted = np.ones(40, bool)
        wanted[20 : 20 + gap] = gap == 1
        np.testing.assert_array_equal(_contact(foot, 20.0), wanted)
    for end in (0, 39):  # at an end nothing is between
        foot = np.zeros((40, 3))
        foot[end, 1] = 0.2
        assert not _contact(foot, 20.0)[end]
        assert _contact(foot, 20.0).sum() == 39


@pytest.mark.parametrize(("fps", "least"), [(10.0, 3), (5.0, 3), (20.0, 4), (60.0, 10)])
def test_a_motion_as_short_as_a_contact_is_left_alone(fps: float, least: int) -> None:
    """Its length in frames and one, at least three: from there on what slides by a tenth of a metre a second stands."""
    joints = np.zeros((least, 22, 3))
    for parent, child in BODY.bones:
        joints[:, child] = joints[:, parent] + BODY.offsets[child]
    joints[..., 1] -= joints[:, FEET, 1].min()
    joints[..., 0] += 0.1 * np.arange(least)[:, None] / fps
    np.testing.assert_array_equal(lock_feet(joints[:-1], fps, BODY), joints[:-1])
    assert np.ptp(lock_feet(joints, fps, BODY)[:, FEET[0], 0]) < 0.5 * np.ptp(joints[:, FEET[0], 0])
