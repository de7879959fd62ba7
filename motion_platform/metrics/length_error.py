"""How far is the length that a model expects from the real one?"""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch
from motion_platform.metrics.base import RatioState


class LengthError(Metric):
    """Mean of |predicted - real| length, in seconds, and ``length_error_relative``, of |predicted - real| / real.

    The length task of MotionGPT (Jiang et al. 2023, arXiv:2306.14795, section 3.3: "text-to-length"); lower is
    better. Real lengths are those of the clips as they are measured, cut to the protocol's ``max_frames``.
    """

    name = "length_error"
    unit = "s"
    higher_is_better = False
    needs = None
    judges = "length"

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("ratio" if value.endswith("_relative") else self.unit), self.higher_is_better

    def state(self, prediction: Tensor, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """prediction: (B,) frames. Errors: DataError for another number of lengths than of ids, a double id, a NaN."""
        if len(prediction) != len(batch.ids):
            raise DataError(f"{self.name}: {len(prediction)} lengths but {len(batch.ids)} sample ids")
        if len(set(batch.ids)) != len(batch.ids):
            twice = sorted(i for i in set(batch.ids) if batch.ids.count(i) > 1)
            raise DataError(f"{self.name}: samples counted twice: {', '.join(twice[:3])}")
        if batch.motion is None:
            raise DataError(f"{self.name}: the batch has no motion, so that its frame rate is not known")
        real = batch.lengths.cpu().double()
        error = (torch.as_tensor(prediction).cpu().double() - real).abs()
        seconds, relative = error / batch.motion.spec.fps, error / real
        return RatioState(
            {
                sample: {self.name: (float(s), 1.0), f"{self.name}_relative": (float(r), 1.0)}
                for sample, s, r in zip(batch.ids, seconds, relative, strict=True)
            }
        )
