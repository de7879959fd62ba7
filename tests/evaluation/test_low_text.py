"""Low-level text in the place of the data's: what a model is given."""

import pytest

from motion_platform.core import tasks
from motion_platform.core.config import Component
from motion_platform.core.errors import ConfigError, UnknownName, UsageError
from motion_platform.core.plan import Planner, plan_of_actions
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.slots import Slot
from motion_platform.evaluation import benchmark
from motion_platform.evaluation.benchmark import Benchmark, Entry
from motion_platform.evaluation.low_text import LowText, low_text_of
from motion_platform.evaluation.sources import ModelSource
from motion_platform.evaluation.testset import TestSet
from motion_platform.training import build


class Shout(Planner):
    """Says the caption's last word; counts what it is asked."""

    name = "shout"

    def __init__(self):
        self.asked = []

    def plan(self, sentences, *, sample=0, seed=0):
        self.asked += sentences
        return [plan_of_actions([sentence.split()[-1].upper()], self.name, sentence) for sentence in sentences]


RAW = {"text_high": ["a person walks", "somebody runs", "a person walks", ""], "text_low": ["walk", "run", "", "bow"]}


def test_a_planner_takes_the_place_of_the_data_and_is_asked_once_a_caption():
    low = LowText("text_high", "text_low", Shout())
    assert low.reads(["text_high", "text_low"]) == ("text_high",)
    for _ in range(2):
        made = low.fill({"text_high": RAW["text_high"]}, ["text_high", "text_low"])
        assert made == {"text_high": RAW["text_high"], "text_low": ["WALKS", "RUNS", "WALKS", ""]}
    assert low.planner.asked == ["a person walks", "somebody runs"]


def test_both_as_one_text():
    low = LowText("text_high", "text_low", joined=True)
    assert low.reads(["text_high"]) == ("text_high", "text_low")
    made = low.fill(RAW, ["text_high"])
    assert made == {"text_high": ["a person walks: walk", "somebody runs: run", "a person walks", "bow"]}


def test_what_a_row_says():
    card, other = tasks.load("text_to_motion"), tasks.load("music_to_conductor")
    assert low_text_of(card, None, False, "x") is None
    assert low_text_of(card, Component(name="rules"), False, "x").planner.name == "rules"
    with pytest.raises(UsageError, match="task that reads two texts; music_to_conductor reads one"):
        low_text_of(other, None, True, "x")
    entry = Entry(model="m", planner=Component(name="rule"))
    with pytest.raises(UnknownName, match="did you mean 'rules'"):
        benchmark.check(Benchmark(tasks=["text_to_motion"], entries=[entry]), "file")
    entry = Entry(folder="m", planner=Component(name="rules"))
    with pytest.raises(ConfigError, match="planner is for a model"):
        benchmark.check(Benchmark(tasks=["text_to_motion"], entries=[entry]), "file")


def test_a_model_is_given_what_the_planner_makes(recipe, toy_data, monkeypatch):
    model = build.assemble(recipe(), name="toy").model
    test = TestSet(PreparedDataset.open(toy_data), "test")
    given = []
    generate = type(model).generate
    monkeypatch.setattr(
        type(model), "generate", lambda self, raw, *a, **k: given.append(raw) or generate(self, raw, *a, **k)
    )
    source = ModelSource(model, low_text=LowText("text_high", "text_low", Shout(), identity="shout"))
    plain = ModelSource(model)
    source.prepare(test, 0, 1)
    items = test.batches[0]
    motion = source.predict(test.batch(items, source.slots), items, 0)
    assert [low for low in given[0]["text_low"]] == [high.split()[-1].upper() for high in given[0]["text_high"]]
    assert not (motion.x == plain.predict(test.batch(items, plain.slots), items, 0).x).all()
    assert given[1]["text_low"] != given[0]["text_low"]
    assert source.identity()["low_text"] == "shout"
    assert "low_text" not in plain.identity()


def test_a_slot_of_both_texts_reads_every_pair(toy_data):
    dataset = PreparedDataset.open(toy_data)
    high, low = dataset.captions(0)
    assert dataset.inputs(0, Slot("text", "both")) == [f"{caption}: {low[0]}" for caption in high]
    assert dataset.inputs(0, Slot("text", "both"), 1) == [f"{high[0]}: {low[0]}"]
