"""Mean and standard deviation of features, gathered clip by clip in float64."""

from __future__ import annotations

import numpy as np

from motion_platform.motion.representations import Representation


class Statistics:
    """Mean (D,) and std (D,) over all frames of the clips that were added.

    Clips are merged with the parallel update of Chan, Golub and LeVeque (1979), which loses no digits when the mean is
    far from zero. What models divide by is for the representation to say (``Representation.deviations``).
    """

    def __init__(self, representation: Representation) -> None:
        self.representation = representation
        self.clips = self.frames = 0
        self.mean = np.zeros(representation.dim)
        self.squares = np.zeros(representation.dim)

    def add(self, features: np.ndarray) -> None:
        """(T, D) features of one clip."""
        x = features.astype(np.float64)
        mean = x.mean(0)
        self.merge(1, len(x), mean, ((x - mean) ** 2).sum(0))

    def merge(self, clips: int, frames: int, mean: np.ndarray, squares: np.ndarray) -> None:
        """What was gathered elsewhere: mean (D,), squares (D,) the sum of squared differences from it."""
        if not frames:
            return
        total = self.frames + frames
        difference = mean - self.mean
        self.squares += squares + difference**2 * (self.frames * frames / total)
        self.mean += difference * (frames / total)
        self.frames, self.clips = total, self.clips + clips

    def result(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(mean, std that models divide by, std of each column), all (D,) float64; every std is above 0."""
        per_column = np.sqrt(self.squares / max(self.frames, 1))
        return self.mean.copy(), self.representation.deviations(per_column), per_column
