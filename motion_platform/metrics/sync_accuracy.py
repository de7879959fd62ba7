"""Can a music-motion space tell which motion belongs to which music?"""

from __future__ import annotations

import math

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch


class SyncAccuracy(Metric):
    """Part of the moments at which a music-motion space is right about who belongs to whom (chance 1/2).

    Liu, Chen et al. 2022 (https://doi.org/10.1007/s11390-022-2030-z, section 5; ``M2SNet_eval.py``). Values:
    ``sync_accuracy_easy`` (negatives from another piece), ``_hard`` (the same piece, 10 s or more away),
    ``_super_hard`` (shifted by 0.5 to 5 s): a frame of a true pair counts when its probability is above 1/2, one of a
    negative when it is below. ``sync_accuracy_<kind>_pairs``: part of the pairs of clips in which the true ones are
    surer than the negatives, which needs no threshold. Ratios, higher is better. Real motion says how good the space
    is; generated motion, given to a good space, how well it follows its music. Clips too short for a kind say nothing.
    """

    name = "sync_accuracy"
    unit = "ratio"
    higher_is_better = True
    needs = "sync"

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError without a space that listens, without music, or for a NaN in the prediction."""
        check_batch(prediction, batch, self.name)
        if embeddings is None or embeddings.sync is None:
            raise DataError(
                f"{self.name}: nobody listened; it needs a space of music and motion, and music to each clip"
            )
        rows: dict[str, dict[str, tuple[float, float]]] = {sample: {} for sample in batch.ids}
        for kind, scores in embeddings.sync.items():
            for sample, (frames, pairs) in zip(batch.ids, scores.tolist(), strict=True):
                if not math.isnan(frames):
                    rows[sample][f"{self.name}_{kind}"] = (frames, 1.0)
                    rows[sample][f"{self.name}_{kind}_pairs"] = (pairs, 1.0)
        return RatioState(rows)
