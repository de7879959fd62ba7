"""One table across tasks: what is there is measured, what is not is named, and the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from motion_platform.core import cards, config, tasks, weight_files
from motion_platform.core.errors import ConfigError, UnknownName
from motion_platform.evaluation import provenance, suite
from motion_platform.evaluation.benchmark import Cell
from motion_platform.evaluation.protocol import ResultRow

TINY = {
    "title": "tiny | <b>",
    "models": ["vq_humanml22", "recogniser", "nobody"],
    "tasks": [
        {"task": "motion_tokens", "headline": ["mpjpe", "frechet"], "data": "sample", "bounds": []},
        {"task": "motion_recognition", "headline": ["recognition_content"], "data": "sample", "bounds": []},
        {"task": "music_to_conductor", "headline": ["mse_frame"], "models": ["nobody"]},
        {"task": "text_motion_retrieval", "headline": ["retrieval"], "data": "conductor_scores"},
    ],
}


@pytest.fixture(scope="module")
def measured(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    described = config.check(suite.Suite, TINY, "tiny")
    for each in described.tasks:
        each.folder = str(sample_folder)
    out, said = tmp_path_factory.mktemp("suite"), []
    return described, suite.run(described, out, say=said.append), out, said


def test_models_down_tasks_across_with_reasons_for_every_gap(measured: tuple) -> None:
    described, columns, _, said = measured
    table = suite.table_of(described, columns)
    assert [task for task, _ in table.header] == ["motion_tokens", "motion_tokens", "motion_recognition",
                                                 "music_to_conductor", "text_motion_retrieval"]  # fmt: skip
    rows = dict(table.rows)
    assert list(rows) == ["real motion", "vq_humanml22", "recogniser", "nobody"]
    assert float(rows["vq_humanml22"][0].split()[0]) > 5
    assert float(rows["recogniser"][2].split()[0]) > 0.5
    note = {cell: table.notes[int(cell[3:-1]) - 1] for row in rows.values() for cell in row if "[" in cell}
    assert "covariances are singular" in note[rows["vq_humanml22"][1]]
    assert rows["recogniser"][0] == rows["vq_humanml22"][2] == "n/a"
    assert "was trained for motion_recognition, not motion_tokens" in columns[0].unable["recogniser"]
    assert all("unknown model 'nobody'" in note[cell] for cell in rows["nobody"])
    assert note[rows["recogniser"][3]] == "not asked for this task"
    assert any("nobody: left out" in line for line in said)


def test_it_is_written_as_a_table_a_page_and_one_json_with_hashes(measured: tuple) -> None:
    described, columns, out, _ = measured
    texts = {path.name: path.read_text(encoding="utf-8") for path in suite.write(described, columns, out)}
    assert "| vq_humanml22 |" in texts["suite.md"]
    assert "&lt;b&gt;" in texts["suite.html"]
    assert "n/a: the model is made for something else" in texts["suite.html"]
    assert "src=" not in texts["suite.html"]
    whole = json.loads(texts["suite.json"])
    stated = whole.pop("sha256")
    assert provenance.digest(whole) == stated
    (row,) = [r for r in whole["tasks"]["motion_tokens"]["rows"] if r["name"] == "vq_humanml22"]
    assert "not motion_tokens" in whole["tasks"]["motion_tokens"]["not_measured"]["recogniser"]
    assert row["data"]["sha256"]
    assert row["task_card"]
    assert row["metrics"]["mpjpe"]["interval_over_recordings"] > 0


def test_started_again_it_keeps_what_was_measured(measured: tuple) -> None:
    described, columns, out, _ = measured
    again = suite.run(described, out, say=lambda line: None)
    assert suite.markdown(described, again) == suite.markdown(described, columns)
    assert [c.row.facts["wall_seconds"] for c in again[0].cells] == [
        c.row.facts["wall_seconds"] for c in columns[0].cells
    ]


def test_a_task_that_dies_does_not_take_the_others_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    described = config.check(suite.Suite, {**TINY, "models": ["recogniser"], "tasks": TINY["tasks"][:2]}, "x")
    monkeypatch.setattr(suite, "who_can", lambda s, say: ({"recogniser": {t.task: None for t in s.tasks}}, {}))

    def work(job, count):
        if job.benchmark.tasks == ["motion_tokens"]:
            raise UnknownName("data set", "x", ["y"])
        summary = {"values": [1.0], "metric": "recognition", "higher_is_better": True, "unit": "ratio"}
        facts = {"name": "recogniser", "kind": "truth", "metrics": {"recognition_content": summary}, "refused": {}}
        return [Cell("motion_recognition", ResultRow(facts))]

    monkeypatch.setattr(suite.benchmark, "run", work)
    columns = suite.run(described, tmp_path, say=lambda line: None)
    ((_, cells),) = suite.table_of(described, columns).rows
    assert cells == ["\u2014 [1]", "\u2014 [1]", "1"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"tasks": [TINY["tasks"][0]] * 2}, ConfigError, "motion_tokens is there twice"),
        ({"tasks": [{"task": "motion_token", "headline": ["x"]}]}, UnknownName, "did you mean 'motion_tokens'"),
        ({"tasks": [{**TINY["tasks"][0], "models": ["recognizer"]}]}, ConfigError, "did you mean 'recogniser'"),
        ({"tasks": [{"task": "motion_tokens", "headline": []}]}, ConfigError, "headline"),
        ({"modells": []}, ConfigError, "did you mean 'models'"),
    ],
)
def test_a_mistake_in_a_suite_is_named_before_any_work(tmp_path: Path, change: dict, error: type, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**TINY, **change}))
    with pytest.raises(error, match=message):
        suite.read(str(path))


def test_the_shipped_suite_holds_every_task_and_model_and_headlines_that_their_cards_measure() -> None:
    described = suite.read("shipped")
    assert {each.task for each in described.tasks} == set(cards.names("tasks"))
    assert set(described.models) == set(weight_files.shipped())
    for each in described.tasks:
        known = {metric.name for metric in tasks.load(each.task).metrics}
        for value in each.headline:
            assert any(value.startswith(name) for name in known), f"{each.task}: {value}"
