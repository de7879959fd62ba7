"""Errors a person can act on: where, what was got, what is allowed, the nearest name.

Every error raised on purpose is a :class:`MotionPlatformError`. The command line prints its message as one line and
exits with its ``exit_code``; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 2000
"""Characters of a message."""


class MotionPlatformError(Exception):
    """Base of all errors raised on purpose. The message is one line that says what to do; of a longer one, which
    quotes a name of thousands of characters, the beginning and the end."""

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        text = str(message)
        super().__init__(text if len(text) <= LONGEST else f"{text[: LONGEST - 500]} ... {text[-400:]}")


class UsageError(MotionPlatformError):
    """The request itself is wrong: an unknown name, key or option value, an impossible length."""

    exit_code = 2


class ConfigError(UsageError):
    """A recipe or card does not say what it must."""


class UnknownName(UsageError):
    """A name that is not in the registry, with the nearest ones that are."""

    def __init__(self, kind: str, name: object, allowed: Iterable[str], where: str = "") -> None:
        self.kind, self.name, self.allowed = kind, name, sorted(allowed)
        super().__init__(f"{where + ': ' if where else ''}unknown {kind} {name!r}; {suggest(name, self.allowed)}")


class DataError(MotionPlatformError):
    """A file or an array is not what it claims to be."""


class WeightsError(MotionPlatformError):
    """Weights are missing, tampered with, or of another model or version."""


class OutputError(MotionPlatformError):
    """A result could not be written."""


def suggest(name: object, allowed: Iterable[str]) -> str:
    """Say the nearest allowed name, then all of them: ``did you mean 'walk'? allowed: run, walk``."""
    allowed = sorted(allowed)
    near = difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    listing = f"allowed: {', '.join(allowed) if allowed else '(none)'}"
    return f"did you mean {near[0]!r}? {listing}" if near else listing
