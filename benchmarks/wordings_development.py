"""Sentences of wordings that training holds out (texts/wordings.py), as a file for benchmarks.unseen_wordings.

    python -m benchmarks.wordings_development /tmp/development.csv
    python -m benchmarks.unseen_wordings MODEL --sentences /tmp/development.csv --samples 1

What is chosen about a model is chosen on these, never on ``unseen_wordings.csv``. Each sentence is of a verb phrase, a
fragment and words of style that no training sentence holds; the sentence frames are those of training.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from motion_platform.core.files import atomic_path
from motion_platform.core.seeding import seed_of
from motion_platform.texts.bandai import CANONICAL_STYLES, vocabulary
from motion_platform.texts.sides import swap_sides
from motion_platform.texts.wordings import PLAIN, sentences_of

A_KIND, A_STYLE = 4, 5
"""Sentences of each content without a style, and of each style."""
ONE_FOR_ANOTHER = {
    "run": ("dash",),
    "dash": ("run",),
    "bye": ("byebye", "wave-right-hand", "wave-left-hand"),
    "byebye": ("bye", "wave-both-hands"),
    "wave-right-hand": ("bye",),
    "wave-left-hand": ("bye",),
    "wave-both-hands": ("byebye",),
}
"""Labels that a sentence of the first does not tell apart."""
STYLED = ("walk", "run", "dash", "bow", "bye", "byebye", "guide", "walk-back", "walk-left", "walk-right")
"""Contents that were recorded in nearly every style."""
YOUTHFUL = ("walk", "run", "raise-up-both-hands", "wave-both-hands", "wave-left-hand", "walk-turn-right")


def right(content: str, sentence: str) -> list[str]:
    """The labels that are right for a sentence: its own, those like it, and the other side where it says none."""
    labels = [content, *ONE_FOR_ANOTHER.get(content, ())]
    if swap_sides(content) != content and not re.search(r"left|right|counterclockwise", sentence, re.IGNORECASE):
        labels.append(swap_sides(content))
    return labels


def sentences(seed: int = 0) -> list[tuple[str, str, str, str]]:
    """(sentence, contents, style, group) for every content and every style."""
    rows = []
    for content in vocabulary()["contents"]:
        for said in sentences_of({"content": content}, ("development", seed), A_KIND, "development"):
            rows.append((said, "|".join(right(content, said)), "", "sides" if "-hand" in content else "kinds"))
    generator = random.Random(seed_of("development", seed))
    for style in sorted({CANONICAL_STYLES.get(name, name) for name in vocabulary()["styles"]} - {PLAIN}):
        pool = YOUTHFUL if style == "youthful" else STYLED
        for k, content in enumerate(generator.sample(pool, A_STYLE)):
            said = sentences_of({"content": content, "style": style}, ("development", seed, k), 1, "development")[0]
            rows.append((said, "|".join(right(content, said)), style, "styles"))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    rows = sentences(given.seed)
    with atomic_path(given.out) as path, path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("sentence", "content", "style", "group"), *rows])
    print(f"{given.out}: {len(rows)} sentences", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
