"""A few kills and a few damaged files of every kind in the suite; kills.py and fuzz.py run as many as one likes."""

from __future__ import annotations

import subprocess
import sys
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


@pytest.mark.slow
def test_killed_at_any_step_everything_loads_and_goes_on_as_if_nothing_had_been() -> None:
    assert run("kills.py", "--trials", "24").splitlines()[-1] == "24 kills, 0 wrong"
