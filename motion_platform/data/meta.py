"""``meta.json`` of a prepared folder: what it must say, and the checksums by which damage is noticed.

An Arrow file is mapped into memory and read without being looked at: a damaged one gives other numbers, or kills the
interpreter. So meta.json holds size and xxh3-128 of each file (a hash that reads memory about as fast as it can be
read; it finds damage, it does not keep anybody from making a file), and the sha256 of itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motion_platform.core.digests import digest_of
from motion_platform.core.errors import DataError
from motion_platform.core.opening import read_json, short
from motion_platform.motion.representations import get_representation

FORMAT_VERSION = 1
REMEDY = "prepare the data again"


class Moments(BaseModel):
    """Statistics of the training split; ``mean`` and ``std`` have ``dim`` numbers."""

    mean: list[float]
    std: list[float]


class FileSum(BaseModel):
    """Of an Arrow file."""

    bytes: int
    xxh3_128: str


class ShardFile(BaseModel):
    """A Parquet file of a sharded set: clips of one split."""

    file: str
    split: str
    clips: int = Field(ge=0)


class Meta(BaseModel):
    """What a reader needs of meta.json; there may be more. files: none in a folder of an older version. shards: of a
    sharded set (data/sharded.py) its Parquet files, in the order of the rows."""

    model_config = ConfigDict(strict=True)

    name: str
    representation: str
    dim: int
    fps: float = Field(gt=0, le=1000)
    streams: dict[str, list[float | int]] = {}
    statistics: Moments
    licence: str
    files: dict[str, FileSum] | None = None
    shards: list[ShardFile] | None = None
    sha256: str | None = None


def read_meta(folder: Path) -> dict[str, Any]:
    """meta.json, checked. Errors: DataError."""
    path = folder / "meta.json"
    meta = read_json(path, what="what a prepared set says of itself")
    if not isinstance(meta, dict) or meta.get("format_version") != FORMAT_VERSION:
        got = meta.get("format_version") if isinstance(meta, dict) else meta
        raise DataError(
            f"{folder}: format version {str(got)[:40]}, this program reads {FORMAT_VERSION}; prepare the data again"
        )
    if "sha256" in meta and meta["sha256"] != digest(meta):
        raise DataError(f"{path}: was changed after it was written: its sha256 is another; {REMEDY}")
    try:
        checked = Meta.model_validate(meta)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {place}: {first['msg'][:1].lower()}{first['msg'][1:]}; {REMEDY}") from error
    known = get_representation(checked.representation)
    dim = known.dim
    numbers = checked.statistics
    if checked.dim != dim or {len(numbers.mean), len(numbers.std)} != {dim}:
        raise DataError(f"{path}: does not hold the {dim} numbers of {checked.representation}; {REMEDY}")
    if checked.fps != known.fps:
        raise DataError(f"{path}: fps: got {checked.fps:g}; {known.name} has {known.fps:g}; {REMEDY}")
    if not np.isfinite([numbers.mean, numbers.std]).all() or min(numbers.std) < 0:
        raise DataError(f"{path}: statistics: a number is not finite, or a deviation negative; {REMEDY}")
    for name, stream in checked.streams.items():
        if len(stream) != 2 or not 0 < stream[0] < 1e6 or not 1 <= stream[1] < 1e6 or stream[1] != int(stream[1]):
            raise DataError(f"{path}: streams.{name}: got {str(stream)[:60]}; [rate, numbers a frame] is needed")
    return meta


def arrow_files(folder: Path, meta: Mapping[str, Any]) -> list[Path]:
    """The Arrow files of a folder, in order, each held to its checksum. Errors: DataError."""
    try:
        names = [str(file["filename"]) for file in read_json(folder / "state.json")["_data_files"]]
    except (KeyError, TypeError) as error:
        raise DataError(f"{folder / 'state.json'}: names no files ({short(error)}); {REMEDY}") from error
    sums = meta.get("files")
    if sums is not None and list(sums) != names:
        raise DataError(f"{folder / 'state.json'}: does not name the files that meta.json does; {REMEDY}")
    for name in names:
        if Path(name).name != name:
            raise DataError(f"{folder / 'state.json'}: got the file {name[:60]!r}; a name in the folder is needed")
        if sums is not None:
            verify(folder / name, sums[name]["bytes"], sums[name]["xxh3_128"])
    return [folder / name for name in names]


def preparation_of(folder: Path) -> str:
    """The fingerprint that state.json has. Errors: DataError."""
    state = read_json(folder / "state.json")
    if not isinstance(state, dict) or not isinstance(state.get("_fingerprint"), str):
        raise DataError(f"{folder / 'state.json'}: has no _fingerprint; {REMEDY}")
    return state["_fingerprint"]


def verify(path: Path, size: int, expected: str, remedy: str = REMEDY) -> None:
    """DataError unless a file has this size and this xxh3-128; it is read once a process. remedy: what to do."""
    try:
        if (found := path.stat().st_size) != size:
            raise DataError(f"{path}: has {found} bytes, not {size}: it was cut off or changed; {remedy}")
        if digest_of(path, "xxh3_128") != expected:
            raise DataError(f"{path}: is damaged: its checksum is not the one that meta.json has; {remedy}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from error


def sums(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What meta.json says of the files that have just been written."""
    return {
        name: {"bytes": (folder / name).stat().st_size, "xxh3_128": digest_of(folder / name, "xxh3_128")}
        for name in names
    }


def write_meta(folder: Path, meta: Mapping[str, Any]) -> None:
    """meta.json, with the sha256 of itself."""
    plain = json.loads(json.dumps(meta))
    plain["sha256"] = digest(plain)
    (folder / "meta.json").write_text(json.dumps(plain, indent=1))


def digest(meta: Mapping[str, Any]) -> str:
    """The sha256 of everything in meta.json but itself."""
    rest = {key: value for key, value in meta.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_cell(text: str, column: str, where: str) -> Any:
    """What a row's text in the column "labels" ({name: word}), "events" ({name: times (n,)}) or "words" ([(word, start,
    end)]) holds. Errors: DataError for anything else, which the Arrow file of a folder without checksums may hold."""
    try:
        value = json.loads(text)
        if column == "labels":
            good = all(isinstance(word, str) for word in value.values())
        elif column == "events":
            value = {name: np.array(times, np.float64) for name, times in value.items()}
            good = all(times.ndim == 1 and np.isfinite(times).all() for times in value.values())
        else:
            value = [(word, float(start), float(end)) for word, start, end in value]
            good = all(isinstance(word, str) and np.isfinite([start, end]).all() for word, start, end in value)
        if not good:
            raise ValueError("something else stands there")
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"{where}: the column {column} is damaged ({short(error)}); {REMEDY}") from error
    return value


def arrow_schema(streams: Iterable[str], events: bool, words: bool, tokens: bool) -> Any:
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
