"""A performance into sound: a soundfont player, then a room, a microphone and a level, all drawn from the seed.

The player is symusic's (MIT), the instruments TimGM6mb (GPL-2, as PyPI's pretty_midi carries it) or any SF2 file.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path

import numpy as np

from motion_platform.data.conducting.performance import Performance
from motion_platform.data.conducting.score import Score, library
from motion_platform.errors import DataError, OutputError

RATE = 22050
"""Samples a second: what the front end hears."""
TICKS = 2000
"""Ticks a second that notes are handed to the player in: half a millisecond."""
STRINGS = (48, 49, 50, 44)
"""General MIDI programs, counted from 0: string ensembles, and tremolo."""
SOLO_STRINGS = (40, 41, 42, 43)
WINDS = (68, 70, 71, 73, 72)
BRASS = (60, 61, 56, 57, 58)
KEYS = (0, 1, 6, 19, 46)
CASTS = ("written", "written", "ensemble", "ensemble", "winds", "keys", "any")
"""How the parts are cast: as written, strings as ensembles, a band of winds, one keyboard, or anything goes."""


def soundfont() -> Path:
    """The instruments that PyPI's pretty_midi carries. OutputError where it is not installed."""
    found = util.find_spec("pretty_midi")
    if found is None or not found.origin:
        raise OutputError("conductor_scores: needs pretty_midi's soundfont; pip install 'motion-platform[scores]'")
    return Path(found.origin).parent / "TimGM6mb.sf2"


def synthesise(
    score: Score, performance: Performance, random: np.random.Generator, font: str | Path | None = None
) -> np.ndarray:
    """(n,) float32 at ``RATE``, full scale 1, as long as the plan. Errors: DataError for a font that is no SF2."""
    shift = int(random.integers(-4, 5))
    programs = cast(score, random)
    dry = play(score, performance, programs, shift, font)
    sound = _room(dry, random)
    sound = _microphone(sound, random)
    size = round(performance.plan.seconds * RATE)
    sound = np.pad(sound, (0, max(0, size - len(sound))))[:size]
    level = 10 ** (random.uniform(-16, -0.5) / 20)
    peak = float(np.abs(sound).max())
    noise = level * 10 ** (random.uniform(-75, -48) / 20)
    sound = sound * (level / peak if peak > 0 else 0.0) + random.normal(0, noise, size)
    return np.clip(sound, -1, 1).astype(np.float32)


def cast(score: Score, random: np.random.Generator) -> tuple[int, ...]:
    """A program for every part."""
    kind = str(random.choice(CASTS))
    keyboard = int(random.choice(KEYS))
    chosen = []
    for program in score.programs:
        if kind == "ensemble":
            chosen.append(int(random.choice(STRINGS[:3])) if program in (*SOLO_STRINGS, *STRINGS) else program)
        elif kind == "winds":
            chosen.append(int(random.choice(WINDS + BRASS[:2])) if program not in BRASS else program)
        elif kind == "keys":
            chosen.append(keyboard)
        elif kind == "any":
            chosen.append(int(random.choice(STRINGS[:3] + SOLO_STRINGS + WINDS + BRASS + KEYS)))
        else:
            chosen.append(program)
    return tuple(chosen)


def play(
    score: Score,
    performance: Performance,
    programs: tuple[int, ...],
    shift: int = 0,
    font: str | Path | None = None,
) -> np.ndarray:
    """(2, n) float32 at ``RATE``: the instruments alone. shift: semitones for all but percussion."""
    symusic = library()
    made = symusic.Score(TICKS)
    made.tempos.append(symusic.Tempo(0, 60.0))
    onset = np.maximum(performance.onset * TICKS, 0).astype(np.int32)
    duration = np.maximum(performance.duration * TICKS, 20).astype(np.int32)
    for part, (program, drum) in enumerate(zip(programs, score.drums, strict=True)):
        own = performance.part == part
        pitch = performance.pitch[own] + (0 if drum else shift)
        track = symusic.Track("", program, drum)
        track.notes = symusic.Note.from_numpy(
            onset[own],
            duration[own],
            np.clip(pitch, 0, 127).astype(np.int8),
            performance.velocity[own].astype(np.int8),
        )
        made.tracks.append(track)
    place = Path(font) if font else soundfont()
    if not place.is_file():
        raise DataError(f"{place}: no soundfont (.sf2) here")
    try:
        return np.asarray(symusic.Synthesizer(str(place), RATE).render(made, True))
    except RuntimeError as error:
        raise DataError(f"{place}: cannot be read as a soundfont ({str(error).split(': iostream')[0]})") from error


def _room(dry: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(2, n) -> (n,): exponentially decaying noise as a room's answer, low notes longer than high ones."""
    from scipy import signal

    mono = dry.mean(0).astype(np.float64)
    seconds, wet = random.uniform(0.4, 2.4), random.uniform(0.05, 0.45)
    time = np.arange(int(seconds * RATE)) / RATE
    answer = random.normal(size=len(time)) * 10 ** (-3 * time / seconds)
    dull, bright = signal.lfilter([0.3], [1, -0.7], answer), answer
    answer = np.where(time < 0.1, bright, 0) + dull
    delay = int(random.uniform(0.005, 0.03) * RATE)
    answer = np.concatenate([np.zeros(delay), answer])
    answer /= np.sqrt((answer**2).sum()) + 1e-12
    heard = signal.oaconvolve(mono, answer)
    return (1 - wet) * np.pad(mono, (0, len(heard) - len(mono))) + wet * heard


def _microphone(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A tilt of the spectrum and its upper and lower end, from an old recording to a new one."""
    from scipy import signal

    high = random.uniform(4000, 10500)
    low = random.uniform(20, 120)
    sound = signal.sosfilt(signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos"), sound)
    tilt = random.uniform(-0.35, 0.35)  # first difference or sum: +-6 dB from bottom to top at most
    return signal.lfilter([1.0, -tilt], [1.0], sound)
