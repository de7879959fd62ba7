"""Preparation on a Ray cluster: one of this machine, where Ray is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_preparing import Walks, facts

from motion_platform.core.errors import DataError, UsageError
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
