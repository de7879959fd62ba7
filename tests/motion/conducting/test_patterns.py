"""Beat patterns: the words of the textbooks about them, as conditions on the strokes."""

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.motion.conducting.patterns import pattern, strokes


@pytest.mark.parametrize("beats", range(2, 13))
def test_a_bar_goes_down_then_left_then_right_and_comes_in_and_up(beats: int) -> None:
    made = pattern(beats)
    assert len(made) == beats
    across = np.array([stroke.across for stroke in made])
    assert (across[0], made[0].height) == (0.0, 0.0)
    assert made[-1].rebound == max(stroke.rebound for stroke in made) == 1.0
    assert across[-1] == (0.4 if beats == 2 else 0.2)
    if beats > 2:
        inner = across[1:-1]
        turn = np.flatnonzero(inner > 0)[0]
        assert (inner[:turn] < 0).all()
        assert (np.diff(inner[:turn]) < 0).all()
        assert (np.diff(inner[turn:]) > 0).all()
        assert len(inner) - turn >= turn  # as many beats to the right as to the left, or one more
        assert len(inner) - turn - turn <= (2 if beats == 3 else 1)


@pytest.mark.parametrize("beats", [5, 7, 8, 9, 12])
def test_a_bar_without_a_diagram_is_divided_evenly(beats: int) -> None:
    made = pattern(beats)
    left = [stroke for stroke in made if stroke.across < 0]
    right = [stroke for stroke in made[1:-1] if stroke.across > 0]
    assert len(left) == beats // 2 - 1
    assert len(left) + len(right) == beats - 2
    np.testing.assert_allclose([s.across for s in left], np.linspace(0, -0.75, len(left) + 1)[1:])
    np.testing.assert_allclose([s.across for s in right], np.linspace(0.45, 0.95, len(right) + 1)[1:])


def test_the_strokes_are_drawn_as_they_were() -> None:
    """Read off diagrams by eye: nothing but what was drawn before says that a number is right."""
    bars = {str(beats): strokes(np.arange(beats), np.full(beats, beats)) for beats in range(1, 10)}
    check_stored("beat_patterns", bars, atol=1e-9)


def test_strokes_of_beats_are_those_of_their_bars() -> None:
    index, beats = np.array([0, 2, 1, 5, 3]), np.array([1, 3, 2, 6, 5])
    made = strokes(index, beats)
    assert made.shape == (5, 4)
    for row, k, count in zip(made, index, beats, strict=True):
        stroke = pattern(int(count))[k]
        assert row.tolist() == [stroke.across, stroke.height, stroke.rebound, stroke.bend]
