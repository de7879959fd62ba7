"""Styles of captions: none, another one, and all of them at once are caught."""

import pytest

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch
from motion_platform.metrics.style_accuracy import StyleAccuracy, says_style, style_words
from motion_platform.texts.bandai import CANONICAL_STYLES, captions_of, vocabulary


def batch(*styles):
    labels = [{"style": style} if style else {} for style in styles]
    return Batch(ids=[f"clip {i}" for i in range(len(styles))], raw={}, lengths=None, labels=labels)


@pytest.mark.parametrize(
    ("caption", "style", "right"),
    [
        ("an elderly man walks", "old", True),
        ("a person walks wearily", "tired", True),
        ("a person walks", "tired", False),
        ("a person walks with a youthful stride", "tired", False),
        ("a person walks", "normal", True),
        ("a sad person walks", "normal", False),
        ("sadly, wearily and worn-out, a person walks", "sad", False),
    ],
)
def test_a_style_is_named_and_no_other_more_often(caption, style, right):
    assert says_style(caption, style) == right


def test_every_style_of_the_data_has_words():
    named = {CANONICAL_STYLES.get(style, style) for style in vocabulary()["styles"]}
    assert set(style_words()) == named - {"normal"}


def test_it_is_a_share_of_the_clips_that_have_a_style():
    found = StyleAccuracy().state(["he is sad", "he walks", "he", "he"], batch("sad", "happy", None, "hand-keyed"))
    assert found.compute() == {"style_accuracy": 0.5}
    wrong = batch("sad")
    wrong.labels = None
    with pytest.raises(DataError, match="style_accuracy: the batch has no labels"):
        StyleAccuracy().state(["he walks"], wrong)


def test_most_captions_of_the_data_say_their_style():
    right = [
        says_style(caption, style)
        for style in ("active", "feminine", "old", "tired", "normal", "youthful", "masculine")
        for caption in captions_of("walk", style, "a clip")[0]
    ]
    assert sum(right) / len(right) >= 0.85
