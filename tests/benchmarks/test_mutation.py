"""Faults are put where code is, the tests nearest to it are found, and the outcome is what the tests say."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def faults(benchmark, monkeypatch, tmp_path: Path, source: str) -> dict[str, str]:
    """ "operator: before" -> the source with that fault."""
    monkeypatch.setattr(benchmark, "ROOT", tmp_path)
    (tmp_path / "m.py").write_text(source)
    return {f"{f.operator}: {f.before}": benchmark.changed_source(f) for f in benchmark.faults_of("m.py")}


@pytest.mark.parametrize(
    ("source", "fault", "changed"),
    [
        ("x = a < b", "border: a < b", "x = a <= b"),
        ("x = a < b", "opposite: a < b", "x = a >= b"),
        ("x = a is None", "opposite: a is None", "x = a is not None"),
        ("x = a + b", "arithmetic: a + b", "x = a - b"),
        ("x += b", "arithmetic: x += b", "x -= b"),
        ("x = a and b", "and/or: a and b", "x = a or b"),
        ("x = not a", "not: not a", "x = a"),
        ("x = -a", "sign: -a", "x = a"),
        ("x = True", "true/false: True", "x = False"),
        ("x = 3", "number: 3", "x = 4"),
        ("x = 0.5", "number: 0.5", "x = 0.75"),
        ("if a:\n    b()", "condition: if a:", "if not a:\n    b()"),
        ("a.append(b)", "statement: a.append(b)", "pass"),
    ],
)
def test_every_operator(benchmark, monkeypatch, tmp_path, source: str, fault: str, changed: str) -> None:
    assert faults(benchmark, monkeypatch, tmp_path, source)[fault] == changed


def test_what_people_read_is_no_fault(benchmark, monkeypatch, tmp_path) -> None:
    source = '"""3."""\nx: Literal[3] = y\nif a < 1e-9:\n    raise ValueError(f"{a + b}")\nz = zip(a, b, strict=True)\n'
    assert set(faults(benchmark, monkeypatch, tmp_path, source)) == {"border: a < 1e-09", "opposite: a < 1e-09"}


def test_the_nearest_tests_are_the_mirror_then_those_that_import_it(benchmark) -> None:
    tests = benchmark.nearest_tests("motion_platform/motion/io/bvh.py")
    assert tests[0] == "tests/motion/io/test_bvh.py"
    assert 1 < len(tests) <= benchmark.MOST_TESTS
    every = [str(p.relative_to(benchmark.ROOT)) for p in (benchmark.ROOT / "motion_platform" / "nn").rglob("*.py")]
    assert [path for path in every if not benchmark.nearest_tests(path)] == []


def test_then_all_tests_of_the_room_and_of_them_those_that_call_the_function(benchmark, monkeypatch) -> None:
    path = "motion_platform/motion/io/bvh.py"
    tests = benchmark.room_tests(path)
    assert set(tests) > {"tests/motion/io/test_bvh.py", "tests/motion/test_marks.py"}
    assert {Path(test).parts[1] for test in tests} == {"motion"}
    assert tests[0].startswith("tests/motion/io/")
    ran = []

    def run_tests(test: str, changed: tuple[str, str], seconds: float) -> tuple[str, float]:
        ran.append(test)
        return "passed", 1.0

    monkeypatch.setattr(benchmark, "run_tests", run_tests)
    usual = {"a": benchmark.Usual(1.0, frozenset({"m.py:3"})), "b": benchmark.Usual(1.0, frozenset({"m.py:4"}))}
    assert benchmark.judge("m.py", "", ["a", "b", "a"], usual, "m.py:3") == ("survived", "")
    assert ran == ["a"]


def judged(benchmark, monkeypatch, outcomes: list[str], **settings) -> tuple[tuple[str, str], list[bool]]:
    """What is said of a fault when the runs end so, one after another; and which of the runs were with the fault."""
    left, changed = list(outcomes), []

    def run_tests(_test: str, change: tuple[str, str] | None, _seconds: float) -> tuple[str, float]:
        changed.append(change is not None)
        return left.pop(0), 1.0

    monkeypatch.setattr(benchmark, "run_tests", run_tests)
    usual = {name: benchmark.Usual(1.0, frozenset({"m.py:3"})) for name in "ab"}
    said = benchmark.judge("m.py", "", ["a", "b"], usual, "m.py:3", **settings)
    assert left == []
    return said, changed


def test_what_takes_too_long_once_is_run_once_more(benchmark, monkeypatch) -> None:
    assert judged(benchmark, monkeypatch, ["timeout", "passed", "passed"])[0] == ("survived", "")
    assert judged(benchmark, monkeypatch, ["timeout", "failed"])[0] == ("killed", "a")
    assert judged(benchmark, monkeypatch, ["passed", "timeout", "timeout"])[0] == ("timeout", "b")


def test_a_test_of_the_whole_suite_that_fails_without_the_fault_has_not_noticed_it(benchmark, monkeypatch) -> None:
    said, changed = judged(benchmark, monkeypatch, ["failed", "failed", "failed", "passed"], may_fail=True)
    assert said == ("killed", "b")
    assert changed == [True, False, True, False]


def test_a_test_of_the_whole_suite_that_never_passes_is_left_out(benchmark, monkeypatch) -> None:
    monkeypatch.setattr(benchmark, "usual_run", lambda test: ("failed", benchmark.Usual(1.0, frozenset({"m.py:3"}))))
    assert benchmark.judge("m.py", "", ["a"], {}, "m.py:3", may_fail=True) == ("survived", "")
    with pytest.raises(SystemExit, match="without any fault: failed: a"):
        benchmark.judge("m.py", "", ["a"], {}, "m.py:3")


def test_the_rest_of_the_suite_is_every_other_file_once_with_whole_commands_last(benchmark) -> None:
    tests = benchmark.whole_suite("motion", benchmark.LAST)
    every = {str(path.relative_to(benchmark.ROOT)) for path in (benchmark.ROOT / "tests").rglob("test_*.py")}
    assert len(tests) == len(set(tests))
    assert set(tests) == {name for name in every if not name.startswith("tests/motion/")}
    assert tests[-1] == "tests/studio/test_page.py"
    assert tests.index("tests/encoders/test_contract.py") < tests.index("tests/test_readme.py")


def test_a_usual_run_is_kept_until_the_package_or_the_file_changes(monkeypatch, tmp_path) -> None:
    from benchmarks import fault_runs

    package, test, ran = tmp_path / "motion_platform" / "m.py", tmp_path / "t.py", []
    package.parent.mkdir()
    package.write_text("x = 1\n")
    test.write_text("assert True\n")

    def usual_run(test: str) -> tuple[str, fault_runs.Usual]:
        ran.append(test)
        return "passed" if len(ran) > 1 else "failed", fault_runs.Usual(2.5, frozenset({"m.py:3"}))

    monkeypatch.setattr(fault_runs, "ROOT", tmp_path)
    monkeypatch.setattr(fault_runs, "usual_run", usual_run)
    for runs in (1, 2, 2):  # one that fails is not kept
        outcome, usual = fault_runs.Kept(tmp_path / "kept").usual_run("t.py")
        assert (len(ran), usual) == (runs, fault_runs.Usual(2.5, frozenset({"m.py:3"})))
    assert outcome == "passed"
    test.write_text("assert 1\n")
    fault_runs.Kept(tmp_path / "kept").usual_run("t.py")
    package.write_text("x = 2\n")
    fault_runs.Kept(tmp_path / "kept").usual_run("t.py")
    assert len(ran) == 4


def test_the_function_of_a_line_is_the_innermost_and_zero_where_a_module_is_loaded(
    benchmark, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(benchmark, "ROOT", tmp_path)
    (tmp_path / "m.py").write_text(
        "A = 1\n\n\n@cache\ndef f(x=2):\n    def g():\n        return 3\n    return g\n\n\nclass B:\n    x = 4\n"
    )
    expected = {1: 0, 4: 4, 5: 4, 6: 6, 7: 6, 8: 4, 12: 0}
    assert {line: benchmark.function_of("m.py", line) for line in expected} == {
        line: f"m.py:{first}" for line, first in expected.items()
    }


def test_draws_of_a_seed_are_the_same_and_larger_ones_go_on(benchmark) -> None:
    small, large = (benchmark.draw("nn", count, 3) for count in (5, 9))
    assert large[:5] == small
    assert benchmark.draw("nn", 9, 4) != large


def test_the_chosen_faults_can_be_put_in(benchmark) -> None:
    """Each changes code that is there; `python -m benchmarks.mutation --chosen` shows that its test notices."""
    for fault in yaml.safe_load(benchmark.CHOSEN.read_text(encoding="utf-8")):
        source = (benchmark.ROOT / fault["path"]).read_text(encoding="utf-8")
        assert fault["before"] in source, fault["path"]
        changed = ast.dump(ast.parse(source.replace(fault["before"], fault["after"])))
        assert changed != ast.dump(ast.parse(source)), fault["path"]
        assert (benchmark.ROOT / fault["tests"].partition("::")[0]).is_file()


def test_a_report_counts_what_was_noticed(benchmark, tmp_path, capsys) -> None:
    results = {f"fault {i}": {"room": "nn", "outcome": "survived" if i < 2 else "killed"} for i in range(20)}
    assert benchmark.report(results, tmp_path / "none") == 1
    assert "18 of   20 noticed: 90.0 %" in capsys.readouterr().out
    (tmp_path / "known.txt").write_text("fault 0 # the same number\nfault 1 # the same\n")
    assert benchmark.report(results, tmp_path / "known.txt") == 0
    assert "18 of   18 noticed" in capsys.readouterr().out
    results["fault 0"]["whole"] = "killed"
    assert benchmark.report(results, tmp_path / "none") == 0
    said = capsys.readouterr().out.partition("by the whole suite")
    assert "18 of   20 noticed: 90.0 %" in said[0]
    assert "19 of   20 noticed: 95.0 % (76 to 99 %)" in said[2]


def test_the_interval_of_a_share_is_wilsons(benchmark) -> None:
    """Newcombe, Statistics in Medicine 17 (1998), Table I, method 3: 81 of 263 and 15 of 148."""
    assert benchmark.interval(81, 263) == pytest.approx((25.53, 36.62), abs=0.005)
    assert benchmark.interval(15, 148) == pytest.approx((6.24, 16.05), abs=0.005)


def test_what_is_known_to_change_nothing_is_a_fault_that_is_there(benchmark) -> None:
    for line in (benchmark.ROOT / "benchmarks" / "mutation_known.txt").read_text(encoding="utf-8").splitlines():
        name, _, why = line.partition(" # ")
        assert name in {str(fault) for fault in benchmark.faults_of(name.partition(":")[0])}, name
        assert why


JUDGE = """
import pytest, torch, transformers  # what every run would load: as the command does

from benchmarks import mutation

path, test = "motion_platform/motion/intervals.py", "tests/motion/test_intervals.py"
source, usual = (mutation.ROOT / path).read_text(encoding="utf-8"), {}
for changed in (source, source.replace("[1::2]", "[0::2]"), source):
    print(mutation.judge(path, changed, [test], usual)[0])
"""


CALLED = """
from benchmarks import fault_runs, mutation

path, test = "motion_platform/motion/intervals.py", "tests/motion/test_intervals.py"
outcome, usual = fault_runs.usual_run(test)
lines = (mutation.ROOT / path).read_text(encoding="utf-8").splitlines()
functions = {mutation.function_of(path, number) for number, line in enumerate(lines, 1) if line.startswith("def ")}
other = mutation.function_of("motion_platform/motion/io/bvh.py", 10_000)
print(outcome, bool(functions) and functions <= usual.called, f"{path}:0" in usual.called, other in usual.called)
"""


@pytest.mark.slow
def test_what_a_test_file_calls_is_written_down(benchmark) -> None:
    done = subprocess.run([sys.executable, "-c", CALLED], cwd=benchmark.ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["passed", "True", "True", "False"], done.stderr


@pytest.mark.slow
def test_a_fault_is_noticed_and_the_file_on_disk_is_left_alone(benchmark) -> None:
    """One test passes as things are, fails with a fault, and passes again. In an interpreter of its own, as the command
    is: one that has run that test keeps its module, with the functions as they were before the fault."""
    path = benchmark.ROOT / "motion_platform/motion/intervals.py"
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", JUDGE], cwd=benchmark.ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["survived", "killed", "survived"], done.stderr
    assert path.read_bytes() == before
