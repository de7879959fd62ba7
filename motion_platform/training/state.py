"""A run on disk: the model folder, the recipe beside it, and ``resume/`` (everything to go on, disposable)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from motion_platform.core import config
from motion_platform.core.config import Recipe
from motion_platform.core.errors import OutputError, UsageError, WeightsError
from motion_platform.core.files import atomic_files, settle
from motion_platform.model.motion_model import CARD, MotionModel
from motion_platform.model.run import RECIPE, RESUME

RESUME_FORMAT = 1
FREE_TO_CHANGE = {
    "output", "validation", "train.steps", "train.epochs", "train.log_every", "train.log_with", "train.save_every",
    "train.prefetch",
}  # fmt: skip
"""Keys of a recipe that may differ when a run is resumed; all others would make it another run."""


def save(
    model: MotionModel,
    folder: Path,
    recipe: Recipe,
    header: str,
    *,
    step: int,
    state: dict[str, Any] | None = None,
) -> None:
    """Write the model folder, its recipe (``header``: comment lines in front), and ``state``, what a run goes on from.

    They are one thing: whatever moment the machine dies, the folder holds all of them, or what was there. The weights
    are the averaged ones of the state, those of the model without one. Errors: OutputError; WeightsError for a weight
    that is NaN.
    """
    tensors = None
    if state is not None:
        tensors = {**state["model"]}
        for name, average in state["ema"]["shadow"].items():
            tensors[name] = average.to(tensors[name].dtype)
    with atomic_files(folder / CARD) as partial:
        if state is not None:
            _write_state(partial / RESUME, recipe, state)
        model.write_into(partial, dtype=recipe.train.weights_dtype, step=step, tensors=tensors)
        (partial / RECIPE).write_text(header + config.to_yaml(recipe), encoding="utf-8")


def _write_state(path: Path, recipe: Recipe, state: dict[str, Any]) -> None:
    path.parent.mkdir()
    try:
        torch.save({"format": RESUME_FORMAT, "recipe": recipe.model_dump(), **state}, path)
    except RuntimeError as error:  # what torch raises where the disk is full
        raise OutputError(f"{path.name}: could not be written: {str(error).splitlines()[0][:200]}") from error


def load_state(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Read ``resume/state.pt`` and make sure that it belongs to this recipe. Errors: UsageError, WeightsError."""
    settle(folder / CARD)
    path = folder / RESUME
    if not path.is_file():
        raise UsageError(f"{path}: there is nothing to resume; start without --resume, or set output=FOLDER")
    state = read_state(path)
    before, now = flat(state["recipe"]), flat(recipe.model_dump())
    for key in sorted(before.keys() | now.keys()):
        free = key in FREE_TO_CHANGE or key.split(".")[0] in FREE_TO_CHANGE
        if not free and before.get(key) != now.get(key):
            raise UsageError(
                f"{path}: {key} was {before.get(key)!r} and is now {now.get(key)!r}; a resumed run keeps its recipe "
                f"(only {', '.join(sorted(FREE_TO_CHANGE))} may change)"
            )
    return state


def read_state(path: Path) -> dict[str, Any]:
    """What is in a ``state.pt``; nothing in it is run. WeightsError for what is none, or damaged."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # truncated, or not a torch file: torch raises many classes
        raise WeightsError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(state, dict) or state.get("format") != RESUME_FORMAT or not isinstance(state.get("recipe"), dict):
        raise WeightsError(f"{path}: was written by another version; start again without --resume")
    return state


def header_of(path: Path) -> str:
    """The comment lines at the top of a recipe file."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith("#"):
            break
        lines.append(line)
    return "".join(lines)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values as ``a.b: value`` pairs; lists as YAML."""
    pairs: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            pairs |= flat(value, f"{prefix}{key}.")
        else:
            pairs[f"{prefix}{key}"] = yaml.safe_dump(value) if isinstance(value, (dict, list)) else value
    return pairs
