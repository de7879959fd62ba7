"""What every representation does alike: which columns share a standard deviation."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize("name", ["humanml3d", "humanml3d_essential", "kit_ml", "conductor"])
def test_what_doubles_at_twice_the_tempo_are_the_speeds(name: str) -> None:
    """A body that turns, goes ahead, and waves a little about its rest pose, at two tempi so slow that what it does
    between two frames is nearly even."""
    representation = get_representation(name)
    skeleton = representation.skeleton
    if skeleton.dims == 2:
        assert representation.speeds == []
        return
    rest = np.zeros((len(skeleton), 3))
    for parent, j in skeleton.bones:
        rest[j] = rest[parent] + skeleton.offsets[j]
    rest[:, 1] += 1.0
    wave = np.random.default_rng(0).normal(0, 0.3, rest.shape)

    def at(clock: np.ndarray) -> np.ndarray:
        places = rest + 0.1 * np.sin(clock)[:, None, None] * wave
        cosine, sine = (f(0.8 * clock)[:, None] for f in (np.cos, np.sin))
        x, y, z = np.moveaxis(places, -1, 0)
        turned = np.stack([x * cosine + z * sine, y, z * cosine - x * sine], -1)
        return turned + clock[:, None, None] * np.array([0.3, 0, 1.0])

    clock = 1e-3 * np.arange(8)  # from 0.7 on, where nothing is at zero
    slow, fast = (representation.encode(at(0.7 + tempo * clock)).astype(float) for tempo in (1, 2))
    moving = np.abs(slow[[1, 3, 5]]).min(0) > 1e-5  # contacts that are off, and what is left of a zero
    ratio = fast[[1, 3, 5]][:, moving] / slow[[1, 3, 5]][:, moving]
    doubled = np.flatnonzero(moving)[(np.abs(ratio - 2) < 0.05).all(0)]
    wanted = [column for column in representation.speeds if moving[column]]
    assert doubled.tolist() == wanted
    assert len(wanted) > 0.8 * len(representation.speeds)
    assert len(set(representation.speeds)) == len(representation.speeds)
