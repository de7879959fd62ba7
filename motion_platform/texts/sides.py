"""Left and right in words: what a mirrored clip is called."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SWAP = {
    "left": "right",
    "lefts": "rights",
    "leftward": "rightward",
    "leftwards": "rightwards",
    "lefthand": "righthand",
    "lefthanded": "righthanded",
    "clockwise": "counterclockwise",
    "l": "r",  # HumanML3D writers abbreviate: "l hand"
}
_SWAP |= {b: a for a, b in _SWAP.items()} | {"anticlockwise": "clockwise", "counter-clockwise": "clockwise"}
_HANDED = re.compile(r"\b(counter-clockwise|[a-z]+)\b", re.IGNORECASE)
_NOT_A_SIDE = re.compile(
    r"\b(?:all right|right (?:away|after|before|now|then|there|where|angles?|when|through)|upright|"
    r"(?:has|have|had|is|are|was|what's) left (?:of|over|the)|left ?over|left off|(?:nothing|no \w+|none) left)\b",
    re.IGNORECASE,
)


def swap_sides(text: str) -> str:
    """Swap left and right (and clockwise with counterclockwise) in a sentence, keeping its case.

    ``right away``, ``all right``, ``left off`` and the like, where no side is meant, stay as they are.
    """

    def swap(match: re.Match[str]) -> str:
        word = match.group(0)
        other = _SWAP.get(word.lower())
        if other is None or (len(word) == 1 and text[match.end() : match.end() + 1] == "'"):
            return word
        if word.isupper():
            return other.upper()
        return other.capitalize() if word[0].isupper() else other

    parts, last = [], 0
    for keep in _NOT_A_SIDE.finditer(text):
        parts += [_HANDED.sub(swap, text[last : keep.start()]), keep.group(0)]
        last = keep.end()
    return "".join([*parts, _HANDED.sub(swap, text[last:])])


def swap_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels of the mirrored clip: raise-up-left-hand -> raise-up-right-hand."""
    return {key: swap_sides(value) for key, value in labels.items()}


def named_sides(text: str) -> set[str]:
    """The sides that a sentence names: "left", "right", or both where it says both, or two hands or arms."""
    text = _NOT_A_SIDE.sub(" ", text.lower())
    if re.search(r"\b(?:both|two (?:hands|arms))\b|\beither (?:hand|arm)\b", text):
        return {"left", "right"}
    named = {side for side in ("left", "right") if re.search(rf"\b{side}(?:wards?|s|handed|hand|-\w+)?\b", text)}
    if re.search(r"\b(?:counter|anti)-?clockwise\b", text):
        named.add("left")
    elif re.search(r"\bclockwise\b", text):
        named.add("right")
    return named
