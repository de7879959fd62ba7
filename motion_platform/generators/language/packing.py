"""Several short sequences in one row, each seeing only itself: no computing on padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motion_platform.generators.language.vocabulary import Vocabulary


def pack(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Which sequences share a row of at most ``width``: longest first, each into the first row with room.

    A sequence longer than ``width`` has a row alone.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        k = next((k for k, left in enumerate(room) if left >= lengths[i]), None)
        if k is None:
            rows.append([i])
            room.append(width - lengths[i])
        else:
            rows[k].append(i)
            room[k] -= lengths[i]
    return rows


@dataclass
class Packed:
    """ids (R, L); positions (R, L), counted in each sequence; mask (R, 1, L, L), True = may look; wanted (R, L): the id
    that is to be predicted there, -1 where nothing is learned."""

    ids: Tensor
    positions: Tensor
    mask: Tensor
    wanted: Tensor
    in_motion: Tensor


def lay_out(
    sequences: Sequence[tuple[Sequence[int], Sequence[int]]], width: int, vocabulary: Vocabulary, *, whole: bool
) -> Packed:
    """(prompt, answer) pairs in rows of ``width``. whole: every id of a sequence is learned, not the answer alone."""
    lengths = [len(prompt) + len(answer) - 1 for prompt, answer in sequences]  # the last id is predicted, never read
    rows = pack(lengths, width)
    longest = max(sum(lengths[i] for i in row) for row in rows)
    ids, positions = torch.zeros(2, len(rows), longest, dtype=torch.long)
    wanted, owner = torch.full((2, len(rows), longest), -1)
    in_motion = torch.zeros(len(rows), longest, dtype=torch.bool)
    for r, row in enumerate(rows):
        start = 0
        for i in row:
            prompt, answer = sequences[i]
            said = torch.tensor([*prompt, *answer])
            end = start + lengths[i]
            ids[r, start:end], wanted[r, start:end] = said[:-1], said[1:]
            if not whole:
                wanted[r, start : start + len(prompt) - 1] = -1
            in_motion[r, start:end] = inside(said, vocabulary)[1:]
            positions[r, start:end], owner[r, start:end] = torch.arange(lengths[i]), i
            start = end
    place = torch.arange(longest)
    mask = (owner[:, :, None] == owner[:, None, :]) & (place[:, None] >= place[None, :])  # padding sees padding
    return Packed(ids, positions, mask[:, None], wanted, in_motion)


def inside(ids: Tensor, vocabulary: Vocabulary) -> Tensor:
    """(n,) True between a motion's start mark and its end mark, and on the end mark."""
    opened = (ids == vocabulary.motion_start).long().cumsum(0) - (ids == vocabulary.motion_start).long()
    closed = (ids == vocabulary.motion_end).long().cumsum(0) - (ids == vocabulary.motion_end).long()
    return opened > closed
