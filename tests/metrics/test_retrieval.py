import pickle

import numpy as np
import pytest
import torch

from motion_platform.core.contracts import Embeddings
from motion_platform.core.errors import DataError
from motion_platform.metrics.retrieval import RANKS, Retrieval, dissimilar_subset, places
from motion_platform.metrics.sets import Rows


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture
def random():
    return np.random.RandomState(0)


@pytest.fixture
def rows(random):
    text = random.randn(150, 8)
    sentences = unit(random.randn(150, 12))
    sentences[75:] = sentences[:75]  # every caption twice
    ids = [f"{i:03d}" for i in range(150)]
    return Rows(
        ids, text + 0.8 * random.randn(150, 8), None, text, [f"caption {i % 75}" for i in range(150)], sentences
    )


def by_sorting(similarity, right):
    """Places as TMR finds them: sort each row, look where the best of the right answers is."""
    found = []
    for i, row in enumerate(similarity):
        order = np.argsort(-row, kind="stable").tolist()
        found.append(min(order.index(j) for j in np.flatnonzero(right[i])))
    return np.array(found)


def test_all_and_threshold_equal_a_sort(rows, monkeypatch):
    monkeypatch.setattr("motion_platform.metrics.retrieval.BLOCK", 40)
    values = Retrieval(["all", "threshold"]).measure(rows)
    similarity = unit(rows.text) @ unit(rows.motion).T
    for protocol, right in {"all": np.eye(150) > 0, "threshold": rows.sentences @ rows.sentences.T > 0.9}.items():
        for way, matrix in {"text_to_motion": similarity, "motion_to_text": similarity.T}.items():
            found = by_sorting(matrix, right)
            for k in RANKS:
                assert values[f"retrieval_{protocol}_{way}_recall_{k}"] == pytest.approx((found < k).mean())
            assert values[f"retrieval_{protocol}_{way}_median_rank"] == np.median(found) + 1
    assert values["retrieval_threshold_text_to_motion_recall_10"] > values["retrieval_all_text_to_motion_recall_10"]


def test_the_threshold_is_on_a_scale_from_zero_to_one():
    """0.95 of (1 + cosine) / 2 is a cosine of 0.9: TMR counts captions with 0.92 as the same."""
    for cosine, recall in ((0.92, 1.0), (0.88, 0.0)):
        sentences = np.array([[1.0, 0.0], [cosine, (1 - cosine**2) ** 0.5]])
        crossed = Rows(["a", "b"], np.eye(2)[::-1], None, np.eye(2), ["a", "b"], sentences)
        values = Retrieval(["threshold"]).measure(crossed)
        assert values["retrieval_threshold_text_to_motion_recall_1"] == recall


def test_small_batches_are_pools_of_the_seed(rows):
    values = Retrieval(["small_batches"], seed=2).measure(rows)
    order = np.random.RandomState(2).permutation(150)
    recall, rank = [], []
    for pool in order[:128].reshape(4, 32):
        found = by_sorting(unit(rows.text[pool]) @ unit(rows.motion[pool]).T, np.eye(32) > 0)
        recall.append((found < 3).mean())
        rank.append(np.median(found) + 1)
    assert values["retrieval_small_batches_text_to_motion_recall_3"] == pytest.approx(np.mean(recall))
    assert values["retrieval_small_batches_text_to_motion_median_rank"] == pytest.approx(np.mean(rank))


def test_dissimilar_captions_are_never_near(random):
    centres = unit(random.randn(20, 64))
    sentences = unit(np.repeat(centres, 10, 0) + 0.01 * random.randn(200, 64))
    chosen = dissimilar_subset(sentences, 20)
    assert sorted(chosen // 10) == list(range(20))  # one of each group
    assert (dissimilar_subset(sentences, 20) == chosen).all()


def test_dissimilar_protocol_uses_them_alone(rows):
    values = Retrieval(["dissimilar"], subset=60).measure(rows)
    chosen = dissimilar_subset(rows.sentences, 60)
    found = by_sorting(unit(rows.text[chosen]) @ unit(rows.motion[chosen]).T, np.eye(60) > 0)
    assert values["retrieval_dissimilar_text_to_motion_recall_1"] == pytest.approx((found < 1).mean())


def test_shuffled_answers_give_chance(random):
    x = unit(random.randn(3000, 16))
    found = places(x, x[random.permutation(3000)])
    assert np.median(found) == pytest.approx(1500, rel=0.08)
    assert places(x, x).max() == 0


def test_ties_share_the_mean_of_their_places():
    x = np.array([[1.0, 0], [1, 0], [0, 1]])
    assert places(x, x).tolist() == [0.5, 0.5, 0]


def test_units_and_directions():
    metric = Retrieval()
    assert metric.about("retrieval_all_text_to_motion_median_rank") == ("rank", False)
    assert metric.about("retrieval_all_text_to_motion_recall_1") == ("ratio", True)


def test_equal_captions_are_found_by_the_sentence_model():
    texts = ["a man walks forward", "A man walks forward", "a man walks forwards", "somebody plays the violin"]
    sentences = Retrieval().encode(texts)
    assert np.linalg.norm(sentences, axis=1) == pytest.approx(1)
    assert (sentences[0] @ sentences.T > 0.9).tolist() == [True, True, True, False]


def test_bad_input_says_so(rows):
    with pytest.raises(DataError, match=r"150 pairs are too few for the protocol dissimilar.*\[all, threshold\]"):
        Retrieval(["dissimilar"], subset=151).measure(rows)
    with pytest.raises(DataError, match="too few for the protocol small_batches"):
        Retrieval(["small_batches"], pool=151).measure(rows)
    rows.motion[7] = 0
    with pytest.raises(DataError, match="embedding of '007' is 0"):
        Retrieval(["all"]).measure(rows)
    with pytest.raises(ValueError, match="did you mean 'threshold'"):
        Retrieval(["treshold"])
    for settings in ({"protocols": []}, {"threshold": 0}, {"pool": 1}):
        with pytest.raises(ValueError, match="allowed"):
            Retrieval(**settings)


def test_the_own_answer_is_right_even_where_no_caption_can_be_near_enough(rows):
    """A threshold of 1 asks for more than a cosine of 1: nothing but the own answer is left."""
    exact = np.eye(150)  # whose products are exactly 1 and 0
    values = Retrieval(["all", "threshold"], threshold=1.0).measure(
        Rows(rows.ids, rows.motion, None, rows.text, rows.captions, exact)
    )
    for name, value in values.items():
        assert value == values[name.replace("_threshold_", "_all_")]


def test_captions_that_are_not_there_are_asked_for_only_where_they_are_read(oracles):
    motion = oracles.motion_of([oracles.standing(3)] * 3)
    seen = Embeddings(torch.eye(3), text=torch.eye(3))
    Retrieval(["all", "small_batches"]).state(motion, oracles.batch_of(motion), seen)
    for protocol in ("threshold", "dissimilar"):
        with pytest.raises(DataError, match="the captions themselves are not there; use protocols all, small_batches"):
            Retrieval([protocol]).state(motion, oracles.batch_of(motion), seen)


def test_captions_are_read_once_and_their_model_does_not_travel(oracles, monkeypatch):
    metric = Retrieval(["threshold"])
    motion = oracles.motion_of([oracles.standing(3)] * 3)
    seen = Embeddings(torch.eye(3), text=torch.eye(3), captions=["walks", "walks", "runs"])
    state = metric.state(motion, oracles.batch_of(motion), seen)
    assert state.compute()["retrieval_threshold_text_to_motion_recall_1"] == 1
    monkeypatch.setattr(metric, "_encoder", None)  # what was read is kept: a new model is not needed for it
    monkeypatch.setattr("motion_platform.encoders.sentence.SentenceEncoder", lambda **_: Unread())
    assert metric.encode(["runs", "walks"]).shape[0] == 2
    with pytest.raises(KeyError, match="jumps"):
        metric.encode(["runs", "jumps"])
    assert len(pickle.dumps(metric)) < 1000


class Unread:
    def eval(self):
        return self

    def __call__(self, captions):
        raise KeyError(*captions)
