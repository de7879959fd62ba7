"""A plan: the actions of a sentence in their order, each with words, length, style and part of the body; and what a
planner is. Starts without torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from motion_platform.core.errors import UsageError

WHOLE_BODY = "body"
LANES = (WHOLE_BODY, "upper_body", "lower_body", "left_arm", "right_arm")
"""What a segment may move: the whole body, or a part of it while another segment moves the rest."""
UNITS = ("times", "steps", "metres", "degrees")
LARGEST_AMOUNT = 10_000
MOST_SEGMENTS = 64
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 60.0
"""Of one segment. Below half a second no action is to be seen; a model is not asked for more than a minute of one."""


@dataclass(frozen=True)
class Segment:
    """One action of a plan.

    action: its name as low-level text has it ("walk forward"). text: the sentence that a model reads ("a person walks
    forward"). seconds: how long it lasts, None: as long as such a motion lasts. style: how it is done ("sad"), which
    ``text`` says too. lane: which part of the body does it (``LANES``). amount, unit: how much of it, where that is
    said: 3 "times", 4 "steps", 5 "metres", 90 "degrees" (``UNITS``). start: when it begins, in seconds from the
    beginning; None: when everything before it that moves a part of the same lane has ended.
    Errors: UsageError for values outside these.
    """

    action: str
    text: str
    seconds: float | None = None
    style: str | None = None
    lane: str = WHOLE_BODY
    amount: float | None = None
    unit: str = "times"
    start: float | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UsageError("plan: a segment has no words; say what the body does")
        if self.lane not in LANES:
            raise UsageError(f"plan: {self.text!r}: got lane {self.lane!r}; allowed: {', '.join(LANES)}")
        low, high = SHORTEST_SECONDS, LONGEST_SECONDS
        if self.seconds is not None and not (math.isfinite(self.seconds) and low <= self.seconds <= high):
            raise UsageError(f"plan: {self.text!r}: got {self.seconds:g} seconds; allowed: {low:g} to {high:g}")
        if self.unit not in UNITS:
            raise UsageError(f"plan: {self.text!r}: got unit {self.unit!r}; allowed: {', '.join(UNITS)}")
        if self.amount is not None and not 0 < self.amount <= LARGEST_AMOUNT:
            raise UsageError(f"plan: {self.text!r}: got {self.amount:g} {self.unit}; allowed: above 0 to 10000")
        if self.start is not None and not (math.isfinite(self.start) and self.start >= 0):
            raise UsageError(f"plan: {self.text!r}: starts at {self.start:g} s; allowed: 0 or later")


@dataclass(frozen=True)
class Plan:
    """Segments in their order, and who said so.

    builder: the registered name of the planner ("rules", "kate", ...), or "person" for a timeline that somebody wrote.
    sentence: what it was made from. notes: one line each on what was asked for and is not in the plan, or was read in
    a way that a person should know ("left out: not left").
    Errors: UsageError for a plan without segments, or with more than ``MOST_SEGMENTS``.
    """

    segments: tuple[Segment, ...]
    builder: str
    sentence: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.segments:
            raise UsageError("plan: has no segment; say what the body does")
        if len(self.segments) > MOST_SEGMENTS:
            raise UsageError(f"plan: got {len(self.segments)} segments; allowed: at most {MOST_SEGMENTS}")

    @property
    def compound(self) -> bool:
        """Whether it is more than one action."""
        return len(self.segments) > 1

    def low_text(self) -> str:
        """The actions one after the other, as low-level text is written: "walk, bow"."""
        return ", ".join(segment.action for segment in self.segments)


def plan_of_actions(actions: Sequence[str], builder: str, sentence: str, notes: Sequence[str] = ()) -> Plan:
    """A plan of actions alone ("walk", "bow"), one after the other. Each action is its own text. Errors: UsageError."""
    segments = tuple(Segment(action=action.strip(), text=action.strip()) for action in actions if action.strip())
    return Plan(segments, builder, sentence, tuple(notes))


class Planner(ABC):
    """A builder of plans, and so of low-level text (``Plan.low_text``). Attributes:

    name: the registered name, which its plans carry as ``builder``. samples_differ: whether another ``sample`` or
    ``seed`` can give another plan; where not, both are ignored.
    """

    name: str
    samples_differ: bool = False

    @abstractmethod
    def plan(self, sentences: Sequence[str], *, sample: int = 0, seed: int = 0) -> list[Plan]:
        """A plan for each sentence; it depends on its sentence, the sample and the seed alone, not on the others.

        ``Plan.sentence`` is the sentence as given, ``Plan.builder`` the planner's name. Errors: UsageError for an empty
        sentence, DataError for an answer that is no plan (of a language model), WeightsError.
        """
