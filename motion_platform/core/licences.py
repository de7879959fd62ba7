"""What a model's weights may be used for: the licences of all that it learned from, the most restrictive first.

A model that was trained on from weights under CC BY-NC is under CC BY-NC, whatever its own data says; the card of a
checkpoint keeps its data and, as ``initial``, the model that it was trained from, with the data of that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

UNKNOWN = "unknown"
_RANKS = (
    (r"\bNC\b|non-?commercial|research (purposes )?only|academic", 0),
    (r"\bND\b|no derivatives", 1),
    (r"\bA?L?GPL|\bSA\b|share-?alike", 2),
    (r"not for resale", 3),
    (r"\bBY\b|attribution|Apache|MIT|BSD", 4),
    (r"CC0|public domain", 5),
)


def rank(licence: str) -> int:
    """How restrictive a licence is, 0 the most: non-commercial, no derivatives, share alike, not for resale,
    attribution, free; what is not known stands before attribution."""
    return next((order for words, order in _RANKS if re.search(words, licence, re.IGNORECASE)), 3)


def combined(licences: Iterable[str]) -> str:
    """Licences as one line, each once, the most restrictive first; "unknown" where there is none."""
    parts = [part.strip() for licence in licences for part in licence.split("; ") if part.strip()]
    once = [part for part in dict.fromkeys(parts) if part != UNKNOWN]
    return "; ".join(sorted(once, key=rank)) or UNKNOWN


def licence_of(data: Mapping[str, Any]) -> str:
    """The licence of weights, from the ``data`` of their card: of the data set, and of every model before."""
    found = []
    at: Any = data
    while isinstance(at, Mapping):
        found.append(str(at.get("licence") or ""))
        found += [str(part) for part in at.get("parts_licence") or []]
        initial = at.get("initial")
        at = initial.get("data") if isinstance(initial, Mapping) else None
    return combined(found)
