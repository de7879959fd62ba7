"""What a task gives a generator of a clip: the beginning, both ends, or key poses, as an Edit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.contracts import clip_of
from motion_platform.core.schema import Edit, Motion
from motion_platform.core.seeding import seed_of
from motion_platform.core.tasks import Keep


def edit_for(keep: Keep, motion: Motion, ids: Sequence[str]) -> Edit:
    """The edit of a batch; several predictions for a clip (``clip 7#2``) are given the same frames."""
    mask = kept_frames(keep, motion.lengths.tolist(), ids, motion.x.shape[1]).to(motion.x.device)
    return Edit(motion.x, mask[..., None].expand_as(motion.x))


def kept_frames(keep: Keep, lengths: Sequence[int], ids: Sequence[str], frames: int | None = None) -> Tensor:
    """(B, T) True where a frame is given. At least one frame is given, and at least one is left where there are two."""
    mask = torch.zeros(len(lengths), frames or max(lengths), dtype=torch.bool)
    for b, (length, sample) in enumerate(zip(lengths, ids, strict=True)):
        mask[b, :length] = torch.from_numpy(_row(keep, length, clip_of(sample)))
    return mask


def _row(keep: Keep, length: int, clip: str) -> np.ndarray:
    """(length,) True where a frame of one clip is given."""
    given = np.zeros(length, bool)
    if keep.how == "prefix":
        given[: int(keep.part * length)] = True
    elif keep.how == "in_between":
        edge = int(keep.part * length)
        given[:edge], given[length - edge :] = edge > 0, edge > 0
    elif keep.how == "initial_pose":
        given[: keep.pose_frames] = True
    elif keep.how == "last_pose":
        given[-keep.pose_frames :] = True
    else:
        random = np.random.default_rng(seed_of("key poses", clip))
        places = length // keep.pose_frames
        count = min(int(random.integers(keep.poses[0], keep.poses[1] + 1)), max(places - 1, 0))
        for place in random.choice(places, count, replace=False) if count else ():
            given[place * keep.pose_frames : (place + 1) * keep.pose_frames] = True
    if not given.any():
        given[-1 if keep.how == "last_pose" else 0] = True
    if length > 1 and given.all():  # a clip as short as what is given: something must be left to make
        given[0 if keep.how == "last_pose" else -1] = False
    return given
