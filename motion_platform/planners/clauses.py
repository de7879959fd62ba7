"""A sentence taken apart into clauses of one action each, in the order in which they happen."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from motion_platform.planners.words import Lexicon, lexicon
from motion_platform.texts.inflection import inflect

_MARK = (
    r"(?:and\s+|but\s+)?(?:then|afterwards?|after (?:that|this|which)|next(?!\s+to\b)|finally|lastly|eventually|"
    r"subsequently|thereafter|followed by|followed with|in the end|at the end(?!\s+of)|"
    r"(?:and\s+)?(?:ends|end|ending|finishes|finish|finishing|concludes|concluding)\s+(?:with|by))\b"
)
_SEQUENCE = re.compile(rf"\s*[,:\u2013\u2014-]*\s+{_MARK}[\s,]*|\s*(?:->|=>|→)\s*|\s*,?\s+and later\s+", re.IGNORECASE)
_SENTENCES = re.compile(r"(?<!\d)[.;!?]+(?:\s+|$)|(?<=\d)[.;!?]+(?:\s+(?=[A-Z])|\s*$)|\n+")
_OPENING = re.compile(
    rf"^(?:{_MARK}|first(?:ly)?|second(?:ly)?|third(?:ly)?|to (?:start|begin|finish) with|to finish|and|but|also)\b"
    r"[\s,:]*", re.IGNORECASE)  # fmt: skip
_STARTS = re.compile(
    r"\b(?:starts?|begins?|starting|beginning|started|began)\s+(?:off\s+)?(?:by|with)\s+", re.IGNORECASE
)
_JOINT = re.compile(r"\s*,\s*(?:and\s+|but\s+)?|\s+and\s+|\s+but\s+|\s*&\s*|\s+plus\s+", re.IGNORECASE)
_WHILE = re.compile(r"\s*,?\s*\b(?:while|whilst|at the same time as|as (?=(?:he|she|they|it)\b))\s*", re.IGNORECASE)
_TOGETHER = re.compile(r"\s*,?\s*\b(?:at the same time|simultaneously|all at once)\b\s*,?", re.IGNORECASE)
NEGATED = re.compile(
    r"\b(?:(?:does|do|did|is|are|was|were|will|would|can|could|should|must)\s*(?:not|n't)|"
    r"(?:doesn|don|didn|isn|aren|wasn|weren|won|can|couldn|shouldn|mustn)['\u2019]t|cannot|never|"
    r"avoids|avoid|refuses to)\b",
    re.IGNORECASE)  # fmt: skip
"""What denies the whole clause."""
_COUNTED = re.compile(
    r"^(?:\d+|one|two|three|four|five|six) (?:(?:more )?(?:steps? )?)(?:to the )?(?:back|backwards?|forwards?|left|"
    r"right|sideways)\b", re.IGNORECASE)  # fmt: skip
PRONOUN = re.compile(
    r"^(?:he|she|they|it|i|we|you|the (?:person|man|woman|figure|character|actor|dancer|child|boy|girl|human|subject))"
    r"\s+(?=\w)", re.IGNORECASE)  # fmt: skip
_AUXILIARY = frozenset(
    (
        "is",
        "are",
        "was",
        "were",
        "be",
        "am",
        "being",
        "been",
        "'s",
        "'re",
        "does",
        "do",
        "did",
        "will",
        "has",
        "have",
        "had",
    )
)
_HELPERS = frozenset(("not", "never", "do", "does", "did", "will", "can", "could", "should", "must", "cannot"))
_DETERMINER = frozenset(
    (
        "a",
        "an",
        "the",
        "his",
        "her",
        "their",
        "its",
        "my",
        "your",
        "our",
        "this",
        "that",
        "these",
        "those",
        "some",
        "of",
        "with",
        "in",
        "on",
        "to",
    )
)
_PLURAL = frozenset(
    (
        "they",
        "people",
        "men",
        "women",
        "we",
        "you",
        "i",
        "persons",
        "dancers",
        "children",
        "both",
        "to",
        "let",
        "two",
        "three",
        "four",
    )
)
_LONE = frozenset(
    ("back", "place", "face", "point", "head", "close", "open", "like", "light", "second", "present", "left")
)
"""Words that are verbs only in other forms or places: "walk forward and back" holds one verb."""
_STANCES = frozenset(("stand", "sit", "kneel", "lie", "stay", "remain", "wait"))


@dataclass(frozen=True)
class Clause:
    """One action. subject: who does it ("" where the sentence gives orders). before: adverbs in front of the verb.
    verb: its base form, "" where no known verb is in it. rest: what follows. plural: the subject is several people.
    words: the clause as it was written. during: what is done at the same time."""

    subject: str
    before: str
    verb: str
    rest: str
    words: str
    plural: bool = False
    during: Clause | None = None

    def text(self, subject: str = "a person") -> str:
        """A sentence of the present tense."""
        if not self.verb:
            return self.words
        form = inflect(self.verb, "base" if self.plural else "s")
        parts = (self.subject or subject, self.before, form, self.rest)
        return " ".join(part for part in parts if part)

    def action(self) -> str:
        """The action alone, as low-level text has it."""
        return " ".join(part for part in (self.verb, self.rest) if part) if self.verb else self.words


def split_sequence(sentence: str) -> list[str]:
    """The parts that follow each other by their own words (then, after, before, full stops), in the order of time."""
    parts: list[str] = []
    for whole in _SENTENCES.split(sentence):
        for part in _SEQUENCE.split(_OPENING.sub("", whole.strip(" ,"))):
            parts += _before_and_after(_OPENING.sub("", part.strip(" ,:")))
    return [part for part in parts if part]


def _before_and_after(part: str) -> list[str]:
    """ "bows before walking" is bow, walk; "bows after walking" and "after walking, bows" are walk, bow."""
    words = lexicon()
    opening = re.match(r"^(after|before|once|having)\s+(.+?),\s*(.+)$", part, re.IGNORECASE)
    if opening and _has_verb(opening[2], words):
        first, second = opening[2], opening[3]
        if opening[1].lower() == "before":
            first, second = second, first
        # The subject stands in one of the two only.
        return _share_subject([*_before_and_after(first), *_before_and_after(second)])
    inner = re.match(r"^(.+?),?\s+(before|after)\s+(.+)$", part, re.IGNORECASE)
    if inner and _has_verb(inner[1], words) and _starts_with_verb(inner[3], words):
        first, second = inner[1], inner[3]
        return [first, *_before_and_after(second)] if inner[2].lower() == "before" else [second, first]
    return [part]


def _share_subject(parts: list[str]) -> list[str]:
    subjects = [clause_of(part).subject for part in parts]
    known = next((subject for subject in subjects if subject), "")
    if parts and known and not subjects[0]:
        first = clause_of(parts[0])
        if first.verb:
            parts[0] = replace(first, subject=known).text()
    return parts


def _has_verb(words: str, known: Lexicon) -> bool:
    return find_verb(words.split(), known) is not None


def _starts_with_verb(words: str, known: Lexicon) -> bool:
    """Whether a verb comes at once, behind a pronoun or adverbs at most."""
    tokens = PRONOUN.sub("", words).split()
    place = next((k for k, token in enumerate(tokens) if not _adverb(token)), None)
    return place is not None and known.form(_bare(tokens[place])) is not None and _bare(tokens[place]) not in _LONE


def _adverb(token: str) -> bool:
    return _bare(token).endswith("ly") or _bare(token) in ("also", "again", "still", "just", "even", "quick", "soon")


def _bare(token: str) -> str:
    return token.strip(",.;:!?()\"'").lower().replace("\u2019", "'")


def find_verb(tokens: list[str], known: Lexicon) -> tuple[int, str, str] | None:
    """(place, base, form) of the first word that is used as a verb of motion."""
    for k, token in enumerate(tokens):
        word, previous = _bare(token), _bare(tokens[k - 1]) if k else ""
        found = known.form(word)
        if found is None or (word in _LONE and (k or word in ("back", "left") or len(tokens) == 1)):
            continue
        base, form = found
        first = k == 0 or all(_adverb(t) for t in tokens[:k])
        if form == "ing" and not (first or previous in _AUXILIARY or _noun(tokens, k) or _adverb(previous)):
            continue
        if form == "base" and not (first or previous in _PLURAL or previous in _HELPERS or "n't" in previous):
            continue
        if form in ("s", "past") and previous in _DETERMINER:
            continue
        return k, base, form
    return None


def _noun(tokens: list[str], k: int) -> bool:
    """Whether the word before is the end of a subject: behind an article, so that "a running man" has no verb yet."""
    return k >= 2 and _bare(tokens[k - 1]) not in _DETERMINER


def clause_of(words: str) -> Clause:
    """One clause from its words. A clause without a known verb keeps its words."""
    known = lexicon()
    pronoun = PRONOUN.match(words)
    tokens = words.split()
    found = find_verb(tokens, known)
    if found is None:
        return Clause("", "", "", "", words)
    place, base, form = found
    head = tokens[:place]
    adverbs: list[str] = []
    while head and (_bare(head[-1]) in _AUXILIARY or _adverb(head[-1])):
        last = head.pop()
        if _adverb(last):
            adverbs.insert(0, last.strip(","))
    subject = " ".join(head).strip(" ,")
    if pronoun and len(head) == 1 and form == "base":
        subject = pronoun[0].strip()
    plural = form == "base" and bool(head) and _bare(head[-1]) not in ("to", "not")
    rest = " ".join(tokens[place + 1 :]).strip(" ,")
    return Clause(subject, " ".join(adverbs), base, rest, words.strip(" ,"), plural)


def split_coordinated(part: str) -> list[str]:
    """The clauses that commas and "and" join: a joint splits only before a verb in the form of the first one."""
    known = lexicon()
    pieces, start = [], 0
    main: tuple[str, bool] | None = None
    for joint in [*_JOINT.finditer(part), None]:
        end = joint.start() if joint else len(part)
        piece = part[start:end]
        if main is None and (found := find_verb(piece.split(), known)) is not None:
            helped = any(_bare(token) in _AUXILIARY for token in piece.split()[: found[0]])
            main = found[2], helped
        if joint is None:
            pieces.append(piece)
            break
        following = part[joint.end() :]
        if main is None or _stance(piece, known):
            continue
        if _continues(following, main, known) or _COUNTED.match(following) or _denied(piece, following, known):
            pieces.append(piece)
            start = joint.end()
    return [piece.strip(" ,") for piece in pieces if piece.strip(" ,")]


def _denied(piece: str, following: str, known: Lexicon) -> bool:
    """ "does not bow but waves", "don't walk, run": what is denied ends where another verb begins, in any form."""
    return NEGATED.search(piece) is not None and _starts_with_verb(following, known)


def _continues(words: str, main: tuple[str, bool], known: Lexicon) -> bool:
    """Whether words go on with a verb in the same form as the first one, or with a pronoun and its verb."""
    form, helped = main
    pronoun = PRONOUN.match(words)
    tokens = (words[pronoun.end() :] if pronoun else words).split()
    while tokens and (_adverb(tokens[0]) or (pronoun and _bare(tokens[0]) in _AUXILIARY)):
        tokens = tokens[1:]
    if not tokens or _bare(tokens[0]) in _LONE:
        return False
    found = known.form(_bare(tokens[0]))
    if found is None:
        return False
    if pronoun:
        return True
    return (
        found[1] == form
        or (form == "ing" and helped and found[1] == "s")
        or inflect(found[0], "s") == tokens[0] == form
    )


def _stance(piece: str, known: Lexicon) -> bool:
    """Whether a piece only says how the body is while the next one happens: "stands", "is sitting on a chair"."""
    found = find_verb(piece.split(), known)
    if found is None or found[1] not in _STANCES:
        return False
    rest = piece.split()[found[0] + 1 :]
    return not rest or _bare(rest[0]) in ("there", "still", "on", "in", "at", "with", "straight", "upright")


def split_simultaneous(part: str) -> list[str]:
    """[what is done, what is done meanwhile], or the part alone."""
    if _TOGETHER.search(part):
        rest = _TOGETHER.sub("", part)
        pieces = split_coordinated(rest)
        return pieces if len(pieces) == 2 else [rest]
    known = lexicon()
    opening = re.match(r"^(?:while|whilst)\s+(.+?),\s*(.+)$", part, re.IGNORECASE)
    pieces = [opening[2], opening[1]] if opening else _WHILE.split(part, maxsplit=1)
    return [piece.strip(" ,") for piece in pieces] if all(_has_verb(piece, known) for piece in pieces) else [part]


def clean_opening(part: str) -> tuple[str, str]:
    """(what stands before "starts by" and the like, what follows), ("", the part) where nothing of the kind is there:
    these words say the order and nothing of the action."""
    match = _STARTS.search(part)
    return (part[: match.start()].strip(), part[match.end() :]) if match else ("", part)
