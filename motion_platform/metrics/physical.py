"""Is a motion physically plausible? Six numbers that need no reference; compare each with that of real motion."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joints_of
from motion_platform.motion.skeleton import Skeleton, get_skeleton


class _PerMotion(Metric):
    """A number measured on the joints of one motion, averaged over all frames it was measured on."""

    higher_is_better = False
    needs = None

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN in the prediction."""
        check_batch(prediction, batch, self.name)
        skeleton = get_skeleton(prediction.spec.skeleton)
        rows = {}
        for sample, joints in zip(batch.ids, joints_of(prediction), strict=True):
            frames = self.measure(joints, prediction.spec.fps, skeleton)
            rows[sample] = {self.name: (float(frames.sum()), float(len(frames)))}
        return RatioState(rows)

    @abstractmethod
    def measure(self, joints: Tensor, fps: float, skeleton: Skeleton) -> Tensor:
        """(T, J, 3) metres -> one value a measured frame."""


class FloorPenetration(_PerMotion):
    """How deep the lowest joint is under the floor, in cm (0 above it); mean over frames.

    Yuan et al. 2023 (PhysDiff, arXiv:2212.02500, section 4, "Penetrate"), with joints for mesh vertices.
    """

    name = "floor_penetration"
    unit = "cm"

    def measure(self, joints: Tensor, fps: float, skeleton: Skeleton) -> Tensor:
        return 100 * (-joints[..., 1].amin(1)).clamp(min=0)


class Floating(_PerMotion):
    """How high the lowest joint is above the floor, in cm (0 below it); mean over frames. A jump counts as well.

    Yuan et al. 2023 (PhysDiff, arXiv:2212.02500, section 4, "Float"), with joints for mesh vertices.
    """

    name = "floating"
    unit = "cm"

    def measure(self, joints: Tensor, fps: float, skeleton: Skeleton) -> Tensor:
        return 100 * joints[..., 1].amin(1).clamp(min=0)


class Jerk(_PerMotion):
    """Length of the third derivative of joint positions, in m/s^3; mean over joints and frames. Shaking raises it.

    Some papers call it jitter, in other units.
    Flash and Hogan 1985 (the measure of smoothness of arm movements); third finite difference times fps^3.
    """

    name = "jerk"
    unit = "m/s^3"

    def measure(self, joints: Tensor, fps: float, skeleton: Skeleton) -> Tensor:
        if len(joints) < 4:
            return joints.new_zeros(0)
        return (torch.diff(joints, n=3, dim=0) * fps**3).norm(dim=-1).mean(1)


class Acceleration(_PerMotion):
    """Length of the second derivative of joint positions, in m/s^2; mean over joints and frames.

    Second finite difference times fps^2. A body at rest or in steady motion has 0, shaking raises it and
    over-smoothing lowers it: the nearer to that of real motion, the better.
    """

    name = "acceleration"
    unit = "m/s^2"
    higher_is_better = None

    def measure(self, joints: Tensor, fps: float, skeleton: Skeleton) -> Tensor:
        if len(joints) < 3:
            return joints.new_zeros(0)
        return (torch.diff(joints, n=2, dim=0) * fps**2).norm(dim=-1).mean(1)


class Pops(_PerMotion):
    """Frames a minute in which a joint jumps.

    Its second difference is more than ``least`` m/s^2, and more than ``times`` as large as any other within ``around``
    seconds (but for the frames beside it).

    A cut, a pose that flashes up for a frame and a wrist that jumps by a few centimetres are pops; a kick is not: it
    gains speed over several frames. Real motion capture has some (steps, markers that jump): compare with its row.
    Ours; the figures were chosen so that real clips have few and each of the three faults above is seen.
    """

    name = "pops"
    unit = "a minute"

    def __init__(self, least: float = 12.0, times: float = 3.0, around: float = 0.4) -> None:
        self.least, self.times, self.around = least, times, around

    def measure(self, joints: Tensor, fps: float, skeleton: Skeleton) -> Tensor:
        reach = round(self.around * fps)
        if len(joints) < 4 + reach:
            return joints.new_zeros(0)
        jumps = (torch.diff(joints, n=2, dim=0) * fps**2).norm(dim=-1)  # (T-2, J)
        padded = torch.nn.functional.pad(jumps, (0, 0, reach, reach))
        near = padded.unfold(0, 2 * reach + 1, 1).clone()  # (T-2, J, 2 reach + 1)
        near[..., reach - 1 : reach + 2] = 0
        popped = (jumps > self.least) & (jumps > self.times * near.amax(-1))
        return popped.any(1).double() * fps * 60


class BoneLengthDrift(_PerMotion):
    """How far bone lengths are from their mean over the motion, in cm; mean over bones and frames. Rigid: 0."""

    name = "bone_length_drift"
    unit = "cm"

    def measure(self, joints: Tensor, fps: float, skeleton: Skeleton) -> Tensor:
        parent, child = (list(ends) for ends in zip(*skeleton.bones, strict=True))
        lengths = (joints[:, child] - joints[:, parent]).norm(dim=-1)  # (T, number of bones)
        return 100 * (lengths - lengths.mean(0)).abs().mean(1)
