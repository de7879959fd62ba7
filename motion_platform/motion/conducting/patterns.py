"""The beat patterns of the textbooks as points and arcs of the right hand.

Diagrams of M. Rudolf, "The Grammar of Conducting" (3rd ed. 1995, chapters 1-9) and E. Green, "The Modern Conductor"
(7th ed. 2004, chapter 3), read off by eye: the first beat goes straight down, the last comes in and up, what lies
between goes left, across the body, before it goes right, outward. ``across`` counts outward (the conductor's right) and
``height`` upward from the place of the first ictus, both in sizes of the gesture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True)
class Stroke:
    """One beat: where its ictus lies, how high the hand rises after it, and how far the path to the next bends out."""

    across: float
    height: float
    rebound: float
    bend: float


PATTERNS = {
    1: (Stroke(0.0, 0.0, 0.85, 0.35),),
    2: (Stroke(0.0, 0.0, 0.5, 0.45), Stroke(0.4, 0.18, 1.0, -0.15)),
    3: (Stroke(0.0, 0.0, 0.48, -0.15), Stroke(0.85, 0.08, 0.48, 0.2), Stroke(0.2, 0.25, 1.0, -0.1)),
    4: (
        Stroke(0.0, 0.0, 0.48, 0.15), Stroke(-0.7, 0.06, 0.45, 0.0), Stroke(0.9, 0.08, 0.5, 0.2),
        Stroke(0.2, 0.25, 1.0, -0.1),
    ),
    6: (
        Stroke(0.0, 0.0, 0.38, 0.1), Stroke(-0.35, 0.04, 0.32, 0.0), Stroke(-0.75, 0.08, 0.42, 0.0),
        Stroke(0.5, 0.06, 0.36, 0.1), Stroke(0.95, 0.1, 0.45, 0.15), Stroke(0.2, 0.25, 1.0, -0.1),
    ),
}  # fmt: skip
"""Beats of the bar -> strokes. 6 is the German pattern of six."""


@cache
def pattern(beats: int) -> tuple[Stroke, ...]:
    """The strokes of a bar of so many beats; for those without a diagram: down, left, then right, and up."""
    if beats in PATTERNS:
        return PATTERNS[beats]
    left = beats // 2 - 1  # beats between the first and the turn to the right
    going_left = [Stroke(-0.75 * (k + 1) / left, 0.06, 0.36, 0.0) for k in range(left)]
    right = beats - 2 - left
    going_right = [Stroke(0.45 + 0.5 * (k + 1) / right, 0.08, 0.4, 0.1) for k in range(right)]
    return (Stroke(0.0, 0.0, 0.4, 0.1), *going_left, *going_right, Stroke(0.2, 0.25, 1.0, -0.1))


def strokes(index: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """(n,) index in the bar, (n,) beats of the bar -> (n, 4): across, height, rebound, bend of every beat."""
    chosen = [pattern(int(count))[int(k)] for k, count in zip(index, beats, strict=True)]
    return np.array([[s.across, s.height, s.rebound, s.bend] for s in chosen])
