"""What metrics of a whole set share: embeddings gathered batch by batch, merged, and put in the order of their ids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric, State, merge_ids
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import check_batch


@dataclass
class Rows:
    """A set, sorted by id. motion, truth, text: (n, E) float64, or None where the metric does not read it.

    captions: n sentences, where known. sentences: (n, S) float64, what a language model makes of the captions.
    """

    ids: list[str]
    motion: np.ndarray
    truth: np.ndarray | None = None
    text: np.ndarray | None = None
    captions: list[str] | None = None
    sentences: np.ndarray | None = None

    def wordless(self) -> np.ndarray:
        """(n,) where a caption says nothing."""
        return np.array([not caption.strip() for caption in self.captions or [" x"] * len(self.ids)], bool)

    def take(self, chosen: Sequence[int]) -> Rows:
        """The members at these positions, in that order; a position may stand there more than once."""
        arrays = {name: None if getattr(self, name) is None else getattr(self, name)[chosen] for name in ARRAYS}
        captions = None if self.captions is None else [self.captions[i] for i in chosen]
        return Rows([self.ids[i] for i in chosen], captions=captions, **arrays)


ARRAYS = ("motion", "truth", "text", "sentences")


@dataclass
class SetState(State):
    """Embeddings of the batches seen so far, kept as they came (float32 takes 2 KB a sample of 512 numbers).

    The set is put in the order of its ids and into float64 before anything is computed, so that neither the size of
    the batches nor the number of processes changes a number.
    """

    metric: SetMetric
    chunks: list[Rows] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    whole: bool = True

    def merge(self, other: SetState) -> SetState:
        """Errors: DataError for a sample counted twice, or for embeddings of two different spaces."""
        ids = merge_ids(self.ids, other.ids)
        for name in ARRAYS:
            mine, theirs = (getattr(state.chunks[0], name) for state in (self, other))
            if (mine is None) != (theirs is None) or (mine is not None and mine.shape[1] != theirs.shape[1]):
                raise DataError(f"{self.metric.name}: cannot merge states of two different spaces ({name} embeddings)")
        return SetState(self.metric, self.chunks + other.chunks, ids)

    def rows(self) -> Rows:
        """The whole set, sorted by id."""
        ids = [sample for chunk in self.chunks for sample in chunk.ids]
        order = sorted(range(len(ids)), key=ids.__getitem__)
        arrays = {}
        for name in ARRAYS:
            parts = [getattr(chunk, name) for chunk in self.chunks]
            arrays[name] = None if parts[0] is None else np.concatenate(parts)[order].astype(np.float64)
        captions = None
        if all(chunk.captions is not None for chunk in self.chunks):
            captions = [caption for chunk in self.chunks for caption in chunk.captions]
            captions = [captions[i] for i in order]
        return Rows([ids[i] for i in order], captions=captions, **arrays)

    def subset(self, samples: set[str]) -> SetState:
        rows = self.rows()
        kept = rows.take([i for i, sample in enumerate(rows.ids) if sample in samples])
        return SetState(self.metric, [kept], set(kept.ids), whole=False)

    def compute(self) -> dict[str, float]:
        rows = self.rows()
        return self.metric.measure(rows) | (self.metric.beside(rows) if self.whole else {})


class SetMetric(Metric):
    """A number about a set of embeddings as a whole."""

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> SetState:
        """Errors: DataError for missing embeddings, or a NaN in them or in the prediction."""
        check_batch(prediction, batch, self.name)
        if embeddings is None or embeddings.motion is None:
            raise DataError(f"{self.name}: no embeddings; it needs a space that embeds motion")
        arrays = {"motion": self._array(embeddings.motion, "motion", batch)}
        if self.needs == "truth":
            if embeddings.truth is None:
                raise DataError(f"{self.name}: no embeddings of the real motions; the data set must hold them")
            arrays["truth"] = self._array(embeddings.truth, "truth", batch)
        if self.needs == "text":
            if embeddings.text is None:
                raise DataError(f"{self.name}: no embeddings of the captions; it needs a space that embeds text")
            arrays["text"] = self._array(embeddings.text, "text", batch)
            if arrays["text"].shape != arrays["motion"].shape:
                raise DataError(
                    f"{self.name}: text has {arrays['text'].shape[1]} dimensions and motion "
                    f"{arrays['motion'].shape[1]}; both must be of one space"
                )
        captions = embeddings.captions if self.needs == "text" else None
        if captions is not None:
            check_captions(captions, batch, self.name)
        return SetState(self, [Rows(list(batch.ids), captions=captions, **arrays)], set(batch.ids))

    @abstractmethod
    def measure(self, rows: Rows) -> dict[str, float]:
        """{name: value} of the whole set. Errors: DataError for a set that is too small, and what is valid then."""

    def beside(self, rows: Rows) -> dict[str, float]:
        """{name: value} that helps to read the number, of a whole set and not of its subsets."""
        return {}

    def _array(self, values: Tensor, what: str, batch: Batch) -> np.ndarray:
        array = values.detach().cpu().numpy()
        if array.ndim != 2 or len(array) != len(batch.ids):
            raise DataError(f"{self.name}: {what} embeddings are {array.shape}, but the batch has {len(batch.ids)} ids")
        finite = np.isfinite(array).all(1)
        if not finite.all():
            sample = batch.ids[int(np.argmin(finite))]
            raise DataError(f"{self.name}: the {what} embedding of {sample!r} has a NaN or infinite value")
        return array


def check_captions(captions: list[str], batch: Batch, where: str) -> None:
    """Errors: DataError unless there is one caption for every id. One without words is a caption that says nothing."""
    if len(captions) != len(batch.ids):
        raise DataError(f"{where}: {len(captions)} captions but {len(batch.ids)} sample ids")
