"""No answer, however it is sampled, can fail to be read."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motion_platform.generators.language.grammar import SecondsGrammar, TextGrammar, motion_grammar, readable_text
from motion_platform.generators.language.vocabulary import Vocabulary
from motion_platform.language_models.text import Bytes


def sample(grammar, seed, most=100_000):
    """Any of what is legal, until the end; also the most hostile writer there is: it likes the last legal id."""
    chance = random.Random(seed)
    hostile = seed % 3
    for _ in range(most):
        legal = grammar.legal().nonzero()[:, 0].tolist()
        assert legal, "something may always come next"
        grammar.write(legal[-1] if hostile == 1 else legal[0] if hostile == 2 else chance.choice(legal))
        if grammar.done:
            assert len(grammar.ids) < grammar.longest  # the end mark is one, too
            return grammar.ids
    raise AssertionError("it never stops")


@settings(max_examples=150, deadline=None)
@given(
    writing=st.sampled_from(["tokens", "decimal"]),
    codes=st.sampled_from([1, 7, 10, 100, 512]),
    codebooks=st.integers(1, 3),
    steps=st.one_of(st.none(), st.integers(1, 12)),
    most=st.integers(1, 12),
    seed=st.integers(0, 2**20),
)
def test_every_motion_that_can_be_sampled_is_read(writing, codes, codebooks, steps, most, seed):
    vocabulary = Vocabulary(Bytes(), 256, codes, codebooks, writing)
    chance = random.Random(seed)
    places = range(steps or 1)
    known = {s: [chance.randrange(codes) for _ in range(codebooks)] for s in places if steps and chance.random() < 0.3}
    made = vocabulary.parse(sample(motion_grammar(vocabulary, steps=steps, most=most, known=known), seed))
    assert made.shape[1] == codebooks
    assert len(made) == steps if steps else 1 <= len(made) <= most
    assert all(made[s].tolist() == codes for s, codes in known.items())


@pytest.mark.parametrize("writing", ["tokens", "decimal"])
def test_everything_that_is_a_motion_can_be_written(writing):
    """The grammar leaves out nothing: random codes are legal, id by id."""
    vocabulary = Vocabulary(Bytes(), 256, 120, 2, writing)
    for steps in (None, 5):
        grammar = motion_grammar(vocabulary, steps=steps, most=5)
        for id in [*vocabulary.write(torch.randint(120, (5, 2))), vocabulary.motion_end]:
            choice = grammar.out.tolist().index(id)
            assert grammar.legal()[choice]
            grammar.write(choice)
        assert grammar.done


@settings(max_examples=100, deadline=None)
@given(most=st.integers(1, 20), seed=st.integers(0, 2**20))
def test_every_text_that_can_be_sampled_is_text(most, seed):
    vocabulary = Vocabulary(Bytes(), 256, 8, 1)
    readable, opening = readable_text(vocabulary)
    said = Bytes().decode(sample(TextGrammar(vocabulary, most, readable, opening), seed))
    assert 1 <= len(said) <= most
    assert said.isprintable()
    assert said[0].isalpha()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_every_length_that_can_be_sampled_is_a_number(seed):
    vocabulary = Vocabulary(Bytes(), 256, 8, 1)
    grammar = SecondsGrammar(vocabulary)
    said = Bytes().decode(sample(grammar, seed))
    assert grammar.seconds() == float(said)
    assert 0 <= float(said) < 100


def test_special_tokens_and_line_breaks_are_no_text():
    class Special(Bytes):
        special = frozenset({65})

    readable, opening = readable_text(Vocabulary(Special(), 260, 8, 1))
    assert not readable[[65, 10, 0, 200, 259]].any()  # special, a line break, control, half a character, no token
    assert readable[[66, 32, 44, -1]].all()
    assert opening[66]
    assert not opening[[32, 44, -1]].any()
