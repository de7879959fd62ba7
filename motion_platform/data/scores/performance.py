"""A score into one performance of it: who plays when and how loud, with the exact beats.

Tempo: the written one times a factor, random slow changes, steps to another tempo at the start of a phrase,
phrases that broaden at their end, a ritardando at the close, fermatas on long notes. Dynamics: the written ones times
swells of some bars. Articulation: legato, or notes cut short for a phrase. Every number is drawn from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from motion_platform.data.scores.conductors import Conductor
from motion_platform.data.scores.score import Grid, Score, grid

CURVE_RATE = 30.0
"""Dynamics and articulation are curves of so many values a second: those of the motion."""
CELLS = 4
"""Tempo changes so many times a beat."""
STACCATO = 0.45
"""How much of a note sounds where a phrase is played short."""


@dataclass(frozen=True)
class PerformancePlan:
    """What a conductor must know. Times in seconds.

    beats (n,): the conducted beats; index, count (n,): which of how many of its bar. dynamics, articulation (T,):
    curves at ``CURVE_RATE``, 0 soft or legato, 1 loud or staccato. cues: entries that the left hand shows. holds (n,):
    by how many beats each is longer than in tempo, 0 for nearly all; ``fermatas`` are the others.
    """

    seconds: float
    beats: np.ndarray
    index: np.ndarray
    count: np.ndarray
    dynamics: np.ndarray
    articulation: np.ndarray
    cues: np.ndarray
    holds: np.ndarray

    @property
    def bars(self) -> np.ndarray:
        """Times of the downbeats."""
        return self.beats[self.index == 0]

    @property
    def fermatas(self) -> np.ndarray:
        return self.beats[self.holds > 0]


@dataclass(frozen=True)
class Performance:
    """Notes in seconds: onset, duration (n,) float64; pitch, velocity, part (n,) int64; and the plan behind them."""

    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    part: np.ndarray
    plan: PerformancePlan


def perform(score: Score, conductor: Conductor, random: np.random.Generator) -> Performance:
    """Play a score as this conductor would, with what else is chance from ``random``."""
    factor = float(np.exp(random.normal(0, 0.09)))
    beats = _from_first_note(grid(score, factor), score)
    phrases = _phrases(beats, random)
    holds = _fermatas(score, beats, random)
    position, seconds = _clock(score, beats, phrases, holds, factor, conductor, random)
    short = phrases.draw(random, 0.15 + 0.3 * conductor.sharpness)
    swell = phrases.curve(random, 0.28)

    def at(quarters: np.ndarray) -> np.ndarray:
        return np.interp(quarters, position, seconds)

    onset = at(score.onset)
    duration = at(score.onset + score.duration) - onset
    where = np.searchsorted(beats.position, score.onset + 1e-6) - 1
    duration = np.where(short[where], np.minimum(duration, np.maximum(STACCATO * duration, 0.06)), duration)
    velocity = np.clip(score.velocity * np.exp(np.interp(score.onset, beats.position, swell)), 10, 127)
    # Players are not together: each part is a little early or late, and each note a little more.
    parts = random.normal(0, 0.004, len(score.programs))
    onset = np.maximum(onset + parts[score.part] + random.normal(0, 0.006, len(onset)), 0)
    length = float((onset + duration).max()) + random.uniform(1.5, 3.0)
    frames = int(length * CURVE_RATE)
    times = at(beats.position)
    made = PerformancePlan(
        frames / CURVE_RATE,
        times,
        beats.index,
        beats.beats,
        _dynamics(onset, duration, velocity, frames),
        _smooth(short[np.clip(np.searchsorted(times, np.arange(frames) / CURVE_RATE) - 1, 0, None)].astype(float), 9),
        _cues(score, times, at, conductor, random),
        holds,
    )
    return Performance(onset, duration, score.pitch, velocity.round().astype(np.int64), score.part, made)


@dataclass(frozen=True)
class _Phrases:
    """number (n,): the phrase of each beat; within (n,): 0 at its start to 1 at its end."""

    number: np.ndarray
    within: np.ndarray

    @property
    def total(self) -> int:
        return int(self.number[-1]) + 1

    def draw(self, random: np.random.Generator, probability: float) -> np.ndarray:
        """(n,) bool, one choice a phrase."""
        return (random.random(self.total) < probability)[self.number]

    def curve(self, random: np.random.Generator, size: float) -> np.ndarray:
        """(n,) a level at each phrase's start, and straight lines or steps between them."""
        levels = random.normal(0, size, self.total + 1)
        sliding = (random.random(self.total) < 0.6)[self.number]
        here, after = levels[self.number], levels[self.number + 1]
        return np.where(sliding, here + (after - here) * self.within, here)


def _from_first_note(beats: Grid, score: Score) -> Grid:
    """Without the beats before the music starts (the rests in front of a pickup)."""
    first = max(0, int(np.searchsorted(beats.position, score.onset.min() + 1e-6)) - 1)
    return Grid(*(getattr(beats, name)[first:] for name in ("position", "index", "beats", "quarters")))


def _phrases(beats: Grid, random: np.random.Generator) -> _Phrases:
    """Phrases of 4 or 8 bars (2 or 4 of slow music)."""
    bars = np.cumsum(beats.index == 0)
    starts = [0]
    while starts[-1] <= bars[-1]:
        starts.append(starts[-1] + int(random.choice([4, 4, 8])))
    number = np.unique(np.searchsorted(starts, bars, side="right"), return_inverse=True)[1]
    first, size = np.searchsorted(number, number), np.bincount(number)[number]
    return _Phrases(number, (np.arange(len(number)) - first) / size)


def _fermatas(score: Score, beats: Grid, random: np.random.Generator) -> np.ndarray:
    """(n,) how much longer a beat is held, in beats: at most three long notes of the piece, and often its last."""
    holds = np.zeros(len(beats.position))
    at = np.searchsorted(score.onset, beats.position - 1e-6)
    after = np.searchsorted(score.onset, beats.position + 2 * beats.quarters - 1e-6)
    on_beat = np.searchsorted(score.onset, beats.position + 1e-6) - at
    long_notes = [
        k
        for k in range(4, len(holds) - 4)
        if on_beat[k] >= 2
        and after[k] - at[k] == on_beat[k]  # nothing starts within two beats
        and score.duration[at[k] : after[k]].min() >= 0.9 * beats.quarters[k]
    ]
    count = min(int(random.choice([0, 1, 2, 3], p=[0.35, 0.3, 0.2, 0.15])), len(long_notes))
    for k in random.choice(long_notes, count, replace=False) if count else ():
        holds[k] = random.uniform(0.8, 2.0)
    if random.random() < 0.5:
        sounding = int(np.searchsorted(beats.position, score.onset.max() + 1e-6)) - 1
        holds[sounding] = random.uniform(0.6, 1.5)
    return holds


def _clock(
    score: Score,
    beats: Grid,
    phrases: _Phrases,
    holds: np.ndarray,
    factor: float,
    conductor: Conductor,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The tempo map as points (quarters, seconds); between them time is linear."""
    n = len(beats.position)
    slow = _smooth(random.standard_normal(n), 3)
    slow *= conductor.rubato / max(float(slow.std()), 1e-6)
    ends = -conductor.rubato * 2.5 * phrases.within**4 * (random.random(phrases.total) < 0.7)[phrases.number]
    steps = np.where(random.random(phrases.total) < 0.25, random.normal(0, 0.1, phrases.total), 0.0)
    # Another tempo wears off: otherwise a long piece drifts away from what is written.
    level = np.zeros(phrases.total)
    for k in range(1, phrases.total):
        level[k] = 0.8 * level[k - 1] + steps[k]
    last = n - np.arange(n)
    close = -random.uniform(0.1, 0.4) * np.maximum(1 - last / max(4, int(beats.beats[-1]) * 2), 0)
    log_tempo = slow + ends + _smooth(level[phrases.number], 0.7) + close
    cells = (beats.position[:, None] + beats.quarters[:, None] * np.arange(CELLS) / CELLS).ravel()
    edges = np.append(cells, score.end)
    tempo = score.tempo_at(cells + 1e-6) * factor * np.exp(np.repeat(log_tempo, CELLS))
    lasts = np.diff(edges) * 60 / tempo * (1 + np.repeat(holds, CELLS))
    lead = random.uniform(1.2, 2.5) + float(beats.quarters[0]) * 60 / tempo[0]
    return edges, np.concatenate([[0.0], np.cumsum(lasts)]) + lead


def _dynamics(onset: np.ndarray, duration: np.ndarray, velocity: np.ndarray, frames: int) -> np.ndarray:
    """(T,) how loud it is to be, 0 to 1: decibels of all that sounds, from the softest to the loudest of the piece.

    All notes end more than a frame before the last."""
    power = (velocity / 127.0) ** 3
    change = np.zeros(frames)
    np.add.at(change, (onset * CURVE_RATE).astype(int), power)
    np.add.at(change, ((onset + duration) * CURVE_RATE).astype(int) + 1, -power)
    sounding = _smooth(np.maximum(np.cumsum(change), 0), 0.5 * CURVE_RATE)
    decibels = 10 * np.log10(sounding + 1e-4)
    if not (sounding > 1e-2).any():
        return np.zeros(frames)
    low, high = np.percentile(decibels[sounding > 1e-2], [5, 95])
    return np.clip((decibels - low) / max(high - low, 8.0), 0, 1)


def _cues(score: Score, beats: np.ndarray, at, conductor: Conductor, random: np.random.Generator) -> np.ndarray:
    """Entries after a rest of two seconds or more, 4 seconds apart at least, as far as this conductor shows them."""
    found = []
    for part in range(len(score.programs)):
        own = score.part == part
        start, stop = at(score.onset[own]), at((score.onset + score.duration)[own])
        silent_since = np.concatenate([[0.0], np.maximum.accumulate(stop)[:-1]])
        found += start[start - silent_since > 2.0].tolist()
    kept: list[float] = []
    for time in sorted(found):
        if time > beats[0] + 1 and (not kept or time - kept[-1] > 4.0) and random.random() < conductor.cues:
            kept.append(float(beats[np.abs(beats - time).argmin()]))
    return np.unique(kept)


def _smooth(x: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing along the first axis, the ends held."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.asarray(x, np.float64), sigma, axis=0, mode="nearest")


def part_of(performance: Performance, start: float, stop: float) -> Performance:
    """The notes that start in [start, stop) seconds, at their places; for hearing a part of a piece."""
    kept = (performance.onset >= start) & (performance.onset < stop)
    names = ("onset", "duration", "pitch", "velocity", "part")
    return replace(performance, **{name: getattr(performance, name)[kept] for name in names})
