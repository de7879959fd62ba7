"""Does a recogniser trained on real motion see in a generated motion what was asked for?

The action-recognition accuracy of Guo et al. 2020 (Action2Motion, arXiv:2007.15240, section 5.2), for any labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch


class Recognition(Metric):
    """Part of the samples in which the recogniser sees the label asked for: one value a target, and one for all.

    Values: ``recognition_<target>`` for each target of the recogniser, ``recognition_all`` (every known target right).
    A sample without a label for a target says nothing about that target. each: targets of which every label also has a
    value of its own, ``recognition_<target>_<label>``: the part of the samples of that label in which it is seen.
    """

    name = "recognition"
    unit = "ratio"
    higher_is_better = True
    needs = "labels"

    def __init__(self, each: Sequence[str] = ()) -> None:
        self.each = tuple(each)

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError without labels, without a recogniser, or for a NaN in the prediction."""
        check_batch(prediction, batch, self.name)
        if embeddings is None or embeddings.labels is None:
            raise DataError(f"{self.name}: nobody said what the motions show; it needs a recogniser as its space")
        if batch.labels is None:
            raise DataError(f"{self.name}: the batch has no labels; this metric needs a data set with labels")
        rows: dict[str, dict[str, tuple[float, float]]] = {}
        for sample, answers, labels in zip(batch.ids, embeddings.labels, batch.labels, strict=True):
            right = {t: float(answers[t] == labels[t]) for t in answers if labels and t in labels}
            rows[sample] = {f"{self.name}_{target}": (value, 1.0) for target, value in right.items()}
            one = {f"{self.name}_{t}_{labels[t]}": (right[t], 1.0) for t in self.each if t in right}
            rows[sample] |= one
            if right:
                rows[sample][f"{self.name}_all"] = (min(right.values()), 1.0)
        return RatioState(rows)
