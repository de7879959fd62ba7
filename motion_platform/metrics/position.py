"""How far are the joints of a prediction from those of the real motion of the same clip? All on decoded joints."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joints_of
from motion_platform.motion.representations.conductor import FRAME
from motion_platform.motion.skeleton import get_skeleton


def paired_joints(prediction: Motion, batch: Batch, where: str) -> list[tuple[Tensor, Tensor]]:
    """B pairs (T_b, J, 3) of predicted and real joints, metres, float64.

    Errors: DataError for a batch without real motion, other lengths, another skeleton or frame rate, or a NaN.
    """
    check_batch(prediction, batch, where)
    truth = batch.motion
    if truth is None:
        raise DataError(f"{where}: the batch has no real motion to compare with")
    mine, theirs = ((m.spec.skeleton, f"{m.spec.fps:g} fps") for m in (prediction, truth))
    if mine != theirs:
        raise DataError(f"{where}: the prediction is {' at '.join(mine)}, the real motion {' at '.join(theirs)}")
    if (differ := (prediction.lengths.cpu() != truth.lengths.cpu()).nonzero()).numel():
        b = int(differ[0])
        raise DataError(
            f"{where}: {batch.ids[b]!r} has {int(prediction.lengths[b])} predicted frames and "
            f"{int(truth.lengths[b])} real ones; they must be equal"
        )
    check_batch(truth, batch, where, what="real motion")
    return list(zip(joints_of(prediction), joints_of(truth), strict=True))


def aligned(x: Tensor, y: Tensor) -> Tensor:
    """(T, J, 3) x after the similarity (scale, turn, shift) that brings each frame nearest to y in the mean square.

    Orthogonal Procrustes without mirroring (Umeyama 1991, equations 39 to 43). A frame whose joints are all in one
    place has no scale and is put on the centre of y.
    """
    centre_x, centre_y = x.mean(-2, keepdim=True), y.mean(-2, keepdim=True)
    x, y = x - centre_x, y - centre_y
    u, s, vh = torch.linalg.svd(y.transpose(-1, -2) @ x)
    sign = torch.ones_like(s)
    sign[..., -1] = torch.linalg.det(u @ vh).sign()
    spread = x.square().sum((-1, -2))
    scale = torch.where(spread > 0, (s * sign).sum(-1) / spread.clamp(min=torch.finfo(x.dtype).tiny), 0.0)
    turn = (u * sign[..., None, :]) @ vh
    return scale[..., None, None] * x @ turn.transpose(-1, -2) + centre_y


class _Paired(Metric):
    """An error measured frame by frame between a prediction and the real motion; mean over all frames of all clips."""

    higher_is_better = False
    needs = None

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: see :func:`paired_joints`."""
        names = get_skeleton(prediction.spec.skeleton).joints
        rows: dict[str, dict[str, tuple[float, float]]] = {}
        for sample, (x, y) in zip(batch.ids, paired_joints(prediction, batch, self.name), strict=True):
            values = self.measure(x, y, prediction.spec.fps, names)
            rows[sample] = {name: (float(frames.sum()), float(len(frames))) for name, frames in values.items()}
        return RatioState(rows)

    @abstractmethod
    def measure(self, x: Tensor, y: Tensor, fps: float, names: tuple[str, ...]) -> dict[str, Tensor]:
        """(T, J, 3) predicted and real joints in metres -> {name: one value a measured frame}."""


class MSE(_Paired):
    """Mean square error of joint coordinates: sum_t,j,c (x - y)^2 / (T J 3), in m^2; lower is better.

    In the world, root included. ``mse_frame``, for bodies in the image plane alone: over x and y in the unit of
    VirtualConductor and Diffusion-Conductor, squared widths of the frame, as their tables print it. A frame is 1.8 m
    and the plane has no depth, so ``mse`` is 1.8^2 x 2/3 = 2.16 times that.
    """

    name = "mse"
    unit = "m^2"

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("squared frames" if value.endswith("_frame") else self.unit), self.higher_is_better

    def measure(self, x: Tensor, y: Tensor, fps: float, names: tuple[str, ...]) -> dict[str, Tensor]:
        values = {self.name: (x - y).square().mean((1, 2))}
        if tuple(names) == get_skeleton("coco_upper").joints:
            values[f"{self.name}_frame"] = (x - y)[..., :2].square().mean((1, 2)) / FRAME**2
        return values


class MPJPE(_Paired):
    """Mean distance of joints, in mm, with the root of every frame put on the real root; lower is better.

    Ionescu et al. 2014 (Human3.6M). ``mpjpe_global``: the same in the world, without moving anything.
    """

    name = "mpjpe"
    unit = "mm"

    def measure(self, x: Tensor, y: Tensor, fps: float, names: tuple[str, ...]) -> dict[str, Tensor]:
        relative = (x - x[:, :1]) - (y - y[:, :1])
        return {
            self.name: 1000 * relative.norm(dim=-1).mean(1),
            f"{self.name}_global": 1000 * (x - y).norm(dim=-1).mean(1),
        }


class PAMPJPE(_Paired):
    """Mean distance of joints, in mm, after the best similarity (scale, turn, shift) of every frame; lower is better.

    Kanazawa et al. 2018 (HMR, arXiv:1712.06584, "reconstruction error"); see :func:`aligned`.
    """

    name = "pa_mpjpe"
    unit = "mm"

    def measure(self, x: Tensor, y: Tensor, fps: float, names: tuple[str, ...]) -> dict[str, Tensor]:
        return {self.name: 1000 * (aligned(x, y) - y).norm(dim=-1).mean(1)}


class RootError(_Paired):
    """Mean distance of the root joint in the world, in mm; lower is better. ``root_error_horizontal``: on the floor.

    The root part of the average position error of Ghosh et al. 2021 (arXiv:2103.14675).
    """

    name = "root_error"
    unit = "mm"

    def measure(self, x: Tensor, y: Tensor, fps: float, names: tuple[str, ...]) -> dict[str, Tensor]:
        difference = 1000 * (x[:, 0] - y[:, 0])
        return {self.name: difference.norm(dim=-1), f"{self.name}_horizontal": difference[:, [0, 2]].norm(dim=-1)}


class JointErrors(_Paired):
    """``joint_error_<joint>`` for every joint but the root: its part of ``mpjpe``, in mm; lower is better.

    Distance to the real joint with the roots put together. The mean over all joints, root included (0), is mpjpe.
    """

    name = "joint_error"
    unit = "mm"

    def measure(self, x: Tensor, y: Tensor, fps: float, names: tuple[str, ...]) -> dict[str, Tensor]:
        distance = 1000 * ((x - x[:, :1]) - (y - y[:, :1])).norm(dim=-1)
        return {f"{self.name}_{names[j]}": distance[:, j] for j in range(1, len(names))}


class AccelerationError(_Paired):
    """Mean length of the difference between predicted and real accelerations of joints, in m/s^2; lower is better.

    Kanazawa et al. 2019 (HMMR, arXiv:1812.01601, "Accel Error"): second finite difference in the world,
    here times fps^2. Clips of fewer than three frames say nothing. The papers leave fps^2 out: their mm a frame^2
    is this times 1000 / fps^2.
    """

    name = "acceleration_error"
    unit = "m/s^2"

    def measure(self, x: Tensor, y: Tensor, fps: float, names: tuple[str, ...]) -> dict[str, Tensor]:
        if len(x) < 3:
            return {self.name: x.new_zeros(0)}
        return {self.name: (torch.diff(x - y, n=2, dim=0) * fps**2).norm(dim=-1).mean(1)}
