"""Fidelity and variety apart: are predictions where real motions are, and are real motions where predictions are?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.metrics.sets import Rows, SetMetric

BLOCK = 1024


class Manifold(SetMetric):
    """Precision, recall, density and coverage with balls that reach to the k-th nearest neighbour of the same set.

    B(x) is the open ball around x that reaches to its k-th nearest other member of its set.
    ``manifold_precision_k3``: part of the predictions in the ball of any real motion; ``manifold_recall_k3``: part of
    the real motions in the ball of any prediction (Kynkaanniemi et al. 2019, arXiv:1904.06991, equations 1 and 2).
    ``manifold_density_k5``: balls of real motions that a prediction lies in, / k, mean (may exceed 1);
    ``manifold_coverage_k5``: part of the real motions with a prediction in their ball (Naeem et al. 2020,
    arXiv:2002.09797). Unit: ratio; higher is better. The name says k.
    """

    name = "manifold"
    unit = "ratio"
    higher_is_better = True
    needs = "truth"

    def __init__(self, precision_k: int = 3, coverage_k: int = 5) -> None:
        for setting, k in (("precision_k", precision_k), ("coverage_k", coverage_k)):
            if k < 1:
                raise ValueError(f"{setting}: got {k}; allowed: 1 or more")
        self.precision_k, self.coverage_k = precision_k, coverage_k

    def measure(self, rows: Rows) -> dict[str, float]:
        largest = max(self.precision_k, self.coverage_k)
        if len(rows.ids) <= largest:
            raise DataError(f"{self.name}: {len(rows.ids)} samples have no {largest}-th neighbour; take more samples")
        for what, x in (("real motions", rows.truth), ("predictions", rows.motion)):
            if not (x != x[:1]).any():
                raise DataError(f"{self.name}: all {what} have the same embedding, so balls have no size")
        ks = (self.precision_k, self.coverage_k)
        real_precision, real_coverage = _radii(rows.truth, ks)
        (made,) = _radii(rows.motion, (self.precision_k,))
        n = len(rows.ids)
        in_real = np.zeros(n, dtype=bool)  # by prediction
        in_made, covered = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)  # by real motion
        inside = 0
        for part, squares in _squares(rows.truth, rows.motion):  # (real motions of the block, predictions)
            in_real |= (squares < real_precision[part, None]).any(0)
            in_made[part] = (squares < made[None, :]).any(1)
            ball = squares < real_coverage[part, None]
            covered[part] = ball.any(1)
            inside += int(ball.sum())
        return {
            f"{self.name}_precision_k{self.precision_k}": float(in_real.mean()),
            f"{self.name}_recall_k{self.precision_k}": float(in_made.mean()),
            f"{self.name}_density_k{self.coverage_k}": inside / (self.coverage_k * n),
            f"{self.name}_coverage_k{self.coverage_k}": float(covered.mean()),
        }


def _squares(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances (block of x, all of y), block by block: 30,000 samples never make a square matrix."""
    lengths = np.square(y).sum(1)
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        squares = np.square(block).sum(1)[:, None] + lengths[None, :]
        distances = squares - 2 * block @ y.T
        distances[distances < 1e-14 * squares] = 0.0  # equal vectors, up to rounding
        yield slice(start, start + len(block)), distances


def _radii(x: np.ndarray, ks: tuple[int, ...]) -> list[np.ndarray]:
    """Squared distance of every row to its k-th nearest other row, for each k."""
    radii = np.empty((len(ks), len(x)))
    for part, squares in _squares(x, x):
        squares[np.arange(len(squares)), np.arange(part.start, part.stop)] = np.inf
        nearest = np.partition(squares, [k - 1 for k in ks], axis=1)
        radii[:, part] = nearest[:, [k - 1 for k in ks]].T
    return list(radii)
