"""What every representation does alike: which columns share a standard deviation."""

from __future__ import annotations

import numpy as np

from motion_platform.motion.representations import get_representation


def test_of_a_root_of_four_the_velocities_share_one_deviation_and_every_other_group_has_one() -> None:
    representation = get_representation("humanml3d")
    columns = np.arange(1.0, representation.dim + 1)
    found = representation.deviations(columns)
    np.testing.assert_allclose(found[:4], [1, 2.5, 2.5, 4])
    for name, group in representation.groups.items():
        if name != "root":
            np.testing.assert_allclose(found[group], columns[group].mean(), err_msg=name)


def test_what_never_moves_is_left_as_it_is() -> None:
    representation = get_representation("humanml3d")
    still = np.full(representation.dim, 1e-9)
    np.testing.assert_array_equal(representation.deviations(still), 1.0)
    assert (still == 1e-9).all()  # what was given stays
