"""Sentences for motions whose truth is known, because they are built: directions, hands, and what is unsure."""

import random

import numpy as np
import pytest
import torch

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.spaces import captioner
from motion_platform.spaces.captioner import MEASUREMENTS, measure, plainly, say
from motion_platform.texts.statements import known_contents, statement
from tests.spaces.test_recogniser import motion_of, person, recogniser

LABELS = ["walk", "walk-turn-left", "wave-left-hand", "wave-right-hand", "run", "bow", "kick", "still"]
STYLES = ["normal", "old"]


def walk(frames=80, speed=1.2, turn=0.0, side=0.0):
    """A figure that goes ``speed`` m/s, turning by ``turn`` degrees in all (to the left positive), or sideways."""
    body = person(frames, "stand")
    angle = np.radians(np.linspace(0, turn, frames))
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, z = body[..., 0] * cos + body[..., 2] * sin, body[..., 2] * cos - body[..., 0] * sin
    step = speed / 20 * np.stack([np.sin(angle + side), np.cos(angle + side)], -1)
    path = np.cumsum(step, 0)
    return np.stack([x + path[:, :1], body[..., 1], z + path[:, 1:]], -1)


def standing(frames=60):
    return np.repeat(person(1), frames, 0)


def wave(hand="left"):
    body = person(80, "stand")
    wrist, elbow = {"left": (20, 18), "right": (21, 19)}[hand]
    swing = 0.15 * np.sin(2 * np.pi * 1.5 * np.arange(80) / 20)
    body[:, wrist, 1], body[:, elbow, 1] = 1.7, 1.45
    body[:, wrist, 0] += swing
    return body


def told(joints, label, sure=0.9, style="normal"):
    content, manner = torch.full((1, len(LABELS)), (1 - sure) / (len(LABELS) - 1)), torch.full((1, 2), 0.1)
    content[0, LABELS.index(label)], manner[0, STYLES.index(style)] = sure, 0.9
    targets = {"content": LABELS, "style": STYLES}
    (said,) = say([joints], {"content": content, "style": manner}, targets, 20.0, [random.Random(0)])
    return said


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        (walk(), "a person walks forward"),
        (walk(turn=90), "a person walks forward and turns left"),
        (walk(turn=-90), "a person walks forward and turns right"),
        (walk(turn=-180), "a person walks forward and turns around to the right"),
        (walk(turn=350), "a person walks in a circle to the left"),
        (walk(speed=-1.0), "a person walks backward"),
        (walk(side=np.pi / 2), "a person walks sideways to the left"),
        (walk(side=-np.pi / 2), "a person walks sideways to the right"),
    ],
)
def test_directions_are_measured(joints, words):
    said = told(joints, "walk")
    assert said.text == words
    assert said.by == ""


@pytest.mark.parametrize("hand", ["left", "right"])
@pytest.mark.parametrize("label", ["wave-left-hand", "wave-right-hand"])
def test_the_hand_is_the_one_that_is_up_whatever_the_label_says(hand, label):
    assert f"the {hand} hand" in told(wave(hand), label).text


def test_style_is_said_where_it_is_sure():
    assert "old person" in told(walk(), "walk", style="old").text or "elderly" in told(walk(), "walk", style="old").text
    assert told(walk(), "walk").text == "a person walks forward"


@pytest.mark.parametrize(
    ("joints", "label", "sure", "words"),
    [
        (walk(), "walk", 0.5, "a person moves forward"),  # not sure
        (standing(), "walk", 0.95, "a person stays still"),  # sure, but it goes nowhere
        (standing(), "wave-left-hand", 0.95, "a person stays still"),  # sure, but no hand is up
        (standing(), "bow", 0.95, "a person stays still"),  # sure, but upright
        (walk(), "kick", 0.95, "a person moves forward"),  # sure, but no foot leaves the floor
        (standing(), "still", 0.95, "a person stays still"),  # a label without an action
    ],
)
def test_what_is_unsure_or_cannot_be_is_only_measured(joints, label, sure, words):
    said = told(joints, label, sure)
    assert said.by == MEASUREMENTS
    assert said.text == words


def test_families_share_their_probability():
    both = torch.tensor([[0.45, 0.45, *[0.1 / 6] * 6]])
    (said,) = say([walk(turn=90)], {"content": both}, {"content": LABELS}, 20.0, [random.Random(0)])
    assert said.text == "a person walks forward and turns left"


def test_measures():
    body = measure(walk(80, speed=1.2, turn=90), 20.0)
    assert body.turn == pytest.approx(90, abs=6)
    assert body.travel == pytest.approx(1.2 * 79 / 20, abs=0.1)
    assert body.goes
    assert measure(wave("left"), 20.0).hand() == "left"
    assert plainly(measure(standing(2), 20.0)) == "a person stays still"


def test_every_family_has_words_and_every_word_is_a_sentence():
    families = set(captioner.FAMILIES) | {"bow", "call", "dance-short", "guide", "kick", "punch", "respond", "slash"}
    assert set(known_contents()) == families
    for content in known_contents():
        said = statement(content, "tired", hand="both", draw=random.Random(1))
        assert "<" not in said
        assert said.startswith("a person ")


def test_a_recogniser_without_words_says_so():
    motion = motion_of([person(40)])
    model = recogniser(motion).eval()  # its labels are stand, sway, go
    (said,) = model.statements(motion, noise=NoiseSource(["a"], 0), sampling=Sampling())
    assert said.by == MEASUREMENTS
    assert model.describe(motion, noise=NoiseSource(["a"], 0), sampling=Sampling()) == [said.text]
    model.targets = {"style": ["slow", "fast"]}
    with pytest.raises(UsageError, match="has no words for its labels"):
        model.describe(motion, noise=NoiseSource(["a"], 0), sampling=Sampling())
