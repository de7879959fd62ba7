"""What an edit keeps of a given motion, as :class:`motion_platform.core.schema.Edit`: everything else is made anew.

Frames are feature frames. ``lengths`` (B,) are the frames of the motions to be made; they may be longer than the given
ones (a continuation), and default to the given ones' own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Edit, Motion, length_mask
from motion_platform.motion.representations import get_representation


def _canvas(motion: Motion, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """x (B, T, D) of the motions to be made, which of its frames are given (B, T), and lengths (B,)."""
    lengths = motion.lengths if lengths is None else lengths.to(motion.lengths)
    if lengths.shape != motion.lengths.shape:
        raise UsageError(f"edit: got {len(lengths)} lengths for {len(motion.lengths)} motions")
    frames = int(lengths.max())
    x = motion.x.new_zeros(len(lengths), frames, motion.x.shape[-1])
    shared = min(frames, motion.x.shape[1])
    x[:, :shared] = motion.x[:, :shared]
    return x, length_mask(torch.minimum(lengths, motion.lengths), frames), lengths


def _edit(x: Tensor, given: Tensor, frames: Tensor) -> Edit:
    return Edit(x, (given & frames)[..., None].expand_as(x).clone())


def _frames(motion: Motion, seconds: float, name: str) -> int:
    if not seconds >= 0:
        raise UsageError(f"edit: got {name} = {seconds}; allowed: 0 seconds or more")
    return round(seconds * motion.spec.fps)


def prefix(motion: Motion, seconds: float, lengths: Tensor | None = None) -> Edit:
    """Keep the first ``seconds``; the rest, up to ``lengths``, is a continuation."""
    return in_between(motion, seconds, 0.0, lengths)


def in_between(motion: Motion, prefix_seconds: float, suffix_seconds: float, lengths: Tensor | None = None) -> Edit:
    """Keep the beginning and the end (MDM, section 4.3: the first and the last quarter) and fill what is between."""
    x, given, lengths = _canvas(motion, lengths)
    place = torch.arange(x.shape[1], device=x.device)[None]
    first, last = _frames(motion, prefix_seconds, "prefix_seconds"), _frames(motion, suffix_seconds, "suffix_seconds")
    return _edit(x, given, (place < first) | (place >= lengths[:, None] - last))


def key_frames(motion: Motion, indices: Sequence[int], lengths: Tensor | None = None) -> Edit:
    """Keep single frames; negative numbers count from each motion's end. UsageError for a frame that is not there."""
    x, given, _ = _canvas(motion, lengths)
    shortest = int(given.sum(1).min())
    keep = torch.zeros_like(given)
    rows = torch.arange(len(given), device=x.device)
    for index in indices:
        if not -shortest <= index < shortest:
            raise UsageError(f"edit: got key frame {index}; allowed: {-shortest} to {shortest - 1}")
        keep[rows, given.sum(1) + index if index < 0 else torch.full_like(rows, index)] = True
    return _edit(x, given, keep)


def body_part(motion: Motion, part: str) -> Edit:
    """Make the named part of the body anew ("upper_body", "left_arm", ...) and keep all else, its path included.

    UnknownName when the skeleton has no such part. With "pelvis" in the part the path is made anew too.
    """
    x, given, _ = _canvas(motion, None)
    keep = given[..., None].repeat(1, 1, x.shape[-1])
    keep[..., get_representation(motion.spec.representation).part_columns(part).to(x.device)] = False
    return Edit(x, keep)
