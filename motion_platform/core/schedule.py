"""When the segments of a plan happen: lanes that share a part of the body follow each other, others run together."""

from __future__ import annotations

from collections.abc import Sequence

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import Segment

_PARTS = {
    "body": frozenset(("legs", "trunk", "left arm", "right arm")),
    "upper_body": frozenset(("trunk", "left arm", "right arm")),
    "lower_body": frozenset(("legs",)),
    "left_arm": frozenset(("left arm",)),
    "right_arm": frozenset(("right arm",)),
}
"""What of the body each lane moves."""


def starts_of(segments: Sequence[Segment], seconds: Sequence[float]) -> list[float]:
    """When each segment begins, in seconds, given how long each lasts.

    A segment without a start begins when all before it that move a part of its lane have ended; "body" waits for all.
    The second of two that do different parts at the same time is joined to the first: both begin together. Errors:
    UsageError for one part asked for twice at a time, and for a time at which nothing happens.
    """
    starts: list[float] = []
    for k, segment in enumerate(segments):
        before = [starts[i] + seconds[i] for i in range(k) if _PARTS[segments[i].lane] & _PARTS[segment.lane]]
        free = max(before, default=0.0)
        begin = free if segment.start is None else segment.start
        if begin < free - 1e-6:
            other = next(
                i for i in range(k)
                if _PARTS[segments[i].lane] & _PARTS[segment.lane] and starts[i] + seconds[i] > begin + 1e-6
            )  # fmt: skip
            part = sorted(_PARTS[segments[other].lane] & _PARTS[segment.lane])[0]
            raise UsageError(
                f"timeline: {segment.text!r} begins at {begin:g} s, while {segments[other].text!r} moves the {part} "
                f"until {starts[other] + seconds[other]:g} s; one part does one thing at a time"
            )
        starts.append(begin)
    _check_gaps(segments, starts, seconds)
    return starts


def _check_gaps(segments: Sequence[Segment], starts: Sequence[float], seconds: Sequence[float]) -> None:
    reached = 0.0
    for k in sorted(range(len(segments)), key=lambda i: starts[i]):
        if starts[k] > reached + 1e-6:
            raise UsageError(
                f"timeline: nothing happens from {reached:g} to {starts[k]:g} s, before {segments[k].text!r}; "
                'write what does, for example "a person stands"'
            )
        reached = max(reached, starts[k] + seconds[k])
