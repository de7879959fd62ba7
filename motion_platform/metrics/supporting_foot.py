"""Does the foot that carries the body stand still?"""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joint_indices, joints_of


class SupportingFoot(Metric):
    """Horizontal speed of the supporting foot in cm/s, apart for bodies that walk and that stand.

    Of the feet (the joints ``left_foot`` and ``right_foot``) lower than ``height`` metres before and after a step
    between two frames, the slower one carries. Values: ``supporting_foot``: where the pelvis, over half a second, moves
    faster than 0.3 and slower than 2 m/s (headline); ``supporting_foot_standing``: where it moves slower than 0.1 m/s;
    ``supporting_foot_carried``: part of all frames in which a foot is low (a body that floats has none: read the
    three together). Means over frames; a value for which there is no frame is left out.

    Unlike ``foot_skating`` it has no speed below which sliding is not seen: feet that swim by 3 cm/s under a standing
    body are plain to see. Ours.
    """

    name = "supporting_foot"
    unit = "cm/s"
    higher_is_better = False
    needs = None

    def __init__(self, height: float = 0.08) -> None:
        self.height = height

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("ratio", None) if value.endswith("_carried") else (self.unit, self.higher_is_better)

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN in the prediction; for a skeleton without feet or pelvis."""
        check_batch(prediction, batch, self.name)
        feet = joint_indices(prediction, ["left_foot", "right_foot"])
        (pelvis,) = joint_indices(prediction, ["pelvis"])
        fps = prediction.spec.fps
        rows = {}
        for sample, joints in zip(batch.ids, joints_of(prediction), strict=True):
            foot = joints[:, feet]
            low = torch.maximum(foot[:-1, :, 1], foot[1:, :, 1]) < self.height  # (T-1, 2)
            speed = 100 * fps * torch.diff(foot[..., [0, 2]], dim=0).norm(dim=-1)
            slower = torch.where(low, speed, torch.inf).amin(1)
            carried = low.any(1)
            way = _speed(joints[:, pelvis], fps)
            walks, stands = carried & (way > 0.3) & (way < 2), carried & (way < 0.1)
            rows[sample] = {
                self.name: (float(slower[walks].sum()), float(walks.sum())),
                f"{self.name}_standing": (float(slower[stands].sum()), float(stands.sum())),
                f"{self.name}_carried": (float(carried.sum()), float(len(carried))),
            }
        return RatioState(rows)


def _speed(pelvis: Tensor, fps: float) -> Tensor:
    """(T, 3) -> (T-1,) m/s on the floor, over the half second around."""
    reach = max(1, round(fps / 4))
    t = torch.arange(len(pelvis) - 1)
    first, last = (t - reach + 1).clamp(min=0), (t + reach).clamp(max=len(pelvis) - 1)
    return (pelvis[last] - pelvis[first])[:, [0, 2]].norm(dim=-1) / (last - first) * fps
