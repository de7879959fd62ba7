"""Numbers in a sentence: how long, how often, how many steps, how far, how much of a turn."""

from __future__ import annotations

import re
from dataclasses import dataclass

from motion_platform.core.errors import UsageError

_WORDS = {
    **{word: n for n, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
         "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"), 1)},
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100,
    "a": 1, "an": 1, "half a": 0.5, "half an": 0.5, "a half": 0.5, "a couple of": 2, "a couple": 2, "a few": 3,
    "several": 3, "a hundred and eighty": 180, "one hundred and eighty": 180, "one hundred eighty": 180,
    "forty-five": 45, "three hundred and sixty": 360, "three hundred sixty": 360,
}  # fmt: skip
_NUMBER = r"(?P<n>\d+(?:[.,]\d+)?|" + "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True)) + ")"
_GAP = r"(?:(?<=\d)\s*-?\s*|\s+-?\s*|-)"
"""Between a number and its unit: nothing, behind a digit alone. "as" and "am" are no second and no metre."""
_ABOUT = r"(?:(?:about|around|roughly|approximately|exactly|nearly|some|another|at least|for)\s+)*"
_SECONDS = re.compile(
    rf"\b(?:(?:for|during|over|lasting|within|in)\s+)?(?:the\s+)?{_ABOUT}{_NUMBER}{_GAP}"
    r"(?P<unit>seconds?|secs?|s|minutes?|mins?)\b(?:\s+long)?", re.IGNORECASE)  # fmt: skip
_TIMES = re.compile(
    rf"\b{_ABOUT}(?:(?P<word>once|twice|thrice)|{_NUMBER}\s*(?:times|repetitions|reps|x)\b|(?P<x>\d+)x)(?!\s*\w*ly\b)"
    r"(?:\s+in a row)?\b", re.IGNORECASE)  # fmt: skip
_STEPS = re.compile(
    rf"\b(?:(?P<verb>takes?|taking|took|makes?|making|does|walks?|walking|goes|moves?|runs?)\s+)?{_ABOUT}{_NUMBER}\s+"
    r"(?P<how>(?:\w+\s+){0,2}?)(?P<unit>steps?|paces?|strides?)\b", re.IGNORECASE)  # fmt: skip
_METRES = re.compile(
    rf"\b(?:for\s+)?(?:a distance of\s+)?{_ABOUT}{_NUMBER}{_GAP}(?P<unit>met(?:re|er)s?|m|feet|foot|ft|yards?|yds?|"
    r"kilomet(?:re|er)s?|km|cm|centimet(?:re|er)s?)\b", re.IGNORECASE)  # fmt: skip
_DEGREES = re.compile(rf"\b(?:by\s+)?{_ABOUT}{_NUMBER}\s*-?\s*(?:degrees?|deg|°)", re.IGNORECASE)
_CIRCLE = re.compile(
    r"\b(?:in\s+)?(?:a|one)\s+(?P<part>full|complete|whole|half|quarter)[ -]+(?:circle|turn|rotation|revolution)\b"
    r"|\ball the way (?:a)?round\b", re.IGNORECASE)  # fmt: skip
_BODY_PART = re.compile(
    r"\b(?:on|with|to|using|from|off|onto|by|lifts?|raises?|stamps?)\s*(?:the|his|her|their|its|my)?\s*$", re.I
)
"""Before "one foot" or "two feet" that are of the body, and no length."""
_NEGATIVE = re.compile(r"(?:^|\s)[-\u2212]\d")
"""A minus before a number; "five-step", "3-4", "3 - 4" and "- 3 jumps" have none."""
_METRE = {"f": 0.3048, "y": 0.9144, "k": 1000.0, "c": 0.01, "m": 1.0}


@dataclass(frozen=True)
class Quantities:
    """What a clause says of numbers, and its words without them."""

    words: str
    seconds: float | None = None
    amount: float | None = None
    unit: str = "times"


def number(text: str) -> float:
    """A number as it is written, "3", "2.5", "half a", "twelve"."""
    text = " ".join(text.lower().split())
    return float(_WORDS[text]) if text in _WORDS else float(text.replace(",", "."))


def read_quantities(clause: str) -> Quantities:
    """Take the numbers out of one clause: at most one length in seconds and one amount. UsageError for 0 and less."""
    whole, seconds, amount, unit = clause, None, None, "times"
    if match := _SECONDS.search(clause):
        seconds = number(match["n"]) * (60.0 if match["unit"].lower().startswith("min") else 1.0)
        clause = _cut(clause, match)
    if match := _STEPS.search(clause):
        amount, unit = number(match["n"]), "steps"
        if amount > 1:
            clause = _cut(clause, match, _walking(match))
    elif match := _DEGREES.search(clause):
        amount, unit, clause = number(match["n"]), "degrees", _cut(clause, match)
    elif match := _CIRCLE.search(clause):
        amount = {"half": 180.0, "quarter": 90.0}.get((match["part"] or "").lower(), 360.0)
        unit = "degrees"
        if re.search(r"\b(?:turn|spin|rotat|pivot|twirl|whirl)\w*\s*$", clause[: match.start()]):
            clause = _cut(clause, match, "around")
    elif (match := _METRES.search(clause)) and not _BODY_PART.search(clause[: match.start()]):
        amount, unit = number(match["n"]) * _METRE[match["unit"][0].lower()], "metres"
        if match["unit"].lower().startswith("cm"):
            amount = number(match["n"]) * 0.01
        clause = _cut(clause, match)
    elif match := _TIMES.search(clause):
        word = (match["word"] or "").lower()
        amount = float({"once": 1, "twice": 2, "thrice": 3}.get(word) or number(match["n"] or match["x"]))
        clause = _cut(clause, match)
    for value, of in ((seconds, "seconds"), (amount, unit)):
        if value == 0 or (value is not None and _NEGATIVE.search(whole)):
            asked = "0" if value == 0 else "less than 0"
            raise UsageError(f"{whole.strip()!r}: asks for {asked} {of}; write a number above 0")
    return Quantities(" ".join(clause.split()).strip(" ,"), seconds, amount, unit)


def _cut(clause: str, match: re.Match[str], instead: str = "") -> str:
    return f"{clause[: match.start()]} {instead} {clause[match.end() :]}"


def _walking(match: re.Match[str]) -> str:
    """The verb that stands for "takes four steps": walks, in the form that the verb has; one that travels stays."""
    verb = (match["verb"] or "").lower()
    if not verb or verb.startswith(("walk", "run", "go", "mov")):
        return f"{verb} {match['how']}"
    form = "walking" if verb.endswith("ing") else "walked" if verb == "took" else "walks" if verb[-1] == "s" else "walk"
    return f"{form} {match['how']}"
