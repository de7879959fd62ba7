"""Prediction tasks, where one past has many futures: the error of the best of several, and how varied they are."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric, State, clip_of, merge_ids
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import check_batch, joints_of
from motion_platform.metrics.position import paired_joints


@dataclass
class GenerationsState(State):
    """One value or array for every prediction, several predictions a clip; rows: sample id -> tensor."""

    metric: _Generations
    rows: dict[str, Tensor] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        return set(self.rows)

    def merge(self, other: GenerationsState) -> GenerationsState:
        merge_ids(self.ids, other.ids)
        return GenerationsState(self.metric, {**self.rows, **other.rows})

    def subset(self, samples: set[str]) -> GenerationsState:
        return GenerationsState(self.metric, {sample: row for sample, row in self.rows.items() if sample in samples})

    def compute(self) -> dict[str, float]:
        """The mean over clips of the metric's number for one. Errors: DataError for a clip without all predictions."""
        clips: dict[str, list[Tensor]] = {}
        for sample in sorted(self.rows):
            clips.setdefault(clip_of(sample), []).append(self.rows[sample])
        for clip, values in clips.items():
            if len(values) != self.metric.generations:
                raise DataError(
                    f"{self.metric.name}: clip {clip!r} has {len(values)} predictions instead of "
                    f"{self.metric.generations}; make them, or set generations"
                )
        values = [self.metric.of_clip(torch.stack(clip)) for clip in clips.values()]
        return {self.metric.value_name: math.fsum(values) / len(values)}


class _Generations(Metric):
    """``generations``: predictions a clip. ``given``: part of the frames, from the first on, that the model was shown.

    They are left out, and so are the frames that the batch itself says were given (``batch.edit``).
    """

    unit = "m"
    needs = None

    def __init__(self, generations: int, given: float) -> None:
        if generations < 1:
            raise ValueError(f"generations: got {generations}; allowed: 1 or more")
        if not 0 <= given < 1:
            raise ValueError(f"given: got {given}; allowed: 0 up to, but not including, 1")
        self.generations, self.given = generations, given

    @property
    def value_name(self) -> str:
        """Under which name the number is returned."""
        return self.name if self.generations == 1 else f"{self.name}_best_of_{self.generations}"

    def future(self, joints: Tensor, batch: Batch, b: int) -> Tensor:
        """(T, J, 3) of row b -> (T', J * 3) without the frames that were given; the last one is always left."""
        made = torch.ones(len(joints), dtype=torch.bool)
        made[: int(self.given * len(joints))] = False
        if batch.edit is not None:
            made &= ~batch.edit.keep[b, : len(joints)].all(1).cpu()
        if not made.any():
            made[-1] = True
        return joints[made].flatten(1)

    @abstractmethod
    def of_clip(self, values: Tensor) -> float:
        """The number of one clip from its (K, ...) rows."""


class _BestOf(_Generations):
    higher_is_better = False

    def __init__(self, generations: int = 1, given: float = 0.0) -> None:
        super().__init__(generations, given)

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> GenerationsState:
        """Errors: see :func:`paired_joints`."""
        rows = {}
        pairs = paired_joints(prediction, batch, self.name)
        for b, (sample, (x, y)) in enumerate(zip(batch.ids, pairs, strict=True)):
            rows[sample] = self.error((self.future(x, batch, b) - self.future(y, batch, b)).norm(dim=-1))
        return GenerationsState(self, rows)

    @abstractmethod
    def error(self, distance: Tensor) -> Tensor:
        """Distances of poses (T',) -> the error of one prediction."""

    def of_clip(self, values: Tensor) -> float:
        return float(values.min())


class ADE(_BestOf):
    """Average displacement error: mean over frames of |x_t - y_t|, x_t all joints of a pose as one vector, in metres.

    The best of the predictions of a clip, mean over clips (Yuan and Kitani 2020, DLow, arXiv:2003.08386); global
    joints, root included. Lower is better. With several predictions the value is called ``ade_best_of_<K>``.
    """

    name = "ade"

    def error(self, distance: Tensor) -> Tensor:
        return distance.mean()


class FDE(_BestOf):
    """Final displacement error: as ``ade``, of the last frame alone, in metres. Lower is better.

    Yuan and Kitani 2020 (DLow, arXiv:2003.08386). ``fde_best_of_<K>`` with several predictions.
    """

    name = "fde"

    def error(self, distance: Tensor) -> Tensor:
        return distance[-1]


class APD(_Generations):
    """Average pairwise distance of the predictions of a clip: |X_i - X_j| over all frames and joints, in metres.

    Mean over the K (K - 1) / 2 pairs, then over clips (Yuan and Kitani 2020, DLow, arXiv:2003.08386); global
    joints, root included. Higher is more varied; read it beside ``ade``. It grows with the length of the clips.
    """

    name = "apd"
    higher_is_better = True

    def __init__(self, generations: int = 10, given: float = 0.0) -> None:
        if generations < 2:
            raise ValueError(f"generations: got {generations}; allowed: 2 or more, as it compares predictions")
        super().__init__(generations, given)

    @property
    def value_name(self) -> str:
        return self.name

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> GenerationsState:
        """Errors: DataError for a NaN in the prediction."""
        check_batch(prediction, batch, self.name)
        joints = enumerate(zip(batch.ids, joints_of(prediction), strict=True))
        return GenerationsState(self, {s: self.future(x, batch, b).flatten().float() for b, (s, x) in joints})

    def of_clip(self, values: Tensor) -> float:
        return float(torch.pdist(values.double()).mean())
