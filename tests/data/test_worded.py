"""Wordings in training batches: their share, their labels, and nothing of them anywhere else."""

import pytest

from motion_platform.core.errors import DataError
from motion_platform.data.loader import make_loader
from motion_platform.data.worded import Sentences, Worded
from motion_platform.texts.wordings import names_of, sentences_of, whole_sentences

SLOTS = ("text_high", "text_low")


@pytest.fixture(scope="module")
def spec(sample_dataset):
    return sample_dataset.spec("humanml3d_essential")


def batches(dataset, spec, **more):
    return make_loader(dataset, "train", spec, SLOTS, 8, seed=3, max_frames=60, **more)


def test_a_share_of_the_texts_are_wordings_of_the_clip(sample_dataset, spec):
    loader = batches(sample_dataset, spec, wordings=0.6)
    worded, all_texts = 0, 0
    for epoch in range(6):
        for batch in loader.epoch(epoch):
            for text, id, labels in zip(batch.raw["text_high"], batch.ids, batch.labels, strict=True):
                row = sample_dataset.ids().index(id)
                wordings, captions = loader.collate.worded.texts(row), sample_dataset.captions(row)[0]
                assert text in [*wordings, *captions]
                assert wordings == sentences_of(labels, id, len(wordings))
                worded += text in wordings
                all_texts += bool(wordings)
    assert 0.5 < worded / all_texts < 0.7


def test_low_level_texts_and_evaluation_are_left_alone(sample_dataset, spec):
    plain, worded = batches(sample_dataset, spec), batches(sample_dataset, spec, wordings=1.0)
    for a, b in zip(plain.epoch(0), worded.epoch(0), strict=True):
        assert a.ids == b.ids
        assert a.raw["text_low"] == b.raw["text_low"]
        assert a.raw["text_high"] != b.raw["text_high"]
        assert a.captions == b.captions
    test = make_loader(sample_dataset, "train", spec, SLOTS, 8, train=False, wordings=1.0)
    assert test.collate.worded is None


def test_no_wordings_is_what_it_was(sample_dataset, spec):
    for a, b in zip(
        batches(sample_dataset, spec).epoch(1), batches(sample_dataset, spec, wordings=0.0).epoch(1), strict=True
    ):
        assert a.raw == b.raw


def test_training_can_encode_all_texts_beforehand(sample_dataset, spec):
    loader = batches(sample_dataset, spec, wordings=0.5)
    known = {text for row in loader.rows.tolist() for text in loader.collate.inputs(row, "text_high")}
    assert {text for epoch in range(3) for batch in loader.epoch(epoch) for text in batch.raw["text_high"]} <= known


def test_rare_labels_have_more_wordings_and_kinds_count_together(sample_dataset):
    rows = list(sample_dataset.indices("train"))
    row = next(row for row in rows if names_of(sample_dataset.labels(row).get("content", "")))
    few, many = Worded(sample_dataset, rows, 0.5), Worded(sample_dataset, rows * 40, 0.5)
    assert len(few.texts(row)) > len(many.texts(row)) >= 1
    assert few.labels(row)["content"] in names_of(sample_dataset.labels(row)["content"])
    assert few.labels(row)["style"] == sample_dataset.labels(row)["style"]


def test_a_set_without_worded_labels_is_refused(sample_dataset):
    with pytest.raises(DataError, match=r"data\.wordings: data set .* has no label that is worded"):
        Worded(sample_dataset, [], 0.5)


def test_eighty_sentences_of_a_kind_are_shared_by_its_clips(sample_dataset, monkeypatch):
    rows = list(sample_dataset.indices("train"))
    row = next(row for row in rows if names_of(sample_dataset.labels(row).get("content", "")))
    monkeypatch.setattr("motion_platform.data.worded.sentences_of", lambda labels, id, count: [""] * count)
    for clips, sentences in ((1, 24), (3, 24), (4, 20), (5, 16), (40, 2), (80, 1), (81, 1), (200, 1)):
        assert len(Worded(sample_dataset, [row] * clips, 0.5).texts(row)) == sentences


def test_a_share_of_the_rows_say_a_sentence_and_its_labels_whatever_the_clip_shows(sample_dataset, spec):
    known = {each.text: each for each in whole_sentences()}
    loader, plain = batches(sample_dataset, spec, sentences=0.6), batches(sample_dataset, spec)
    told, rows, pairs = 0, 0, set()
    for epoch in range(8):
        for batch, own in zip(loader.epoch(epoch), plain.epoch(epoch), strict=True):
            assert batch.ids == own.ids
            assert (batch.motion.x == own.motion.x).all()
            for b, text in enumerate(batch.raw["text_high"]):
                rows += 1
                if text in known and text != own.raw["text_high"][b]:
                    told += 1
                    labels = {"content": known[text].kind, "style": known[text].style}
                    assert batch.labels[b] == {target: label for target, label in labels.items() if label}
                    assert batch.raw["text_low"][b] == ""
                    pairs.add(text)
                else:
                    assert text == own.raw["text_high"][b]
                    assert batch.labels[b] == own.labels[b]
                    assert batch.raw["text_low"][b] == own.raw["text_low"][b]
    assert 0.5 < told / rows < 0.7
    assert len(pairs) > 0.8 * told, "others in every epoch, and for every row of a batch"
    assert {*loader.collate.sentences("text_high")} == {*known}
    assert loader.collate.sentences("text_low") == plain.collate.sentences("text_high") == []


def test_nobody_says_a_sentence_in_evaluation_and_none_is_held_out(sample_dataset, spec):
    test = make_loader(sample_dataset, "train", spec, SLOTS, 8, train=False, sentences=1.0)
    assert test.collate.told is None
    assert not {*Sentences(1.0).texts()} & {each.text for each in whole_sentences("development")}
