"""English forms of verbs, held to forms that were written down by hand from a dictionary."""

from __future__ import annotations

import pytest

from motion_platform.texts.inflection import article, inflect

FORMS = {
    "walk": ("walks", "walking"),
    "wave": ("waves", "waving"),  # a silent e falls
    "go": ("goes", "going"),
    "do": ("does", "doing"),
    "echo": ("echos", "echoing"),
    "carry": ("carries", "carrying"),  # y behind a consonant
    "play": ("plays", "playing"),  # and behind a vowel
    "punch": ("punches", "punching"),
    "push": ("pushes", "pushing"),
    "pass": ("passes", "passing"),
    "box": ("boxes", "boxing"),
    "waltz": ("waltzes", "waltzing"),
    "lie": ("lies", "lying"),
    "tie": ("ties", "tying"),
    "flee": ("flees", "fleeing"),
    "tiptoe": ("tiptoes", "tiptoeing"),
    "dye": ("dyes", "dyeing"),
    "run": ("runs", "running"),
    "swim": ("swims", "swimming"),
    "wag": ("wags", "wagging"),
    "drag": ("drags", "dragging"),
    "jump": ("jumps", "jumping"),
    "lean": ("leans", "leaning"),
    "turn": ("turns", "turning"),
}


@pytest.mark.parametrize("verb", FORMS)
def test_forms_of_a_dictionary(verb: str) -> None:
    assert (inflect(verb, "s"), inflect(verb, "ing")) == FORMS[verb]
    assert inflect(verb, "base") == verb


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("man", "a man"),
        ("upset man", "an upset man"),
        ("old dancer", "an old dancer"),
        ("one-handed wave", "a one-handed wave"),
        ("once proud king", "a once proud king"),
        ("uniform", "a uniform"),
        ("used rope", "a used rope"),
        ("usual step", "a usual step"),
        ("european dance", "a european dance"),
        ("unimpressed man", "an unimpressed man"),
        ("uninterested man", "an uninterested man"),
        ("hour", "an hour"),
        ("honest bow", "an honest bow"),
        ("hop", "a hop"),
    ],
)
def test_articles_follow_the_sound(words: str, wanted: str) -> None:
    assert article(words) == wanted
