"""How different people ask for the same motion: wordings of labels for training, a fifth of them held out.

Captions of one grammar teach a model that grammar. ``wordings.yaml`` holds verb phrases, fragments, situations and
speech for kinds of motion, and adverbials, people, adjectives and reasons for styles, as people type them. Here they
become sentences. A wording of the development part is in no training sentence, so that sentences of that part say
whether a model understands wordings that it was not trained on. ``sentences.csv`` holds whole sentences besides, each
with its kind and style, in thirteen voices (game makers, storytellers, annotators, actors, people who speak to somebody
or hint, who write for a stage, in slang or in idioms, and one who wrote what is easily confused).
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from motion_platform.core.errors import UnknownName
from motion_platform.core.opening import table_of
from motion_platform.core.packaged import packaged_yaml
from motion_platform.core.seeding import seed_of
from motion_platform.texts.inflection import article, inflect
from motion_platform.texts.sides import swap_sides

Part = Literal["training", "development"]
HELD_OUT, LEAST = 5, 10
"""One wording in so many is kept for development, of lists of at least so many; shorter ones are training's."""
PLAIN = "normal"
WHOLE = 0.5
"""How often a sentence is a whole one of somebody's, where there is one for the kind and the style."""
STYLE_WORDS = ("how", "who", "are", "why")
_HE = re.compile(
    r"\b(he|man|guy|dude|boy|mr|tom|grand(pa|father)|gentleman|lad|king|cowboy|geezer|brother|boxer)\b", re.I
)
_SHE = re.compile(
    r"\b(she|woman|girl|lady|anna|heroine|grand(ma|mother)|granny|princess|mom|diva|actress|widow)\b", re.I
)
_WORDS_OF = {
    "he": ("his", "him", "himself", "he"),
    "she": ("her", "her", "herself", "she"),
    "they": ("their", "them", "themselves", "they"),
    "I": ("my", "me", "myself", "I"),
    "you": ("your", "you", "yourself", "you"),
}
NOUNS = ("man", "woman", "person", "guy", "character", "figure", "player", "girl", "fellow", "actor")
"""What an adjective of a style is put before."""
PLEAS = ("{}", "{}", "{}", "please {}", "now {}", "you should {}", "can you {}", "try to {}", "pls {}")
SHOWN = ("show {} {}", "animate {} {}", "I need {} {}", "give me {} {}", "make a clip of {} {}", "we see {} {}")
NAMED = ("animation: {}", "{} animation", "{} loop", "mocap of {}", "video of {}", "{}, full body")


@dataclass(frozen=True)
class Kind:
    """One kind of motion in words: ``do`` verb phrases, ``say`` whole texts, ``styled`` style -> verb phrases."""

    name: str
    labels: tuple[str, ...]
    do: tuple[str, ...]
    say: tuple[str, ...]
    styled: Mapping[str, tuple[str, ...]]

    def fits(self, content: str) -> bool:
        return any(fnmatchcase(content, label) for label in self.labels)

    def swapped(self, label: str) -> Kind:
        """The same on the other side."""
        styled = {style: _swap(phrases) for style, phrases in self.styled.items()}
        return Kind(label, (label,), _swap(self.do), _swap(self.say), styled)


def _swap(phrases: Sequence[str]) -> tuple[str, ...]:
    return tuple(swap_sides(phrase) for phrase in phrases)


def _held_out(wording: str) -> bool:
    return int(hashlib.sha256(wording.encode()).hexdigest(), 16) % HELD_OUT == 0


def listed(text: str, part: Part) -> tuple[str, ...]:
    """The wordings of a list that belong to a part."""
    every = [" ".join(wording.split()) for wording in text.split(";")]
    every = list(dict.fromkeys(wording for wording in every if wording))
    far = len(every) if len(every) >= LEAST else 0
    held = {w for w in every[:far] if _held_out(w)}
    if part == "development":
        return tuple(w for w in every if w in held)
    return tuple(w for w in every if w not in held)


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    return packaged_yaml("motion_platform.texts", "wordings.yaml")


@lru_cache(maxsize=2)
def kinds(part: Part = "training") -> tuple[Kind, ...]:
    """Every kind with its wordings of a part; the kinds that have sides come twice."""
    found = []
    for name, words in _file()["kinds"].items():
        styled = {style: listed(text, part) for style, text in words.get("styled", {}).items()}
        labels = tuple(words["labels"].split("|"))
        kind = Kind(name, labels, listed(words["do"], part), listed(words["say"], part), styled)
        found += [kind, kind.swapped(words["other_side"])] if "other_side" in words else [kind]
    return tuple(found)


@lru_cache(maxsize=2)
def styles(part: Part = "training") -> dict[str, dict[str, tuple[str, ...]]]:
    """Style -> its words: how, who, are, why."""
    return {name: {key: listed(words[key], part) for key in STYLE_WORDS} for name, words in _file()["styles"].items()}


@dataclass(frozen=True)
class Whole:
    """A sentence as somebody wrote it: its kind, its style ("" where it says none), and whose voice it is."""

    text: str
    kind: str
    style: str
    voice: str


@lru_cache(maxsize=1)
def every_sentence() -> tuple[Whole, ...]:
    """The sentences of ``sentences.csv``."""
    text = resources.files("motion_platform.texts").joinpath("sentences.csv").read_text(encoding="utf-8")
    rows = (row for _, row in table_of(text, "sentences.csv"))
    return tuple(Whole(row["sentence"], row["content"], row["style"], row["voice"]) for row in rows)


@lru_cache(maxsize=2)
def whole_sentences(part: Part = "training") -> tuple[Whole, ...]:
    """The sentences of ``sentences.csv`` that belong to a part."""
    return tuple(each for each in every_sentence() if _held_out(each.text) == (part == "development"))


@lru_cache(maxsize=2)
def _whole_by_labels(part: Part) -> dict[tuple[str, str], list[str]]:
    """(kind, style) -> the whole sentences of a part."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in whole_sentences(part):
        found.setdefault((each.kind, each.style), []).append(each.text)
    return found


@lru_cache(maxsize=1)
def subjects() -> tuple[str, ...]:
    """Who does it when nothing is said of the person."""
    return tuple(" ".join(subject.split()) for subject in _file()["subjects"].split(";"))


@lru_cache(maxsize=1024)
def names_of(content: str, part: Part = "training") -> tuple[str, ...]:
    """The kinds that word a content label; () for a label without wordings."""
    return tuple(kind.name for kind in kinds(part) if kind.do and kind.fits(content))


class Wording:
    """Sentences for a kind and a style: a random generator over frames and wordings of one part."""

    def __init__(self, content: str, style: str | None, part: Part, generator: random.Random) -> None:
        self.kinds = [kind for kind in kinds(part) if kind.do and kind.fits(content)]
        if not self.kinds:
            raise UnknownName("content", content, [kind.name for kind in kinds()], "wordings")
        if style and style not in styles(part):
            raise UnknownName("style", style, styles(), "wordings")
        self.style: dict[str, tuple[str, ...]] = styles(part)[style] if style else dict.fromkeys(STYLE_WORDS, ())
        self.name, self.part, self.random = style or PLAIN, part, generator

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.random.randrange(len(options))]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def act(self, form: str, who: str) -> str:
        """A verb phrase in a form, its pronouns those of ``who``: a subject, or I or you."""
        return self.formed(self.pick(self.kind.do), form, who)

    def formed(self, phrase: str, form: str, who: str) -> str:
        of = who if who in ("I", "you") else "he" if _HE.search(who) else "she" if _SHE.search(who) else "they"
        for word, said in zip(("<their>", "<them>", "<themself>", "<they>"), _WORDS_OF[of], strict=True):
            phrase = phrase.replace(word, said)
        return re.sub(r"<([\w-]+)>", lambda m: inflect(m.group(1), form), phrase)

    def plain(self) -> str:
        """A sentence that says nothing of a style."""
        return self.told(self.pick(subjects()), self.pick(self.kind.do))

    def told(self, who: str, phrase: str, *, named: bool = False) -> str:
        """Somebody doing something, in one of the ways to say so. named: ``who`` must be said."""
        dice = self.random.random()
        if named and 0.48 <= dice < 0.84:
            return f"{who} {self.formed(phrase, 's' if dice < 0.70 else 'ing', who)}"
        if dice < 0.34:
            return f"{who} {self.formed(phrase, 's', who)}"
        if dice < 0.48:
            return f"{who} is {self.formed(phrase, 'ing', who)}"
        if dice < 0.62:
            return self.formed(phrase, "ing", "they")
        if dice < 0.78:
            return self.pick(PLEAS).format(self.formed(phrase, "base", "you"))
        if dice < 0.84:
            return self.pick(("I {}", "I want to {}", "let me {}", "I'd like to {}")).format(
                self.formed(phrase, "base", "I")
            )
        if dice < 0.92 and who not in ("he", "she"):
            return self.pick(SHOWN).format(who, self.formed(phrase, "ing", who))
        return f"{who} {self.formed(phrase, 'ing', who)}"

    def person(self) -> str:
        """Somebody of the style: one of its people, or an adjective before a noun."""
        who, adjectives = self.style["who"], self.style["are"]
        if who and (not adjectives or self.chance(0.6)):
            return self.pick(who)
        return article(f"{self.pick(adjectives)} {self.pick(NOUNS)}") if adjectives else self.pick(subjects())

    def styled(self) -> str:
        """A sentence that says the style."""
        style, phrase = self.style, self.pick(self.kind.do)
        own = self.kind.styled.get(self.name)
        if own and self.chance(0.25):
            return self.told(self.pick(subjects()), self.pick(own))
        dice = self.random.random()
        if dice < 0.36 and style["how"]:
            how = self.pick(style["how"])
            told = self.told(self.pick(subjects()), phrase)
            return f"{how}, {told}" if self.chance(0.12) else f"{told}{self.pick(('', '', '', ','))} {how}"
        if dice < 0.62:
            return self.told(self.person(), phrase, named=True)
        if dice < 0.74 and style["why"]:
            why, told = self.pick(style["why"]), self.told(self.pick(subjects()), phrase)
            return f"{told}, {why}" if self.chance(0.6) else f"{why}, {told}"
        if dice < 0.80 and style["who"]:
            like = self.pick(("like {}", "like {}", "the way {} would", "in the style of {}", "imitating {}", "as {}"))
            return f"{self.told(self.pick(subjects()), phrase)} {like.format(self.pick(style['who']))}"
        if dice < 0.86 and style["are"]:
            who = self.pick([s for s in subjects() if s not in ("he", "she")])
            return f"{who}, {self.pick(style['are'])}, {self.formed(phrase, 's', who)}"
        if dice < 0.90 and style["are"]:
            return f"{self.formed(phrase, 'ing', 'they')}, {self.pick(style['are'])}"
        said = self.pick(self.kind.say or (self.formed(phrase, "ing", "they"),))
        if style["are"] and self.chance(0.6):
            return self.pick(("{w}, {a}", "{a}: {w}", "{w} ({a})", "{a} {w}", "{w} but {a}")).format(
                w=said, a=self.pick(style["are"])
            )
        return f"{said}, {self.pick(style['how'] or style['who'] or style['why'] or style['are'])}"

    def sentence(self) -> str:
        """One sentence in its final spelling."""
        self.kind = self.pick(self.kinds)
        styles = ("", PLAIN) if self.name == PLAIN else (self.name,)
        by_labels = _whole_by_labels(self.part)
        whole = [text for style in styles for text in by_labels.get((self.kind.name, style), ())]
        if whole and self.chance(WHOLE):
            return self.spelled(self.pick(whole))
        plain = not any(self.style.values()) or (self.name == PLAIN and self.chance(0.85))
        if not plain:
            return self.spelled(self.styled())
        if self.kind.say and self.chance(0.35):
            said = self.pick(self.kind.say)
            return self.spelled(self.pick(NAMED).format(said) if self.chance(0.12) else said)
        return self.spelled(self.plain())

    def spelled(self, text: str) -> str:
        """With a capital and a full stop, in capitals, or with a slip of the finger, now and then."""
        dice = self.random.random()
        if dice < 0.03 and len(text) > 12:
            at = self.random.randrange(1, len(text) - 2)
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if dice < 0.23:
            text = text[0].upper() + text[1:]
            return text if text[-1] in "!?." else text + "."
        if dice < 0.25:
            return text.upper()
        return text + "!" if dice < 0.28 and text[-1] not in "!?." else text


def sentences_of(labels: Mapping[str, str], seed: object, count: int, part: Part = "training") -> list[str]:
    """``count`` distinct sentences for the labels of a clip; [] where its content has no wordings.

    labels: {"content"[, "style"]}, as the prepared data have them; a style without wordings leaves only the content to
    be said. seed: the clip's id. part: "development" gives sentences of wordings that training never sees.
    """
    content, style = labels.get("content", ""), labels.get("style")
    if not names_of(content, part):
        return []
    wording = Wording(
        content, style if style in styles() else None, part, random.Random(seed_of("wordings", seed, part))
    )
    found: dict[str, None] = {}
    for _ in range(count * 4):
        found[wording.sentence()] = None
        if len(found) == count:
            break
    return list(found)
