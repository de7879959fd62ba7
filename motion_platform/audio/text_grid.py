"""TextGrid files of Praat and of forced aligners: the words of a recording and when each is said.

Both spellings, long (``xmin = 0.1``) and short (bare values), in UTF-8 or UTF-16. Only interval tiers are read.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from motion_platform.core.errors import DataError, suggest
from motion_platform.core.opening import read_text
from motion_platform.core.schema import Word

WORDS = ("words", "word", "maus", "ort", "ort-mau")
"""Names of the tier of words, in lower case; a name that ends in one of them, as speakers' tiers do, counts as well."""
SILENCES = frozenset({"", "sil", "sp", "spn", "<eps>", "<p:>", "{sl}", "<unk>", "silence"})
LATE = 1.0
"""Seconds by which words may end after the recording before they are not its own."""

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(exists|absent)>|(?<![\w"])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w"])')
_LABEL = re.compile(r"\[[^\]\"]*\]")


def words_of(path: str | Path, seconds: float | None = None, tier: str | None = None) -> tuple[Word, ...]:
    """The words of a TextGrid in order, silences left out.

    seconds: how long the recording lasts; words that go on for more than ``LATE`` after it are of another one.
    tier: its name, where it is none of the usual. Errors: DataError for a file that is no TextGrid, without such a
    tier, or of another recording.
    """
    path = Path(path)
    tiers = _tiers(path)
    if tier is None:
        named = [name for name in tiers if name.lower().endswith(WORDS)]
        chosen = named[0] if named else next(iter(tiers)) if len(tiers) == 1 else None
    else:
        chosen = tier if tier in tiers else None
    if chosen is None:
        wanted = tier or "words"
        raise DataError(f"{path}: has no tier {wanted!r}; {suggest(wanted, tiers) if tiers else 'it has no intervals'}")
    words = tuple(word for word in tiers[chosen] if word.text.strip().lower() not in SILENCES)
    if seconds is not None and words and words[-1].end > seconds + LATE:
        raise DataError(
            f"{path}: its last word ends at {words[-1].end:.1f} s, but the recording lasts {seconds:.1f} s: it is of "
            "another recording"
        )
    return words


def _tiers(path: Path) -> dict[str, list[Word]]:
    """Name -> intervals, empty ones included."""
    text = read_text(path)
    head, mark, body = text.partition("TextGrid")
    if not mark or "ooTextFile" not in head:
        raise DataError(f'{path}: is no TextGrid (it does not begin with File type = "ooTextFile")')
    # item [1], intervals [12] carry numbers that are no values; the values stand in the same order in both spellings
    tokens = [found.groups() for found in _TOKEN.finditer(_LABEL.sub("", body.lstrip('"')))]
    values = [quoted.replace('""', '"') if quoted is not None else number for quoted, _, number in tokens]
    kinds = [quoted is not None for quoted, _, _ in tokens]
    at = 0

    def take(word: bool) -> str:
        nonlocal at
        while at < len(values) and values[at] is None:  # <exists>
            at += 1
        if at >= len(values) or kinds[at] != word:
            got = repr(values[at]) if at < len(values) else "the end of the file"
            raise DataError(f"{path}: is damaged: got {got} where {'a text' if word else 'a number'} should be")
        at += 1
        return values[at - 1]

    def count() -> int:
        number = float(take(False))
        if not 0 <= number <= len(values):
            raise DataError(f"{path}: is damaged: says that there are {number:g} parts, out of {len(values)} values")
        return int(number)

    take(False), take(False)
    tiers: dict[str, list[Word]] = {}
    for _ in range(count()):
        kind, name = take(True), take(True)
        take(False), take(False)
        intervals: list[Word] = []
        for _ in range(count()):
            if kind == "IntervalTier":
                start, end = float(take(False)), float(take(False))
                text = take(True).strip()
                if not (intervals[-1].end - LATE if intervals else -LATE) <= start <= end < math.inf:
                    raise DataError(
                        f"{path}: is damaged: {text!r:.40} is said from {start:g} to {end:g} s, out of order"
                    )
                intervals.append(Word(text, start, end))
            else:
                take(False), take(True)
        if kind == "IntervalTier":
            tiers[name] = intervals
    return tiers
