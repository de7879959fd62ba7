"""A sentence as a caption would say it: a person does it, and irregular verbs are in the present."""

from __future__ import annotations

from functools import lru_cache

from motion_platform.core.packaged import packaged_yaml

_PRONOUNS = ("he", "she", "they", "i", "we")
_ONE = ("a", "an", "the", "this", "that", "my", "our", "your", "his", "her", "their", "some", "one")
_SUBJECT = 4
"""The subject is looked for among so many first words."""


@lru_cache(maxsize=1)
def _words() -> tuple[frozenset[str], dict[str, str]]:
    read = packaged_yaml("motion_platform.texts", "plain_words.yaml")
    return frozenset(map(str, read["persons"])), {str(a): str(b) for a, b in read["verbs"].items()}


def plainly(text: str) -> str:
    """ "The thief threw a stone" is "a person throws a stone". Several people stay as they are: what they do with each
    other is no motion of one of them."""
    persons, verbs = _words()
    words = text.lower().split()
    if words and words[0] in _PRONOUNS:
        words[:1] = ["a", "person"]
    for place, word in enumerate(words[:_SUBJECT]):
        if word in persons and (place == 0 or words[0] in _ONE):
            words = ["a", *words[1 if place else 0 : place], "person", *words[place + 1 :]]
            break
    return " ".join(verbs.get(word, word) for word in words)


def joined_stem(stem: str) -> str:
    """One stem for the forms that :func:`familiar.stem` leaves apart: "runn" and "run", "danc" and "dance"."""
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls":
        stem = stem[:-1]
    return stem[:-1] if len(stem) > 3 and stem.endswith("e") else stem
