"""Distributions of hand speed with a known Hellinger distance."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.metrics.hand_speed import HandSpeed

pytestmark = pytest.mark.usefixtures("joints_as_features")


def moving(oracles, speed: float, frames: int = 41) -> torch.Tensor:
    """A person whose hands go up at ``speed`` m/s."""
    joints = oracles.standing(frames)
    up = torch.arange(frames) / oracles.FPS * speed
    joints[:, [oracles.LEFT_WRIST, oracles.RIGHT_WRIST], 1] += up[:, None]
    return joints


@pytest.fixture
def values(oracles):
    def measure(made: list[torch.Tensor], real: list[torch.Tensor]):
        motion, truth = oracles.motion_of(made), oracles.motion_of(real)
        return HandSpeed().state(motion, replace(oracles.batch_of(motion), motion=truth)).compute()

    return measure


def test_the_same_motion_has_distance_0(oracles, values) -> None:
    clips = [moving(oracles, 0.52), moving(oracles, 1.02)]
    assert values(clips, clips) == {
        "hand_speed": pytest.approx(0, abs=1e-7),
        "hand_speed_ratio": pytest.approx(1),
        "hand_speed_beyond": 0.0,
    }


def test_half_in_common_is_the_closed_form(oracles, values) -> None:
    slow, fast = moving(oracles, 0.52), moving(oracles, 1.02)
    got = values([slow, slow], [slow, fast])  # p = (1, 0), q = (1/2, 1/2)
    assert got["hand_speed"] == pytest.approx(math.sqrt(1 - math.sqrt(0.5)))
    assert got["hand_speed_ratio"] == pytest.approx(10 / 15)


@pytest.mark.parametrize("fault", ["a statue", "twice as fast", "trembling"])
def test_wrong_hands_are_far(oracles, values, fault: str) -> None:
    real = [moving(oracles, 0.52), moving(oracles, 0.77)]
    made = {
        "a statue": [oracles.standing(41)] * 2,
        "twice as fast": [moving(oracles, 1.04), moving(oracles, 1.54)],
        "trembling": [clip.clone() for clip in real],
    }[fault]
    if fault == "trembling":
        for clip in made:
            clip[::2, [oracles.LEFT_WRIST, oracles.RIGHT_WRIST], 0] += 0.1
    got = values(made, real)
    assert got["hand_speed"] > 0.9
    assert (got["hand_speed_beyond"] == 1.0) == (fault != "a statue")


def test_all_that_is_faster_than_six_metres_a_second_is_one(oracles, values) -> None:
    just, below, far = (moving(oracles, speed) for speed in (5.97, 5.93, 9.0))
    assert values([just], [far])["hand_speed"] == pytest.approx(0, abs=1e-6)
    assert values([below], [far])["hand_speed"] == 1.0
    assert values([just], [below])["hand_speed_ratio"] == pytest.approx(119 / 118)


def test_without_real_motion_it_refuses(oracles) -> None:
    motion = oracles.motion_of([oracles.standing(20)])
    with pytest.raises(DataError, match="no real motion"):
        HandSpeed().state(motion, replace(oracles.batch_of(motion), motion=None))


def test_a_part_of_the_samples_is_held_against_their_own_clips(oracles) -> None:
    motion = oracles.motion_of([moving(oracles, 0.52), moving(oracles, 1.02)])
    state = HandSpeed().state(motion, replace(oracles.batch_of(motion), motion=motion))
    for sample in sorted(state.ids):
        part = state.subset({sample})
        assert len(part.rows) == len(part.real) == len(part.fastest) == 1
        assert part.compute()["hand_speed"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("fast", "beyond"), [(1, 1.0), (4, 0.0)])
def test_fast_is_what_is_faster_than_all_but_a_thousandth_of_real_hands(oracles, values, fast, beyond) -> None:
    clip = oracles.standing(1201)  # 2400 speeds of two wrists
    clip[:, oracles.LEFT_WRIST, 0] += 0.101 * (torch.arange(1201)[:, None] >= torch.arange(fast) * 100 + 50).sum(1)
    assert values([clip], [clip])["hand_speed_beyond"] == beyond
