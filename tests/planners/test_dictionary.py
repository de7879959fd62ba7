"""Nearest captions against a plain computation of cosines."""

import numpy as np
import pytest

from motion_platform.core.errors import ConfigError
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.planners import low_texts
from motion_platform.planners.dictionary import Dictionary


@pytest.fixture(scope="module")
def dictionary(table, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Dictionary(low_texts.read(str(table)))


def test_the_nearest_are_those_of_the_largest_cosine(dictionary):
    queries = ["a person walks", "she waves"]
    known = SentenceEncoder()([example.caption for example in dictionary.examples]).tokens[:, 0].numpy()
    asked = SentenceEncoder()(queries).tokens[:, 0].numpy()
    cosine = asked @ known.T / np.linalg.norm(asked, axis=1)[:, None] / np.linalg.norm(known, axis=1)[None]
    assert np.abs(dictionary.similarity(queries) - cosine).max() < 1e-5
    for found, row in zip(dictionary.nearest(queries, 3), cosine, strict=True):
        assert [example.caption for example in found] == [dictionary.examples[k].caption for k in np.argsort(-row)[:3]]


def test_a_query_of_the_table_can_be_kept_from_finding_itself(dictionary):
    query = "A person walks forward."
    assert dictionary.nearest([query], 1)[0][0].caption == "a person walks forward"
    assert dictionary.nearest([query], 1, but_itself=True)[0][0].caption != "a person walks forward"


def test_random_examples_depend_on_the_query_and_the_seed_alone(dictionary):
    together = dictionary.random(["a", "b"], 3, seed=1)
    assert dictionary.random(["b"], 3, seed=1) == together[1:]
    assert len({example.caption for example in together[0]}) == 3
    assert any(dictionary.random([str(k)], 3, seed=1) != dictionary.random([str(k)], 3, seed=2) for k in range(3))
    assert len(dictionary.random(["a"], 99)[0]) == len(dictionary.examples)


def test_the_vectors_are_kept_by_the_encoder_and_the_captions(dictionary, table, monkeypatch, tmp_path):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path))
    examples = low_texts.read(str(table))
    first = Dictionary(examples)
    (kept,) = (tmp_path / "low_texts").iterdir()
    np.save(kept, np.ones_like(first.vectors))
    assert (Dictionary(examples).vectors == 1).all(), "they are read"
    assert not (Dictionary(examples[1:]).vectors == 1).all(), "but not for another table"


def test_an_encoder_that_reads_no_text_is_refused(table):
    with pytest.raises(ConfigError, match="reads audio; name one that reads text"):
        Dictionary(low_texts.read(str(table)), "mel")
