"""Fragments without a verb ("then the right", "then back", "then a bow") and what they leave out."""

from __future__ import annotations

import re

from motion_platform.planners.clauses import Clause, clause_of
from motion_platform.planners.words import lexicon
from motion_platform.texts.inflection import inflect
from motion_platform.texts.sides import swap_sides

_SIDE = re.compile(
    r"^(?:with\s+)?(?:(?:the|his|her|their|your|my|its)\s+)?(?P<side>left|right|both|other)"
    r"(?P<what>\s+(?:hands?|arms?|legs?|foot|feet|knees?|one|side|elbows?|fists?))?$", re.IGNORECASE)  # fmt: skip
_DIRECTION = (
    r"(?:to the |towards the |on the )?(?:left|right)(?: side)?|backwards?|back|forwards?|sideways|upwards?|downwards?|"
    r"up|down|around|clockwise|counterclockwise"
)
_ONLY_DIRECTION = re.compile(rf"^(?:{_DIRECTION})(?:\s+again)?$", re.IGNORECASE)
_DIRECTIONS = re.compile(rf"\b(?:{_DIRECTION})\b", re.IGNORECASE)
_BODY_SIDE = re.compile(
    r"\b(?:(?:the|his|her|their|your|my|its|a)\s+)?(?:left|right|both)\s+(?:hands?|arms?|legs?|foot|feet|knees?|elbows?|fists?|side)\b",
    re.IGNORECASE)  # fmt: skip
_NOUN = re.compile(r"^(?:a|an|one|another)\s+(?:(?P<how>\w+)\s+)?(?P<noun>\w+)(?P<rest>.*)$", re.IGNORECASE)
_NUMBER = r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|twice|once)"
_COUNTED = re.compile(rf"^(?P<n>{_NUMBER})(?:\s+(?:more|steps?|times))*\s*(?P<rest>{_DIRECTION})?$", re.IGNORECASE)
_ADVERBS = {"deep": "deeply", "slow": "slowly", "quick": "quickly", "short": "briefly", "small": "slightly"}
_PLURAL = {"hand": "hands", "arm": "arms", "leg": "legs", "foot": "feet", "knee": "knees", "elbow": "elbows"}


def completed(fragment: str, last: Clause | None) -> str | None:
    """The clause that a fragment stands for, after the one before it; None where nobody can say."""
    words = fragment.strip(" ,.")
    if match := _NOUN.match(words):
        base, form = lexicon().form(match["noun"]) or (None, "")
        if base is not None and form == "base" and base != "back":
            how = match["how"] or ""
            how = "" if how.lower() in ("final", "last", "little") else _ADVERBS.get(how.lower(), how)
            if not how or how.endswith("ly") or how in ("left", "right"):
                return " ".join(f"{inflect(base, 's')} {how} {match['rest']}".split())
    if last is None or not last.verb:
        return None
    said = last.words
    if words.lower() in ("again", "once more", "one more time", "the same again", "repeats", "repeat"):
        return said
    if match := _COUNTED.match(words):
        return _counted(match, said)
    if _ONLY_DIRECTION.match(words) and not _BODY_SIDE.search(said):
        return _turned(words, said)
    if match := _SIDE.match(words):
        return _sided(match, said)
    return _turned(words, said) if _ONLY_DIRECTION.match(words) else None


def _turned(words: str, said: str) -> str:
    """The clause with its direction replaced, or with one where it had none."""
    places = list(_DIRECTIONS.finditer(said))
    if not places:
        return f"{said} {words}"
    return f"{said[: places[-1].start()]}{words}{said[places[-1].end() :]}"


def _sided(match: re.Match[str], said: str) -> str | None:
    """The clause with another side of the body."""
    side, place = match["side"].lower(), _BODY_SIDE.search(said)
    if side == "other":
        other = swap_sides(said)
        return other if other != said else None
    if place is None:
        return re.sub(r"\b(?:left|right|both)\b", side, said) if re.search(r"\b(?:left|right)\b", said) else None
    part = place[0].split()[-1]
    if match["what"] and match["what"].strip().lower() not in ("one", "side"):
        part = match["what"].strip()
    if side == "both":
        return f"{said[: place.start()]}both {_PLURAL.get(part.lower(), part)}{said[place.end() :]}"
    single = next((one for one, many in _PLURAL.items() if many == part.lower()), part)
    return f"{said[: place.start()]}the {side} {single}{said[place.end() :]}"


def _counted(match: re.Match[str], said: str) -> str:
    """ "two to the left" after "takes three steps forward"."""
    number, rest = match["n"].lower(), match["rest"]
    steps = re.search(r"\bsteps?\b", said)
    if steps:
        said = re.sub(rf"\b(?:a|{_NUMBER})(?=\s+(?:\w+\s+)?steps?\b)", number, said, flags=re.IGNORECASE)
        said = re.sub(r"\bsteps?\b", "step" if number == "one" else "steps", said)
    else:
        times = number if number in ("once", "twice") else f"{number} times"
        said = f"{re.sub(rf'{_NUMBER} times', '', said)} {times}"
    return _turned(rest, said) if rest else said


def is_fragment(words: str) -> bool:
    """Whether a part has no verb of its own."""
    return not clause_of(words).verb
