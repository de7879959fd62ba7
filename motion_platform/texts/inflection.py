"""English forms of verbs and articles, as far as captions need them."""

from __future__ import annotations

_DOUBLED = {
    "run",
    "jog",
    "trot",
    "step",
    "bid",
    "put",
    "spin",
    "chop",
    "hit",
    "cut",
    "stop",
    "drop",
    "jab",
    "get",
    "spar",
}
_DOUBLED |= {"sit", "let", "set", "wrap", "stir", "strut", "nod", "hop", "skip", "flap", "clap", "tap", "bob", "wag"}
_DOUBLED |= {"jam", "plop", "slug", "lob", "flag", "scan", "grab", "shrug", "drag"}
_DOUBLED |= {
    "plod",
    "slip",
    "dip",
    "whip",
    "trip",
    "zip",
    "hug",
    "slog",
    "slam",
    "tip",
    "dig",
    "pat",
    "rip",
    "swim",
    "bat",
}


def inflect(verb: str, form: str) -> str:
    """``walk`` as ``base`` (walk), ``s`` (walks) or ``ing`` (walking)."""
    if form == "base":
        return verb
    if form == "s":
        if verb in ("go", "do") or verb.endswith(("s", "sh", "ch", "x", "z")):
            return verb + "es"
        if verb.endswith("y") and verb[-2] not in "aeiou":
            return verb[:-1] + "ies"
        return verb + "s"
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return (verb[:-2] + "y" if verb.endswith("ie") else verb[:-1]) + "ing"
    return verb + "ing"


def article(words: str) -> str:
    """``words`` behind ``a`` or ``an``, as they sound: an upset man, a one-handed wave."""
    vowel = words[0] in "aeiou" and not words.startswith(("eu", "one", "once", "uni", "use", "usu"))
    return ("an " if vowel or words.startswith(("hour", "honest", "unim", "unin")) else "a ") + words
