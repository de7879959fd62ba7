"""The lift to 3-D against bodies whose depth is known: seen from the front, lifted, compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from stored_arrays import check_stored

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.conducting.lift import in_space, lift, views
from motion_platform.motion.inverse_kinematics import posed
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import get_skeleton

AT = get_skeleton("coco_upper").index
UPPER, FORE = 0.30, 0.27


def body(frames: int = 240, noise: float = 0.0) -> np.ndarray:
    """(T, 13, 3): upright, both hands beat in front of the chest; elbows by two bones of fixed length."""
    clock = np.arange(frames) / 30
    joints = np.zeros((frames, 13, 3))
    for side, sign in (("left", 1), ("right", -1)):
        joints[:, AT(f"{side}_hip")] = [0.1 * sign, 0.95, 0]
        joints[:, AT(f"{side}_shoulder")] = [0.18 * sign, 1.46, 0]
        joints[:, AT(f"{side}_ear")] = [0.075 * sign, 1.66, 0.02]
        joints[:, AT(f"{side}_eye")] = [0.032 * sign, 1.685, 0.11]
        shoulder = joints[:, AT(f"{side}_shoulder")]
        reach = np.stack(
            [
                sign * (0.05 + 0.06 * np.sin(3 * clock)),
                -0.25 + 0.09 * np.sin(7 * clock),
                0.36 + 0.05 * np.sin(2 * clock),
            ],
            -1,
        )
        far = np.linalg.norm(reach, axis=-1)[:, None]
        along, share = reach / far, (UPPER**2 - FORE**2 + far**2) / (2 * far)
        down = np.array([0.5 * sign, -1.0, 0.0]) - along * (along @ [0.5 * sign, -1.0, 0.0])[:, None]
        down /= np.linalg.norm(down, axis=-1, keepdims=True)
        joints[:, AT(f"{side}_elbow")] = shoulder + share * along + np.sqrt(UPPER**2 - share**2) * down
        joints[:, AT(f"{side}_wrist")] = shoulder + reach
    joints[:, AT("nose")] = [0, 1.64, 0.13]
    return joints + noise * np.random.default_rng(0).normal(size=joints.shape)


def flat(joints: np.ndarray) -> Clip:
    return Clip((joints * [1, 1, 0]).astype(np.float32), 30.0, get_skeleton("coco_upper"), captions=("conducts",))


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_bones_keep_their_lengths(noise: float) -> None:
    clip = lift(flat(body(noise=noise)))
    for parent, child in clip.skeleton.bones:
        length = np.linalg.norm(clip.joints[:, child] - clip.joints[:, parent], axis=-1)
        assert np.ptp(length) < 1e-5, clip.skeleton.joints[child]
    for bone in ("elbow", "wrist"):
        left, right = (
            np.linalg.norm(
                clip.joints[0, clip.skeleton.index(f"{side}_{bone}")]
                - clip.joints[0, clip.skeleton.parents[clip.skeleton.index(f"{side}_{bone}")]]
            )
            for side in ("left", "right")
        )
        assert left == pytest.approx(right, abs=1e-5)


def test_hands_stay_where_they_are_seen_and_come_forward() -> None:
    truth = body()
    clip = lift(flat(truth))
    for joint in ("left_wrist", "right_wrist", "left_elbow", "right_elbow", "left_shoulder", "nose"):
        found, real = clip.joints[:, clip.skeleton.index(joint)], truth[:, AT(joint)]
        moved = np.linalg.norm((found - real)[:, :2], axis=-1)
        assert np.quantile(moved, 0.95) < 0.02, joint
        if "wrist" in joint:
            assert moved.mean() < 0.006
            assert np.abs(found - real)[:, 2].mean() < 0.08  # metres of depth: the truth is 0.31 to 0.41
            assert found[:, 2].min() > 0.2
        if "elbow" in joint:
            assert np.corrcoef(found[:, 2], real[:, 2])[0, 1] > 0.7


def test_a_turned_trunk_turns_towards_the_nose() -> None:
    truth = body()
    for angle in (0.5, -0.5):  # about Y; positive turns the front towards X+, the conductor's left
        c, s = np.cos(angle), np.sin(angle)
        turned = truth @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
        still = np.concatenate([turned, np.repeat(truth[:1], 100, 0)])  # the width is seen somewhere in the clip
        clip = lift(flat(still))
        left, right = (clip.joints[120, clip.skeleton.index(f"{side}_shoulder")] for side in ("left", "right"))
        found = np.arctan2(right[2] - left[2], left[0] - right[0])
        assert found == pytest.approx(angle, abs=0.1)


@pytest.mark.parametrize("rise", [0.06, -0.06])
def test_a_head_nods_the_way_the_nose_is_seen(rise: float) -> None:
    truth = body()
    truth[:, AT("nose"), 1] = truth[:, [AT("left_ear"), AT("right_ear")], 1].mean(1) + rise
    clip = lift(flat(truth))
    ears = [clip.skeleton.index(f"{side}_ear") for side in ("left", "right")]
    found = clip.joints[:, clip.skeleton.index("nose"), 1] - clip.joints[:, ears, 1].mean(1)
    assert found == pytest.approx(rise, abs=0.02)


def test_the_feet_stand_apart_and_point_outward() -> None:
    clip = lift(flat(body()))
    x = {joint: clip.joints[:, j, 0] for j, joint in enumerate(clip.skeleton.joints)}
    for side, outward in (("left", 1), ("right", -1)):  # facing Z+, the body's left is X+
        assert (outward * (x[f"{side}_ankle"] - x[f"{side}_hip"]) > 0.01).all()
        assert (outward * (x[f"{side}_foot"] - x[f"{side}_ankle"]) > 0.01).all()


def test_shoulders_that_sink_are_no_leaning_and_a_bow_is() -> None:
    for sunk, forward in ((0.045, 0.0), (0.15, 0.2)):  # metres of 0.51: 9 %, as generated conductors do at rest; 29 %
        truth = body()
        above = [k for k in range(13) if k not in (AT("left_hip"), AT("right_hip"))]
        truth[:60, above, 1] -= sunk
        clip = lift(flat(truth))
        lean = clip.joints[30, clip.skeleton.index("neck"), 2] - clip.joints[30, clip.skeleton.index("pelvis"), 2]
        assert lean == pytest.approx(0.0, abs=1e-6) if forward == 0 else lean > forward


def test_noise_does_not_shake_the_depth() -> None:
    clean, noisy = (
        lift(flat(body(noise=noise))).joints[:, get_skeleton("conductor").index("right_wrist")]
        for noise in (0.0, 0.003)
    )
    assert np.abs(np.diff(noisy[:, 2], 2)).mean() < np.abs(np.diff(noisy[:, 1], 2)).mean()
    assert np.abs(clean - noisy)[:, 2].mean() < 0.05


def test_the_body_stands_on_the_floor() -> None:
    clip = lift(flat(body()))
    feet = clip.joints[:, [clip.skeleton.index(f"{side}_foot") for side in ("left", "right")]]
    assert np.ptp(feet, axis=0).max() < 1e-6
    assert 0 <= feet[..., 1].min() < 0.05
    knees = clip.joints[:, clip.skeleton.index("left_knee")]
    assert (knees[:, 2] > clip.joints[:, clip.skeleton.index("left_hip"), 2] - 0.02).all()


def test_files_of_animation_and_other_bodies_take_it() -> None:
    clip = lift(flat(body(60)))
    local, offsets, moved = posed(clip)
    assert set(moved) == {0}
    assert np.isfinite(local).all()
    assert offsets[clip.skeleton.index("left_elbow")][0] > 0.25  # rests in a T-pose
    made = to_humanml3d(clip)
    assert made.info["convention"] == "conductor"
    assert made.joints[:, made.skeleton.index("left_wrist"), 2].mean() > 0.15


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_clips(frames: int) -> None:
    assert len(lift(flat(body(frames)))) == frames


def test_a_body_in_one_point_is_finite() -> None:
    assert np.isfinite(lift(flat(np.zeros((4, 13, 3)))).joints).all()


def test_views_and_other_skeletons() -> None:
    one, other = flat(body(3)), Clip(np.zeros((2, 22, 3), np.float32), 20, get_skeleton("humanml3d"))
    assert [clip.skeleton.name for clip in views([one, other], "both")] == ["conductor", "coco_upper", "humanml3d"]
    assert [clip.skeleton.name for clip in views([one], "2d")] == ["coco_upper"]
    assert [clip.skeleton.name for clip in views([one], "3d")] == ["conductor"]
    assert in_space(other) is other
    with pytest.raises(DataError, match="only coco_upper is lifted"):
        lift(other)


def test_a_lift_is_what_it_was() -> None:
    """A bow, a turn, a nod, a lean and hands that cross: every number of the lift is in one of them."""
    truth, t = body(150, noise=0.002), np.arange(150)[:, None] / 30
    above = [k for k in range(13) if k not in (AT("left_hip"), AT("right_hip"))]
    truth[:, above, 1] -= 0.15 * np.sin(t) ** 2
    truth[:, above, 0] += 0.08 * np.sin(1.7 * t)
    truth[:, [AT(joint) for joint in ("nose", "left_eye", "right_eye")], 1] += 0.05 * np.sin(2.3 * t)
    c, s = np.cos(0.6 * np.sin(t[:, 0])), np.sin(0.6 * np.sin(t[:, 0]))
    turned = np.stack([truth[..., 0] * c[:, None] + truth[..., 2] * s[:, None], truth[..., 1], truth[..., 2]], -1)
    turned[75:, AT("left_wrist"), 0] -= 0.25 * (t[75:, 0] - 2.5)
    turned[20:30, AT("left_elbow")] = turned[20:30, AT("left_shoulder")] + [0.6, -0.3, 0]
    turned[40:60, AT("right_wrist")] = turned[40:60, AT("right_shoulder")] + [-0.7, 0.2, 0]  # further than an arm
    check_stored("lift", {"joints": lift(flat(turned)).joints[::3]}, atol=2e-5)


def test_only_a_conductor_in_the_image_plane_is_lifted() -> None:
    source = get_skeleton("coco_upper")
    clip = flat(body(4))
    assert in_space(clip).skeleton.dims == 3
    in_depth = Clip(body(4).astype(np.float32), 30.0, replace(source, dims=3))
    other = Clip(
        clip.joints, 30.0, replace(source, joints=("x", *source.joints[1:]), parts={}, mirror={}, extra_edges=())
    )
    for kept in (in_depth, other):
        assert in_space(kept) is kept


def test_lifts_of_other_bodies_rates_and_places_are_what_they_were() -> None:
    """Wandering key points of people who are small, large, wide, above or below the floor, or cut into few frames."""
    made: dict[str, np.ndarray] = {}
    for k, (size, rise, wide, frames, fps) in enumerate([
        (1.0, 0.0, 1.0, 60, 30.0), (0.6, 0.0, 1.0, 45, 15.0), (1.4, 0.5, 0.7, 45, 60.0), (1.0, -0.6, 1.5, 45, 25.0),
        (1.0, 0.08, 1.0, 2, 30.0), (1.0, -0.08, 1.0, 1, 30.0),
    ]):  # fmt: skip
        random = np.random.default_rng(k)
        drift = gaussian_filter1d(random.normal(size=(max(frames, 2), 13, 3)), 3.0, axis=0)[:frames]
        joints = size * (body(frames) + 0.05 * drift / drift.std()) * [wide, 1, 1] + [0, rise, 0]
        made[f"{k}"] = lift(replace(flat(joints), fps=fps)).joints[:: max(1, frames // 6)]
    check_stored("lifts", made, atol=5e-5)
