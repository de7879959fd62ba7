"""Is what a caption claims true? Against the sentences that people wrote, of clips that nobody has labelled."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState
from motion_platform.metrics.caption import checked_captions
from motion_platform.metrics.verb_accuracy import actions_in


class Claims(Metric):
    """Of the clips without labels, the parts whose caption names actions that people name, too, or does not.

    ``claims_right``: it names an action, and every action that it names is in one of the clip's captions.
    ``claims_false``: it names one that is in none of them. ``claims_none``: it names no action, which is right to do
    with what one does not know. The three add up to 1. Words: ``action_verbs.yaml``, as for ``verb_accuracy``, so an
    action that is not in that list (climb, jump) can only be left unnamed. Labelled clips are not asked. The metric is
    ours.
    """

    name = "claims"
    unit = "ratio"
    higher_is_better = None
    needs = None
    judges = "caption"

    def state(
        self, prediction: Motion | Sequence[str] | Tensor, batch: Batch, embeddings: Embeddings | None = None
    ) -> RatioState:
        """Errors: DataError for another number of captions than of ids."""
        captions = checked_captions(prediction, batch, self.name)
        rows: dict[str, dict[str, tuple[float, float]]] = {}
        for b, (sample, caption) in enumerate(zip(batch.ids, captions, strict=True)):
            people = batch.captions[b] if batch.captions else []
            asked = float(bool(people) and not (batch.labels and batch.labels[b]))
            named, true = actions_in(caption), {action for text in people for action in actions_in(text)}
            what = "none" if not named else "right" if named <= true else "false"
            rows[sample] = {f"{self.name}_{kind}": (float(kind == what) * asked, asked) for kind in KINDS}
        return RatioState(rows)

    def about(self, value: str) -> tuple[str, bool | None]:
        return self.unit, {"claims_right": True, "claims_false": False}.get(value)


KINDS = ("right", "false", "none")
