"""Sentences taken apart, held to what a reader takes them for."""

from __future__ import annotations

import pytest

from motion_platform.planners.clauses import (
    Clause,
    clause_of,
    clean_opening,
    find_verb,
    split_coordinated,
    split_sequence,
    split_simultaneous,
)
from motion_platform.planners.words import lexicon


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("A man walks then sits down.", ["A man walks", "sits down"]),
        ("a person walks -> jumps", ["a person walks", "jumps"]),
        ("he walks, followed by a bow", ["he walks", "a bow"]),
        ("First, wave; finally clap", ["wave", "clap"]),
        ("he walks for 2.5 seconds. Then jumps", ["he walks for 2.5 seconds", "jumps"]),  # no sentence ends in 2.5
        ("walks next to a car", ["walks next to a car"]),  # "next to" is a place
        ("stands at the end of a line", ["stands at the end of a line"]),
        ("he bows before walking away", ["he bows", "walking away"]),
        ("he bows after walking", ["walking", "he bows"]),
        ("before bowing, he walks", ["he walks", "bowing"]),
        ("after walking, she bows", ["she walks", "she bows"]),  # what comes first needs the subject
        ("walks after the ball", ["walks after the ball"]),  # what follows "after" is no verb
        ("", []),
    ],
)
def test_what_follows_each_other_is_in_the_order_of_time(sentence: str, parts: list[str]) -> None:
    assert split_sequence(sentence) == parts


@pytest.mark.parametrize(
    ("part", "clauses"),
    [
        ("he walks and jumps, waves", ["he walks", "jumps", "waves"]),
        ("a person walks forward and back", ["a person walks forward and back"]),
        ("picks up a box and a bag", ["picks up a box and a bag"]),
        ("stands and waves", ["stands and waves"]),  # a stance goes with what is done in it
        ("he does not bow but waves", ["he does not bow", "waves"]),
        ("don't walk, run", ["don't walk", "run"]),
        ("a man is walking and jumping", ["a man is walking", "jumping"]),
        ("a man walks waving and jumping", ["a man walks waving and jumping"]),  # another form than the first
        ("he walks and he bows", ["he walks", "he bows"]),
        ("takes three steps forward and two back", ["takes three steps forward", "two back"]),
    ],
)
def test_a_joint_splits_before_a_verb_alone(part: str, clauses: list[str]) -> None:
    assert split_coordinated(part) == clauses


@pytest.mark.parametrize(
    ("part", "both"),
    [
        ("walks while waving", ["walks", "waving"]),
        ("while waving, walks", ["walks", "waving"]),  # what is done meanwhile comes second
        ("walks and waves at the same time", ["walks", "waves"]),
        ("jumps at the same time", ["jumps"]),
        ("waits while the sun shines", ["waits while the sun shines"]),  # nobody moves in the second half
    ],
)
def test_what_is_done_at_once(part: str, both: list[str]) -> None:
    assert split_simultaneous(part) == both


def test_a_clause_knows_its_parts() -> None:
    slow = clause_of("a man slowly walks forward")
    assert slow == Clause("a man", "slowly", "walk", "forward", "a man slowly walks forward")
    assert (slow.text(), slow.action()) == ("a man slowly walks forward", "walk forward")
    helped = clause_of("is quickly jumping up")
    assert (helped.subject, helped.before, helped.verb, helped.rest) == ("", "quickly", "jump", "up")
    assert helped.text("a woman") == "a woman quickly jumps up"
    many = clause_of("they walk")
    assert (many.plural, many.text()) == (True, "they walk")
    assert not clause_of("he walks").plural


def test_a_clause_without_a_known_verb_keeps_its_words() -> None:
    clause = clause_of("the sun shines")
    assert clause.verb == ""
    assert clause.text() == clause.action() == "the sun shines"


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        ("a running man jumps", (3, "jump", "s")),  # an adjective is no verb
        ("takes a walk", (0, "take", "s")),
        ("the walk", None),  # behind an article, a noun
        ("his high jumps", (2, "jump", "s")),
        ("his jumps", None),
        ("to the left", None),
        ("he doesn't run", (2, "run", "base")),
        ("a man walking", (2, "walk", "ing")),
        ("steps back", (0, "step", "s")),
    ],
)
def test_the_verb_is_the_first_word_used_as_one(words: str, verb: tuple[int, str, str] | None) -> None:
    assert find_verb(words.split(), lexicon()) == verb


def test_words_that_only_say_the_order_go() -> None:
    assert clean_opening("a man starts off by walking") == ("a man", "walking")
    assert clean_opening("a man walks") == ("", "a man walks")
