"""What several commands share: how far long work is, and values given to slots."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from motion_platform.core.errors import UsageError

PATIENCE = 2.0
"""Seconds that work may last before a line says how far it is."""


class Progress:
    """How far long work is, in one line on a terminal after ``PATIENCE`` seconds; nothing elsewhere."""

    def __enter__(self) -> Progress:
        self.shown, self.since = 0, time.monotonic()
        return self

    def show(self, name: str, done: int, total: int) -> None:
        """``done`` of ``total`` of the thing called ``name``."""
        if sys.stderr.isatty() and time.monotonic() - self.since > PATIENCE:
            line = f"{name}: {100 * done // max(total, 1)} %"
            print(f"\r{line:<{self.shown}}", end="", file=sys.stderr, flush=True)
            self.shown = len(line)

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print(f"\r{'':<{self.shown}}\r", end="", file=sys.stderr, flush=True)


def given_slots(pairs: Sequence[str]) -> dict[str, list[str]]:
    """``SLOT=VALUE`` words -> slot -> its values in order. UsageError for a word without an equals sign."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        slot, equals, value = pair.partition("=")
        if not equals or not slot.strip():
            raise UsageError(f"--give: got {pair!r}; write SLOT=VALUE, a slot of the task's card and what it takes")
        found.setdefault(slot.strip(), []).append(value)
    return found
