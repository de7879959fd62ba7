"""Licences of weights: what a model learned from, and what its parents did."""

from __future__ import annotations

import pytest

from motion_platform.core.licences import combined, licence_of, rank, trained_from


def test_weights_of_a_non_commercial_parent_are_non_commercial() -> None:
    data = {
        "name": "own", "licence": "CC0",
        "initial": {"model": "parent", "sha256": "1b", "data": {"licence": "MIT (captions)", "initial": {
            "model": "grandparent", "data": {
            "licence": "CC BY-NC 4.0, (c) somebody"}}}},
    }  # fmt: skip
    assert licence_of(data) == "CC BY-NC 4.0, (c) somebody; MIT (captions); CC0"
    line = trained_from("mine", "0a", data)
    assert [each["model"] for each in line] == ["mine", "parent", "grandparent"]
    assert line[0] == {"model": "mine", "sha256": "0a", "data": "own"}
    assert line[1] == {"model": "parent", "sha256": "1b", "data": "unknown"}
    flat = {"name": "next", "licence": licence_of(data), "trained_from": line}
    assert licence_of(flat) == licence_of(data)
    assert trained_from("last", "2c", flat) == [{"model": "last", "sha256": "2c", "data": "next"}, *line]


@pytest.mark.parametrize("damaged", [
    {"trained_from": "walker"}, {"trained_from": [7, None]}, {"initial": {"data": "x"}}, {"initial": [1]}, {},
])  # fmt: skip
def test_what_a_damaged_card_says_of_its_parents_is_no_crash(damaged: dict) -> None:
    line = trained_from("first", "", {"licence": "CC0", **damaged})
    assert line[0]["model"] == "first"
    assert len(line) <= 2
    assert licence_of({"licence": "CC0", **damaged}) == "CC0"


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
