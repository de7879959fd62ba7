"""What the metrics share: joints of a prediction, and a state of sums and weights that knows whom it has counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from motion_platform.core.contracts import State, merge_ids
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton


def joints_of(prediction: Motion) -> list[Tensor]:
    """B tensors (T_b, J, 3) float64: joint positions in metres without padding, Y up, floor at 0."""
    x = torch.where(prediction.mask[..., None], prediction.x, prediction.x.new_zeros(()))
    joints = get_representation(prediction.spec.representation).decode(x.detach().double().cpu())
    return [joints[b, :length] for b, length in enumerate(prediction.lengths.tolist())]


def joint_indices(prediction: Motion, names: list[str]) -> list[int]:
    """Positions of joints by name in the prediction's skeleton. Errors: DataError for a body without one of them."""
    skeleton = get_skeleton(prediction.spec.skeleton)
    missing = [name for name in names if name not in skeleton.joints]
    if missing:
        raise DataError(f"the motions are of skeleton {skeleton.name}, which has no joint {missing[0]}")
    return [skeleton.index(name) for name in names]


def check_batch(prediction: Motion, batch: Batch, where: str, what: str = "prediction") -> None:
    """Errors: DataError unless there is one id for every motion, each id once, and every real frame is finite."""
    if len(batch.ids) != len(prediction.lengths):
        raise DataError(f"{where}: {len(prediction.lengths)} motions but {len(batch.ids)} sample ids")
    if len(set(batch.ids)) != len(batch.ids):
        twice = sorted(i for i in set(batch.ids) if batch.ids.count(i) > 1)
        raise DataError(f"{where}: samples counted twice: {', '.join(twice[:3])}")
    finite = torch.isfinite(prediction.x).all(-1) | ~prediction.mask
    if not finite.all():
        sample = batch.ids[int((~finite).any(1).nonzero()[0])]
        raise DataError(f"{where}: the {what} for {sample!r} has a NaN or infinite value")


@dataclass
class RatioState(State):
    """Every value is a sum over samples divided by a sum of weights over the same samples (a pooled mean).

    rows: sample id -> {value name: (sum, weight)}. Weight 1 a sample gives the mean over samples; weight = number of
    frames gives the mean over all frames. Sums are exact (``math.fsum``), so neither order nor sharding changes a bit.
    """

    rows: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for sample, values in self.rows.items():
            for name, pair in values.items():
                if not all(math.isfinite(number) for number in pair):
                    raise DataError(f"{name}: sample {sample!r} has a NaN or infinite value")

    @property
    def ids(self) -> set[str]:
        return set(self.rows)

    def merge(self, other: RatioState) -> RatioState:
        merge_ids(self.ids, other.ids)
        return RatioState({**self.rows, **other.rows})

    def subset(self, samples: set[str]) -> RatioState:
        return RatioState({sample: values for sample, values in self.rows.items() if sample in samples})

    def compute(self) -> dict[str, float]:
        """{name: value}; a name about which no sample says anything (total weight 0) is left out.

        Errors: DataError when there are no samples.
        """
        if not self.rows:
            raise DataError("metric: no samples; there is nothing to average")
        names = dict.fromkeys(name for values in self.rows.values() for name in values)
        result = {}
        for name in names:
            pairs = [values[name] for values in self.rows.values() if name in values]
            weight = math.fsum(pair[1] for pair in pairs)
            if weight > 0:
                result[name] = math.fsum(pair[0] for pair in pairs) / weight
        return result
