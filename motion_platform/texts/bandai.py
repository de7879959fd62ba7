"""Sentences for labels: a content and a style become natural captions and a low-level action sequence.

The words are data (``bandai_vocabulary.yaml``); the sentence frames are here. Sampling is seeded by the clip's id, so
that preparing twice gives the same captions. Mirrored clips swap left and right in every word, labels included.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from motion_platform.core.errors import UnknownName
from motion_platform.core.packaged import packaged_yaml
from motion_platform.core.seeding import seed_of
from motion_platform.texts.inflection import article, inflect
from motion_platform.texts.sides import swap_labels, swap_sides

CANONICAL_STYLES = {"elderly": "old", "exhausted": "tired", "masculinity": "masculine"}
"""The two Bandai-Namco sets name the same style differently; labels use one name, the clip's id keeps the original."""

HIGH_PER_CLIP = 16
LOW_PER_CLIP = 4


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, Any]:
    """The words, with ``same: other style`` resolved by adding that style's words."""
    words = packaged_yaml("motion_platform.texts", "bandai_vocabulary.yaml")
    for style in words["styles"].values():
        base = words["styles"].get(style.get("same"), {})
        for key in ("adverbs", "manner", "steps", "person", "state", "moves", "subjects", "because"):
            style[key] = list(style.get(key, [])) + list(base.get(key, []))
        style.setdefault("gender", base.get("gender", "any"))
    return words


_NO_ARTICLE = re.compile(
    r"both |backwards|dance moves|choreography|swordplay|sword fighting|directions|"
    r"\w+ing\b(?! (?:gesture|kick|comb|left|right|wave))"
)


class Grammar:
    """Sentences about one clip: a random generator over frames, words and punctuation."""

    def __init__(self, content: str, style: str, random: random.Random) -> None:
        words = vocabulary()
        if content not in words["contents"]:
            raise UnknownName("content", content, words["contents"], "captions")
        if style not in words["styles"]:
            raise UnknownName("style", style, words["styles"], "captions")
        self.random = random
        self.content, self.style = words["contents"][content], words["styles"][style]
        self.plain = style == "normal"
        gender = self.style["gender"]
        self.neutral = [s for s in words["subjects"] if gender == "any" or s[3] in ("any", gender)]

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.random.randrange(len(options))]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def act(self, form: str, subject: Sequence[str]) -> str:
        """A verb phrase: ``waves his left hand``."""
        phrases = self.content["phrases"]  # the plainest come first and are said most
        phrase = self.pick(phrases[:4] if self.chance(0.3) else phrases)
        phrase = phrase.replace("<their>", subject[1]).replace("<them>", subject[2])
        return re.sub(r"<(\w+)>", lambda m: inflect(m.group(1), form), phrase)

    def subject(self) -> Sequence[str]:
        return self.pick(self.neutral)

    def how(self) -> str:
        """An adverbial that comes after the verb phrase."""
        kinds = ["adverbs", "adverbs", "manner", "manner", "manner"]
        if self.content["kind"] == "steps":
            kinds += ["steps"]
        return self.pick(self.style[self.pick(kinds)])

    def described(self) -> tuple[str, Sequence[str]]:
        """``a tired man``, and the subject behind it."""
        while True:
            subject = self.subject()
            determiner, _, noun = subject[0].partition(" ")
            adjective = self.pick(self.style["person"])
            if self.chance(0.12):
                adjective += f", {self.pick([a for a in self.style['person'] if a != adjective])}"
            if noun:
                return (
                    article(f"{adjective} {noun}") if determiner in ("a", "an") else f"{determiner} {adjective} {noun}"
                ), subject
            if determiner in ("someone", "somebody"):
                return f"{determiner} {adjective}", subject

    def styled_subject(self) -> tuple[str, Sequence[str]]:
        """A subject that carries the style: ``a grandmother`` where the style has such, else ``a tired man``."""
        if self.style["subjects"] and self.chance(0.6):
            subject = self.pick(self.style["subjects"])
            return subject[0], subject
        return self.described()

    # ---- frames; each returns one sentence, lower case, without a full stop ----

    def simple(self) -> str:
        subject = self.subject()
        return f"{subject[0]} {self.act('s', subject)} {self.how()}"

    def adverb_first(self) -> str:
        subject = self.subject()
        return f"{subject[0]} {self.pick(self.single_adverbs())} {self.act('s', subject)}"

    def single_adverbs(self) -> list[str]:
        return [a for a in self.style["adverbs"] if a.endswith("ly")] or self.style["adverbs"]

    def is_doing(self) -> str:
        subject = self.subject()
        return f"{subject[0]} is {self.act('ing', subject)} {self.how()}"

    def who(self) -> str:
        words, subject = self.styled_subject()
        return f"{words} {self.act('s', subject)}"

    def who_is_doing(self) -> str:
        words, subject = self.styled_subject()
        return f"{words} is {self.act('ing', subject)}" if self.chance(0.7) else f"{words} {self.act('ing', subject)}"

    def who_how(self) -> str:
        words, subject = self.styled_subject()
        return f"{words} {self.act('s', subject)} {self.how()}"

    def clause_first(self) -> str:
        subject = self.subject()
        return f"{self.how()}, {subject[0]} {self.act('s', subject)}"

    def state_first(self) -> str:
        subject = self.subject()
        start = self.pick(["{}", "looking {}", "feeling {}", "being {}", "seemingly {}"]).format(
            self.pick(self.style["state"])
        )
        return f"{start}, {subject[0]} {self.act('s', subject)}"

    def state_while(self) -> str:
        subject = self.subject()
        link = self.pick(
            [
                "and looks {}",
                "and seems {}",
                "while looking {}",
                "while feeling {}",
                "and is {}",
                "because of being {}",
                "looking {}",
                "feeling {}",
            ]
        )
        return f"{subject[0]} {self.act('s', subject)} {link.format(self.pick(self.style['state']))}"

    def relative(self) -> str:
        subject = self.subject()
        if subject[0] in ("he", "she"):
            return self.simple()
        link = self.pick(["who is {}", "who looks {}", "who feels {}", "who seems {}", "that is {}", "that looks {}"])
        return f"{subject[0]} {link.format(self.pick(self.style['state']))} {self.act('s', subject)}"

    def imperative(self) -> str:
        subject = ["you", "your", "you"]
        start = self.pick(["", "", "", "please ", "now ", "go ahead and "])
        if self.chance(0.2):
            start = self.pick(["pretend to be {} and ", "act {} and ", "imagine you are {} and "]).format(
                self.pick(self.style["person"])
            )
            return f"{start}{self.act('base', subject)}"
        return f"{start}{self.act('base', subject)} {self.how()}"

    def gerund(self) -> str:
        act = self.act("ing", ["one", "the", "one"])
        return f"{act} {self.how()}" if self.chance(0.75) else f"{self.how()} {act}"

    def keywords(self) -> str:
        noun, adjective = self.pick(self.content["nouns"]), self.pick(self.style["moves"] + self.style["person"])
        return self.pick(
            [
                "{a} {n}",
                "{a} {n}",
                "{n}, {a}",
                "{a}: {n}",
                "{n} ({a})",
                "{n}, {a} style",
                "{a} style {n}",
                "{n} in {an} way",
                "{n}, {how}",
            ]
        ).format(a=adjective, n=noun, an=article(adjective), how=self.how())

    def noun(self) -> str:
        adjective, noun = self.pick(self.style["moves"]), self.pick([n for n in self.content["nouns"] if "," not in n])
        frame = self.pick(
            [
                "{s} does {an}",
                "{s} performs {an}",
                "{s} shows {an}",
                "{s} makes {an}",
                "{an}",
                "{an} by {o}",
                "this is {an}",
                "the motion shows {an}",
            ]
        )
        subject = self.subject()
        someone = "someone" if subject[0] in ("he", "she") else subject[0]
        plural = bool(_NO_ARTICLE.match(noun))
        return frame.format(
            s=subject[0], o=someone, an=f"{adjective} {noun}" if plural else article(f"{adjective} {noun}")
        )

    def first_person(self) -> str:
        subject = ["I", "my", "me"]
        if self.chance(0.4):
            start = self.pick(["I am {} and I", "I feel {} and", "feeling {}, I", "I'm {} so I"]).format(
                self.pick(self.style["state"]).replace("themselves", "myself")
            )
            start += "" if start.endswith("I") else " I"
            return f"{start} {self.act('base', subject)}"
        start = self.pick(["I", "I", "I want to", "let me", "I will"])
        return f"{start} {self.act('base', subject)} {self.how()}".replace("their", "my")

    def there_is(self) -> str:
        words, subject = self.styled_subject()
        start = self.pick(
            ["there is", "we see", "you can see", "the video shows", "imagine", "animation of", "a clip of"]
        )
        return f"{start} {words} {self.act('ing', subject)}"

    def two_adverbials(self) -> str:
        subject = self.subject()
        first, second = self.how(), self.how()
        if first == second:
            return self.simple()
        return f"{subject[0]} {self.act('s', subject)} {first}, {second}"

    def manner_of(self) -> str:
        subject = self.subject()
        adjectives = self.style["moves"]
        first = self.pick(adjectives)
        second = self.pick([a for a in adjectives if a != first])
        frame = self.pick(
            [
                "in {a} manner",
                "in {a} way",
                "in {a} fashion",
                "in {ab} way",
                "with {x} movements",
                "with {x} body language",
                "with {a} attitude",
            ]
        )
        how = frame.format(a=article(first), ab=article(f"{first} and {second}"), x=first)
        return f"{subject[0]} {self.act('s', subject)} {how}"

    def two_sentences(self) -> str:
        """``a man walks. He looks tired``: the style in a sentence of its own."""
        subject = self.subject()
        who = {"his": "he", "her": "she", "its": "it"}.get(subject[1], "they")
        are, s = ("are", "") if who == "they" else ("is", "s")
        link = self.pick([f"{who} look{s}", f"{who} {are}", f"{who} seem{s}", f"{who} feel{s}", f"{who} appear{s}"])
        act = self.pick([f"{subject[0]} {self.act('s', subject)}", f"{subject[0]} is {self.act('ing', subject)}"])
        state = f"{link} {self.pick(self.style['state'])}"
        return self.pick([f"{act}. {state[0].upper()}{state[1:]}", f"{act}; {state}", f"{act}, {state}"])

    def as_someone(self) -> str:
        """The style as a comparison: ``the way a grandmother would``, ``in the style of a tired man``."""
        subject = self.subject()
        model = self.pick(self.style["subjects"])[0] if self.chance(0.7) else self.described()[0]
        like = self.pick(
            ["like {}", "the way {} would", "as {} would", "in the style of {}", "as if {} were doing it"]
            + ["with the body language of {}", "in the manner of {}", "imitating {}", "just like {}"]
            + (["with the gait of {}", "with the stride of {}"] if self.content["kind"] == "steps" else [])
        ).format(model)
        act = self.act("ing", ["one", "the", "one"]) if self.chance(0.25) else None
        return f"{act or subject[0] + ' ' + self.act('s', subject)} {like}"

    def reason(self) -> str:
        """A style told by its cause, besides a word of it: ``somebody tired waves, after a double shift``."""
        words, subject = self.styled_subject()
        because = self.pick(self.style["because"])
        comma = self.pick(["", ","])
        if self.chance(0.3):
            return f"{because}, {words} {self.act('s', subject)}"
        return f"{words} {self.act('s', subject)}{comma} {because}"

    def telegraphic(self) -> str:
        """Keywords of a search box: ``wave right hand, sad``."""
        act = self.act(self.pick(["base", "ing"]), ["one", "the", "it"])
        word = self.pick(self.style["moves"] + self.style["person"] + self.single_adverbs())
        return self.pick(["{w}, {a}", "{a}, {w}", "{a} - {w}", "{a}; {w}", "{w}: {a}", "{a} + {w}"]).format(
            a=act, w=word
        )

    def neutral_sentence(self) -> str:
        """No word of style: for the normal style only, where it is the whole truth."""
        subject = self.subject()
        if subject[0] in ("he", "she"):
            return f"{subject[0]} {self.act('s', subject)}"
        return self.pick(
            [
                lambda: f"{subject[0]} {self.act('s', subject)}",
                lambda: f"{subject[0]} {self.act('s', subject)}",
                lambda: f"{subject[0]} is {self.act('ing', subject)}",
                lambda: self.act("base", ["you", "your", "you"]),
                lambda: self.act("ing", ["one", "the", "one"]),
                lambda: self.pick(self.content["nouns"]),
                lambda: f"I {self.act('base', ['I', 'my', 'me'])}",
                lambda: f"there is {subject[0]} {self.act('ing', subject)}",
            ]
        )()

    def sentence(self) -> str:
        """One caption in its final spelling."""
        frames: list[tuple[int, Callable[[], str]]] = [
            (14, self.simple),
            (8, self.adverb_first),
            (6, self.is_doing),
            (9, self.who),
            (5, self.who_is_doing),
            (5, self.who_how),
            (5, self.clause_first),
            (5, self.state_first),
            (5, self.state_while),
            (5, self.relative),
            (6, self.imperative),
            (6, self.gerund),
            (9, self.keywords),
            (5, self.noun),
            (4, self.first_person),
            (4, self.there_is),
            (3, self.two_adverbials),
            (5, self.manner_of),
            (6, self.two_sentences),
            (6, self.as_someone),
            (4, self.reason),
            (4, self.telegraphic),
        ]
        if self.plain and self.chance(0.55):
            text = self.neutral_sentence()
        else:
            text = self.random.choices([f for _, f in frames], [w for w, _ in frames])[0]()
        text = re.sub(r"\s+", " ", text).strip()
        dice = self.random.random()
        if dice < 0.12:
            return text[0].upper() + text[1:] + "."
        if dice < 0.20:
            return text + "."
        if dice < 0.24:
            return text[0].upper() + text[1:]
        if dice < 0.26:
            return text.upper()
        if dice < 0.28:
            return text + "!"
        return text


def captions_of(
    content: str,
    style: str,
    seed: object,
    *,
    mirrored: bool = False,
    high: int = HIGH_PER_CLIP,
    low: int = LOW_PER_CLIP,
) -> tuple[list[str], list[str]]:
    """``high`` distinct captions and up to ``low`` distinct action sequences for a Bandai-Namco label.

    content, style: the label as the file name has it. seed: the clip's id. mirrored: left and right are swapped, so
    ``content`` stays the label of the recording. Errors: UnknownName for a label without words.
    """
    generator = random.Random(seed_of("captions", seed, mirrored))
    grammar = Grammar(content, style, generator)
    if mirrored:  # before sentences are made: "turns right" swaps, "turns right after work" would not
        grammar.content = {k: v if k == "kind" else [swap_sides(s) for s in v] for k, v in grammar.content.items()}
    sentences: dict[str, None] = {}
    while len(sentences) < high:
        sentences[grammar.sentence()] = None
    actions = generator.sample(grammar.content["low"], min(low, len(grammar.content["low"])))
    first = grammar.content["low"][0]  # the full sequence is always among them
    actions = [first, *[a for a in actions if a != first]][:low]
    return list(sentences), actions


def labels_of(content: str, style: str, *, mirrored: bool = False) -> dict[str, str]:
    """{"content", "style"} with one name a style, sides swapped for a mirrored clip."""
    labels = {"content": content, "style": CANONICAL_STYLES.get(style, style)}
    return swap_labels(labels) if mirrored else labels
