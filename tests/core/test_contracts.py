"""What the bases of every kind do by themselves, and ids of several predictions of a clip."""

from __future__ import annotations

import pytest
import torch

from motion_platform.core.contracts import Encoder, Generator, Metric, Space, State, clip_of, generation_id, merge_ids
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Sampling
from motion_platform.core.seeding import NoiseSource


class Plain(Encoder):
    def forward(self, raw):
        raise NotImplementedError

    def fingerprint(self) -> str:
        return "x"


class Still(Generator):
    def loss(self, batch, given):
        raise NotImplementedError

    def generate(self, given, lengths, *, noise, sampling, edit=None):
        raise NotImplementedError


class Told(Still):
    def describe(self, motion, *, noise, sampling):
        return ["a", "b"]


class Near(Space):
    def loss(self, batch, given):
        raise NotImplementedError

    def embed(self, motion):
        raise NotImplementedError


def test_what_a_base_says_of_a_kind_that_says_nothing() -> None:
    """An encoder is cut with its recording; a generator edits, mixes nothing and weighs its slots alone."""
    assert (Plain.frozen, Plain.hears_whole, Plain.rate_hz) == (True, False, None)
    assert (Still.mixes, Still.edits, Still.links) == (False, True, ())


def test_a_frozen_encoder_stays_in_evaluation_mode_and_another_follows_its_owner() -> None:
    encoder = Plain()
    assert not encoder.train().training
    encoder.frozen = False
    assert encoder.train().training
    assert not encoder.train(False).training


def test_a_generator_that_says_nothing_more_makes_one_motion_without_words() -> None:
    noise = NoiseSource(["a"], 0)
    still = Still()
    assert not still.has_words()
    assert (still.mixes, still.edits, still.spread, still.fingerprints()) == (False, True, "", {})
    assert (still.seams(9), still.natural_lengths({}), still.finished("motion", {})) == ([], None, "motion")
    with pytest.raises(UsageError, match="Still makes no words of motion"):
        still.describe(None, noise=noise, sampling=Sampling())
    with pytest.raises(UsageError, match="Still: makes one motion of one text"):
        still.compose({}, None, noise=noise, sampling=Sampling())
    told = Told()
    assert told.has_words()
    assert [(s.text, s.by) for s in told.statements(None, noise=noise, sampling=Sampling())] == [("a", ""), ("b", "")]


def test_a_space_embeds_motion_alone_unless_it_says_more() -> None:
    assert Near.sees_motion
    assert not Near.embeds_conditions()
    with pytest.raises(UsageError, match="space Near: embeds motion, not conditions"):
        Near().embed_condition({})
    assert type("Both", (Near,), {"embed_condition": lambda self, given: torch.zeros(1, 1)}).embeds_conditions()


def test_ids_of_predictions_name_their_clip_and_none_is_counted_twice() -> None:
    assert clip_of(generation_id("clip 7", 12)) == "clip 7"
    for name in ("clip 7", "a#b", "a#1b"):
        assert clip_of(name) == name
    assert merge_ids({"a"}, {"b"}) == {"a", "b"}
    for count, said in ((3, "counted twice: a, b, c$"), (4, r"counted twice: a, b, c \.\.\.")):
        with pytest.raises(DataError, match=said):
            merge_ids(set("abcd"[:count]), set("abcde"[:count]))


def test_a_metric_that_says_no_more_judges_one_motion_of_every_clip_by_itself() -> None:
    class Number(Metric):
        name, unit, higher_is_better = "number", "m", False

        def state(self, prediction, batch, embeddings=None):
            raise NotImplementedError

    class Gathered(State):
        def merge(self, other):
            raise NotImplementedError

        def compute(self):
            return {}

    number = Number()
    assert (number.needs, number.judges, number.generations, number.clips) == (None, "motion", 1, None)
    assert number.about("number_of_anything") == ("m", False)
    assert Gathered().subset({"a"}) is None
