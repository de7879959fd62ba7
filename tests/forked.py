"""Commands in processes of their own, forked from one that has loaded the libraries: a fresh interpreter takes four
seconds of a processor to do that, and the tests start sixty.

What others wrote is loaded before (``LIBRARIES``); our own modules are imported anew in every process, from where its
PYTHONPATH says. Where starting itself is what is tested (tests/test_entry_points.py), an interpreter is started.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = [
    "accelerate", "datasets", "omegaconf", "peft", "pydantic", "rich.progress", "safetensors.torch", "scipy.signal",
    "scipy.spatial.transform", "torch.distributed", "torch.distributed.fsdp", "torch.optim", "transformers.models.bert",
    "transformers.models.llama.modeling_llama", "transformers.models.auto",
]  # fmt: skip
LIMIT = 900
"""Seconds that all processes of a command may take."""


@dataclass(frozen=True)
class Done:
    """What subprocess.CompletedProcess says; of several processes the first status that is not 0, and all texts."""

    returncode: int
    stdout: str
    stderr: str


def run(words: Sequence[str], environment: Mapping[str, str], *, cwd: Path = ROOT, processes: int = 1) -> Done:
    """Run ``python WORDS``: a script and its arguments, or "-m", a module and its arguments. processes: so many of it
    at once, each with the variables by which torch.distributed.run tells them apart."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for rank in range(processes):
            own = dict(environment) | (_place(rank, processes, port) if processes > 1 else {})
            texts = [f"{folder}/{rank}.{name}" for name in ("out", "err")]
            started.append(context.Process(target=_work, args=(list(words), own, str(cwd), *texts)))
            started[-1].start()
        until = time.monotonic() + LIMIT
        while any(p.is_alive() for p in started) and time.monotonic() < until:
            started[0].join(0.02)
            if any(p.exitcode for p in started):  # the others wait for it: they are ended, as a launcher would
                until = min(until, time.monotonic() + 30)
            time.sleep(0.02)
        codes = []
        for process in started:
            if process.is_alive():
                process.kill()
            process.join()
            codes.append(process.exitcode or 0)
        out, err = ("".join(Path(folder, f"{rank}.{name}").read_text() for rank in range(processes))
                    for name in ("out", "err"))  # fmt: skip
    return Done(next((code for code in codes if code), 0), out, err)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _place(rank: int, processes: int, port: int) -> dict[str, str]:
    place = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes,
             "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}  # fmt: skip
    return {name: str(value) for name, value in place.items()}


def _work(words: list[str], environment: dict[str, str], cwd: str, out: str, err: str) -> None:
    """What a process does: become what ``python WORDS`` would be."""
    for place, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), place)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    import torch

    torch.set_num_threads(int(environment.get("OMP_NUM_THREADS", "1")))
    module = words[0] == "-m"
    sys.argv = words[1:] if module else words
    here = cwd if module else str(Path(words[0]).resolve().parent)
    given = [each for each in environment.get("PYTHONPATH", "").split(os.pathsep) if each]
    tests = str(Path(__file__).parent)
    sys.path[:] = [here, *given, *(each for each in sys.path if not each.startswith(tests))]
    if module:
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(words[0], run_name="__main__")
