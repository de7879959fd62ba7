"""Losses on the joints that features stand for: positions, velocities and planted feet (WACV MotionGPT, eq. 3-6)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from motion_platform.core.schema import MotionSpec
from motion_platform.motion.representations import get_representation

# A foot joint of the true motion is planted where it is slower than this (m/s) and lower than this above its lowest
# place in the clip (m); used where the representation has no contact columns.
PLANTED_SPEED = 0.5
PLANTED_HEIGHT = 0.05


def row_mean(error: Tensor, mask: Tensor) -> Tensor:
    """(B, T, ...) and mask (B, T) -> (B,) mean over a row's real frames and all trailing axes."""
    per_frame = error.flatten(2).mean(-1)
    return (per_frame * mask).sum(1) / mask.sum(1).clamp(min=1)


class GeometricLoss(nn.Module):
    """Squared errors of joints decoded from a predicted and a true motion, each a (B,) mean over real frames.

    position (m^2), "root": the predicted pose on the true path, i.e. decoded with the true root columns, so that an
    error of the heading does not grow with time into an error of every joint; "global": on its own path.
    velocity ((m/s)^2): differences between frames of all joints, each motion on its own path.
    foot ((m/s)^2): speed of predicted foot joints where the true ones are planted, on the predicted path.
    """

    def __init__(self, spec: MotionSpec, weights: Mapping[str, float], position_space: str = "root") -> None:
        super().__init__()
        if position_space not in ("root", "global"):
            raise ValueError(f"position_space {position_space!r} must be 'root' or 'global'")
        self.weights = {name: float(weight) for name, weight in weights.items() if weight}
        self.position_space, self.fps = position_space, spec.fps
        self.representation = get_representation(spec.representation) if self.weights else None
        if self.representation is not None:
            skeleton = self.representation.skeleton
            feet = skeleton.indices("left_foot") + skeleton.indices("right_foot")
            self.register_buffer("feet", torch.tensor(feet), persistent=False)

    def forward(self, predicted: Tensor, true: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Raw features (B, T, D) twice and mask (B, T) -> {name: (B,)} for the names with a weight."""
        if not self.weights:
            return {}
        with torch.autocast(predicted.device.type, enabled=False):  # paths are sums over time: too long for bfloat16
            return self._parts(predicted.float(), true.float(), mask)

    def _parts(self, predicted: Tensor, true: Tensor, mask: Tensor) -> dict[str, Tensor]:
        decode, parts = self.representation.decode, {}
        with torch.no_grad():
            true_joints = decode(true)
        moving = self.weights.keys() & {"velocity", "foot"}
        own = decode(predicted) if moving or self.position_space == "global" else None
        if "position" in self.weights:
            placed = own
            if self.position_space == "root":
                root = self.representation.groups["root"]
                columns = torch.arange(predicted.shape[-1], device=predicted.device)
                placed = decode(torch.where((columns >= root.start) & (columns < root.stop), true, predicted))
            parts["position"] = row_mean((placed - true_joints) ** 2, mask)
        if moving:
            pairs = mask[:, 1:] & mask[:, :-1]
            velocity = own.diff(dim=1) * self.fps
            if "velocity" in self.weights:
                parts["velocity"] = row_mean((velocity - true_joints.diff(dim=1) * self.fps) ** 2, pairs)
            if "foot" in self.weights:
                planted = self.planted(true, true_joints, mask)
                parts["foot"] = row_mean(velocity[:, :, self.feet] ** 2 * planted[..., None], pairs)
        return parts

    @torch.no_grad()
    def planted(self, true: Tensor, joints: Tensor, mask: Tensor) -> Tensor:
        """(B, T-1, 4) True where a foot joint stands still until the next frame: by contact columns or thresholds."""
        if "contacts" in self.representation.groups:
            return true[:, :-1, self.representation.groups["contacts"]] > 0.5
        feet = joints[:, :, self.feet]
        slow = feet.diff(dim=1).norm(dim=-1) * self.fps < PLANTED_SPEED
        height = feet[..., 1]
        floor = height.masked_fill(~mask[..., None], torch.inf).amin(dim=1, keepdim=True)
        return slow & (height[:, :-1] < floor + PLANTED_HEIGHT)
