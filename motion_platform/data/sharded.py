"""A prepared set as sharded Parquet: read a shard at a time, from a hub or an object store by ``datasets`` streaming,
from a folder by Arrow, behind the interface of :class:`PreparedDataset`.

Rows are numbered through the shards in their order. In memory are nine bytes a clip (its length, and whether it is
mirrored) and the few shards that are in use, however many there are; a shard that is asked for is read whole, on a
thread, and is then a small prepared set of its own. Shards of the training split hold clips in no order, so each of
them is a sample of the whole; those of the other splits are in the order of the ids.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.core.files import atomic_path, cache_folder
from motion_platform.core.opening import short
from motion_platform.data.meta import ShardFile, arrow_schema, read_meta, verify
from motion_platform.data.prepared import SPLITS, PreparedDataset

INDEX = "index.arrow"
HELD = 4
"""Shards in memory where nobody asks for more."""
ROWS_A_GROUP = 128
"""Rows that are read at once: about 10 MB, which stay in a processor's cache between two copies."""
READERS = 4
"""Shards read at once: an object store answers late, and several at a time."""
AGAIN = "copy it again, or make the shards anew"


def is_address(place: object) -> bool:
    """Whether a place is no folder but an address that fsspec opens: ``hf://datasets/OWNER/NAME``, ``s3://...``."""
    return "://" in str(place)


class ShardedDataset(PreparedDataset):
    """Clips of a sharded set. ``place``: its folder or address. Random access by row, as for any prepared set; cheap
    where rows that lie close to one another are read one after the other."""

    passing = ("report", "sha256", "preparation")

    def __init__(self, place: str, folder: Path, meta: Mapping[str, Any], index: Any) -> None:
        self.describe(folder, meta)
        self.place = place.rstrip("/")
        self.shards = [ShardFile.model_validate(shard) for shard in meta["shards"]]
        self.frames = index.column("frames").to_numpy().astype(np.int64)
        self._mirror = index.column("mirrored").to_numpy()
        self._first = np.cumsum([0, *(shard.clips for shard in self.shards)])
        if not len(self.frames) == len(self._mirror) == self._first[-1]:
            raise ValueError(f"{len(self.frames)} clips in {INDEX}, {self._first[-1]} in the shards")
        self._held: OrderedDict[int, Future[PreparedDataset]] = OrderedDict()
        self._most, self._lock = HELD, threading.Lock()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="shards")

    @classmethod
    def open(cls, folder: str | Path) -> ShardedDataset:
        """Open a sharded folder or address. Errors: DataError."""
        import pyarrow as pa

        place = str(folder)
        here = fetched(place) if is_address(place) else Path(folder)
        meta = read_meta(here)
        try:
            sums = meta["files"][INDEX]
            verify(here / INDEX, sums["bytes"], sums["xxh3_128"])
            with pa.memory_map(str(here / INDEX)) as file:
                return cls(place, here, meta, pa.ipc.open_stream(file).read_all())
        except (KeyError, ValueError, TypeError, OSError, pa.ArrowException) as error:
            raise DataError(
                f"{place}: does not hold the shards that meta.json says ({short(error)}); {AGAIN}"
            ) from error

    # ---------------------------------------------------------------- rows

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def preparation(self) -> str:  # type: ignore[override]
        return str(self.meta["preparation"])

    def ids(self, split: str | None = None) -> list[str]:
        """Ids of a split (None: of all), in the order of the rows; every shard of it is read."""
        return [self.id(i) for i in self.indices(split)]

    def indices(self, split: str | None = None) -> list[int]:
        if split is not None and split not in SPLITS:
            raise UnknownName("split", split, SPLITS, self.place)
        rows: list[int] = []
        for k, shard in enumerate(self.shards):
            if split in (None, shard.split):
                rows.extend(range(int(self._first[k]), int(self._first[k + 1])))
        return rows

    def index(self, id: str) -> int:
        """Row number of an id; every shard may have to be read. UsageError when there is none."""
        for k in range(len(self.shards)):
            if id in self.shard(k)._row:  # noqa: SLF001 - a shard is of the same class
                return int(self._first[k]) + self.shard(k).index(id)
        raise UsageError(f"{self.place}: no clip {id!r}")

    def id(self, i: int) -> str:
        shard, row = self._find(i)
        return shard.id(row)

    def split(self, i: int) -> str:
        return self.shards[int(self.shards_of(np.array([i]))[0])].split

    def mirrored(self, i: int) -> bool:
        return bool(self._mirror[i])

    def captions(self, i: int) -> tuple[list[str], list[str]]:
        shard, row = self._find(i)
        return shard.captions(row)

    def labels(self, i: int) -> dict[str, str]:
        shard, row = self._find(i)
        return shard.labels(row)

    def events(self, i: int, start: int = 0, frames: int | None = None) -> dict[str, np.ndarray]:
        shard, row = self._find(i)
        return shard.events(row, start, frames)

    def _raw(self, column: str, i: int) -> np.ndarray:
        shard, row = self._find(i)
        return shard._raw(column, row)  # noqa: SLF001

    def _value(self, column: str, i: int) -> Any:
        shard, row = self._find(i)
        return shard._value(column, row)  # noqa: SLF001

    def _find(self, i: int) -> tuple[PreparedDataset, int]:
        k = int(np.searchsorted(self._first, i, "right")) - 1
        return self.shard(k), i - int(self._first[k])

    # ---------------------------------------------------------------- shards

    def shards_of(self, rows: np.ndarray) -> np.ndarray:
        """(n,) the shard of every row."""
        return np.searchsorted(self._first, rows, "right") - 1

    def by_shard(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The rows (n,), those of a shard together, the shards in an order that is drawn."""
        turn = random.permutation(len(self.shards))
        return rows[np.argsort(turn[self.shards_of(rows)], kind="stable")]

    def hold(self, shards: int) -> None:
        """Keep so many shards in memory, those that were used last."""
        with self._lock:
            self._most = max(shards, 1)

    def ahead(self, rows: np.ndarray) -> None:
        """Begin to read what these rows will need."""
        for k in dict.fromkeys(self.shards_of(rows).tolist()):
            self._future(k)

    def shard(self, k: int) -> PreparedDataset:
        """Shard ``k`` as a set of its own, its rows in order. Errors: DataError for one that is cut, or another's."""
        return self._future(k).result()

    def _future(self, k: int) -> Future[PreparedDataset]:
        with self._lock:
            if k not in self._held:
                self._held[k] = self._pool.submit(self._read, k)
            self._held.move_to_end(k)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
            return self._held[k]

    def _read(self, k: int) -> PreparedDataset:
        shard = self.shards[k]
        address = f"{self.place}/{shard.file}"
        self._check_file(shard.file, address)
        try:
            batches = [batch for batch in self._batches_of(address) if batch.num_rows]
        except Exception as error:  # datasets, Arrow, fsspec and every object store have classes of their own
            raise DataError(f"{address}: cannot be read as Parquet ({short(error)}); {AGAIN}") from error
        made = PreparedDataset.of_batches(self.folder, self.meta, batches, address, AGAIN)
        first, stop = self._first[k : k + 2]
        if not np.array_equal(made.frames, self.frames[first:stop]) or set(made.splits) != {shard.split}:
            raise DataError(f"{address}: does not hold the clips that {INDEX} says; {AGAIN}")
        return made

    def _check_file(self, name: str, address: str) -> None:
        """DataError for a file of another size; of one that lies here also for another checksum, once a process. One
        that lies elsewhere is checked page by page when it is read, where it was written with checksums of pages."""
        expected = self.meta["files"][name]
        if not is_address(self.place):
            return verify(Path(address), expected["bytes"], expected["xxh3_128"], AGAIN)
        file_system, path = _opened(address)
        try:
            size = file_system.info(path).get("size")
        except Exception as error:  # as above
            gone = isinstance(error, FileNotFoundError)
            then = AGAIN if gone else "see that the store answers; training goes on with --resume"
            raise DataError(f"{address}: cannot be read ({_why(error)}); {then}") from error
        if size is not None and size != expected["bytes"]:
            raise DataError(f"{address}: has {size} bytes, not {expected['bytes']}: it was cut off or changed; {AGAIN}")
        return None

    def _batches_of(self, address: str) -> Iterator[Any]:
        """The record batches of a shard."""
        if not is_address(self.place):  # datasets would copy what lies here twice
            from pyarrow import parquet

            with parquet.ParquetFile(address, memory_map=True) as file:
                yield from file.iter_batches(ROWS_A_GROUP)
            return
        from datasets import Dataset, Features
        from pyarrow.dataset import ParquetFragmentScanOptions

        schema = arrow_schema(self.streams, self.has_events, self.has_words, self.has_tokens)
        features = Features.from_arrow_schema(schema)
        checked = ParquetFragmentScanOptions(page_checksum_verification=True)
        stream = Dataset.from_parquet(  # load_dataset tells the hub of each
            address, features=features, streaming=True, fragment_scan_options=checked
        )
        for table in stream.with_format("arrow").iter(batch_size=ROWS_A_GROUP):
            yield from table.to_batches()


def fetched(place: str) -> Path:
    """A folder of ``$MOTION_CACHE/streams`` with meta.json and the index of an address. Errors: DataError."""
    cache = cache_folder("streams")
    readable = re.sub(r"\W+", "_", place)[-40:]
    here = cache / f"{readable}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    for name in ("meta.json", INDEX):
        address = f"{place.rstrip('/')}/{name}"
        file_system, path = _opened(address)
        try:
            data = file_system.cat_file(path)
        except Exception as error:  # as above
            raise DataError(f"{address}: cannot be read ({_why(error)}); a sharded set is needed there") from error
        here.mkdir(parents=True, exist_ok=True)
        with atomic_path(here / name) as partial:
            partial.write_bytes(data)
    return here


def _why(error: Exception) -> str:
    """What an object store or hub says of a file that cannot be read; of a missing one some say but its name."""
    return f"nothing is there: {short(error)}" if isinstance(error, FileNotFoundError) else short(error)


def _opened(address: str) -> tuple[Any, str]:
    """(file system, path) of an address. DataError for one whose package is not installed, or that nobody knows."""
    import fsspec

    try:
        return fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise DataError(f"{address}: cannot be opened: {short(error)}") from error
