"""What a data source is: it lists clips with their words and split; the rest of a preparation is the same for all.

Length rules, in frames of the stored representation: a clip shorter than ``MIN_FRAMES`` is dropped. A clip longer than
``WINDOW`` is cut into equal windows of at most that length where any part of it shows what its captions say
(``Item.repeats``); other long clips stay whole and are cropped when a training batch is made.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from motion_platform.core.errors import DataError, MotionPlatformError
from motion_platform.core.schema import Word
from motion_platform.data.geometry import contradicts, sides_swapped
from motion_platform.data.report import Report
from motion_platform.data.writer import PreparedWriter
from motion_platform.motion import io, retarget
from motion_platform.motion.clip import Clip
from motion_platform.motion.reference_pose import starts_with_reference_pose, without_reference_pose
from motion_platform.motion.representations import get_representation
from motion_platform.texts.sides import swap_labels, swap_sides

Given = TypeVar("Given")
Made = TypeVar("Made")
MIN_FRAMES = 10
WINDOW = 196
MAX_FAILED = 0.2
"""A preparation in which more than this share of the files fails is refused: the folder is not what it should be."""
IN_PROCESS = 200
"""Fewer clips than this are not worth the start of worker processes."""


@dataclass(frozen=True)
class Words:
    """What is said about a clip."""

    high: tuple[str, ...] = ()
    low: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    """The high-level captions as published tokens (``a/DET man/NOUN walk/VERB``), of a source that has them."""

    def mirrored(self) -> Words:
        return Words(tuple(map(swap_sides, self.high)), tuple(map(swap_sides, self.low)), swap_labels(self.labels))


@dataclass(frozen=True)
class Item:
    """One clip to be: a file, or the part ``start:end`` (frames at the representation's rate) of one.

    mirror_words: for the mirrored copy; None swaps the sides in ``words``. fps: of the file, where the format does not
    say. repeats: any part of the clip shows what the words say, so that a long one may be cut into windows. told_sides:
    the content label names the side by Bandai-Namco's convention, which the motion must not contradict ("kick left" of
    somebody else's clip may mean many things).
    """

    id: str
    path: str
    split: str
    source: str
    words: Words
    mirror_words: Words | None = None
    start: int = 0
    end: int | None = None
    fps: float | None = None
    repeats: bool = False
    told_sides: bool = False


@dataclass(frozen=True)
class PreparedRow:
    """One clip as it is stored: features (T, D); streams, events and spoken words as the writer takes them."""

    id: str
    split: str
    source: str
    features: np.ndarray
    words: Words
    mirrored: bool = False
    streams: Mapping[str, np.ndarray] = field(default_factory=dict)
    events: Mapping[str, np.ndarray] = field(default_factory=dict)
    spoken: Sequence[Word] = ()

    def stored(self) -> dict[str, Any]:
        """The arguments of :meth:`Rows.add`."""
        return {
            "id": self.id,
            "split": self.split,
            "source": self.source,
            "features": self.features,
            "captions_high": self.words.high,
            "captions_low": self.words.low,
            "labels": self.words.labels,
            "mirrored": self.mirrored,
            "streams": self.streams,
            "events": self.events,
            "words": self.spoken,
            "caption_tokens": self.words.tokens,
        }


@dataclass
class Converted:
    """What became of an item: rows, or why there are none. remarks: (part of the item, why it was left out)."""

    item: Item
    rows: list[PreparedRow] = field(default_factory=list)
    error: str | None = None
    dropped: str | None = None
    nan: bool = False
    too_short: bool = False
    remarks: list[tuple[str, str]] = field(default_factory=list)
    windows: int = 1
    long: bool = False
    reference_pose: bool = False
    side_checked: bool = False
    side_swapped: bool = False


class DataSource(ABC):
    """A data set on somebody's disk. ``name``: as registered. ``licence``: goes into every prepared folder.

    streams: front ends stored beside the motion, name -> (rate, K). has_events: whether rows bring times by name.
    has_words: whether they bring what is said.
    """

    name: str
    licence: str
    representation: str = "humanml3d"
    streams: Mapping[str, tuple[float, int]] = {}
    has_events: bool = False
    has_words: bool = False
    has_tokens: bool = False

    @abstractmethod
    def items(self, source: Path, report: Report) -> list[Item]:
        """Every clip with its words and split; what is left out goes into the report. DataError for a wrong folder."""

    def convert(self, item: Item, mirror: bool) -> Converted:
        """Read one clip and make its rows. Runs in a worker process; errors of the file are returned, not raised."""
        return convert_file(item, self.representation, mirror, None)

    def prepare(
        self,
        source: str | Path,
        out: str | Path,
        *,
        mirror: bool = True,
        progress: bool = False,
        workers: int | None = None,
        overwrite: bool = False,
    ) -> Report:
        """Read ``source``, write the prepared folder ``out`` completely or not at all, and say what was found.

        mirror: store a mirrored copy of each clip, in the same split. workers: processes (default: one a core, or this
        process alone for a small set). Errors: DataError for a wrong folder or more than 20 % failing files;
        OutputError when ``out`` exists or cannot be written.
        """
        started = time.perf_counter()
        source = Path(source)
        if not source.is_dir():
            raise DataError(f"{self.name}: the source folder {source} does not exist")
        report = Report(self.name)
        with PreparedWriter(
            out,
            name=self.name,
            representation=self.representation,
            licence=self.licence,
            streams=self.streams,
            events=self.has_events,
            words=self.has_words,
            tokens=self.has_tokens,
            overwrite=overwrite,
        ) as writer:
            items = self.items(source, report)
            if not items:
                raise DataError(f"{self.name}: no clip to prepare in {source}")
            report.files = len({item.path for item in items})
            captions = []
            for result in _track(self._converted(items, mirror, workers), len(items), progress):
                note(result, report)
                for row in result.rows:
                    writer.add(**row.stored())
                    captions.append(count(row, report))
            check_failed(report, len(items), "nothing was written")
            report.count_captions(captions)
            report.hours = report.frames / writer.contents.fps / 3600
            report.splits = dict(writer.counts)
            report.seconds = time.perf_counter() - started
            writer.finish(report.to_dict())
        return report

    def _converted(self, items: list[Item], mirror: bool, workers: int | None) -> Iterator[Converted]:
        """The items converted, in their order whatever the number of processes."""
        work = partial(self.convert, mirror=mirror)
        processes = workers or (1 if len(items) < IN_PROCESS else min(os.cpu_count() or 1, 16))
        yield from pooled(work, items, processes, 16)


def pooled(
    work: Callable[[Given], Made], given: Sequence[Given], processes: int, chunk: int, kept: str = ""
) -> Iterator[Made]:
    """What ``work`` makes of each, in their order, in ``processes`` (1: this one), ``chunk`` at a time.

    Errors: those of ``work``; DataError for a process that is killed. kept: what of the work is not lost then."""
    if processes == 1:
        yield from map(work, given)
        return
    # Not "fork": the parent may hold threads of torch, whose locks a forked child would inherit.
    with ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread
    ) as pool:
        try:
            yield from pool.map(work, given, chunksize=chunk)
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process was ended from outside, often for want of memory; "
                f"{kept or 'nothing was written'}; start again with fewer: --workers 1"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def convert_file(item: Item, representation: str, mirror: bool, names: str | None) -> Converted:
    """File -> 22 joints at the representation's frame rate -> windows -> features, and the same mirrored."""
    result = Converted(item)
    chosen = get_representation(representation)
    try:
        read = io.load(item.path, fps=item.fps)
        start = item.start
        if starts_with_reference_pose(read):
            # Its time goes by all the same, so that the part keeps its place: the next pose stands in for it while the
            # clip is resampled, and what was made from it is left out.
            after = math.ceil(chosen.fps / read.fps - 1e-6)
            result.reference_pose, start = start < after, max(start, after)
            read = without_reference_pose(read)
        clip = retarget.to_humanml3d(read, fps=chosen.fps, names=names)
        if start or item.end is not None:
            if start >= len(clip):
                raise DataError(
                    f"{item.path}: has {len(clip)} frames at {chosen.fps:g} fps; the part starts at {start}"
                )
            clip = clip.with_(joints=clip.joints[start : item.end])
        clip = clip.with_(joints=retarget.canonical(clip.joints))
        content = item.words.labels.get("content", "")
        against = contradicts(clip.joints, content) if item.told_sides else None
        result.side_checked = True
        result.side_swapped = bool(against) or sides_swapped(clip.joints)
        if result.side_swapped:
            result.dropped = "left and right are swapped: the motion contradicts the name"
            return result
        frames = len(clip) - 1
        if frames < MIN_FRAMES:
            result.too_short, result.dropped = True, f"shorter than {MIN_FRAMES} frames at {chosen.fps:g} fps"
            return result
        result.windows = math.ceil(frames / WINDOW) if item.repeats else 1
        result.long = frames > WINDOW and result.windows == 1
        for piece, id in _windows(clip, item.id, result.windows):
            result.rows.append(PreparedRow(id, item.split, item.source, chosen.encode(piece.joints), item.words))
            if mirror:
                words = item.mirror_words or item.words.mirrored()
                features = chosen.encode(retarget.mirror(piece).joints)
                result.rows.append(PreparedRow(f"{id}_m", item.split, item.source, features, words, mirrored=True))
    except MotionPlatformError as error:
        result.rows = []
        result.error, result.nan = str(error), "NaN" in str(error)
    except (ArithmeticError, ValueError, LookupError, OSError) as error:  # one bad file must not end the run
        result.rows = []
        result.error = f"{type(error).__name__}: {error}"
    return result


def _windows(clip: Clip, id: str, count: int) -> Iterable[tuple[Clip, str]]:
    """The clip, or ``count`` windows of nearly equal length; neighbours share one frame, as a feature row needs two."""
    if count == 1:
        yield clip, id
        return
    edges = np.linspace(0, len(clip) - 1, count + 1).astype(int)
    for k in range(count):
        yield clip.with_(joints=clip.joints[edges[k] : edges[k + 1] + 1]), f"{id}_w{k + 1}"


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def count(row: PreparedRow, report: Report) -> tuple[str, list[str], dict[str, str]]:
    """Count a clip in the report; returns its id, captions and labels, for :meth:`Report.count_captions`."""
    report.clips += 1
    report.mirrored += row.mirrored
    report.frames += len(row.features)
    report.without_captions += not row.words.high
    return row.id, list(row.words.high), dict(row.words.labels)


def check_failed(report: Report, items: int, so: str) -> None:
    """DataError for more than 20 % failing files. so: what therefore did not happen."""
    if len(report.failed) > MAX_FAILED * items:
        first = report.failed[0]
        raise DataError(
            f"{report.name}: {len(report.failed)} of {items} clips failed, so {so}; "
            f"the first: {first['what']}: {first['why']}"
        )


def note(result: Converted, report: Report) -> None:
    """Put what became of an item into the report."""
    id = result.item.id
    report.sides_checked += result.side_checked
    if result.error is not None:
        report.failed.append({"what": id, "why": result.error})
    if result.dropped is not None:
        report.drop(id, result.dropped)
    for what, why in result.remarks:
        report.drop(what, why)
    for happened, where in (
        (result.nan, report.nan),
        (result.too_short, report.too_short),
        (result.windows > 1, report.cut_into_windows),
        (result.long, report.longer_than_window),
        (result.reference_pose, report.reference_poses),
        (result.side_swapped, report.sides_swapped),
    ):
        if happened:
            where.append(id)


def _track(results: Iterable[Any], total: int, progress: bool) -> Iterable[Any]:
    if not progress:
        return results
    from rich.progress import track

    return track(results, total=total, description="preparing")


def with_split(items: list[Item], splits: dict[str, str]) -> list[Item]:
    """The items with the split of their id, where it has one."""
    return [replace(item, split=splits.get(item.id, item.split)) for item in items]
