"""The benchmarks are no package that is installed: they are imported from the root of the repository."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmark(request, monkeypatch):
    """The module of benchmarks/ that the test module is named after, imported anew."""
    monkeypatch.syspath_prepend(str(ROOT))
    for name in [n for n in sys.modules if n.split(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module(f"benchmarks.{request.path.stem.removeprefix('test_')}")
