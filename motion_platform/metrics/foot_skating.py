"""Feet that slide while they carry weight."""

from __future__ import annotations

import torch

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState, check_batch, joint_indices, joints_of

WINDOW = 5
"""Frames that the published speed is averaged over."""


class FootSkating(Metric):
    """Foot skating ratio of Karunratanakul et al. 2023 (Guided Motion Diffusion, arXiv:2305.12577, section 5).

    A foot (the joints ``left_foot`` and ``right_foot``) is in contact at frame t when it is lower than ``height``
    metres at t and at t + 1; it skates when it then also moves horizontally faster than ``speed`` m/s (0.5 m/s is the
    paper's 2.5 cm a frame at 20 fps).

    Values: ``foot_skating`` as the paper's code has it: besides, the speed averaged over five frames around t (0 beyond
    the ends) must be above ``speed``; the share of such frames in a clip, averaged over clips (the number to compare
    with papers). ``foot_skating_frames`` without that average: frames in which a foot skates / all frames but the last
    of all clips together (headline: it sees a short slip). ``foot_skating_cm_per_contact_frame``: horizontal way of
    feet in contact, in cm, / foot contacts, which has no speed threshold and so also sees slow drift;
    ``foot_contact``: frames with a foot in contact / all frames (a body that floats does not skate: read them
    together).
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
        """Errors: DataError for a NaN in the prediction; for a skeleton without feet."""
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
            lasting = skates & (averaged(way * prediction.spec.fps) > self.speed)
            rows[sample] = {
                self.name: (float(lasting.any(1).sum()) / max(frames, 1.0), float(frames > 0)),
                f"{self.name}_frames": (float(skates.any(1).sum()), frames),
                f"{self.name}_cm_per_contact_frame": (100 * float(way[contact].sum()), float(contact.sum())),
                "foot_contact": (float(contact.any(1).sum()), frames),
            }
        return RatioState(rows)


def averaged(speeds: torch.Tensor) -> torch.Tensor:
    """(T, F) -> (T, F): the mean over ``WINDOW`` frames around each, with zeros beyond the ends."""
    if not len(speeds):
        return speeds
    padded = torch.nn.functional.pad(speeds.T[:, None], (WINDOW // 2, WINDOW // 2))
    return torch.nn.functional.avg_pool1d(padded, WINDOW, stride=1)[:, 0].T
