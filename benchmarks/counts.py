"""How often does a body do what a sentence says? Kicks, punches, bows, waves, jumps, squats, steps, by geometry alone.

    python -m benchmarks.counts ruler --data data/open_motion
    python -m benchmarks.counts made
    python -m benchmarks.counts made --half test_3

Every count is a number of peaks of one signal of the joints, so nothing here was trained. ``ruler``: does the count
find the action in real clips of its label (repetitions in the names of HDM05 are counted, too), and not in those of
other labels; the thresholds were set on the training split and the table is of the split that ``--split`` says. Then
three wrong motions for each action: a statue, the clip twice as often (the count must double), and the clip with its
limbs frozen. ``made``: the sentences under ``counts`` of benchmarks/words_*.yaml are made as ``motion generate`` makes
them, and what was asked for must be there within 20 %; a sentence whose plan says that its number cannot be kept is
listed apart, and is not right. ``motion generate`` measures what it makes by the same rulers and draws again where a
number is missed (``pipelines/measured.py``), so the share says how often it gets there; whether the rulers are right,
``ruler`` says.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.common import concluded, table
from motion_platform.motion.counting import RULERS
from motion_platform.pipelines.measured import Amount

MOST_CLIPS = 40
"""Real clips of a label that the ruler is tried on."""

LABELS = {
    "kicks": ("kick",),
    "punches": ("punch", "jab"),
    "bows": ("bow",),
    "waves": ("wave-",),
    "jumps": ("hop",),
    "squats": ("squat",),
    "raises": ("raise-up",),
}
"""Which labels, by how they begin or what they hold, show the action."""
STRANGERS = ("walk", "walk-back", "run", "raise-up", "wave-", "bow", "kick", "dance", "squat")
"""Labels that do not, unless they are the action's own; a raise is part of a wave, and is left out there."""
ALIKE = {"waves": ("raise-up", "dance"), "raises": ("wave-", "dance", "kick", "squat"), "squats": ("dance",),
         "bows": ("squat",), "punches": ("dance", "wave-", "raise-up", "run", "kick")}  # fmt: skip
"""Labels of clips that may well hold the action, too, and say nothing against the ruler."""


def statue(joints: np.ndarray) -> np.ndarray:
    """The first pose, held."""
    return joints[:1].repeat(len(joints), 0)


def limbs_frozen(joints: np.ndarray) -> np.ndarray:
    """The whole body keeps its first pose and goes where the pelvis goes over the floor."""
    way = joints[:, :1] - joints[:1, :1]
    return joints[:1] + way * [1.0, 0.0, 1.0]


def twice(joints: np.ndarray) -> np.ndarray:
    """The clip and its mirror in time behind it, so that it happens twice without a jump between."""
    return np.concatenate([joints, joints[::-1]])


WRONG = {"statue": statue, "limbs frozen": limbs_frozen}


def clips_by_label(folder: str, split: str) -> dict[str, list[np.ndarray]]:
    """Label -> joints of unmirrored clips; clips whose id says punch or kick are of that label."""
    from motion_platform.data.prepared import PreparedDataset
    from motion_platform.motion.representations import get_representation

    data = PreparedDataset.open(folder)
    decode = get_representation(data.representation).decode
    found: dict[str, list[np.ndarray]] = {}
    for row in data.indices(split):
        if data.mirrored(row):
            continue
        label = data.labels(row).get("content", "") if data.labels(row) else ""
        name = data.id(row).lower()
        label = next((each for each in ("punch", "kick") if each in name and "soccer" not in label), label)
        if label and len(found.setdefault(label, [])) < MOST_CLIPS:
            found[label].append(decode(torch.tensor(data.features(row)).double()).numpy())
    return found


def ruler(folder: str, split: str) -> tuple[list[list[str]], list[tuple[str, float, str, float]]]:
    """Rows of the table, and what must hold of each action's ruler."""
    clips = clips_by_label(folder, split)
    rows, checks = [], []
    for action, starts in LABELS.items():
        own = [clip for label, of in clips.items() if label.lower().startswith(starts) for clip in of]
        other = [
            clip
            for label, of in clips.items()
            if label.startswith(STRANGERS) and not label.startswith((*starts, *ALIKE.get(action, ())))
            for clip in of
        ]
        if not own or not other:
            continue
        count = RULERS[action]
        seen = float(np.mean([count(clip) > 0 for clip in own]))
        false = float(np.mean([count(clip) > 0 for clip in other]))
        wrong = {name: float(np.mean([count(change(clip)) > 0 for clip in own])) for name, change in WRONG.items()}
        doubled = float(np.mean([count(twice(clip)) > count(clip) for clip in own if count(clip)]))
        shown = [seen, false, *wrong.values(), doubled]
        rows.append([action, f"{len(own)}, {len(other)}", *(f"{share:.0%}" for share in shown)])
        checks += [(f"{action} seen", seen, ">=", 0.9), (f"{action} elsewhere", false, "<=", 0.1)]
        checks += [(f"{action}, {name}", share, "<=", 0.05) for name, share in wrong.items()]
        checks += [(f"{action}, more when it is made twice", doubled, ">=", 0.9)]
    return rows, checks


def made_counts(half: str, model: str, seeds: int) -> list[dict[str, Any]]:
    """What is made of each sentence under ``counts``: what was asked, measured, and doubted by the plan."""
    from motion_platform.pipelines import generate, planning

    run = generate.load("text_to_motion", model)
    sentences = yaml.safe_load((Path(__file__).parent / f"words_{half}.yaml").read_text("utf-8"))["counts"]
    found = []
    for wanted in sentences:
        (what,) = set(wanted) - {"text"}
        clips = planning.make(run, [wanted["text"]], samples=seeds, seed=6)
        notes = clips[0].info.get("plan", {}).get("notes", [])
        found.append(
            {
                "text": wanted["text"],
                "what": what,
                "wanted": float(wanted[what]),
                "made": [float(RULERS[what](clip.joints)) for clip in clips],
                "doubted": any("cannot be promised" in note for note in notes),
            }
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("ruler", "made"))
    parser.add_argument("--data", help="prepared data folder (ruler)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--half", choices=("development", "test_3", "test_4"), default="development")
    parser.add_argument("--model", default="text_to_motion_masked")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out")
    asked = parser.parse_args(arguments)
    if asked.what == "ruler":
        if not asked.data:
            parser.error("ruler needs --data, a prepared data folder")
        rows, checks = ruler(asked.data, asked.split)
        print(table(rows, ["action", "clips: own, other", "seen", "elsewhere", *WRONG, "more when twice"]))
        found: Any = rows
    else:
        found = made_counts(asked.half, asked.model, asked.seeds)
        rows = [
            [one["text"], f"{one['wanted']:g} {one['what']}", ", ".join(f"{n:.3g}" for n in one["made"]),
             "doubted" if one["doubted"] else ""]
            for one in found
        ]  # fmt: skip
        print(table(rows, ["sentence", "asked", "made", "said"]))
        right = {
            one["text"]: np.mean([Amount(one["what"], one["wanted"]).kept(n) for n in one["made"]]) for one in found
        }
        promised = [one["text"] for one in found if not one["doubted"]]
        checks = [("within 20 % where nothing was said", float(np.mean([right[t] for t in promised])), ">=", 0.8)]
        print(f"all sentences: {np.mean(list(right.values())):.1%}; doubted: {len(found) - len(promised)}")
    return concluded(checks, asked.out, {"found": found, "arguments": vars(asked)})


if __name__ == "__main__":
    raise SystemExit(main())
