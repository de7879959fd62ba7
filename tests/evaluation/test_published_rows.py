"""What papers print, beside a result of ours."""

import copy
from pathlib import Path

import pytest

from motion_platform.core import registry, tasks
from motion_platform.core.errors import DataError, UsageError
from motion_platform.evaluation import published_rows, results
from motion_platform.evaluation.protocol import ResultRow

FACTS = {
    "name": "mine",
    "task": "text_to_motion",
    "data": {"name": "humanml3d"},
    "spaces": {"runs/guo": {"model": "guo"}},
    "metrics": {
        "frechet": {"mean": 0.5, "interval": 0.01, "space": "runs/guo"},
        "r_precision_top_3": {"mean": 0.7, "interval": None, "space": "runs/guo"},
    },
}


def table(facts) -> dict[str, list[str]]:
    lines = published_rows.beside(ResultRow(facts)).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def test_rows_of_the_same_scale_stand_beside_ours_and_others_are_marked():
    found = table(FACTS)
    header = found[""]
    assert found["**mine**"][header.index("frechet")] == "0.500 \u00b1 0.010"
    assert found["**mine**"][header.index("diversity")] == "\u2014"
    assert found["MoMask"][-1] == "the same"
    assert found["MoMask"][header.index("frechet")] == "0.045"
    for system, what in (("MDM (2022)", "padding"), ("MotionGPT (NeurIPS)", "first quarter"),
                         ("MotionGPT (WACV), DistilBERT with BABEL", "padding")):  # fmt: skip
        assert found[system][-1].startswith("NOT comparable: ")
        assert what in found[system][-1]


def test_our_own_space_is_another_evaluator():
    facts = copy.deepcopy(FACTS)
    facts["spaces"]["runs/guo"]["model"] = "text_motion"
    assert "another evaluator than ours for r_precision_top_3, frechet" in table(facts)["MoMask"][-1]


def test_conductors_are_compared_in_the_papers_unit():
    metrics = {"mse": {"mean": 0.0432, "interval": None}, "mse_frame": {"mean": 0.02, "interval": None}}
    data = {"name": "conductor_motion100"}
    found = table({"name": "mine", "task": "music_to_conductor", "data": data, "metrics": metrics})
    assert found[""] == ["mse_frame", "scale"]
    assert found["**mine**"][0] == found["Diffusion-Conductor"][0] == "0.02"


def test_a_task_that_no_paper_has_says_which_there_are(tmp_path: Path):
    with pytest.raises(DataError, match=r"no published row of text_to_motion on sample; .*text_to_motion on kit_ml"):
        published_rows.beside(ResultRow({**FACTS, "data": {"name": "sample"}}))


def test_every_row_is_of_a_task_and_values_that_are_measured_here():
    every = published_rows.read()
    for row in every.rows:
        tasks.load(row.task)
        registry.get("data", row.data)
        for value in row.values:
            assert any(value.startswith(name) for name in registry.table("metrics")), value
    assert {row.known for row in every.rows if row.known} == set(every.known)


def test_the_command_prints_it_and_wants_one_of_the_two(tmp_path: Path, capsys):
    from motion_platform.cli import evaluate as cli

    results.save(tmp_path / "mine.json", [ResultRow(FACTS)], {})
    cli.compare(str(tmp_path / "mine.json"), None, True)
    assert "| T2M-GPT |" in capsys.readouterr().out
    with pytest.raises(UsageError, match="give a second result, or --published"):
        cli.compare("a.json", None, False)
