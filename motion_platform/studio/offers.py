"""What can be asked for: the task cards that have a model here, with their slots, labels and models; without torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from motion_platform.core import cards, tasks, weight_files
from motion_platform.core.checkpoint_files import read_card
from motion_platform.core.config import ModelFile
from motion_platform.core.errors import MotionPlatformError, UnknownName
from motion_platform.core.licences import licence_of
from motion_platform.core.plan import LANES
from motion_platform.core.tasks import Task
from motion_platform.pipelines import inventory
from motion_platform.studio.formats import offered

WRITES = ("motion", "captions", "lengths")
"""What a page can show."""


def spaces_of(task: Task) -> list[str]:
    """The names of the spaces that a task's card measures in, each once, in the order of the card."""
    return list(dict.fromkeys(metric.space for metric in task.metrics if metric.space))


class Offers:
    """The tasks and models of this machine, read once. extra: names of further checkpoint folders or hub models."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        names = [*(row[0] for row in inventory.models()), *extra]
        self.models: dict[str, ModelFile] = {}
        for name in dict.fromkeys(names):
            try:
                self.models[name] = read_card(weight_files.find_checkpoint(name))
            except MotionPlatformError:  # one broken folder in ./runs must not hide the others
                if name in extra:
                    raise
        self.tasks: dict[str, Task] = {}
        for name in cards.names("tasks"):
            card = tasks.load(name)
            if card.writes in WRITES and self.for_task(card):
                self.tasks[card.task] = card

    def for_task(self, task: Task) -> list[str]:
        """The models that may do a task, its default first: those trained for it; of a task that makes motion, all
        generators of the default model's representation that have the slots which must be filled; of one that writes
        captions, those that stand on a language model, too."""
        default = self.models.get(task.default_model or "")
        found = [task.default_model] if default is not None else []
        needed = [slot for slot in task.required() if task.reads[slot] != "motion"]
        for name, card in self.models.items():
            fits = card.task == task.task
            if task.writes == "motion" and card.model.kind == "generators" and default is not None:
                alike = card.spec.get("representation") == default.spec.get("representation")
                fits = fits or (alike and all(slot in card.slots for slot in needed))
            if task.writes == "captions":
                fits = fits or "language model" in card.fingerprints
            if fits and card.model.kind == "generators" and name not in found:
                found.append(name)
        return found

    def check(self, task: str, models: Iterable[str | None]) -> list[str]:
        """The names of the models that a call means. UnknownName for a task or model that is not offered here."""
        if task not in self.tasks:
            raise UnknownName("task", task, self.tasks)
        chosen = [name or self.for_task(self.tasks[task])[0] for name in models]
        for name in chosen:
            if name not in self.models:
                raise UnknownName("model", name, self.models)
        return chosen

    def weights(self, name: str) -> str:
        """The sha256 of a model's weights."""
        return str(self.models[name].weights.get("sha256"))

    def licence(self, name: str) -> str:
        """The licence of what a model makes: those of all that it learned from."""
        return licence_of(self.models[name].data)

    def as_data(self) -> dict[str, Any]:
        """All of it as plain values, for the page and for ``GET /api/tasks``."""
        return {
            "lanes": list(LANES),
            "formats": offered(),
            "tasks": [self._task(card) for card in self.tasks.values()],
            "models": {
                name: {
                    "task": card.task,
                    "kind": card.model.name,
                    "weights": self.weights(name),
                    "licence": self.licence(name),
                    "fps": card.spec.get("fps"),
                    "slots": list(card.slots),
                    "labels": {
                        slot: list(recipe.settings["labels"])
                        for slot, recipe in card.slots.items()
                        if isinstance(recipe.settings.get("labels"), (list, tuple))
                    },
                }
                for name, card in self.models.items()
                if card.model.kind == "generators"
            },
        }

    def _task(self, card: Task) -> dict[str, Any]:
        return {
            "task": card.task,
            "title": card.title,
            "reads": card.reads,
            "texts": card.texts(),
            "required": card.required(),
            "writes": card.writes,
            "completes": card.keep is not None,
            "models": self.for_task(card),
        }
