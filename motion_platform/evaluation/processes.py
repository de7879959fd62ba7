"""Several processes on one evaluation: the same function in each, every one with its share, and one result.

A score must not depend on how many processes made it. So the work is cut into the same batches whatever their number,
and each process computes with one thread: sums in another order would change the last digits.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch

from motion_platform.core.errors import MotionPlatformError, UsageError
from motion_platform.core.quiet import quiet_logger

Result = TypeVar("Result")


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def launch(function: Callable[..., Result], arguments: tuple[Any, ...], processes: int) -> Result:
    """``function(*arguments, rank, world)`` in every process; what rank 0 returns.

    One process: right here. Several: spawned, joined by gloo over files. Errors: those of the function, as one line.
    Under torchrun or srun, on one machine or several, ``processes`` are those that were started: each takes its share,
    and all but rank 0 end here.
    """
    if (ranks := started_together()) is not None:
        return _joined(function, arguments, *ranks)
    if processes == 1:
        with one_thread():
            return function(*arguments, 0, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with quiet_logger("torch.multiprocessing.spawn"):  # what is said of a failure is said below
                torch.multiprocessing.start_processes(
                    _child, (processes, name, function, arguments, os.getpid()), nprocs=processes, start_method="spawn"
                )
        except Exception as error:  # a process that raised, was killed, or ended: torch has a class for each
            said = sorted(folder.glob("error*.pickle"))
            if said:
                raise _again(*pickle.loads(said[0].read_bytes())) from error
            if isinstance(error, torch.multiprocessing.ProcessExitedException):
                raise UsageError(
                    f"process {error.error_index} of {processes} was ended from outside "
                    f"({error.signal_name or f'exit code {error.exit_code}'}; often for want of memory); what was kept "
                    "is kept: start again with fewer, --processes 1"
                ) from error
            raise
        return pickle.loads((folder / "result.pickle").read_bytes())


def started_together() -> tuple[int, int] | None:
    """(rank, world) of a process that torchrun or its like started among several; None for any other."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ["RANK"]), world) if world > 1 and "RANK" in os.environ else None


def _joined(function: Callable[..., Result], arguments: tuple[Any, ...], rank: int, world: int) -> Result:
    torch.distributed.init_process_group("gloo")
    try:
        with one_thread():
            result = function(*arguments, rank, world)
        torch.distributed.barrier()
    finally:
        torch.distributed.destroy_process_group()
    if rank:
        raise SystemExit(0)
    return result


def _child(
    rank: int, world: int, name: str, function: Callable[..., Any], arguments: tuple[Any, ...], parent: int
) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    folder = Path(name)
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=world)
    try:
        result = function(*arguments, rank, world)
    except MotionPlatformError as error:
        (folder / f"error{rank}.pickle").write_bytes(pickle.dumps((str(error), error.exit_code)))
        raise SystemExit(3) from error
    except KeyboardInterrupt:  # the first process says that it was stopped
        raise SystemExit(130) from None
    if rank == 0:
        (folder / "result.pickle").write_bytes(pickle.dumps(result))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a command that was killed must not go on computing."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def gather(work: Callable[[], Result], world: int) -> list[Result]:
    """What ``work`` gave in every process, in the order of their ranks, on every process.

    An error in one process is raised in all of them, so that nobody waits for ever.
    """
    if world == 1:
        return [work()]
    answer: tuple[str, Any] = ("", None)
    own: MotionPlatformError | None = None
    try:
        answer = ("value", work())
    except MotionPlatformError as error:
        own, answer = error, ("error", (str(error), error.exit_code))
    answers: list[Any] = [None] * world
    torch.distributed.all_gather_object(answers, answer)
    if own is not None:
        raise own
    for kind, value in answers:
        if kind == "error":
            raise _again(*value)
    return [value for _, value in answers]


def share(work: Callable[[], Result], rank: int, world: int) -> Result:
    """What ``work`` gives on rank 0, for every process; the others do not run it."""
    return gather(work if rank == 0 else lambda: None, world)[0]


def _again(message: str, exit_code: int) -> MotionPlatformError:
    error = MotionPlatformError(message)
    error.exit_code = exit_code
    return error
