"""The benchmark on real recordings judges a wrist by its ictuses and a body by how much and how smoothly it moves."""

import numpy as np
import pytest

from motion_platform.core.errors import DataError


def test_a_wrist_is_judged_by_everybodys_beats(benchmark):
    seconds = np.arange(900) / 30
    height = -0.1 * np.cos(2 * np.pi * seconds / 0.5)  # lowest every half second
    beats = {"librosa": np.arange(0.5, 29.6, 0.5), "beat_tracker": np.arange(0.5, 29.6, 1.0)}
    found = benchmark.judge(height, 30.0, beats, "a")
    assert found["librosa/beats_to_ictuses"] == pytest.approx(1, abs=1e-3)
    assert found["librosa/ictuses_to_beats"] == pytest.approx(1, abs=1e-3)
    assert found["beat_tracker/beats_to_ictuses"] == pytest.approx(1, abs=1e-3)
    assert found["beat_tracker/ictuses_to_beats"] == pytest.approx(0.5, abs=0.02)  # twice as many as are heard
    assert found["librosa/random_shift"] == pytest.approx(0.495, abs=0.2)  # the mean over a beat; 20 shifts are drawn


def test_beats_of_a_third_party_are_read_from_lists(benchmark, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("0.52\t1\n1.01\t2\n\n61.5\t3\n")
    assert benchmark.read_beats(path, 60.0).tolist() == [0.52, 1.01]
    for wrong, said in (("0.5\nhalf\n", "no list of beats"), ("0.5\n0.4\n", "rising"), ("0.5\nnan\n", "rising")):
        path.write_text(wrong)
        with pytest.raises(DataError, match=said):
            benchmark.read_beats(path, 60.0)
    with pytest.raises(DataError, match="no list of beats"):
        benchmark.read_beats(tmp_path / "b.txt", 60.0)


def test_movement_is_the_spread_of_the_joints_and_their_third_derivative(benchmark):
    joints = np.zeros((300, 13, 3), np.float32)
    seconds = np.arange(300) / 30
    joints[:, 10, 1] = 0.18 * np.sin(2 * np.pi * seconds)  # a tenth of a frame's width
    found = benchmark.movement(joints, 30.0)
    assert found["spread"] == pytest.approx(0.1 / np.sqrt(2), rel=1e-3)
    expected = 0.18 * (2 * np.pi) ** 3 * 2 / np.pi / 13  # mean of |cosine|, over all joints
    assert found["jerk"] == pytest.approx(expected, rel=0.02)
