"""Licences of weights: what a model learned from, and what its parents did."""

from __future__ import annotations

import pytest

from motion_platform.core.licences import combined, licence_of, rank


def test_weights_of_a_non_commercial_parent_are_non_commercial() -> None:
    data = {
        "name": "own", "licence": "CC0",
        "initial": {"model": "parent", "data": {"licence": "MIT (captions)", "initial": {"data": {
            "licence": "CC BY-NC 4.0, (c) somebody"}}}},
    }  # fmt: skip
    assert licence_of(data) == "CC BY-NC 4.0, (c) somebody; MIT (captions); CC0"


@pytest.mark.parametrize(("given", "wanted"), [
    (["CC0", "CC BY 3.0", "CC BY-SA 3.0"], "CC BY-SA 3.0; CC BY 3.0; CC0"),
    (["MIT; LGPL-2.1", "MIT"], "LGPL-2.1; MIT"),
    (["CC BY 4.0", "for research purposes only"], "for research purposes only; CC BY 4.0"),
    (["free for research and commercial use, not for resale", "CC BY-NC-ND 4.0"],
     "CC BY-NC-ND 4.0; free for research and commercial use, not for resale"),
    ([], "unknown"), (["", "unknown"], "unknown"),
])  # fmt: skip
def test_the_most_restrictive_stands_first(given: list[str], wanted: str) -> None:
    assert combined(given) == wanted


def test_all_kinds_in_their_order() -> None:
    """Non-commercial, no derivatives, share alike, not for resale and what nobody knows, attribution, free."""
    order = [["academic", "CC BY-NC 4.0", "noncommercial"], ["CC BY-ND 4.0", "no derivatives"],
             ["AGPL-3.0", "GPL-3.0", "CC BY-SA 4.0", "share-alike"], ["not for resale", "somebody's own words"],
             ["CC BY 4.0", "Apache-2.0", "MIT", "BSD-3-Clause"], ["CC0", "public domain"]]  # fmt: skip
    assert [{rank(licence) for licence in licences} for licences in order] == [{0}, {1}, {2}, {3}, {4}, {5}]


def test_shipped_models_trained_on_non_commercial_motion_say_so(motion_info) -> None:
    assert motion_info("text_to_motion_masked")["licence"].startswith("CC BY-NC 4.0")


@pytest.fixture
def motion_info():
    from motion_platform.pipelines import inventory

    return inventory.describe
