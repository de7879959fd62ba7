"""Features of frozen encoders, computed once: in memory, and in a folder if there is one.

A folder holds one sub-folder a fingerprint, with shards: ``<name>.npy`` (float32 tokens of many inputs, stacked) and
``<name>.json`` (which rows belong to which input), written as one thing. Several processes may write at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError
from motion_platform.core.files import atomic_files, settle_all
from motion_platform.core.opening import read_json, short
from motion_platform.motion.io.arrays import mapped

FLUSH = 8192
"""Inputs gathered in memory before a shard is written."""
FLUSH_NUMBERS = 1 << 26
"""Or so many numbers of them (256 MB): a recording has many tokens."""


class FeatureCache:
    """(fingerprint, input) -> tokens (n, C) float32 on the CPU; n is 0 for an input without a real token."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._memory: dict[str, dict[str, Tensor]] = {}
        self._pending: dict[str, list[str]] = {}
        self._waiting = 0

    def __deepcopy__(self, memo: dict) -> FeatureCache:
        """A copy of a model (its moving average) shares the cache."""
        return self

    def table(self, fingerprint: str) -> dict[str, Tensor]:
        """All that is known for one encoder; read it, write with :meth:`put`. Errors: DataError for a damaged shard."""
        if fingerprint not in self._memory:
            self._memory[fingerprint] = {}
            if self.folder is not None:
                settle_all(self._place(fingerprint))
                for index in sorted(self._place(fingerprint).glob("*.json")):
                    self._memory[fingerprint].update(read_shard(index))
        return self._memory[fingerprint]

    def _place(self, fingerprint: str) -> Path:
        """The folder of an encoder: its fingerprint, or a hash of one that can be no folder's name."""
        assert self.folder is not None
        plain = re.fullmatch(r"[\w .=+-]{1,100}", fingerprint) is not None
        return self.folder / (fingerprint if plain else hashlib.sha256(fingerprint.encode()).hexdigest())

    def put(self, fingerprint: str, key: str, features: Tensor) -> None:
        """Keep tokens (n, C). Errors: OutputError when a full shard cannot be written."""
        self.table(fingerprint)[key] = features
        if self.folder is not None:
            pending = self._pending.setdefault(fingerprint, [])
            pending.append(key)
            self._waiting += features.numel()
            if len(pending) >= FLUSH or self._waiting >= FLUSH_NUMBERS:
                self.flush()

    def flush(self) -> None:
        """Write what is new to the folder, if there is one. Errors: OutputError."""
        if self.folder is None:
            return
        for fingerprint, keys in self._pending.items():
            if not keys:
                continue
            table = self._memory[fingerprint]
            index = write_shard(self._place(fingerprint), {key: table[key] for key in dict.fromkeys(keys)})
            keys.clear()
            self._waiting = 0
            table.update(read_shard(index))  # mapped from the file: the memory can be given back


class Forgetful(FeatureCache):
    """Keeps nothing: features are made for every batch anew."""

    def table(self, fingerprint: str) -> dict[str, Tensor]:
        """An empty table, another one every time."""
        return {}

    def put(self, fingerprint: str, key: str, features: Tensor) -> None:
        """Nothing."""


def write_shard(folder: Path, features: dict[str, Tensor]) -> Path:
    """Write one shard; returns its index file. Errors: OutputError, and then nothing is left behind."""
    index = folder / f"{uuid.uuid4().hex}.json"
    counts = [[key, len(value)] for key, value in features.items()]
    with atomic_files(index) as partial:
        np.save(partial / f"{index.stem}.npy", torch.cat(list(features.values())).float().cpu().numpy())
        (partial / index.name).write_text(json.dumps(counts), encoding="utf-8")
    return index


def read_shard(index: Path) -> dict[str, Tensor]:
    """Input -> tokens (n, C), mapped from the file. Errors: DataError."""
    rows = index.with_suffix(".npy")
    try:
        counts = read_json(index)
        # Copy on write, so that torch gets memory it may write to; nothing is ever written to the file.
        stacked = torch.from_numpy(mapped(rows, "c"))
        if stacked.ndim != 2 or stacked.dtype != torch.float32:
            raise ValueError(f"holds {tuple(stacked.shape)} {stacked.dtype}, expected (rows, C) float32")
        keys, lengths = [key for key, _ in counts], [count for _, count in counts]
        if not all(isinstance(key, str) for key in keys) or not torch.isfinite(stacked).all():
            raise ValueError("a key that is no text, or a number that is not finite")
        return dict(zip(keys, stacked.split(lengths), strict=True))
    except (DataError, OSError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise DataError(f"{rows}: damaged feature cache ({short(error)}); delete its folder") from error
