"""Small faults put into the code on purpose: do the tests notice? The share that they notice is the mutation score.

    python -m benchmarks.mutation --room metrics --count 60 --out results/mutation.json

Faults are drawn with a seed from all places of a room where an operator applies: comparisons turned round or moved by
their border, + and - (* and /) exchanged, ``and`` and ``or``, ``not`` left out, True and False, numbers, signs,
conditions, and statements left out. A fault in a text that only people read (messages of errors, docstrings,
annotations) is none. Nothing on disk is touched: each fault runs in a process of its own, which loads the changed
module from memory and then runs the tests nearest to it (``nearest_tests``): the module's mirror, the contract of its
room, and those that import it or an importer of it; then all others of its room (``room_tests``), without what is
marked slow. With ``--whole`` a fault that they leave meets all other test files of the suite (``whole_suite``), as a
mutation score usually means; what each does without a fault is kept in a folder (``--kept``) for later calls.
A test file that does not call the function with the fault cannot notice it and is not run. A fault counts
as noticed when a test fails or runs six times as long as without, twice. Performance alone is no test's business: a
fault that changes nothing else counts as unnoticed until it is listed as known.

``--chosen`` runs the faults of ``mutation_chosen.yaml`` instead, which once went unnoticed, each against the test that
is there for it. ``--known FILE`` names faults that change nothing that can be seen, each with why; they do not count.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import yaml

from benchmarks.fault_runs import Kept, Usual, module_of, run_tests, usual_run, whole_suite

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("core", "data", "metrics", "motion", "nn")
PRELOADED = ("numpy", "torch", "scipy.stats", "yaml", "pydantic", "omegaconf", "pytest", "hypothesis", "transformers",
             "datasets", "einops", "safetensors.torch", "matplotlib.figure", "PIL.Image", "soundfile")  # fmt: skip
CHOSEN = ROOT / "benchmarks" / "mutation_chosen.yaml"
MOST_TESTS = 4
FAR = ("benchmarks", "cli", "studio", "pipelines", "evaluation", "training", "published", "planners", "model")
"""Rooms of tests that run whole commands or models: they count only where a test is a module's own or imports it."""
LAST = ("test_", "studio/", "cli/", "pipelines/", "benchmarks/", "studio/test_page.py")
"""What runs last of the whole suite: starts of names of test files, in this order."""
BORDER = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
OPPOSITE = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
            ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}  # fmt: skip
EXCHANGED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
             ast.Mod: ast.Mult}  # fmt: skip
NEGLIGIBLE = 1e-5
"""Numbers below it guard a division; another such number is no fault."""
SAYS_NOTHING = {"strict", "encoding", "exist_ok", "missing_ok", "parents", "sort_keys", "indent", "stacklevel"}


@dataclass(frozen=True)
class Fault:
    """One change: the module, the place (a number in the order of :func:`sites`), and what was done to it."""

    path: str
    place: int
    line: int
    operator: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.operator}: {self.before} -> {self.after}"


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """(operator, the changed node) for every fault that can be made of one node."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        kind = type(node.ops[0])
        for operator, table in (("border", BORDER), ("opposite", OPPOSITE)):
            if kind in table:
                yield operator, ast.Compare(node.left, [table[kind]()], node.comparators)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in EXCHANGED and not _is_text(node):
        changed = copy.copy(node)
        changed.op = EXCHANGED[type(node.op)]()
        yield "arithmetic", changed
    elif isinstance(node, ast.BoolOp):
        yield "and/or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield "not" if isinstance(node.op, ast.Not) else "sign", node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare):
        changed = copy.copy(node)
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield "condition", changed
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "statement", ast.Pass()


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield "true/false", ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield "number", ast.Constant(node.value + 1)
    elif isinstance(node.value, float) and (node.value == 0 or abs(node.value) >= NEGLIGIBLE):
        yield "number", ast.Constant(node.value * 1.5 or 1.0)


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    parts = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(isinstance(p, ast.JoinedStr) or isinstance(getattr(p, "value", None), str) for p in parts)


def sites(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """(parent, field, index or None) of every node in which a fault could be seen, in a fixed order."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import):
                continue
            if isinstance(node, ast.ImportFrom) or (isinstance(node, ast.keyword) and node.arg in SAYS_NOTHING):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            yield tree, field, index
            yield from sites(node)


def faults_of(path: str) -> list[Fault]:
    """Every fault that can be put into a module."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = []
    for place, (parent, field, index) in enumerate(sites(tree)):
        node = _get(parent, field, index)
        for operator, changed in changes(node):
            before, after = (" ".join(ast.unparse(n).split("\n")[0].split())[:80] for n in (node, changed))
            found.append(Fault(path, place, getattr(node, "lineno", 0), operator, before, after))
    return found


def changed_source(fault: Fault) -> str:
    """The module's source with the fault in it."""
    tree = ast.parse((ROOT / fault.path).read_text(encoding="utf-8"))
    parent, field, index = next(site for place, site in enumerate(sites(tree)) if place == fault.place)
    node = _get(parent, field, index)
    changed = ast.copy_location(dict(changes(node))[fault.operator], node)
    if index is None:
        setattr(parent, field, changed)
    else:
        getattr(parent, field)[index] = changed
    return ast.unparse(ast.fix_missing_locations(tree))


def _get(parent: ast.AST, field: str, index: int | None) -> ast.AST:
    value = getattr(parent, field)
    return value if index is None else value[index]


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Dotted names of the package that a file imports, also inside functions; a name in a string counts, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("motion_platform.")
        ):
            found.add(node.value.partition(":")[0])
    return frozenset(found)


@cache
def python_files(folder: str, pattern: str) -> dict[Path, str]:
    """The files below a folder of the repository, in order -> their dotted names."""
    return {path: module_of(str(path.relative_to(ROOT))) for path in sorted((ROOT / folder).rglob(pattern))}


@cache
def nearest_tests(path: str) -> tuple[str, ...]:
    """The test files for a module, nearest first, at most ``MOST_TESTS``."""
    module = Path(path).relative_to("motion_platform")
    room = ROOT / "tests" / module.parts[0]
    mirror = ROOT / "tests" / module.parent / f"test_{module.name}"
    order = [mirror]
    tests, sources = python_files("tests", "test_*.py"), python_files("motion_platform", "*.py")
    wanted = {module_of(path)}
    for distance in range(3):
        near = [test for test in tests if imports_of(test) & wanted and not (distance and _is_far(test))]
        order += sorted(near, key=lambda test: (mirror.parent not in test.parents, room not in test.parents, str(test)))
        order += [folder / "test_contract.py" for folder in (mirror.parent, room)] if distance == 0 else []
        wanted = {name for source, name in sources.items() if imports_of(source) & wanted}
    if not mirror.is_file():
        order += sorted(mirror.parent.glob("test_*.py"))
    kept = [test for test in dict.fromkeys(order) if test.is_file()]
    return tuple(str(test.relative_to(ROOT)) for test in kept[:MOST_TESTS])


def room_tests(path: str) -> tuple[str, ...]:
    """All test files of the module's room, nearest folder first."""
    module = Path(path).relative_to("motion_platform")
    own = ROOT / "tests" / module.parent
    files = python_files(f"tests/{module.parts[0]}", "test_*.py")
    return tuple(str(f.relative_to(ROOT)) for f in sorted(files, key=lambda f: (own not in f.parents, str(f))))


def function_of(path: str, line: int) -> str:
    """The innermost function around a line, as "path:first line"; "path:0" of what runs when the module is loaded."""
    first = 0
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            begin = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if begin <= line <= (node.end_lineno or line):
                first = max(first, begin)
    return f"{path}:{first}"


def _is_far(test: Path) -> bool:
    first = test.relative_to(ROOT / "tests").parts[0]
    return first in FAR or first == test.name


def draw(room: str, count: int, seed: int) -> list[Fault]:
    """``count`` faults of a room, each place as likely as any other."""
    paths = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "motion_platform" / room).rglob("*.py"))
    every = [fault for path in paths for fault in faults_of(path)]
    random.Random(f"{seed} {room}").shuffle(every)  # of a larger count the first ones are the same
    return every[:count]


def judge(
    path: str,
    source: str,
    tests: Sequence[str],
    usual: dict[str, Usual],
    function: str | None = None,
    kept: Kept | None = None,
    may_fail: bool = False,
) -> tuple[str, str]:
    """What the tests, one after another, say to a module's changed source: ("killed" or "timeout", by which) or
    ("survived", ""). ``usual``: what each does without a fault, filled in here; ``kept``: where that is kept for later
    calls. ``function``: only those that call it are run (:func:`function_of`). SystemExit where one fails twice without
    any fault; with ``may_fail`` it is left out, and one that fails with the fault must pass without it right after."""
    usual_of = usual_run if kept is None else kept.usual_run
    for test in dict.fromkeys(tests):
        if test not in usual:  # it must pass as things are
            outcome, usual[test] = usual_of(test)
            if outcome != "passed":
                print(f"without any fault: {outcome}, once more: {test}", flush=True)
                outcome, usual[test] = usual_of(test)
            if outcome != "passed" and not may_fail:
                raise SystemExit(f"without any fault: {outcome}: {test}")
            if outcome != "passed":
                usual[test] = Usual(0.0)
        if function is not None and function not in usual[test].called:
            continue
        limit = 20 + 6 * usual[test].seconds
        outcome, _ = run_tests(test, (path, source), limit)
        if outcome == "timeout":  # a machine that others use may have been the reason
            outcome, _ = run_tests(test, (path, source), 2 * limit)
        if outcome == "failed" and may_fail and run_tests(test, None, 3 * limit)[0] != "passed":
            print(f"fails without any fault, too, and does not count: {test}", flush=True)
            outcome = "passed"
        if outcome != "passed":
            return ("killed" if outcome == "failed" else outcome), test
    return "survived", ""


def run_chosen(path: Path) -> int:
    """Put every fault of a file in and print what its own test says; 1 where one goes unnoticed or has no place."""
    missed = 0
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        source = (ROOT / entry["path"]).read_text(encoding="utf-8")
        if entry["before"] not in source:
            outcome = "not found"
        else:
            outcome = judge(entry["path"], source.replace(entry["before"], entry["after"]), [entry["tests"]], {})[0]
        missed += outcome in ("survived", "not found")
        print(f"{outcome:9} {entry['path']}: {entry['before'].strip()}", flush=True)
    return int(missed > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--room", choices=ROOMS, action="append", help="all when left out")
    parser.add_argument("--count", type=int, default=50, help="faults a room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--known", type=Path, default=ROOT / "benchmarks" / "mutation_known.txt")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after; --out goes on where it was")
    parser.add_argument("--nearest", action="store_true", help="run the nearest test files alone")
    parser.add_argument("--whole", action="store_true", help="what the room leaves meets the rest of the suite")
    parser.add_argument("--kept", type=Path, default=ROOT / "results" / "mutation_usual", help="folder of usual runs")
    parser.add_argument("--again", action="store_true", help="of --out, run those that survived once more")
    parser.add_argument("--chosen", action="store_true", help="the faults of mutation_chosen.yaml, and no others")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "mutation.json")
    args = parser.parse_args()
    for name in PRELOADED:
        importlib.import_module(name)
    if args.chosen:
        return run_chosen(CHOSEN)
    results: dict[str, dict] = json.loads(args.out.read_text()) if args.out.is_file() else {}
    usual: dict[str, Usual] = {}
    usual_of_whole: dict[str, Usual] = {}
    kept = Kept(args.kept)
    start = time.monotonic()
    for room in args.room or ROOMS:
        for fault in draw(room, args.count, args.seed):
            name = f"{fault} (place {fault.place})"  # one line may hold the same fault twice
            entry = results.get(name, {})
            if time.monotonic() - start > 60 * args.minutes:
                break
            unread = entry.get("outcome") is None or (entry["outcome"] == "survived" and args.again)
            left = args.whole and entry.get("outcome") == "survived" and "whole" not in entry
            if not unread and not left:
                continue
            source, function = changed_source(fault), function_of(fault.path, fault.line)
            if unread:
                tests = [*nearest_tests(fault.path), *(() if args.nearest else room_tests(fault.path))]
                outcome, by = judge(fault.path, source, tests, usual, function, kept)
                entry = {"room": room, "outcome": outcome, "by": by, **asdict(fault)}
                keep(results, name, entry, args.out)
            if args.whole and entry["outcome"] == "survived" and ("whole" not in entry or args.again):
                entry["whole"], entry["by"] = judge(
                    fault.path, source, whole_suite(room, LAST), usual_of_whole, function, kept, may_fail=True
                )
                keep(results, name, entry, args.out)
    return report(results, args.known)


def keep(results: dict[str, dict], name: str, entry: dict, out: Path) -> None:
    """Write what was found of one fault down, and print it."""
    results[name] = entry
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1))
    print(f"{entry.get('whole', entry['outcome']):9} {'whole suite: ' * ('whole' in entry)}{name}", flush=True)


def interval(noticed: int, of: int) -> tuple[float, float]:
    """Wilson's interval of 95 % of a share, in per cent."""
    z, share = 1.959964, noticed / of
    middle, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return tuple(100 * (middle + side * half) / (1 + z * z / of) for side in (-1, 1))


def report(results: dict[str, dict], known: Path) -> int:
    """Print the score of every room and of all, by the tests of the room and, where it was run, by the whole suite;
    1 where the last of these is below 95 % of the faults that change something."""
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    unseen = {line.partition(" # ")[0].strip() for line in lines}
    score = 1.0
    for kind in ("room", "whole"):
        if kind == "whole" and not any("whole" in entry for entry in results.values()):
            continue
        print({"room": "by the tests of the room", "whole": "by the whole suite"}[kind])
        for room in (*ROOMS, "all", "all but those that change nothing"):
            mine = [
                entry.get(kind, entry["outcome"]) if kind == "whole" else entry["outcome"]
                for name, entry in results.items()
                if room in (entry["room"], "all") or (room not in ROOMS and name.partition(" (place")[0] not in unseen)
            ]
            if mine:
                noticed = sum(outcome != "survived" for outcome in mine)
                score = noticed / len(mine)
                low, high = interval(noticed, len(mine))
                print(f"{room:8} {noticed:4} of {len(mine):4} noticed: {100 * score:.1f} % ({low:.0f} to {high:.0f} %)")
    return int(score < 0.95)


if __name__ == "__main__":
    raise SystemExit(main())
