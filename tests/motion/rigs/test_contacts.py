"""Feet that stand, each function over motions made here: against scipy or a closed form, else against what it made."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored

from motion_platform.motion.intervals import runs
from motion_platform.motion.rigs import contacts
from motion_platform.motion.rigs.contacts import bent, faded, held, lowering, stands, turned_on


def steps(seed: int, count: int = 90) -> np.ndarray:
    """Toes (T, 3) that stand, swing, slide and tread on the spot."""
    random = np.random.default_rng(seed)
    toe, at, high = [], np.zeros(3), 0.0
    while len(toe) < count:
        frames = int(random.integers(1, 14))
        speed, lift = random.choice([0.0, 0.012, 0.03, 0.09]), random.choice([0.0, 0.02, 0.06, 0.2])
        for k in range(frames):
            at = at + speed * np.array([0.6, 0.0, 0.8])
            high += (lift - high) * 0.5
            toe.append(at + np.array([0.0, high * np.sin(np.pi * (k + 1) / (frames + 1)), 0.0]))
    return np.array(toe[:count]) + random.normal(0, 0.001, (count, 3))


def test_which_frames_stand_is_what_it_was() -> None:
    made = {
        f"{seed} {fps:g} {leg:g}": stands(steps(seed), fps, leg)
        for seed in range(6)
        for fps, leg in ((20.0, 0.83), (30.0, 0.5), (60.0, 0.83), (7.0, 1.2))
    }
    check_stored("stands", made, atol=0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_less_than_three_frames_always_stand(count: int) -> None:
    toe = np.zeros((count, 3))
    toe[:, 0] = 5.0 * np.arange(count)
    assert stands(toe, 20.0).tolist() == [count < 3] * count


def test_a_gap_at_either_end_is_none_and_a_stand_there_counts_for_what_it_lasts() -> None:
    """Three frames are a tenth of a second at 30 fps: gaps inside of fewer are closed, those at the ends are not."""

    def found(pattern: str) -> str:
        """Toes that are in the air within gaps (a step up or down makes two frames fast), or jump where one has two."""
        toe = np.zeros((len(pattern), 3))
        for start, end in runs(np.array([sign == "." for sign in pattern])):
            begin, stop = (start if start == 0 else start + 1), (end if end == len(pattern) else end - 1)
            toe[begin:stop, 1] = 0.2
            if begin == stop:
                toe[begin:, 0] += 1.0
        return "".join("s" if value else "." for value in stands(toe, 30.0))

    assert found("..ssssssss..ssssss..") == "..ssssssssssssssss.."
    assert found("..sssss...sssss...") == "..sssss...sssss..."
    assert found("ss......sss.....ss") == "........sss......."
    assert found("sss.....ss.....sss") == "sss............sss"


def test_a_correction_runs_from_one_stand_to_the_next() -> None:
    """Between stands 3 s^2 - 2 s^3 of the way by turns, within a quarter of a second, as the definition says."""
    fps = 20.0  # five frames
    random = np.random.default_rng(1)
    values = random.normal(size=(40, 2))
    for spans in ([(4, 9), (12, 13), (30, 36)], [(0, 3), (25, 40)], [(10, 40)], [(0, 40)], []):
        standing = np.zeros(40, bool)
        for start, end in spans:
            standing[start:end] = True
        wanted = np.zeros((40, 2))
        for t in range(40):
            if standing[t]:
                wanted[t] = values[t]
                continue
            last = max((end - 1 for _, end in spans if end <= t), default=None)
            following = min((start for start, _ in spans if start > t), default=None)
            free = 0 if last is None else last + 1
            gap = (40 if following is None else following) - free
            for stand, away in ((last, t - free + 1), (following, None if following is None else following - t)):
                if stand is not None:
                    share = 1 - min(away / min(5, gap + 1), 1)
                    wanted[t] += values[stand] * (3 * share**2 - 2 * share**3)
        np.testing.assert_allclose(faded(values, standing, fps), wanted, atol=1e-12)
    standing[3] = True
    one = faded(values, standing, 1.0)  # a quarter of a second is less than a frame: one frame
    np.testing.assert_allclose(one[[2, 4]], [[0, 0], [0, 0]])
    np.testing.assert_allclose(one[3], values[3])


def test_held_moves_each_stand_to_its_goal_and_nothing_else() -> None:
    toe, standing = steps(3, 50), np.zeros(50, bool)
    standing[5:9], standing[20:31] = True, True
    goals = np.array([[1.0, 0.0, 2.0], [-1.0, 0.1, 0.5]])
    by = held(toe, standing, goals)
    np.testing.assert_allclose((toe + by)[5:9], np.tile(goals[0], (4, 1)))
    np.testing.assert_allclose((toe + by)[20:31], np.tile(goals[1], (11, 1)))
    assert not by[~standing].any()


def test_a_swinging_leg_is_turned_as_far_as_its_stands_fade_to() -> None:
    old = [Rotation.random(30, random_state=k) for k in (1, 2)]
    by = [Rotation.from_rotvec(np.random.default_rng(k).normal(0, 0.3, (30, 3))) for k in (3, 4)]
    new = [old[0] * by[0]]
    new.append(new[0] * (old[0].inv() * old[1]) * by[1])
    standing = np.zeros(30, bool)
    standing[6:11], standing[21:25] = True, True
    upper, lower = turned_on([r.as_matrix() for r in new], [r.as_matrix() for r in old], standing, 20.0)
    hip, knee = (faded(r.as_rotvec(), standing, 20.0) for r in by)
    wanted = old[0] * Rotation.from_rotvec(hip)
    np.testing.assert_allclose(upper, wanted.as_matrix(), atol=1e-9)
    wanted = wanted * (old[0].inv() * old[1]) * Rotation.from_rotvec(knee)
    np.testing.assert_allclose(lower, wanted.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(upper[standing], new[0].as_matrix()[standing], atol=1e-9)


def test_a_body_sinks_until_both_ankles_are_reached() -> None:
    """The need of a frame is what the longer leg leaves; it is held for a tenth of a second and smoothed by a
    twentieth."""
    random = np.random.default_rng(2)
    hips = [random.normal((0.1 * side, 0.9, 0), 0.02, (40, 3)) for side in (1, -1)]
    goals = [random.normal((0.1 * side, 0.09, 0), 0.05, (40, 3)) for side in (1, -1)]
    lengths = [0.83, 0.80]
    need = np.zeros(40)
    for hip, goal, length in zip(hips, goals, lengths, strict=True):
        away = (hip - goal)[:, 0] ** 2 + (hip - goal)[:, 2] ** 2
        need = np.maximum(need, (hip - goal)[:, 1] - np.sqrt((0.99999 * length) ** 2 - away))
    assert (need > 0).any()
    assert (need == 0).any()
    padded = np.pad(need, 3, mode="edge")
    most = np.max([padded[k : k + 40] for k in range(7)], axis=0)
    wanted = gaussian_filter1d(most, 0.05 * 30, mode="nearest")
    np.testing.assert_allclose(lowering(hips, goals, lengths, 30.0), wanted, atol=1e-9)
    for count in (1, 2):
        few = lowering([hip[:count] for hip in hips], [goal[:count] for goal in goals], [0.5, 0.5], 30.0)
        assert (few > 0.25).all()
    np.testing.assert_array_equal(lowering(hips, hips, lengths, 30.0), np.zeros(40))
    out = lowering([np.array([[2.0, 0.5, 0.0]])], [np.zeros((1, 3))], [1.0], 30.0)
    np.testing.assert_allclose(out, [0.5])  # farther than the leg is long: down to the height of the goal


def test_three_frames_are_smoothed_and_slow_rates_hold_a_frame() -> None:
    hip = np.array([[0, 0.9, 0], [0, 1.0, 0], [0, 0.9, 0], [0, 0.9, 0]], float)
    need = lowering([hip[:3]], [np.zeros((3, 3))], [0.9], 20.0)
    assert np.ptp(need) < 1e-3  # held for two frames to either side: all three
    need = lowering([hip], [np.zeros((4, 3))], [0.9], 1.0)  # a tenth of a second is less than a frame: one
    assert need[:3].min() > 0.09
    assert need[3] < 0.01


def test_a_leg_that_cannot_reach_points_to_its_goal() -> None:
    hip = np.zeros((3, 3))
    goal = np.array([[0.0, -2.0, 0.0], [0.0, -0.001, 0.0], [0.6, 0.0, 0.6]])
    down = np.tile([0.0, -1.0, 0.0], (3, 1))
    first, second, axis = bent(hip, goal, down, down, (0.5, 0.3), np.tile([1.0, 0.0, 0.0], (3, 1)))
    reached = hip + 0.5 * first + 0.3 * second
    length = np.linalg.norm(reached, axis=-1)
    np.testing.assert_allclose(length, [0.8 * contacts.STRETCHED, 0.2 + 1e-6, 0.8 * contacts.STRETCHED], atol=1e-9)
    np.testing.assert_allclose(
        reached / length[:, None], goal / np.linalg.norm(goal, axis=-1, keepdims=True), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.norm(axis, axis=-1), 1)
    np.testing.assert_allclose((axis * first).sum(-1), 0, atol=1e-9)


def test_the_knee_keeps_its_side_as_the_leg_turns() -> None:
    """The bending axis goes with the shortest turn from the old line to the new one, made normal to the new one."""
    random = np.random.default_rng(4)
    upper, lower = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in random.normal(size=(2, 30, 3)))
    hip, lengths = random.normal(size=(30, 3)), (0.45, 0.4)
    axis = np.cross(upper, lower)
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    goal = hip + 0.7 * (v := random.normal(size=(30, 3))) / np.linalg.norm(v, axis=-1, keepdims=True)
    first, second, found = bent(hip, goal, upper, lower, lengths, axis)
    np.testing.assert_allclose(hip + 0.45 * first + 0.4 * second, goal, atol=1e-9)
    for t in range(30):
        old, new = 0.45 * upper[t] + 0.4 * lower[t], goal[t] - hip[t]
        normal = np.cross(old, new)
        angle = np.arctan2(np.linalg.norm(normal), old @ new)
        wanted = Rotation.from_rotvec(normal / np.linalg.norm(normal) * angle).apply(axis[t])
        np.testing.assert_allclose(found[t], wanted, atol=1e-6)
        turned = np.cross(first[t], second[t])
        np.testing.assert_allclose(turned / np.linalg.norm(turned), wanted, atol=1e-6)
