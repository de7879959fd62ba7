"""Makes ``motion_platform/planners/low_texts.csv``: the captions with low-level text that ``kate`` and ``llm`` look up.

    python -m benchmarks.low_text_table --humanml3d FOLDER --open FOLDER --out FILE.csv [--split test]

``--humanml3d`` holds captions.json, index.csv, train.txt, val.txt, test.txt; ``--open`` captions.csv and
cmu_descriptions.json. Rows, by source:

- ``bandai``: sentences that the grammar of ``motion_platform/texts/bandai.py`` makes, with its action sequences; ours.
- ``cmu``: HumanML3D's first caption of a clip of CMU (MIT), and the sentence of CMU's own list for that trial, taken
  apart into actions (free to use); only clips of ``--split`` (train, for what ships; test, to measure on).
- ``open``: captions and action sequences of the sets under open licences (sentences that we wrote for them).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from motion_platform.core.files import atomic_path
from motion_platform.planners.words import lexicon
from motion_platform.texts.bandai import captions_of, vocabulary

PER_CONTENT = 12
"""Sentences of a content of Bandai-Namco."""
LONGEST = 5
"""Words of one action; what is longer is a story."""
DIRECTIONS = ("forward", "backward", "backwards", "left", "right", "sideways", "up", "down", "around")
CMU = re.compile(r"/CMU/\d+/(\d+_\d+)_poses")


def bandai() -> Iterator[tuple[str, str]]:
    """(caption, actions) of every content, in styles by turns, mirrored copies among them."""
    styles = sorted(vocabulary()["styles"])
    for number, content in enumerate(sorted(vocabulary()["contents"])):
        for k in range(PER_CONTENT):
            style = "normal" if k % 3 == 0 else styles[(number + 7 * k) % len(styles)]
            high, low = captions_of(content, style, f"table {k}", mirrored=k % 2 == 1, high=1, low=1)
            yield high[0].strip(), low[0]


def actions_of(description: str) -> str:
    """The actions in a sentence of CMU's list, "" where it names none: "Jump Forward" and "forward jump" are "jump
    forward", "run/jog" is "run", "dance - turn, bow" is "turn, bow"."""
    plain = re.sub(r"\([^)]*\)|\.\.+|\"", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", description).lower())
    found = [action for part in re.split(r"[,;]| then | and | - ", plain) if (action := action_of(part))]
    return ", ".join(found[:6])


def action_of(part: str) -> str:
    words = [word.split("/")[0] for word in re.findall(r"[a-z][a-z/'-]*", part)]
    forms = [lexicon().form(word) for word in words]
    place = next((k for k, form in enumerate(forms) if form and form[1] in ("base", "ing", "s")), None)
    if place is None or len(words) > LONGEST + place or place > 2:
        return ""
    after = [word for word in words[place + 1 :] if word not in ("a", "the")]
    before = [word for word in words[:place] if word in DIRECTIONS]
    return " ".join([forms[place][0], *before, *after])


def cmu(texts: Path, descriptions: Path, split: str) -> Iterator[tuple[str, str]]:
    """(first caption, actions) of HumanML3D's clips of CMU in a split, not mirrored."""
    listed = set((texts / f"{split}.txt").read_text(encoding="utf-8").split())
    captions = json.loads((texts / "captions.json").read_text(encoding="utf-8"))
    said = json.loads(descriptions.read_text(encoding="utf-8"))
    with open(texts / "index.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            id, trial = row["new_name"].removesuffix(".npy"), CMU.search(row["source_path"])
            if trial is None or id not in listed or not captions.get(id):
                continue
            if actions := actions_of(said.get(trial[1], "")):
                yield captions[id][0].strip(), actions


def open_sets(folder: Path) -> Iterator[tuple[str, str]]:
    with open(folder / "captions.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["low"].strip() and row["caption"].strip():
                yield row["caption"].strip().replace("person does: ", "person does this: "), row["low"].strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--humanml3d", type=Path, required=True)
    parser.add_argument("--open", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default="train", choices=("train", "val", "test"))
    options = parser.parse_args()
    rows: dict[tuple[str, str], str] = {}
    for pair in cmu(options.humanml3d, options.open / "cmu_descriptions.json", options.split):
        rows.setdefault(pair, "cmu")
    if options.split == "train":
        rows |= {pair: "bandai" for pair in bandai()} | {pair: "open" for pair in open_sets(options.open)}
    with atomic_path(options.out) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["caption", "low", "source"])
        writer.writerows([*pair, source] for pair, source in sorted(rows.items()))
    print(f"{len(rows)} rows: {options.out}")


if __name__ == "__main__":
    main()
