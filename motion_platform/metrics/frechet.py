"""How far the distribution of predictions is from that of real motion: the Frechet distance of two Gaussians.

The papers' name for it is FID. Two numbers with two names: ``frechet`` on the embeddings as they are, which is what
every paper of the field reports, and ``frechet_normalised`` on embeddings of length 1, which some platforms report
under the name FID and which cannot be compared with it.
"""

from __future__ import annotations

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.metrics.sets import Rows, SetMetric


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Squared Frechet distance of the Gaussians fitted to (n, E) and (m, E) samples, in float64.

    |mean_x - mean_y|^2 + tr C_x + tr C_y - 2 tr (C_x C_y)^(1/2), C with n - 1 in the denominator (Dowson and Landau
    1982; Heusel et al. 2017, arXiv:1706.08500, equation 6). With the triangular R of centred samples, C = R^T R, the
    last trace is the sum of the singular values of R_x R_y^T. This never forms a covariance nor its square root, so
    no digits are lost, and nothing has to be added to a diagonal.
    """
    mean_x, root_x = _root(x)
    mean_y, root_y = _root(y)
    mixed = np.linalg.svd(root_x @ root_y.T, compute_uv=False).sum()
    distance = np.square(mean_x - mean_y).sum() + np.square(root_x).sum() + np.square(root_y).sum() - 2 * mixed
    return max(float(distance), 0.0)


def gaussian_frechet_distance(mean_x: np.ndarray, cov_x: np.ndarray, mean_y: np.ndarray, cov_y: np.ndarray) -> float:
    """The same from means (E,) and covariances (E, E), for published statistics. Errors: DataError for bad ones."""
    roots = []
    for cov in (cov_x, cov_y):
        values, vectors = np.linalg.eigh(np.asarray(cov, np.float64))
        if values[0] < -1e-6 * max(values[-1], 1e-300):
            raise DataError(
                f"frechet: a covariance has the negative eigenvalue {values[0]:.3g}; its statistics are bad"
            )
        roots.append(np.sqrt(values.clip(min=0))[:, None] * vectors.T)
    mixed = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    between = np.square(np.asarray(mean_x, np.float64) - mean_y).sum()
    return max(float(between + sum(np.square(root).sum() for root in roots) - 2 * mixed), 0.0)


def _root(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (E,) and R (min(n, E), E) with R^T R the covariance."""
    x = np.asarray(x, np.float64)
    mean = x.mean(0)
    return mean, np.linalg.qr((x - mean) / np.sqrt(len(x) - 1), mode="r")


class Frechet(SetMetric):
    """Frechet distance ("FID") of predictions and real motions in a space; embeddings as they are.

    Formula and source: :func:`frechet_distance`; for motion, Guo et al. 2022 (Generating Diverse and Natural 3D Human
    Motions from Text). Unit: squared embedding units. Lower is better; two halves of real data show what
    0 looks like. More samples than dimensions are needed: with fewer both covariances are singular, and the number
    depends on the size of the set more than on the motions. It falls with the size of the set, so compare only sets
    of the same size. ``frechet_floor``: what two sets of as many samples of the Gaussian of the real set have between
    them, in the mean of four draws: a number near it is as good as real motion looks at this size
    (with hardly more samples than dimensions the true floor is up to half as much again).
    """

    name = "frechet"
    unit = "squared embedding units"
    higher_is_better = False
    needs = "truth"

    def measure(self, rows: Rows) -> dict[str, float]:
        samples, dimensions = rows.motion.shape
        if samples <= dimensions:
            raise DataError(
                f"{self.name}: {samples} samples of {dimensions} dimensions: the covariances are singular; take more "
                f"than {dimensions} samples; r_precision, multimodal_distance, diversity and manifold are still valid"
            )
        return {self.name: self.distance(rows.motion, rows.truth)}

    def beside(self, rows: Rows) -> dict[str, float]:
        return {f"{self.name}_floor": self.floor(rows.truth)}

    def about(self, value: str) -> tuple[str, bool | None]:
        return (self.unit, None) if value.endswith("_floor") else super().about(value)

    def floor(self, truth: np.ndarray, draws: int = 4) -> float:
        """The mean distance of two sets that are as large as the real one and from its Gaussian, over ``draws``."""
        mean, root = _root(truth)
        random = np.random.RandomState(0)
        sets = [[random.standard_normal((len(truth), len(root))) @ root + mean for _ in range(2)] for _ in range(draws)]
        return float(np.mean([self.distance(*pair) for pair in sets]))

    def distance(self, motion: np.ndarray, truth: np.ndarray) -> float:
        return frechet_distance(motion, truth)


class FrechetNormalised(Frechet):
    """Frechet distance of embeddings scaled to length 1. NOT the FID of the papers: never compare the two.

    Formula as ``frechet`` after x / |x|; reported under the name FID by Motius (2026). Unit: none, from 0 to 4. Lower
    is better. The same condition on the number of samples.
    """

    name = "frechet_normalised"
    unit = "squared distance on the unit sphere"

    def distance(self, motion: np.ndarray, truth: np.ndarray) -> float:
        return frechet_distance(self._scaled(motion), self._scaled(truth))

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(x, axis=1, keepdims=True)
        if not length.all():
            raise DataError(f"{self.name}: an embedding of length 0 has no direction; use frechet")
        return x / length
