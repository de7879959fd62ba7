"""A left hand that is known to beat along, to rest, or to reach for the players."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.metrics.left_hand import LeftHand, along, reaches

pytestmark = pytest.mark.usefixtures("joints_as_features")
CUES = np.array([2.0, 6.0, 11.0])
SECONDS = 14


@pytest.fixture
def conductor(oracles):
    """A right hand that beats every second, and a left hand that does what it is told."""

    def make(cues=(), along=0.0, late=0.0) -> torch.Tensor:
        joints = oracles.standing(round(SECONDS * oracles.FPS))
        time = torch.arange(len(joints)) / oracles.FPS
        beating = 0.1 * torch.sin(2 * torch.pi * time)
        joints[:, oracles.RIGHT_WRIST, 1] += beating
        joints[:, oracles.LEFT_WRIST, 1] += along * beating
        shoulder = joints[0, oracles.LEFT_SHOULDER]
        for cue in cues:
            there = (time - cue - late).abs() < 0.4
            joints[there, oracles.LEFT_WRIST] = shoulder + torch.tensor([0.2, 0.1, 0.2])
        return joints

    return make


@pytest.fixture
def values(oracles):
    def measure(joints: torch.Tensor, cues=CUES, **settings) -> dict[str, float]:
        motion = oracles.motion_of([joints])
        batch = oracles.batch_of(motion)
        batch.events = [{"cues": cues}]
        return LeftHand(**settings).state(motion, batch).compute()

    return measure


def test_a_hand_that_reaches_on_every_cue_is_right_and_by_chance_it_would_not_be(conductor, values) -> None:
    found = values(conductor(CUES))
    assert found["left_hand_cues"] == found["left_hand_cues_precision"] == found["left_hand_cues_recall"] == 1
    assert found["left_hand_cues_random_shift"] < 0.4
    assert found["left_hand_beats_along"] == 0


@pytest.mark.parametrize("wrong", ["at rest", "mirroring", "reaching elsewhere", "held up"])
def test_it_sees_wrong_left_hands(conductor, values, oracles, wrong) -> None:
    joints = {
        "at rest": conductor(),
        "mirroring": conductor(along=1.0),
        "reaching elsewhere": conductor(CUES, late=1.5),
        "held up": conductor(),
    }[wrong]
    if wrong == "held up":
        joints[:, oracles.LEFT_WRIST] = joints[:, oracles.LEFT_SHOULDER] + torch.tensor([0.2, 0.1, 0.2])
    found = values(joints)
    assert found["left_hand_cues"] == 0
    assert found["left_hand_beats_along"] == (1 if wrong == "mirroring" else 0)


def test_a_hand_beats_along_where_it_does_the_same_and_a_third_as_much(conductor, oracles) -> None:
    def share(size: float, shift: int = 0) -> float:
        joints = conductor(along=size)
        left, right = joints[:, oracles.LEFT_WRIST, 1].numpy(), joints[:, oracles.RIGHT_WRIST, 1].numpy()
        same, moving = along(np.roll(left, shift), right, oracles.FPS)
        assert moving == SECONDS // 2
        return same / moving

    assert share(1.0) == share(0.32) == 1
    assert share(0.28) == share(-1.0) == 0
    assert share(1.0, shift=2) == 1  # a tenth of a second late
    assert share(1.0, shift=5) == 0  # a quarter of a beat


def test_a_right_hand_that_rests_is_not_counted(conductor, oracles) -> None:
    still = oracles.standing(100)[:, 0, 1].numpy()
    assert along(still, still, oracles.FPS) == (0, 0)
    time = np.arange(200) / oracles.FPS
    for peak, counted in ((0.08, 5), (0.06, 0)):  # m/s; a sine's standard deviation is 0.707 of its peak
        height = peak / (2 * np.pi) * np.sin(2 * np.pi * time)
        assert along(height, height, oracles.FPS)[1] in (counted, counted - 1)


def test_a_reach_is_above_the_shoulder_and_outside_of_it_and_what_is_near_is_one() -> None:
    shoulder, other = np.tile([0.2, 1.4, 0.0], (200, 1)), np.tile([-0.2, 1.4, 0.0], (200, 1))

    def found(*stays: tuple[float, float, float, float]) -> np.ndarray:
        """(begin, end, outside, above) of each; 0.4 m between the shoulders."""
        wrist = np.tile([0.2, 1.0, 0.3], (200, 1))
        for begin, end, outside, above in stays:
            wrist[round(begin * 20) : round(end * 20)] = [0.2 + outside, 1.4 + above, 0.3]
        return reaches(wrist, shoulder, other, 20.0)

    assert found((2, 3, 0.15, 0.05)) == pytest.approx([2.5])
    assert len(found((2, 3, 0.13, 0.05))) == 0  # 0.35 of 0.4 m is 0.14
    assert len(found((2, 3, 0.15, -0.01))) == 0
    assert found((2, 3, 0.2, 0.1), (3.9, 5, 0.2, 0.1)) == pytest.approx([3.5])
    assert found((2, 3, 0.2, 0.1), (4.1, 5.1, 0.2, 0.1)) == pytest.approx([2.5, 4.6])
    assert found((0, 10, 0.2, 0.1)) == pytest.approx([5.0])


def test_a_clip_without_cues_says_nothing_of_them_and_one_without_events_is_refused(conductor, values, oracles) -> None:
    found = values(conductor(CUES), cues=np.zeros(0))
    assert not found.get("left_hand_cues")
    assert found["left_hand_beats_along"] == 0
    motion = oracles.motion_of([conductor()])
    with pytest.raises(DataError, match="cues"):
        LeftHand().state(motion, oracles.batch_of(motion))
    with pytest.raises(ValueError, match="tolerance: got 0 s; allowed: above 0"):
        LeftHand(tolerance=0)


def test_half_a_second_counts_and_more_does_not(conductor, values) -> None:
    assert values(conductor(CUES, late=0.45))["left_hand_cues"] == 1
    assert values(conductor(CUES, late=0.6))["left_hand_cues"] == 0
    assert values(conductor(CUES, late=0.6), tolerance=0.7)["left_hand_cues"] == 1
