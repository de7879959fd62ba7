"""Captions: varied, repeatable, grammatical, and never saying the wrong side or another style's name."""

import re

import pytest

from motion_platform.core.errors import UnknownName
from motion_platform.texts.bandai import HIGH_PER_CLIP, captions_of, inflect, labels_of, vocabulary

CONTENTS = sorted(vocabulary()["contents"])
STYLES = sorted(vocabulary()["styles"])


def test_every_label_of_the_data_set_has_words():
    contents = """bow bye byebye call dance-short dash guide kick punch respond run slash walk walk-back walk-left
        walk-right raise-up-both-hands raise-up-left-hand raise-up-right-hand walk-turn-left walk-turn-right
        wave-both-hands wave-left-hand wave-right-hand"""
    styles = """active angry childish chimpira elderly exhausted feminine giant happy masculine masculinity musical
        normal not-confident old proud sad tired youthful"""
    assert sorted(contents.split()) == CONTENTS
    assert sorted(styles.split()) == STYLES


@pytest.mark.parametrize("content", CONTENTS)
def test_words_are_many_and_plain_text(content):
    words = vocabulary()["contents"][content]
    assert len(set(words["phrases"])) >= 40
    assert len(set(words["nouns"])) >= 3
    assert len(set(words["low"])) >= 5
    for text in [*words["phrases"], *words["nouns"], *words["low"]]:
        assert isinstance(text, str)
        assert re.fullmatch(r"[A-Za-z <>',-]+", text), text
    assert all("<" in phrase for phrase in words["phrases"])


@pytest.mark.parametrize("style", STYLES)
def test_each_style_has_a_dozen_wordings(style):
    words = vocabulary()["styles"][style]
    ways = {*words["adverbs"], *words["manner"], *words["person"], *words["state"], *words["moves"]}
    assert len(ways) >= 20
    assert len(words["moves"]) >= 2
    assert any(" " not in adjective for adjective in words["person"])


def test_captions_are_distinct_repeatable_and_different_for_each_clip():
    high, low = captions_of("walk", "tired", "clip 1")
    assert len(high) == len(set(high)) == HIGH_PER_CLIP
    assert 1 <= len(low) <= 4
    assert low[0] == "walk"
    assert captions_of("walk", "tired", "clip 1") == (high, low)
    other, _ = captions_of("walk", "tired", "clip 2")
    assert len(set(high) & set(other)) < 6


def test_tens_of_thousands_of_different_sentences():
    every = {
        caption
        for content in CONTENTS
        for style in STYLES
        for clip in range(5)
        for caption in captions_of(content, style, f"{content} {style} {clip}", high=24)[0]
    }
    assert len(every) > 40_000


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_no_markup_is_left_and_sides_agree_with_the_label(content, mirrored):
    side = labels_of(content, "normal", mirrored=mirrored)["content"]
    for style in STYLES:
        high, low = captions_of(content, style, f"{content} {style}", mirrored=mirrored)
        for text in [*high, *low]:
            assert not re.search(r"[<>{}_]|\s{2}|^\s|\s$|\bi\b(?! am)|themself", text), text
            words = set(re.findall(r"[a-z]+", text.lower()))
            if "left" in side:
                assert not words & {"right", "rightward", "rightwards"}, text
            elif "right" in side:
                assert not words & {"left", "leftward", "leftwards"}, text


def test_low_level_sequences_name_the_mirrored_side():
    assert captions_of("walk-turn-left", "old", 3)[1][0] == "walk, turn left"
    assert captions_of("walk-turn-left", "old", 3, mirrored=True)[1][0] == "walk, turn right"
    assert captions_of("raise-up-left-hand", "old", 3)[1][0] == "stand, raise left hand, lower left hand"


def test_a_mirrored_side_before_after_is_swapped_too():
    """``turns right after ...`` reads like the idiom ``right after``, yet it is a side here."""
    for seed in range(150):
        for caption in captions_of("walk-turn-right", "tired", seed, mirrored=True)[0]:
            assert not re.search(r"\bright\b", caption, re.I), caption


def test_no_wording_belongs_to_two_contents():
    owner: dict[str, str] = {}
    for content, words in vocabulary()["contents"].items():
        for text in {*words["phrases"], *words["nouns"]}:
            assert owner.setdefault(text, content) == content, text


def test_normal_is_often_said_without_a_word_of_style_and_others_never():
    """A sentence without style must mean the normal style."""
    bare = re.compile(r"(a person|someone|somebody|a man|a woman|he|she|the figure) walks( forward| ahead)?", re.I)
    normal = [c for seed in range(200) for c in captions_of("walk", "normal", seed)[0] if bare.fullmatch(c.strip(".!"))]
    assert len(normal) > 20
    for style in set(STYLES) - {"normal"}:
        for seed in range(30):
            for caption in captions_of("walk", style, seed)[0]:
                assert not bare.fullmatch(caption.strip(".!")), caption


@pytest.mark.parametrize(
    ("verb", "s", "ing"),
    [
        ("walk", "walks", "walking"),
        ("run", "runs", "running"),
        ("dash", "dashes", "dashing"),
        ("wave", "waves", "waving"),
        ("go", "goes", "going"),
        ("hurry", "hurries", "hurrying"),
        ("say", "says", "saying"),
        ("see", "sees", "seeing"),
        ("box", "boxes", "boxing"),
        ("lie", "lies", "lying"),
        ("jog", "jogs", "jogging"),
        ("beckon", "beckons", "beckoning"),
        ("spar", "spars", "sparring"),
    ],
)
def test_inflection(verb, s, ing):
    assert (inflect(verb, "base"), inflect(verb, "s"), inflect(verb, "ing")) == (verb, s, ing)


def test_one_name_for_a_style_that_the_two_sets_name_differently():
    assert labels_of("run", "elderly")["style"] == labels_of("run", "old")["style"] == "old"
    assert labels_of("wave-left-hand", "exhausted", mirrored=True) == {"content": "wave-right-hand", "style": "tired"}


def test_unknown_labels_name_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'walk-back'"):
        captions_of("walk-bak", "old", 0)
    with pytest.raises(UnknownName, match="did you mean 'happy'"):
        captions_of("walk", "hapy", 0)
