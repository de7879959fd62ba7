"""What a sentence says in numbers is measured in what was made of it; of several draws the nearest is kept.

A model that was told "bows twice" in words bows once in every fourth motion. The bows are there to be counted
(``motion/counting.py``), so a motion that misses its number is drawn again, and one that still does says so. The same
where there is no number: "kicks with the left leg" is a kick at least, and of that leg; one of the other leg is
mirrored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from motion_platform.core.plan import WHOLE_BODY, Plan
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import mirror
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
DONE = ("do", "throw", "perform", "make", "give", "take")
"""Verbs of which the noun says what is done: "throws a left hook", "takes a bow"."""
_NOUN = re.compile(r"\b(?:(kick)|(punch|jab|hook|uppercut)|(bow)|(jump|leap|hop)|(squat)|(wave))\b", re.IGNORECASE)
NOUNS = ("kicks", "punches", "bows", "jumps", "squats", "waves")
TURNING = ("turn", "rotate", "spin")
DRAWS = 4
"""Further motions, of which the nearest is taken, where one misses its number."""
WITHIN = 0.2
"""Part of the number by which a motion may miss it: up to four times must be met exactly."""


LEAST = {"waves": 2}
"""How often what is counted must be there where the sentence gives no number; all else once."""
_LIMB = re.compile(
    r"\b(left|right|both)[- ](?:(?:hand|arm|fist|leg|foot|hook|kick|punch|jab|uppercut)s?|feet|(?:hand|foot)ed)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Amount:
    """What must be measured in a motion: so many ``what``, a name of ``counting.RULERS``. least: so many at least, for
    a sentence without a number; side: of the "left" or "right" limb, or of "both"; turns: a motion that does it with
    the other limb may be mirrored, for nothing else in the sentence has a side."""

    what: str
    wanted: float
    least: bool = False
    side: str | None = None
    turns: bool = False

    def fits(self, clip: Clip) -> bool:
        """Whether the measure is for a clip's body and frame rate."""
        from motion_platform.motion import counting

        return clip.skeleton.name == counting.BODY and clip.fps == counting.FPS

    def made(self, clip: Clip) -> float:
        """What is measured in a clip that it fits."""
        from motion_platform.motion import counting

        if self.side is not None:
            return float(counting.on_side(self.what, clip.joints, self.side))
        return float(counting.RULERS[self.what](clip.joints))

    def off(self, made: float) -> float:
        """By which part of what was asked for it is missed."""
        return max(self.wanted - made, 0.0) / self.wanted if self.least else abs(made - self.wanted) / self.wanted

    def kept(self, made: float) -> bool:
        return self.off(made) <= WITHIN + 1e-9

    def right_way_round(self, clip: Clip) -> Clip:
        """The clip, or its mirror image where that one keeps what the clip misses."""
        if not self.turns or not self.fits(clip) or self.kept(self.made(clip)):
            return clip
        other = mirror(clip)
        return other.with_(info={**other.info, "mirrored": True}) if self.kept(self.made(other)) else clip

    def missed(self, made: float, motions: int) -> str:
        """What is said of a motion that misses it."""
        if not self.least:
            return f"{made:.3g} {self.what} are there instead of {self.wanted:g}, the nearest of {motions} motions"
        side = f" of the {self.side} side" if self.side in ("left", "right") else f" of {self.side} sides"
        return f"no {self.what}{side if self.side else ''} can be seen in any of {motions} motions"


def amount_of(plan: Plan) -> Amount | None:
    """What can be measured of a plan as its sentence has it: the number of its only action, else that it is there."""
    segment = plan.segments[0]
    if plan.compound or segment.lane != WHOLE_BODY:
        return None
    verb, unit = verb_of(segment), segment.unit
    if not segment.amount:
        return _shown(verb, plan.sentence)
    if unit == "times":
        return Amount(COUNTED[verb], segment.amount) if verb in COUNTED else None
    if unit == "degrees" and verb not in TURNING:
        return None
    return Amount(unit, segment.amount)


def _shown(verb: str, sentence: str) -> Amount | None:
    """That an action without a number can be seen, of the side that the sentence names."""
    from motion_platform.motion import counting

    noun = _NOUN.search(sentence) if verb in DONE else None
    what = NOUNS[noun.lastindex - 1] if noun and noun.lastindex else COUNTED.get(verb)
    if what is None or (what == "raises" and not re.search(r"\b(?:hands?|arms?)\b", sentence, re.IGNORECASE)):
        return None
    limbs = [side.lower() for side in _LIMB.findall(sentence)] if what in counting.SIDED else []
    side = limbs[0] if len(set(limbs)) == 1 else None
    turns = side in counting.SIDES and len(re.findall(r"\b(?:left|right)", sentence, re.IGNORECASE)) == len(limbs)
    return Amount(what, LEAST.get(what, 1), least=True, side=side, turns=turns)


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
    clips = [amount.right_way_round(clip) for clip in clips]
    made = [amount.made(clip) for clip in clips]
    more = [] if all(map(amount.kept, made)) else draw(len(clips) * (1 + DRAWS))
    more = [amount.right_way_round(clip) for clip in more]
    found = []
    for place, (own, value) in enumerate(zip(clips, made, strict=True)):
        others = [] if amount.kept(value) else more[place :: len(clips)][1:]  # the first is this one
        candidates = [(own, value), *((clip, amount.made(clip)) for clip in others)]
        best, value = min(candidates, key=lambda each: amount.off(each[1]))
        if say is not None and not amount.kept(value):
            say(f"{own.captions[0]!r}: {amount.missed(value, len(candidates))}")
        told = {"what": amount.what, "asked": amount.wanted, "made": round(value, 2)}
        told |= {"at_least": True} if amount.least else {}
        told |= {"side": amount.side} if amount.side else {}
        info = {**best.info, "sample": own.info.get("sample", 0), "amount": told}
        found.append(best.with_(name=own.name, info=info))
    return found
