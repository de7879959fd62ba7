"""What is measured of one motion, without any real motion beside it: what a page shows under it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from motion_platform.core import registry
from motion_platform.core.contracts import Space
from motion_platform.core.errors import MotionPlatformError
from motion_platform.core.schema import Batch, Motion
from motion_platform.model import points
from motion_platform.model.run import Run
from motion_platform.motion.bodies import features_of
from motion_platform.motion.clip import Clip
from motion_platform.pipelines import search


def numbers_of(clip: Clip, text: str | None, run: Run, space: Callable[[str], Run | None]) -> list[dict[str, Any]]:
    """[{name, value, unit, better, about}] of a clip that ``run`` made: the metrics of its task's card that need
    nothing but the motion, the labels that a recogniser of the card sees, and the distance to ``text`` in a space of
    the card that reads text.

    space: name -> the space, loaded; None for one that is not there. better: "higher", "lower" or None. What does not
    fit the motion (feet of a conductor without legs) is left out.
    """
    found: list[dict[str, Any]] = []
    try:
        features = features_of(clip, run.model.spec)
    except MotionPlatformError:  # a skeleton that files are not retargeted to: its card's metrics want a data set
        return found
    motion = Motion(features[None], torch.tensor([len(features)]), run.model.spec)
    batch = Batch([clip.name], {}, motion.lengths, motion, None, None)
    for recipe in run.task.metrics:
        cls: Any = registry.get("metrics", recipe.name)
        if cls.needs is None and cls.judges == "motion" and cls.generations == 1:
            found += _metric(registry.build("metrics", recipe.name, recipe.settings), motion, batch)
    for name in dict.fromkeys(metric.space for metric in run.task.metrics if metric.space):
        judge = space(name)
        if judge is not None:
            found += _seen(judge, name, clip, text)
    return found


def _metric(metric: Any, motion: Motion, batch: Batch) -> list[dict[str, Any]]:
    try:
        values: Mapping[str, float] = metric.state(motion, batch).compute()
    except MotionPlatformError:  # it wants labels or another skeleton
        return []
    if metric.name not in values:
        return []
    unit, higher = metric.about(metric.name)
    better = {True: "higher", False: "lower", None: None}[higher]
    about = (type(metric).__doc__ or "").strip().splitlines()[0].rstrip(".")
    return [{"name": metric.name, "value": values[metric.name], "unit": unit, "better": better, "about": about}]


@torch.no_grad()
def _seen(judge: Run, name: str, clip: Clip, text: str | None) -> list[dict[str, Any]]:
    """What a space says of a clip: labels where it classifies, a distance where it reads text."""
    model = judge.model
    if not isinstance(model.trainable, Space):
        return []
    try:
        motion = search.motion_of(model, clip)
        classify = getattr(model.trainable, "classify", None)
        if callable(classify):
            labels = classify(motion)[0]
            about = f"what the model {name} sees in the motion"
            return [
                {"name": target, "value": label, "unit": "", "better": None, "about": about}
                for target, label in labels.items()
            ]
        if not text:
            return []
        point = torch.from_numpy(points.embed_texts(model, [text], points.text_slot(model)))
        distance = float((model.trainable.embed(motion).float().cpu() - point).norm())
    except MotionPlatformError:  # a space of another skeleton, or that embeds no text
        return []
    about = f"distance of the motion and the sentence in the space {name}"
    return [{"name": "text_distance", "value": distance, "unit": "", "better": "lower", "about": about}]
