"""What is said in a recording, from what a person gives: a TextGrid with times, or a text without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from motion_platform.audio import text_grid
from motion_platform.audio.listening import SILENT
from motion_platform.core.errors import DataError
from motion_platform.core.opening import read_text
from motion_platform.core.schema import Audio, Word

FASTEST = 8.0
"""Words a second; nobody says more, so the text is of another recording."""


def with_words(audio: Audio, said: str | Path | tuple[Word, ...]) -> Audio:
    """The recording with its words. said: words with times, a .TextGrid, a .txt, or the text itself.

    A text without times is spread over what sounds, a word as long as its letters: good enough for where in a sentence
    a word is, not for the syllable; align it (a TextGrid) for that. Errors: DataError for a file that cannot be read or
    is of another recording.
    """
    if isinstance(said, tuple):
        return replace(audio, words=said)
    path = Path(said)
    if path.suffix.lower() == ".textgrid":
        return replace(audio, words=text_grid.words_of(path, audio.seconds))
    where, text = "transcript", str(said)
    if path.suffix.lower() == ".txt":
        where = str(path)
        text = read_text(path)
    return replace(audio, words=spread(text.split(), audio, where))


def spread(words: list[str], audio: Audio, where: str) -> tuple[Word, ...]:
    """Words without times over the part of a recording that sounds, each as long as its letters.

    DataError for no words, or more than can be said in that time.
    """
    if not words:
        raise DataError(f"{where}: holds no word")
    start, end = 0.0, audio.seconds
    if audio.samples is not None:
        loud = np.flatnonzero(np.abs(audio.samples) > SILENT)
        if len(loud):
            start, end = loud[0] / audio.rate, (loud[-1] + 1) / audio.rate
    if len(words) > FASTEST * (end - start):
        raise DataError(
            f"{where}: {len(words)} words for {end - start:.1f} s of sound are more than anybody says: it is of "
            "another recording"
        )
    edges = np.concatenate([[0], np.cumsum([len(word) + 1 for word in words])])
    times = start + (end - start) * edges / edges[-1]
    return tuple(Word(word, float(a), float(b)) for word, a, b in zip(words, times[:-1], times[1:], strict=True))
