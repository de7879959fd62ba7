"""A prepared dataset: one Arrow folder, one row a clip, read without copying.

The folder is a HuggingFace ``datasets`` folder (``datasets.load_from_disk`` opens it) plus ``meta.json``. Motion is a
bytes column of little-endian float32 (T, D), because array columns of ``datasets`` read a hundred times slower. It is
read here through Arrow's own buffers: a clip is a numpy view into the memory-mapped file.

A data set of sound holds *streams* beside the motion, features of a front end computed ahead: a bytes column
``stream_<name>`` of little-endian float16 (N, K) each, whose rate and K are in meta.json; *events*, times by name; and
*words*, what is said and when. All start with the first frame of the motion. The stream ``samples``, one number wide,
is the recording itself.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.core.opening import short
from motion_platform.core.schema import Audio, Batch, MotionSpec, Word
from motion_platform.data.meta import REMEDY, arrow_files, preparation_of, read_cell, read_meta
from motion_platform.data.slots import ALL_LABELS, SOUND, Slot, slot_of
from motion_platform.motion.representations import get_representation
from motion_platform.texts.joined import joined_text

SPLITS = ("train", "val", "test")
SAMPLES = "samples"
"""The stream that is the recording itself: (N, 1)."""


class PreparedDataset:
    """Clips of a prepared folder. Rows are numbered 0 .. len-1 in the order of their ids.

    meta: everything in meta.json (name, representation, fps, statistics, licence, report).
    """

    def __init__(self, folder: Path, meta: Mapping[str, Any], batches: list[Any]) -> None:
        self.describe(folder, meta)
        self._batches = batches
        self._where = [(b, r) for b, batch in enumerate(batches) for r in range(batch.num_rows)]
        columns = ["features", *(f"stream_{name}" for name in self.streams)]
        self._binary = {name: [_buffers(batch.column(name)) for batch in batches] for name in columns}

        def whole(name: str) -> list[Any]:
            return [value for batch in batches for value in batch.column(name).to_pylist()]

        self._ids: list[str] = whole("id")
        self._splits: list[str] = whole("split")
        self._mirrored: list[bool] = whole("mirrored")
        self.frames = np.array(whole("frames"), np.int64)
        order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        self._where = [self._where[i] for i in order]
        self._ids = [self._ids[i] for i in order]
        self._splits = [self._splits[i] for i in order]
        self._mirrored = [self._mirrored[i] for i in order]
        self.frames = self.frames[order]
        self._row = {name: i for i, name in enumerate(self._ids)}
        self._said: dict[int, tuple[list[str], list[str]]] = {}
        self._labels: dict[int, dict[str, str]] = {}
        self._events: dict[int, dict[str, np.ndarray]] = {}

    def describe(self, folder: Path, meta: Mapping[str, Any]) -> None:
        """What meta.json says."""
        self.folder, self.meta = folder, dict(meta)
        self.dim = int(meta["dim"])
        self.streams: dict[str, tuple[float, int]] = {  # name of a front end -> (rate in frames a second, K features)
            name: (float(rate), int(width)) for name, (rate, width) in meta.get("streams", {}).items()
        }
        self.has_events: bool = bool(meta.get("events", False))
        self.has_words: bool = bool(meta.get("words", False))
        self.has_tokens: bool = bool(meta.get("tokens", False))

    @classmethod
    def open(cls, folder: str | Path) -> PreparedDataset:
        """Open a prepared folder, or a sharded set (data/sharded.py) by its folder or address. DataError when it is
        missing, incomplete or of another format version."""
        import pyarrow as pa

        from motion_platform.data.sharded import ShardedDataset, is_address

        if is_address(folder):
            return ShardedDataset.open(folder)
        folder = Path(folder)
        if not (folder / "meta.json").is_file():
            raise DataError(f"{folder}: no prepared dataset here (no meta.json); make one with: motion data prepare")
        meta = read_meta(folder)
        if "shards" in meta:
            return ShardedDataset.open(folder)
        batches: list[Any] = []
        for file in arrow_files(folder, meta):
            try:
                for batch in pa.ipc.open_stream(pa.memory_map(str(file))):
                    batch.validate(full=True)  # a wrong offset would be followed out of the file
                    batches.append(batch)
            except (OSError, pa.ArrowException) as error:
                raise DataError(f"{file}: cannot be read as Arrow ({short(error)}); {REMEDY}") from error
        return cls.of_batches(folder, meta, [batch for batch in batches if batch.num_rows], str(folder))

    @staticmethod
    def of_batches(
        folder: Path, meta: Mapping[str, Any], batches: list[Any], where: str, remedy: str = REMEDY
    ) -> PreparedDataset:
        """The set of some record batches, checked. where, remedy: for the message. Errors: DataError."""
        import pyarrow as pa

        try:
            made = PreparedDataset(folder, meta, batches)
            made.check()
        except (KeyError, ValueError, TypeError, AttributeError, LookupError, pa.ArrowException) as error:
            raise DataError(
                f"{where}: does not hold the columns that meta.json says ({short(error)}); {remedy}"
            ) from error
        return made

    def check(self) -> None:
        """ValueError where rows do not hold what they must: features of so many frames, a split, an id of their own."""
        texts = [name for name in ("events", "words") if getattr(self, f"has_{name}")]
        lists = ["captions_high", "captions_low", *(["caption_tokens"] if self.has_tokens else [])]
        for batch in self._batches:
            kinds = {field.name: str(field.type) for field in batch.schema}
            if any(kinds.get(name) != "string" for name in ("id", "split", "source", "labels", *texts)) or any(
                not kinds.get(name, "").startswith("list") or "string" not in kinds[name] for name in lists
            ):
                raise ValueError(f"its columns are {', '.join(kinds)}")
        if len(self._row) != len(self._ids):
            raise ValueError("an id is there twice")
        if wrong := sorted(set(self._splits) - set(SPLITS)):
            raise ValueError(f"split {wrong[0]!r:.40}")
        row = np.array([len(self._raw("features", i)) for i in range(len(self))], np.int64)
        if len(self) and ((row != self.frames * self.dim * 4).any() or self.frames.min() < 1):
            raise ValueError(f"{self.dim} features a frame")

    passing: tuple[str, ...] = ("report",)  # what of meta.json may differ between sets that are the same

    @property
    def fingerprint(self) -> str:
        """The sha256 of meta.json: another one where the set was prepared anew from other clips or settings."""
        meta = {key: value for key, value in self.meta.items() if key not in self.passing}
        return hashlib.sha256(json.dumps(meta, sort_keys=True, default=str).encode()).hexdigest()

    @cached_property
    def preparation(self) -> str:
        """The name of this very preparation: another one whenever the set is prepared anew, wherever it lies."""
        return preparation_of(self.folder)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def name(self) -> str:
        return self.meta["name"]

    @property
    def representation(self) -> str:
        return self.meta["representation"]

    @property
    def fps(self) -> float:
        return float(self.meta["fps"])

    def ids(self, split: str | None = None) -> list[str]:
        """Sorted ids of a split (None: of all)."""
        return [self._ids[i] for i in self.indices(split)] if split else list(self._ids)

    def indices(self, split: str | None = None) -> list[int]:
        """Row numbers of a split, in the order of the ids. UnknownName for a split that is not train, val, test."""
        if split is None:
            return list(range(len(self)))
        if split not in SPLITS:
            raise UnknownName("split", split, SPLITS, str(self.folder))
        return [i for i, s in enumerate(self._splits) if s == split]

    def index(self, id: str) -> int:
        """Row number of an id. UnknownName when there is none (the message does not list thousands of ids)."""
        if id not in self._row:
            raise UsageError(
                f"{self.folder}: no clip {id!r}; the first is {self._ids[0]!r}, the last {self._ids[-1]!r}"
            )
        return self._row[id]

    def id(self, i: int) -> str:
        return self._ids[i]

    @property
    def splits(self) -> list[str]:
        """The split of every row."""
        return list(self._splits)

    def split(self, i: int) -> str:
        return self._splits[i]

    def mirrored(self, i: int) -> bool:
        return self._mirrored[i]

    def source(self, i: int) -> str:
        """Where clip ``i`` came from: data set and file."""
        return self._value("source", i)

    def features(self, i: int, columns: slice | Sequence[int] | None = None) -> np.ndarray:
        """(T, D) float32 features in raw units. A read-only view into the file; a list of columns makes a copy."""
        x = self._raw("features", i).view("<f4").reshape(-1, self.dim)
        return x if columns is None else x[:, columns]

    def stream(self, i: int, name: str, start: int = 0, frames: int | None = None) -> np.ndarray:
        """(N, K) float32 features of a front end that belong to motion frames start .. start+frames of clip ``i``.

        UnknownName for a front end that is not stored.
        """
        if name not in self.streams:
            raise UnknownName("stream", name, self.streams, str(self.folder))
        rate, width = self.streams[name]
        x = self._raw(f"stream_{name}", i).view("<f2").reshape(-1, width)
        stop = None if frames is None else round((start + frames) * rate / self.fps)
        return x[round(start * rate / self.fps) : stop].astype(np.float32)

    def audio(self, i: int, start: int = 0, frames: int | None = None, *, written_beats: bool = False) -> Audio:
        """What is heard during motion frames start .. start+frames of clip ``i``: every stored front end, samples where
        they are stored, and the words that are said.

        written_beats: and, as the feature of that name, the beats of the score: (n, 2) seconds, and 1 where it opens a
        bar. UsageError for a data set without sound; DataError for one without the beats that are asked for.
        """
        if not self.streams:
            raise UsageError(f"{self.folder}: data set {self.name} holds no sound; prepare one that does")
        frames = int(self.frames[i]) - start if frames is None else frames
        features = {name: self.stream(i, name, start, frames) for name in self.streams if name != SAMPLES}
        samples, rate = None, 0
        if SAMPLES in self.streams:
            samples, rate = self.stream(i, SAMPLES, start, frames)[:, 0], round(self.streams[SAMPLES][0])
        name = f"{self.preparation}: {self.id(i)}"
        if written_beats:
            events = self.events(i, start, frames)
            if "beats" not in events or "bars" not in events:
                raise DataError(f"{self.folder}: data set {self.name} does not say where its beats are")
            opens = (np.abs(events["beats"][:, None] - events["bars"][None, :]) < 0.04).any(1)
            features["written_beats"] = np.stack([events["beats"], opens], 1).astype(np.float32)
            name += ", beats as written"
        part = name, start / self.fps, partial(self.audio, i, written_beats=written_beats)
        return Audio(frames / self.fps, samples, rate, features, part, self.words(i, start, frames))

    def words(self, i: int, start: int = 0, frames: int | None = None) -> tuple[Word, ...]:
        """What is said during motion frames start .. start+frames of clip ``i``, seconds after frame ``start``; a word
        that is said across an end of them is cut there. () for a data set without words."""
        if not self.has_words:
            return ()
        frames = int(self.frames[i]) - start if frames is None else frames
        first, length = start / self.fps, frames / self.fps
        said = [(text, a - first, b - first) for text, a, b in self._cell("words", i)]
        return tuple(Word(text, max(a, 0.0), min(b, length)) for text, a, b in said if a < length and b > 0)

    def events(self, i: int, start: int = 0, frames: int | None = None) -> dict[str, np.ndarray]:
        """Name -> times (n,) in seconds after frame ``start`` of clip ``i``, of what happens in the given frames.

        An event belongs to the frame it is nearest to, so a beat a hair before frame ``start`` is at a negative time.
        """
        if not self.has_events:
            return {}
        if i not in self._events:
            self._events[i] = self._cell("events", i)
        first, frames = start / self.fps, int(self.frames[i]) - start if frames is None else frames
        half = 0.5 / self.fps
        cut = {name: at - first for name, at in self._events[i].items()}
        return {name: at[(at >= -half) & (at < frames / self.fps - half)] for name, at in cut.items()}

    def captions(self, i: int) -> tuple[list[str], list[str]]:
        """(high-level captions, low-level action sequences) of clip ``i``; either may be empty."""
        if i not in self._said:  # Arrow needs 50 times longer to make the strings than to find them made
            self._said[i] = self._value("captions_high", i), self._value("captions_low", i)
        return self._said[i]

    def caption_tokens(self, i: int) -> list[str]:
        """The high-level captions of clip ``i`` as published tokens; [] for a data set without them."""
        return self._value("caption_tokens", i) if self.has_tokens else []

    def inputs(self, i: int, slot: str | Slot, limit: int | None = None) -> list[str]:
        """Everything that clip ``i`` can give a slot that reads text or a label, the first of it for evaluation; []
        switches the slot off.

        slot: one of the usual names, or what a card says of it (data/slots.py). limit: at most so many texts.
        Recordings and motions are no words: []; see :meth:`audio`, :meth:`features`. UnknownName for another name.
        """
        wanted = slot_of(slot) if isinstance(slot, str) else slot
        if wanted.kind == "label":
            labels = self.labels(i)
            every = " ".join(labels[key] for key in sorted(labels))
            said = every if wanted.column == ALL_LABELS else labels.get(wanted.column, "")
            return [said] if said else []
        if wanted.kind == "text":
            high, low = (said[:limit] for said in self.captions(i))
            if wanted.column == "both":
                joined = (joined_text(*pair) for pair in itertools.product(high or [""], low or [""]))
                return [text for text in dict.fromkeys(joined) if text]
            return low if wanted.column == "low" else high
        return []

    def fills(self, rows: Sequence[int], slot: Slot) -> bool:
        """Whether any of the rows gives a slot something."""
        if slot.kind in SOUND:
            return bool(self.streams) and bool(rows) and (slot.kind == "audio" or self.has_words)
        return bool(rows) if slot.kind == "motion" else any(self.inputs(i, slot) for i in rows)

    def row(self, i: int) -> dict[str, Any]:
        """Everything of clip ``i``, as :meth:`Rows.add` takes it."""
        high, low = self.captions(i)
        return {
            "id": self.id(i),
            "split": self.split(i),
            "source": self.source(i),
            "features": self.features(i),
            "captions_high": high,
            "captions_low": low,
            "labels": self.labels(i),
            "mirrored": self.mirrored(i),
            "streams": {name: self.stream(i, name) for name in self.streams},
            "events": self.events(i),
            "words": self.words(i),
            "caption_tokens": self.caption_tokens(i),
        }

    def labels(self, i: int) -> dict[str, str]:
        """Labels of clip ``i``, {} where the source has none."""
        if i not in self._labels:
            self._labels[i] = self._cell("labels", i)
        return self._labels[i]

    def collate(
        self, rows: Sequence[int], spec: MotionSpec, slots: Sequence[str], *, max_frames: int | None = 196
    ) -> Batch:
        """The batch of these rows for evaluation: first caption, first frames; see ``loader.Collate``."""
        from motion_platform.data.loader import Collate

        return Collate(self, spec, slots, max_frames=max_frames)(rows)

    def _raw(self, column: str, i: int) -> np.ndarray:
        """The bytes of a binary column in a row: a view into the file."""
        b, r = self._where[i]
        offsets, data = self._binary[column][b]
        start, stop = offsets[r : r + 2]
        return data[start:stop]

    def _value(self, column: str, i: int) -> Any:
        b, r = self._where[i]
        return self._batches[b].column(column)[r].as_py()

    def _cell(self, column: str, i: int) -> Any:
        return read_cell(self._value(column, i), column, f"{self.folder}: {self.id(i)}")

    def columns(self, representation: str | None = None) -> slice:
        """The stored columns of a representation: all, or the first ones of a representation that is a prefix.

        UsageError when the representation cannot be cut out of what is stored (data/encoded.py makes it of that).
        """
        if representation is None:
            return slice(0, self.dim)
        if not self.holds(representation):
            raise UsageError(
                f"{self.folder}: holds {self.representation} ({self.dim} columns at {self.fps:g} fps); "
                f"{representation} is not a prefix of it"
            )
        return slice(0, get_representation(representation).dim)

    def holds(self, representation: str) -> bool:
        """Whether a representation is the stored one or a prefix of it."""
        stored, wanted = get_representation(self.representation), get_representation(representation)
        return representation == self.representation or (
            wanted.skeleton.name == stored.skeleton.name
            and wanted.fps == stored.fps
            and wanted.dim <= self.dim
            and all(stored.groups.get(name) == columns for name, columns in wanted.groups.items())
        )

    def spec(self, representation: str | None = None) -> MotionSpec:
        """What the numbers mean, with the training split's statistics; for the stored representation or a prefix."""
        columns = self.columns(representation)
        chosen = get_representation(representation or self.representation)
        statistics = self.meta["statistics"]
        return MotionSpec(
            representation=chosen.name,
            skeleton=chosen.skeleton.name,
            fps=self.fps,
            mean=torch.tensor(statistics["mean"], dtype=torch.float32)[columns],
            std=torch.tensor(statistics["std"], dtype=torch.float32)[columns],
            units=chosen.units,
        )


def _buffers(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """(offsets, bytes) of a large_binary column, not copied."""
    if str(column.type) != "large_binary":
        raise ValueError(f"a column of {column.type} instead of large_binary")
    _, offsets, data = column.buffers()
    return np.frombuffer(offsets, np.int64)[column.offset :], np.frombuffer(data, np.uint8)
