"""How long an amount takes: four steps, five metres, a quarter of a turn, three bows."""

from __future__ import annotations

import re

from motion_platform.core.plan import LONGEST_SECONDS, SHORTEST_SECONDS, Segment

SPEEDS = {"run": 2.86, "jog": 2.86, "sprint": 3.6, "dash": 3.6, "walk": 1.01}
"""m/s of the default model's motions of such a verb (motion_platform/weights/text_to_motion_masked/README.md)."""
STEPS = {"run": 2.9, "jog": 2.8, "sprint": 3.2, "dash": 3.2, "walk": 1.75}
"""Steps a second."""
PERIODS = {"wave": 0.9, "clap": 0.5}
"""Seconds of what is done again and again in one motion; of all else a motion is one time."""
DEGREES_A_SECOND = 60.0


def seconds_of_amount(segment: Segment, usual: float) -> float | None:
    """How long a segment lasts for its amount, None where it has none; usual: seconds of one such motion."""
    if segment.amount is None:
        return None
    verb = re.split(r"\W", segment.action, maxsplit=1)[0]
    if segment.unit == "metres":
        seconds = segment.amount / SPEEDS.get(verb, SPEEDS["walk"])
    elif segment.unit == "steps":
        seconds = segment.amount / STEPS.get(verb, STEPS["walk"])
    elif segment.unit == "degrees":
        seconds = segment.amount / DEGREES_A_SECOND
    else:
        seconds = segment.amount * PERIODS.get(verb, usual)
    return min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
