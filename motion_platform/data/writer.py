"""Writes a prepared dataset: Arrow shards, statistics and meta.json, completely or not at all."""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, OutputError, UnknownName
from motion_platform.core.files import put_folder, settle_folder, sweep, temporary_beside
from motion_platform.core.schema import Word
from motion_platform.data.meta import FORMAT_VERSION, digest, sums
from motion_platform.data.prepared import SPLITS
from motion_platform.data.statistics import Statistics
from motion_platform.motion.representations import get_representation

ROWS_A_BATCH = 64
BYTES_A_SHARD = 500_000_000


class PreparedWriter:
    """Writes a prepared folder completely or not at all.

        with PreparedWriter(out, name="mine", representation="humanml3d", licence="CC0") as writer:
            writer.add(id="a", split="train", source="a.bvh", features=x, captions_high=["a person walks"])
            writer.finish(report)

    streams: name of a front end -> (rate in frames a second, K): every row then brings those features. events: rows
    bring times by name. words: rows bring what is said. tokens: they bring their captions as published tokens.
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
        self.out = Path(out)
        self.overwrite = overwrite
        settle_folder(self.out)
        if self.out.exists() and not overwrite:
            raise OutputError(f"{self.out}: already exists; remove it or pass --overwrite")
        if (
            overwrite
            and self.out.exists()
            and not (self.out / "meta.json").is_file()
            and (self.out.is_file() or any(self.out.iterdir()))
        ):
            raise OutputError(
                f"{self.out}: is not a prepared dataset, so it will not be overwritten; choose another name"
            )
        self.name, self.licence = name, licence
        self.representation = get_representation(representation)
        self.fps = float(fps or self.representation.fps)
        self.streams, self.events, self.words = dict(streams or {}), events, words
        self.tokens = tokens
        self._schema = _schema(self.streams, events, words, tokens)
        self.statistics = Statistics(self.representation)
        self.counts = dict.fromkeys(SPLITS, 0)
        self._ids: set[str] = set()
        self._rows: list[dict[str, Any]] = []
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
            self.temporary = temporary_beside(self.out.with_suffix(""))
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
            raise DataError(f"{self.out}: two clips are called {id!r}; ids must differ")
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
        if self.events:
            more["events"] = json.dumps({name: at.round(5).tolist() for name, at in times.items()}, sort_keys=True)
        if self.tokens:
            more["caption_tokens"] = list(caption_tokens)
        if self.words:
            starts = [word.start for word in words]
            if not np.isfinite([t for word in words for t in word[1:]]).all() or (np.diff(starts) < 0).any():
                raise DataError(f"{id}: words must be in order, with finite times")
            more["words"] = json.dumps([[word.text, round(word.start, 4), round(word.end, 4)] for word in words])
        self._rows.append(
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
        if len(self._rows) >= ROWS_A_BATCH:
            self._flush()

    def finish(self, report: Mapping[str, Any] | None = None) -> None:
        """Write what is left, the statistics and meta.json. DataError when the training split is empty."""
        self._close()
        if not self.counts["train"]:
            raise DataError(f"{self.out}: no clip is in the training split, so there are no statistics")
        mean, std, per_column = self.statistics.result()
        meta = {
            "format": "motion-platform prepared dataset",
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "representation": self.representation.name,
            "skeleton": self.representation.skeleton.name,
            "dim": self.representation.dim,
            "fps": self.fps,
            "units": self.representation.units,
            "streams": {name: list(of) for name, of in self.streams.items()},
            "events": self.events,
            "words": self.words,
            "tokens": self.tokens,
            "splits": self.counts,
            "licence": self.licence,
            "statistics": {
                "split": "train",
                "clips": self.statistics.clips,
                "frames": self.statistics.frames,
                "mean": mean.tolist(),
                "std": std.tolist(),
                "std_per_column": per_column.tolist(),
            },
            "files": sums(self.temporary, self._files),
            "report": dict(report or {}),
        }
        meta = json.loads(json.dumps(meta))
        meta["sha256"] = digest(meta)
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
            json.dumps({"features": _hf_features(self._schema), "license": self.licence})
        )
        (self.temporary / "state.json").write_text(json.dumps(state))
        (self.temporary / "meta.json").write_text(json.dumps(meta, indent=1))
        self._finished = True

    def _checked(self, id: str, frames: int, streams: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The streams as they are stored, float16. DataError for missing or wrong ones."""
        if set(streams) != set(self.streams):
            raise DataError(f"{id}: streams {sorted(streams)}, but this data set holds {sorted(self.streams)}")
        found = {}
        for name, x in streams.items():
            rate, width = self.streams[name]
            wanted = (round(frames * rate / self.fps), width)
            if x.shape != wanted:
                raise DataError(f"{id}: stream {name} has shape {x.shape}, not {wanted} for {frames} frames of motion")
            found[name] = np.ascontiguousarray(x, "<f2")
            if not np.isfinite(found[name]).all():
                raise DataError(f"{id}: stream {name} has a NaN, or a value that float16 cannot hold")
        return found

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        batch = pa.RecordBatch.from_pylist(self._rows, schema=self._schema)
        self._rows = []
        if self._sink is None:
            self._files.append(f"data-{len(self._files):05d}.arrow")
            self._sink = pa.ipc.new_stream(str(self.temporary / self._files[-1]), self._schema)
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


def _schema(streams: Iterable[str], events: bool, words: bool = False, tokens: bool = False) -> Any:
    """Arrow columns of a row; large_binary has 64-bit offsets."""
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    return pa.schema(
        [
            ("id", text),
            ("split", text),
            ("source", text),
            ("frames", pa.int32()),
            ("features", pa.large_binary()),
            ("captions_high", texts),
            ("captions_low", texts),
            ("labels", text),
            ("mirrored", pa.bool_()),
            *((f"stream_{name}", pa.large_binary()) for name in streams),
            *([("events", text)] if events else []),
            *([("words", text)] if words else []),
            *([("caption_tokens", texts)] if tokens else []),
        ]
    )


def _hf_features(schema: Any) -> dict[str, Any]:
    """The same columns as ``datasets`` writes them into dataset_info.json (a test opens the folder with it)."""
    names = {"string": "string", "int32": "int32", "large_binary": "large_binary", "bool": "bool"}

    def value(dtype: str) -> dict[str, str]:
        return {"dtype": dtype, "_type": "Value"}

    texts = {"feature": value("string"), "_type": "List"}
    return {c.name: value(names[str(c.type)]) if str(c.type) in names else texts for c in schema}
