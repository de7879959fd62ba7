"""Five conductors: what their docstrings say of their numbers, and that nobody changed their taste unnoticed."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import pytest

from motion_platform.data.scores.conductors import CONDUCTORS


@pytest.mark.parametrize("name", CONDUCTORS)
def test_the_left_hand_does_one_thing_at_a_time(name: str) -> None:
    assert sum(CONDUCTORS[name].left) == pytest.approx(1)
    assert all(share >= 0 for share in CONDUCTORS[name].left)


def test_shares_and_probabilities_are_some() -> None:
    for each in CONDUCTORS.values():
        assert 0 <= min(each.sharpness, each.response, each.cues) <= max(each.sharpness, each.response, each.cues) <= 1
        assert abs(each.lag) < 2 * each.jitter, "late or early by what a listener hears as together"


def test_each_is_what_it_is_called() -> None:
    most = {value: max(CONDUCTORS, key=lambda name: getattr(CONDUCTORS[name], value))
            for value in ("size", "sharpness", "width", "bounce", "nod", "rubato")}  # fmt: skip
    assert most == {"size": "grand", "sharpness": "precise", "width": "fluid", "bounce": "lively", "nod": "lively",
                    "rubato": "grand"}  # fmt: skip


def test_a_taste_that_changes_makes_other_data_and_is_said() -> None:
    """A change here is one of every rendition: prepare conductor_scores anew, and train anew what learned from it."""
    digest = hashlib.sha256(repr({name: asdict(each) for name, each in CONDUCTORS.items()}).encode()).hexdigest()
    assert digest[:16] == "f55e7b550a9e149b"
