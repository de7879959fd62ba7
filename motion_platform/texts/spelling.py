"""Slips of the finger: a word that nobody knows, one slip away from one that sentences about motion have.

A sentence encoder cuts a word that it does not know into pieces, and "goes rgiht" is no longer a direction. Three slips
are mended, which hardly ever lead from one real word to another: two neighbours exchanged ("rgiht"), a letter struck
twice ("wallks") and one of two left out ("runing").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from motion_platform.texts.wordings import every_sentence, kinds, styles, subjects

SHORTEST = 4
"""Letters of the shortest word that is looked at."""
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")


def corrected(text: str, is_word: Callable[[str], bool]) -> tuple[str, list[tuple[str, str]]]:
    """(the text as it was meant, [(a word as it was typed, as it is read)]).

    is_word: whether a word in small letters is one; those of the training sentences are besides. A word with several
    readings, or with capitals inside, stays as it is.
    """
    changed: list[tuple[str, str]] = []

    def read(match: re.Match[str]) -> str:
        typed = match.group()
        word = typed.lower()
        if len(word) < SHORTEST or "'" in word or typed not in (word, word.upper(), word.capitalize()):
            return typed
        if is_word(word) or word in _known():
            return typed
        meant = _slips(word) & _known()
        if len(meant) != 1:
            return typed
        (found,) = meant
        found = found.upper() if typed.isupper() else found.capitalize() if typed[0].isupper() else found
        changed.append((typed, found))
        return found

    return _WORD.sub(read, text), changed


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    """Words of the wordings, and those that two or more whole sentences have (one may be a slip of its own)."""
    whole = Counter(word for each in every_sentence() for word in _words(each.text))
    phrases = [*subjects()]
    for part in ("training", "development"):
        phrases += [text for kind in kinds(part) for text in (*kind.do, *kind.say)]
        phrases += [text for words in styles(part).values() for texts in words.values() for text in texts]
    return frozenset(word for word, count in whole.items() if count > 1).union(*map(_words, phrases))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


@lru_cache(maxsize=256)
def _slips(word: str) -> frozenset[str]:
    """What may have been meant by a word, itself not among it."""
    places = range(len(word))
    exchanged = (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in places[:-1])
    once = (word[:i] + word[i + 1 :] for i in places[1:] if word[i] == word[i - 1])
    twice = (word[:i] + word[i] + word[i:] for i in places)
    return frozenset((*exchanged, *once, *twice)) - {word}
