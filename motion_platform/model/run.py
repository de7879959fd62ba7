"""What every command works with: a model, its task and its data, from a folder or a recipe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion_platform.core import config, tasks, weight_files
from motion_platform.core.checkpoint_files import read_card
from motion_platform.core.config import DataRecipe, Recipe
from motion_platform.core.contracts import Generator
from motion_platform.core.errors import DataError, MotionPlatformError, UsageError
from motion_platform.core.files import settle_folder
from motion_platform.core.tasks import Task
from motion_platform.data.encoded import encoded_as
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharded import is_address
from motion_platform.model.motion_model import CARD, MotionModel


@dataclass
class Run:
    """What every command works with: ``assemble`` makes it from a recipe, ``checkpoint.load`` from a folder."""

    model: MotionModel
    task: Task
    seed: int
    data: DataRecipe | None = None
    dataset: PreparedDataset | None = None
    folder: Path | None = None

    def open_data(self) -> PreparedDataset:
        """The prepared data set of this run in the model's representation, opened once. Errors: DataError that says how
        to prepare it; those of :func:`encoded_as`."""
        if self.dataset is None:
            found = open_data(self.data or DataRecipe(name=self.task.data))
            self.dataset = encoded_as(found, self.model.spec.representation)
        return self.dataset


def data_folder(name: str, folder: str | None = None) -> Path:
    """Where a prepared data set lies: ``folder``, else ``$MOTION_DATA/<name>``, else ``data/<name>``."""
    if folder is not None:
        return Path(folder).expanduser()
    return Path(os.environ.get("MOTION_DATA", "data")) / name


def open_data(data: DataRecipe) -> PreparedDataset:
    """Open a prepared data set; the packaged sample needs no preparing. Errors: DataError."""
    if data.name == "sample" and data.folder is None:
        from motion_platform.data.sources import sample

        return PreparedDataset.open(sample.folder())
    if data.folder is not None and is_address(data.folder):
        return PreparedDataset.open(data.folder)
    path = data_folder(data.name, data.folder)
    settle_folder(path)
    if not path.is_dir():
        raise DataError(
            f"{path}: no prepared data set {data.name} there; run: motion data prepare {data.name} --source DIR "
            f"--out {path} (or set data.folder, or MOTION_DATA)"
        )
    return PreparedDataset.open(path)


RECIPE, RESUME = "recipe.yaml", Path("resume") / "state.pt"


def find_device(name: str) -> str:
    """A torch device that is there, "auto" the best one; UsageError otherwise."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        if torch.empty(1, device=name).is_meta:
            raise ValueError("computes nothing")
    except Exception as error:  # torch raises several classes for a device that is not there
        raise UsageError(f"--device: {name!r} is not on this machine; use cpu or auto") from error
    return name


def load_run(name: str | Path, *, device: str = "cpu") -> Run:
    """A trained model by shipped name, folder or hub name, with its task. Errors: see MotionModel.from_pretrained."""
    model = MotionModel.from_pretrained(name, device=device)
    folder = weight_files.find_checkpoint(name)
    path = folder / RECIPE
    recipe = config.check(Recipe, config.read_yaml(path), path) if path.is_file() else None
    data = recipe.data if recipe else None
    return Run(model, tasks.of_model(model.card, folder / CARD), recipe.seed if recipe else 0, data, folder=folder)


def spec_of(name: str | Path) -> dict[str, Any] | None:
    """What a trained model says of its motion, without its weights; None for one that is not here or cannot be read."""
    try:
        return read_card(weight_files.find_checkpoint(name)).spec
    except MotionPlatformError:
        return None


def why_not(model: MotionModel, task: Task) -> str | None:
    """Why a model cannot do a task that it was not trained for; None when it can."""
    who, trainable = f"{model.card.name} ({model.card.model.name})", model.trainable
    if task.writes not in ("motion", "captions", "lengths"):
        return f"{who} was trained for {model.card.task}, not {task.task}"
    if task.writes == "captions":
        return None if trainable.has_words() else f"{who} makes no words of motion"
    if not isinstance(trainable, Generator):
        return f"{who} does not generate motion"
    if task.keep is not None and not trainable.edits:
        return f"{who} makes whole motions and cannot keep the part of one that {task.task} gives"
    for slot in task.required():
        if task.reads[slot] != "motion" and slot not in model.card.slots:
            return f"{who} was trained for {model.card.task} and has no condition {slot!r}, which {task.task} needs"
    if task.writes == "lengths" and type(trainable).natural_lengths is Generator.natural_lengths:
        return f"{who} does not know how long a motion lasts"
    return None
