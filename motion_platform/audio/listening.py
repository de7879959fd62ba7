"""What is heard of a recording: all of it, or a cut and what goes on after it; and where it is silent."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from motion_platform.audio import mel, reading
from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Audio

LONGEST = 2 * 3600.0
"""Seconds of one recording."""
STREAMED = 600.0
"""Seconds from which a recording's mel is made in blocks: the same numbers in a fraction of the memory."""
BEYOND = 60.0
"""Seconds that are heard after the place where a recording is cut: what the beat is, is heard in the long run."""
SILENT = 10 ** (-60 / 20)
"""Amplitude (of full scale 1) below which nothing is heard: -60 dB."""
PAUSE, SETTLE = 1.0, 0.8
"""Seconds that nothing must sound before hands come to rest, and that coming to rest and leaving it take."""


def listen(path: str | Path, seconds: float | None = None) -> Audio:
    """A recording, or its first ``seconds``, ready for an encoder: mono samples, and the mel of a long one.

    Errors: DataError of ``audio.reading.load``; UsageError for what is longer than ``LONGEST`` or an impossible cut.
    """
    check_cut(seconds)
    pieces, heard, most = [], 0, round((seconds or LONGEST) * reading.RATE)
    for piece in reading.blocks(path):
        pieces.append(piece)
        heard += len(piece)
        if heard > most:
            if seconds is None:
                raise UsageError(f"{path}: is longer than {LONGEST / 3600:g} hours; cut it, or give --seconds")
            break
    samples = np.concatenate(pieces)[:most]
    audio = Audio(len(samples) / reading.RATE, samples, reading.RATE, {})
    if seconds is None and audio.seconds > STREAMED:
        audio = replace(audio, features={"mel": np.concatenate(list(mel.stream(path)))})
    return audio


def check_cut(seconds: float | None) -> None:
    """UsageError for a cut that is none: None cuts nothing."""
    if seconds is not None and not (math.isfinite(seconds) and reading.SHORTEST <= seconds <= LONGEST):
        raise UsageError(f"--seconds: got {seconds:g}; allowed: {reading.SHORTEST:g} to {LONGEST:g}")


def hear(path: str | Path, seconds: float | None = None) -> Audio:
    """What is heard of a recording whose first ``seconds`` are conducted: ``BEYOND`` more. Errors: as ``listen``."""
    check_cut(seconds)
    return listen(path, None if seconds is None else min(seconds + BEYOND, LONGEST))


def sounding(audio: Audio, frames: int, fps: float) -> np.ndarray:
    """(frames,) float32: 1 where something sounds, 0 in a pause, with smooth ways between them."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

    assert audio.samples is not None
    each = audio.rate / fps
    edges = np.minimum(np.round(np.arange(frames + 1) * each).astype(int), len(audio.samples))
    levels = [np.abs(audio.samples[a:b]).max(initial=0.0) for a, b in pairwise(edges)]
    heard = (np.array(levels) > SILENT).astype(np.float32)
    half = max(1, round(PAUSE / 2 * fps))
    # A pause is closed at both ends by what sounds around it, so that hands move in time for the next note.
    held = minimum_filter1d(maximum_filter1d(heard, 2 * half + 1), 2 * half + 1)
    held = maximum_filter1d(held, 2 * max(1, round(SETTLE / 2 * fps)) + 1)
    width = max(1, round(SETTLE * fps))
    return uniform_filter1d(held, width, mode="nearest") if 0 < held.mean() < 1 else held
