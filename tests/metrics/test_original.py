"""Ours beside the code that the field's numbers come from: the same embeddings and captions, to 1e-5 and better."""

import json
from pathlib import Path

import numpy as np
import pytest

from motion_platform.metrics import words
from motion_platform.metrics.bert_score import BERTScoreRaw
from motion_platform.metrics.distances import Diversity, MultimodalDistance, Multimodality
from motion_platform.metrics.frechet import frechet_distance
from motion_platform.metrics.manifold import Manifold
from motion_platform.metrics.r_precision import RPrecision
from motion_platform.metrics.sets import Rows

ORIGINAL = json.loads((Path(__file__).parents[1] / "fixtures/metrics/original.json").read_text())


def embeddings():
    """Predictions, real motions and texts, (960, 16) each; the fixture was made with these very lines."""
    random = np.random.RandomState(7)
    mix = random.randn(16, 16) / 8
    truth = 2 * random.randn(960, 16) @ mix
    motion = truth + 0.5 * random.randn(960, 16)
    text = truth + 1.5 * random.randn(960, 16)
    return motion, truth, text


@pytest.fixture(scope="module")
def rows():
    motion, truth, text = embeddings()
    return Rows([f"{i:04d}" for i in range(len(motion))], motion, truth, text)


def test_frechet_distance(rows):
    assert frechet_distance(rows.motion, rows.truth) == pytest.approx(ORIGINAL["frechet"], rel=1e-9)


def test_r_precision(rows):
    values = RPrecision(seed=3).measure(rows)
    assert [values[f"r_precision_top_{k}"] for k in (1, 2, 3)] == pytest.approx(ORIGINAL["r_precision"], rel=1e-12)
    assert values["r_precision_left_out"] == 0


def test_distances(rows):
    assert MultimodalDistance().measure(rows) == pytest.approx(
        {"multimodal_distance": ORIGINAL["multimodal_distance"]}, rel=1e-12
    )
    assert Diversity(seed=5).measure(rows) == pytest.approx({"diversity": ORIGINAL["diversity"]}, rel=1e-12)
    several = Rows([f"{clip:03d}#{k:02d}" for clip in range(32) for k in range(30)], rows.motion)
    assert Multimodality(seed=5).measure(several) == pytest.approx(
        {"multimodality": ORIGINAL["multimodality"]}, rel=1e-12
    )


def test_manifold(rows):
    values = Manifold().measure(rows)
    wanted = {f"manifold_{name}": value for name, value in ORIGINAL["manifold"].items()}
    assert values == pytest.approx(wanted, rel=1e-12)


@pytest.fixture(scope="module")
def corpus():
    hypotheses, references = zip(*ORIGINAL["corpus"], strict=True)
    return [words.tokenize(h) for h in hypotheses], [[words.tokenize(r) for r in several] for several in references]


def test_captions(corpus):
    wanted = ORIGINAL["captions"]
    assert words.bleu(*corpus) == pytest.approx(wanted["bleu"], rel=1e-9)
    rouge = np.mean([words.rouge_l(h, r) for h, r in zip(*corpus, strict=True)])
    assert rouge == pytest.approx(wanted["rouge_l"], rel=1e-9)
    assert words.cider(*corpus) == pytest.approx(wanted["cider_each"], rel=1e-9)


@pytest.mark.parametrize("idf", [False, True])
def test_bert_score(idf):
    values = BERTScoreRaw(idf=idf).measure([(h, r) for h, r in ORIGINAL["corpus"]])
    wanted = ORIGINAL["bert_score_idf" if idf else "bert_score"]
    got = [values[f"bert_score_raw_{part}"] for part in ("precision", "recall", "f")]
    assert got == pytest.approx(wanted, abs=1e-5)
