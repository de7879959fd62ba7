"""What a step costs: the operations that are counted are those of the network's matrices."""

import json

import pytest

from benchmarks import published_steps
from motion_platform.core import cards, config


def test_a_step_of_mdm_costs_six_operations_a_weight_and_frame(tmp_path, monkeypatch, capsys):
    out = tmp_path / "numbers.json"
    monkeypatch.setattr("sys.argv", ["x", "--only", "mdm_kit_50", "--rows", "1", "--rate", "10", "--out", str(out)])
    assert published_steps.main() == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert row["weights"] == pytest.approx(17.87e6, rel=0.01)
    assert row["operations"] == pytest.approx(6 * 17.4e6 * 197, rel=0.1)  # forward 2, backward 4; time and text once
    assert row["operations_a_step"] == 64 * row["operations"]
    assert row["hours"] == pytest.approx(row["operations_a_step"] * 600_000 / 1e13 / 3600)
    assert row["gigabytes"] > 16 * row["weights"] / 1e9
    assert "mdm_kit_50" in capsys.readouterr().out


def test_epochs_are_turned_into_steps_by_the_official_count_of_clips(monkeypatch):
    measured = {"weights": 1, "frozen": 0, "operations": 8e12, "kept": 4e9, "run": 1}
    monkeypatch.setattr(published_steps, "measure", lambda recipe, rows: measured)
    row = published_steps.row_of("published/diffusion_conductor", 2, 1.0)
    recipe = config.load_recipe(cards.find("configs", "published/diffusion_conductor"))
    assert row["steps"] == 65_850 == -(-400 * 5268 // 32)  # the count of the paper's 400 epochs
    assert row["gigabytes"] == pytest.approx(4 / 2 * recipe.train.batch_size)
