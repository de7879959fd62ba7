"""A performance into sound: a soundfont player, then a room, a microphone and a level, all drawn from the seed.

The player is PyPI's midirenderer (MIT), the instruments TimGM6mb (GPL-2, as pretty_midi carries it) or any SF2 file.
"""

from __future__ import annotations

import math
import struct
from importlib import util
from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError, OutputError
from motion_platform.data.scores.performance import Performance
from motion_platform.data.scores.score import PERCUSSION, Score, library

RATE = 22050
"""Samples a second: what the front end hears."""
MOST_SECONDS = 1800.0
"""Of one rendering, which is made whole: half an hour takes half a gigabyte."""
STRINGS = (48, 49, 50, 44)
"""General MIDI programs, counted from 0: string ensembles, and tremolo."""
SOLO_STRINGS = (40, 41, 42, 43)
WINDS = (68, 70, 71, 73, 72)
BRASS = (60, 61, 56, 57, 58)
KEYS = (0, 1, 6, 19, 46)
CASTS = ("written", "written", "ensemble", "ensemble", "winds", "keys", "any")
"""How the parts are cast: as written, strings as ensembles, a band of winds, one keyboard, or anything goes."""


PACKAGED = "TimGM6mb"
"""The name of the instruments that PyPI's pretty_midi carries."""


def find_soundfont(font: str | Path = PACKAGED) -> Path:
    """The SF2 file of a path, or the packaged one by its name.

    Errors: DataError where there is none, or it is no SF2; OutputError where pretty_midi is not installed.
    """
    if str(font) == PACKAGED:
        found = util.find_spec("pretty_midi")
        if found is None or not found.origin:
            raise OutputError("conductor_scores: needs pretty_midi's soundfont; pip install 'motion-platform[scores]'")
        font = Path(found.origin).parent / f"{PACKAGED}.sf2"
    try:
        with open(font, "rb") as file:
            head = file.read(12)
    except OSError as error:
        raise DataError(f"{font}: no soundfont (.sf2) here ({error.strerror})") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise DataError(f"{font}: cannot be read as a soundfont (.sf2)")
    return Path(font)


def synthesise(
    score: Score, performance: Performance, random: np.random.Generator, font: str | Path = PACKAGED
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
    sound = sound * (level / peak) if peak > 0 else sound  # at most 0.944, and noise of 0.004 at most
    return (sound + random.normal(0, noise, size)).astype(np.float32)


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
    font: str | Path = PACKAGED,
) -> np.ndarray:
    """(n,) float64 at ``RATE``, mono: the instruments alone. shift: semitones for all but percussion."""
    from scipy import signal

    if (seconds := float((performance.onset + performance.duration).max())) > MOST_SECONDS:
        raise DataError(
            f"{score.name}: would be rendered for {seconds / 60:.0f} minutes; at most {MOST_SECONDS / 60:g} fit into "
            "memory; give a length (longest=SECONDS)"
        )
    player = library("midirenderer")
    instruments = find_soundfont(font).read_bytes()
    heard = player.render_wave_from(instruments, _midi(score, performance, programs, shift))
    rate, sound = _wave(heard)
    common = math.gcd(rate, RATE)
    return signal.resample_poly(sound.mean(1), RATE // common, rate // common)


def _midi(score: Score, performance: Performance, programs: tuple[int, ...], shift: int) -> bytes:
    """The performance as a MIDI file of one track, a millisecond a tick, without the player's own reverberation."""
    channels = _channels(programs, score.drums)
    events = []
    for channel in sorted(set(channels)):
        program = programs[channels.index(channel)]
        events += [
            (0, 0, bytes([0xB0 | channel, 91, 0])),
            (0, 0, bytes([0xB0 | channel, 93, 0])),
            (0, 0, bytes([0xC0 | channel, program])),
        ]
    on = np.maximum(performance.onset * 1000, 0).round().astype(int)
    off = np.maximum(on + 15, ((performance.onset + performance.duration) * 1000).round().astype(int))
    for start, stop, pitch, velocity, part in zip(
        on.tolist(), off.tolist(), performance.pitch.tolist(), performance.velocity.tolist(), performance.part.tolist(),
        strict=True,
    ):  # fmt: skip
        key = min(127, max(0, pitch + (0 if score.drums[part] else shift)))
        # At one time, what ends comes before what starts, or a note struck again would fall silent.
        events.append((stop, 1, bytes([0x80 | channels[part], key, 0])))
        events.append((start, 2, bytes([0x90 | channels[part], key, velocity])))
    events.sort(key=lambda event: event[:2])
    data, now = bytearray(b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big")), 0
    for tick, _, message in events:
        data += _variable_length(tick - now) + message
        now = tick
    data += _variable_length(1000) + b"\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000)
    return header + b"MTrk" + struct.pack(">I", len(data)) + bytes(data)


def _channels(programs: tuple[int, ...], drums: tuple[bool, ...]) -> list[int]:
    """A channel for every part; where there are more than 15, parts of one program share one."""
    free = [channel for channel in range(16) if channel != PERCUSSION]
    keys = list(range(len(programs))) if len(programs) <= len(free) else list(programs)
    order = {key: k for k, key in enumerate(dict.fromkeys(k for k, drum in zip(keys, drums, strict=True) if not drum))}
    return [PERCUSSION if drum else free[order[key] % len(free)] for key, drum in zip(keys, drums, strict=True)]


def _variable_length(value: int) -> bytes:
    """A number as MIDI writes times: seven bits a byte, all but the last marked."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | (value & 0x7F))
    return bytes(reversed(found))


def _wave(data: bytes) -> tuple[int, np.ndarray]:
    """(rate, (n, channels) float32) of a wave file in memory."""
    import io

    import soundfile

    sound, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return rate, sound


def _room(dry: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(n,) -> (n,): exponentially decaying noise as a room's answer, low notes longer than high ones."""
    from scipy import signal

    seconds, wet = random.uniform(0.4, 2.4), random.uniform(0.05, 0.45)
    time = np.arange(int(seconds * RATE)) / RATE
    answer = random.normal(size=len(time)) * 10 ** (-3 * time / seconds)
    dull, bright = signal.lfilter([0.3], [1, -0.7], answer), answer
    answer = np.where(time < 0.1, bright, 0) + dull
    delay = int(random.uniform(0.005, 0.03) * RATE)
    answer = np.concatenate([np.zeros(delay), answer])
    answer /= np.sqrt((answer**2).sum())
    heard = signal.oaconvolve(dry, answer)
    return (1 - wet) * np.pad(dry, (0, len(heard) - len(dry))) + wet * heard


def _microphone(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A tilt of the spectrum and its upper and lower end, from an old recording to a new one."""
    from scipy import signal

    high = random.uniform(4000, 10500)
    low = random.uniform(20, 120)
    sound = signal.sosfilt(signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos"), sound)
    tilt = random.uniform(-0.35, 0.35)  # first difference or sum: +-6 dB from bottom to top at most
    return signal.lfilter([1.0, -tilt], [1.0], sound)
