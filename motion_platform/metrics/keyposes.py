"""Does a completed motion keep the poses it was given, run smoothly through them, and reach them at all?"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, joint_indices
from motion_platform.metrics.position import paired_joints


class KeyPoses(Metric):
    """Recon, Vel and Dist of the poses that were given (Zhang et al. 2024, MotionGPT of qiqiApink; DynamicPoseNet).

    A pose is one vector of all joint positions; P the frames that were given (``batch.edit``), x what the model itself
    made (``Motion.own``), before the given frames were put back, y the real motion, both in the world, L2 norms, lower
    is better. Mean over the given frames of all clips.

        keyposes_recon, m     |x_t - y_t|                                         t in P
        keyposes_vel, m/s     |(x_t+1 - x_t) - (y_t+1 - y_t)| fps                  t or t + 1 in P
        keyposes_dist, m      min over s of |c(x_s) - c(y_t)|                      t in P, s any frame
        keyposes_join, m/s    keyposes_vel of the motion as it is delivered

    c puts the root on the origin of the floor and turns the hips and shoulders to face Z+: a key pose counts as reached
    wherever and whenever it comes. The papers name the first three (no code was published); positions in metres, and
    the steps into and out of the given frames for Vel, are our reading. As delivered, given frames are exact: only how
    the motion joins them says something. A folder of motions of elsewhere is measured as it is in all four.
    """

    name = "keyposes"
    unit = "m"
    higher_is_better = False
    needs = None

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("m/s" if value.endswith(("_vel", "_join")) else self.unit), self.higher_is_better

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a batch that does not say what was given; see :func:`paired_joints`."""
        delivered = paired_joints(prediction, batch, self.name)
        if batch.edit is None:
            raise DataError(f"{self.name}: no pose was given; this metric is for tasks whose card says what to keep")
        own = delivered
        if prediction.own is not None:
            own = paired_joints(replace(prediction, x=prediction.own, own=None), batch, self.name)
        facing = [joint_indices(prediction, [f"left_{j}", f"right_{j}"]) for j in ("hip", "shoulder")]
        rows, fps = {}, prediction.spec.fps
        for b, (sample, (x, y), (shown, _)) in enumerate(zip(batch.ids, own, delivered, strict=True)):
            given = batch.edit.keep[b, : len(x)].all(1).cpu()
            rows[sample] = {
                f"{self.name}_recon": _sum((x - y).flatten(1).norm(dim=-1)[given]),
                f"{self.name}_vel": _sum(steps(x, y, given) * fps),
                f"{self.name}_dist": _sum(nearest(canonical(x, facing), canonical(y, facing)[given])),
                f"{self.name}_join": _sum(steps(shown, y, given) * fps),
            }
        return RatioState(rows)


def steps(x: Tensor, y: Tensor, given: Tensor) -> Tensor:
    """(K,) differences of the steps (T, J, 3) into, within and out of the given frames (T,)."""
    touched = given[1:] | given[:-1]
    return (torch.diff(x, dim=0) - torch.diff(y, dim=0)).flatten(1).norm(dim=-1)[touched]


def nearest(x: Tensor, poses: Tensor) -> Tensor:
    """(P,) the distance of each pose (P, J, 3) to the nearest frame of x (T, J, 3)."""
    return torch.cdist(poses.flatten(1), x.flatten(1)).min(1).values if len(poses) else x.new_zeros(0)


def canonical(joints: Tensor, facing: list[list[int]]) -> Tensor:
    """(T, J, 3) with every frame's root at the origin of the floor and its left-right pairs ``facing`` across X."""
    across = sum(joints[:, left] - joints[:, right] for left, right in facing)
    angle = torch.atan2(-across[:, 2], across[:, 0])
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    x, y, z = (joints - joints[:, :1] * joints.new_tensor([1, 0, 1])).unbind(-1)
    return torch.stack([x * cos - z * sin, y, x * sin + z * cos], -1)


def _sum(values: Tensor) -> tuple[float, float]:
    return float(values.sum()), float(len(values))
