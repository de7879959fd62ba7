"""What all generators of conducting share: which keypoint is what, music on the motion's frames, gestures' size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.core.schema import Condition

HEAD, BODY, ARMS = (0, 1, 2, 3, 4), (5, 6, 11, 12), (7, 8, 9, 10)
"""COCO keypoints: nose, eyes and ears; shoulders and hips; elbows and wrists."""
POSTURE_SECONDS = 2.0
"""About a bar: slower movement of an arm is its posture, faster movement its gesture."""


def columns_of(joints: Sequence[int]) -> list[int]:
    """Columns (x, y of each keypoint) of the ``conductor`` representation."""
    return [2 * j + k for j in joints for k in (0, 1)]


def on_frames(condition: Condition, fps: float, rows: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """What is heard at frames of rows: tokens (P, W, C), and (P, W) whether anything is heard there.

    rows (P,), frames (P, W). A slot with a rate holds token k at second k / rate_hz (between two tokens a straight
    line); its last token stands for the rest of a frame that rounding leaves over. A slot without one (a label) is the
    same at every frame. Where nothing is heard, the null token stands.
    """
    null, tokens = condition.tokens[rows, 0][:, None], condition.tokens
    if condition.rate_hz is None:
        pooled = condition.pooled()[rows][:, None].expand(-1, frames.shape[1], -1)
        return pooled, condition.mask[rows, 1:].any(1)[:, None].expand(-1, frames.shape[1])
    count = condition.mask[rows, 1:].sum(1)[:, None]
    position = frames * (condition.rate_hz / fps)
    heard = (position < count + 1) & (count > 0)
    low = torch.minimum(position.floor().long(), count - 1).clamp(min=0)
    if tokens.shape[1] == 1:
        return null.expand(-1, frames.shape[1], -1), heard
    found = tokens[rows[:, None], 1 + low]
    if condition.rate_hz != fps:
        high = torch.minimum(low + 1, (count - 1).clamp(min=0))
        share = (position - low).clamp(0, 1).to(tokens.dtype)[..., None]
        found = torch.lerp(found, tokens[rows[:, None], 1 + high], share)
    return torch.where(heard[..., None], found, null), heard


def resize_gestures(x: Tensor, lengths: Tensor, fps: float, amplitude: float) -> Tensor:
    """x (B, T, 26) with the movement of elbows and wrists about their posture made ``amplitude`` times as large.

    The posture is the mean over POSTURE_SECONDS around a frame, so that large gestures stay where the arms are and a
    resting arm rests.
    """
    if amplitude == 1.0:
        return x
    arms, out = columns_of(ARMS), x.clone()
    reach = max(1, round(POSTURE_SECONDS * fps / 2))
    for row, length in enumerate(lengths.tolist()):
        own = x[row, :length, arms].T[None]  # (1, 8, length)
        ends = F.pad(own, (min(reach, length - 1),) * 2, mode="reflect") if length > 1 else own
        width = min(2 * reach + 1, ends.shape[-1] - length + 1)
        posture = F.avg_pool1d(ends, width, stride=1)
        out[row, :length, arms] = (posture + amplitude * (own - posture))[0].T
    return out
