"""Which clips stand for a source, and the error that two ways of measuring agree on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import tokenizer_sets
from motion_platform.data.prepared import PreparedDataset


def test_every_source_has_its_own_clips_spread_and_without_mirrored_copies(sample_dataset: PreparedDataset) -> None:
    sets = tokenizer_sets.rows_of_sets(sample_dataset, 3)
    assert set(sets) == {"dataset-1", "dataset-2", "cmu"}
    for name, rows in sets.items():
        assert len(rows) == 3
        ids = [sample_dataset.id(row) for row in rows]
        assert ids == sorted(ids)
        assert all(id.startswith(name) and not id.endswith("_m") for id in ids)


def test_the_table_is_printed_and_kept(sample_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "sets.json"
    given = ["--models", "vq_humanml22", "--data", str(sample_folder), "--clips", "2", "--out", str(out)]
    assert tokenizer_sets.main(given) == 0
    assert "vq_humanml22" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["clips"] == {"cmu": 2, "dataset-1": 2, "dataset-2": 2}
    assert all(5 < value < 200 for value, _ in found["mpjpe"]["vq_humanml22"].values())
