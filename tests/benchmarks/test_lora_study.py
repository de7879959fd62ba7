"""The study trains what it says, measures every task of a run, keeps what is done, and refuses what is wrong."""

import json
import math
from pathlib import Path

import pytest

from motion_platform.core.errors import ConfigError, UnknownName, UsageError

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
recipe: smoke/motion_lm
overrides: [train.steps=1, train.batch_size=2, train.prefetch=0]
tasks: [motion_prediction, motion_to_text]
metrics: {motion_prediction: [ade], motion_to_text: [verb_accuracy]}
samples: 3
runs:
  - {name: all tasks}
  - {name: "words, alone", tasks: [motion_to_text], mixture: {motion_to_text: 1}}
"""


@pytest.fixture
def study(benchmark):
    return benchmark


@pytest.fixture
def card(tmp_path):
    def write(text=STUDY):
        path = tmp_path / "study.yaml"
        path.write_text(text)
        return path

    return write


def test_the_shipped_study_can_be_read_and_its_recipes_too(study, tmp_path):
    found = study.read(ROOT / "benchmarks" / "lora_study.yaml")
    for run in found.runs:
        recipe = study.recipe_of(found, run, tmp_path / "x")
        assert recipe.model.name == "motion_lm"
        assert recipe.output == str(tmp_path / "x")
        assert recipe.model.settings["mixture"] == (run.mixture or found.mixture)
    ranks = {study.recipe_of(found, run, tmp_path).model.settings["rank"] for run in found.runs}
    assert {8, 16, 32, 64} <= ranks


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("motion_prediction: [ade]", "motion_prediction: [adee]", UnknownName, "did you mean 'ade'"),
        ("motion_prediction: [ade], ", "", UsageError, "task motion_prediction has none"),
        ("words, alone", "all tasks", UsageError, "'all tasks' is there twice"),
        ("tasks: [motion_to_text]", "tasks: [motion_to_txt]", UnknownName, "did you mean 'motion_to_text'"),
        ("samples: 3", "sample: 3", ConfigError, "did you mean 'samples'"),
    ],
)
def test_a_wrong_study_is_one_line_before_any_work(study, card, old, new, error, said):
    with pytest.raises(error, match=said):
        study.read(card(STUDY.replace(old, new)))


def test_a_run_that_is_not_there_is_one_line(study, card, tmp_path, capsys):
    assert study.main(["--study", str(card()), "--out", str(tmp_path / "out"), "--only", "al tasks"]) == 2
    assert "did you mean 'all tasks'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_table_leaves_empty_what_was_not_measured(study):
    value = {"mean": 0.5, "interval": None, "unit": "m", "higher_is_better": False, "metric": "ade"}
    rows = [
        {"name": "a", "parameters": 2_000_000, "megabytes": 4.04, "seconds": 12.3, "values": {"x ade": value}},
        {"name": "b", "parameters": 1_000_000, "megabytes": 2.0, "seconds": 9.9, "values": {}},
    ]
    assert study.table(rows).splitlines()[2:] == ["| a | 2.00 | 4.0 | 12 | 0.5 |", "| b | 1.00 | 2.0 | 10 | \u2014 |"]


@pytest.mark.slow
def test_the_loss_on_held_out_exercises_is_the_same_twice_and_of_the_task_asked_for(study, card, tmp_path):
    found = study.read(card())
    recipe = study.recipe_of(found, found.runs[0], tmp_path / "model")
    study.trained(recipe, "model", tmp_path / "model")
    losses = {task: study.held_out_loss(recipe, tmp_path / "model", task) for task in found.tasks}
    again = study.held_out_loss(recipe, tmp_path / "model", "motion_to_text")
    assert again == losses["motion_to_text"]
    assert losses["motion_prediction"]["mean"] != again["mean"]
    assert 0 < again["mean"] < math.log(10**5)  # no worse than guessing among 100,000 words


@pytest.mark.slow
def test_the_whole_way_and_a_second_start_trains_nothing(study, card, tmp_path, monkeypatch):
    found, out = study.read(card()), tmp_path / "out"
    rows = study.work(found, out)
    assert [set(row["values"]) for row in rows] == [
        {"motion_prediction ade", "motion_prediction loss", *rows[1]["values"]},
        {name for name in rows[0]["values"] if name.startswith("motion_to_text")},
    ]
    assert json.loads((out / "study.json").read_text())["rows"][0]["name"] == "all tasks"
    assert (out / "table.md").read_text() == study.table(rows)
    monkeypatch.setattr(study.train, "run", None)
    assert study.work(found, out) == rows
    with pytest.raises(UsageError, match="was trained by another recipe"):
        study.work(found, out, more=["train.learning_rate=0.5"])
