"""Low-level text in the place of the data's: made by a planner from the caption, or one text with the caption."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motion_platform.core import registry
from motion_platform.core.config import Component
from motion_platform.core.errors import UsageError
from motion_platform.core.plan import Planner
from motion_platform.core.tasks import Task
from motion_platform.texts.joined import joined_text


@dataclass
class LowText:
    """high, low: the slots of a task that read the caption and the action sequence. planner: makes the action
    sequence of the caption (None: the data's own). joined: one text of both, in the slot ``high`` (figure 1 of
    Ribeiro-Gomes et al. 2024, "w. concat."). identity: in plain values, what decides the texts.
    """

    high: str
    low: str
    planner: Planner | None = None
    joined: bool = False
    identity: str = ""

    def __post_init__(self) -> None:
        self._planned: dict[str, str] = {}

    def reads(self, given: Sequence[str]) -> tuple[str, ...]:
        """The slots that are read of the data, to fill the slots ``given`` of a model."""
        needed = [self.high, *([] if self.planner else [self.low])]
        return tuple(dict.fromkeys([*(slot for slot in given if slot != self.low or not self.planner), *needed]))

    def fill(self, raw: Mapping[str, Sequence[Any]], given: Sequence[str]) -> dict[str, list[Any]]:
        """slot -> B inputs as a model gets them, from what was read of the data."""
        high = [str(text or "") for text in raw[self.high]]
        low = self._plan(high) if self.planner else [str(text or "") for text in raw[self.low]]
        made: dict[str, list[Any]] = {slot: list(raw[slot]) for slot in given if slot in raw}
        made[self.low] = low
        if self.joined:
            made[self.high] = [joined_text(*pair) for pair in zip(high, low, strict=True)]
        return {slot: made[slot] for slot in given}

    def _plan(self, captions: Sequence[str]) -> list[str]:
        new = sorted({caption for caption in captions if caption.strip()} - self._planned.keys())
        for caption, plan in zip(new, self.planner.plan(new) if self.planner and new else (), strict=True):
            self._planned[caption] = plan.low_text()
        return [self._planned.get(caption, "") for caption in captions]


def low_text_of(task: Task, planner: Component | None, joined: bool, where: str) -> LowText | None:
    """What a row of a benchmark says of its low-level text; None where that is nothing.

    Errors: UsageError for a task that does not read two texts; those of building the planner.
    """
    if planner is None and not joined:
        return None
    texts = task.texts()
    if len(texts) < 2:
        raise UsageError(f"{where}: planner and joined are for a task that reads two texts; {task.task} reads one")
    made = registry.build("planners", planner.name, planner.settings, where=where) if planner else None
    identity = json.dumps([planner.model_dump() if planner else None, joined], sort_keys=True)
    return LowText(texts[0], texts[1], made, joined, identity)
