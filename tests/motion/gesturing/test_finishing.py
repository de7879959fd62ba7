"""Hands rest in pauses and nowhere else; a wrist that is too fast goes the same way more slowly."""

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.motion.gesturing import finishing
from motion_platform.motion.gesturing.accents import Phrase
from motion_platform.motion.gesturing.emotions import Manner
from motion_platform.motion.gesturing.finishing import REACH, paced, postured, rested, resting, spread, wrist_speeds
from motion_platform.motion.gesturing.library import SKELETON, packaged, rotation_vectors
from motion_platform.motion.gesturing.perform import at_rest, perform
from motion_platform.motion.gesturing.plan import GesturePlan
from motion_platform.motion.io.euler import axis_angle_to_quaternion, forward_kinematics, quaternion_multiply
from motion_platform.motion.skeleton import get_skeleton

SECONDS = np.arange(200) / 20


def swing(times, frames=200, width=1.5, angle=2.0):
    """A body whose right shoulder turns by ``angle`` radians around each of these frames, a Gaussian's width long."""
    skeleton = get_skeleton(SKELETON)
    frame = np.arange(frames)
    turned = angle * sum(np.exp(-0.5 * ((frame - t) / width) ** 2) for t in times)
    rotations = np.zeros((frames, len(skeleton), 4))
    rotations[..., 3] = 1
    rotations[:, skeleton.index("right_shoulder")] = axis_angle_to_quaternion(turned[:, None] * [0.0, 1.0, 0.0])
    return rotations, skeleton


def test_hands_rest_before_after_and_in_long_pauses_alone():
    phrases = [Phrase(2.0, 3.0), Phrase(3.8, 5.0), Phrase(7.0, 8.0)]  # pauses of 0.8 and 2 s
    weight = resting(phrases, [], 1.2, SECONDS)
    assert weight[0] == 1
    assert weight[-1] == 1
    assert weight[(SECONDS >= 2.0) & (SECONDS <= 5.2)].max() == 0
    assert weight[(SECONDS >= 7.0) & (SECONDS <= 8.2)].max() == 0
    assert weight[(SECONDS > 5.2) & (SECONDS < 7.0)].max() > 0.9
    assert np.abs(np.diff(weight)).max() < 0.2  # never at once
    assert resting([], [], 1.2, SECONDS).min() == 1
    assert resting([Phrase(0.0, 10.0)], [], 1.2, SECONDS).max() == 0


def test_a_stroke_that_is_asked_for_in_silence_is_not_rested_away():
    weight = resting([], [5.0], 1.2, SECONDS)
    assert weight[(SECONDS > 4.5) & (SECONDS < 5.6)].max() == 0
    assert weight[0] == 1


def test_blending_takes_the_resting_pose_by_weight_and_leaves_the_rest_bit_for_bit():
    rotations, _ = swing([100])
    weight = resting([Phrase(4.0, 6.0)], [], 1.2, SECONDS)
    rest = at_rest(packaged(), SECONDS, Manner())
    made = rested(rotations, rest, weight)
    assert np.array_equal(made[weight == 0], rotations[weight == 0])
    agree = np.abs((made[weight == 1] * rest[weight == 1]).sum(-1))
    assert agree.min() > 1 - 1e-9


def test_the_trunk_is_bent_as_the_manner_says_in_the_mean_and_gestures_keep_their_own_turns():
    skeleton = get_skeleton(SKELETON)
    rest = at_rest(packaged(), SECONDS, Manner(spine=12.0, head=-5.0))
    spine, wrist = skeleton.index("spine2"), skeleton.index("left_wrist")
    wrong = at_rest(packaged(), SECONDS, Manner())
    nod = axis_angle_to_quaternion(np.radians(8 * np.sin(2 * np.pi * SECONDS))[:, None] * [0.0, 0.0, 1.0])
    wrong[:, spine] = quaternion_multiply(wrong[:, spine], nod)
    made = postured(wrong, rest, skeleton, 20.0)
    off = rotation_vectors(quaternion_multiply(rest[:, spine], made[:, spine] * [-1, -1, -1, 1]))
    assert np.degrees(np.linalg.norm(off.mean(0))) < 0.5  # it was 4
    assert np.degrees(np.abs(off[:, 2]).max()) == pytest.approx(8, abs=0.5)  # a turn a second stays whole
    assert np.array_equal(made[:, wrist], wrong[:, wrist])


def test_resting_is_a_plan_without_strokes():
    manner = Manner(shoulders=5.0, spine=4.0, spread=3.0)
    _, rotations = perform(GesturePlan((), ()), 60, 20.0, packaged(), manner)
    alone = at_rest(packaged(), np.arange(60) / 20, manner)
    assert np.abs((alone * rotations).sum(-1)).min() > 1 - 1e-6


@pytest.mark.parametrize("at", [[100], [2], [60, 66, 140]])
def test_a_wrist_is_never_faster_than_the_limit_and_goes_the_same_way(at):
    rotations, skeleton = swing(at)
    before = wrist_speeds(rotations, skeleton, 20.0)
    limit = 0.6 * before.max()
    made = paced(rotations, skeleton, 20.0, limit)
    after = wrist_speeds(made, skeleton, 20.0)
    assert after.max() <= limit
    shoulder = skeleton.index("right_shoulder")
    angle = 2 * np.arctan2(made[:, shoulder, 1], made[:, shoulder, 3])
    asked = 2 * np.arctan2(rotations[:, shoulder, 1], rotations[:, shoulder, 3])
    assert angle.max() == pytest.approx(asked.max(), rel=0.15)  # slower, not smaller
    far = np.min([np.abs(np.arange(200) - t) for t in at], axis=0) > 30
    assert np.array_equal(made[far], rotations[far])


def test_a_motion_below_the_limit_stays_bit_for_bit():
    rotations, skeleton = swing([100])
    assert paced(rotations, skeleton, 20.0, 50.0) is rotations
    assert len(paced(rotations[:1], skeleton, 20.0, 0.1)) == 1


def test_what_is_too_fast_goes_to_the_frames_around_and_nothing_is_lost():
    speed = np.full(60, 0.5)
    speed[30] = 4.0
    made = spread(speed, 1.0)
    assert made.max() <= 1.0 + 1e-6
    assert made.sum() == pytest.approx(speed.sum())
    assert made[:10] == pytest.approx(speed[:10])
    assert made[30 - 2 * REACH : 30 + 2 * REACH].mean() > 0.75
    edge = np.array([5.0, *[0.1] * 40])
    assert spread(edge, 1.0).sum() == pytest.approx(edge.sum())


@pytest.mark.parametrize("size", [2.0**-12, 2.0**12])
def test_speeds_are_spread_alike_whatever_they_are_counted_in(size):
    speed = np.random.default_rng(0).uniform(0, 2.0, 80)
    np.testing.assert_allclose(spread(size * speed, size * 1.5), size * spread(speed, 1.5), rtol=1e-9)
    assert (spread(size * speed, size * 1.5) <= size * 1.5 * (1 + 1e-6)).all()
    assert spread(size * speed, size * 1.5).sum() == pytest.approx(size * speed.sum())
    assert np.array_equal(spread(size * speed, size * 2.1), size * speed)


def test_what_has_no_room_stays_above():
    assert spread(np.full(30, 2.0), 1.0) == pytest.approx(2.0)


def test_how_much_hands_rest_is_a_product_of_two_ways() -> None:
    """Down by minimum jerk in 0.9 s from 0.2 s after the last word; up in the 0.6 s before the next."""
    from motion_platform.motion.gesturing.perform import rise

    phrases = [Phrase(1.0, 2.0), Phrase(3.2, 4.0), Phrase(5.19, 6.0)]  # pauses of 1.2 and 1.19 s
    made = resting(phrases, [8.0], 1.2, SECONDS)
    wanted = np.zeros(200)
    for k, t in enumerate(SECONDS):
        if t <= 1.0:
            wanted[k] = rise((1.0 - t) / 0.6)
        elif 2.2 <= t <= 3.2:
            wanted[k] = rise((t - 2.2) / 0.9) * rise((3.2 - t) / 0.6)
        elif 6.2 <= t <= 8.0 - 1.2 + 0.6:
            wanted[k] = rise((t - 6.2) / 0.9) * rise((7.4 - t) / 0.6)
        elif t >= 8.6:
            wanted[k] = rise((t - 8.6) / 0.9)
    np.testing.assert_allclose(made, wanted, atol=1e-9)
    assert made[(SECONDS > 2.2) & (SECONDS < 3.2)].max() > 0.1
    assert made[(SECONDS >= 4.0) & (SECONDS <= 6.0)].max() == 0
    inside = resting([Phrase(1.0, 9.0), Phrase(2.0, 3.0)], [], 0.5, SECONDS)  # one that began before goes on
    assert inside[(SECONDS >= 1.0) & (SECONDS <= 9.2)].max() == 0


def test_the_speed_of_a_wrist_is_that_of_the_faster_one() -> None:
    rotations, skeleton = swing([100])
    joints = forward_kinematics(rotations, np.array(skeleton.offsets), skeleton.parents)
    hands = joints[:, [skeleton.index("left_wrist"), skeleton.index("right_wrist")]]
    hands = hands - joints[:, [skeleton.index("pelvis")]]
    wanted = 30.0 * np.linalg.norm(np.diff(hands, axis=0), axis=-1).max(-1)
    np.testing.assert_allclose(wrist_speeds(rotations, skeleton, 30.0), wanted, atol=1e-4)
    assert wrist_speeds(rotations[:1], skeleton, 20.0).shape == (0,)


def test_long_motions_are_finished_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rotations, skeleton = swing([30, 100, 150])
    rest = at_rest(packaged(), SECONDS, Manner())
    weight = np.linspace(-0.2, 1, 200).clip(0)
    whole = rested(rotations, rest, weight), wrist_speeds(rotations, skeleton, 20.0)
    for block in (1, 7, 199, 200):
        monkeypatch.setattr(finishing, "BLOCK", block)
        np.testing.assert_allclose(rested(rotations, rest, weight), whole[0], atol=1e-12)
        np.testing.assert_allclose(wrist_speeds(rotations, skeleton, 20.0), whole[1], atol=1e-4)


def test_what_is_finished_is_what_it_was() -> None:
    rotations, skeleton = swing([20, 26, 100, 104, 190])
    made = {f"paced {limit:g}": paced(rotations, skeleton, 20.0, limit)[:, 17] for limit in (1.0, 3.0, 6.0)}
    speed = np.abs(np.random.default_rng(3).normal(1, 1, 60))
    made |= {f"spread {limit:g}": spread(speed, limit) for limit in (0.8, 1.5, 2.5)}
    rest = at_rest(packaged(), SECONDS, Manner(spine=12.0, head=-5.0))
    made["postured"] = postured(rotations, rest, skeleton, 20.0)[::10, :16]
    check_stored("finishing", made, atol=2e-5)
