"""A data source prepared as a sharded set: every shard is converted and written by one process from its own files.

So any number of processes, on any number of machines that see the same folder, make the same files: each takes its part
of the shards (``--part 2/8``), and whoever finds all of them there puts the set together. What is written stays when a
process dies, and the same command goes on with the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.core.files import atomic_path
from motion_platform.core.opening import read_json
from motion_platform.data.clusters import on_ray
from motion_platform.data.prepared import SPLITS
from motion_platform.data.report import Report
from motion_platform.data.sharding import CLIPS, Shard, check_request, dealt, gather, write_shard
from motion_platform.data.source import Converted, DataSource, Item, check_failed, count, note, pooled
from motion_platform.data.writer import Contents
from motion_platform.motion.representations import get_representation

COUNTED = ("clips", "mirrored", "frames", "without_captions")
"""What of a report every shard counts of its own clips."""
PARTS = "parts"
"""Of an unfinished set: what is known of each shard that is written, and of which clips they are."""


def prepare_shards(
    maker: DataSource,
    source: Path,
    out: str | Path,
    *,
    clips: int = CLIPS,
    mirror: bool = True,
    workers: int | None = None,
    part: tuple[int, int] = (1, 1),
    cluster: str | None = None,
) -> Report | str:
    """Read ``source``, write part k of n (from 1) of the shards of ``out``, and the whole set when all are there.

    Returns the report of the whole, or what is missing. clips: a shard, mirrored copies counted. workers: processes
    here (default: one a core). cluster: of Ray, which does the work instead (:mod:`motion_platform.data.clusters`); all
    of its machines see ``source`` and ``out`` under the same names.

    Errors: DataError for a wrong folder, for more than 20 % failing files, for a folder that holds shards of other
    clips, and for a process that is killed; OutputError, UsageError as of :func:`shard_set`.
    """
    started = time.perf_counter()
    number, parts = part
    if not 1 <= number <= parts:
        raise UsageError(f"--part: got {number}/{parts}; allowed: 1/{parts} to {parts}/{parts}")
    out = Path(out)
    if cluster is not None:
        source, out = source.absolute(), out.absolute()
    if not (out / PARTS).is_dir():
        out = check_request(out, clips, overwrite=False)
    report = Report(maker.name)
    items = maker.items(source, report)
    if not items:
        raise DataError(f"{maker.name}: no clip to prepare in {source}")
    own = max(clips // 2, 1) if mirror else clips
    groups = dealt({split: [item for item in items if item.split == split] for split in SPLITS}, own)
    plan = begin(out, maker, items, clips, mirror)
    missing = [group for group in groups[number - 1 :: parts] if not _known(out, group[0]).is_file()]
    work = partial(write_group, maker, mirror=mirror, out=out)
    processes = min(workers or min(os.cpu_count() or 1, 16), max(len(missing), 1))
    kept = f"the shards that are written in {out} are kept, and the same command goes on with the rest"
    if cluster is None:
        done = pooled(work, missing, processes, 1, kept)
    else:
        done = on_ray(work, missing, cluster, workers, kept)
    for _ in done:
        pass
    left = [file for file, _, _ in groups if not _known(out, file).is_file()]
    if left:
        return (
            f"{len(groups) - len(left)} of {len(groups)} shards are written; other parts make the rest, {left[0]} first"
        )
    shards = list(finished(out, groups, report))
    report.files = len({item.path for item in items})
    check_failed(report, len(items), "the set was not put together")
    report.hours = report.frames / contents_of(maker).fps / 3600
    report.splits = {split: sum(shard.clips for shard in shards if shard.split == split) for split in SPLITS}
    report.seconds = time.perf_counter() - started
    gather(out, contents_of(maker), shards, report.to_dict(), plan[:16])
    shutil.rmtree(out / PARTS, ignore_errors=True)
    return report


def begin(out: Path, maker: DataSource, items: list[Item], clips: int, mirror: bool) -> str:
    """Note in ``out`` of which clips its shards are; returns the name of the plan. DataError where they are others."""
    about = [maker.name, asdict(contents_of(maker)), clips, mirror, [[item.id, item.split] for item in items]]
    plan = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    try:
        (out / PARTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from error
    path = out / PARTS / "plan.json"
    if not path.is_file():
        with atomic_path(path) as partial_path:
            partial_path.write_text(json.dumps({"plan": plan, "clips": len(items)}))
    found = read_json(path)
    if found.get("plan") != plan:
        raise DataError(
            f"{out}: its shards are of {found.get('clips')} other clips or settings, here are {len(items)}; every "
            "machine needs the same source and the same options; else remove the folder"
        )
    return plan


def write_group(maker: DataSource, group: tuple[str, str, list[Item]], *, mirror: bool, out: Path) -> None:
    """Convert the items of one shard, write it, and beside it what became of them. Runs in a worker process."""
    file, split, items = group
    results, captions, report = [], [], Report(maker.name)

    def rows() -> Iterator[dict[str, Any]]:
        for item in items:
            made = maker.convert(item, mirror)
            for row in made.rows:
                captions.append(count(row, report))
                yield row.stored()
            results.append({**asdict(replace(made, rows=[])), "item": item.id})

    shard = write_shard(out, file, split, rows(), contents_of(maker))
    totals = {name: getattr(report, name) for name in COUNTED}
    with atomic_path(_known(out, file)) as path:
        path.write_text(
            json.dumps({"shard": asdict(shard), "results": results, "captions": captions, "totals": totals})
        )


def finished(out: Path, groups: list[tuple[str, str, list[Item]]], report: Report) -> Iterator[Shard]:
    """Every shard, what became of its items gone into the report."""
    captions: list[tuple[str, list[str], dict[str, str]]] = []
    for file, _, items in groups:
        known = read_json(_known(out, file))
        for item, result in zip(items, known["results"], strict=True):
            remarks = [(what, why) for what, why in result["remarks"]]
            note(Converted(**{**result, "item": item, "remarks": remarks}), report)
        captions += [(id, high, labels) for id, high, labels in known["captions"]]
        for name, value in known["totals"].items():
            setattr(report, name, getattr(report, name) + value)
        yield Shard(**known["shard"])
    report.count_captions(captions)


def contents_of(maker: DataSource) -> Contents:
    """What the rows of a source hold."""
    fps = float(get_representation(maker.representation).fps)
    kinds = {"events": maker.has_events, "words": maker.has_words, "tokens": maker.has_tokens}
    return Contents(maker.name, maker.representation, maker.licence, fps, dict(maker.streams), **kinds)


def _known(out: Path, file: str) -> Path:
    return out / PARTS / f"{Path(file).stem}.json"
