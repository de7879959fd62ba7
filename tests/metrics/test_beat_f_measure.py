"""Closed forms, and mir_eval where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.core.contracts import Embeddings
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio
from motion_platform.metrics.beat_f_measure import (
    BeatFMeasure,
    best_level,
    f_measure,
    hits,
    levels,
    reference,
    shifted,
    true_beats,
)

BEATS = np.arange(0.5, 30.0, 0.5)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_mir_evals_f_measure(seed: int) -> None:
    mir_eval = pytest.importorskip("mir_eval")
    random = np.random.default_rng(seed)
    reference = np.sort(random.uniform(0, 30, 60))
    estimate = np.sort(np.concatenate([reference + random.normal(0, 0.05, 60), random.uniform(0, 30, 10)]))
    theirs = mir_eval.beat.f_measure(reference, estimate, f_measure_threshold=0.07)
    assert f_measure(reference, estimate)[0] == pytest.approx(theirs, abs=1e-12)


def test_closed_forms() -> None:
    assert f_measure(BEATS, BEATS) == (1, 1, 1)
    assert f_measure(BEATS, BEATS + 0.069)[0] == 1
    assert f_measure(BEATS, BEATS + 0.071)[0] == 0
    assert f_measure(BEATS, BEATS[::2]) == pytest.approx((2 * 30 / 89, 1, 30 / 59))
    double = levels(BEATS)[3]
    assert f_measure(BEATS, double) == pytest.approx((2 * 59 / (59 + 117), 59 / 117, 1))
    assert f_measure(BEATS, np.zeros(0)) == f_measure(np.zeros(0), BEATS) == (0, 0, 0)


def test_a_pair_that_is_just_as_far_apart_as_allowed_is_one() -> None:
    for apart in (0.25, -0.25):
        assert hits(np.array([1.0]), np.array([1.0 + apart]), tolerance=0.25) == 1
        assert hits(np.array([1.0]), np.array([1.0 + 1.001 * apart]), tolerance=0.25) == 0


def test_beats_heard_in_a_recording_are_a_row_each_and_know_no_bars(oracles, monkeypatch) -> None:
    heard = iter([[1.0, 2.0], [0.5]])
    monkeypatch.setattr("motion_platform.encoders.librosa_beats.onset_strength", lambda mel: mel[:, 0])
    monkeypatch.setattr("motion_platform.encoders.librosa_beats.track", lambda onsets: next(heard))
    batch = oracles.batch_of(oracles.motion_of([oracles.standing(4)] * 2))
    audio = [Audio(1.0, features={"mel": np.zeros((90, 128), np.float32)}) for _ in range(2)]
    batch.raw = {"text": ["a waltz", "a march"], "none": [], "half": [audio[0], None], "music": audio}
    beats, bars = reference(batch, "x", "librosa")
    assert [times.tolist() for times in beats] == [[1.0, 2.0], [0.5]]
    assert [times.tolist() for times in bars] == [[], []]
    del batch.raw["music"]
    with pytest.raises(DataError, match="x: the batch has no recordings to track beats in"):
        reference(batch, "x", "librosa")


def test_beats_are_sorted_and_finite(oracles) -> None:
    batch = oracles.batch_of(oracles.motion_of([oracles.standing(4)] * 2))
    batch.events = [{"beats": [2, 1]}, {"beats": []}]
    assert [times.tolist() for times in true_beats(batch, "x")] == [[1.0, 2.0], []]
    batch.events[1]["beats"] = [1.0, float("inf")]
    with pytest.raises(DataError, match="x: the beats of 'clip 1' have a NaN or infinite time"):
        true_beats(batch, "x")


def test_a_beat_is_hit_once() -> None:
    assert hits(np.array([1.0]), np.array([0.99, 1.0, 1.01])) == 1
    assert hits(np.array([1.0, 1.06]), np.array([1.0])) == 1
    assert hits(np.array([1.0, 1.1]), np.array([0.95, 1.05])) == 2


def test_the_best_level_forgives_half_and_double_and_nothing_else() -> None:
    for found in (BEATS, BEATS[::2], BEATS[1::2], levels(BEATS)[3]):
        assert best_level(BEATS, found) == 1
    assert best_level(BEATS, BEATS[::3]) < 0.7
    assert best_level(BEATS, BEATS + 0.25) == pytest.approx(2 * 58 / (117 + 59))  # only as off-beats of twice as many


def test_random_shifts_keep_the_number_and_reach_what_chance_gives() -> None:
    moved = shifted(BEATS, 30.0, "clip", 0, shifts=400)
    assert {len(times) for times in moved} == {len(BEATS)}
    assert len(shifted(BEATS, 30.0, "clip", 0)) == 20
    assert np.mean([f_measure(BEATS, times)[0] for times in moved]) == pytest.approx(0.14 / 0.5, abs=0.04)
    assert np.array_equal(shifted(BEATS, 30.0, "clip", 0)[0], shifted(BEATS, 30.0, "clip", 0)[0])
    assert not np.array_equal(shifted(BEATS, 30.0, "clip", 1)[0], shifted(BEATS, 30.0, "clip", 0)[0])


def test_the_metric_reads_what_a_tracker_heard(oracles) -> None:
    motion = oracles.motion_of([torch.zeros(600, 22, 3)] * 2)
    batch = oracles.batch_of(motion)
    batch.events = [{"beats": BEATS, "bars": BEATS[::4]}, {"beats": np.zeros(0), "bars": np.zeros(0)}]
    heard = [{"beats": BEATS[::2], "bars": BEATS[::4]}, {"beats": BEATS, "bars": BEATS}]
    values = BeatFMeasure().state(motion, batch, Embeddings(beats=heard)).compute()
    assert values["beat_f_measure"] == pytest.approx(60 / 89)  # the clip without beats says nothing
    assert values["beat_f_measure_bar_lines"] == 1
    assert values["beat_f_measure_best_level"] == 1
    with pytest.raises(DataError, match="beat tracker"):
        BeatFMeasure().state(motion, batch, Embeddings())
    batch.events = None
    with pytest.raises(DataError, match="does not say where its beats are"):
        true_beats(batch, "x")
