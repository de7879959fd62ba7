"""The talk is as long as asked, says where somebody speaks, and its measures see a drift, a jump and hands at rest."""

from itertools import pairwise

import numpy as np
import pytest

NAMES = ("pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle")


def talker(spans, frames, fps=20.0):
    """A body whose hands swing while somebody speaks and hang else."""
    second = np.arange(frames) / fps
    said = np.any([(second >= a) & (second < b) for a, b in spans], axis=0)
    joints = np.zeros((frames, 5, 3))
    joints[:, 0, 1] = 0.9
    joints[:, 1, 1] = np.where(said, 1.2 + 0.1 * np.sin(2 * np.pi * second), 0.8)
    joints[:, 2, 1] = 0.8
    return joints


def test_a_talk_has_silence_at_its_ends_and_in_its_middle(benchmark):
    random = np.random.default_rng(0)
    sentences = [random.normal(size=round(n * benchmark.RATE)).astype(np.float32) for n in (3.0, 4.5, 2.0)]
    samples, spans = benchmark.put_together(sentences, 60.0)
    assert len(samples) / benchmark.RATE == pytest.approx(60, abs=6)
    for a, b in spans:
        inner = samples[round(a * benchmark.RATE) : round(b * benchmark.RATE)]
        assert any(len(inner) == len(s) and np.array_equal(inner, s) for s in sentences)
    said = np.zeros(len(samples), bool)
    for a, b in spans:
        said[round(a * benchmark.RATE) : round(b * benchmark.RATE)] = True
    assert not samples[~said].any()
    assert spans[0][0] == benchmark.ENDS
    assert len(samples) / benchmark.RATE - spans[-1][1] == pytest.approx(benchmark.ENDS, abs=1e-3)
    gaps = [b[0] - a[1] for a, b in pairwise(spans)]
    assert max(gaps) == pytest.approx(benchmark.MIDDLE)


def test_hands_drift_and_seams_are_measured(benchmark):
    spans = [(6.0, 12.0), (20.0, 26.0)]
    joints = talker(spans, 640)
    row = benchmark.measure(joints, NAMES, 20.0, spans, [])
    assert row["hand_height_in_speech_m"] == pytest.approx(0.3, abs=0.01)
    assert row["hand_height_in_pauses_m"] == pytest.approx(-0.1, abs=1e-6)
    assert row["hand_speed_in_pauses_m_s"] == pytest.approx(0, abs=1e-9)
    assert row["hand_drift_in_silence_m"] == pytest.approx(0, abs=1e-9)
    assert row["seam_step_ratio"] == 0
    drifting = joints.copy()
    drifting[280:400, 0, 0] += np.linspace(0, 0.2, 120)  # 14 to 20 s, of which the last second does not count
    row = benchmark.measure(drifting, NAMES, 20.0, spans, [])
    assert row["root_drift_in_silence_m"] == pytest.approx(0.2 * 5 / 6, abs=0.01)
    jumping = joints + np.linspace(0, 1, 640)[:, None, None]
    jumping[300:] += 0.5
    assert benchmark.measure(jumping, NAMES, 20.0, spans, [300])["seam_step_ratio"] > 10


def test_a_silence_counts_from_after_the_last_word_to_before_the_next(benchmark):
    found = benchmark.silences([(6.0, 12.0), (12.5, 15.0)], 30.0, 4.0)
    assert found == [(0.0, 6.0 - benchmark.BEFORE), (15.0 + benchmark.SETTLED, 30.0)]
