"""The planner that needs no model: rules of English, the same answer every time, in a millisecond."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import LONGEST_SECONDS, SHORTEST_SECONDS, WHOLE_BODY, Plan, Planner, Segment
from motion_platform.planners import ellipsis
from motion_platform.planners.clauses import (
    NEGATED,
    PRONOUN,
    Clause,
    clause_of,
    clean_opening,
    split_coordinated,
    split_sequence,
    split_simultaneous,
)
from motion_platform.planners.quantities import Quantities, read_quantities
from motion_platform.planners.words import lexicon
from motion_platform.texts.inflection import inflect

_NOT_BUT = re.compile(r"\bnot\s+(?P<what>[^,;.]+?)\s*,?\s+but\s+", re.IGNORECASE)
_TAIL = re.compile(
    r"[\s,]*\b(?:but\s+|and\s+)?(?:not|without|instead of|rather than|as opposed to|never|except)\b(?P<what>.*)$",
    re.IGNORECASE)  # fmt: skip
_LEADING = re.compile(
    r"^(?:without|instead of|rather than)\s+(?P<what>[^,]+?)"
    r"(?:,\s*|\s+(?=(?:he|she|they|we|you|i|someone|somebody|(?:an?|the)\s(?:\w+\s)?(?:person|man|woman|boy|girl))\s))(?P<rest>.+)$",
    re.IGNORECASE,
)
_BODY = re.compile(
    r"\b(?:(?:the|his|her|their|both|a|one)\s+)*(?:left\s+|right\s+)?(?:hands?|arms?|legs?|foot|feet|knees?|elbows?|fists?|"
    r"head)\b", re.IGNORECASE)  # fmt: skip
_STILL = "stands still"
_MANNER = re.compile(r"(?:with|without|using|like|as if|as though|as|in|on|at|by|for)\b", re.IGNORECASE)
"""How a fragment begins that says how the action before it is done: "Hi! With the left hand."."""
_HAND = re.compile(r"\b(?:left|right|both)\s+(?:hands?|arms?)\b", re.IGNORECASE)
_LIFTED = frozenset(("raise", "lift", "put", "hold", "stretch", "extend", "open"))
_BY_HAND = frozenset(("wave", "beckon", "gesture", "signal"))
"""What the hand does that was lifted for it: "lifts the left hand and waves"."""


class Rules(Planner):
    """Splits a sentence where its own words do (then, before, after, commas and "and" before a verb, full stops).

    What is left out is filled in ("then the right"), numbers become seconds and amounts, negations are taken out of the
    words and named in the notes, and two actions at the same time get lanes where one is of the legs and the other of
    the arms. A sentence of one action without numbers and negations is left as it is, letter by letter.
    """

    name = "rules"

    def plan(self, sentences: Sequence[str], *, sample: int = 0, seed: int = 0) -> list[Plan]:
        return [self._plan(sentence) for sentence in sentences]

    def _plan(self, sentence: str) -> Plan:
        if not sentence.strip():
            raise UsageError("plan: the sentence is empty; say what the body does")
        notes: list[str] = []
        clauses = _clauses(sentence, notes)
        if len(clauses) == 1 and clauses[0][0].during is None and not notes and not _measured(clauses[0][1]):
            return Plan((_segment(clauses[0][0], clauses[0][1], sentence.strip()),), self.name, sentence)
        segments = [segment for clause, said in clauses for segment in _segments(clause, said)]
        return Plan(tuple(segments), self.name, sentence, tuple(notes))


def _clauses(sentence: str, notes: list[str]) -> list[tuple[Clause, Quantities]]:
    """The clauses of a sentence with their numbers; what is denied goes into the notes."""
    sentence = _NOT_BUT.sub(lambda match: _left_out(notes, f"not {match['what']}"), " ".join(sentence.split()))
    found: list[tuple[Clause, Quantities]] = []
    subject, plural, last = "", False, None
    for part in split_sequence(sentence):
        if leading := _LEADING.match(part):
            _left_out(notes, part[: leading.start("rest")].strip(" ,"))
            part = leading["rest"]
        whole = split_simultaneous(part)
        pieces = [whole] if len(whole) == 2 else [[piece] for piece in split_coordinated(whole[0])]
        for piece in pieces:
            words = [_affirmed(each, notes) for each in piece]
            if not words[0]:
                who = piece[0][: denied.start()].strip() if (denied := NEGATED.search(piece[0])) else ""
                subject = subject or who
                continue
            whole_words = _opened(words[0])
            read = read_quantities(whole_words)
            if ellipsis.is_fragment(whole_words):
                filled = ellipsis.completed(whole_words, last)
                if filled is not None:
                    whole_words, read = filled, read_quantities(filled)
                elif found and len(words) == 1 and _MANNER.match(whole_words):
                    found[-1] = _continued(*found[-1], whole_words, read)
                    last = replace(found[-1][0], words=f"{last.words if last else ''} {whole_words}".strip())
                    continue
            clause = clause_of(read.words) if read.words else clause_of(whole_words)
            if not clause.verb and not read.words:
                clause = replace(clause_of(whole_words), words=whole_words)
            clause = _with_hand(_with_object(_with_subject(clause, subject, plural), last), last)
            subject, plural = clause.subject or subject, clause.plural or plural
            if len(words) == 2 and words[1]:
                clause = replace(clause, during=_with_subject(clause_of(words[1]), subject, plural))
            last = replace(clause, words=whole_words)
            found.append((clause, read))
    if not found:
        found.append((clause_of(f"{subject or 'a person'} {_STILL}"), Quantities(_STILL)))
    # "bows after the man walked": the first clause in time need not be the one that names who it is.
    subject = next((of.subject for of, _ in found if of.subject and not PRONOUN.match(f"{of.subject} x")), subject)
    return [(_with_subject(clause, subject, plural), read) for clause, read in found]


def _opened(words: str) -> str:
    """Without "starts by" and the like; "starts with a bow" is bows."""
    who, rest = clean_opening(words)
    return " ".join(part for part in (who, ellipsis.completed(rest, None) or rest) if part) if who else rest


def _with_subject(clause: Clause, subject: str, plural: bool) -> Clause:
    """A clause that names nobody, or "she", is done by the subject of the sentence; one that begins like a verb in the
    form of its first one ("knits a scarf"), too."""
    if not clause.verb and subject and re.match(r"[a-z]{3,}[^s\W]s\b", clause.words):
        return replace(clause, words=f"{subject} {clause.words}")
    if not clause.verb or not subject or (clause.subject and not PRONOUN.match(f"{clause.subject} x")):
        return clause
    return replace(clause, subject=subject, plural=plural or clause.plural)


def _with_object(clause: Clause, last: Clause | None) -> Clause:
    """ "raises both hands and lowers them" lowers both hands."""
    if last is None or clause.rest not in ("them", "it", "them again", "it again") or not last.rest:
        return clause
    part = _BODY.search(last.rest)
    return replace(clause, rest=part[0]) if part else clause


def _with_hand(clause: Clause, last: Clause | None) -> Clause:
    """ "lifts the left hand and waves" waves with the left hand."""
    if last is None or clause.verb not in _BY_HAND or last.verb not in _LIFTED or _BODY.search(clause.rest):
        return clause
    hand = _HAND.search(last.rest)
    return replace(clause, rest=f"{clause.rest} with {_the(hand[0])}".strip()) if hand else clause


def _the(hand: str) -> str:
    return hand if hand.lower().startswith("both") else f"the {hand}"


def _continued(clause: Clause, said: Quantities, words: str, more: Quantities) -> tuple[Clause, Quantities]:
    """An action and how it is done, which stood in a sentence of its own."""
    together = f"{clause.words} {words}"
    rest = f"{clause.rest} {more.words[:1].lower()}{more.words[1:]}".strip() if clause.verb else clause.rest
    seconds, amount = (getattr(more, name) or getattr(said, name) for name in ("seconds", "amount"))
    unit = more.unit if more.amount else said.unit
    return replace(clause, words=together, rest=rest), replace(said, seconds=seconds, amount=amount, unit=unit)


def _left_out(notes: list[str], what: str) -> str:
    notes.append(f"left out: {' '.join(what.split())}")
    return ""


def _affirmed(words: str, notes: list[str]) -> str:
    """A clause without what it denies; "" where all of it is denied."""
    if NEGATED.search(words) and not re.search(r"\bstops?\b", words):
        tail = re.match(r"^(?P<kept>.+?\w)\s*,\s*(?P<denied>(?:never|avoid\w*)\b.*)$", words, re.IGNORECASE)
        _left_out(notes, tail["denied"] if tail else words)
        return tail["kept"] if tail else ""
    if match := _TAIL.search(words):
        _left_out(notes, match[0].strip(" ,"))
        return words[: match.start()].strip(" ,")
    return words


def _measured(said: Quantities) -> bool:
    return said.seconds is not None or said.amount is not None


def _segments(clause: Clause, said: Quantities) -> list[Segment]:
    """One segment, or two in lanes of their own where legs and arms do different things at the same time."""
    if clause.during is None:
        return [_segment(clause, said, clause.text())]
    lanes = [_lane(each) for each in (clause, clause.during)]
    if WHOLE_BODY in lanes or (lanes[0] == "lower_body") == (lanes[1] == "lower_body"):
        both = f"{clause.text()} while {_meanwhile(clause.during)}"
        return [_segment(clause, said, both, action=f"{clause.action()} while {_meanwhile(clause.during)}")]
    main = _segment(clause, said, clause.text())
    other = _segment(clause.during, replace(said, amount=None), clause.during.text())
    return [replace(main, lane=lanes[0]), replace(other, lane=lanes[1])]


def _meanwhile(clause: Clause) -> str:
    if not clause.verb:
        return clause.words
    return " ".join(part for part in (clause.before, inflect(clause.verb, "ing"), clause.rest) if part)


def _lane(clause: Clause) -> str:
    """Which part of the body does it."""
    known = lexicon()
    if clause.verb in known.travel:
        return "lower_body"
    if clause.verb not in known.arms:
        return WHOLE_BODY
    sides = {side for side in ("left", "right") if re.search(rf"\b{side}\b", clause.rest)}
    return f"{sides.pop()}_arm" if len(sides) == 1 else "upper_body"


def _segment(clause: Clause, said: Quantities, text: str, action: str | None = None) -> Segment:
    known = lexicon()
    style = next((known.styles[word] for word in re.findall(r"\w+", text.lower()) if word in known.styles), None)
    seconds = said.seconds
    if seconds is not None:
        seconds = min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
    amount = said.amount if said.amount and 0 < said.amount <= 10_000 else None
    return Segment(
        action=action or clause.action(), text=text, seconds=seconds, style=style, amount=amount, unit=said.unit
    )
