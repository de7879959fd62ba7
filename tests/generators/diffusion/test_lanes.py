"""Parts of a body with spans of their own: in which order they are made, and what stays meanwhile."""

from __future__ import annotations

import pytest
import torch

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Spans
from motion_platform.generators.diffusion.lanes import all_but, layers_of
from motion_platform.motion.representations import get_representation

Row = tuple[int, int, int, str]


def spans(*rows: Row) -> Spans:
    """(row, start, length, lane) each."""
    numbers = [torch.tensor([row[k] for row in rows]) for k in range(3)]
    return Spans(*numbers, tuple(row[3] for row in rows))


def layers(*rows: Row) -> tuple[list[int], list[tuple[str, list[int]]]]:
    base, rest = layers_of(spans(*rows))
    return base.tolist(), [(lane, numbers.tolist()) for lane, numbers in rest]


def test_legs_are_made_before_arms_in_a_fixed_order() -> None:
    made = layers((0, 0, 9, "right_arm"), (0, 0, 20, "lower_body"), (0, 5, 9, "left_arm"), (0, 9, 3, "right_arm"))
    assert made == ([1], [("left_arm", [2]), ("right_arm", [0, 3])])
    assert layers((0, 2, 4, "upper_body"), (0, 0, 9, "body"))[1] == [("upper_body", [0])]


def test_one_lane_alone_is_the_whole_motion() -> None:
    assert layers((0, 0, 9, "left_arm"), (0, 9, 9, "left_arm")) == ([0, 1], [])


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 0, 10, "body"), (0, 8, 5, "left_arm")],  # the arm goes on when the legs have ended
        [(0, 0, 4, "body"), (0, 6, 4, "body"), (0, 0, 10, "left_arm")],  # a gap between two spans of the legs
        [(0, 0, 10, "body"), (1, 0, 5, "left_arm"), (1, 0, 4, "body")],  # in the second motion only
        [(0, 0, 10, "left_arm"), (0, 0, 10, "right_arm")],  # two lanes and no legs at all
        [(0, 1, 10, "body")],  # they start late
    ],
)
def test_time_in_which_nothing_moves_the_legs_is_refused(rows: list[Row]) -> None:
    with pytest.raises(UsageError, match="nothing says what the legs do"):
        layers_of(spans(*rows))


def test_all_stays_but_the_lane_in_its_spans() -> None:
    chosen = spans((0, 2, 3, "left_arm"), (1, 0, 2, "left_arm"), (1, 4, 2, "left_arm"), (0, 0, 9, "body"))
    x = torch.randn(2, 9, 263)
    edit = all_but(x, chosen, "left_arm", torch.tensor([0, 1, 2]), "humanml3d")
    assert edit.x is x
    arm = get_representation("humanml3d").part_columns("left_arm")
    assert 0 < len(arm) < 263
    free = torch.zeros(2, 9, 263, dtype=torch.bool)
    for row, frames in ((0, [2, 3, 4]), (1, [0, 1, 4, 5])):
        for frame in frames:
            free[row, frame, arm] = True
    assert edit.keep.equal(~free)
