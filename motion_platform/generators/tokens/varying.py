"""Other lengths and tempi of training motions, so that a length says little about the kind."""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.core.schema import Motion
from motion_platform.motion.representations import get_representation

SHORTEST_CROP = 0.5
"""The least share of a clip that a crop keeps."""


def crop(motion: Motion, share: float, least: int) -> Motion:
    """A part of some of the motions: with probability ``share``, for those longer than ``least`` frames.

    The part is ``least`` frames or half of the clip, or more, up to all of it; half of the parts begin where the clip
    does. Random numbers are torch's global ones, which training seeds by step.
    """
    lengths = motion.lengths.cpu()
    chosen = (torch.rand(len(lengths)) < share) & (lengths > least)
    shortest = (lengths * SHORTEST_CROP).ceil().long().clamp(min=least)
    kept = shortest + (torch.rand(len(lengths)) * (lengths - shortest + 1)).long().clamp(min=0)
    kept = torch.where(chosen, torch.minimum(kept, lengths), lengths)
    start = (torch.rand(len(lengths)) * (lengths - kept + 1)).long() * (torch.rand(len(lengths)) < 0.5)
    at = torch.arange(int(kept.max()))[None] + start[:, None]
    x = _rows(motion.x, torch.minimum(at, (lengths - 1)[:, None]))
    return Motion(x, kept.to(motion.lengths), motion.spec)


def change_tempo(motion: Motion, share: float, most: float, longest: int) -> Motion:
    """Some of the motions faster or slower, by a factor from 1 / ``most`` to ``most``, at most ``longest`` frames long.

    Features are interpolated; those that are speeds (a representation says which) change with the tempo.
    """
    lengths = motion.lengths.cpu()
    factor = torch.exp((torch.rand(len(lengths)) * 2 - 1) * torch.log(torch.tensor(most)))
    factor = torch.where(torch.rand(len(lengths)) < share, factor, torch.ones_like(factor))
    made = (lengths / factor).round().long().clamp(2, longest)
    factor = lengths / made
    place = torch.arange(int(made.max()))[None] * ((lengths - 1) / (made - 1).clamp(min=1))[:, None]
    place = torch.minimum(place, (lengths - 1)[:, None].float())
    low = place.floor().long()
    high = torch.minimum(low + 1, (lengths - 1)[:, None])
    part = (place - low)[..., None].to(motion.x)
    x = _rows(motion.x, low) * (1 - part) + _rows(motion.x, high) * part
    speeds = get_representation(motion.spec.representation).speeds
    x[..., speeds] = x[..., speeds] * factor.to(x)[:, None, None]
    return Motion(x, made.to(motion.lengths), motion.spec)


def _rows(x: Tensor, at: Tensor) -> Tensor:
    """The frames ``at`` (B, T') of x (B, T, D)."""
    return x.gather(1, at.to(x.device)[..., None].expand(-1, -1, x.shape[-1]))
