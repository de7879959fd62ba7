"""Batches from a prepared dataset: bucketed by length, and a pure function of (seed, number of the batch).

Nothing about a batch depends on what came before it, on the number of processes or of workers: batch ``n`` of a run is
the same when a run is resumed there, or when two processes share the work. Its clips follow from (seed, epoch), its
captions and random windows from (seed, epoch, id).

Of a sharded set (data/sharded.py) the order of an epoch is drawn by shards: their order is drawn, it is cut into as
many lanes as a step has micro-batches, and each lane into blocks of neighbouring clips, which are shuffled. So a
process reads only the shards of its own lanes, a block of each at a time.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.core.seeding import seed_of
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharded import ShardedDataset
from motion_platform.data.slots import SOUND, Slot, slots_of
from motion_platform.data.worded import Sentences, Worded

LANES = 16
"""The most lanes of a sharded set: one process may have to hold a block of each."""
BATCHES_A_BUCKET = 16
"""Clips are sorted by length within so many batches: little padding, and still a different mixture every epoch."""


HIGH = Slot("text", "high")


class Collate:
    """Rows of a dataset -> Batch. ``seed`` None: for evaluation, the first caption and the first frames are taken;
    ``caption_seed``: one of the captions at random instead, and still the first frames.

    What a slot reads is said by :meth:`PreparedDataset.inputs`; ``captions_per_clip``: at most so many texts of a clip.
    ``written_beats``: recordings come with the beats of their score (:meth:`PreparedDataset.audio`). ``worded``: other
    wordings of a clip's labels, drawn in the place of its captions as often as they say. ``told``: sentences and their
    labels in the place of a clip's own.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        spec: MotionSpec,
        slots: Sequence[str] | Mapping[str, Slot],
        *,
        max_frames: int | None = 196,
        seed: int | None = None,
        caption_seed: int | None = None,
        captions_per_clip: int | None = None,
        written_beats: bool = False,
        worded: Worded | None = None,
        told: Sentences | None = None,
    ) -> None:
        self.told = told
        self.caption_seed = seed if caption_seed is None else caption_seed
        self.written_beats, self.worded = written_beats, worded
        self.dataset, self.spec = dataset, spec
        known = isinstance(slots, Mapping) and all(isinstance(slot, Slot) for slot in slots.values())
        self.slots: dict[str, Slot] = dict(slots) if known else slots_of(slots)  # type: ignore[arg-type]
        self.columns = dataset.columns(spec.representation)
        self.max_frames = max_frames or np.iinfo(np.int64).max
        self.seed, self.captions_per_clip = seed, captions_per_clip
        for slot, wanted in self.slots.items():
            if wanted.kind in SOUND and not dataset.streams:
                raise UsageError(f"slot {slot}: data set {dataset.name} ({dataset.folder}) holds no sound")

    def __call__(self, rows: Sequence[int], epoch: int = 0) -> Batch:
        """The batch of these rows: motion (B, T, D) raw and zero-padded to the longest, float32.

        Music and events are cut to the window of the motion.
        """
        dataset = self.dataset
        lengths = np.minimum(dataset.frames[list(rows)], self.max_frames)
        x = np.empty((len(rows), int(lengths.max()), self.spec.dim), np.float32)
        windows: list[Any] = []
        times: Counter[int] = Counter()
        for b, row in enumerate(rows):
            length = int(lengths[b])
            place = f"window {times[row]}" if times[row] else "window"  # a clip that comes twice: two places of it
            start = self._choose(self.seed, int(dataset.frames[row]) - length + 1, epoch, row, place)
            times[row] += 1
            x[b, :length] = dataset.features(row)[start : start + length, self.columns]
            x[b, length:] = 0
            windows.append((row, start, length))
        captions = [dataset.captions(row) for row in rows]
        labels = [dataset.labels(row) for row in rows]
        raw: dict[str, list[Any]] = {}
        for slot, wanted in self.slots.items():
            if wanted.kind in SOUND:
                raw[slot] = [dataset.audio(*window, written_beats=self.written_beats) for window in windows]
            elif wanted.kind == "motion":
                raw[slot] = [torch.from_numpy(x[b, : int(lengths[b])].copy()) for b in range(len(rows))]
            else:
                raw[slot] = [self._text(row, slot, epoch) for row in rows]
        if self.told is not None:
            self._tell(rows, epoch, raw, labels)
        counts = torch.from_numpy(lengths.astype(np.int64))
        return Batch(
            ids=[dataset.id(row) for row in rows],
            raw=raw,
            lengths=counts,
            motion=Motion(torch.from_numpy(x), counts, self.spec),
            captions=[high for high, _ in captions],
            labels=labels,
            events=[dataset.events(*window) for window in windows] if dataset.has_events else None,
        )

    def _tell(self, rows: Sequence[int], epoch: int, raw: dict[str, list[Any]], labels: list[dict[str, str]]) -> None:
        """Put sentences and their labels in the place of what some rows say; their other texts are empty."""
        assert self.told is not None
        times: Counter[int] = Counter()
        for b, row in enumerate(rows):
            times[row] += 1
            if self._choose(self.seed, 1 << 20, epoch, row, f"told {times[row]}") >= self.told.share * (1 << 20):
                continue
            number = self._choose(self.seed, len(self.told.every), epoch, row, f"sentence {times[row]}")
            labels[b] = self.told.labels[number]
            for slot, wanted in self.slots.items():
                if wanted.kind == "text":
                    raw[slot][b] = self.told.every[number].text if wanted == HIGH else ""

    def _text(self, row: int, slot: str, epoch: int) -> str:
        """One of the texts of a slot; two slots with the same texts (a caption that is repeated) get the same one."""
        wordings = self._wordings(row, slot)
        share = 0.0 if self.worded is None else self.worded.share
        if wordings and self._choose(self.seed, 1 << 20, epoch, row, "worded") < share * (1 << 20):
            return wordings[self._choose(self.seed, len(wordings), epoch, row, "wording")]
        texts = self._given(row, slot)
        if len(texts) < 2:
            return texts[0] if texts else ""
        first = next(s for s in self.slots if s == slot or self._given(row, s) == texts)
        return texts[self._choose(self.caption_seed, len(texts), epoch, row, first)]

    def inputs(self, row: int, slot: str) -> list[str]:
        """Every text that a batch can hold in this slot for this row."""
        return [*self._given(row, slot), *self._wordings(row, slot)]

    def sentences(self, slot: str) -> list[str]:
        """Every text that a batch can hold in this slot besides, whatever the row."""
        return self.told.texts() if self.told is not None and self.slots[slot] == HIGH else []

    def _given(self, row: int, slot: str) -> list[str]:
        """What the data set says in a slot."""
        return self.dataset.inputs(row, self.slots[slot], self.captions_per_clip)

    def _wordings(self, row: int, slot: str) -> list[str]:
        """What the wordings say in a slot: those are high-level texts."""
        if self.worded is None or self.slots[slot] != HIGH:
            return []
        return self.worded.texts(row)

    def _choose(self, seed: int | None, count: int, epoch: int, row: int, what: str) -> int:
        """0 .. count-1, from (seed, epoch, id); 0 without a seed."""
        if seed is None or count == 1:
            return 0
        return seed_of(seed, epoch, self.dataset.id(row), what) % count


class Loader:
    """Batches of one split. ``len``: batches an epoch.

    Training: batches of ``batch_size`` clips (an incomplete rest is left out; which clips that are changes every
    epoch), process ``rank`` of ``world`` takes rows rank::world of each. Evaluation: sorted ids, each exactly once over
    all processes, the last batch smaller.
    """

    def __init__(
        self,
        collate: Collate,
        rows: Sequence[int],
        batch_size: int,
        seed: int,
        train: bool,
        rank: int,
        world: int,
        weights: np.ndarray | None = None,
        lanes: int = 1,
        buffer: int | None = None,
    ) -> None:
        self.collate, self.rows, self.batch_size = collate, np.asarray(rows), batch_size
        self.weights = np.ones(len(rows)) if weights is None else weights * (len(rows) / weights.sum())
        self.seed, self.train, self.rank, self.world = seed, train, rank, world
        self.sharded = collate.dataset if isinstance(collate.dataset, ShardedDataset) and train else None
        self._planned: tuple[int, list[np.ndarray]] = (-1, [])
        if train:  # fewer clips than a batch: an epoch is one batch, some clips come twice
            self.repeats = max(1, -(-batch_size // len(self.rows)))
            self.lanes = lanes
            self.length = len(self.rows) * self.repeats // self.lanes // batch_size * self.lanes
            self.block = max(1, (buffer or len(self.rows) * self.repeats) // self.lanes // batch_size)
        else:
            own = len(self.rows[rank::world])
            self.lanes = self.block = 1
            self.length = -(-own // batch_size)

    def __len__(self) -> int:
        return self.length

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Rows of every batch of an epoch, all processes together for training, own rows for evaluation."""
        if self._planned[0] != epoch:
            self._planned = (epoch, self._plan(epoch))
        return self._planned[1]

    def _plan(self, epoch: int) -> list[np.ndarray]:
        size = self.batch_size
        if not self.train:
            own = self.rows[self.rank :: self.world]
            return [own[k : k + size] for k in range(0, len(own), size)]
        random = np.random.default_rng(seed_of(self.seed, "order", epoch))
        order = np.concatenate([random.permutation(self._draw(random)) for _ in range(self.repeats)])
        if self.sharded:
            order = self.sharded.by_shard(order, random)
        lanes = np.split(order[: self.length * size], self.lanes)
        found = [list(self._blocks(lane, random)) for lane in lanes]
        return [batch for turn in zip(*found, strict=True) for batch in turn]

    def _blocks(self, order: np.ndarray, random: np.random.Generator) -> Iterator[np.ndarray]:
        """The batches of a lane, mixed a block at a time; rows of one batch are of about one length."""
        size, lengths = self.batch_size, np.minimum(self.collate.dataset.frames, self.collate.max_frames)
        for first in range(0, len(order), size * self.block):
            block = order[first : first + size * self.block]
            if self.sharded:  # whose clips of a shard lie together
                block = random.permutation(block)
            batches = []
            for start in range(0, len(block), size * BATCHES_A_BUCKET):
                bucket = block[start : start + size * BATCHES_A_BUCKET]
                bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
                batches += [bucket[k : k + size] for k in range(0, len(bucket), size)]
            # Rows go to processes by stride: shuffled, so that no process gets the longer half of every batch.
            yield from (random.permutation(batches[k]) for k in random.permutation(len(batches)))

    def _draw(self, random: np.random.Generator) -> np.ndarray:
        """As many rows as there are clips, each as often as its weight says (whole part, and a chance of one more)."""
        times = np.floor(self.weights + random.random(len(self.rows))).astype(int)
        drawn = np.repeat(self.rows, times)
        short = len(self.rows) - len(drawn)
        return (
            np.concatenate([drawn, random.choice(self.rows, short)])
            if short > 0
            else random.permutation(drawn)[: len(self.rows)]
        )

    def batch(self, number: int) -> Batch:
        """Batch ``number`` since the start of the run, over epochs."""
        epoch, k = divmod(number, self.length)
        plan = self.plan(epoch)
        rows, later = plan[k], k + self.block * self.lanes
        if self.sharded and later < len(plan):
            self.sharded.ahead(plan[later])
        if self.train:
            rows = rows[self.rank :: self.world]
        return self.collate(rows.tolist(), epoch)

    def __iter__(self) -> Iterator[Batch]:
        """One epoch, the first."""
        return self.epoch(0)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from batch ``start`` on."""
        for k in range(start, self.length):
            yield self.batch(epoch * self.length + k)

    def micro_batches(self, start: int = 0, *, stride: int = 1, prefetch: int = 0) -> Iterator[Batch]:
        """Batches start, start + stride, ... without end; ``prefetch``: so many are made ahead by a thread."""
        if self.sharded:  # of every lane that these batches are of the block in use, and the next
            shards = len(np.unique(self.sharded.shards_of(self.rows)))
            in_block = math.ceil(self.block * self.batch_size * shards / len(self.rows)) + 1
            self.sharded.hold(2 * in_block * (self.lanes // math.gcd(self.lanes, stride)))
        if prefetch <= 0:
            while True:
                yield self.batch(start)
                start += stride
        ahead: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        try:
            while True:
                while len(ahead) < prefetch:
                    ahead.append(pool.submit(self.batch, start))
                    start += stride
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def make_loader(
    dataset: PreparedDataset,
    split: str,
    spec: MotionSpec,
    slots: Sequence[str] | Mapping[str, Slot],
    batch_size: int,
    seed: int = 0,
    max_frames: int | None = 196,
    train: bool = True,
    rank: int = 0,
    world: int = 1,
    *,
    min_frames: int = 1,
    mirror: bool = True,
    balance: float = 0.0,
    by_length: bool = False,
    captions_per_clip: int | None = None,
    written_beats: bool = False,
    wordings: float = 0.0,
    sentences: float = 0.0,
    lanes: int = 1,
    buffer: int | None = None,
) -> Loader:
    """A loader over one split.

    slots: the usual names, or name -> Slot (data/slots.py).
    batch_size: over all processes in training, of this process in evaluation. max_frames:
    longer clips give a random window (evaluation: their start); shorter ones than ``min_frames`` are left out of
    training. mirror False leaves mirrored copies out. balance: see :func:`balanced`. by_length: a clip is drawn as
    often as pieces of ``max_frames`` fit into it. captions_per_clip: only the first
    so many captions of a clip are used (None: all). written_beats: see :class:`Collate`; of training only. Errors:
    UnknownName for a split or slot; UsageError for sizes that make no batch; DataError when no clip is left, or without
    beats that were asked for. wordings: the share of texts that are other wordings of a clip's labels, in training only
    (texts/wordings.py); ``balance`` then counts all clips of a kind together. sentences: the share of training rows
    that say a whole sentence and its labels instead of their own (:class:`Sentences`).

    lanes, buffer: of a sharded set the micro-batches of a step, and how many clips are shuffled together, all lanes
    together; it can neither be balanced nor worded, which needs the labels of all clips at once (UsageError).
    """
    if batch_size < 1 or not 0 <= rank < world:
        raise UsageError(f"loader: batch_size {batch_size}, rank {rank} of {world} make no batches")
    if train and batch_size % world:
        raise UsageError(f"loader: batch_size {batch_size} must be a multiple of the {world} processes")
    if isinstance(dataset, ShardedDataset) and train and (balance or wordings):
        raise UsageError(
            f"{dataset.place}: data.{'balance' if balance else 'wordings'}: needs the labels of all clips at once, and "
            "a sharded set is read a shard at a time; write 0, or train on the prepared set that the shards are of"
        )
    rows = [i for i in dataset.indices(split) if mirror or not dataset.mirrored(i)]
    if train:
        rows = [i for i in rows if dataset.frames[i] >= min_frames]
    if not rows:
        raise DataError(f"{dataset.folder}: split {split!r} has no clip of {min_frames} frames or more")
    worded = Worded(dataset, rows, wordings) if train and wordings else None
    collate = Collate(
        dataset,
        spec,
        slots,
        max_frames=max_frames,
        seed=seed if train else None,
        captions_per_clip=captions_per_clip,
        written_beats=written_beats and train,
        worded=worded,
        told=Sentences(sentences) if train and sentences else None,
    )
    weights = None
    if train and balance:
        weights = balanced([dataset.labels(i) if worded is None else worded.labels(i) for i in rows], balance)
    if train and by_length and max_frames:
        pieces = np.maximum(dataset.frames[rows] / max_frames, 1.0)
        weights = pieces if weights is None else weights * pieces
    if isinstance(dataset, ShardedDataset) and train:
        most = min(LANES, len(np.unique(dataset.shards_of(np.asarray(rows)))) // 2, len(rows) // batch_size)
        lanes = next(n for n in range(max(most, 1), 0, -1) if lanes % n == 0)
    else:
        lanes, buffer = 1, None
    return Loader(collate, rows, batch_size, seed, train, rank, world, weights, lanes, buffer)


def balanced(labels: Sequence[Mapping[str, str]], balance: float) -> np.ndarray:
    """How often each clip is drawn: (clips with all its labels x clips with its rarest label) ** (-balance / 2), up to
    a common factor.

    0: every clip alike. 1: halfway between every set of labels alike (which would give a kind of motion that was
    recorded in one style a fifteenth of one recorded in fifteen) and every label alike. Clips without labels are drawn
    as often as the average.
    """
    keys = [tuple(sorted(of.items())) for of in labels]
    sets, singles = Counter(keys), Counter(label for key in keys for label in key)
    products = [sets[key] * min((singles[label] for label in key), default=1) for key in keys]
    weights = np.array([n ** (-balance / 2) if key else np.nan for key, n in zip(keys, products, strict=True)])
    mean = 1.0 if np.isnan(weights).all() else float(np.nanmean(weights))
    return np.where(np.isnan(weights), mean, weights)
