"""What a model's weights may be used for: the licences of all that it learned from, the most restrictive first.

A model that was trained on from weights under CC BY-NC is under CC BY-NC, whatever its own data says; the card of a
checkpoint keeps its data and, as ``trained_from``, the models that it was trained from, the nearest first.
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
    for at in _line(data):
        found += [str(at.get("licence") or ""), *(str(part) for part in at.get("parts_licence") or [])]
    return combined(found)


def trained_from(model: str, sha256: str, data: Mapping[str, Any]) -> list[dict[str, str]]:
    """The models that one is trained from that starts with this one, the nearest first: {model, sha256, data}. Their
    licences are those of the first, which holds them all (:func:`licence_of`)."""
    return [{"model": model, "sha256": sha256, "data": str(data.get("name", UNKNOWN))}, *ancestors(data)]


def ancestors(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """The models that a model was trained from, the nearest first, from the ``data`` of its card."""
    written = data.get("trained_from")
    listed = [of for of in written if isinstance(of, Mapping)] if isinstance(written, list) else []
    before = [{key: str(of.get(key)) for key in ("model", "sha256", "data")} for of in listed]
    for at in _line(data)[:-1]:
        initial = at["initial"]
        name = _mapping(initial.get("data")).get("name", UNKNOWN)
        before.append({"model": str(initial.get("model")), "sha256": str(initial.get("sha256")), "data": str(name)})
    return before


def _line(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """This ``data`` and, in cards of older versions, those that lie one within the other as ``initial``."""
    found: list[Mapping[str, Any]] = [data]
    while isinstance(initial := found[-1].get("initial"), Mapping):
        found.append(_mapping(initial.get("data")))
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
