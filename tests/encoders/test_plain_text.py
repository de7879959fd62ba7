"""The text itself as numbers, held to Python's own code points."""

from __future__ import annotations

import logging

import pytest
import torch

from motion_platform.encoders.plain_text import PlainText, spell

TEXTS = ["a person walks", "é 走 \U0001f600", "", "x"]


def test_a_token_a_character() -> None:
    condition = PlainText()(TEXTS)
    for text, points, mask in zip(TEXTS, condition.tokens[..., 0], condition.mask, strict=True):
        assert points[mask].tolist() == [ord(c) for c in text]
        assert mask.tolist() == [k < len(text) for k in range(mask.shape[0])]
        assert points[~mask].eq(0).all()
    assert condition.tokens.dtype == torch.float32


def test_spelling_is_the_inverse() -> None:
    condition = PlainText()(TEXTS)
    assert spell(condition.tokens, condition.mask) == TEXTS
    assert spell(condition.tokens + 0.3, condition.mask) == TEXTS  # numbers that went through another precision


def test_a_long_text_is_cut_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    encoder = PlainText(max_characters=4)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            condition = encoder(["walking", "run"])
    assert spell(condition.tokens, condition.mask) == ["walk", "run"]
    assert [record.message for record in caplog.records] == [
        "a text of 7 tokens is cut to the first 4, all that plain_text reads (said once)"
    ]


def test_its_print_changes_with_what_is_cut() -> None:
    assert PlainText().fingerprint() == PlainText(400).fingerprint() != PlainText(399).fingerprint()
    assert list(PlainText().parameters()) == []
    with pytest.raises(ValueError, match="max_characters: got 0; at least 1"):
        PlainText(0)
