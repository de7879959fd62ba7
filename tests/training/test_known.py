"""What training writes of what a model knows: sentences of its own clips, wordings among them, and their actions."""

import pytest

from motion_platform.data.loader import make_loader
from motion_platform.model.knowledge import FILE, read_known
from motion_platform.model.motion_model import MotionModel
from motion_platform.texts.wordings import sentences_of
from motion_platform.training import known as training_known
from motion_platform.training.known import A_KIND, action_of, encoder_of, known_of_clips, write_what_is_known

SLOTS = ("text_high", "text_low")


@pytest.fixture(scope="module")
def model():
    return MotionModel.from_pretrained("text_to_motion_small")


@pytest.fixture(autouse=True)
def small_pool(monkeypatch):
    monkeypatch.setattr(training_known, "POOL", 60)


def loader_of(dataset, **more):
    return make_loader(
        dataset, "train", dataset.spec("humanml3d_essential"), SLOTS, 8, seed=1, captions_per_clip=1, **more
    )


def test_a_trained_text_model_knows_its_captions_and_not_other_things(sample_dataset, model, tmp_path):
    write_what_is_known(model, loader_of(sample_dataset), tmp_path)
    known = read_known(tmp_path)
    rows = sample_dataset.indices("train")
    said = {text for row in rows for text in sample_dataset.captions(row)[0]}
    assert set(known.sentences) <= said
    familiar, strange = known.answers([known.sentences[0], "inflation is rising in europe"], encoder_of(model))
    assert familiar.known
    assert not strange.known


def test_a_small_set_gives_a_small_pool(sample_dataset, model, monkeypatch):
    """Vectors of all forty captions of a clip would take longer than a short training."""
    pools = []
    monkeypatch.setattr(training_known, "POOL", 4000)
    monkeypatch.setattr(training_known, "known_of", lambda clips, actions, pool, *_: pools.append((clips, pool)))
    known_of_clips(loader_of(sample_dataset).collate, list(sample_dataset.indices("train")), "text_high", None)
    ((clips, pool),) = pools
    assert len(clips) <= len(pool) <= training_known.A_CLIP * len(clips) < len({t for each in clips for t in each})


def test_wordings_are_known_too(sample_dataset, model):
    loader = loader_of(sample_dataset, wordings=0.5)
    rows = [row for row in loader.rows.tolist() if loader.collate.worded.texts(row)][:4]
    known = known_of_clips(loader.collate, rows, "text_high", encoder_of(model))
    contents = {sample_dataset.labels(row)["content"] for row in rows}
    assert all(set(sentences_of({"content": c}, "known", A_KIND)) & set(known.sentences) for c in contents)
    assert all(count >= 1 for count in known.words.values())


def test_mirrored_copies_count_once_and_actions_have_names(sample_dataset, model):
    loader = loader_of(sample_dataset)
    rows = loader.rows.tolist()
    known = known_of_clips(loader.collate, rows, "text_high", encoder_of(model))
    own = [row for row in rows if not sample_dataset.mirrored(row)]
    assert 0 < sum(known.actions.values()) <= len(own) < len(rows)
    assert all(known.actions[action_of(sample_dataset, row)] >= 1 for row in own if action_of(sample_dataset, row))
    assert not any("-" in action for action in known.actions)


def test_a_model_that_reads_no_sentences_writes_nothing(sample_dataset, tmp_path):
    write_what_is_known(MotionModel.from_pretrained("recogniser"), loader_of(sample_dataset), tmp_path)
    assert not (tmp_path / FILE).exists()
