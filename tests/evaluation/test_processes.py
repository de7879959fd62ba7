"""Several processes on one evaluation."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motion_platform.core.errors import UsageError
from motion_platform.evaluation import processes

WORK = """
import os, pathlib, time
from motion_platform.evaluation import processes

def work(folder, rank, world):
    (pathlib.Path(folder) / str(rank)).write_text(str(os.getpid()))
    time.sleep(1200)

if __name__ == "__main__":
    processes.launch(work, (str(pathlib.Path(__file__).parent),), 2)
"""


def alive(process: int) -> bool:
    """A process that computes; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(what, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.2)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the processes of Linux")
def test_a_killed_command_leaves_no_process_computing(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(WORK)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    files = [tmp_path / "0", tmp_path / "1"]
    try:
        assert wait_for(lambda: all(f.exists() and f.read_text() for f in files), 600)
        children = [int(f.read_text()) for f in files]
        assert all(alive(child) for child in children)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert wait_for(lambda: not any(alive(child) for child in children), 600)


def die(rank: int, world: int) -> None:
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def test_a_process_that_is_ended_from_outside_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"process 1 of 2 was ended from outside \(SIGKILL.*--processes 1"):
        processes.launch(die, (), 2)


TOGETHER = """
import sys
from motion_platform.evaluation import processes

def work(numbers, rank, world):
    parts = processes.gather(lambda: sum(numbers[rank::world]), world)
    return parts, sum(parts)

print(processes.launch(work, (list(range(10)),), 5))
"""


def test_processes_that_were_started_together_share_the_work_and_the_first_says_the_result(tmp_path: Path) -> None:
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["([20, 25], 45)"]
