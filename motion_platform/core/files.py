"""Write a file, or several that are one thing, completely or not at all, and refuse a wrong name before any work.

Everything is written under a temporary name, brought to the disk (fsync) and moved. What is one file has one commit
point by itself: the move. **Several files, or a folder that replaces another**, would have one each, and a machine that
dies between two leaves neither the old state nor the new. So they are moved twice: together, as one folder, to the name
``.NAME.commit`` - that is the commit point - and from there to their places. Whoever reads or writes them next calls
:func:`settle` (or :func:`settle_folder`) first, which finishes what was broken off.

What a killed process leaves of its temporary files is taken away by the next one that writes there: their names say
which machine and process they are of.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import socket
import time
import uuid
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from motion_platform.core.errors import OutputError, UsageError

LEFT = re.compile(r"\..*\.(?P<host>[0-9a-f]{4})-(?P<process>[0-9a-f]+)-[0-9a-f]{8}\.tmp(\..*)?")
"""Temporary names, as :func:`temporary_beside` makes them."""
ABANDONED = 86_400.0
"""Seconds after which a temporary file of another machine is nobody's."""


def cache_folder(part: str = "") -> Path:
    """Where is kept what can be made again: ``$MOTION_CACHE`` (default ``~/.cache/motion_platform``), or a part."""
    return Path(os.environ.get("MOTION_CACHE", "~/.cache/motion_platform")).expanduser() / part


def check_formats(paths: Sequence[Path], formats: Collection[str], *, any_case: bool = False) -> None:
    """UsageError for an extension that is not one of ``formats``; any_case: .HTML is .html."""
    for path in paths:
        if (path.suffix.lower() if any_case else path.suffix) not in formats:
            raise UsageError(f"{path}: unknown format {path.suffix or '(no extension)'}; allowed: {', '.join(formats)}")


def check_folders(paths: Sequence[Path]) -> None:
    """UsageError for a file that cannot be written where it is to be: no folder there, no permission, a folder."""
    for path in paths:
        if not os.path.isdir(path.parent):
            raise UsageError(f"{path}: the folder {path.parent} does not exist")
        if os.path.isdir(path):
            raise UsageError(f"{path}: is a folder; give a file name")
        if not os.access(path.parent, os.W_OK):
            raise UsageError(f"{path}: the folder {path.parent} may not be written to")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` (same extension); move it into place when the block ends well.

        with atomic_path("out.bvh") as temporary:
            temporary.write_text(text)

    When the block raises, the temporary file is removed and an older file at ``path`` stays as it was. A symbolic link
    stays one: the file that it names is written. Errors: OutputError, one line, for a missing folder, a folder in the
    file's place, no permission, a full disk (any OSError of the block); everything else passes through unchanged.
    """
    path = Path(path)
    with _one_line(path):
        if path.is_symlink():
            path = path.resolve()
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; give a file name")
        if not path.parent.is_dir():
            raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
        _sweep_once(path.parent)
        temporary = temporary_beside(path)
        try:
            yield temporary
            if not temporary.exists():
                raise OutputError(f"{path}: nothing was written")
            _to_disk(temporary)
            os.replace(temporary, path)
            _to_disk(path.parent)
        finally:
            with suppress(OSError):  # a disk that refuses this has refused the work before, and that is what is said
                temporary.unlink(missing_ok=True)


@contextmanager
def atomic_files(head: Path) -> Iterator[Path]:
    """Give a new folder for several files that are one thing: they take their places beside ``head``, all or none.

        with atomic_files(folder / "model.yaml") as partial:
            (partial / "model.safetensors").write_bytes(weights)
            (partial / "model.yaml").write_text(card)

    head: one of them, the same each time; who reads them calls ``settle(head)`` first. When the block raises, nothing
    is changed. Errors: OutputError for any OSError of the block.
    """
    with _folder_beside(head, settle) as partial:
        yield partial
        _tree_to_disk(partial)
        for _ in range(3):
            try:
                os.replace(partial, _commit(head))
                break
            except OSError:  # another process has committed and is about to move its files: they go first
                if not _commit(head).is_dir():
                    raise
                settle(head)
        else:
            raise OutputError(f"{head}: another process writes it; it was left to that one")
        _to_disk(head.parent)
        settle(head)


@contextmanager
def _folder_beside(path: Path, settle_first: Callable[[Path], None]) -> Iterator[Path]:
    """A new temporary folder beside ``path``, once what was broken off there is finished and what was left is away; it
    is removed at the end unless the block has moved it."""
    with _one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        settle_first(path)
        sweep(path.parent)
        partial = temporary_beside(path, folder=True)
        try:
            partial.mkdir()
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def settle(head: Path) -> None:
    """Finish what a process had committed, see :func:`atomic_files`, and then died. Errors: OutputError."""
    commit = _commit(head)
    if not os.path.isdir(commit):  # false for a name that can be none, too
        return
    with _one_line(head):
        files = [file for file in sorted(commit.rglob("*")) if file.is_file()]
        folders = {head.parent}
        for file in files:
            place = head.parent / file.relative_to(commit)
            place.parent.mkdir(parents=True, exist_ok=True)
            folders.add(place.parent)
            with suppress(FileNotFoundError):  # another process settles the same
                os.replace(file, place)
        for folder in folders:
            _to_disk(folder)
        for folder in sorted(commit.rglob("*"), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):  # only ever an empty one: another process may have committed anew
            commit.rmdir()


def settle_all(folder: Path) -> None:
    """:func:`settle` for whatever was committed in a folder, where the names are not known. Errors: OutputError."""
    for commit in folder.glob(".*.commit"):
        settle(folder / commit.name[1 : -len(".commit")])


@contextmanager
def atomic_folder(folder: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give a new, empty folder beside ``folder``; it takes the place of whatever is there when the block ends well.

    When the block raises, it is removed, and what was there stays. replace: False refuses to take the place of
    anything. Who reads it calls ``settle_folder(folder)`` first. Errors: OutputError for any OSError of the block.
    """
    with _folder_beside(folder, settle_folder) as partial:
        yield partial
        put_folder(partial, folder, replace=replace)


def put_folder(partial: Path, folder: Path, *, replace: bool) -> None:
    """Move a whole folder to its name, see :func:`atomic_folder`. Errors: OutputError, OSError."""
    folder = _named(folder)
    _tree_to_disk(partial)
    if not replace:
        if folder.exists():  # it was not when the work began
            raise OutputError(f"{folder}: was made by another process meanwhile; it was left as it is")
        os.rename(partial, folder)
        _to_disk(folder.parent)
        return
    settle_folder(folder)
    os.rename(partial, _commit(folder))
    _to_disk(folder.parent)
    settle_folder(folder)


def settle_folder(folder: Path) -> None:
    """Finish what a process had committed, see :func:`atomic_folder`, and then died. Errors: OutputError."""
    folder = _named(folder)
    commit = _commit(folder)
    if not os.path.isdir(commit):  # false for a name that can be none, too
        return
    with _one_line(folder):
        old = None
        if folder.exists() or folder.is_symlink():
            old = temporary_beside(folder, folder=True)
            os.replace(folder, old)
        try:
            os.replace(commit, folder)
        except FileNotFoundError:  # another process has settled the same meanwhile
            if old is not None and not folder.exists():  # what was taken away is what that one has put there
                os.replace(old, folder)
                return
        _to_disk(folder.parent)
        if old is not None:
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()


@contextmanager
def lock_folder(folder: Path, work: str) -> Iterator[None]:
    """While the block runs, no other process gets ``folder``, which is made if it must be. UsageError when one has it.

    work: what is done there, for the message. The lock is of the operating system: it ends with the process. A folder
    that was made for it and holds nothing else is taken away again.
    """
    from filelock import FileLock, Timeout

    with _one_line(folder):
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError(f"{folder}: another process {work} here; wait for it, or name another folder") from error
        try:
            yield
        finally:
            lock.release()
            if made and [path.name for path in folder.iterdir()] in ([], [LOCK]):
                shutil.rmtree(folder, ignore_errors=True)


LOCK = ".lock"


def sweep(folder: Path) -> None:
    """Take away what killed processes have left in a folder: temporary files whose process is no more."""
    with suppress(OSError):  # a folder that may not be read or changed stays as it is
        for place in folder.iterdir():
            if (found := LEFT.fullmatch(place.name)) and _is_left(place, **found.groupdict()):
                shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)


@functools.lru_cache(maxsize=256)
def _sweep_once(folder: Path) -> None:
    """Once a process: a folder of ten thousand files is not listed for each of them."""
    sweep(folder)


def _is_left(place: Path, host: str, process: str) -> bool:
    if host != _host():  # whether it still runs there cannot be asked
        return time.time() - place.stat().st_mtime > ABANDONED
    import psutil

    return not psutil.pid_exists(int(process, 16))


def temporary_beside(path: Path, *, folder: bool = False) -> Path:
    """A new name beside ``path``, hidden, with its extension (that of a folder is none); it says who writes, see
    :func:`sweep`. Of a long name only the beginning is in it: one that a file may have must not become one that no file
    may have, and systems count bytes."""
    mark = f"{_host()}-{os.getpid():x}-{uuid.uuid4().hex[:8]}"
    path = _named(path)
    begin = os.fsencode(path.stem)[:100].decode(errors="ignore")
    return path.parent / f".{begin}.{mark}.tmp{'' if folder else path.suffix}"


def _named(path: Path) -> Path:
    """The same place with its own name at the end, which ``.`` and ``..`` do not have."""
    return path if path.name not in ("", "..") else Path(os.path.abspath(path))


@functools.lru_cache(maxsize=1)
def _host() -> str:
    """Four digits of this machine, or container."""
    return f"{zlib.crc32(socket.gethostname().encode()) & 0xFFFF:04x}"


def _commit(path: Path) -> Path:
    path = _named(path)
    return path.parent / f".{path.name}.commit"


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Any OSError of the block as an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: could not be written: {error.strerror or error}") from error


def _tree_to_disk(folder: Path) -> None:
    """Bring all files of a folder to the disk, and the names of them."""
    for path in [*folder.rglob("*"), folder]:
        _to_disk(path)


def _to_disk(path: Path) -> None:
    """fsync: what was written is there after a power cut, too. Some systems do not know it for folders."""
    if path.is_dir():
        with suppress(OSError):
            _sync(path, os.O_RDONLY)
    elif path.is_file():
        _sync(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def _sync(path: Path, how: int) -> None:
    number = os.open(path, how)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def numbered(path: str | Path, count: int) -> list[Path]:
    """The path itself for one file, ``walk_1.mp4``, ``walk_2.mp4``, ... for several."""
    path = Path(path)
    return [path] if count == 1 else [path.with_stem(f"{path.stem}_{i + 1}") for i in range(count)]
