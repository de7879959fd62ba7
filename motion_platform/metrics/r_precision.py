"""Is a motion nearest to its own caption among the captions of others?"""

from __future__ import annotations

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.metrics.sets import Rows, SetMetric

TIE = 1e-12
"""Distances that differ by less than this part of the squared lengths are equal: it is rounding, not order."""


def draw_pools(samples: int, pool: int, seed: int) -> np.ndarray:
    """(number of whole pools, pool) positions in the sorted set: a permutation, cut; what is left over is in none."""
    order = np.random.RandomState(seed).permutation(samples)  # its stream is the same in every version of numpy
    return order[: samples // pool * pool].reshape(-1, pool)


def draw_unique_pools(captions: list[str], pool: int, seed: int) -> np.ndarray:
    """The same with no caption twice in a pool: the samples, laid out caption by caption, are dealt like cards.

    Captions and the samples of each come in a random order. A caption that is more frequent than there are pools can
    be in each only once: as few samples as possible are left out for that.
    """
    random = np.random.RandomState(seed)
    groups: dict[str, list[int]] = {}
    for i in random.permutation(len(captions)).tolist():
        groups.setdefault(" ".join(captions[i].lower().split()), []).append(i)
    pools = len(captions) // pool
    while pools > (most := sum(min(len(group), pools) for group in groups.values()) // pool):
        pools = most
    dealt = [i for group in groups.values() for i in group[:pools]]
    return np.array(dealt[: pools * pool], dtype=int).reshape(pool, pools).T


def hits(text: np.ndarray, motion: np.ndarray, top: int) -> np.ndarray:
    """(P, pool, E) of both -> (P, pool, top) in [0, 1]: is the own motion among the k nearest to a text?

    Motions at the same distance share the places they have together, so a model that answers every text with one
    motion gets chance, whichever way a sort would have gone.
    """
    squares = np.square(text).sum(-1)[:, :, None] + np.square(motion).sum(-1)[:, None, :]
    distances = squares - 2 * text @ motion.transpose(0, 2, 1)
    own = np.diagonal(distances, axis1=1, axis2=2)[:, :, None]
    slack = TIE * squares
    nearer = (distances < own - slack).sum(-1)[..., None]
    tied = (np.abs(distances - own) <= slack).sum(-1)[..., None]
    return np.clip((np.arange(1, top + 1) - nearer) / tied, 0, 1)


class RPrecision(SetMetric):
    """Part of the texts whose own motion is among the 1, 2 or 3 nearest of a pool (Euclidean distance).

    Guo et al. 2022 (Generating Diverse and Natural 3D Human Motions from Text). Pools of 32 are drawn from the sorted
    ids with the protocol's seed, never from the batches that happened to come. The last pool is dropped when it is not
    full; ``r_precision_left_out`` says how many samples that were. Values: ``r_precision_top_1``, ``_2``, ``_3``:
    ratios, higher is better, chance k / pool. Captions repeat in most data sets, so a wrong answer may be right: see
    ``r_precision_unique``.
    """

    name = "r_precision"
    unit = "ratio"
    higher_is_better = True
    needs = "text"

    def __init__(self, pool: int = 32, top: int = 3, seed: int = 0) -> None:
        if not 1 <= top < pool:
            raise ValueError(f"top: got {top}; allowed: 1 to {pool - 1} in pools of {pool}")
        self.pool, self.top, self.seed = pool, top, seed

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("samples", None) if value.endswith("_left_out") else super().about(value)

    def pools(self, rows: Rows) -> np.ndarray:
        """(P, pool) positions in the sorted set."""
        return draw_pools(len(rows.ids), self.pool, self.seed)

    def measure(self, rows: Rows) -> dict[str, float]:
        pools = self.pools(rows)
        if not len(pools):
            raise DataError(self._too_few(rows))
        found = hits(rows.text[pools], rows.motion[pools], self.top)
        found[rows.wordless()[pools]] = 0.0  # a caption that says nothing finds nothing
        right = found.mean((0, 1))
        values = {f"{self.name}_top_{k + 1}": float(right[k]) for k in range(self.top)}
        return values | {f"{self.name}_left_out": float(len(rows.ids) - pools.size)}

    def _too_few(self, rows: Rows) -> str:
        return (
            f"{self.name}: {len(rows.ids)} samples do not fill one pool of {self.pool}; take more samples; "
            "multimodal_distance is still valid"
        )


class RPrecisionUnique(RPrecision):
    """R-precision in pools in which no caption comes twice: every answer but the own motion is wrong.

    Formula, unit and direction as ``r_precision``. Captions are equal when they are so in lower case and single
    spaces. 63 % of the HumanML3D test captions are shared with another motion (MRBench), so this number is
    higher than ``r_precision`` and cannot be compared with it.
    """

    name = "r_precision_unique"

    def pools(self, rows: Rows) -> np.ndarray:
        if rows.captions is None:
            raise DataError(f"{self.name}: the captions themselves are not there; use r_precision")
        return draw_unique_pools(rows.captions, self.pool, self.seed)

    def _too_few(self, rows: Rows) -> str:
        different = len({" ".join(caption.lower().split()) for caption in rows.captions})
        return (
            f"{self.name}: {len(rows.ids)} samples with {different} different captions do not fill one pool of "
            f"{self.pool}; take more captions or a smaller pool; multimodal_distance is still valid"
        )
