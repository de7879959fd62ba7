"""Labels read from a text: what is learned, what stays out of it, and what a generator is given."""

from __future__ import annotations

import pytest
import torch

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Condition
from motion_platform.generators.tokens.labels import SHARPNESS, SMOOTHING, TextLabels, told

TARGETS = {"content": ["walk", "kick", "other"], "style": ["normal", "sad"]}


def texts(rows: int, states: int = 5, *, seed: int = 0) -> Condition:
    """Conditions of random token states of width 12, row r with r + 1 real ones at most."""
    random = torch.Generator().manual_seed(seed)
    own = torch.randn(rows, states, 12, generator=random)
    real = torch.arange(states)[None] <= torch.arange(rows)[:, None]
    mask = torch.cat([torch.ones(rows, 1, dtype=torch.bool), real], 1)
    return Condition(torch.zeros(rows, 1 + states, 8), mask, encoded=own)


def build(width: int = 8, **settings) -> TextLabels:
    torch.manual_seed(0)
    return TextLabels(12, TARGETS, width, part=8, hidden=8, **settings).eval()


def test_it_learns_labels_and_a_generator_changes_nothing_of_what_is_read() -> None:
    labels, text = build(dropout=0.0).train(), texts(4)
    asked = [{"content": "walk", "style": "sad"}, {"content": "kick"}, {"content": "walk", "style": "normal"}, {}]
    optimiser = torch.optim.Adam(labels.parameters(), 1e-2)
    for _ in range(200):
        losses = labels.losses(text, asked)
        optimiser.zero_grad()
        (losses["content"] + losses["style"]).backward()
        optimiser.step()
    assert losses["content_right"] == losses["style_right"] == 1
    best = {name: p.argmax(1).tolist() for name, p in labels.eval().probabilities(text).items()}
    assert best["content"] == [0, 1, 0, 2]
    assert (best["style"][0], best["style"][2]) == (1, 0)
    labels.zero_grad()
    labels.vector(text).square().sum().backward()  # still zero, so its gradient is, too; but it reaches the rows
    assert {name for name, p in labels.named_parameters() if p.grad is not None} == {"rows.content", "rows.style"}


def test_the_vector_is_the_rows_by_their_probabilities_and_zero_where_nothing_is_said() -> None:
    labels, text = build(), texts(3)
    assert not labels.vector(text).any(), "a model that goes on from one without labels makes the same at first"
    for rows in labels.rows.values():
        torch.nn.init.normal_(rows)
    read = {name: each**SHARPNESS for name, each in labels.probabilities(text).items()}
    read = {name: each / each.sum(1, keepdim=True) for name, each in read.items()}
    assert bool((read["content"].amax(1) > labels.probabilities(text)["content"].amax(1)).all())
    wanted = read["content"] @ labels.rows["content"] + read["style"] @ labels.rows["style"]
    torch.testing.assert_close(labels.vector(text), wanted * 8**0.5)
    torch.testing.assert_close(sum(read["content"].T), torch.ones(3))
    silent = text.drop(torch.tensor([False, True, False]))
    assert told(silent).tolist() == [True, False, True]
    assert labels.vector(silent).any(1).tolist() == [True, False, True]
    nobody = Condition(torch.zeros(2, 1, 8), torch.ones(2, 1, dtype=torch.bool), encoded=torch.zeros(2, 0, 12))
    assert not labels.vector(nobody).any()


def test_padding_says_nothing() -> None:
    labels, text = build(), texts(3)
    changed = Condition(text.tokens, text.mask, encoded=text.encoded.clone())
    changed.encoded[~text.mask[:, 1:]] = 1e3
    for name, read in labels.probabilities(text).items():
        torch.testing.assert_close(labels.probabilities(changed)[name], read)
    short = Condition(text.tokens[:1, :2], text.mask[:1, :2], encoded=text.encoded[:1, :1])
    torch.testing.assert_close(labels.probabilities(short)["content"], labels.probabilities(text)["content"][:1])


def test_a_label_counts_as_the_kind_that_words_it_and_as_other_where_none_does() -> None:
    labels = TextLabels(12, {"content": ["kick", "squat", "other"], "style": ["normal", "sad"]}, 8)
    asked = {"kick": 0, "squat1Reps": 1, "playing the violin": 2}
    assert {label: labels.index("content", {"content": label}) for label in asked} == asked
    assert labels.index("content", {"content": "Kick"}, "a person does it") == asked["kick"], "in capitals, too"
    assert labels.index("content", {}) == 2, "a clip that nobody labelled is of no kind"
    assert labels.index("content", {"style": "sad"}) == -1, "a style alone says nothing of the kind"
    assert labels.index("style", {"content": "kick"}) == labels.index("style", {"style": "hand-keyed"}) == -1


def test_a_clip_that_nobody_labelled_is_of_another_kind_only_where_its_text_names_none_that_many_know() -> None:
    """CMU's clips have captions and no labels: "a person walks forward" must not be learned as another kind."""
    labels, text = build(), texts(4)
    said = ["a person walks forward", "plays the violin", "a person walks forward", "strums a guitar"]
    of = [{}, {}, {"content": "kick"}, {"content": "playing the violin"}]
    batch = Batch(["a", "b", "c", "d"], {"text_high": said}, torch.tensor([9] * 4), labels=of)
    rows = labels.probabilities(text)["content"].log()
    wanted = -(rows[1, 2] + rows[2, 1] + rows[3, 2]) / 3
    torch.testing.assert_close(labels.parts(text, batch, "text_high")["labels"], wanted)
    unsaid = Batch(batch.ids, {}, batch.lengths, labels=of)
    every = -(rows[0, 2] + rows[1, 2] + rows[2, 1] + rows[3, 2]) / 4
    torch.testing.assert_close(labels.parts(text, unsaid, "text_high")["labels"], every)


def test_the_error_is_the_cross_entropy_of_the_rows_that_say_something() -> None:
    labels, text = build(), texts(3)
    read = labels.probabilities(text)["content"].log()
    asked = [{"content": "kick"}, {"content": "walk"}, {"content": "walk"}]
    said = text.drop(torch.tensor([False, False, True]))
    error = -(read[0, 1] + read[1, 0]) / 2
    torch.testing.assert_close(labels.losses(said, asked)["content"], error)
    smooth = labels.train()
    smooth.dropout.p = 0.0
    blurred = (1 - SMOOTHING) * error - SMOOTHING * read[:2].mean()
    torch.testing.assert_close(smooth.losses(said, asked)["content"], blurred)
    assert labels.losses(text.drop(), asked)["content"] == 0


def test_bad_settings_and_conditions_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"labels\.style: needs two or more different labels, got \['sad'\]"):
        TextLabels(12, {"style": ["sad"]}, 8)
    with pytest.raises(DataError, match="width 12, got 7"):
        build().probabilities(Condition(torch.zeros(1, 2, 8), torch.ones(1, 2).bool(), encoded=torch.zeros(1, 1, 7)))
    with pytest.raises(DataError, match="width 12, got none"):
        build().probabilities(Condition(torch.zeros(1, 2, 8), torch.ones(1, 2).bool()))
