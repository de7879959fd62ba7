"""One run in several processes: who computes what, whether all have the same, and how a run stops."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from motion_platform.core.config import TrainRecipe
from motion_platform.core.errors import MotionPlatformError, UsageError

GONE = re.compile(r"connection (was )?(closed|reset|refused)|broken pipe|timed? ?out|nccl|gloo", re.I)
"""What the libraries below say of a process that does not answer."""


class Interrupted(MotionPlatformError):
    """Stopped by a person, with everything saved."""

    exit_code = 130


def micro_batches(train: TrainRecipe, world: int) -> int:
    """M: ``gradient_accumulation`` rounded up to a multiple of the processes. UsageError when M does not divide B."""
    micro = math.ceil(train.gradient_accumulation / world) * world
    if train.batch_size % micro:
        raise UsageError(
            f"train.batch_size: got {train.batch_size}; it must be a multiple of {micro} (gradient_accumulation "
            f"{train.gradient_accumulation}, {world} processes)"
        )
    return micro


def alike(accelerator: Accelerator, facts: Mapping[str, str], again: str) -> None:
    """UsageError, the same in all processes, where one has another value of a fact than the first process has."""
    if accelerator.num_processes == 1:
        return
    own = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in facts.items()}
    everyone = gather_object([(socket.gethostname(), own)])
    first, expected = everyone[0]
    for rank, (host, found) in enumerate(everyone):
        for name, value in found.items():
            if value != expected[name]:
                raise UsageError(
                    f"process {rank} (on {host}) has another {name} than process 0 (on {first}); every node needs the "
                    f"same: copy it there, then start again with {again}"
                )


@contextlib.contextmanager
def told_when_another_ends(world: int, again: str) -> Iterator[None]:
    """MotionPlatformError of one line where another process of the run is gone."""
    try:
        yield
    except RuntimeError as error:
        if world == 1 or not GONE.search(str(error)):
            raise
        raise MotionPlatformError(
            "another process of this run ended or does not answer; its own message says why, and the state of the last "
            f"save stands: go on with {again}"
        ) from error


def agreed(wanted: bool, accelerator: Accelerator, step: int, every: int) -> bool:
    """Does any process want to stop? With several, they ask each other only now and then: it costs a round trip."""
    if accelerator.num_processes == 1:
        return wanted
    if step % min(every, 10):
        return False
    flag = torch.tensor(float(wanted), device=accelerator.device)
    return bool(accelerator.reduce(flag, reduction="sum").item() > 0)


class StopFlag:
    """The first Ctrl-C (or SIGTERM) asks the loop to stop after the step and save; the second stops at once."""

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopFlag:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: object) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
