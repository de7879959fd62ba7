"""Feet that slide while they carry weight."""

from __future__ import annotations

import torch

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joint_indices, joints_of


class FootSkating(Metric):
    """Foot skating ratio of Karunratanakul et al. 2023 (Guided Motion Diffusion, arXiv:2305.12577, section 5).

    A foot (the joints ``left_foot`` and ``right_foot``) is in contact at frame t when it is lower than ``height``
    metres at t and at t + 1; it skates when it then also moves horizontally faster than ``speed`` m/s (0.5 m/s is the
    paper's 2.5 cm a frame at 20 fps).

    Values: ``foot_skating``: frames in which a foot skates / all frames but the last (the ratio; headline);
    ``foot_skating_cm_per_contact_frame``: horizontal way of feet in contact, in cm, / foot contacts, which has no speed
    threshold and so also sees slow drift; ``foot_contact``: frames with a foot in contact / all frames (a body that
    floats does not skate: read the three together). All frames of all samples count the same.
    """

    name = "foot_skating"
    unit = "ratio"
    higher_is_better = False
    needs = None

    def __init__(self, height: float = 0.05, speed: float = 0.5) -> None:
        self.height, self.speed = height, speed

    def about(self, value: str) -> tuple[str, bool | None]:
        if value == "foot_contact":
            return self.unit, None
        return ("cm" if value.endswith("_cm_per_contact_frame") else self.unit), self.higher_is_better

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN in the prediction; UnknownName for a skeleton without feet."""
        check_batch(prediction, batch, self.name)
        feet = joint_indices(prediction, ["left_foot", "right_foot"])
        rows = {}
        for sample, joints in zip(batch.ids, joints_of(prediction), strict=True):
            foot = joints[:, feet]  # (T, 2, 3)
            low = foot[..., 1] < self.height
            contact = low[:-1] & low[1:]
            way = torch.diff(foot[..., [0, 2]], dim=0).norm(dim=-1)  # (T-1, 2) metres a frame
            skates = contact & (way * prediction.spec.fps > self.speed)
            frames = float(len(contact))
            rows[sample] = {
                self.name: (float(skates.any(1).sum()), frames),
                f"{self.name}_cm_per_contact_frame": (100 * float(way[contact].sum()), float(contact.sum())),
                "foot_contact": (float(contact.any(1).sum()), frames),
            }
        return RatioState(rows)
