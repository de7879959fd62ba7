"""Slips of the finger are mended; words, names and what has two readings stay as they are."""

from __future__ import annotations

import re

import pytest

from motion_platform.core.seeding import seed_of
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.texts.spelling import corrected
from motion_platform.texts.wordings import whole_sentences


@pytest.fixture(scope="module")
def is_word():
    return SentenceEncoder().network.knows


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a hoodlum goes rgiht", "a hoodlum goes right"),
        ("He WLAKS, Runing fast!", "He WALKS, Running fast!"),
        ("she wallks", "she walks"),
    ],
)
def test_three_slips_are_mended_and_their_capitals_stay(typed, meant, is_word) -> None:
    found, changed = corrected(typed, is_word)
    assert found == meant
    assert changed == [(a, b) for a, b in zip(*(re.findall(r"\w+", t) for t in (typed, meant)), strict=True) if a != b]


@pytest.mark.parametrize(
    "typed",
    ["a person walks", "Xqzv wvw", "teh cat", "don't waev's", "wAvse", "Pikachu salsas", "", "naïve façade 3.5 m/s"],
)
def test_words_and_what_is_no_slip_stay(typed, is_word) -> None:
    """Too short, with capitals inside or an apostrophe, of no known word."""
    assert corrected(typed, is_word) == (typed, [])


def test_a_word_that_the_encoder_knows_stays() -> None:
    assert corrected("rgiht", lambda word: word == "rgiht") == ("rgiht", [])


def test_of_sentences_that_people_wrote_hardly_one_is_changed(is_word) -> None:
    sentences = [each.text for each in whole_sentences("development")]
    changed = [pair for text in sentences for pair in corrected(text, is_word)[1]]
    assert len(sentences) > 1500
    assert len(changed) < len(sentences) / 200, changed


def test_slips_put_into_sentences_are_found_again(is_word) -> None:
    """Two neighbours exchanged inside a word of five letters or more of every twentieth sentence."""
    import random

    right = total = 0
    for each in whole_sentences("development")[::20]:
        dice = random.Random(seed_of("slips", each.text))
        words = [w for w in each.text.split() if w.isalpha() and w.islower() and len(w) > 4 and is_word(w)]
        if not words:
            continue
        word = dice.choice(words)
        at = dice.randrange(1, len(word) - 2)
        slipped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if slipped == word or is_word(slipped):
            continue
        total += 1
        right += corrected(each.text.replace(word, slipped, 1), is_word)[0] == each.text
    assert total > 60
    assert right / total > 0.8, (right, total)
