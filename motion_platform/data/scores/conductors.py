"""Different conductors: how large, how sharp, how free, and what the left hand does. All numbers are ours.

They are taste, set so that the five can be told apart at a glance and none leaves the picture; nothing here was
measured on people.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conductor:
    """size: of the gesture (1: hand rises 0.2 of the frame at full loudness). sharpness: 0 round, 1 a click on every
    beat. response: how much of the size follows the dynamics, 0 to 1. width: across against height. bounce: how high
    the hand rebounds between beats. sway: of the body. rubato: standard deviation of the log tempo. left: for which
    share of the time the left hand (mirrors, rests, shows swells). cues: probability that an entry is cued. lag:
    seconds by which the ictus is late on average, negative early. jitter: its standard deviation in seconds. nod: how
    far the head goes with the beat."""

    size: float
    sharpness: float
    response: float
    width: float
    bounce: float
    sway: float
    rubato: float
    left: tuple[float, float, float]
    cues: float
    lag: float
    jitter: float
    nod: float


CONDUCTORS = {
    "classical": Conductor(0.85, 0.55, 0.6, 1.0, 1.0, 0.7, 0.015, (0.12, 0.48, 0.4), 0.6, 0.0, 0.010, 0.7),
    "grand": Conductor(1.2, 0.35, 0.7, 1.15, 1.0, 1.3, 0.035, (0.25, 0.25, 0.5), 0.5, 0.010, 0.014, 1.0),
    "precise": Conductor(0.6, 0.85, 0.4, 0.85, 0.85, 0.35, 0.010, (0.0, 0.75, 0.25), 0.7, -0.005, 0.006, 0.4),
    "fluid": Conductor(0.95, 0.2, 0.6, 1.3, 0.8, 1.1, 0.030, (0.1, 0.3, 0.6), 0.5, 0.015, 0.014, 0.6),
    "lively": Conductor(0.95, 0.75, 0.5, 0.95, 1.25, 1.0, 0.020, (0.3, 0.4, 0.3), 0.8, -0.005, 0.012, 1.4),
}
