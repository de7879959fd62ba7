"""The ruler benchmark spoils motions as it says, and its verdicts rest on the right clips."""

import numpy as np
import pytest


@pytest.fixture
def joints():
    return np.cumsum(np.random.default_rng(0).normal(0, 0.01, (40, 22, 3)), 0)


def test_the_first_step_of_every_way_of_spoiling_changes_nothing(benchmark, joints):
    for spoil, levels, _ in benchmark.SPOILING.values():
        assert list(levels) == sorted(levels)
        np.testing.assert_array_equal(spoil(joints, np.random.default_rng(1), levels[0]), joints)
        assert np.abs(spoil(joints, np.random.default_rng(1), levels[1]) - joints).max() > 0


def test_noise_has_the_size_it_says(benchmark, joints):
    spoilt = benchmark.add_noise(joints, np.random.default_rng(1), 0.04)
    assert np.std(spoilt - joints) == pytest.approx(0.04, rel=0.05)


def test_shuffling_keeps_every_frame_within_its_window(benchmark, joints):
    spoilt = benchmark.shuffle_time(joints, np.random.default_rng(1), 8)
    for start in range(0, 40, 8):
        window, before = spoilt[start : start + 8, 0, 0], joints[start : start + 8, 0, 0]
        assert sorted(window) == sorted(before)
    assert (spoilt != joints).any()


def test_sliding_moves_the_whole_body_at_its_speed_on_the_floor(benchmark, joints):
    moved = benchmark.add_sliding(joints, np.random.default_rng(1), 0.4) - joints
    steps = np.diff(moved, axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=-1) * 20, 0.4)
    assert np.abs(moved[..., 1]).max() == 0


def test_sides_change_places_and_nothing_else_does(benchmark):
    assert benchmark.swap_sides("Left hand, then turn right, counterclockwise") == (
        "right hand, then turn left, clockwise"
    )
    assert benchmark.swap_sides("a person leftovers brightly walks") == "a person leftovers brightly walks"


def test_nearer_counts_rows(benchmark):
    motion = np.zeros((4, 2))
    own, other = np.array([[1.0, 0]] * 4), np.array([[2.0, 0], [0.5, 0], [3, 0], [0, 2]])
    assert benchmark._nearer(own, other, motion) == 0.75


def test_halves_of_one_distribution_come_to_nothing_as_the_set_grows(benchmark):
    random = np.random.default_rng(0)
    small, large = (benchmark._halves(random.normal(size=(n, 4)), 5) for n in (100, 4000))
    assert large < 0.02 < small
