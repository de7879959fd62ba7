"""Checksums of files, each computed once a process for a file that does not change."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import Any, Literal

Kind = Literal["sha256", "xxh3_128"]
"""sha256: nobody can make another file with it. xxh3_128: as fast as memory is read; it finds damage only."""


def digest_of(path: Path, kind: Kind) -> str:
    """The checksum of a file's bytes as hex digits. Errors: OSError."""
    status = os.stat(path)
    return _digest(os.path.abspath(path), kind, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1 << 16)
def _digest(path: str, kind: Kind, _size: int, _changed: int) -> str:
    digest: Any  # xxhash's has the same methods as hashlib's, and no common type
    if kind == "sha256":
        digest = hashlib.sha256()
    else:
        import xxhash

        digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
