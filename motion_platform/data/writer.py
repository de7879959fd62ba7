"""Writes a prepared dataset: Arrow shards, statistics and meta.json, completely or not at all."""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, OutputError, UnknownName
from motion_platform.core.files import put_folder, settle_folder, sweep, temporary_beside
from motion_platform.core.schema import Word
from motion_platform.data.meta import FORMAT_VERSION, arrow_schema, sums, write_meta
from motion_platform.data.prepared import SPLITS
from motion_platform.data.statistics import Statistics
from motion_platform.motion.representations import get_representation

ROWS_A_BATCH = 64
BYTES_A_SHARD = 500_000_000


@dataclass(frozen=True)
class Contents:
    """What every row of a prepared set holds, and what the set is called.

    streams: name of a front end -> (rate in frames a second, K): every row then brings those features. events: rows
    bring times by name. words: rows bring what is said. tokens: they bring their captions as published tokens.
    """

    name: str
    representation: str
    licence: str
    fps: float
    streams: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    events: bool = False
    words: bool = False
    tokens: bool = False

    def meta(self, counts: Mapping[str, int], statistics: Statistics) -> dict[str, Any]:
        """What meta.json says of them. DataError when the training split is empty."""
        if not counts["train"]:
            raise DataError(f"{self.name}: no clip is in the training split, so there are no statistics")
        representation = get_representation(self.representation)
        mean, std, per_column = statistics.result()
        return {
            "format": "motion-platform prepared dataset",
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "representation": representation.name,
            "skeleton": representation.skeleton.name,
            "dim": representation.dim,
            "fps": self.fps,
            "units": representation.units,
            "streams": {name: list(of) for name, of in self.streams.items()},
            "events": self.events,
            "words": self.words,
            "tokens": self.tokens,
            "splits": dict(counts),
            "licence": self.licence,
            "statistics": {
                "split": "train",
                "clips": statistics.clips,
                "frames": statistics.frames,
                "mean": mean.tolist(),
                "std": std.tolist(),
                "std_per_column": per_column.tolist(),
            },
        }


def check_place(out: Path, overwrite: bool) -> None:
    """OutputError where a set cannot be put: something is there, or (overwrite) something that is no prepared set."""
    settle_folder(out)
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: already exists; remove it or pass --overwrite")
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / "meta.json").is_file()):
        raise OutputError(f"{out}: is not a prepared dataset, so it will not be overwritten; choose another name")


class Rows:
    """Rows of a set, checked and as they are stored, until somebody takes them (``waiting``); statistics of the
    training split and the clips of each split are gathered on the way. place: the set, for messages."""

    def __init__(self, place: Path, contents: Contents) -> None:
        self.place, self.contents = place, contents
        self.representation = get_representation(contents.representation)
        self.schema = arrow_schema(contents.streams, contents.events, contents.words, contents.tokens)
        self.statistics = Statistics(self.representation)
        self.counts = dict.fromkeys(SPLITS, 0)
        self.waiting: list[dict[str, Any]] = []
        self._ids: set[str] = set()

    def take(self) -> Any:
        """What waits, as an Arrow record batch."""
        import pyarrow as pa

        rows, self.waiting = self.waiting, []
        return pa.RecordBatch.from_pylist(rows, schema=self.schema)

    def add(
        self,
        *,
        id: str,
        split: str,
        source: str,
        features: np.ndarray,
        captions_high: Sequence[str] = (),
        captions_low: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        mirrored: bool = False,
        streams: Mapping[str, np.ndarray] | None = None,
        events: Mapping[str, np.ndarray] | None = None,
        words: Sequence[Word] = (),
        caption_tokens: Sequence[str] = (),
    ) -> None:
        """One clip: features (T, D) in raw units. DataError for a wrong shape, a NaN, no frames, a repeated id.

        streams: name -> (N, K), exactly those that the writer was made for, as long as the motion (N at their rate).
        events: name -> times (n,) in seconds from the first frame, in order. words: what is said, in order, seconds
        from the first frame.
        """
        if split not in SPLITS:
            raise UnknownName("split", split, SPLITS, id)
        if id in self._ids:
            raise DataError(f"{self.place}: two clips are called {id!r}; ids must differ")
        if features.ndim != 2 or features.shape[1] != self.representation.dim or not len(features):
            raise DataError(
                f"{id}: features have shape {features.shape}, not (T, {self.representation.dim}) with T > 0"
            )
        if not np.isfinite(features).all():
            raise DataError(f"{id}: features have a NaN or infinite value")
        sounds = self._checked(id, len(features), streams or {})
        times = {name: np.asarray(at, np.float64) for name, at in (events or {}).items()}
        for name, at in times.items():
            if at.ndim != 1 or not np.isfinite(at).all() or (np.diff(at) < 0).any():
                raise DataError(f"{id}: events {name!r} must be finite times in order, shape (n,)")
        self._ids.add(id)
        self.counts[split] += 1
        if split == "train":
            self.statistics.add(features)
        raw = np.ascontiguousarray(features, "<f4").tobytes()
        more: dict[str, Any] = {f"stream_{name}": x.tobytes() for name, x in sounds.items()}
        if self.contents.events:
            more["events"] = json.dumps({name: at.round(5).tolist() for name, at in times.items()}, sort_keys=True)
        if self.contents.tokens:
            more["caption_tokens"] = list(caption_tokens)
        if self.contents.words:
            starts = [word.start for word in words]
            if not np.isfinite([t for word in words for t in word[1:]]).all() or (np.diff(starts) < 0).any():
                raise DataError(f"{id}: words must be in order, with finite times")
            more["words"] = json.dumps([[word.text, round(word.start, 4), round(word.end, 4)] for word in words])
        self.waiting.append(
            {
                "id": id,
                "split": split,
                "source": source,
                "frames": len(features),
                "features": raw,
                "captions_high": list(captions_high),
                "captions_low": list(captions_low),
                "labels": json.dumps(dict(labels or {}), sort_keys=True),
                "mirrored": mirrored,
                **more,
            }
        )
        self._added()

    def _added(self) -> None:
        """After every row."""

    def _checked(self, id: str, frames: int, streams: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The streams as they are stored, float16. DataError for missing or wrong ones."""
        if set(streams) != set(self.contents.streams):
            raise DataError(f"{id}: streams {sorted(streams)}, but this data set holds {sorted(self.contents.streams)}")
        found = {}
        for name, x in streams.items():
            rate, width = self.contents.streams[name]
            wanted = (round(frames * rate / self.contents.fps), width)
            if x.shape != wanted:
                raise DataError(f"{id}: stream {name} has shape {x.shape}, not {wanted} for {frames} frames of motion")
            found[name] = np.ascontiguousarray(x, "<f2")
            if not np.isfinite(found[name]).all():
                raise DataError(f"{id}: stream {name} has a NaN, or a value that float16 cannot hold")
        return found


class PreparedWriter(Rows):
    """Writes a prepared folder completely or not at all.

        with PreparedWriter(out, name="mine", representation="humanml3d", licence="CC0") as writer:
            writer.add(id="a", split="train", source="a.bvh", features=x, captions_high=["a person walks"])
            writer.finish(report)

    streams, events, words, tokens: see :class:`Contents`; fps: that of the representation.
    The folder appears under its name when ``finish`` was called and the block ends well.
    Errors: OutputError when ``out`` exists (unless ``overwrite``) or cannot be written; DataError for a row that cannot
    be stored.
    """

    def __init__(
        self,
        out: str | Path,
        *,
        name: str,
        representation: str,
        licence: str,
        fps: float | None = None,
        streams: Mapping[str, tuple[float, int]] | None = None,
        events: bool = False,
        words: bool = False,
        tokens: bool = False,
        overwrite: bool = False,
    ) -> None:
        rate = get_representation(representation).fps
        if fps not in (None, rate):
            raise DataError(f"{out}: got {fps:g} frames a second; {representation} has {rate:g}")
        super().__init__(
            Path(out), Contents(name, representation, licence, rate, dict(streams or {}), events, words, tokens)
        )
        self.out = self.place
        self.overwrite = overwrite
        check_place(self.out, overwrite)
        self._files: list[str] = []
        self._sink: Any = None
        self._bytes = 0
        self._finished = False
        self._made: list[Path] = []

    def __enter__(self) -> PreparedWriter:
        self._made = [place for place in self.out.parents if not place.exists()]
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            sweep(self.out.parent)
            self.temporary = temporary_beside(self.out, folder=True)
            self.temporary.mkdir()
        except OSError as error:
            raise OutputError(f"{self.out}: cannot be written: {error.strerror or error}") from error
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        try:
            self._close()
            if kind is None and self._finished:
                put_folder(self.temporary, self.out, replace=self.overwrite)
        except OSError as problem:
            raise OutputError(f"{self.out}: cannot be written: {problem.strerror or problem}") from problem
        finally:
            if self.temporary.exists():
                shutil.rmtree(self.temporary, ignore_errors=True)
            for place in self._made if not self.out.exists() else ():
                with contextlib.suppress(OSError):  # somebody else has put something there
                    place.rmdir()
        if isinstance(error, OSError):
            raise OutputError(f"{self.out}: cannot be written: {error.strerror or error}") from error

    def finish(self, report: Mapping[str, Any] | None = None) -> None:
        """Write what is left, the statistics and meta.json. DataError when the training split is empty."""
        self._close()
        meta = {
            **self.contents.meta(self.counts, self.statistics),
            "files": sums(self.temporary, self._files),
            "report": dict(report or {}),
        }
        state: dict[str, Any] = {
            "_data_files": [{"filename": f} for f in self._files],
            "_fingerprint": uuid.uuid4().hex[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        }
        (self.temporary / "dataset_info.json").write_text(
            json.dumps({"features": _hf_features(self.schema), "license": self.contents.licence})
        )
        (self.temporary / "state.json").write_text(json.dumps(state))
        write_meta(self.temporary, meta)
        self._finished = True

    def _added(self) -> None:
        if len(self.waiting) >= ROWS_A_BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if not self.waiting:
            return
        batch = self.take()
        if self._sink is None:
            self._files.append(f"data-{len(self._files):05d}.arrow")
            self._sink = pa.ipc.new_stream(str(self.temporary / self._files[-1]), self.schema)
        self._sink.write_batch(batch)
        self._bytes += batch.nbytes
        if self._bytes > BYTES_A_SHARD:
            self._sink.close()
            self._sink, self._bytes = None, 0

    def _close(self) -> None:
        self._flush()
        if self._sink is not None:
            self._sink.close()
            self._sink = None


def _hf_features(schema: Any) -> dict[str, Any]:
    """The same columns as ``datasets`` writes them into dataset_info.json (a test opens the folder with it)."""
    names = {"string": "string", "int32": "int32", "large_binary": "large_binary", "bool": "bool"}

    def value(dtype: str) -> dict[str, str]:
        return {"dtype": dtype, "_type": "Value"}

    texts = {"feature": value("string"), "_type": "List"}
    return {c.name: value(names[str(c.type)]) if str(c.type) in names else texts for c in schema}
