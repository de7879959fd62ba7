"""The kind of motion that captions name, where nobody labelled the clips: a word list (``kinds.yaml``), no network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from motion_platform.core.packaged import packaged_yaml


@lru_cache(maxsize=1)
def _patterns() -> dict[str, re.Pattern[str]]:
    table = packaged_yaml("motion_platform.texts", "kinds.yaml")
    return {kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in table.items()}


def kind_of(captions: Sequence[str]) -> str | None:
    """The kind that most of a clip's captions name, of equally many the one that is first in the list; None for none
    of them."""
    named = Counter(found for caption in captions if (found := _named(caption)) is not None)
    return max(_patterns(), key=lambda kind: named[kind]) if named else None


def _named(caption: str) -> str | None:
    return next((kind for kind, pattern in _patterns().items() if pattern.search(caption)), None)
