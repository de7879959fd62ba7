"""Where a body goes so that its standing feet stay and its joints keep their angles: one least squares over a motion.

On a body of other proportions the same angles bring a foot to another place. While one foot stands, the body can take
all of that up; while both do, the legs must. A nearly straight leg changes its length by little when the knee bends, so
what it is off along the line from hip to ankle counts by the bend that it costs; across that line, by the turn of the
leg. Unknown are the way of the body and the place of each stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.motion.intervals import runs

STRAIGHT = np.radians(4.0)
"""Bend of a knee under which a leg counts as one that is bent so much."""
JERKY = 0.005
"""Radians that count as much as a metre a second squared by which the body's way is changed."""
ASTRAY = 0.02
"""Radians that count as much as a metre by which the body leaves its way."""
LIFTED = 3.0
"""Radians that count as much as a metre by which a standing foot is off the height of the floor."""
MOST_LIFTED = 0.005
"""Metres that a standing foot is off the height of the floor at most."""
FIXED = 1e3
"""Radians a metre for a foot that is off the floor by as much as it may be."""


class _Equations:
    """Rows of a sparse least squares, gathered a block at a time."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []
        self.columns: list[np.ndarray] = []
        self.values: list[np.ndarray] = []
        self.wanted: list[np.ndarray] = []
        self.count = 0

    def add(self, terms: Sequence[tuple[np.ndarray, np.ndarray]], wanted: np.ndarray) -> None:
        """One row for each wanted value: the sum of its terms (column of the unknown, factor)."""
        at = self.count + np.arange(len(wanted))
        for column, value in terms:
            self.rows.append(at)
            self.columns.append(column)
            self.values.append(value)
        self.wanted.append(wanted)
        self.count += len(wanted)

    def solved(self, unknowns: int) -> np.ndarray:
        from scipy.sparse import coo_array
        from scipy.sparse.linalg import spsolve

        at = (np.concatenate(self.rows), np.concatenate(self.columns))
        matrix = coo_array((np.concatenate(self.values), at), (self.count, unknowns)).tocsr()
        return np.atleast_1d(spsolve((matrix.T @ matrix).tocsc(), matrix.T @ np.concatenate(self.wanted)))


def body_way(
    legs: Sequence[Sequence[np.ndarray]], standing: Sequence[np.ndarray],
    heights: Sequence[float], fps: float,
) -> tuple[np.ndarray, list[np.ndarray]]:  # fmt: skip
    """((T, 3) by how much the body moves, for each foot (S, 3) the places of its stands).

    legs: hip, knee, ankle and toes (T, 3) of each as the angles alone bring them; heights: of the toes of a foot that
    stands.
    """
    count = len(legs[0][0])
    spans = [runs(stands) for stands in standing]
    lengths = np.array([end - start for found in spans for start, end in found])
    goals = np.array([height for height, found in zip(heights, spans, strict=True) for _ in found])
    weights, wanted = LIFTED * np.sqrt(lengths), goals
    while True:  # at most once more for each stand that is off by more than it may be
        found = _solved(legs, spans, wanted, weights, fps)
        places = found[3 * count :].reshape(-1, 3)
        off = np.abs(places[:, 1] - goals) > MOST_LIFTED + 1e-6
        if not (off & (weights < FIXED)).any():
            break
        wanted = np.where(off, np.clip(places[:, 1], goals - MOST_LIFTED, goals + MOST_LIFTED), wanted)
        weights = np.where(off, FIXED * np.sqrt(lengths), weights)
    return found[: 3 * count].reshape(-1, 3), np.split(places, np.cumsum([len(part) for part in spans])[:-1])


def _solved(
    legs: Sequence[Sequence[np.ndarray]], spans: Sequence[list[tuple[int, int]]],
    wanted: np.ndarray, weights: np.ndarray, fps: float,
) -> np.ndarray:  # fmt: skip
    """The body's way and then the places of all stands, whose heights are wanted with these weights."""
    count = len(legs[0][0])
    system, column = _Equations(), 3 * count
    for (hip, knee, ankle, toe), stands in zip(legs, spans, strict=True):
        line, costs = ankle - hip, _bend_costs(hip, knee, ankle)
        far = np.maximum(np.linalg.norm(line, axis=-1), 1e-6)
        for start, end in stands:
            t, still = np.arange(start, end), np.zeros(end - start, int)
            ways = [costs[t, None] * (line[t] / far[t, None]), *(1 / far[t, None] * axis for axis in np.eye(3))]
            for way in ways:  # (place - body - toe) . way is to be 0
                places = [(still + column + axis, way[:, axis]) for axis in range(3)]
                system.add(places + [(3 * t + axis, -way[:, axis]) for axis in range(3)], (toe[t] * way).sum(-1))
            column += 3
    at = 3 * count + 3 * np.arange(len(wanted)) + 1
    system.add([(at, weights)], weights * wanted)
    every, inner, by = np.arange(3 * count), np.arange(3, 3 * count - 3), JERKY * fps**2
    system.add([(every, np.full(len(every), ASTRAY))], np.zeros(len(every)))
    bent = [(inner + 3 * step, np.full(len(inner), by * w)) for step, w in ((-1, 1.0), (0, -2.0), (1, 1.0))]
    system.add(bent, np.zeros(len(inner)))
    return system.solved(column)


def _bend_costs(hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray) -> np.ndarray:
    """(T,) radians by which a knee bends for a metre along the line from hip to ankle."""
    upper, lower = knee - hip, ankle - knee
    sine = np.linalg.norm(np.cross(upper, lower), axis=-1)
    product = np.linalg.norm(upper, axis=-1) * np.linalg.norm(lower, axis=-1)
    return np.linalg.norm(ankle - hip, axis=-1) / np.maximum(np.maximum(sine, product * np.sin(STRAIGHT)), 1e-9)
