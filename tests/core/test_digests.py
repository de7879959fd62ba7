from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import xxhash

from motion_platform.core.digests import digest_of

DATA = bytes(range(256)) * 20_000  # longer than one block


def test_a_digest_is_that_of_the_bytes_and_of_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    assert digest_of(path, "sha256") == hashlib.sha256(DATA).hexdigest()
    assert digest_of(path, "xxh3_128") == xxhash.xxh3_128(DATA).hexdigest()
    path.write_bytes(DATA[:-1])
    assert digest_of(path, "sha256") == hashlib.sha256(DATA[:-1]).hexdigest()
    os.unlink(path)
    with pytest.raises(OSError, match=r"a\.bin"):
        digest_of(path, "sha256")
