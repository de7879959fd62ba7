"""From what a network hears to beats and bars: the most likely path of a pointer that runs through bars.

The model is the bar pointer of Whiteley, Cemgil and Godsill 2006 with the state space of Krebs, Boeck and Widmer 2015
("An efficient state-space model for joint tempo and meter tracking", ISMIR, section 3): a state is a place in the bar
and a tempo, which may change only at a beat, there with probability exp(-rigidity * |new / old - 1|) (their equation
6). Between two beats the pointer has no choice, so those states need not be visited one by one: the same best path is
found over beats alone, "this is beat k of a bar of m beats, the last one was n frames ago", in steps of whole frames.
That is a semi-Markov model; an hour of music is decoded in about ten seconds and 100 MB.

Observations as in Boeck, Krebs and Widmer 2016 ("Joint beat and downbeat tracking with recurrent neural networks",
ISMIR, section 3.2), with two more of Boeck and Davies 2020: how likely the time between beats, and how likely the metre
is. They say which of beat, half and double is meant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion_platform.core.errors import DataError

TINY = 1e-4
"""Nothing is less likely than this: a network may be wrong for a frame without breaking a path."""


@dataclass(frozen=True)
class Pointer:
    """What the pointer may do.

    fastest, slowest: seconds from beat to beat. metres: allowed beats a bar. rigidity: how unlikely a change of tempo
    is (100: 1 % faster or slower from beat to beat costs a factor of e). change: probability of another metre at a bar
    line. jump: log probability of any other tempo. tempo, bar, metre: how much the answers about tempo, bar line and
    metre weigh against those about beats. threshold: before the first and after the last beat that is at least so
    probable, where the pointer only runs on, there are none. preferred, spread: answers about the tempo are multiplied
    by what people expect before they hear anything, a normal distribution of the logarithm of the seconds from beat to
    beat about ``preferred`` with standard deviation ``spread`` (van Noorden and Moelants 1999, "Resonance in the
    perception of musical pulse"). An infinite spread expects nothing.
    """

    fastest: float = 0.31
    slowest: float = 2.2
    metres: tuple[int, ...] = (1, 2, 3, 4, 6)
    rigidity: float = 60.0
    change: float = 1e-3
    tempo: float = 4.0
    bar: float = 1.5
    metre: float = 0.25
    threshold: float = 0.05
    jump: float = -12.0
    preferred: float = 0.45
    spread: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.fastest < self.slowest:
            raise ValueError(f"fastest {self.fastest} s and slowest {self.slowest} s: need 0 < fastest < slowest")
        if not self.metres or min(self.metres) < 1 or len(set(self.metres)) != len(self.metres):
            raise ValueError(f"metres: got {self.metres}; different whole numbers from 1 on")
        if not 0 < self.change < 1 or min(self.rigidity, self.tempo, self.bar, self.metre, self.threshold) < 0:
            raise ValueError("change lies between 0 and 1, rigidity, weights and threshold are 0 or more")
        if not min(self.preferred, self.spread) > 0:
            raise ValueError(f"preferred {self.preferred} s and spread {self.spread}: both must be above 0")


@dataclass
class Beats:
    """times: (n,) seconds, rising. position: (n,) place in the bar, 1 is its line. metre: (n,) beats of that bar."""

    times: np.ndarray
    position: np.ndarray
    metre: np.ndarray

    @property
    def bars(self) -> np.ndarray:
        """Times of bar lines, in seconds."""
        return self.times[self.position == 1]

    def phase(self, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(beat phase, bar phase) at these times, each 0 .. 1: how far from one beat, or bar line, to the next.

        Before the first and after the last beat the pointer runs on at the tempo there. Without two beats: zeros.
        """
        if len(self.times) < 2:
            return np.zeros_like(seconds), np.zeros_like(seconds)
        step = np.diff(self.times)
        number = np.interp(seconds, self.times, np.arange(len(self.times), dtype=np.float64))
        number = np.where(seconds < self.times[0], (seconds - self.times[0]) / step[0], number)
        number = np.where(seconds > self.times[-1], len(step) + (seconds - self.times[-1]) / step[-1], number)
        whole = np.floor(number)
        at = np.clip(whole, 0, len(self.times) - 1).astype(np.int64)
        in_bar = (self.position[at] - 1 + (whole - at)) % self.metre[at]
        return number - whole, (in_bar + number - whole) / self.metre[at]


def nearest(seconds: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(S,) seconds from each of ``seconds`` to the nearest of the sorted ``times`` (n,); infinite without any."""
    if not len(times):
        return np.full(len(seconds), np.inf)
    after = np.searchsorted(times, seconds).clip(0, len(times) - 1)
    return np.minimum(np.abs(seconds - times[after]), np.abs(seconds - times[np.maximum(after - 1, 0)]))


def lengths(rate: float, pointer: Pointer = Pointer()) -> np.ndarray:
    """(L,) the beat lengths that are told apart, in whole frames from fastest to slowest, 4 % apart or more."""
    first, last = max(2, round(pointer.fastest * rate)), round(pointer.slowest * rate)
    steps = int(np.log(max(last, first + 1) / first) / np.log(1.04)) + 1
    made = np.unique(np.round(np.geomspace(first, max(last, first + 1), steps)).astype(np.int64))
    if not 2 <= len(made) <= 250:
        raise DataError(f"bar pointer: {first} to {last} frames a beat at {rate:g} Hz; need 2 to 250 different lengths")
    return made


def decode(
    beat: np.ndarray,
    bar: np.ndarray,
    rate: float,
    pointer: Pointer = Pointer(),
    *,
    tempo: np.ndarray | None = None,
    metre: np.ndarray | None = None,
) -> Beats:
    """The most likely beats and bars.

    beat (S,): probability that frame s, which is at (s + 0.5) / rate seconds, is a beat. bar (S,): probability that it
    opens a bar, if it is one. tempo (S, L): log probabilities of the beat lengths of :func:`lengths`. metre
    (S, len(pointer.metres)): log probabilities of the beats a bar. Times are finer than frames: the centre of gravity
    of the probability around the beat. Without two of the shortest beats there is nothing to find, and no beats.
    Errors: DataError for arrays that do not fit each other or are not finite.
    """
    n = lengths(rate, pointer)
    answered = tempo is not None
    beat, bar, tempo, metre = _check(beat, bar, tempo, metre, len(n), len(pointer.metres))
    if answered:
        tempo = tempo - 0.5 * (np.log(n / rate / pointer.preferred) / pointer.spread) ** 2
    frames = len(beat)
    if frames < 2 * n[0]:
        return Beats(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    kind = np.repeat(np.arange(len(pointer.metres)), pointer.metres)  # (K,) states: metre after metre, beat after beat
    opening = np.concatenate([[0], np.cumsum(pointer.metres)[:-1]])  # (M,) their first beats
    closing = np.cumsum(pointer.metres) - 1
    before = np.arange(len(kind)) - 1  # the state before, but for those that open a bar
    moves = np.full((len(opening),) * 2, np.log(pointer.change / max(1, len(opening) - 1)), np.float32)
    np.fill_diagonal(moves, np.log1p(-pointer.change))  # old metre (rows) -> new metre
    near, cost, jump = _changes(n, pointer)
    quiet = np.concatenate([[0.0], np.cumsum(np.log1p(-beat))])  # of the frames before s
    loud, opens, inside = np.log(beat), pointer.bar * np.log(bar), pointer.bar * np.log1p(-bar)
    hint = np.concatenate([np.zeros((1, len(n))), np.cumsum(tempo, 0)]) * (pointer.tempo / rate)
    shape = (np.concatenate([np.zeros((1, len(opening))), np.cumsum(metre, 0)]) * (pointer.metre / rate))[:, kind]
    is_opening = np.isin(np.arange(len(kind)), opening)

    ring = int(n[-1]) + 1
    ready = np.zeros((ring, len(kind), len(n)), np.float32)  # best path to a beat, by what comes next and how soon
    from_length = np.zeros((frames, len(kind), len(n)), np.uint8)  # its length, by state before and length after
    from_metre = np.zeros((frames, len(opening), len(n)), np.uint8)  # the metre before a bar line
    columns, start = np.arange(len(n)), -np.log(len(kind) * len(n))
    best, best_at = -np.inf, (0, 0, 0)
    for s in range(frames):
        here = loud[s] + np.where(is_opening, opens[s], inside[s])
        score = np.empty((len(kind), len(n)), np.float32)
        fit = int(np.searchsorted(n, s, "right"))  # so many lengths fit in; with the others this is the first beat
        ago, c = s - n[:fit], columns[:fit]
        # The frames beside a beat say neither beat nor none: a network's peak is three frames wide.
        silent = quiet[max(0, s - 1)] - quiet[np.minimum(ago + 2, s - 1)]
        gained = silent + hint[s, c] - hint[ago, c]
        score[:, :fit] = ready[ago % ring, :, c].T + gained + (shape[s] - shape[ago]).T + here[:, None]
        score[:, fit:] = start + quiet[max(0, s - 1)] + hint[s, columns[fit:]] + (shape[s] + here)[:, None]
        ahead = score[:, near] + cost  # (K, new length, old lengths near it)
        choice = ahead.argmax(2)
        after = np.take_along_axis(ahead, choice[:, :, None], 2)[:, :, 0]
        came = near[columns, choice]
        far = score.argmax(1)[:, None]  # a new section in another tempo
        leap = np.take_along_axis(score, far, 1) + jump
        from_length[s] = np.where(leap > after, far, came)
        after = np.maximum(leap, after)
        bars = after[closing][:, None] + moves[:, :, None]  # (old metre, new metre, new length)
        from_metre[s] = bars.argmax(0)
        ready[s % ring] = after[before]
        ready[s % ring][opening] = bars.max(0)
        if s + n[-1] >= frames:  # may be the last beat: the next one of this length lies beyond the end
            left = frames - 1 - s
            end = quiet[frames] - quiet[min(s + 2, frames)] + hint[frames] - hint[s]
            ending = score + end + (shape[frames] - shape[s])[:, None]
            ending[:, n <= left] = -np.inf
            if ending.max() > best:
                k, at = np.unravel_index(int(ending.argmax()), ending.shape)
                best, best_at = float(ending.max()), (s, int(k), int(at))
    return _walk_back(best_at, n, from_length, from_metre, is_opening, closing, kind, opening, pointer, beat, rate)


def _changes(n: np.ndarray, pointer: Pointer) -> tuple[np.ndarray, np.ndarray, np.float32]:
    """(L, W) old lengths within a quarter of each new one, what coming from them costs, and what any other costs.

    Only so many are looked at one by one: the rest are as unlikely as the pointer's ``jump``.
    """
    low, high = np.searchsorted(n, n / 1.25 - 1), np.searchsorted(n, n * 1.25 + 1, "right")
    near = np.minimum(low[:, None] + np.arange(int((high - low).max())), high[:, None] - 1)
    old = n[near]
    # A steady tempo that is no whole number of frames alternates between two: so much of a change is none.
    cost = -pointer.rigidity * np.maximum(np.abs(n[:, None] - old) - 0.75, 0) / old
    return near, (cost - np.log(np.exp(cost).sum(1, keepdims=True))).astype(np.float32), np.float32(pointer.jump)


def _walk_back(at, n, from_length, from_metre, is_opening, closing, kind, opening, pointer, beat, rate) -> Beats:
    """The beats of the best path, the last one first."""
    s, state, length = at
    found = []
    while True:
        found.append((s, state))
        if s < n[length]:
            break
        s -= int(n[length])
        came = int(closing[from_metre[s, kind[state], length]]) if is_opening[state] else state - 1
        state, length = came, int(from_length[s, came, length])
    path = np.array(found[::-1])
    around = np.pad(beat, 1)[path[:, :1] + np.arange(3)].max(1)
    loud = np.flatnonzero(around >= pointer.threshold)
    path = path[loud[0] : loud[-1] + 1] if len(loud) else path[:0]
    kinds = kind[path[:, 1]]
    return Beats(_refine(beat, path[:, 0]) / rate, path[:, 1] - opening[kinds] + 1, np.array(pointer.metres)[kinds])


def _refine(beat: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Frames -> places in frames, at the centre of gravity of the probability there and in the neighbours."""
    padded = np.concatenate([[0.0], beat, [0.0]])
    around = padded[frames[:, None] + np.arange(3)]
    return frames + 0.5 + (around[:, 2] - around[:, 0]) / around.sum(1)


def _check(beat, bar, tempo, metre, count: int, metres: int) -> tuple[np.ndarray, ...]:
    frames = len(beat)
    tempo = np.zeros((frames, count)) if tempo is None else np.asarray(tempo, np.float64)
    metre = np.zeros((frames, metres)) if metre is None else np.asarray(metre, np.float64)
    beat, bar = np.asarray(beat, np.float64), np.asarray(bar, np.float64)
    wanted = {"beat": (beat, (frames,)), "bar": (bar, (frames,)), "tempo": (tempo, (frames, count))}
    for name, (values, shape) in {**wanted, "metre": (metre, (frames, metres))}.items():
        if values.shape != shape:
            raise DataError(f"bar pointer: {name} has shape {values.shape}; {shape} is needed")
        if not np.isfinite(values).all():
            raise DataError(f"bar pointer: {name} has a NaN or infinite value")
    for name, values in (("beat", beat), ("bar", bar)):
        if values.min(initial=0) < 0 or values.max(initial=0) > 1:
            raise DataError(f"bar pointer: {name} must be probabilities, 0 to 1")
    return beat.clip(TINY, 1 - TINY), bar.clip(TINY, 1 - TINY), tempo, metre
