"""Experiment trackers (TensorBoard, Weights & Biases, MLflow, trackio, ...), as Accelerate opens them.

``train.log_with`` names them; without it TensorBoard writes where it is installed. ``log.jsonl`` is written in
any case.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration

from motion_platform.core.config import Recipe
from motion_platform.core.errors import MotionPlatformError, UsageError
from motion_platform.core.opening import short
from motion_platform.training import zero
from motion_platform.training.state import flat

PROJECT = "motion-platform"
FOLDER = "tensorboard"


def chosen(log_with: Sequence[str] | None) -> list[str]:
    """The trackers of a recipe. UsageError for one that Accelerate does not know here, or that is not installed."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    here = {str(tracker) for tracker in get_available_trackers()}
    if log_with is None:
        return [FOLDER] if importlib.util.find_spec(FOLDER) else []
    for name in log_with:
        if name not in {str(known) for known in LOGGER_TYPE_TO_CLASS}:
            raise UsageError(f"train.log_with: {name}: this version of accelerate has no such tracker; install a newer")
        if name not in here:
            raise UsageError(f"train.log_with: {name} is not installed; pip install {name.replace('_', '-')}")
    return list(dict.fromkeys(log_with))


def accelerator_for(output: Path, names: Sequence[str], *, precision: str, cpu: bool) -> Accelerator:
    """An Accelerator that knows the trackers; nothing is opened or written yet. UsageError for an engine that
    accelerate was configured for and that is not installed."""
    place = ProjectConfiguration(project_dir=str(output), logging_dir=str(output / FOLDER))
    handlers = zero.handlers(cpu) if zero.wanted() else []
    try:
        accelerator = Accelerator(
            mixed_precision=precision,
            cpu=cpu and not zero.wanted(),
            log_with=list(names) or None,
            project_config=place,
            kwargs_handlers=handlers,
        )
    except ImportError as error:
        raise UsageError(f"accelerate is configured for an engine that is not here: {short(error)}") from error
    if zero.wanted():
        zero.load_whole()
    return accelerator


class Trackers:
    """What is logged goes to every tracker that was chosen. Only the main process makes one.

    step: the first that is logged; TensorBoard forgets later ones of an earlier run. Errors: MotionPlatformError of one
    line for a tracker that cannot be opened (no login, no network, no permission).
    """

    def __init__(self, accelerator: Accelerator, recipe: Recipe, step: int) -> None:
        self._accelerator = accelerator
        try:
            accelerator.init_trackers(PROJECT, config=settings_of(recipe), init_kwargs={FOLDER: {"purge_step": step}})
        except Exception as error:  # every tracker raises its own kind
            raise MotionPlatformError(f"train.log_with: a tracker could not be opened: {error}") from error

    def log(self, values: dict[str, Any], step: int) -> None:
        self._accelerator.log(values, step=step)

    def close(self) -> None:
        for tracker in self._accelerator.trackers:  # not end_training(), which ends the process group as well
            tracker.finish()


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """A recipe as ``train.batch_size: 64`` pairs of plain values, for tables of runs."""
    values = flat(recipe.model_dump(exclude_none=True))
    return {key: value if isinstance(value, (int, float, str, bool)) else str(value) for key, value in values.items()}
