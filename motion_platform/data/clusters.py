"""The work of a preparation on a Ray cluster instead of the processes of one machine."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.opening import short

Given = TypeVar("Given")
Made = TypeVar("Made")

LOCAL = "local"
"""Instead of an address: a cluster of this machine alone, which ends with the work."""


def on_ray(
    work: Callable[[Given], Made], given: Sequence[Given], address: str, workers: int | None, kept: str
) -> Iterator[Made]:
    """What ``work`` makes of each, in their order, each a task of the cluster at ``address`` that takes one core.

    address: ``local``, ``auto`` (the cluster that this machine is part of) or ``ray://HOST:PORT``. workers: cores of a
    local cluster. kept: what of the work is not lost when it fails. Errors: those of ``work``; UsageError without Ray
    or a cluster; DataError for a task that is killed more often than Ray repeats it.
    """
    with _cluster(address, workers) as ray:
        task = ray.remote(_alone)
        # Shards are whole or not there, so that a task that was killed may be done again.
        waiting = [task.options(num_cpus=1, max_retries=2).remote(work, one) for one in given]
        for result in waiting:
            try:
                yield ray.get(result)
            except ray.exceptions.RayError as error:
                cause = getattr(error, "cause", None) or error
                if not isinstance(cause, ray.exceptions.RayError):
                    raise cause from None  # the work's own error
                raise DataError(
                    f"a task on the Ray cluster was ended from outside, often for want of memory ({short(cause)}); "
                    f"{kept}"
                ) from error


@contextlib.contextmanager
def _cluster(address: str, workers: int | None) -> Iterator[Any]:
    """Ray, connected. UsageError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
    except ImportError as error:
        raise UsageError('--ray: Ray is not installed; pip install "motion-platform[ray]"') from error
    local: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"--ray: no cluster at {address!r} ({short(error)}); allowed: {LOCAL}, auto, ray://HOST:PORT"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _alone(work: Callable[[Given], Made], one: Given) -> Made:
    """One piece of work on one core, as in a process of :func:`~motion_platform.data.source.pooled`."""
    import torch

    torch.set_num_threads(1)
    return work(one)
