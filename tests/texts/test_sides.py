"""Swapping left and right in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motion_platform.texts.sides import named_sides, swap_labels, swap_sides


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("a man waves his left hand", "a man waves his right hand"),
        ("Left, then RIGHT, then Right.", "Right, then LEFT, then Left."),
        ("steps leftwards in a clockwise circle", "steps rightwards in a counterclockwise circle"),
        ("turns counter-clockwise", "turns clockwise"),
        ("turns anticlockwise", "turns clockwise"),
        ("stands upright and is all right", "stands upright and is all right"),
        ("turns right away to the right", "turns right away to the left"),
        ("uses what is left of the left half", "uses what is left of the right half"),
        ("a right-handed left-hand throw", "a left-handed right-hand throw"),
        ("raises the r hand", "raises the l hand"),
        ("they'll walk, bright light", "they'll walk, bright light"),
        ("has no strength left in the left arm", "has no strength left in the right arm"),
        ("", ""),
    ],
)
def test_swaps_the_words_that_name_a_side(text, swapped):
    assert swap_sides(text) == swapped


WORDS = ["left", "right", "Left", "RIGHT", "hand", "walks", "leftward", "bright", ",", "clockwise", "."]


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_swapping_twice_changes_nothing(parts):
    text = " ".join(parts)
    assert swap_sides(swap_sides(text)) == text


@given(st.text(max_size=200))
def test_any_text_keeps_its_other_characters(text):
    for word in ("left", "right", "clockwise"):
        if word in text.lower():
            return
    if not any(c in "lrLR" for c in text):
        assert swap_sides(text) == text


def test_labels_are_swapped_inside_their_names():
    assert swap_labels({"content": "raise-up-left-hand", "style": "sad"}) == {
        "content": "raise-up-right-hand",
        "style": "sad",
    }
    assert swap_labels({"content": "walk-turn-right"}) == {"content": "walk-turn-left"}


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("walks forward", set()),
        ("turns left", {"left"}),
        ("the right-handed wave", {"right"}),
        ("moves leftwards", {"left"}),
        ("walks counter-clockwise", {"left"}),
        ("turns clockwise", {"right"}),
        ("waves both hands", {"left", "right"}),
        ("the left and then the right", {"left", "right"}),
        ("right away, all right", set()),
    ],
)
def test_named_sides(text, sides):
    assert named_sides(text) == sides
