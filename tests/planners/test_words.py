"""The verbs that the rules know, in forms of a dictionary."""

from __future__ import annotations

import pytest

from motion_platform.planners.words import lexicon


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("walk", ("walk", "base")),
        ("Walks", ("walk", "s")),
        ("walking", ("walk", "ing")),
        ("walked", ("walk", "past")),
        ("ran", ("run", "past")),
        ("running", ("run", "ing")),
        ("hopped", ("hop", "past")),
        ("waved", ("wave", "past")),
        ("carried", ("carry", "past")),
        ("stayed", ("stay", "past")),
        ("runned", None),
        ("put", ("put", "base")),  # past and base are alike: the base is what a sentence begins with
        ("table", None),
    ],
)
def test_forms_lead_back_to_their_verb(word: str, wanted: tuple[str, str] | None) -> None:
    assert lexicon().form(word) == wanted


def test_kinds_and_styles() -> None:
    words = lexicon()
    assert "walk" in words.travel - words.arms
    assert "wave" in words.arms - words.travel
    assert "bow" not in words.travel | words.arms
    assert (words.styles["sadly"], words.styles["furious"], words.styles["elderly"]) == ("sad", "angry", "old")
    assert words.travel | words.arms <= {base for base, _ in words.forms.values()}
