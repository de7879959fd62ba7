"""How long an amount takes: four steps, five metres, a quarter of a turn, three bows."""

from __future__ import annotations

import re

from motion_platform.core.plan import LONGEST_SECONDS, SHORTEST_SECONDS, Segment

SPEEDS = {"run": 2.86, "jog": 2.86, "sprint": 3.6, "dash": 3.6, "walk": 1.01}
"""m/s of the default model's motions of such a verb (motion_platform/weights/text_to_motion_masked/README.md)."""
STEPS = {"run": 2.6, "jog": 2.6, "sprint": 3.2, "dash": 3.2, "walk": 1.5}
"""Steps a second, as motion/counting.py counts them in the default model's motions."""
PERIODS = {"wave": (1.0, 0.8), "kick": (1.1, 0.6), "clap": (0.0, 0.5)}
"""What is done again and again in one motion: seconds before the first time, and for each; of all else a motion is one
time."""
LASTING = {"bow": 2.8, "kick": 2.4, "punch": 4.0, "dance": 8.0, "squat": 2.8, "jump": 1.5, "hop": 1.2}
"""Seconds of one such motion among others, where the clips of the training set last longer or shorter than the action
can be seen to (benchmarks/words.py)."""
SEEN = {
    **dict.fromkeys(("run", "jog", "sprint", "dash", "walk", "march", "sneak"), (3.0, LONGEST_SECONDS)),
    "hop": (1.5, LONGEST_SECONDS),
    "jump": (3.5, LONGEST_SECONDS),
    "kick": (1.5, 2.4),
}
"""Seconds, from and to, in which one such action alone is seen: the training clips of runs are cut where a room ends,
so that "he sprints" would last 0.6 s; a kick of 6 s is a dance, in which one of four never kicks, and in 2.6 s nobody
jumps."""
FIRST_TURN, FIRST_SPEED, FURTHER_SPEED = 90.0, 60.0, 40.0
"""A turn of so many degrees goes at so many a second, what is beyond it slower."""


def verb_of(segment: Segment) -> str:
    """The verb of a segment: the first word of its action."""
    return re.split(r"\W", segment.action, maxsplit=1)[0]


def usual_seconds(segment: Segment, natural: float) -> float:
    """How long one action of a plan lasts; natural: as the model has it."""
    return LASTING.get(verb_of(segment), natural)


def seconds_of_amount(segment: Segment, usual: float) -> float | None:
    """How long a segment lasts for its amount, None where it has none; usual: seconds of one such motion."""
    if segment.amount is None:
        return None
    verb = verb_of(segment)
    if segment.unit == "metres":
        seconds = segment.amount / SPEEDS.get(verb, SPEEDS["walk"])
    elif segment.unit == "steps":
        seconds = segment.amount / STEPS.get(verb, STEPS["walk"])
    elif segment.unit == "degrees":
        first = min(segment.amount, FIRST_TURN)
        seconds = first / FIRST_SPEED + (segment.amount - first) / FURTHER_SPEED
    else:
        before, each = PERIODS.get(verb, (0.0, usual))
        seconds = before + segment.amount * each
    return min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
