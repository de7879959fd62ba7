"""Run a test file in a process of its own, as things are or with one module changed (for ``benchmarks.mutation``)."""

from __future__ import annotations

import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from memory."""

    def __init__(self, path: str, source: str) -> None:
        self.name, self.path, self.source = module_of(path), str(ROOT / path), source

    def find_spec(self, name: str, _path: object = None, _target: object = None):
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(
            name, self.path, loader=self,
            submodule_search_locations=[str(Path(self.path).parent)] if self.path.endswith("__init__.py") else None,
        )  # fmt: skip

    def get_filename(self, _name: str) -> str:
        return self.path

    def get_data(self, _path: str) -> bytes:
        return self.source.encode()

    def path_stats(self, path: str):
        raise OSError(path)  # no compiled file is read or written

    def set_data(self, path: str, data: bytes) -> None:
        pass


@dataclass(frozen=True)
class Usual:
    """What a test file does without a fault: how long it takes, and which functions of the package it calls."""

    seconds: float
    called: frozenset[str] = frozenset()


def usual_run(test: str) -> tuple[str, Usual]:
    """(outcome, what it does) of a test file as things are."""
    with tempfile.TemporaryDirectory() as place:
        called = Path(place) / "called"
        outcome, seconds = run_tests(test, None, 900, called)
        return outcome, Usual(seconds, frozenset(called.read_text().split("\n")) if called.is_file() else frozenset())


class Kept:
    """Usual runs in a folder, for later calls: the whole suite's take some twenty minutes. Each is of one state of the
    package and of the test file; where either has changed it is made anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = sorted((ROOT / "motion_platform").rglob("*.py"))
        texts = [f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes() for path in files]
        self.package = sha256(b"\0".join(texts)).hexdigest()

    def usual_run(self, test: str) -> tuple[str, Usual]:
        """(outcome, what it does) as :func:`usual_run` says; one that has passed is read back."""
        content = (ROOT / test.partition("::")[0]).read_bytes()
        key = sha256(f"{self.package}\n{test}\n".encode() + content).hexdigest()
        path = self.folder / f"{key[:32]}.json"
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            return "passed", Usual(kept["seconds"], frozenset(kept["called"]))
        outcome, usual = usual_run(test)
        if outcome == "passed":
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"test": test, "seconds": usual.seconds, "called": sorted(usual.called)})
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        return outcome, usual


def whole_suite(room: str, last: Sequence[str]) -> tuple[str, ...]:
    """All test files of the suite but those of a room: those of other rooms, then those that run whole commands or
    start a browser (``last``: starts of their names below tests/)."""
    files = [str(path.relative_to(ROOT / "tests")) for path in sorted((ROOT / "tests").rglob("test_*.py"))]
    files = [name for name in files if name.partition("/")[0] != room]
    late = {name: max((i for i, start in enumerate(last, 1) if name.startswith(start)), default=0) for name in files}
    return tuple(f"tests/{name}" for name in sorted(files, key=lambda name: (late[name], name)))


def run_tests(
    test: str, changed: tuple[str, str] | None, seconds: float, called: Path | None = None
) -> tuple[str, float]:
    """("passed", "failed" or "timeout", seconds) of pytest in a process of its own, with a module changed. ``called``:
    where to write which functions of the package it calls."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_child(test, changed, called)
    while time.monotonic() - start < seconds:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            outcome = "passed" if os.waitstatus_to_exitcode(status) == 0 else "failed"
            return outcome, time.monotonic() - start
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout", time.monotonic() - start


def _run_child(test: str, changed: tuple[str, str] | None, called: Path | None) -> None:
    code, seen, package = 3, set(), f"{ROOT}/motion_platform/"

    def note(frame: FrameType, _event: str, _value: object) -> None:
        code = frame.f_code
        if code.co_filename.startswith(package):
            first = 0 if code.co_name == "<module>" else code.co_firstlineno
            seen.add(f"{code.co_filename.removeprefix(f'{ROOT}/')}:{first}")

    try:
        os.setpgid(0, 0)
        log = os.open(os.environ.get("MUTATION_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        for name in [name for name in sys.modules if name.partition(".")[0] == "motion_platform"]:
            del sys.modules[name]  # nothing that the parent has imported stands in for the changed module
        if changed is not None:
            sys.meta_path.insert(0, _Changed(*changed))
        import pytest

        if called is not None:
            threading.settrace(note)
            sys.settrace(note)
        options = ["-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider", "-q", "--no-header", "--tb=short"]
        code = int(pytest.main([*options, "-x", "-m", "not slow and not gpu and not network", test]))
        code = 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code  # all of them are slow
    finally:
        sys.settrace(None)
        if called is not None:
            called.write_text("\n".join(sorted(seen)))
        sys.stdout.flush()
        os._exit(code)
