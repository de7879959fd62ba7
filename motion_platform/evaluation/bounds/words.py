"""The rows to read captions and lengths against: what people said, and what can be said without looking closely."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch
from motion_platform.core.seeding import seed_of
from motion_platform.core.tasks import Task
from motion_platform.evaluation.processes import share
from motion_platform.evaluation.sources import Source
from motion_platform.evaluation.testset import Item, TestSet, training_rows


class RealCaptions(Source):
    """A person's own words: the last caption of the clip, judged against its other ones.

    A clip with a single caption is compared with itself, which says nothing; data sets of captions have several.
    """

    name = "real captions"
    kind = "truth"
    fixed = True

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> list[str]:
        """Errors: DataError for a clip without a caption."""
        for sample, said in zip(batch.ids, batch.captions or [[]] * len(batch.ids), strict=True):
            if not said:
                raise DataError(f"{self.name}: clip {sample!r} has no caption; it can be compared with nothing")
        return [said[-1] for said in batch.captions]

    def judged(self, batch: Batch) -> Batch:
        return replace(batch, captions=[said[:-1] or said for said in batch.captions])


class _OfTraining(Source):
    """Says the first caption of a training clip, whichever :meth:`choose` takes."""

    kind = "bound"

    @classmethod
    def suits(cls, task: Task) -> bool:
        return task.writes == "captions"

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self.test = test
        self.train = [row for row in training_rows(test) if test.dataset.captions(row)[0]]
        if not self.train:
            raise DataError(f"{self.name}: the training clips have no captions; leave this bound out")

    @abstractmethod
    def choose(self, row: int, seed: int) -> int:
        """A training row for a test row."""

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> list[str]:
        return [self.test.dataset.captions(self.choose(row, seed))[0][0] for row, _ in items]


class RandomCaption(_OfTraining):
    """The caption of a random training clip: grammar without eyes."""

    name = "random training caption"

    def choose(self, row: int, seed: int) -> int:
        return self.train[seed_of(seed, self.test.dataset.id(row), self.name) % len(self.train)]


class NearestMotion(_OfTraining):
    """The caption of the training clip that moves most alike: mean and standard deviation of every normalised feature
    over the frames, Euclidean distance. No network; a captioner below it has not learned to look."""

    name = "nearest training motion"
    fixed = True

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        super().prepare(test, rank, world)
        self.nearest = share(self._search, rank, world)

    def _search(self) -> dict[int, int]:
        known = torch.stack([self._summary(row) for row in self.train])
        found = {}
        for row in self.test.rows:
            found[row] = self.train[int(((known - self._summary(row)) ** 2).sum(1).argmin())]
        return found

    def _summary(self, row: int) -> Tensor:
        """(2 D,) of a clip, as far as it is seen."""
        x = torch.tensor(self.test.dataset.features(row)[: self.test.frames(row)])
        x = self.test.spec.normalise(x)
        return torch.cat([x.mean(0), x.std(0, correction=0)])

    def choose(self, row: int, seed: int) -> int:
        return self.nearest[row]


class RealLengths(Source):
    """How long the clips are."""

    name = "real lengths"
    kind = "truth"
    fixed = True

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Tensor:
        return batch.lengths


class MedianLength(Source):
    """The median length of the training clips, whatever was asked for: the best answer of who does not read."""

    name = "median training length"
    kind = "bound"
    fixed = True

    @classmethod
    def suits(cls, task: Task) -> bool:
        return task.writes == "lengths"

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self.frames = float(np.median([test.frames(row) for row in training_rows(test)]))

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Tensor:
        return torch.full((len(batch.ids),), self.frames)


class ContentLength(MedianLength):
    """The median length of the training clips whose content label is the one asked for; of all, where there is none."""

    name = "median length of the content"

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        super().prepare(test, rank, world)
        rows = training_rows(test)
        contents = [test.dataset.labels(row).get("content") for row in rows]
        self.of = {}
        for content in Counter(contents):
            frames = [test.frames(row) for row, other in zip(rows, contents, strict=True) if other == content]
            self.of[content] = float(np.median(frames))

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Tensor:
        labels = batch.labels or [{}] * len(batch.ids)
        return torch.tensor([self.of.get(of.get("content"), self.frames) for of in labels])
