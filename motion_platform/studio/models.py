"""The models of the process, each loaded once, whoever asks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from motion_platform.core.errors import MotionPlatformError

if TYPE_CHECKING:
    from motion_platform.model.run import Run
    from motion_platform.pipelines.pipeline import Pipeline

MOST = 12
"""Models in memory; the one that was used longest ago leaves first."""


class Models:
    """Pipelines by task and model, and the spaces that measure. Several threads may ask; none loads a model twice."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.runs: dict[str, Run] = {}
        self.loading: str | None = None
        self.lock = threading.Lock()
        self.locks: dict[str, threading.Lock] = {}

    def pipeline(self, task: str, model: str) -> Pipeline:
        """The pipeline of a task with one of its models. Errors: UsageError for a model that cannot; WeightsError."""
        from dataclasses import replace

        from motion_platform.core import tasks
        from motion_platform.core.errors import UsageError
        from motion_platform.model.run import why_not
        from motion_platform.pipelines.pipeline import Pipeline

        run = self.run(model)
        if run.task.task != task:
            card = tasks.load(task)
            reason = why_not(run.model, card)
            if reason is not None:
                raise UsageError(f"model: {reason}")
            run = replace(run, task=card)
        return Pipeline(run)

    def run(self, model: str) -> Run:
        """A model, loaded once. Errors: WeightsError."""
        from motion_platform.model.run import find_device, load_run

        with self.lock:
            own = self.locks.setdefault(model, threading.Lock())
        with own:
            with self.lock:
                run = self.runs.pop(model, None)
            if run is None:
                self.loading = model
                try:
                    run = load_run(model, device=find_device(self.device))
                finally:
                    self.loading = None
            with self.lock:
                self.runs[model] = run  # used last
                while len(self.runs) > MOST:
                    del self.runs[next(iter(self.runs))]
            return run

    def space(self, name: str) -> Run | None:
        """A space that measures; None where its weights are not here."""
        try:
            return self.run(name)
        except MotionPlatformError:
            return None
