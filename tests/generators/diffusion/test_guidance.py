"""What a diffusion generator does with a request before it denoises, held to the sums of the definitions."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.schema import Condition, Edit
from motion_platform.generators.diffusion.guidance import (
    alternatives,
    check_lengths,
    guidance_chain,
    known_part,
    known_slots,
    unguided,
)

SLOTS = ("text", "style", "music")


def condition(*on: bool, mark: float = 0.0) -> Condition:
    """A null token, and one token a row that is real where ``on`` says so."""
    mask = torch.tensor([[True, real] for real in on])
    return Condition(torch.full((len(on), 2, 1), mark), mask)


def answer(slots: tuple[str, ...]) -> float:
    """A network's answer with these slots on: any numbers that tell the sets apart."""
    return sum(3.7 ** SLOTS.index(slot) for slot in slots) + 0.3 * len(slots) ** 2


@pytest.mark.parametrize("weights", list(product([0.0, 1.0, 2.5, -1.0], repeat=3)))
def test_the_chain_adds_up_to_its_definition(weights: tuple[float, ...]) -> None:
    """p = p_0 + sum_k w_k (p_k - p_(k-1)), over the slots with a weight, each on top of the ones before."""
    given = {slot: condition(True, False) for slot in SLOTS}
    chain = guidance_chain(SLOTS, dict(zip(SLOTS, weights, strict=True)), given)
    wanted, on = answer(()), ()
    for slot, weight in zip(SLOTS, weights, strict=True):
        if weight:
            wanted += weight * (answer((*on, slot)) - answer(on))
            on = (*on, slot)
    assert sum(share * answer(slots) for slots, share in chain) == pytest.approx(wanted)
    assert sum(share for _, share in chain) == pytest.approx(1.0)
    assert all(share for _, share in chain)
    assert len(chain) <= len(on) + 1


def test_a_slot_that_no_row_gives_is_not_asked() -> None:
    given = {"text": condition(False, True), "style": condition(False, False), "music": condition(True, True)}
    chain = guidance_chain(SLOTS, dict.fromkeys(SLOTS, 2.0), given)
    assert {slot for slots, _ in chain for slot in slots} == {"text", "music"}


def test_weight_one_is_one_pass() -> None:
    given = {slot: condition(True) for slot in SLOTS}
    assert guidance_chain(SLOTS, dict.fromkeys(SLOTS, 1.0), given) == [(SLOTS, 1.0)]
    assert guidance_chain(SLOTS, dict.fromkeys(SLOTS, 0.0), given) == [((), 1.0)]


def test_unguided_has_every_slot_that_is_on_once() -> None:
    given = {slot: condition(True) for slot in SLOTS}
    chain = guidance_chain(SLOTS, {"text": 3.0, "style": 0.0, "music": 2.0}, given)
    assert unguided(chain) == [(("text", "music"), 1.0)]


def test_alternatives_are_every_combination_with_the_product_of_its_weights() -> None:
    shares = {"text": ([0.25, 1.0], [0.75, 0.0]), "style": ([0.5, 0.1], [0.2, 0.2], [0.3, 0.7])}
    given = {"music": condition(True, True, mark=9.0)}
    for slot, columns in shares.items():
        values = [condition(True, True, mark=float(k)) for k in range(len(columns))]
        mixed = [(torch.tensor(column), value) for column, value in zip(columns, values, strict=True)]
        given[slot] = Condition(values[0].tokens, values[0].mask, mixed=mixed)
    seen = {}
    for weight, values in alternatives(given):
        assert values["music"] is given["music"]
        seen[int(values["text"].tokens[0, 0, 0]), int(values["style"].tokens[0, 0, 0])] = weight
    wanted = {
        (a, b): torch.tensor(first) * torch.tensor(second)
        for (a, first), (b, second) in product(enumerate(shares["text"]), enumerate(shares["style"]))
    }
    assert seen.keys() == wanted.keys()
    assert all(torch.allclose(seen[key], wanted[key]) for key in wanted)
    assert torch.allclose(torch.stack(list(seen.values())).sum(0), torch.ones(2))


def test_without_mixtures_there_is_one_alternative() -> None:
    given = {"text": condition(True, False, True)}
    ((weight, values),) = alternatives(given)
    assert weight.tolist() == [1.0, 1.0, 1.0]
    assert values == given
    ((weight, values),) = alternatives({})
    assert (weight.tolist(), values) == ([1.0], {})


def test_an_unknown_slot_is_named() -> None:
    assert known_slots({"text": 2.0}, SLOTS, "mdm.guidance") == {"text": 2.0}
    with pytest.raises(UnknownName, match=r"'tekst'.*text"):
        known_slots({"tekst": 2.0}, SLOTS, "mdm.guidance")


@pytest.mark.parametrize(
    ("lengths", "ids", "message"),
    [([4, 0], ["a", "b"], "mdm: length 0 must be at least 1"), ([4, 4], ["a"], "mdm: 1 noise ids for 2 motions")],
)
def test_lengths_that_do_not_go(lengths: list[int], ids: list[str], message: str) -> None:
    check_lengths(torch.tensor([1, 2]), ["a", "b"], "mdm")
    with pytest.raises(UsageError, match=message):
        check_lengths(torch.tensor(lengths), ids, "mdm")


def halved(x: Tensor) -> Tensor:
    return x / 2 - 1


def test_what_is_known_is_in_the_networks_units_and_the_rest_zero() -> None:
    raw = torch.tensor([[[2.0, 4.0], [float("nan"), 8.0]]])
    keep = torch.tensor([[[True, False], [False, True]]])
    known, where = known_part(Edit(raw, keep), torch.zeros(1, 2, 2), halved, "mdm")
    assert known.tolist() == [[[0.0, 0.0], [0.0, 3.0]]]  # what is not kept may hold anything
    assert where.equal(keep)
    for shape in ((1, 3, 2), (1, 2, 3)):
        with pytest.raises(UsageError, match=r"mdm: got an edit of shape x \(1, 2, 2\)"):
            known_part(Edit(raw, keep), torch.zeros(shape), halved, "mdm")
