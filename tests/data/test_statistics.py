"""Statistics against numpy over all frames at once."""

import itertools

import numpy as np
import pytest

from motion_platform.data.statistics import Statistics
from motion_platform.motion.representations import get_representation


@pytest.mark.parametrize("name", ["humanml3d", "humanml3d_essential", "kit_ml"])
def test_mean_and_std_are_numpys_over_all_frames(name):
    representation = get_representation(name)
    random = np.random.default_rng(1)
    clips = [(random.normal(1000, 1e-2, (n, representation.dim))).astype(np.float32) for n in (3, 1, 40, 7)]
    statistics = Statistics(representation)
    for clip in clips:
        statistics.add(clip)
    mean, std, per_column = statistics.result()
    whole = np.concatenate(clips).astype(np.float64)
    np.testing.assert_allclose(mean, whole.mean(0), rtol=1e-12)
    np.testing.assert_allclose(per_column, whole.std(0), rtol=1e-9)
    assert (statistics.clips, statistics.frames) == (4, 51)
    j = len(representation.skeleton)
    edges = [0, 1, 3, 4, 4 + (j - 1) * 3]
    if name != "humanml3d_essential":
        edges += [edges[-1] + (j - 1) * 6, edges[-1] + (j - 1) * 6 + j * 3, representation.dim]
    for a, b in itertools.pairwise(edges):  # the published grouping, written out
        np.testing.assert_allclose(std[a:b], per_column[a:b].mean(), rtol=1e-12)


def test_std_is_never_zero():
    representation = get_representation("humanml3d")
    statistics = Statistics(representation)
    statistics.add(np.ones((5, 263), np.float32))
    _, std, per_column = statistics.result()
    assert (per_column == 0).all()
    assert (std == 1).all()


def test_what_was_gathered_elsewhere_is_the_same_and_nothing_of_it_is_nothing():
    representation = get_representation("humanml3d_essential")
    random = np.random.default_rng(3)
    parts = [[random.normal(5, 2, (n, representation.dim)) for n in sizes] for sizes in ((3, 9), (20,))]
    whole = Statistics(representation)
    whole.merge(0, 0, np.full(representation.dim, np.nan), np.full(representation.dim, np.nan))  # of an empty split
    for part in parts:
        own = Statistics(representation)
        for clip in part:
            own.add(clip)
        whole.merge(own.clips, own.frames, own.mean, own.squares)
    whole.merge(0, 0, np.full(representation.dim, np.nan), np.full(representation.dim, np.nan))
    together = np.concatenate([clip for part in parts for clip in part])
    np.testing.assert_allclose(whole.result()[0], together.mean(0))
    np.testing.assert_allclose(whole.result()[2], together.std(0))
    assert (whole.clips, whole.frames) == (3, 32)
