"""The kind that captions name, against captions that people wrote."""

import pytest

from motion_platform.texts.kinds import kind_of
from motion_platform.texts.wordings import names_of

SAID = {
    "walk": "a man walks forward 7 paces while his arms swing.",
    "run": "person is jogging straight ahead",
    "dance": "the sim is doing ballet, twirls then into a pose.",
    "jump": "a person hopping three steps forward, turning around, and hopping one step the opposite direction.",
    "climb": "a person walks in a semi circle and begins to climb",
    "basketball": "a person dribbles a basketball through their legs then runs quickly.",
    "walk-turn": "a person walks forward, then turns around",
    "walk-back": "a person does: walk backwards",
    "cartwheel": "a person walks, then does a cartwheel",
    "pick-up": "person bends down forward and picks up something large with both hands",
    "idle": "the person is standing in place.",
}


@pytest.mark.parametrize("kind", SAID)
def test_a_caption_names_its_kind_and_what_is_rarer_wins(kind: str) -> None:
    assert kind_of([SAID[kind]]) == kind
    assert kind_of([SAID[kind].upper()]) == kind


def test_most_captions_decide_and_the_rarer_kind_where_they_are_equally_many() -> None:
    assert kind_of([SAID["walk"], SAID["walk"], SAID["dance"]]) == "walk"
    assert kind_of([SAID["walk"], SAID["dance"]]) == "dance"
    assert kind_of([SAID["walk"], "a person washes their arm and head."]) == "walk"
    assert kind_of(["a person nods"]) is None
    assert kind_of([]) is None


def test_words_are_whole_ones() -> None:
    assert kind_of(["a transparent grunt"]) is None  # no "ran", no "run"


def test_the_common_kinds_have_wordings() -> None:
    assert all(names_of(kind) for kind in SAID if kind != "walk-turn")
