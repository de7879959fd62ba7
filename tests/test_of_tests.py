"""Habits of the tests: what they draw is seeded whatever the order, and no clock on the wall decides."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
import torch

TESTS = Path(__file__).resolve().parent
FILES = [path for path in sorted(TESTS.rglob("*.py")) if "fixtures" not in path.parts]
TORCH = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "normal", "bernoulli", "multinomial"}
CLOCKS = {"time.time", "time.perf_counter"}
SECONDS = 600
"""What a test waits for another process, at least: a loaded machine is thirty times slower than an idle one."""


def dotted(node: ast.AST) -> str:
    """``np.random.normal`` of a chain of attributes; "" of anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def draws_without_a_seed(source: str) -> list[int]:
    """Lines that draw what no seed reaches: generators made without a seed, and draws outside of functions (conftest
    seeds the global generators for each test and for what tests share)."""
    tree = ast.parse(source)
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for child in ast.walk(node)
    }

    def lines() -> Iterator[int]:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name, given = dotted(node.func), {keyword.arg for keyword in node.keywords}
            first, _, last = name.rpartition(".")
            if last in ("default_rng", "RandomState") or name == "random.Random":
                if not node.args and not given:
                    yield node.lineno
            elif id(node) not in inside and "generator" not in given:
                drawn = (first == "torch" and last in TORCH) or first in ("np.random", "numpy.random")
                if drawn and last not in ("seed", "default_rng"):
                    yield node.lineno

    return sorted(lines())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_draws_are_seeded_and_no_clock_on_the_wall_decides(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert draws_without_a_seed(source) == []
    if path == Path(__file__).resolve():
        return
    clocks = [n.lineno for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and dotted(n.func) in CLOCKS]
    assert clocks == [], "measure time.process_time(), which a loaded machine does not lengthen"
    short = [found for found in re.findall(r"\btimeout=(\d+)", source) if int(found) < SECONDS]
    assert short == [], f"waits of at least {SECONDS} s"
    assert not re.search(r"deadline=\d", source), "hypothesis measures with a clock on the wall"


def test_the_search_finds_what_no_seed_reaches() -> None:
    assert draws_without_a_seed("import numpy as np\nx = np.random.default_rng()") == [2]
    assert draws_without_a_seed("import torch\nx = torch.rand(3)\ndef f():\n    return torch.rand(3)") == [2]
    assert draws_without_a_seed("x = torch.rand(3, generator=g)\ny = np.random.default_rng(0)\nnp.random.seed(1)") == []
    assert draws_without_a_seed("def f():\n    return random.Random()") == [2]


def numbers() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_what_tests_share_draws_by_its_own_name_and_takes_nothing(request: pytest.FixtureRequest) -> None:
    """In whichever order tests run: the same numbers in a shared fixture, the same in the test after it."""
    plugins = request.config.pluginmanager.get_plugins()
    setup = next(p.pytest_fixture_setup for p in plugins if Path(getattr(p, "__file__", "") or "").parent == TESTS)

    def drawn(name: str, scope: str) -> list[tuple[float, float, float]]:
        """The numbers inside of a fixture's setup, and after it."""
        torch.manual_seed(3), np.random.seed(3), random.seed(3)
        running = setup(SimpleNamespace(argname=name, baseid="tests", scope=scope), None)
        next(running)
        inside = numbers()
        with pytest.raises(StopIteration):
            running.send(None)
        return [inside, numbers()]

    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    usual = [numbers(), numbers()]
    first = drawn("data", "session")
    assert first == drawn("data", "session")
    assert first[0] != drawn("other", "module")[0]
    assert first[1] == usual[0]
    assert drawn("data", "function") == usual


def test_properties_have_no_deadline() -> None:
    assert hypothesis.settings().deadline is None
