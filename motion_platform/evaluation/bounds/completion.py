"""Completing a motion without a model: stand still, go straight on, or draw a line between what is given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.core.tasks import Task
from motion_platform.evaluation.sources import Source
from motion_platform.evaluation.testset import Item, TestSet
from motion_platform.motion.representations import get_representation


class Completion(Source):
    """Joints (T, J, 3) of the given frames are filled up by :meth:`fill`, in the world, and encoded again."""

    kind = "bound"
    fixed = True

    @classmethod
    def suits(cls, task: Task) -> bool:
        return task.keep is not None

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self.spec = test.spec

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        """Errors: DataError for a batch without given frames, or for a frame of which only a part is given."""
        if batch.edit is None:
            raise DataError(f"{self.name}: nothing of the motions is given; this bound completes motions")
        representation = get_representation(self.spec.representation)
        x = torch.zeros(len(batch.ids), int(batch.lengths.max()), self.spec.dim)
        for b, length in enumerate(batch.lengths.tolist()):
            given = batch.edit.keep[b, :length]
            if bool((given.any(-1) != given.all(-1)).any()):
                raise DataError(f"{self.name}: only whole frames can be given to this bound")
            joints = representation.decode(batch.edit.x[b, :length].double()).numpy()
            filled = self.fill(joints, given.all(-1).numpy())
            # T frames of features are made of T + 1 poses: the last one goes on as before
            ahead = 2 * filled[-1] - filled[-2] if length > 1 else filled[-1]
            x[b, :length] = torch.from_numpy(representation.encode(np.concatenate([filled, ahead[None]])))
        return Motion(x, batch.lengths, self.spec)

    @abstractmethod
    def fill(self, joints: np.ndarray, given: np.ndarray) -> np.ndarray:
        """(T, J, 3) with the frames that are not given (T,) made; nothing is read of them."""


class RepeatLastPose(Completion):
    """Every missing frame is the given frame before it (the next one where there is none): the zero-velocity baseline.

    Martinez et al. 2017 (arXiv:1705.02445, section 3.1), who found that it beat the networks of its time.
    """

    name = "repeat last pose"

    def fill(self, joints: np.ndarray, given: np.ndarray) -> np.ndarray:
        return joints[last_given(given)]


class ConstantVelocity(Completion):
    """Every joint goes on in a straight line, with the step between the last two given frames.

    Frames before the first given one go back along its first step; a single given frame has no step and is repeated.
    """

    name = "constant velocity"

    def fill(self, joints: np.ndarray, given: np.ndarray) -> np.ndarray:
        place, last = np.arange(len(joints)), last_given(given)
        other = np.where(place >= last, last - 1, last + 1)  # the neighbour that the step is taken from
        known = (other >= 0) & (other < len(joints))
        known[known] = given[other[known]]
        step = joints[last] - joints[np.where(known, other, last)]
        return joints[last] + step * np.abs(place - last)[:, None, None]


class ConstantRootVelocity(Completion):
    """The last given pose glides on with the last step of its root on the floor: what inertia does, and no limb."""

    name = "constant root velocity"

    def fill(self, joints: np.ndarray, given: np.ndarray) -> np.ndarray:
        straight, still = ConstantVelocity().fill(joints, given), joints[last_given(given)]
        way = (straight - still)[:, :1] * (1, 0, 1)
        return still + way


class StraightLines(Completion):
    """Every joint moves in a straight line from one given frame to the next, and stands still outside them."""

    name = "straight lines"

    @classmethod
    def suits(cls, task: Task) -> bool:
        return task.keep is not None and task.keep.how in ("in_between", "key_poses")

    def fill(self, joints: np.ndarray, given: np.ndarray) -> np.ndarray:
        place, known = np.arange(len(joints)), np.flatnonzero(given)
        flat = joints.reshape(len(joints), -1)
        return np.stack([np.interp(place, known, column[known]) for column in flat.T], -1).reshape(joints.shape)


def last_given(given: np.ndarray) -> np.ndarray:
    """(T,) for every frame the number of the last given one up to it, or of the first given one before that."""
    place = np.where(given, np.arange(len(given)), -1)
    last = np.maximum.accumulate(place)
    return np.where(last < 0, int(np.argmax(given)), last)
