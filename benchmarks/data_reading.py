"""How fast clips are read and batches are made, and how long a preparation takes.

    python -m benchmarks.data_reading --folder PREPARED [--source UNPACKED --name bandai_cmu]
    python -m benchmarks.data_reading --sharded SHARDS    (a folder, or an address: read by ``datasets`` streaming)

One process, random order, page cache warm; medians of ``--repeats``. "view" finds the clip as a view into the file,
"read" also copies every byte of it. Batches: 64 clips, with captions, as the training loop gets them.
Targets: 30,000 clips/s read, 5 ms a batch, 173 MB of BVH prepared in 180 s on two cores.

``--sharded``: a set of ``motion data shard``, its shards read one after the other, in processor seconds: the first time
their checksums are computed as well. And what Arrow holds while an epoch of batches is made. Target: 20,000 clips/s.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import environment, verdicts, write_json
from motion_platform.core import registry
from motion_platform.data.loader import make_loader
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharded import ShardedDataset


def clips_a_second(dataset: PreparedDataset, work: Callable[[int], Any], repeats: int) -> list[float]:
    """Rates over all rows in random order, after one round that warms the page cache."""
    rates = []
    for repeat in range(repeats + 1):
        rows = list(range(len(dataset)))
        random.Random(repeat).shuffle(rows)
        started = time.perf_counter()
        for row in rows:
            work(row)
        rates.append(len(rows) / (time.perf_counter() - started))
    return rates[1:]


def batch_milliseconds(batches: Iterator[Any], repeats: int, count: int = 50) -> tuple[list[float], float]:
    """(milliseconds a batch of each repeat, share of real frames); the first round is left out."""
    times, real, padded = [], 0, 0
    for _ in range(repeats + 1):
        started = time.perf_counter()
        for _ in range(count):
            batch = next(batches)
        times.append((time.perf_counter() - started) / count * 1000)
        real += int(batch.lengths.sum())
        padded += batch.motion.x.shape[0] * batch.motion.x.shape[1]
    return times[1:], real / padded


def shards_a_second(folder: str) -> float:
    """Clips a processor second, every shard read whole, in this process."""
    dataset = ShardedDataset.open(folder)
    started, clips = time.process_time(), 0
    for k in range(len(dataset.shards)):
        clips += len(dataset.shard(k))
    return clips / (time.process_time() - started)


def epoch_of_shards(folder: str) -> tuple[float, float]:
    """(milliseconds of processor time a batch of 64, the most MB that Arrow holds) of an epoch of a sharded set."""
    import pyarrow as pa

    dataset, before = ShardedDataset.open(folder), pa.total_allocated_bytes()
    loader = make_loader(dataset, "train", dataset.spec(), ("text_high", "text_low"), batch_size=64, buffer=4096)
    started, most = time.process_time(), 0
    batches = loader.micro_batches()
    for _ in range(len(loader)):
        next(batches)
        most = max(most, pa.total_allocated_bytes() - before)
    return (time.process_time() - started) / len(loader) * 1000, most / 1e6


def sharded(folder: str, repeats: int, out: Path | None) -> int:
    """The numbers of a sharded set; 1 where the target is missed."""
    first, *again = [shards_a_second(folder) for _ in range(repeats + 1)]
    batch, most = epoch_of_shards(folder)
    rate = statistics.median(again)
    text, good = verdicts([("shards read, clips a second of one core", rate, ">=", 20_000.0)])
    print(
        f"{text}\nwith their checksums, the first time: {first:.0f}; a batch of 64: {batch:.1f} ms; held: {most:.0f} MB"
    )
    found = {"first": first, "again": again, "batch_ms": batch, "most_mb": most}
    write_json(out, {"found": found, "environment": environment()})
    return 0 if good else 1


def prepare_seconds(name: str, source: Path, workers: int | None) -> float:
    """Seconds of one preparation into a folder that is thrown away."""
    folder = Path(tempfile.mkdtemp())
    try:
        started = time.perf_counter()
        registry.build("data", name).prepare(source, folder / "out", workers=workers)
        return time.perf_counter() - started
    finally:
        shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="a prepared data set (default: the packaged sample)")
    parser.add_argument("--sharded", help="a sharded set, its folder or address (file:///...): only its numbers")
    parser.add_argument("--source", type=Path, help="also time the preparation of this folder")
    parser.add_argument("--name", default="bandai_cmu", help="as which data set")
    parser.add_argument("--workers", type=int, help="processes of the preparation")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    arguments = parser.parse_args()
    if arguments.sharded is not None:
        return sharded(arguments.sharded, arguments.repeats, arguments.out)
    folder = arguments.folder
    if folder is None:
        from motion_platform.data.sources import sample

        folder = sample.folder()
    dataset = PreparedDataset.open(folder)
    found: dict[str, list[float]] = {}
    found["view of a clip, clips/s"] = clips_a_second(dataset, dataset.features, arguments.repeats)
    found["read of a clip, clips/s"] = clips_a_second(
        dataset, lambda i: np.array(dataset.features(i)), arguments.repeats
    )
    real: dict[str, float] = {}
    for representation in ("humanml3d_essential", dataset.representation):
        loader = make_loader(
            dataset, "train", dataset.spec(representation), ("text_high", "text_low"), batch_size=64, seed=0
        )
        what = f"batch of 64, {representation}, ms"
        found[what], real[what] = batch_milliseconds(loader.micro_batches(), arguments.repeats)
    if arguments.source is not None:
        found[f"preparation of {arguments.name}, s"] = [
            prepare_seconds(arguments.name, arguments.source, arguments.workers) for _ in range(arguments.repeats)
        ]
    targets = {"clips/s": (">=", 30_000.0), "ms": ("<=", 5.0), "s": ("<=", 180.0)}
    text, good = verdicts(
        [(what, statistics.median(values), *targets[what.rsplit(", ", 1)[1]]) for what, values in found.items()]
    )
    print(text)
    result = {"clips": len(dataset), "frames": int(dataset.frames.sum()), "found": found, "real_share": real}
    write_json(arguments.out, result | {"environment": environment()})
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
