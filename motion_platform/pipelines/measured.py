"""What a sentence says in numbers is measured in what was made of it; of several draws the nearest is kept.

A model that was told "bows twice" in words bows once in every fourth motion. The bows are there to be counted
(``motion/counting.py``), so a motion that misses its number is drawn again, and one that still does says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from motion_platform.core.plan import WHOLE_BODY, Plan
from motion_platform.motion.clip import Clip
from motion_platform.pipelines.amounts import verb_of

COUNTED = {
    "bow": "bows",
    "box": "punches",
    "hop": "jumps",
    "jump": "jumps",
    "kick": "kicks",
    "lift": "raises",
    "punch": "punches",
    "raise": "raises",
    "squat": "squats",
    "wave": "waves",
}
"""Verb -> what is counted of it (``motion/counting.py``)."""
TURNING = ("turn", "rotate", "spin")
DRAWS = 4
"""Further motions, of which the nearest is taken, where one misses its number."""
WITHIN = 0.2
"""Part of the number by which a motion may miss it: up to four times must be met exactly."""


@dataclass(frozen=True)
class Amount:
    """What must be measured in a motion: so many ``what``, a name of ``counting.RULERS``."""

    what: str
    wanted: float

    def fits(self, clip: Clip) -> bool:
        """Whether the measure is for a clip's body and frame rate."""
        from motion_platform.motion import counting

        return clip.skeleton.name == counting.BODY and clip.fps == counting.FPS

    def made(self, clip: Clip) -> float:
        """What is measured in a clip that it fits."""
        from motion_platform.motion import counting

        return float(counting.RULERS[self.what](clip.joints))

    def off(self, made: float) -> float:
        """By which part of what was asked for it is missed."""
        return abs(made - self.wanted) / self.wanted

    def kept(self, made: float) -> bool:
        return self.off(made) <= WITHIN + 1e-9


def amount_of(plan: Plan) -> Amount | None:
    """What can be measured of a plan as its sentence has it: the number of its only action."""
    segment = plan.segments[0]
    if plan.compound or not segment.amount or segment.lane != WHOLE_BODY:
        return None
    verb, unit = verb_of(segment), segment.unit
    if unit == "times":
        return Amount(COUNTED[verb], segment.amount) if verb in COUNTED else None
    if unit == "degrees" and verb not in TURNING:
        return None
    return Amount(unit, segment.amount)


def nearest(
    clips: Sequence[Clip],
    amount: Amount,
    draw: Callable[[int], Sequence[Clip]],
    say: Callable[[str], None] | None = None,
) -> list[Clip]:
    """The clips, in the place of each that misses the amount the nearest of ``DRAWS`` more.

    draw: that many samples of the same sentence and seed, of which the first are ``clips``. ``info["amount"]`` of a
    clip says what was asked for and what is there; say: takes a line for one that still misses it.
    """
    if not all(amount.fits(clip) for clip in clips):
        return list(clips)
    made = [amount.made(clip) for clip in clips]
    more = [] if all(map(amount.kept, made)) else draw(len(clips) * (1 + DRAWS))
    found = []
    for place, (own, value) in enumerate(zip(clips, made, strict=True)):
        others = [] if amount.kept(value) else more[place :: len(clips)][1:]  # the first is this one
        candidates = [(own, value), *((clip, amount.made(clip)) for clip in others)]
        best, value = min(candidates, key=lambda each: amount.off(each[1]))
        if say is not None and not amount.kept(value):
            say(
                f"{own.captions[0]!r}: {value:.3g} {amount.what} are there instead of {amount.wanted:g}, the nearest "
                f"of {len(candidates)} motions"
            )
        told = {"what": amount.what, "asked": amount.wanted, "made": round(value, 2)}
        info = {**best.info, "sample": own.info.get("sample", 0), "amount": told}
        found.append(best.with_(name=own.name, info=info))
    return found
