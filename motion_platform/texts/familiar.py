"""Which words of a sentence say something, and in which language it is, as far as a list of frequent words can tell."""

from __future__ import annotations

import re
from functools import lru_cache

from motion_platform.core.packaged import packaged_yaml

_SAYS_NOTHING = frozenset(
    ("a", "an", "the", "to", "of", "in", "on", "at", "with", "and", "or", "is", "are", "be", "his", "her", "their",
     "its", "he", "she", "they", "it", "person", "someone", "somebody", "man", "woman", "people", "guy", "figure",
     "human", "one", "two", "both", "as", "by", "for", "from", "into", "up", "down", "then", "that", "this", "while",
     "off", "out", "over", "another", "other")
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")


def stem(word: str) -> str:
    """A word without its ending, so that walks, walked and walking are one."""
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def content_stems(text: str) -> list[str]:
    """The stems of the words that say what is done, in order."""
    return [stem(word) for word in _WORD.findall(text.lower()) if word not in _SAYS_NOTHING]


@lru_cache(maxsize=1)
def _frequent() -> dict[str, frozenset[str]]:
    read = packaged_yaml("motion_platform.texts", "languages.yaml")
    return {language: frozenset(map(str, words)) for language, words in read.items()}


def language_of(text: str) -> str | None:
    """The language that most words are of, "English" among them; None where no list knows two words more than it."""
    words = _WORD.findall(text.lower())
    known = {language: sum(word in frequent for word in words) for language, frequent in _frequent().items()}
    best = max(known, key=lambda language: (known[language], language == "English"))
    if best == "English" or known[best] < max(2, known["English"] + 1):
        return "English" if known["English"] else None
    return best
