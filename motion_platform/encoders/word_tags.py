"""Words with part-of-speech tags, ``walk/VERB``, as the official text-motion evaluator reads them.

Where tags come from, best first: the published caption files, which carry them (made with spaCy; see
:func:`read_published`); a text that is written as ``word/TAG word/TAG``; and, for any other sentence, the small rules
of :func:`tag`: a table of closed word classes and frequent words, endings, and the vocabulary itself as the judge of
what a base form is. The rules agree with spaCy on most words of motion captions, not on all: numbers that are
compared with papers need the published tags.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from motion_platform.core.errors import DataError

TAGS = (
    "VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV",
    "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER",
)  # fmt: skip
"""The evaluator's classes, in the order of its one-hot vectors; every other tag counts as OTHER."""

SPECIAL: dict[str, str] = {
    word: group
    for group, words in {
        "Loc_VIP": "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve",
        "Body_VIP": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
        "Obj_VIP": "stair dumbbell chair window floor car ball handrail baseball basketball",
        "Act_VIP": "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower "
        "raise wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb",
        "Desc_VIP": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
    }.items()
    for word in words.split()
}
"""Words with a class of their own, whatever their part of speech (Guo et al. 2022)."""

CLOSED: dict[str, str] = {
    word: tag
    for tag, words in {
        "DET": "a an the this that these those some any each every both all another no",
        "ADP": "in on at to of with from by into onto over under around across through for toward towards behind "
        "above below against along off out up down like near between before after as about upon while",
        "PRON": "he she it they i we you him her them his its their someone somebody something himself herself "
        "itself themselves who which what one's my your our",
        "AUX": "is are was were be been being has have had do does did can could will would should may might must",
        "NUM": "one two three four five six seven eight nine ten once",
        "CCONJ": "and or but nor",
        "PART": "not",
        "ADV": "then slowly quickly again back forward forwards backward backwards straight very just still while "
        "together apart upwards downwards sideways twice counterclockwise clockwise ahead away there here",
        "ADJ": "left right other same slow fast small big large high low happy sad angry careful old young straight",
    }.items()
    for word in words.split()
}
IRREGULAR = {
    "ran": "run", "sat": "sit", "stood": "stand", "took": "take", "taken": "take", "threw": "throw",
    "thrown": "throw", "went": "go", "gone": "go", "goes": "go", "bent": "bend", "swung": "swing", "held": "hold",
    "brought": "bring", "caught": "catch", "knelt": "kneel", "laid": "lay", "lying": "lie", "made": "make",
    "feet": "foot", "people": "people", "men": "man", "women": "woman", "children": "child", "knees": "knee",
    "hands": "hand", "leaves": "leave", "halves": "half", "got": "get", "came": "come", "began": "begin",
    "fell": "fall", "shook": "shake", "shaken": "shake", "spun": "spin", "stepped": "step", "crept": "creep",
}  # fmt: skip
OTHER_VERBS = """
take move step wave go make hold place stretch cross start begin look get come catch pace march crawl punch drop reach
shake pull push grab point bow clap crouch lie fall touch extend lay circle twist continue return do
"""
VERBS = frozenset([*(word for word, group in SPECIAL.items() if group == "Act_VIP"), *OTHER_VERBS.split()])


def tag(sentence: str, vocabulary: Collection[str]) -> list[str]:
    """``["person/NOUN", "walk/VERB", ...]`` by rules; nouns and verbs in their base form, as the published ones are.

    Words are runs of letters (a hyphen joins: "counter-clockwise" is one word). vocabulary: the words that have a
    vector; it decides which base form of a word exists.
    """
    tokens = []
    for word in re.findall(r"[^\W\d_]+", sentence.lower().replace("-", "")):
        if word in CLOSED:
            tokens.append(f"{word}/{CLOSED[word]}")
            continue
        base = base_form(word, vocabulary)
        if base in VERBS:
            tokens.append(f"{base}/VERB")
        elif word.endswith("ly"):
            tokens.append(f"{word}/ADV")
        elif word.endswith(("ful", "ous", "ive", "less", "ish")):
            tokens.append(f"{word}/ADJ")
        elif word != base and word.endswith(("ing", "ed")):
            tokens.append(f"{base}/VERB")
        else:
            tokens.append(f"{base}/NOUN")
    return tokens


def base_form(word: str, vocabulary: Collection[str]) -> str:
    """``walking`` -> ``walk``, ``feet`` -> ``foot``: the first candidate that is in the vocabulary, else the word."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    candidates: list[str] = []
    if word.endswith("ies"):
        candidates += [word[:-3] + "y"]
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2 and not word.endswith(("ss", "us", "is")):
            stem = word[: -len(ending)]
            doubled = len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "ls"
            candidates += [stem[:-1]] if doubled else []
            candidates += [stem + "e", stem] if ending in ("ing", "ed") and stem[-1] in "cgsuvz" else [stem, stem + "e"]
    return next((candidate for candidate in candidates if candidate in vocabulary), word)


def is_tagged(text: str) -> bool:
    """Is this ``word/TAG word/TAG ...`` already?"""
    return bool(text.strip()) and all(re.fullmatch(r"[^/\s]+/[A-Za-z_]+", token) for token in text.split())


def read_published(folder: Path) -> dict[str, list[str]]:
    """caption -> tokens, from the ``texts`` folder of HumanML3D or KIT-ML (lines ``caption#tokens#from#to``).

    Errors: DataError for a folder without such files or a line that is not one.
    """
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise DataError(f"{folder}: no caption files (*.txt) there; give the texts folder of HumanML3D or KIT-ML")
    found: dict[str, list[str]] = {}
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            fields = line.strip().split("#")
            if len(fields) < 2 or (fields[1].strip() and not is_tagged(fields[1])):
                raise DataError(f"{file}: line {number} is not caption#word/TAG word/TAG#from#to")
            found.setdefault(fields[0].strip(), fields[1].split())
    return found
