"""What is heard, laid on the frames of a motion."""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.core.schema import Condition


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
