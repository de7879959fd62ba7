"""The verbs and styles that the planner "rules" knows, and their forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from motion_platform.core.packaged import packaged_yaml
from motion_platform.texts.inflection import inflect


@dataclass(frozen=True)
class Lexicon:
    """forms: word -> (base form, which form: base, s, ing, past). travel, arms: base forms of verbs of these kinds.
    styles: word -> style."""

    forms: Mapping[str, tuple[str, str]]
    travel: frozenset[str]
    arms: frozenset[str]
    styles: Mapping[str, str]

    def form(self, word: str) -> tuple[str, str] | None:
        """(base, form) of a word that is a verb of motion."""
        return self.forms.get(word.lower())


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The words of verbs.yaml with all their forms."""
    words = packaged_yaml("motion_platform.planners", "verbs.yaml")
    forms: dict[str, tuple[str, str]] = {}
    for base in dict.fromkeys([*words["travel"], *words["arms"], *words["others"]]):
        forms[_past(base, words["past"])] = (base, "past")
        for form in ("ing", "s", "base"):
            forms[inflect(base, form)] = (base, form)
    styles = {word: style for style, listed in words["styles"].items() for word in listed}
    return Lexicon(forms, frozenset(words["travel"]), frozenset(words["arms"]), styles)


def _past(base: str, irregular: Mapping[str, str]) -> str:
    if base in irregular:
        return irregular[base]
    ing = inflect(base, "ing")
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return ing[:-3] + "ed"  # walking, walked; hopping, hopped; waving, waved
