"""From what is stressed to what the hands do, and when: the planning of gestures by rule.

The rules are those of the literature: a gesture goes with the stressed syllable of a phrase, its stroke not after it
(McNeill 1992; Kendon 2004); at most one stroke a peak; the hand holds after the stroke to the end of the phrase, goes
on into the next gesture where that is near, and retracts in pauses (Kipp 2005; Cassell et al. 2001). Which gesture: by
the class of the stressed word where words are known (``lexicon.yaml``), else a beat by how prominent the accent is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from motion_platform.core.packaged import packaged_yaml
from motion_platform.core.schema import Word
from motion_platform.motion.gesturing.accents import Accent, Phrase
from motion_platform.motion.gesturing.emotions import Manner
from motion_platform.motion.gesturing.library import Gesture, Library

APART = 1.0
"""Seconds between two apexes at the least, at a neutral tempo."""
WEAKEST = 0.15
"""Strength of an accent from which a hand moves."""
PREPARATION = 0.5
"""Seconds in which a hand comes up, at a neutral tempo."""
FASTEST = 2.2
"""Radians a second that a shoulder or an elbow turns on the way up."""
QUICKEST, SLOWEST = 0.75, 1.5
"""How far a stroke may be squeezed or stretched in time."""
LIVELIEST = 1.3
"""How much faster than it was captured a stroke is made at the most: faster hands than captured are not seen."""
LONGEST_AFTER = 0.25
"""Seconds of a clip that are shown after its apex; then the hand holds."""
LONGEST_HOLD = 1.2
BEATS = {"low": ("beat_low", "beat"), "middle": ("beat", "chop", "offer"), "high": ("beat_high", "chop", "beat")}
CONDUIT = ("offer", "receive", "example", "plea")
"""Open hands that offer what is said (McNeill's conduit metaphor): now and then in a beat's place."""
NOW_AND_THEN = 0.2
RECENT = 3
"""Gestures that are not repeated at once."""


@dataclass(frozen=True)
class Stroke:
    """One gesture of a plan, in seconds of the speech.

    start: the hand leaves; full: it is half-way up and all the gesture's; apex: the stressed syllable; done: the stroke
    ends; hold: until when the hand stays. strength: of the accent, 0 to 1.
    """

    gesture: Gesture
    start: float
    full: float
    apex: float
    done: float
    hold: float
    strength: float


@dataclass(frozen=True)
class GesturePlan:
    """strokes in order; accents: every stressed syllable (the head goes with these); phrases."""

    strokes: tuple[Stroke, ...]
    accents: tuple[Accent, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


@cache
def lexicon() -> dict[str, str]:
    """word -> kind of gesture; the first kind that lists a word has it."""
    found: dict[str, str] = {}
    for kind, words in packaged_yaml("motion_platform.motion.gesturing", "lexicon.yaml").items():
        for word in words:
            found.setdefault(word, kind)
    return found


def plan(
    accents: Sequence[Accent],
    phrases: Sequence[Phrase],
    seconds: float,
    library: Library,
    random: np.random.Generator,
    *,
    manner: Manner = Manner(),
    words: Sequence[Word] = (),
    marks: Sequence[float] = (),
) -> GesturePlan:
    """What the hands do while somebody speaks for ``seconds``.

    marks: apexes that a user asks for, in seconds: then these are the strokes, and no others. words: with times; those
    of the lexicon draw the gesture to their accent. Everything that is chance is drawn from ``random``.
    """
    tempo, size = float(np.clip(manner.tempo, QUICKEST, SLOWEST)), max(1.0, manner.amplitude)
    meanings = {accent.time: meaning_at(accent.time, words) for accent in accents}
    chosen = _marked(accents, marks, seconds) if len(marks) else _chosen(accents, meanings, APART / tempo)
    strokes: list[Stroke] = []
    recent: list[str] = []
    for accent in chosen:
        free = strokes[-1].done if strokes else 0.0
        kinds = _kinds(accent, meanings.get(accent.time) or meaning_at(accent.time, words), library, random)
        placed = _place(accent, kinds, free, tempo, size, library, random, recent, must=bool(len(marks)))
        if placed is None:
            continue
        phrase = next((p for p in phrases if p.start - 0.1 <= accent.time <= p.end + 0.1), None)
        until = placed.done + LONGEST_HOLD
        hold = min(until, phrase.end + 0.1) if phrase is not None else min(until, placed.done + 0.3)
        strokes.append(_with_hold(placed, max(placed.done, hold)))
        recent = [*recent, placed.gesture.name.rstrip("~")][-RECENT:]
    return GesturePlan(tuple(strokes), tuple(accents), tuple(phrases), seconds)


def plain(word: str) -> str:
    """A word as the lexicon has it: lower case, without marks around it."""
    return word.lower().strip('.,;:!?"()[]')


def meaning_at(time: float, words: Sequence[Word]) -> str | None:
    """The kind of gesture of the word at a time; None where no word of the lexicon is."""
    for word in words:
        if word.start - 0.05 <= time <= word.end + 0.05:
            kind = lexicon().get(plain(word.text))
            if kind is not None:
                return kind
    return None


def _chosen(accents: Sequence[Accent], meanings: dict[float, str | None], apart: float) -> list[Accent]:
    """The accents that get a stroke: the strongest first, words of the lexicon before others, none too near another."""
    weight = {accent.time: accent.strength + (0.4 if meanings[accent.time] else 0.0) for accent in accents}
    kept: list[Accent] = []
    for accent in sorted(accents, key=lambda a: (-weight[a.time], a.time)):
        if weight[accent.time] >= WEAKEST and all(abs(accent.time - other.time) >= apart for other in kept):
            kept.append(accent)
    return sorted(kept, key=lambda a: a.time)


def _marked(accents: Sequence[Accent], marks: Sequence[float], seconds: float) -> list[Accent]:
    """A user's own strokes, as strong as the accent that is near."""
    kept: list[Accent] = []
    for time in sorted(float(mark) for mark in marks):
        if 0 <= time <= seconds and (not kept or time - kept[-1].time >= 0.3):
            near = [a.strength for a in accents if abs(a.time - time) < 0.25]
            kept.append(Accent(time, max(near, default=0.6)))
    return kept


def _kinds(accent: Accent, meaning: str | None, library: Library, random: np.random.Generator) -> tuple[str, ...]:
    """Kinds of gesture to draw from, all of them in the library."""
    drawn = random.random()
    if meaning is not None and meaning in library.kinds:
        return (meaning,)
    level = "high" if accent.strength > 0.7 else "middle" if accent.strength > 0.35 else "low"
    kinds = CONDUIT if drawn < NOW_AND_THEN and level != "low" else BEATS[level]
    return tuple(k for k in kinds if k in library.kinds) or tuple(library.kinds)


def _place(
    accent: Accent,
    kinds: tuple[str, ...],
    free: float,
    tempo: float,
    size: float,
    library: Library,
    random: np.random.Generator,
    recent: Sequence[str],
    *,
    must: bool,
) -> Stroke | None:
    """A gesture of these kinds whose apex is on the accent and that fits after ``free``; None where none does.

    must: then the one that needs the least time, squeezed.
    """
    gestures = [g for kind in kinds for g in library.kinds[kind]]
    fresh = [g for g in gestures if g.name.rstrip("~") not in recent] or gestures
    order = [fresh[i] for i in random.permutation(len(fresh))]
    for gesture in order:
        made = _timed(gesture, accent, free, tempo, size, QUICKEST)
        if made is not None:
            return made
    smaller = library.kinds.get("beat_low", []) + gestures
    for gesture in sorted(smaller, key=lambda g: g.at("emphasis") - g.arrival + g.reach / FASTEST):
        made = _timed(gesture, accent, free, tempo, size, 0.3 if must else QUICKEST)
        if made is not None:
            return made
    return None


def _timed(gesture: Gesture, accent: Accent, free: float, tempo: float, size: float, quickest: float) -> Stroke | None:
    """The gesture with its apex on the accent, squeezed where there is little time since ``free``; None below."""
    own = (gesture.at("emphasis") - gesture.arrival) * size
    lead, up = own / min(tempo, LIVELIEST), max(PREPARATION / tempo, gesture.reach * size / FASTEST)
    squeeze = min(1.0, (accent.time - free) / (lead + up))
    if squeeze < quickest:
        return None
    lead = max(lead * squeeze, own / LIVELIEST if quickest == QUICKEST else 0.0, 0.05)
    full = accent.time - lead
    start = max(free, full - up * squeeze)
    if full - start < quickest * up:
        return None
    after = min((gesture.at("stroke_end") - gesture.at("emphasis")) / min(tempo, LIVELIEST), LONGEST_AFTER)
    return Stroke(gesture, start, full, accent.time, accent.time + after, 0.0, accent.strength)


def _with_hold(stroke: Stroke, hold: float) -> Stroke:
    return Stroke(stroke.gesture, stroke.start, stroke.full, stroke.apex, stroke.done, hold, stroke.strength)
