"""From a recipe to a :class:`Run`: the data set, the statistics, the encoders, the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform import __version__
from motion_platform.core import cards, config, registry, tasks, weight_files
from motion_platform.core.config import ModelFile, Recipe
from motion_platform.core.errors import ConfigError, suggest
from motion_platform.core.licences import combined, licence_of, trained_from
from motion_platform.core.seeding import seed_everything, seed_of
from motion_platform.core.settings import settings_of
from motion_platform.data.encoded import encoded_as
from motion_platform.data.prepared import PreparedDataset
from motion_platform.model import motion_model as model
from motion_platform.model.run import Run, open_data


def output_folder(recipe: Recipe, name: str) -> Path:
    """``output`` of the recipe, else ``runs/<name of the recipe>``."""
    return Path(recipe.output).expanduser() if recipe.output else Path("runs") / name.replace("/", "_")


def assemble(recipe: Recipe, *, name: str = "recipe") -> Run:
    """Build the untrained model of a recipe, its first weights drawn from the recipe's seed. Errors: one line."""
    place = cards.find("tasks", recipe.task)
    task = tasks.read(place)
    for slot in recipe.slots:
        if slot not in task.reads:
            raise ConfigError(f"{name}: slots.{slot}: task {task.task} has no such slot; {suggest(slot, task.reads)}")
    conditioned = recipe.model.kind == "generators"
    itself = task.keep is not None or task.writes == "captions"  # the motion comes as it is, not through an encoder
    for slot in task.required() if conditioned else ():
        if slot not in recipe.slots and not (itself and task.reads[slot] == "motion"):
            raise ConfigError(f"{name}: slots: task {task.task} needs slot {slot!r}; give it an encoder")
    dataset = encoded_as(open_data(recipe.data), recipe.representation)
    spec = dataset.spec(recipe.representation)
    settings = {**recipe.model.settings, **_from_data(recipe, dataset)}
    card = ModelFile(
        format=model.FORMAT,
        name=output_folder(recipe, name).name,
        task=task.task,
        task_card=None if cards.name_of("tasks", place) else task.model_dump(),
        motion_platform=__version__,
        model=recipe.model.model_copy(update={"settings": settings}),
        slots=recipe.slots,
        spec=spec.to_dict(),
        data={
            "name": recipe.data.name,
            "licence": dataset.meta.get("licence", ""),
            "language": dataset.meta.get("language", "en"),
        },
    )
    seed_everything(seed_of(recipe.seed, "first weights"))
    built = model.build(card, spec, where=name)
    for slot, encoder in built.conditioning.encoders.items():
        if encoder.reads != task.reads[slot]:
            raise ConfigError(
                f"{name}: slots.{slot}: encoder {recipe.slots[slot].encoder} reads {encoder.reads}, but task "
                f"{task.task} gives {task.reads[slot]} there"
            )
    return Run(built, task, recipe.seed, recipe.data, dataset)


def load_recipe(name: str, overrides: list[str] = []) -> tuple[Recipe, str]:
    """A recipe by name or path, with overrides, and the name to call it by. Errors: ConfigError, UnknownName."""
    path = cards.find("configs", name)
    recipe = config.load_recipe(path, overrides)
    return recipe, cards.name_of("configs", path) or path.stem


def start_from(built: Run, name: str) -> tuple[int, list[str]]:
    """Put the weights of another model into ``built`` where names and shapes agree: (how many tensors, those that are
    still new).

    What reads an encoder is taken only if the encoder is the same, or if the tokens of the other one are the first
    columns of its tokens (``Encoder.begins_with``): the others then count nothing until they are trained. The
    statistics stay those of the recipe's data. The other model's name, sha256 and data go into the card, with its
    licence.
    Errors: those of a checkpoint; ConfigError for another representation, skeleton or frame rate, or nothing to take.
    """
    folder = weight_files.find_checkpoint(name)
    card = model.read_card(folder)
    new = built.model.card
    for key in ("representation", "skeleton", "fps"):
        if card.spec[key] != new.spec[key]:
            raise ConfigError(
                f"initial: {name} has {key} {card.spec[key]!r}, this recipe {new.spec[key]!r}; they must be the same"
            )
    for what, own in built.model.trainable.fingerprints().items():
        if card.fingerprints.get(what, own) != own:
            raise ConfigError(f"initial: {name} was trained with another {what}; give the one it was trained with")
    conditioning, found = built.model.conditioning, model.read_weights(folder, card)
    other = set()
    for slot, own in conditioning.fingerprints.items():
        before = card.fingerprints.get(slot, own)
        if before != own:
            other.add(slot)
        if before == conditioning.encoders[slot].begins_with():
            other.discard(slot)
            widen(found, f"conditioning.projections.{slot}.weight", conditioning.encoders[slot].dim)
    unread = tuple(f"conditioning.projections.{slot}." for slot in other)
    fresh, taken = [], 0
    with torch.no_grad():
        for key, tensor in built.model.own_state().items():
            if key not in found or found[key].shape != tensor.shape or key.startswith(unread):
                fresh.append(key)
                continue
            tensor.copy_(found[key])
            taken += 1
    if not taken:
        raise ConfigError(f"initial: {name} ({card.model.name}) has no tensor of the name and shape of this model's")
    # The whole line of models stands in the card; the licence that comes of it first (core/licences.py).
    whole = combined([licence_of(new.data), licence_of(card.data)])
    line = trained_from(card.name, str(card.weights.get("sha256")), card.data)
    built.model.card = new.model_copy(update={"data": {**new.data, "licence": whole, "trained_from": line}})
    return taken, fresh


def widen(weights: dict[str, Tensor], key: str, columns: int) -> None:
    """Give a matrix (rows, C) of ``weights``, if it is there, zero columns up to ``columns``."""
    if key in weights:
        weights[key] = F.pad(weights[key], (0, columns - weights[key].shape[1]))


def _from_data(recipe: Recipe, dataset: PreparedDataset) -> dict[str, Any]:
    """``targets`` (target -> its labels) read off the training split, for a model that wants them and has none."""
    cls = registry.get(recipe.model.kind, recipe.model.name)
    if "targets" not in settings_of(cls) or "targets" in recipe.model.settings:
        return {}
    found: dict[str, set[str]] = {}
    for i in dataset.indices(recipe.data.split):
        for target, label in dataset.labels(i).items():
            found.setdefault(target, set()).add(label)
    targets = {target: sorted(labels) for target, labels in sorted(found.items()) if len(labels) > 1}
    if not targets:
        raise ConfigError(f"{recipe.model.name}: data set {recipe.data.name} has no labels to learn; set targets")
    return {"targets": targets}
