"""What every diffusion generator does with a request before it denoises: the guidance chain, lengths, slots, edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.schema import Condition, Edit

Chain = list[tuple[tuple[str, ...], float]]
"""[(slots that are on, coefficient)]: passes of a network, and how they add up to a guided answer."""


def guidance_chain(slots: Sequence[str], weights: Mapping[str, float], given: Mapping[str, Condition]) -> Chain:
    """[(slots that are on, coefficient)] of p = p_0 + sum_k w_k (p_k - p_(k-1)), without the zero ones.

    The slots given in at least one row and with a weight other than 0 make the chain, in the order of ``slots``.
    """
    active = [s for s in slots if weights[s] != 0 and bool(given[s].mask[:, 1:].any())]
    levels = [1.0, *[float(weights[s]) for s in active], 0.0]
    chain = [(tuple(active[:k]), levels[k] - levels[k + 1]) for k in range(len(active) + 1)]
    return [(on, coefficient) for on, coefficient in chain if coefficient != 0]


def unguided(chain: Chain) -> Chain:
    """The chain where guidance does not act: every slot that is on, once; one that is switched off stays off."""
    return [(chain[-1][0], 1.0)]


def alternatives(given: Mapping[str, Condition]) -> list[tuple[Tensor, dict[str, Condition]]]:
    """[(weight (B,), conditions)] of every combination of the values that mixtures hold; weights of a row sum to 1.

    Without conditions there is one weight, for all rows.
    """
    mask = next((condition.mask for condition in given.values()), torch.ones(1, 1))
    found: list[tuple[Tensor, dict[str, Condition]]] = [(torch.ones(len(mask), device=mask.device), dict(given))]
    for slot, condition in given.items():
        if condition.mixed:
            found = [
                (share * weight.to(share), {**others, slot: value})
                for share, others in found
                for weight, value in condition.mixed
            ]
    return found


def known_slots(values: Mapping[str, float], slots: Sequence[str], where: str) -> dict[str, float]:
    """The values, refused with UnknownName for a slot that is not one of ``slots``."""
    for slot in values:
        if slot not in slots:
            raise UnknownName("slot", slot, slots, where)
    return dict(values)


def check_lengths(lengths: Tensor, ids: Sequence[str], where: str) -> None:
    """UsageError for a motion without frames, or ids that do not fit."""
    if len(ids) != len(lengths):
        raise UsageError(f"{where}: {len(ids)} noise ids for {len(lengths)} motions")
    if int(lengths.min()) < 1:
        raise UsageError(f"{where}: length {int(lengths.min())} must be at least 1 frame")


def known_part(edit: Edit, x: Tensor, enter: Callable[[Tensor], Tensor], where: str) -> tuple[Tensor, Tensor]:
    """(what is given, in the network's units and 0 elsewhere; where it is given), both shaped like x (B, T, D).

    enter: raw units to the network's. UsageError for an edit of another shape.
    """
    if edit.x.shape != x.shape or edit.keep.shape != x.shape:
        got = f"x {tuple(edit.x.shape)}, keep {tuple(edit.keep.shape)}"
        raise UsageError(f"{where}: got an edit of shape {got}; allowed: {tuple(x.shape)} for both")
    keep = edit.keep.to(x.device)
    return torch.where(keep, enter(edit.x.to(x)), 0.0), keep
