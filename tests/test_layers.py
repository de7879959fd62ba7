"""The rooms of the house: who may import whom, how long a file may be, and what a start may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "motion_platform"
ROWS = {
    "core": 0,
    **dict.fromkeys(("motion", "audio", "texts", "language_models"), 1),
    **dict.fromkeys(("data", "nn"), 2),
    **dict.fromkeys(("encoders", "motion_tokens", "spaces"), 3),
    **dict.fromkeys(("generators", "metrics", "planners"), 4),
    "model": 5,
    **dict.fromkeys(("evaluation", "published"), 6),
    **dict.fromkeys(("pipelines", "training"), 7),
    **dict.fromkeys(("cli", "studio", "__main__"), 8),
}
"""The table of docs/architecture.md, from the words that everybody speaks (0) to the command line (8)."""
LONGEST = 400
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of this package that a file imports, anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            if node.module == "motion_platform":
                rooms |= {alias.name for alias in node.names}
            elif node.module and node.module.startswith("motion_platform."):
                rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("motion_platform.")}
    return rooms - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_file_imports_only_from_lower_rows(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert not imports_at_load(path)  # the public face loads nothing before it is asked for
        return
    assert room in ROWS, f"{path}: give the new room a row in this table and in docs/architecture.md"
    for other in imported_rooms(path):
        same = other == room or (ROWS[other] == ROWS[room] == 8)
        assert same or ROWS[other] < ROWS[room], f"{path} (row {ROWS[room]}) imports {other} (row {ROWS[other]})"


def test_the_check_sees_a_wrong_import(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from motion_platform.training import train\n    from motion_platform import cli\n")
    assert imported_rooms(wrong) == {"training", "cli"}


def imports_at_load(path: Path) -> set[Path]:
    """The package's own files that a file imports at its top level (what is in a function waits)."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("motion_platform"):
            continue
        place = ROOT / node.module.replace(".", "/")
        names = [place / f"{alias.name}.py" for alias in node.names]
        modules = [name for name in names if name.is_file()]
        own = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
        found |= {*modules, *([own] if len(modules) < len(names) else [])}
    return found


def circle(graph: dict[Path, set[Path]]) -> list[str]:
    """A circle in the graph as names in order, or nothing."""
    state: dict[Path, int] = {}

    def visit(node: Path, way: list[Path]) -> list[Path]:
        state[node] = 1
        for other in sorted(graph.get(node, ())):
            if state.get(other) == 1:
                return [*way[way.index(other) :], other] if other in way else [node, other]
            if other not in state and (found := visit(other, [*way, other])):
                return found
        state[node] = 2
        return []

    for node in sorted(graph):
        if node not in state and (found := visit(node, [node])):
            return [path.stem for path in found]
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle({path: imports_at_load(path) for path in FILES}) == []


def test_the_check_sees_a_circle() -> None:
    a, b, c = Path("a.py"), Path("b.py"), Path("c.py")
    assert circle({a: {b}, b: {c}, c: {a}}) == ["a", "b", "c", "a"]
    assert circle({a: {b, c}, b: {c}}) == []


def test_no_file_is_longer_than_a_person_reads() -> None:
    long = {p.relative_to(ROOT).as_posix(): n for p in FILES if (n := len(p.read_text().splitlines())) > LONGEST}
    assert not long


def test_folders_of_cards_hold_no_python() -> None:
    """A root folder ``tokenizers/`` with Python in it would hide the package of that name."""
    for folder in ("tasks", "configs", "tokenizers"):
        assert not list((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("module", ["cli.app", "pipelines.inventory", "core.registry"])
def test_the_command_line_starts_without_heavy_libraries(module: str) -> None:
    heavy = "('torch', 'transformers', 'datasets', 'matplotlib', 'pydantic', 'omegaconf', 'accelerate')"
    code = f"import sys, motion_platform.{module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
