"""A sentence for what was recognised in a motion and what was measured of it. The words are in statements.yaml."""

from __future__ import annotations

import random
from functools import lru_cache

from motion_platform.core.packaged import packaged_yaml


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, list[str]]]:
    return packaged_yaml("motion_platform.texts", "statements.yaml")


def known_contents() -> tuple[str, ...]:
    """The kinds of motion that there are words for."""
    return tuple(_words()["contents"])


def statement(content: str, style: str | None, *, hand: str = "", direction: str = "", draw: random.Random) -> str:
    """ "a person waves the left hand like an old person". ``draw`` chooses between equally plain words.

    hand: "left", "right" or "both". direction: of steps, what follows the verb. style None, or one without words: none.
    Errors: KeyError for a content without words.
    """
    hands = {"both": "both hands"}.get(hand, f"the {hand} hand")
    phrase = draw.choice(_words()["contents"][content]).replace("<hand>", hands)
    manner = draw.choice(_words()["styles"].get(style or "normal", [""]))
    return " ".join(word for word in ("a person", phrase, direction, manner) if word)
