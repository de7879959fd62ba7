"""A slider is monotone where every step goes the right way, and not where one does not."""

import numpy as np
import pytest


def test_steps_are_asked_for_as_the_command_takes_them(benchmark):
    asked = [benchmark.mixture("happy", "angry", share) for share in np.linspace(0, 1, benchmark.STEPS)]
    assert asked == ["happy", "happy:0.75,angry:0.25", "happy:0.5,angry:0.5", "happy:0.25,angry:0.75", "angry"]


def test_one_step_back_is_seen(benchmark):
    first = np.array([[0.9, 0.8], [0.7, 0.6], [0.5, 0.4], [0.2, 0.2], [0.1, 0.0]])
    found = benchmark.summary(first, 1 - first)
    assert found["monotone"]
    assert found["sentences_monotone"] == 1
    assert found["slider"] == pytest.approx([0.15, 0.35, 0.55, 0.8, 0.95])
    back = first.copy()
    back[3, 0] = 0.65
    found = benchmark.summary(back, 1 - back)
    assert found["sentences_monotone"] == 0.5
    back[3, 1] = 0.45
    assert not benchmark.summary(back, 1 - back)["monotone"]
