"""Fragments and what they leave out, held to what a reader puts there."""

from __future__ import annotations

import pytest

from motion_platform.planners.clauses import clause_of
from motion_platform.planners.ellipsis import completed, is_fragment


@pytest.mark.parametrize(
    ("fragment", "last", "whole"),
    [
        ("the right", "waves the left hand", "waves the right hand"),
        ("with the other leg", "kicks with the left leg", "kicks with the right leg"),
        ("the other", "raises his left arm", "raises his right arm"),
        ("the other", "jumps", None),  # nothing has a side
        ("both", "raises his left arm", "raises both arms"),
        ("the left", "raises both feet", "raises the left foot"),
        ("the right knee", "raises his left arm", "raises the right knee"),
        ("back", "walks forward", "walks back"),
        ("to the left", "walks", "walks to the left"),
        ("again", "waves", "waves"),
        ("twice", "bows", "bows twice"),
        ("three times", "bows 2 times", "bows three times"),
        ("two to the left", "takes three steps to the right", "takes two steps to the left"),
        ("one back", "takes four steps forward", "takes one step back"),
        ("a deep bow", "walks", "bows deeply"),
        ("another jump", None, "jumps"),
        ("a final jump", None, "jumps"),
        ("a big jump", None, None),  # no adverb is known for it
        ("purple", "walks", None),
        ("the right", None, None),
        ("again", "the sun shines", None),  # the one before has no verb either
    ],
)
def test_what_a_fragment_stands_for(fragment: str, last: str | None, whole: str | None) -> None:
    said = completed(fragment, None if last is None else clause_of(last))
    assert said is None if whole is None else said is not None and " ".join(said.split()) == whole


def test_a_fragment_has_no_verb() -> None:
    assert is_fragment("the right hand")
    assert not is_fragment("raises the right hand")
