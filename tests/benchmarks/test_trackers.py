"""The comparison of beat trackers: what it writes, what it reads, and its numbers on beats that are known."""

import sys

import numpy as np
import pytest

from motion_platform.core.errors import DataError


def test_a_tracker_is_scored_within_seventy_milliseconds_and_at_its_best_level(benchmark):
    truth = np.arange(0.5, 20, 0.5)
    found = benchmark.scores_of(truth, truth[::2] + 0.05)  # every second beat, a little late
    assert found["precision"] == 1
    assert found["recall"] == pytest.approx(20 / 39)
    assert found["F"] == pytest.approx(2 * 20 / (39 + 20))
    assert found["F at the best level"] == 1
    assert benchmark.scores_of(truth, truth + 0.1)["F"] == 0


def test_others_are_read_from_their_lists_and_a_list_that_is_missing_is_named(benchmark, tmp_path, monkeypatch):
    import soundfile

    seconds = np.arange(22050 * 8) / 22050
    clicks = np.sin(2 * np.pi * 880 * seconds) * (seconds % 0.5 < 0.03)
    soundfile.write(tmp_path / "a.wav", clicks, 22050)
    beats = np.arange(0.0, 8, 0.5)
    np.savetxt(tmp_path / "a.beats", beats[1:], fmt="%.4f")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with pytest.raises(DataError, match=r"a\.txt: no list of beats"):
        benchmark.score(tmp_path, {"somebody": theirs}, "beat_tracker")
    np.savetxt(theirs / "a.txt", beats[1:] + 0.01, fmt="%.3f")
    found = benchmark.score(tmp_path, {"somebody": theirs}, "beat_tracker")
    assert found["somebody"]["a"]["F"] == 1
    assert {"librosa", "beat_tracker", "somebody"} == found.keys()
    monkeypatch.setattr(sys, "argv", ["trackers", "score", "--music", str(tmp_path / "theirs")])
    with pytest.raises(SystemExit, match="no recording; make them with"):
        benchmark.main()
