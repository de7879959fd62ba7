"""Reads a score from MIDI, and finds the beats that a conductor would give.

Time in a score is counted in quarter notes. Standard MIDI files say nothing of conducting: how many beats a bar gets
follows from time signature and tempo by the rule of the textbooks (see :func:`beats_a_bar`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion_platform.errors import DataError, OutputError

FAST = 165.0
"""Beats a minute above which a bar is given fewer beats: 3/4 at 180 in one, 4/4 at 180 in two."""
SLOW = 50.0
"""Beats a minute below which two beats are divided: 2/4 at 40 in four, 6/8 at 30 dotted quarters in six."""
LONGEST = 4 * 3600.0
"""Quarter notes; a longer file has a broken header."""


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
    """Read a MIDI file. Errors: DataError for a file that is no MIDI or has no notes."""
    symusic = library()
    path = Path(path)
    try:
        raw = symusic.Score(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read as MIDI ({str(error).split(': iostream')[0]})") from error
    quarter = float(raw.ticks_per_quarter)
    parts = [track for track in raw.tracks if len(track.notes)]
    if not parts or quarter <= 0:
        raise DataError(f"{path}: has no notes")
    columns = [track.notes.numpy() for track in parts]

    def whole(name: str) -> np.ndarray:
        return np.concatenate([of[name] for of in columns]).astype(np.int64)

    onset, part = whole("time"), np.repeat(np.arange(len(parts)), [len(track.notes) for track in parts])
    order = np.lexsort((whole("pitch"), part, onset))
    tempo = sorted((t.time / quarter, float(t.qpm)) for t in raw.tempos if t.qpm > 0)
    meter = sorted(
        (m.time / quarter, int(m.numerator), int(m.denominator))
        for m in raw.time_signatures
        if m.numerator > 0 and m.denominator > 0
    )
    score = Score(
        path.stem,
        onset[order] / quarter,
        np.maximum(whole("duration")[order], 1) / quarter,
        whole("pitch")[order],
        whole("velocity")[order],
        part[order],
        tuple(int(track.program) for track in parts),
        tuple(bool(track.is_drum) for track in parts),
        tuple(tempo) if tempo and tempo[0][0] <= 0 else ((0.0, 120.0), *tempo),
        tuple(meter) if meter and meter[0][0] <= 0 else ((0.0, 4, 4), *meter),
    )
    if not score.end < LONGEST:
        raise DataError(f"{path}: is {score.end:.0f} quarter notes long; at most {LONGEST:.0f} are read")
    return score


def beats_a_bar(numerator: int, denominator: int, quarters_a_minute: float) -> int:
    """How many beats a conductor gives to a bar of this time signature at this tempo.

    6/8, 9/8, 12/8 are felt in dotted beats. Faster than ``FAST``, two, three and six beats become one or two, four
    become two; slower than ``SLOW``, two become four (of 6/8: six). Rules of M. Rudolf, "The Grammar of Conducting",
    chapters 3, 5, 8 and 9 (one-beat, divided and merged patterns), with numbers in place of taste.
    """
    bar = 4 * numerator / denominator
    compound = denominator >= 8 and numerator % 3 == 0 and numerator > 3
    beats = numerator // 3 if compound else numerator
    while beats > 1 and quarters_a_minute * beats / bar > FAST:
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
        bar = 4 * numerator / denominator
        bars = start + bar * np.arange(max(0, int(np.ceil((stop - start) / bar - 1e-6))))
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


def library():
    """symusic: reads MIDI and plays soundfonts; it comes with the extra ``scores``. OutputError where it is missing."""
    try:
        import symusic
    except ImportError as error:
        raise OutputError(
            "conductor_scores: needs symusic and pretty_midi; pip install 'motion-platform[scores]'"
        ) from error
    return symusic
