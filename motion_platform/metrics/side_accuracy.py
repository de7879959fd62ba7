"""Does a caption name the right side? Of a caption that is always "turns right", its verb tells nothing of that."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState
from motion_platform.metrics.caption import labelled_captions
from motion_platform.texts.sides import named_sides

SIDED = re.compile(r"left|right|both")
PLURAL = re.compile(r"\b(?:hands|arms|palms)\b", re.IGNORECASE)


class SideAccuracy(Metric):
    """Part of the captions that name the sides of the clip's ``content`` label and no other; higher is better.

    ``walk-turn-left`` wants the left alone, ``wave-both-hands`` both hands ("both", "two hands", left and right, or
    hands and arms in the plural without a side). ``side_accuracy_none``: of the clips whose label names no side and
    that go straight (walk, run), the part of captions that names none either. It is not in ``side_accuracy``, so that
    a caption without any side scores 0 there. Labels of other contents without a side (a bow, a dance) are not asked: a
    hand may be named in them. The metric is ours.
    """

    name = "side_accuracy"
    unit = "ratio"
    higher_is_better = True
    needs = None
    judges = "caption"

    def __init__(self, target: str = "content", straight: Sequence[str] = ("walk", "run", "dash")) -> None:
        self.target, self.straight = target, tuple(straight)

    def state(
        self, prediction: Motion | Sequence[str] | Tensor, batch: Batch, embeddings: Embeddings | None = None
    ) -> RatioState:
        """Errors: DataError without labels, or for another number of captions than of ids."""
        rows: dict[str, dict[str, tuple[float, float]]] = {}
        for sample, caption, labels in labelled_captions(prediction, batch, self.name):
            content = labels.get(self.target, "")
            wanted = SIDED.search(content)
            needed = named_sides(content.replace("-", " ")) if wanted else set()
            named = named_sides(caption)
            right = float(named == needed or (len(needed) == 2 and not named and PLURAL.search(caption) is not None))
            rows[sample] = {self.name: (right if wanted else 0.0, float(wanted is not None))}
            if content in self.straight:
                rows[sample][f"{self.name}_none"] = (right, 1.0)
        return RatioState(rows)
