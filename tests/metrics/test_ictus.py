"""A hand that falls on known beats."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio
from motion_platform.metrics.beat_consistency import BeatConsistency, consistency
from motion_platform.metrics.ictus import Ictus, bars_right, ictuses

pytestmark = pytest.mark.usefixtures("joints_as_features")
RIGHT_WRIST = 21
FPS = 20.0


def bouncing(beats: np.ndarray, seconds: float, fps: float, size: float = 0.2) -> np.ndarray:
    """(T,) height of a hand that is lowest exactly on the beats."""
    time = np.arange(round(seconds * fps)) / fps
    number = np.interp(time, beats, np.arange(len(beats)), left=0, right=len(beats) - 1)
    return 1.0 + size * np.sin(np.pi * number) ** 2


@pytest.mark.parametrize("fps", [20.0, 30.0, 60.0])
@pytest.mark.parametrize("period", [0.4, 0.7, 1.3])
def test_ictuses_are_the_lowest_points_between_frames(fps: float, period: float) -> None:
    beats = np.arange(0.33, 20, period)
    found = ictuses(bouncing(beats, 21, fps), fps)
    assert len(found) == len(beats) - 2  # the hand stands still before the first and after the last
    assert np.abs(found - beats[1:-1]).max() < 0.012


def test_shaking_and_rest_are_no_ictuses() -> None:
    random = np.random.default_rng(0)
    assert len(ictuses(1 + random.normal(0, 0.002, 600), 30.0)) == 0
    assert len(ictuses(np.full(600, 1.2), 30.0)) == 0
    assert len(ictuses(np.zeros(2), 30.0)) == 0
    beats = np.arange(0.5, 20, 0.6)
    shaky = bouncing(beats, 21, 30.0) + random.normal(0, 0.002, 630)
    assert np.abs(ictuses(shaky, 30.0) - beats[1:-1]).max() < 0.05


def test_the_smallest_the_shortest_and_the_nearest_that_counts() -> None:
    """A rebound of 1 cm, two tenths of a second from beat to beat, and a fifth of the rebounds within six seconds."""
    assert len(ictuses(np.array([1.2, 1.0, 1.2]), 20.0)) == 1  # three frames are enough
    assert len(ictuses(np.array([1.2, 1.0]), 60.0)) == 0
    beats = np.arange(0.5, 20, 0.5)
    for size, found in ((0.0115, len(beats) - 2), (0.0095, 0)):
        assert len(ictuses(bouncing(beats, 21, 100.0, size), 100.0)) == found
    near = np.arange(0.5, 20, 0.21)
    assert len(ictuses(bouncing(near, 21, 100.0), 100.0)) == len(near) - 2
    nearer = np.arange(0.5, 20, 0.17)
    assert len(ictuses(bouncing(nearer, 21, 100.0), 100.0)) < 0.6 * len(nearer)

    def with_a_small_one_after(gap: float, size: float) -> int:
        large, small = np.arange(0.5, 10, 0.5), np.arange(10, 10 + 2 * gap, gap)
        return len(
            ictuses(np.concatenate([bouncing(large, 10, 60.0), bouncing(small - 10, 2 * gap, 60.0, size)]), 60.0)
        )

    assert with_a_small_one_after(1.0, 0.06) == with_a_small_one_after(1.0, 0.025) + 1


def test_a_wobble_on_the_way_down_is_no_beat() -> None:
    time = np.arange(0, 20, 1 / 30)
    height = 1 + 0.15 * np.sin(np.pi * time) ** 2 + 0.012 * np.sin(2 * np.pi * 2.5 * time)
    assert len(ictuses(height, 30.0)) == 19


def clips(oracles, beats: np.ndarray, seconds: float = 30.0):
    joints = oracles.standing(round(seconds * FPS))
    joints[:, RIGHT_WRIST, 1] = torch.from_numpy(bouncing(beats, seconds, FPS)).float()
    return oracles.motion_of([joints])


def test_a_hand_on_the_beat_scores_one_and_chance_is_shown_beside(oracles) -> None:
    beats = np.arange(0.37, 30, 0.6)
    motion = clips(oracles, beats)
    batch = oracles.batch_of(motion)
    batch.events = [{"beats": beats[1:-1], "bars": beats[1:-1:4]}]
    values = Ictus().state(motion, batch).compute()
    assert values["ictus"] == values["ictus_precision"] == values["ictus_recall"] == 1
    assert values["ictus_best_level"] == values["ictus_bars_right"] == 1
    assert values["ictus_random_shift"] == pytest.approx(0.14 / 0.6, abs=0.12)
    assert abs(values["ictus_lag"]) < 0.01
    soft = BeatConsistency().state(motion, batch).compute()
    assert soft["beat_consistency"] > 0.99
    assert soft["beat_consistency_of_ictuses"] > 0.99
    uniform = np.exp(-(np.linspace(0, 0.3, 1000) ** 2) / 0.02).mean()  # the distance is uniform up to half a period
    assert soft["beat_consistency_random_shift"] == pytest.approx(uniform, abs=0.12)


def test_a_hand_that_beats_twice_as_often_is_seen(oracles) -> None:
    beats = np.arange(0.37, 30, 0.4)
    motion = clips(oracles, beats)
    batch = oracles.batch_of(motion)
    true = beats[1:-1:2]
    batch.events = [{"beats": true, "bars": true[::4]}]
    values = Ictus().state(motion, batch).compute()
    assert values["ictus_recall"] == 1
    assert values["ictus_precision"] == pytest.approx(0.5, abs=0.01)
    assert values["ictus_best_level"] > 0.98
    assert values["ictus_bars_right"] == 0
    soft = BeatConsistency().state(motion, batch).compute()
    assert soft["beat_consistency"] > 0.99
    assert soft["beat_consistency_of_ictuses"] < 0.6


def test_a_clip_without_beats_or_without_ictuses(oracles) -> None:
    motion = oracles.motion_of([oracles.standing(100), oracles.standing(100)])
    batch = oracles.batch_of(motion)
    batch.events = [
        {"beats": np.array([1.0, 2.0]), "bars": np.array([1.0])},
        {"beats": np.zeros(0), "bars": np.zeros(0)},
    ]
    values = Ictus().state(motion, batch).compute()
    assert values["ictus"] == values["ictus_precision"] == values["ictus_recall"] == 0
    assert BeatConsistency().state(motion, batch).compute()["beat_consistency"] == 0


def test_bars_are_counted_by_hand() -> None:
    beats = np.arange(0, 10) * 0.5
    bars = beats[::3]
    assert bars_right(beats, beats, bars) == (3, 3)
    assert bars_right(beats - 0.06, beats, bars) == (3, 3)
    assert bars_right(np.delete(beats, 4), beats, bars) == (2, 3)
    assert bars_right(beats[:0], beats, beats[::2]) == (0, 0)  # bars of two are not counted


def test_consistency_closed_form() -> None:
    assert consistency(np.array([1.0, 2.0]), np.array([1.1]), 0.1) == pytest.approx((np.exp(-0.5) + np.exp(-40.5)) / 2)
    assert consistency(np.zeros(0), np.array([1.0]), 0.1) == consistency(np.array([1.0]), np.zeros(0), 0.1) == 0


def test_beats_may_be_those_that_librosa_hears(oracles, monkeypatch: pytest.MonkeyPatch) -> None:
    beats = np.arange(0.37, 30, 0.6)
    motion = clips(oracles, beats)
    batch = oracles.batch_of(motion)
    with pytest.raises(DataError, match="does not say where its beats are"):
        Ictus().state(motion, batch)
    with pytest.raises(DataError, match="no recordings"):
        BeatConsistency(beats="librosa").state(motion, batch)
    monkeypatch.setattr("motion_platform.encoders.librosa_beats.onset_strength", lambda mel: mel[:, 0])
    monkeypatch.setattr("motion_platform.encoders.librosa_beats.track", lambda onsets: beats[1:-1])
    batch.raw["music"] = [Audio(30.0, features={"mel": np.zeros((2700, 128), np.float32)})]
    assert Ictus(beats="librosa").state(motion, batch).compute()["ictus"] == 1
    assert BeatConsistency(beats="librosa").state(motion, batch).compute()["beat_consistency"] > 0.99
    with pytest.raises(ValueError, match="beats: got 'guess'"):
        Ictus(beats="guess")


@pytest.mark.parametrize(("late", "counted"), [(-0.021, 0), (-0.019, 1), (0.0, 1)])
def test_a_beat_is_its_bars_from_two_hundredths_before_the_line(late: float, counted: int) -> None:
    found, bar = np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.5])
    for beats in ([late, 0.5, 1.0], [0.0, 0.5, 1.0, 1.5 + late]):
        assert bars_right(found, np.array(beats), bar, sizes=(3,)) == (counted, counted)


def test_a_hand_that_rests_at_the_bottom_beats_in_the_middle_of_the_rest() -> None:
    height = np.concatenate([np.linspace(1.2, 1.0, 8), np.full(9, 1.0), np.linspace(1.0, 1.2, 8)])
    assert ictuses(height, 20.0).tolist() == [12 / 20]


def test_a_bar_is_heard_from_a_third_of_its_first_beat_before_its_line_to_a_third_before_the_next() -> None:
    beats, bars = np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.5])
    third = 1.5 / 3 / 3
    inner = [0.5, 1.0]
    for found, right in (
        ([-third, *inner], 1), ([-third - 1e-6, *inner], 0),
        ([0.1, *inner, 1.5 - third], 1), ([0.1, *inner, 1.5 - third - 1e-6], 0),
    ):  # fmt: skip
        assert bars_right(np.array(found), beats, bars) == (right, 1), found


@pytest.mark.parametrize("late", [-0.03, 0.04])
def test_a_hand_that_comes_late_has_a_lag_of_that_much_and_leads_with_less_than_none(oracles, late: float) -> None:
    beats = np.arange(0.37, 30, 0.6)
    motion = clips(oracles, beats)
    batch = oracles.batch_of(motion)
    batch.events = [{"beats": beats[1:-1] - late, "bars": beats[:0]}]
    assert Ictus().state(motion, batch).compute()["ictus_lag"] == pytest.approx(late, abs=0.01)
    assert BeatConsistency().state(motion, batch).compute()["beat_consistency"] == pytest.approx(
        math.exp(-(late**2) / 0.02), abs=0.03
    )
    batch.events[0]["beats"] = beats[1:-1] - 0.2  # farther than counts
    assert "ictus_lag" not in Ictus().state(motion, batch).compute()


def test_either_hand_may_beat(oracles) -> None:
    beats = np.arange(0.37, 30, 0.6)
    motion = clips(oracles, beats)  # the right one
    batch = oracles.batch_of(motion)
    batch.events = [{"beats": beats[1:-1], "bars": beats[:0]}]
    for metric in (Ictus, BeatConsistency):
        assert metric(hand="left").state(motion, batch).compute()[metric.name] == 0
        with pytest.raises(ValueError, match="hand: got 'both'; allowed: left, right"):
            metric(hand="both")
