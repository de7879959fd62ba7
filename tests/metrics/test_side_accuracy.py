"""Sides of captions: what everything was called ("turns right") is caught."""

import pytest

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch
from motion_platform.metrics.side_accuracy import SideAccuracy


def batch(*contents):
    labels = [{"content": content} if content else {} for content in contents]
    return Batch(ids=[f"clip {i}" for i in range(len(contents))], raw={}, lengths=None, labels=labels)


@pytest.mark.parametrize(
    ("content", "caption", "right"),
    [
        ("walk-turn-left", "a person walks and turns left", 1),
        ("walk-turn-left", "a person walks in a counterclockwise circle", 1),
        ("walk-turn-left", "a person walks forward and turns right", 0),
        ("walk-turn-left", "a person walks forward", 0),
        ("walk-turn-left", "turns left, then right", 0),
        ("wave-both-hands", "somebody waves both hands", 1),
        ("wave-both-hands", "somebody waves with the arms", 1),
        ("wave-both-hands", "somebody waves the left hand", 0),
        ("raise-up-right-hand", "all right, the right hand goes up", 1),
        ("raise-up-right-hand", "all right, a hand goes up", 0),
    ],
)
def test_a_side_is_named_and_no_other(content, caption, right):
    assert SideAccuracy().state([caption], batch(content)).compute()["side_accuracy"] == right


def test_a_straight_walk_that_turns_right_is_wrong_apart():
    said = ["a person walks forward", "a person runs and turns right", "a person waves the left hand"]
    found = SideAccuracy().state(said, batch("walk", "run", "wave-left-hand")).compute()
    assert found == {"side_accuracy": 1.0, "side_accuracy_none": 0.5}


def test_what_has_no_side_is_not_asked():
    found = SideAccuracy().state(["bows", "turns left"], batch("bow", "walk-turn-left")).compute()
    assert found["side_accuracy"] == 1
    wrong = batch("walk")
    wrong.labels = None
    with pytest.raises(DataError, match="side_accuracy: the batch has no labels"):
        SideAccuracy().state(["he walks"], wrong)
