"""Preparation on a Ray cluster: one of this machine, where Ray is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_preparing import Walks, facts

from motion_platform.core.errors import DataError, UsageError
from motion_platform.data.clusters import on_ray
from motion_platform.data.preparing import PARTS, prepare_shards


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # Ray's processes find Walks there
    (tmp_path / "clips.txt").write_text(" ".join(f"c{k:02d}" for k in range(20)))
    return tmp_path


def test_without_ray_it_says_what_to_install(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'pip install "motion-platform\[ray\]"'):
        prepare_shards(Walks(), source, source / "set", clips=4, mirror=False, cluster="local")


class Here:
    """A stand-in for Ray that works in this process and notes what it was asked for: a cluster takes half a minute to
    start, and where Ray is not installed the tests of a real one are left out."""

    class exceptions:
        class RayError(Exception):
            cause: Exception | None = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict]] = []

    def init(self, **settings) -> None:
        if settings["address"] == "nowhere":
            raise ConnectionError("nobody answers")
        self.asked.append(("init", settings))

    def remote(self, function):
        class Task:
            @staticmethod
            def options(**settings):
                self.asked.append(("options", settings))
                return Task

            @staticmethod
            def remote(*given):
                return lambda: function(*given)

        return Task

    def get(self, waiting):
        try:
            return waiting()
        except (ValueError, OSError) as problem:
            error = self.exceptions.RayError("a task failed")
            error.cause = None if isinstance(problem, OSError) else problem
            raise error from problem

    def shutdown(self) -> None:
        self.asked.append(("shutdown", {}))


def root(number: int) -> float:
    """Work: an OSError stands for a process that was killed."""
    if number == 99:
        raise OSError
    return number**0.5 if number >= 0 else int("minus")


def test_what_is_asked_of_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores are said to a cluster of this machine alone; a task that is killed is done again twice."""
    for address, workers in (("local", 3), ("auto", 3), ("local", None)):
        ray = Here()
        monkeypatch.setitem(sys.modules, "ray", ray)
        assert list(on_ray(root, [4, 9, 25], address, workers, "kept")) == [2, 3, 5]
        kinds = [kind for kind, _ in ray.asked]
        assert kinds == ["init", "options", "options", "options", "shutdown"]
        local = {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
        assert ray.asked[0][1] == {"address": address, "log_to_driver": False, "logging_level": 40, **local}
        assert ray.asked[1][1] == {"num_cpus": 1, "max_retries": 2}


def test_errors_of_the_work_are_its_own_and_those_of_ray_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Here()
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(ValueError, match="minus"):
        list(on_ray(root, [4, -1], "local", 1, "kept"))
    with pytest.raises(DataError, match=r"a task on the Ray cluster was ended from outside.*\(a task failed\); kept$"):
        list(on_ray(root, [4, 99], "local", 1, "kept"))
    assert [kind for kind, _ in ray.asked].count("shutdown") == 2
    with pytest.raises(UsageError, match=r"no cluster at 'nowhere' .nobody answers.; allowed: local, auto"):
        list(on_ray(root, [4], "nowhere", 1, "kept"))


@pytest.mark.slow
def test_a_cluster_makes_the_set_that_one_process_makes(source: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray (pip install -e '.[ray]')")
    here = prepare_shards(Walks(), source, source / "here", clips=4, mirror=False, workers=1)
    there = prepare_shards(Walks(), source, Path("there"), clips=4, mirror=False, workers=2, cluster="local")
    assert facts(here) == facts(there)
    files = sorted(path.name for path in (source / "here").glob("*.parquet"))
    assert files == sorted(path.name for path in (source / "there").glob("*.parquet"))
    for name in files:
        assert (source / "here" / name).read_bytes() == (source / "there" / name).read_bytes()


@pytest.mark.slow
def test_a_task_that_dies_and_a_cluster_that_is_not_there_are_one_line(source: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray (pip install -e '.[ray]')")
    names = (source / "clips.txt").read_text()
    (source / "clips.txt").write_text(names.replace("c17", "deadly"))
    with pytest.raises(DataError, match=r"a task on the Ray cluster was ended.*same command goes on") as caught:
        prepare_shards(Walks(), source, source / "set", clips=2, mirror=False, workers=2, cluster="local")
    assert "\n" not in str(caught.value)
    assert list((source / "set" / PARTS).glob("[!.]*-*.json")), "what was written is kept"
    for address in ("auto", "nowhere:1:2"):
        with pytest.raises(UsageError, match=f"no cluster at '{address}'"):
            prepare_shards(Walks(), source, source / "none", clips=2, mirror=False, cluster=address)
