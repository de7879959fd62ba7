"""Mean and standard deviation of features, gathered clip by clip in float64."""

from __future__ import annotations

import numpy as np

from motion_platform.motion.representations import Representation

SMALLEST_STD = 1e-6
"""A group that never moves gets std 1: it is left as it is instead of being blown up."""


class Statistics:
    """Mean (D,) and std (D,) over all frames of the clips that were added.

    Clips are merged with the parallel update of Chan, Golub and LeVeque (1979), which loses no digits when the mean is
    far from zero. The std that models use is averaged within feature groups (HumanML3D's ``cal_mean_variance``): all
    joint positions share one std, all rotations, all velocities, all contacts; of the root, the turning speed, the two
    planar velocities and the height have one each. Otherwise a joint that hardly moves would weigh as much as a hand.
    """

    def __init__(self, representation: Representation) -> None:
        self.representation = representation
        self.clips = self.frames = 0
        self.mean = np.zeros(representation.dim)
        self.squares = np.zeros(representation.dim)

    def add(self, features: np.ndarray) -> None:
        """(T, D) features of one clip."""
        x = features.astype(np.float64)
        n, mean = len(x), x.mean(0)
        total = self.frames + n
        difference = mean - self.mean
        self.squares += ((x - mean) ** 2).sum(0) + difference**2 * (self.frames * n / total)
        self.mean += difference * (n / total)
        self.frames, self.clips = total, self.clips + 1

    def result(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(mean, std averaged within groups, std of each column), all (D,) float64; every std is above 0."""
        per_column = np.sqrt(self.squares / max(self.frames, 1))
        std = per_column.copy()
        for columns in self.groups():
            average = per_column[columns].mean()
            std[columns] = average if average > SMALLEST_STD else 1.0
        return self.mean.copy(), std, per_column

    def groups(self) -> list[slice]:
        """Columns that share one std."""
        found = []
        for name, columns in self.representation.groups.items():
            if name == "root" and columns.stop - columns.start == 4:
                at = columns.start  # turning speed | velocity x, z | height
                found += [slice(at, at + 1), slice(at + 1, at + 3), slice(at + 3, at + 4)]
            else:
                found.append(columns)
        return found
