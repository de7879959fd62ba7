"""Writes a sharded set (data/sharded.py): Parquet files of so many clips each, an index, statistics and meta.json.

A shard of the training split holds clips that were drawn, so that a few shards together are a mixture of the whole. It
is written by one process from its own clips alone, with what is known of it beside it; whoever has all of them puts
statistics and index together. So any number of processes makes the same files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.files import atomic_folder, atomic_path
from motion_platform.core.seeding import seed_of
from motion_platform.data.encoded import encoded_as
from motion_platform.data.meta import sums, write_meta
from motion_platform.data.prepared import SPLITS, PreparedDataset
from motion_platform.data.sharded import INDEX, ROWS_A_GROUP, is_address
from motion_platform.data.statistics import Statistics
from motion_platform.data.writer import Contents, Rows, check_place
from motion_platform.motion.representations import get_representation

CLIPS = 1000
"""Clips a shard: 70 to 120 MB of ``humanml3d``."""


@dataclass(frozen=True)
class Shard:
    """What is known of a file that was written. frames, mean, squares (D,): as :class:`Statistics` has them of training
    clips; 0 in other splits, which have no part in them."""

    file: str
    split: str
    clips: int
    frames: int
    mean: list[float]
    squares: list[float]


def shard_set(
    dataset: PreparedDataset,
    out: str | Path,
    *,
    clips: int = CLIPS,
    representation: str | None = None,
    overwrite: bool = False,
) -> Path:
    """A prepared set as a sharded one, completely or not at all; returns ``out``.

    clips: a shard. representation: what is stored (default: as it is), for models that read a part of the features.
    Errors: UsageError for a size that makes no shard; OutputError when ``out`` exists or cannot be written.
    """
    out = check_request(out, clips, overwrite)
    wanted = representation or dataset.representation
    dataset = encoded_as(dataset, wanted)
    columns, contents = dataset.columns(wanted), contents_of(dataset, wanted)
    with atomic_folder(out, replace=overwrite) as partial:
        shards = []
        for file, split, rows in dealt({split: dataset.indices(split) for split in SPLITS}, clips):
            rows_of = (dataset.row(i) for i in rows)
            given = ({**row, "features": row["features"][:, columns]} for row in rows_of)
            shards.append(write_shard(partial, file, split, given, contents))
        report = {**dataset.meta.get("report", {}), "sharded_from": dataset.name}
        gather(partial, contents, shards, report, dataset.preparation)
    return out


def check_request(out: str | Path, clips: int, overwrite: bool) -> Path:
    """The folder to write; what cannot be written is refused before any work. Errors: those of :func:`shard_set`."""
    if clips < 1:
        raise UsageError(f"clips a shard: got {clips}; at least 1")
    if is_address(out):
        raise UsageError(f"--out: {out}: give a folder, and copy it there: hf upload, aws s3 sync, gsutil rsync")
    out = Path(out)
    check_place(out, overwrite)
    return out


def dealt(splits: Mapping[str, Sequence[Any]], clips: int) -> list[tuple[str, str, list[Any]]]:
    """[(file, split, clips of it)] of about equal sizes: training clips as they are drawn, others in their order."""
    found = []
    for split, chosen in splits.items():
        order = np.arange(len(chosen))
        if split == "train":
            order = np.random.default_rng(seed_of("shards", len(chosen))).permutation(len(chosen))
        count = -(-len(chosen) // clips)
        for k, part in enumerate(np.array_split(order, count) if count else []):
            found.append((f"{split}-{k:05d}.parquet", split, [chosen[i] for i in part.tolist()]))
    return found


def write_shard(folder: Path, file: str, split: str, rows: Iterable[Mapping[str, Any]], contents: Contents) -> Shard:
    """One Parquet file of the rows (arguments of :meth:`Rows.add`), sorted by id. Errors: those of it; OutputError."""
    import pyarrow as pa
    from pyarrow import parquet

    made = Rows(folder, contents)
    for row in rows:
        made.add(**row)
    made.waiting.sort(key=lambda row: row["id"])
    table = pa.Table.from_batches([made.take()])
    with atomic_path(folder / file) as partial:
        # As it is: numbers of motion neither repeat nor pack.
        parquet.write_table(
            table,
            partial,
            row_group_size=ROWS_A_GROUP,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,  # a reader far away sees damage without the whole file
        )
    gathered = made.statistics
    return Shard(file, split, len(table), gathered.frames, gathered.mean.tolist(), gathered.squares.tolist())


def gather(
    folder: Path, contents: Contents, shards: Sequence[Shard], report: Mapping[str, Any], preparation: str
) -> None:
    """Write index and meta.json beside the shards. preparation: the name of this very preparation.

    Errors: DataError for an id that is there twice, and without training clips; OutputError.
    """
    import pyarrow as pa
    from pyarrow import parquet

    shards = [shard for shard in shards if shard.clips]
    statistics, counts = Statistics(get_representation(contents.representation)), dict.fromkeys(SPLITS, 0)
    columns = []
    for shard in shards:
        counts[shard.split] += shard.clips
        columns.append(parquet.read_table(folder / shard.file, columns=["id", "frames", "mirrored"]))
        if shard.split == "train":
            statistics.merge(shard.clips, shard.frames, np.array(shard.mean), np.array(shard.squares))
    meta = contents.meta(counts, statistics)
    index = pa.concat_tables(columns).combine_chunks()
    twice = [entry["values"] for entry in index.column("id").value_counts().to_pylist() if entry["counts"] > 1]
    if twice:
        raise DataError(f"{folder}: two clips are called {min(twice)!r}; ids must differ")
    index = index.select(["frames", "mirrored"])
    with atomic_path(folder / INDEX) as partial, pa.ipc.new_stream(str(partial), index.schema) as sink:
        sink.write_table(index)
    meta |= {
        "format": "motion-platform sharded dataset",
        "shards": [{"file": shard.file, "split": shard.split, "clips": shard.clips} for shard in shards],
        "files": sums(folder, [INDEX, *(shard.file for shard in shards)]),
        "preparation": preparation,
        "report": dict(report),
    }
    write_meta(folder, meta)


def contents_of(dataset: PreparedDataset, representation: str) -> Contents:
    """What a set holds, in a representation that it holds."""
    known = Contents(dataset.name, representation, dataset.meta.get("licence", ""), dataset.fps, dataset.streams)
    return replace(known, events=dataset.has_events, words=dataset.has_words, tokens=dataset.has_tokens)
