"""What a training run reads, and what it is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.slots import Slot
from motion_platform.model.feature_cache import FeatureCache, Forgetful
from motion_platform.training.feeding import loader_for, precompute, slots_to_fill

READS = {"text_high": "text", "text_low": "text", "speech": "audio"}


@pytest.fixture
def built(toy_data, make) -> SimpleNamespace:
    """A run of the toy data; only what is asked of it."""
    trainable = SimpleNamespace(not_learned=(), words_alone=False)
    model = SimpleNamespace(trainable=trainable, spec=make.spec())
    task = SimpleNamespace(reads=READS, columns={})
    dataset = PreparedDataset.open(toy_data)
    return SimpleNamespace(dataset=dataset, open_data=lambda: dataset, model=model, task=task)


def test_slots_say_where_they_read(built, recipe) -> None:
    slots = slots_to_fill(built, recipe(), "mine")
    assert slots == {"text_high": Slot("text", "high"), "text_low": Slot("text", "low")}


def test_a_slot_that_no_row_fills_is_refused_unless_it_is_not_learned(built, recipe) -> None:
    wanted = recipe()
    slots = {**wanted.slots, "speech": wanted.slots["text_high"]}
    wanted = wanted.model_copy(update={"slots": slots})
    with pytest.raises(DataError, match=r"mine: slots\.speech: no row of split train of data set \w+ holds a audio;"):
        slots_to_fill(built, wanted, "mine")
    built.model.trainable.not_learned = ("speech",)
    assert slots_to_fill(built, wanted, "mine")["speech"].kind == "audio"


def test_a_validation_split_without_clips_is_refused(built, recipe) -> None:
    built.open_data = lambda: SimpleNamespace(indices=lambda split: [] if split == "val" else [0])
    with pytest.raises(UsageError, match=r"mine: validation\.split: 'val' of data set \w+ is empty"):
        loader_for(built, recipe("validation.split=val", "validation.every=1"), "mine", 1)


def test_a_micro_batch_is_its_share_of_a_batch(built, recipe) -> None:
    wanted = recipe("train.batch_size=6", "data.min_frames=20", "validation.every=0")
    loader = loader_for(built, wanted, "mine", 2)
    batch = next(iter(loader))
    assert len(batch.ids) == 3
    assert set(batch.raw) == {"text_high", "text_low"}


class Remembering:
    """A model's side of it: what it was asked to encode ahead."""

    def __init__(self) -> None:
        self.slots, self.cache, self.texts = ("text_high",), None, {}

    def precompute(self, texts, progress) -> None:
        self.texts = texts


def test_every_text_that_training_can_meet_is_encoded_once_ahead(built, recipe, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    wanted = recipe("data.min_frames=20", "validation.every=0")
    loader = loader_for(built, wanted, "mine", 1)
    conditioning = Remembering()
    reporter = SimpleNamespace(encoding=None)
    precompute(SimpleNamespace(conditioning=conditioning), loader, reporter)
    rows = built.dataset.indices("train")
    assert {text for row in rows for text in built.dataset.captions(row)[0]} <= conditioning.texts["text_high"]
    assert isinstance(conditioning.cache, FeatureCache)
    loader.sharded = True
    conditioning.texts = {}
    precompute(SimpleNamespace(conditioning=conditioning), loader, reporter)
    assert isinstance(conditioning.cache, Forgetful)
    assert conditioning.texts == {}


def test_sentences_are_told_to_what_learns_of_words_alone(built, recipe) -> None:
    asked = recipe("data.sentences=0.5")
    with pytest.raises(
        ConfigError, match=r"^mine: data\.sentences: 0\.5 of the rows .* allowed: 0, or a model that learns"
    ):
        loader_for(built, asked, "mine", 1)
    built.model.trainable.words_alone = True
    assert loader_for(built, asked, "mine", 1).collate.sentences("text_high")
    assert not loader_for(built, recipe(), "mine", 1).collate.sentences("text_high")
