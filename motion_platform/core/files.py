"""Write a file completely or not at all, and refuse a wrong name before any work is done."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from motion_platform.core.errors import OutputError, UsageError


def check_formats(paths: Sequence[Path], formats: Collection[str], *, any_case: bool = False) -> None:
    """UsageError for an extension that is not one of ``formats``; any_case: .HTML is .html."""
    for path in paths:
        if (path.suffix.lower() if any_case else path.suffix) not in formats:
            raise UsageError(f"{path}: unknown format {path.suffix or '(no extension)'}; allowed: {', '.join(formats)}")


def check_folders(paths: Sequence[Path]) -> None:
    """UsageError for a file that cannot be written where it is to be: no folder there, no permission, a folder."""
    for path in paths:
        if not path.parent.is_dir():
            raise UsageError(f"{path}: the folder {path.parent} does not exist")
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; give a file name")
        if not os.access(path.parent, os.W_OK):
            raise UsageError(f"{path}: the folder {path.parent} may not be written to")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` (same extension); move it into place when the block ends well.

        with atomic_path("out.bvh") as temporary:
            temporary.write_text(text)

    When the block raises, the temporary file is removed and an older file at ``path`` stays as it was.
    Errors: OutputError, one line, for a missing folder, a folder in the file's place, no permission, a full disk
    (any OSError of the block); everything else passes through unchanged.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give a file name")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
    temporary = path.with_name(f".{path.stem[:100]}.{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        yield temporary
        if not temporary.exists():
            raise OutputError(f"{path}: nothing was written")
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: could not be written: {error.strerror or error}") from error
    finally:
        _remove(temporary)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give a new, empty folder beside ``folder``; it takes the place of whatever is there when the block ends well.

    When the block raises, it is removed, and what was there stays. Errors: OutputError for any OSError of the block.
    """
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        partial.mkdir(parents=True)
        yield partial
        shutil.rmtree(folder, ignore_errors=True)  # an older or half-written one
        os.replace(partial, folder)
    except OSError as error:
        raise OutputError(f"{folder}: could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def numbered(path: str | Path, count: int) -> list[Path]:
    """The path itself for one file, ``walk_1.mp4``, ``walk_2.mp4``, ... for several."""
    path = Path(path)
    return [path] if count == 1 else [path.with_stem(f"{path.stem}_{i + 1}") for i in range(count)]


def _remove(temporary: Path) -> None:
    """Take a temporary file away; a disk that refuses this has refused the work before, and that is what is said."""
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files of a folder: all to temporary names first, then moved into place. OutputError on any failure."""
    mark = uuid.uuid4().hex[:8]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / f".{name}.{mark}.tmp").write_bytes(data)
        for name in files:
            os.replace(folder / f".{name}.{mark}.tmp", folder / name)
    except OSError as error:
        raise OutputError(f"{folder}: could not be written: {error.strerror or error}") from error
    finally:
        for name in files:
            _remove(folder / f".{name}.{mark}.tmp")
