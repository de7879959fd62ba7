"""A few kills and a few damaged files of every kind in the suite; kills.py and fuzz.py run as many as one likes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[1],
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_damaged_files_of_every_kind_are_one_line() -> None:
    rows = run("fuzz.py", "--inputs", "600", "--first", "1000000").splitlines()
    assert rows[-1].startswith("| all")


def test_a_process_that_hangs_is_killed_and_says_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("reliability_kills", HERE / "kills.py")
    assert spec is not None
    assert spec.loader is not None
    kills = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, kills)  # its data classes look themselves up
    spec.loader.exec_module(kills)
    assert kills.in_child(lambda: 7) == (0, 7)
    monkeypatch.setattr(kills, "LIMIT", 1)

    def stands_still() -> None:
        time.sleep(3600)

    with pytest.raises(kills.Hung, match=r"the one that sleeps \(process \d+\) hangs(.|\n)*in stands_still"):
        kills.in_child(stands_still, "the one that sleeps")


@pytest.mark.slow
def test_killed_at_any_step_everything_loads_and_goes_on_as_if_nothing_had_been() -> None:
    assert run("kills.py", "--trials", "8").splitlines()[-1] == "8 kills, 0 wrong"
