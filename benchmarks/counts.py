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
listed apart, and is not right.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from benchmarks.common import concluded, table
from motion_platform.motion.skeleton import get_skeleton

FPS = 20.0
WITHIN = 0.2
BODY = get_skeleton("humanml3d")
SIDES = ("left", "right")
FAST = 1.0
MOST_CLIPS = 40
"""Real clips of a label that the ruler is tried on."""


def _at(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[:, BODY.index(name)]


def _smooth(signal: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(signal, 1.0, axis=0, mode="nearest")


def _peaks(signal: np.ndarray, height: float, prominence: float, distance: float = 0.25) -> int:
    """Peaks at least so high, standing out so far, so many seconds apart; one at an end counts."""
    low = float(signal.min()) if len(signal) else 0.0
    padded = np.concatenate([[low], signal, [low]])
    found, _ = find_peaks(padded, height=height, prominence=prominence, distance=max(1, round(distance * FPS)))
    return len(found)


def _length(joints: np.ndarray, *names: str) -> float:
    """The median length of a chain of joints."""
    chain = [_at(joints, name) for name in names]
    return float(sum(np.median(np.linalg.norm(b - a, axis=1)) for a, b in pairwise(chain)))


def kicks(joints: np.ndarray) -> int:
    """A stretched leg at 45 degrees or more from the vertical, in front or behind, foot well over the floor."""
    count = 0
    for side in SIDES:
        hip, ankle = _at(joints, f"{side}_hip"), _at(joints, f"{side}_ankle")
        leg = ankle - hip
        stretch = np.linalg.norm(leg, axis=1) / _length(joints, f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        angle = np.degrees(np.arccos(np.clip(-leg[:, 1] / np.linalg.norm(leg, axis=1), -1, 1)))
        high = ankle[:, 1] - np.percentile(ankle[:, 1], 5) > 0.2
        count += _peaks(_smooth(np.where((stretch > 0.75) & high, angle, 0.0)), 35, 25, 0.4)
    return count


def punches(joints: np.ndarray) -> int:
    """A wrist that shoots away from its shoulder, faster than 1.2 m/s, below the top of the head."""
    count = 0
    for side in SIDES:
        arm = _at(joints, f"{side}_wrist") - _at(joints, f"{side}_shoulder")
        low = _at(joints, f"{side}_wrist")[:, 1] < _at(joints, "head")[:, 1] + 0.1
        speed = np.gradient(gaussian_filter1d(np.linalg.norm(arm, axis=1), 0.7, mode="nearest")) * FPS
        count += _peaks(np.where(low, speed, 0.0), FAST, 0.8, 0.3)
    return count


def bows(joints: np.ndarray) -> int:
    """The trunk leans 30 degrees or more while the pelvis stays up, and comes back."""
    trunk = _at(joints, "neck") - _at(joints, "pelvis")
    lean = np.degrees(np.arccos(np.clip(trunk[:, 1] / np.linalg.norm(trunk, axis=1), -1, 1)))
    hips = _at(joints, "pelvis")[:, 1]
    return _peaks(_smooth(np.where(hips > 0.75 * np.percentile(hips, 95), lean, 0.0)), 25, 15, 0.5)


def waves(joints: np.ndarray) -> int:
    """To and fro of a hand that is up, sideways from its elbow; the hand that does it more often."""
    best = 0
    across = _at(joints, "left_shoulder") - _at(joints, "right_shoulder")
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    for side in SIDES:
        wrist, elbow = _at(joints, f"{side}_wrist"), _at(joints, f"{side}_elbow")
        up = wrist[:, 1] > elbow[:, 1]
        sway = _smooth(((wrist - elbow) * across).sum(1))
        sway = np.where(up, sway, np.median(sway[up]) if up.any() else 0.0)
        found, _ = find_peaks(sway, prominence=0.06, distance=3)
        best = max(best, len(found))
    return best


def jumps(joints: np.ndarray) -> int:
    """Both feet over the floor and the pelvis going up with them."""
    feet = np.minimum(_at(joints, "left_foot")[:, 1], _at(joints, "right_foot")[:, 1])
    hips = _at(joints, "pelvis")[:, 1]
    rise = np.minimum(feet - np.percentile(feet, 10), hips - np.median(hips) + 0.05)
    return _peaks(_smooth(rise), 0.07, 0.06, 0.3)


def squats(joints: np.ndarray) -> int:
    """The pelvis goes down by a fifth of its height and comes back."""
    hips = _smooth(_at(joints, "pelvis")[:, 1])
    top = float(np.percentile(hips, 95))
    return _peaks(top - hips, 0.2 * top, 0.15 * top, 0.5)


def raises(joints: np.ndarray) -> int:
    """A wrist that comes up over its shoulder; the hand that does it more often."""
    best = 0
    for side in SIDES:
        high = _smooth(_at(joints, f"{side}_wrist")[:, 1] - _at(joints, f"{side}_shoulder")[:, 1])
        best = max(best, _peaks(high, 0.0, 0.25, 0.5))
    return best


def steps(joints: np.ndarray) -> int:
    """How often one foot passes the other along the way of the pelvis."""
    hips = _smooth(_at(joints, "pelvis")[:, [0, 2]])
    way = np.gradient(gaussian_filter1d(hips, 5.0, axis=0, mode="nearest"), axis=0)
    way = way / np.linalg.norm(way, axis=1, keepdims=True).clip(1e-6)
    apart = _smooth(((_at(joints, "left_ankle") - _at(joints, "right_ankle"))[:, [0, 2]] * way).sum(1))
    return sum(len(find_peaks(s, height=0.08, prominence=0.12)[0]) for s in (apart, -apart))


def metres(joints: np.ndarray) -> float:
    """The way of the pelvis over the floor, without its sway."""
    hips = gaussian_filter1d(_at(joints, "pelvis")[:, [0, 2]], 8.0, axis=0, mode="nearest")
    return float(np.linalg.norm(np.diff(hips, axis=0), axis=1).sum())


def degrees(joints: np.ndarray) -> float:
    """How far the hips have turned from first to last."""
    across = (_at(joints, "left_hip") - _at(joints, "right_hip"))[:, [0, 2]]
    heading = np.unwrap(np.arctan2(across[:, 0], across[:, 1]))
    return float(abs(np.degrees(heading[-1] - heading[0])))


def seconds(joints: np.ndarray) -> float:
    """The length."""
    return len(joints) / FPS


RULERS: dict[str, Callable[[np.ndarray], float]] = {
    "kicks": kicks,
    "punches": punches,
    "bows": bows,
    "waves": waves,
    "jumps": jumps,
    "squats": squats,
    "raises": raises,
    "steps": steps,
    "metres": metres,
    "degrees": degrees,
    "seconds": seconds,
}

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


def amount_right(made: float, wanted: float) -> bool:
    """Within 20 %, so that up to four times must be met exactly."""
    return abs(made - wanted) <= WITHIN * wanted + 1e-9


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
        right = {one["text"]: np.mean([amount_right(n, one["wanted"]) for n in one["made"]]) for one in found}
        promised = [one["text"] for one in found if not one["doubted"]]
        checks = [("within 20 % where nothing was said", float(np.mean([right[t] for t in promised])), ">=", 0.8)]
        print(f"all sentences: {np.mean(list(right.values())):.1%}; doubted: {len(found) - len(promised)}")
    return concluded(checks, asked.out, {"found": found, "arguments": vars(asked)})


if __name__ == "__main__":
    raise SystemExit(main())
