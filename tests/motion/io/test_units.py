import numpy as np
import pytest

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.motion.io import units
from motion_platform.motion.skeleton import get_skeleton


def test_height_of_a_known_body_is_about_right_whatever_the_pose() -> None:
    skeleton = get_skeleton("humanml3d")
    lengths = np.linalg.norm(skeleton.offsets, axis=-1)
    assert units.body_height(lengths, skeleton.parents) == pytest.approx(1.65, abs=0.2)


def test_longest_way_may_run_beside_the_root() -> None:
    #        0 - 1 - 2 (long), 1 - 3 (long): the longest way is 2 - 1 - 3
    assert units.body_height([0, 1, 5, 4], [-1, 0, 1, 1]) == pytest.approx(9 / units.PATH_TO_HEIGHT)
    assert units.body_height([0, 2, 3], [-1, 0, 1]) == pytest.approx(5 / units.PATH_TO_HEIGHT)


@pytest.mark.parametrize("unit", list(units.UNITS))
def test_every_unit_is_found(unit: str) -> None:
    for height in (1.4, 1.7, 2.0):
        assert units.find_unit(height / units.UNITS[unit], None, "x")[0] == unit


@pytest.mark.parametrize("height", [0.0, 1e-9, 1e9, float("nan"), float("inf"), 0.2])
def test_no_person_in_any_unit_is_an_error(height: float) -> None:
    with pytest.raises(DataError, match="units="):
        units.find_unit(height, None, "x")


def test_unknown_units_are_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'inch'"):
        units.find_unit(1, "inches", "x")
