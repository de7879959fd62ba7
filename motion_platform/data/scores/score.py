"""Reads a score from MIDI, and finds the beats that a conductor would give.

Time in a score is counted in quarter notes. Standard MIDI files say nothing of conducting: how many beats a bar gets
follows from time signature and tempo by the rule of the textbooks (see :func:`beats_a_bar`).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, OutputError
from motion_platform.core.opening import short

FAST = 165.0
"""Beats a minute above which a bar is given fewer beats: 3/4 at 180 in one, 4/4 at 180 in two."""
SLOW = 50.0
"""Beats a minute below which two beats are divided: 2/4 at 40 in four, 6/8 at 30 dotted quarters in six."""
LONGEST = 4 * 3600.0
"""Quarter notes; a longer file has a broken header."""
LARGEST, MOST_SECONDS = 8 << 20, 4 * 3600.0
"""Bytes of a file, and how long it may last: a megabyte of events takes a hundred as objects."""
LEAST_TEMPO, MOST_TEMPO = 5.0, 1000.0
"""Quarters a minute; what is beyond was not written by anybody."""
LONGEST_BAR, SHORTEST_BEAT = 64, 64
"""Of a time signature: numerator and denominator."""
PERCUSSION = 9
"""The channel of General MIDI's percussion, counted from 0."""


@dataclass(frozen=True)
class Score:
    """Notes and the time they are written in, in quarter notes.

    onset, duration (n,) float64; pitch, velocity, part (n,) int64, in order of onset. programs: General MIDI program of
    each part; drums: whether a part is percussion. tempo: (position, quarters a minute). meter: (position, numerator,
    denominator). A file without tempo is at 120, one without time signature in 4/4, as the MIDI standard says.
    """

    name: str
    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    part: np.ndarray
    programs: tuple[int, ...]
    drums: tuple[bool, ...]
    tempo: tuple[tuple[float, float], ...]
    meter: tuple[tuple[float, int, int], ...]

    @property
    def end(self) -> float:
        """When the last note ends."""
        return float((self.onset + self.duration).max())

    @property
    def seconds(self) -> float:
        """How long it lasts as written."""
        edges = np.minimum([*(at for at, _ in self.tempo), self.end], self.end)
        return float(np.sum(np.diff(edges) * 60 / np.array([rate for _, rate in self.tempo])))

    def tempo_at(self, position: np.ndarray) -> np.ndarray:
        """Quarters a minute as written."""
        starts, values = np.array(self.tempo).T
        return values[np.maximum(np.searchsorted(starts, position, side="right") - 1, 0)]


@dataclass(frozen=True)
class Grid:
    """The conducted beats of a score: position (n,) in quarters, index in the bar (0 is the downbeat), beats of the
    bar, and the length of a beat in quarters."""

    position: np.ndarray
    index: np.ndarray
    beats: np.ndarray
    quarters: np.ndarray


def read(path: str | Path) -> Score:
    """Read a MIDI file. A part is what one track plays on one channel. Errors: DataError for a file that is no MIDI, or
    has no notes, or counts time in film frames."""
    path = Path(path)
    raw, tracks = _open(path)
    quarter = float(raw.ticks_per_beat)
    notes: list[tuple[int, int, int, int, int]] = []
    parts: dict[tuple[int, int], int] = {}
    programs: list[int] = []
    tempo, meter = [], []
    for number, track in enumerate(tracks):
        now: int = 0
        sounding: dict = {}
        chosen: dict = {}
        for message in track:
            now += message.time
            if message.type == "set_tempo" and message.tempo > 0:
                tempo.append((now, 60e6 / message.tempo))
            elif message.type == "time_signature" and message.numerator > 0:
                meter.append((now, message.numerator, message.denominator))
            elif message.type == "program_change":
                chosen[message.channel] = message.program
            elif message.type in ("note_on", "note_off"):
                key = (message.channel, message.note)
                if key in sounding:  # the same key struck again ends the note as well
                    start, velocity = sounding.pop(key)
                    part = parts.setdefault((number, message.channel), len(parts))
                    if part == len(programs):
                        programs.append(chosen.get(message.channel, 0))
                    notes.append((start, max(now - start, 1), message.note, velocity, part))
                if message.type == "note_on" and message.velocity > 0:
                    sounding[key] = now, message.velocity
    if not notes or quarter <= 0:
        raise DataError(f"{path}: has no notes" if quarter > 0 else f"{path}: counts film frames, not quarter notes")
    if max(note[0] + note[1] for note in notes) > 2**53:
        raise DataError(f"{path}: a note lies beyond any end")
    _check_times(path, tempo, meter, quarter)
    columns = np.array(sorted(notes, key=lambda note: (note[0], note[4], note[2])), np.int64).T
    tempo = [(at / quarter, rate) for at, rate in _in_force(tempo)]
    meter = [(at / quarter, *rest) for at, *rest in _in_force(meter)]
    score = Score(
        path.stem,
        columns[0] / quarter,
        columns[1] / quarter,
        columns[2],
        columns[3],
        columns[4],
        tuple(programs),
        tuple(channel == PERCUSSION for _, channel in parts),
        tuple(tempo) if tempo and tempo[0][0] <= 0 else ((0.0, 120.0), *tempo),
        tuple(meter) if meter and meter[0][0] <= 0 else ((0.0, 4, 4), *meter),
    )
    if not score.end < LONGEST:
        raise DataError(f"{path}: is {score.end:.0f} quarter notes long; at most {LONGEST:.0f} are read")
    if (seconds := score.seconds) > MOST_SECONDS:
        raise DataError(f"{path}: lasts {seconds / 3600:.1f} hours; at most {MOST_SECONDS / 3600:g} are read")
    return score


def _open(path: Path) -> tuple[Any, list[Any]]:
    """mido's file, and its tracks. DataError for whatever mido stumbles over."""
    mido = library("mido")
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise DataError(f"{path}: is {size / 1e6:.0f} MB of MIDI; at most {LARGEST / 1e6:.0f} MB are read")
        raw = mido.MidiFile(str(path), clip=True)
        return raw, list(raw.tracks)
    except DataError:
        raise
    except Exception as error:  # mido raises a dozen classes for damaged bytes
        raise DataError(f"{path}: cannot be read as MIDI ({short(error)})") from error


def _check_times(path: Path, tempo: list[tuple], meter: list[tuple], quarter: float) -> None:
    """DataError for a tempo or a time signature that nobody has written. quarter: ticks."""
    for at, rate in tempo:
        if not LEAST_TEMPO <= rate <= MOST_TEMPO:
            raise DataError(
                f"{path}: {rate:.4g} quarters a minute at quarter {at / quarter:.0f}; allowed: {LEAST_TEMPO:g} to "
                f"{MOST_TEMPO:g}"
            )
    for at, numerator, denominator in meter:
        if numerator > LONGEST_BAR or denominator > SHORTEST_BEAT:
            raise DataError(
                f"{path}: time signature {numerator}/{str(denominator)[:20]} at quarter {at / quarter:.0f}; at most "
                f"{LONGEST_BAR} beats, of at least 1/{SHORTEST_BEAT}"
            )


def _in_force(changes: list[tuple]) -> list[tuple]:
    """In order of time; of several at one place the last."""
    return list({change[0]: change for change in sorted(changes, key=lambda change: change[0])}.values())


def beats_a_bar(numerator: int, denominator: int, quarters_a_minute: float) -> int:
    """How many beats a conductor gives to a bar of this time signature at this tempo.

    6/8, 9/8, 12/8 are felt in dotted beats. Faster than ``FAST``, two, three and six beats become one or two, four
    become two; slower than ``SLOW``, two become four (of 6/8: six). Rules of M. Rudolf, "The Grammar of Conducting",
    chapters 3, 5, 8 and 9 (one-beat, divided and merged patterns), with numbers in place of taste.
    """
    bar = 4 * numerator / denominator
    compound = denominator >= 8 and numerator % 3 == 0 and numerator != 3
    beats = numerator // 3 if compound else numerator
    while quarters_a_minute * beats / bar > FAST:
        merged = {2: 1, 3: 1, 4: 2, 6: 2, 8: 4, 9: 3, 12: 4}
        if beats not in merged:
            break
        beats = merged[beats]
    if beats == 2 and quarters_a_minute * beats / bar < SLOW:
        beats = 6 if compound else 4
    return beats


def grid(score: Score, factor: float = 1.0) -> Grid:
    """The conducted beats up to the end of the score; ``factor``: how much faster than written it is played.

    A bar that a new time signature cuts short gets as many of its beats as fit.
    """
    found: list[tuple[float, int, int, float]] = []
    starts = [at for at, _, _ in score.meter]
    for (start, numerator, denominator), stop in zip(score.meter, [*starts[1:], score.end], strict=True):
        bar, stop = 4 * numerator / denominator, min(stop, score.end)  # an excerpt may end before the next meter
        bars = start + bar * np.arange(int(np.ceil((stop - start) / bar - 1e-6)))
        tempo = score.tempo_at(bars + 1e-6) * factor
        for k, at in enumerate(bars):
            # A written ritardando does not change the pattern: the tempo of the bars around decides.
            count = beats_a_bar(numerator, denominator, float(np.median(tempo[max(0, k - 4) : k + 5])))
            step = bar / count
            for j in range(count):
                if at + j * step < stop - 1e-6:
                    found.append((at + j * step, j, count, min(step, stop - at - j * step)))
    columns = list(zip(*found, strict=True))
    return Grid(
        np.array(columns[0]), np.array(columns[1], np.int64), np.array(columns[2], np.int64), np.array(columns[3])
    )


def excerpt(score: Score, seconds: float, random: np.random.Generator) -> Score:
    """The whole bars that start in so many seconds (as written) from a bar that is drawn; all of a shorter score."""
    beats = grid(score)
    lasts = beats.quarters * 60 / score.tempo_at(beats.position + 1e-6)
    at = np.concatenate([[0.0], np.cumsum(lasts)[:-1]])
    bars = np.flatnonzero(beats.index == 0)
    if at[-1] <= seconds:
        return score
    first = int(random.choice(bars[at[bars] <= at[-1] - seconds]))
    after = bars[at[bars] >= at[first] + seconds]
    stop = beats.position[after[0]] if len(after) else np.inf
    kept = (score.onset >= beats.position[first] - 1e-6) & (score.onset < stop - 1e-6)
    if not kept.any():
        return score
    names = ("onset", "duration", "pitch", "velocity", "part")
    return replace(score, **{name: getattr(score, name)[kept] for name in names})


def library(name: str) -> ModuleType:
    """A library of the extra ``scores``: mido reads MIDI, midirenderer plays it. OutputError where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OutputError(f"conductor_scores: needs {name}; pip install 'motion-platform[scores]'") from error
