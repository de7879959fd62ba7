"""What every registered encoder promises. A new encoder adds one line to ``CASES`` and is held to all of it."""

import copy
import logging

import pytest
import torch

from motion_platform.core import registry
from motion_platform.core.catalog import CATALOG
from motion_platform.core.errors import DataError

SOUND = ("audio", "words")
"""Kinds of slots whose encoders are given recordings."""

# name -> list of (settings, another setting that must change the fingerprint, None where there is none to change);
# {folder} names are fixtures.
CASES = {
    "sentence": [
        ({"output": "mean"}, {"output": "tokens"}),
        ({"output": "tokens"}, {"max_tokens": 16}),
        ({"model": "{sentence_cls_folder}", "output": "mean"}, {"max_tokens": 16}),
        ({"model": "{sentence_cls_folder}", "output": "tokens"}, {"output": "mean"}),
    ],
    "clip_text": [
        ({"model": "{clip_folder}", "output": "projected"}, {"output": "pooled"}),
        ({"model": "{clip_folder}", "output": "pooled"}, {"output": "tokens"}),
        ({"model": "{clip_folder}", "output": "tokens"}, {"max_tokens": 9}),
    ],
    "hf_text": [
        ({"model": "{bert_folder}", "pooling": "mean"}, {"pooling": "cls"}),
        ({"model": "{bert_folder}", "pooling": "cls"}, {"max_tokens": 8}),
        ({"model": "{distilbert_folder}", "pooling": "tokens"}, {"model": "{bert_folder}"}),
        ({"model": "{t5_folder}", "pooling": "mean"}, {"pooling": "tokens"}),
        ({"model": "{gpt2_folder}", "pooling": "mean"}, {"pooling": "tokens"}),
    ],
    "plain_text": [({}, {"max_characters": 9})],
    "glove_tags": [({"folder": "{glove_folder}"}, {"tags": "{tags_folder}"})],
    "label": [
        ({"labels": ["a person walks", "jump", "idle"], "dim": 16}, {"dim": 8}),
        ({"labels": ["a person walks", "jump", "idle"], "learned": False}, {"labels": ["jump", "a person walks"]}),
    ],
    "word_vectors": [({"vectors": "{vector_table}"}, {"vectors": "{other_vector_table}"})],
    "mel": [({}, None)],
    "prosody": [({}, {"rate": 50.0})],
    "hf_audio": [
        ({"model": "{wavlm_folder}"}, {"layer": 1}),
        ({"model": "{wavlm_folder}", "layer": 0}, {"block": 5.0}),
    ],
    "whisper": [({"model": "{whisper_folder}", "layer": 1, "block": 2.0}, {"layer": 2})],
    "gesture_words": [({}, None)],
    "times": [({}, None)],
    "music_beats": [
        ({"weights": "{beat_folder}"}, {"weights": "{other_beat_folder}"}),
        ({"weights": "{beat_folder}", "tempogram": False}, {"tempogram": True}),
    ],
    "librosa_beats": [({}, {"tempo": 200.0})],
    "music_mel": [
        ({"channels": [2, 3, 4], "dim": 8}, {"dim": 9}),
        ({"weights": "{sync_folder}"}, {"weights": "{other_sync_folder}"}),
    ],
}


def build(request, name, settings):
    filled = {
        key: str(request.getfixturevalue(value.strip("{}"))) if str(value).startswith("{") else value
        for key, value in settings.items()
    }
    return registry.build("encoders", name, filled)


COMPILED = {"prosody", "librosa_beats"}
"""Encoders whose first call in a process compiles for seconds: not in `make quick`."""
PARAMS = [
    pytest.param((name, i), marks=[pytest.mark.slow] if name in COMPILED else [], id=f"{name}-{i}")
    for name, cases in CASES.items()
    for i in range(len(cases))
]


@pytest.fixture(params=PARAMS)
def case(request):
    name, i = request.param
    settings, other = CASES[name][i]
    encoder = build(request, name, settings).eval()
    if encoder.reads in SOUND:
        inputs = request.getfixturevalue("recordings" if encoder.reads == "audio" else "talks")
    elif name == "times":
        inputs = ["1.5", "2, 3.25"]
    else:
        inputs = ["a person walks", "jump"] if encoder.reads == "label" else request.getfixturevalue("texts")
    return name, settings, other, encoder, inputs


def test_every_encoder_is_held_to_the_contract():
    assert set(CASES) == set(CATALOG["encoders"]), "add the new encoder to CASES"


def test_contract(case, request):
    name, settings, other, encoder, inputs = case
    nothing = None if encoder.reads in SOUND else ""
    made = encoder([*inputs, nothing])

    rows = len(inputs) + 1
    assert made.tokens.shape == (rows, made.mask.shape[1], encoder.dim)
    assert made.tokens.dtype == torch.float32
    assert made.mask.dtype == torch.bool
    assert made.mask[:-1, 0].all(), "every text has a real token, and real tokens come first"
    assert not made.mask[-1].any(), "the empty text has none"
    assert made.rate_hz == encoder.rate_hz
    assert (made.rate_hz is None) == (encoder.reads not in SOUND)
    assert torch.isfinite(made.tokens).all()
    assert (made.tokens[~made.mask] == 0).all()
    lengths = made.mask.sum(1)
    assert (made.mask == (torch.arange(made.mask.shape[1])[None] < lengths[:, None])).all(), "padding on the right"
    vectors = torch.stack([row[mask].mean(0) for row, mask in zip(made.tokens[:-1], made.mask[:-1], strict=True)])
    assert torch.pdist(vectors).min() > 1e-3, "different texts give different features"

    again = encoder([*inputs, nothing])
    assert torch.equal(made.tokens, again.tokens), "deterministic"
    for i, text in enumerate(inputs):
        alone = encoder([text])
        count = int(lengths[i])
        assert alone.mask.sum() == count
        assert (alone.tokens[0, :count] - made.tokens[i, :count]).abs().max() <= 1e-5, "does not depend on the batch"
    assert encoder([]).tokens.shape[0] == 0
    assert not encoder([nothing, nothing]).mask.any()

    with pytest.raises(DataError, match=r"\[1\].*int"):
        encoder([inputs[0], 3])

    assert build(request, name, settings).fingerprint() == encoder.fingerprint() or not encoder.frozen
    if other is not None:
        assert build(request, name, {**settings, **other}).fingerprint() != encoder.fingerprint()
    assert encoder.fingerprint() == encoder.fingerprint()
    assert copy.deepcopy(encoder).fingerprint() == encoder.fingerprint()


def test_frozen_means_frozen(case):
    *_, encoder, inputs = case
    trained = [weight for weight in encoder.parameters() if weight.requires_grad]
    encoder.train()
    if encoder.frozen:
        assert not trained
        assert not any(module.training for module in encoder.modules()), "dropout stays off"
        assert not encoder(inputs).tokens.requires_grad
    else:
        assert trained
        encoder(inputs).tokens.sum().backward()
        assert all(weight.grad is not None for weight in trained)


def test_long_text_is_cut_with_one_warning(case, caplog):
    *_, encoder, _ = case
    if encoder.reads != "text":
        pytest.skip("not text")
    text = ("walk and turn " * 1000)[:10_000]
    with caplog.at_level(logging.WARNING, logger="motion_platform"):
        made = encoder([text, "jump"])
        encoder([text + " again"])
    warnings = [record.getMessage() for record in caplog.records if "is cut" in record.getMessage()]
    assert len(warnings) == 1
    assert f"first {encoder.limit}," in warnings[0]
    assert made.mask.shape[1] in (1, encoder.limit)
    assert torch.isfinite(made.tokens).all()


def test_bad_texts(case):
    *_, encoder, _ = case
    if encoder.reads != "text":
        pytest.skip("not text")
    with pytest.raises(DataError, match="one string"):
        encoder("walk")
    with pytest.raises(DataError, match="Unicode"):
        encoder(["\ud800"])


def test_same_numbers_under_mixed_precision(case):
    *_, encoder, inputs = case
    if not encoder.frozen:
        pytest.skip("trained encoders follow the precision of training")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = encoder(inputs)
    assert torch.equal(mixed.tokens, encoder(inputs).tokens)
