"""Apexes of gestures, on a hand whose strokes are known by construction."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.metrics.strokes import StrokeAlignment, apexes

pytestmark = pytest.mark.usefixtures("joints_as_features")

STROKES = np.array([1.0, 2.6, 4.1])


def gesturing(oracles, times: np.ndarray, seconds: float = 6.0) -> torch.Tensor:
    """A person whose right hand rises by 30 cm in the 0.4 s before each of ``times``, holds for 0.5 s and sinks."""
    t = torch.arange(round(seconds * oracles.FPS)) / oracles.FPS
    joints = oracles.standing(len(t))
    for apex in times.tolist():
        up = (0.5 - 0.5 * torch.cos(torch.pi * ((t - apex + 0.4) / 0.4).clamp(0, 1))) - (
            0.5 - 0.5 * torch.cos(torch.pi * ((t - apex - 0.5) / 0.5).clamp(0, 1))
        )
        joints[:, oracles.RIGHT_WRIST, 1] += 0.3 * up
    return joints


@pytest.fixture
def values(oracles):
    def measure(joints, strokes=STROKES, accents=STROKES, **settings):
        motion = oracles.motion_of([joints])
        batch = oracles.batch_of(motion)
        batch.events = [{"strokes": strokes, "accents": accents}]
        return StrokeAlignment(**settings).state(motion, batch).compute()

    return measure


def test_an_apex_is_where_the_hand_arrives_and_not_where_it_sinks(oracles) -> None:
    joints = gesturing(oracles, STROKES)
    found = apexes(joints[:, [20, 21]].numpy(), joints[:, 0].numpy(), oracles.FPS)
    assert len(found) == 3
    assert np.abs(found - STROKES).max() < 0.1
    assert len(apexes(joints[:2, [20, 21]].numpy(), joints[:2, 0].numpy(), oracles.FPS)) == 0


def test_strokes_in_time_are_aligned(oracles, values) -> None:
    got = values(gesturing(oracles, STROKES))
    assert got["stroke_alignment"] == got["stroke_alignment_precision"] == got["stroke_alignment_recall"] == 1.0
    assert got["stroke_alignment_on_accents"] == 1.0
    assert got["stroke_alignment_a_minute"] == pytest.approx(30)
    assert got["stroke_alignment_random_shift"] < 0.4


@pytest.mark.parametrize(
    ("fault", "most"), [("half a second late", 0.0), ("a statue", 0.0), ("one of three", 0.5), ("always", 0.6)]
)
def test_what_is_not_in_time_is_not(oracles, values, fault: str, most: float) -> None:
    times = {
        "half a second late": STROKES + 0.5,
        "a statue": np.zeros(0),
        "one of three": STROKES[:1],
        "always": np.arange(0.4, 6, 1.0),
    }[fault]
    assert values(gesturing(oracles, times))["stroke_alignment"] <= most


def test_without_a_known_stroke_only_accents_count(oracles, values) -> None:
    got = values(gesturing(oracles, STROKES), strokes=np.zeros(0))
    assert "stroke_alignment" not in got
    assert got["stroke_alignment_on_accents"] == 1.0


def test_data_without_strokes_is_refused(oracles) -> None:
    motion = oracles.motion_of([oracles.standing(40)])
    with pytest.raises(DataError, match="where its strokes are"):
        StrokeAlignment().state(motion, oracles.batch_of(motion))
    with pytest.raises(ValueError, match="above 0"):
        StrokeAlignment(tolerance=0)


def test_a_hand_that_is_still_fast_at_the_end_has_its_apex_there(oracles) -> None:
    joints = oracles.standing(60)
    speed = torch.tensor([0.0] * 30 + [2.0] * 5 + [1.0] * 25)  # half as fast as at its fastest, until the end
    joints[:, oracles.RIGHT_WRIST, 1] += speed.cumsum(0) / oracles.FPS
    found = apexes(joints[:, [20, 21]].numpy(), joints[:, 0].numpy(), oracles.FPS)
    assert found[-1] == pytest.approx((len(joints) - 1) / oracles.FPS)


def test_a_minute_has_sixty_seconds_and_chance_is_beside_the_accents(oracles, values) -> None:
    got = values(gesturing(oracles, STROKES), accents=np.zeros(0))
    assert got["stroke_alignment_a_minute"] == pytest.approx(60 * 3 / 6)
    assert got["stroke_alignment_on_accents"] == got["stroke_alignment_on_accents_random_shift"] == 0.0
