"""How far a number would be from itself on other recordings: its interval over the recordings it was measured on.

Repeats with other noise say how much chance is in the sampling, and nothing about the choice of clips, which is by far
the larger part. Clips of one recording (parts of a file, and its mirrored copy) are no samples of their own: they are
left out together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from motion_platform.core.contracts import State, clip_of
from motion_platform.core.errors import DataError

GROUPS = 20
"""Into how many groups the recordings are dealt, at most."""


def groups_of(recordings: Sequence[str], seed: int = 0) -> np.ndarray:
    """(n,) the group of every clip: whole recordings, dealt at random to ``GROUPS`` groups of like size."""
    names = sorted(set(recordings))
    order = np.random.RandomState(seed).permutation(len(names))
    group = {names[k]: place % GROUPS for place, k in enumerate(order)}
    return np.array([group[name] for name in recordings])


def intervals(state: State, recordings: dict[str, str]) -> dict[str, float]:
    """{value: 1.96 standard errors} by the delete-a-group jackknife; recordings: clip id -> the recording it is of.

    Every group of recordings is left out in turn, and the metric computed on the rest: with g groups, the squared
    standard error is (g - 1) / g times the sum of squares around their mean (Kott 2001, Journal of Official Statistics
    17; Shao and Tu 1995). No clip is drawn twice, which nearest neighbours and pools would not bear. {} for a state
    that cannot be taken apart, for fewer than 2 recordings, and for sets that are too small without one group.
    """
    samples = sorted(state.ids)
    groups = groups_of([recordings[clip_of(sample)] for sample in samples])
    values: dict[str, list[float]] = {}
    present = np.unique(groups)
    if len(present) < 2:
        return {}
    for group in present:
        rest = state.subset({sample for sample, of in zip(samples, groups, strict=True) if of != group})
        if rest is None:
            return {}
        try:
            computed = rest.compute()
        except DataError:  # the whole set is large enough, the rest of it is not: there is no interval
            return {}
        for name, value in computed.items():
            values.setdefault(name, []).append(value)
    return {name: _interval(of) for name, of in values.items() if len(of) == len(present)}


def _interval(values: Sequence[float]) -> float:
    g, mean = len(values), math.fsum(values) / len(values)
    return 1.96 * math.sqrt((g - 1) / g * math.fsum((value - mean) ** 2 for value in values))
