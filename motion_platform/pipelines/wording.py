"""A plan in the words and pieces in which a model makes it: bare verbs get an object, what is done several times is
said several times, and a number that nobody can keep is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from motion_platform.core.plan import WHOLE_BODY, Plan, Segment
from motion_platform.pipelines.amounts import SPEEDS, STEPS, verb_of
from motion_platform.planners.clauses import clause_of
from motion_platform.texts.inflection import inflect

WORDINGS = {
    "wave": "wave the right hand",
    "walk away": "walk forward",
    "walk off": "walk forward",
    "walk out": "walk forward",
    "punch": "box",
}
"""Action among others -> the words that the shipped models make it of: "a person waves" hardly lifts a hand, "walks
away" goes backwards, and "a person is boxing" punches where "a person punches" often does not."""
ALONE = {**{action: words for action, words in WORDINGS.items() if action != "punch"}, "walk": "walk forward"}
"""The same for the only action of a sentence: of eight motions of "a person walks" four hardly leave their place."""
PROGRESSIVE = ("box",)
"""Verbs that the models know as something that is being done."""
PACED = {"walk": "walk forward"}
"""The same for a number of steps or metres: "a person walks" sets off slowly."""
REPEATED = ("bow", "squat", "jump", "hop", "raise", "lift")
"""Verbs of which one motion is one time, so that three times are three segments."""
MOST_TIMES = 12
UPWARD = ("raise", "lift")
LOWERING_SECONDS, RAISING_SECONDS, SQUATTING_SECONDS = 1.6, 2.0, 1.8
KEPT_DEGREES = 120


def in_models_words(plan: Plan, *, alone: bool = True) -> Plan:
    """The plan with bare verbs as the models know them. alone: also the only verb of a sentence without a number, which
    helps a model that draws codes, and not one of diffusion (docs/text-to-motion.md, "Bare verbs")."""
    only = plan.segments[0]
    if not plan.compound and (not alone if only.amount is None else only.unit == "times"):
        return plan
    return replace(plan, segments=tuple(_worded(segment, alone=not plan.compound) for segment in plan.segments))


def _worded(segment: Segment, *, alone: bool) -> Segment:
    paced = segment.amount is not None and segment.unit in ("steps", "metres")
    wording = (PACED if paced else ALONE if alone else WORDINGS).get(segment.action)
    if wording is None or segment.lane != WHOLE_BODY:
        return segment
    verb, _, rest = wording.partition(" ")
    clause = replace(clause_of(segment.text), verb=verb, rest=rest)
    if verb in PROGRESSIVE:
        words = (clause.subject or "a person", "are" if clause.plural else "is", inflect(verb, "ing"), rest)
        return replace(segment, text=" ".join(word for word in words if word))
    return replace(segment, text=clause.text(), action=clause.action() if alone and not paced else segment.action)


def repeated(plan: Plan) -> Plan:
    """The plan in which "bows three times" is three bows; raised hands come down between."""
    segments: list[Segment] = []
    for segment in plan.segments:
        segments += _times(segment)
    return replace(plan, segments=tuple(segments))


def _times(segment: Segment) -> Sequence[Segment]:
    times = segment.amount or 1.0
    verb = verb_of(segment)
    counts = segment.unit == "times" and times > 1 and times == round(times) <= MOST_TIMES
    if not counts or verb not in REPEATED or segment.lane != WHOLE_BODY:
        return [segment]
    one = replace(segment, amount=None)
    once = [one]  # the segments of one time
    if verb in UPWARD:
        down = replace(clause_of(segment.text), verb="lower")
        lowered = replace(one, action=down.action(), text=down.text(), seconds=LOWERING_SECONDS)
        once = [replace(one, seconds=RAISING_SECONDS), lowered]
    elif segment.action == "squat":
        once = [replace(one, text=f"{one.text} and stands up", seconds=SQUATTING_SECONDS)]
    if segment.seconds is not None:
        once = [replace(each, seconds=max(segment.seconds / times / len(once), 0.5)) for each in once]
    return once * int(times)


def with_doubts(plan: Plan) -> Plan:
    """The plan with a note for each number that was not seen to be kept."""
    notes = [note for segment in plan.segments if (note := _doubt(segment)) and note not in plan.notes]
    return replace(plan, notes=(*plan.notes, *notes))


def _doubt(segment: Segment) -> str | None:
    if segment.amount is None or (segment.amount == 1 and segment.unit == "times"):
        return None
    verb = verb_of(segment)
    kept = {
        "times": verb in ("wave", "kick")
        or (verb in REPEATED and verb not in ("jump", "hop") and segment.amount <= MOST_TIMES),
        "steps": verb in STEPS,
        "metres": verb in SPEEDS,
        "degrees": verb in ("turn", "rotate") and segment.amount <= KEPT_DEGREES,
    }[segment.unit]
    if kept:
        return None
    how = "each is asked for by itself" if verb in REPEATED else "its length alone follows the number"
    return f"{segment.amount:g} {segment.unit} of {segment.action!r} cannot be promised: {how}"
