"""The rows to read a model's row against: real motion, and what can be had without a model.

A metric that gives one of the poor ones a good number does not measure what it should; a model that is no better than
the nearest neighbour has learned to look things up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from motion_platform.core import tasks
from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.core.schema import Batch, Motion
from motion_platform.core.seeding import seed_of
from motion_platform.core.tasks import Task
from motion_platform.evaluation.bounds import completion as bounds_completion
from motion_platform.evaluation.bounds import sound as bounds_sound
from motion_platform.evaluation.bounds import words as bounds_words
from motion_platform.evaluation.processes import share
from motion_platform.evaluation.sources import Source
from motion_platform.evaluation.testset import Item, TestSet, training_rows
from motion_platform.model import points
from motion_platform.model.run import load_run
from motion_platform.motion.representations import get_representation

TIE = 1e-6
"""Cosines that differ by less are of the same sentence."""


class RealMotion(Source):
    """The clips themselves: what perfect looks like."""

    name = "real motion"
    kind = "truth"
    fixed = True

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        return batch.motion


class ShuffledCaptions(RealMotion):
    """Real motion, asked for with the captions and labels of other clips: chance, for every metric of meaning."""

    name = "shuffled captions"
    kind = "bound"
    fixed = False

    @classmethod
    def suits(cls, task: Task) -> bool:
        return _of_meaning(task)

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self.rows = test.rows

    def asked(self, rows: Sequence[int], seed: int) -> list[int]:
        """Every clip's captions go to another clip (one cycle through all of them, Sattolo 1986)."""
        order = np.random.RandomState(seed % 2**32).permutation(len(self.rows))
        following = {self.rows[a]: self.rows[b] for a, b in zip(order, np.roll(order, -1), strict=True)}
        return [following[row] for row in rows]


class RandomClip(Source):
    """A clip of the training split, drawn at random, cut to the length asked for: motion as real as it gets, blind."""

    name = "random training clip"
    kind = "bound"
    whole = False  # as long as the clip is, not cut to what is asked for

    @classmethod
    def suits(cls, task: Task) -> bool:
        return not _words_or_lengths(task)

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        self.test = test
        self.train = training_rows(test)
        self.frames = test.dataset.frames[self.train]

    def choose(self, row: int, frames: int, seed: int) -> int:
        """A training row for a test row: one that is long enough, or the longest."""
        long = np.flatnonzero(self.frames >= frames)
        if not len(long):
            return int(np.argmax(self.frames))
        return int(long[seed_of(seed, self.test.dataset.id(row), self.name) % len(long)])

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        chosen = [
            self.train[self.choose(row, int(length), seed)]
            for (row, _), length in zip(items, batch.lengths.tolist(), strict=True)
        ]
        lengths = torch.tensor([self.test.frames(row) for row in chosen]) if self.whole else batch.lengths
        return cut_clips(self.test, chosen, lengths)


class SearchedClip(RandomClip):
    """A clip of the training split that is searched for once, before anything is made."""

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        super().prepare(test, rank, world)
        self.nearest = share(self._search, rank, world)

    @abstractmethod
    def _search(self) -> dict[int, Any]:
        """test row -> what was found."""


class SameLabels(RandomClip):
    """A clip of the training split with the same labels, whole: what looking up the kind would give.

    A clip without labels, or whose labels no training clip has, gets one of those that have none, else any. A model
    whose Frechet distance is above this one's is further from real motion than other takes of the same kind are.
    """

    name = "training clip of the same labels"
    whole = True

    @classmethod
    def suits(cls, task: Task) -> bool:
        return _of_meaning(task)

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        super().prepare(test, rank, world)
        self.of: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for position, row in enumerate(self.train):
            self.of.setdefault(self._labels(row), []).append(position)

    def _labels(self, row: int) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(self.test.dataset.labels(row).items()))

    def choose(self, row: int, frames: int, seed: int) -> int:
        near = self.of.get(self._labels(row)) or self.of.get(()) or list(range(len(self.train)))
        return near[seed_of(seed, self.test.dataset.id(row), self.name) % len(near)]


class NearestCaption(SearchedClip):
    """The training clip whose caption is most like the one asked for (cosine of sentence embeddings).

    Clips with an equally near caption are drawn from. All first captions of the split are compared. The clip is cut to
    the length asked for, and stays shorter where it is.
    """

    name = "nearest training caption"

    @classmethod
    def suits(cls, task: Task) -> bool:
        return _of_meaning(task) and "text" in task.reads.values()

    def _search(self) -> dict[int, list[int]]:
        """test row -> positions in ``self.train`` of the clips with the nearest caption."""

        def first(rows: Sequence[int]) -> list[str]:
            captions = [self.test.dataset.captions(row)[0][:1] for row in rows]
            return [said[0] if said else "" for said in captions]

        asked, known = first(self.test.rows), first(self.train)
        if not any(known):
            raise DataError(f"{self.name}: the training clips have no captions; leave this bound out")
        found = nearest_captions(asked, known)
        return {row: found[text] for row, text in zip(self.test.rows, asked, strict=True)}

    def choose(self, row: int, frames: int, seed: int) -> int:
        near = self.nearest[row]
        return near[seed_of(seed, self.test.dataset.id(row), self.name) % len(near)]


def nearest_captions(asked: Sequence[str], known: Sequence[str]) -> dict[str, list[int]]:
    """Text -> the places in ``known`` of the captions most like it: cosine of sentence embeddings, ties (``TIE``)
    together. An empty text is like all; an empty caption is like no other text."""
    from motion_platform.encoders.sentence import SentenceEncoder
    from motion_platform.model.conditioning import Conditioning

    conditioning = Conditioning({"text": SentenceEncoder()}, 1, {})
    conditioning.precompute({"text": {*asked, *known} - {""}})
    texts = sorted(set(known) - {""})
    table = conditioning.cache.table(conditioning.fingerprints["text"])
    vectors = torch.nn.functional.normalize(torch.stack([table[text][0] for text in texts]).double(), dim=1)
    holders: dict[str, list[int]] = {}
    for position, text in enumerate(known):
        holders.setdefault(text, []).append(position)
    found: dict[str, list[int]] = {"": list(range(len(known)))}
    for text in set(asked) - {""}:
        cosines = vectors @ torch.nn.functional.normalize(table[text][0].double(), dim=0)
        near = (cosines > cosines.max() - TIE).nonzero()[:, 0].tolist()
        found[text] = sorted(position for i in near for position in holders[texts[i]])
    return found


class NearestInSpace(SearchedClip):
    """The training clip nearest to the text in the space of the task ``text_motion_retrieval``, whole: what a search
    gives.

    Distances are Euclidean and the first caption is what is searched by. A model judged in that very space can be no
    nearer to its text, so that R-precision above real motion's says nothing. UsageError for motion that the space
    does not read.
    """

    name = "training clip nearest in the space"
    whole = True

    @classmethod
    def suits(cls, task: Task) -> bool:
        return NearestCaption.suits(task) and "motion" not in task.reads.values()

    def _search(self) -> dict[int, int]:
        """test row -> the position in ``self.train`` of the clip nearest to its text; a clip without a caption is
        searched by an empty one."""
        model = load_run(str(tasks.load("text_motion_retrieval").default_model)).model
        data, ours = self.test.dataset, model.spec
        if (data.meta["skeleton"], data.fps) != (ours.skeleton, ours.fps):
            raise UsageError(
                f"{self.name}: {model.card.name} reads {ours.skeleton} at {ours.fps:g} fps, and {data.folder} holds "
                f"{data.meta['skeleton']} at {data.fps:g} fps; leave this bound out"
            )
        said = {row: (data.captions(row)[0][:1] or ("",))[0] for row in self.test.rows}
        texts = sorted(set(said.values()))
        asked = points.embed_texts(model, texts, points.text_slot(model)).astype(np.float64)
        train = points.clip_points(model, data)[self.train].astype(np.float64)
        nearest = [int(np.linalg.norm(train - point, axis=1).argmin()) for point in asked]
        found = dict(zip(texts, nearest, strict=True))
        return {row: found[text] for row, text in said.items()}

    def choose(self, row: int, frames: int, seed: int) -> int:
        return self.nearest[row]


class NearestSound(SearchedClip):
    """The piece of a training clip whose recording sounds most like the one asked for (bounds/sound.py).

    Pieces that sound equally like it, as the renditions of one recording do, are drawn from. What the labels ask for
    is not looked at.
    """

    name = "nearest training sound"

    @classmethod
    def suits(cls, task: Task) -> bool:
        return not _words_or_lengths(task) and "audio" in task.reads.values()

    def _search(self) -> dict[int, list[tuple[int, float]]]:
        """test row -> (position in ``self.train``, first second) of the pieces that sound most like it."""
        asked = [self.test.dataset.audio(row, 0, self.test.frames(row)) for row in self.test.rows]
        known = [self.test.dataset.audio(row) for row in self.train]
        found = bounds_sound.nearest_pieces([*map(bounds_sound.heard, asked)], [*map(bounds_sound.heard, known)])
        return dict(zip(self.test.rows, found, strict=True))

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        rows, starts = [], []
        for row, _ in items:
            near = self.nearest[row]
            position, second = near[seed_of(seed, self.test.dataset.id(row), self.name) % len(near)]
            rows.append(self.train[position])
            starts.append(round(second * self.test.dataset.fps))
        return cut_clips(self.test, rows, batch.lengths, starts)


class MeanPose(Source):
    """The mean of all training frames, standing still: what a model that minimises its error falls back to."""

    name = "mean pose"
    kind = "bound"
    fixed = True

    @classmethod
    def suits(cls, task: Task) -> bool:
        return not _words_or_lengths(task)

    def prepare(self, test: TestSet, rank: int, world: int) -> None:
        representation = get_representation(test.dataset.representation)
        pose = representation.decode(test.spec.mean[None]).double().numpy()
        turned = representation.rotations(test.spec.mean[None])
        longest = max(test.frames(row) for row in test.rows)
        self.spec = test.spec
        rotations = None if turned is None else np.repeat(turned.double().numpy(), longest + 1, 0)
        self.features = torch.from_numpy(representation.encode(np.repeat(pose, longest + 1, 0), rotations))

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        x = self.features[: int(batch.lengths.max())].expand(len(batch.ids), -1, -1).clone()
        motion = Motion(x, batch.lengths, self.spec)
        return Motion(torch.where(motion.mask[..., None], x, 0.0), batch.lengths, self.spec)


BOUNDS: dict[str, type[Source]] = {
    "random_clip": RandomClip,
    "nearest_caption": NearestCaption,
    "nearest_sound": NearestSound,
    "same_labels": SameLabels,
    "nearest_in_space": NearestInSpace,
    "mean_pose": MeanPose,
    "shuffled_captions": ShuffledCaptions,
    "repeat_last_pose": bounds_completion.RepeatLastPose,
    "constant_velocity": bounds_completion.ConstantVelocity,
    "constant_root_velocity": bounds_completion.ConstantRootVelocity,
    "straight_lines": bounds_completion.StraightLines,
    "random_caption": bounds_words.RandomCaption,
    "nearest_motion": bounds_words.NearestMotion,
    "median_length": bounds_words.MedianLength,
    "median_length_of_content": bounds_words.ContentLength,
}


def make_bound(name: str) -> Source:
    """A bound by name. Errors: UnknownName."""
    if name not in BOUNDS:
        raise UnknownName("bound", name, BOUNDS)
    return BOUNDS[name]()


def bounds_for(task: Task, names: Sequence[str] | None = None) -> list[str]:
    """The bounds that say something about a task, of those named (default: of all)."""
    return [name for name in (BOUNDS if names is None else names) if BOUNDS[name].suits(task)]


def truth_for(task: Task) -> Source:
    """The row of what is real: motions, a person's captions, or lengths."""
    of = {"captions": bounds_words.RealCaptions, "lengths": bounds_words.RealLengths}
    return of.get(task.writes, RealMotion)()


def _of_meaning(task: Task) -> bool:
    """Does a task ask for motion, or for what it means, of any length? Given frames and tokens are of one motion, and
    another clip with other frames is no answer to them."""
    return not _words_or_lengths(task) and task.keep is None and task.writes != "tokens" and bool(task.reads)


def _words_or_lengths(task: Task) -> bool:
    return task.writes in ("captions", "lengths")


def cut_clips(test: TestSet, rows: Sequence[int], lengths: torch.Tensor, starts: Sequence[int] | None = None) -> Motion:
    """A padded batch of ``lengths`` frames of these clips from ``starts`` (None: the first) on, fewer where a clip ends
    before."""
    first = [0] * len(rows) if starts is None else starts
    every = zip(rows, lengths.tolist(), first, strict=True)
    pieces = [torch.tensor(test.dataset.features(row)[start : start + int(n)]) for row, n, start in every]
    got = torch.tensor([len(piece) for piece in pieces])
    x = torch.zeros(len(rows), int(got.max()), test.spec.dim)
    for b, piece in enumerate(pieces):
        x[b, : len(piece)] = piece
    return Motion(x, got, test.spec)
