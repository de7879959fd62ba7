"""Does a recogniser see the motion, or the length of the clip? Real clips cut, stretched, frozen, stuttering, reversed.

    python -m benchmarks.recogniser recogniser runs/recogniser_2 --data data/bandai_cmu --out results/recogniser.json

Every labelled clip of a split is changed in one way at a time and shown to each recogniser. Where a person would still
say the same of it (a part of a wave, a wave played slowly), the share of right answers is to be high; where of many
kinds nothing is left (a statue, a walk on the spot), it is to be low: those rows are marked ``gone``. Waves of the left
or right hand cut to their first three seconds are counted apart, beside the share that is then called a raised hand. A
clip that turns shows something else when it is cut, so the rows of parts leave out clips whose label has a turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import environment, table, write_json
from motion_platform.core.schema import Motion
from motion_platform.data.prepared import PreparedDataset
from motion_platform.model.run import load_run
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton

BATCH, FPS = 64, 20.0
ARMS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist"))
Change = Callable[[np.ndarray], np.ndarray]


def first_seconds(seconds: float) -> Change:
    return lambda joints: joints[: max(2, round(seconds * FPS))]


def part(start: float, end: float) -> Change:
    """The frames between two shares of the clip."""
    return lambda joints: joints[int(start * len(joints)) : max(int(end * len(joints)), int(start * len(joints)) + 2)]


def played(speed: float) -> Change:
    """The same way at another speed, by straight lines between frames."""

    def change(joints: np.ndarray) -> np.ndarray:
        at = np.arange(0, len(joints) - 1 + 1e-9, speed)
        low = at.astype(int)
        high = np.minimum(low + 1, len(joints) - 1)
        share = (at - low)[:, None, None]
        return joints[low] * (1 - share) + joints[high] * share

    return change


def squeezed(seconds: float) -> Change:
    """The whole clip played in so many seconds."""
    return lambda joints: played((len(joints) - 1) / (seconds * FPS - 1))(joints)


def held(seconds: float) -> Change:
    """The last pose goes on for so long."""
    return lambda joints: np.concatenate([joints, joints[-1:].repeat(round(seconds * FPS), 0)])


def stuttering(joints: np.ndarray) -> np.ndarray:
    """Every second frame twice."""
    return joints[np.arange(len(joints)) // 2 * 2]


def root_at(speed: float) -> Change:
    """The pelvis goes over the floor that many times as fast while the limbs do what they did."""

    def change(joints: np.ndarray) -> np.ndarray:
        way = joints[:, :1] - joints[:1, :1]
        return joints + way * [speed - 1, 0, speed - 1]

    return change


def arms_frozen(joints: np.ndarray) -> np.ndarray:
    """The arms keep their first pose beside the neck."""
    body = get_skeleton("humanml3d")
    arms, neck = [body.index(name) for name in ARMS], body.index("neck")
    changed = joints.copy()
    changed[:, arms] = joints[:1, arms] - joints[:1, neck : neck + 1] + joints[:, neck : neck + 1]
    return changed


def frozen(joints: np.ndarray) -> np.ndarray:
    """The pose in the middle, as long as the clip."""
    return joints[len(joints) // 2][None].repeat(len(joints), 0)


CHANGES: dict[str, tuple[Change, str]] = {
    "as it is": (lambda joints: joints, "all"),
    "first half": (part(0, 0.5), "no turns"),
    "middle half": (part(0.25, 0.75), "no turns"),
    "first 3 s": (first_seconds(3), "no turns"),
    "half speed": (played(0.5), "all"),
    "double speed": (played(2), "all"),
    "squeezed to 3 s": (squeezed(3), "all"),
    "stretched to 9 s": (squeezed(9), "all"),
    "last pose held for 3 s": (held(3), "all"),
    "stuttering, 10 fps": (stuttering, "all"),
    "root at half speed": (root_at(0.5), "all"),
    "on the spot": (root_at(0), "gone"),
    "reversed": (lambda joints: joints[::-1], "gone"),
    "arms frozen": (arms_frozen, "gone"),
    "frozen in the middle": (frozen, "gone"),
}
"""Name -> (what is done, which clips it is done to; "gone": of many kinds nothing is left)."""


def features(joints: Sequence[np.ndarray], representation: str) -> list[torch.Tensor]:
    """Rows of the recogniser's representation; a clip is one frame shorter afterwards, so its last pose comes twice."""
    encode = get_representation(representation).encode
    return [torch.from_numpy(encode(np.concatenate([each, each[-1:]]).astype(np.float64))) for each in joints]


@torch.no_grad()
def answers(model, clips: Sequence[np.ndarray]) -> list[dict[str, str]]:
    """What the recogniser calls every clip (T, 22, 3)."""
    rows, said = features(clips, model.spec.representation), []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        x = torch.nn.utils.rnn.pad_sequence(some, batch_first=True).float()
        said += model.trainable.classify(Motion(x, torch.tensor([len(each) for each in some]), model.spec))
    return said


def right(said: Sequence[dict[str, str]], labels: Sequence[dict[str, str]], target: str) -> float:
    """Per cent right of the clips that have the target."""
    known = [(a, b) for a, b in zip(said, labels, strict=True) if target in b]
    return 100 * float(np.mean([a[target] == b[target] for a, b in known])) if known else float("nan")


def measure(model, clips: list[np.ndarray], labels: list[dict[str, str]]) -> dict[str, dict[str, float]]:
    """Change -> per cent of contents and styles right, per cent called still, and clips."""
    turns = np.array(["turn" in label.get("content", "") for label in labels])
    found = {}
    for name, (change, which) in CHANGES.items():
        rows = np.flatnonzero(~turns) if which == "no turns" else np.arange(len(clips))
        said = answers(model, [change(clips[i]) for i in rows])
        own = [labels[i] for i in rows]
        found[name] = {target: right(said, own, target) for target in ("content", "style")}
        found[name]["still"] = 100 * float(np.mean([a.get("content") == "still" for a in said]))
        found[name]["clips"] = len(rows)
    waves = [i for i, label in enumerate(labels) if label.get("content") in ("wave-left-hand", "wave-right-hand")]
    said = answers(model, [first_seconds(3)(clips[i]) for i in waves])
    found["waves, first 3 s"] = {
        "content": right(said, [labels[i] for i in waves], "content"),
        "raised": 100 * float(np.mean([a["content"].startswith("raise") for a in said])) if waves else float("nan"),
        "clips": len(waves),
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recognisers", nargs="+", help="shipped names or checkpoint folders")
    parser.add_argument("--data", required=True, help="prepared data folder")
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    data = PreparedDataset.open(arguments.data)
    rows = [row for row in data.indices(arguments.split) if data.labels(row)]
    decode = get_representation(data.representation).decode
    clips = [decode(torch.tensor(data.features(row)).double()).numpy() for row in rows]
    labels = [data.labels(row) for row in rows]
    found = {name: measure(load_run(name).model, clips, labels) for name in arguments.recognisers}
    lines = []
    for change in next(iter(found.values())):
        which = CHANGES[change][1] if change in CHANGES else "waves"
        cells = []
        for values in found.values():
            of = values[change]
            last = f"raised {of['raised']:.1f}" if "raised" in of else f"{of['style']:.1f}, still {of['still']:.1f}"
            cells.append(f"{of['content']:.1f}, {last}")
        lines.append([change, which, str(next(iter(found.values()))[change]["clips"]), *cells])
    print(table(lines, ["% right: content, style", "which", "clips", *found]))
    write_json(arguments.out, {"settings": vars(arguments) | {"out": None}, "found": found, "where": environment()})


if __name__ == "__main__":
    main()
