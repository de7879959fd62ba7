"""The notebooks of ``examples/``: their cells run, one after the other, in an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 4
    names: dict[str, object] = {}
    for number, text in enumerate(code, 1):
        exec(compile(text, f"{path.name}, cell {number}", "exec"), names)
    assert {file.suffix for file in tmp_path.iterdir()} >= {".bvh", ".glb"}
    assert all(not cell.get("outputs") for cell in cells)  # pictures of a motion are megabytes
