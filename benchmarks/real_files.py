"""Real motion files: how many become the 22 joints, do their limbs keep their angles, does anybody lie down?

    python -m benchmarks.real_files FOLDER --out results/real_files.json

Every .bvh and .amc below FOLDER is read and retargeted (``motion convert FILE x.npz --retarget``). Of each BVH, one
frame is read again by another reader, written here from the format's definition on scipy's rotations, and the bends of
knees and elbows are compared. Somebody lies where the head is less than half a metre over the feet in most frames; such
files are named, for a person to look at: who lies down or crawls is right. Exit status 1: a target is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.common import environment, verdicts, write_json
from motion_platform.core.errors import MotionPlatformError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import find_places, to_humanml3d
from motion_platform.motion.skeleton import get_skeleton

AT = get_skeleton("humanml3d").index
LIMBS = [(f"{side}_{a}", f"{side}_{b}", f"{side}_{c}") for side in ("left", "right")
         for a, b, c in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))]  # fmt: skip
STANDS = 0.5


def read_frame(path: Path, frame: int) -> dict[str, np.ndarray]:
    """Joint -> its place in one frame of a BVH, in the file's unit: HIERARCHY word by word, scipy's rotations."""
    head, _, motion = path.read_text(encoding="utf-8", errors="replace").partition("MOTION")
    rows = [line for line in motion.splitlines() if line.strip()]
    values = [float(v) for v in rows[2 + frame].split()]
    words, stack, places, at = iter(head.split()), [], {}, 0
    for word in words:
        if word in ("ROOT", "JOINT", "End"):
            stack.append({"name": next(words) if word != "End" else next(words) and None})
        elif word == "OFFSET":
            stack[-1]["offset"] = np.array([float(next(words)) for _ in range(3)])
            stack[-1]["channels"] = []
        elif word == "CHANNELS":
            names = [next(words) for _ in range(int(next(words)))]
            _place(stack, dict(zip(names, values[at : at + len(names)], strict=True)))
            at += len(names)
            places[stack[-1]["name"]] = stack[-1]["place"]
        elif word == "}":
            stack.pop()
    return places


def _place(stack: list[dict[str, Any]], channels: dict[str, float]) -> None:
    """The place and turn of the last joint of a stack, from its parent's and its channels in the file's order."""
    joint = stack[-1]
    moved = {axis: channels[f"{axis}position"] for axis in "XYZ" if f"{axis}position" in channels}
    offset = joint["offset"]
    if any(moved.values()):
        offset = np.array([moved.get(axis, offset[i]) for i, axis in enumerate("XYZ")])
    turn = Rotation.identity()
    for name, degrees in channels.items():
        if name.endswith("rotation"):
            turn = turn * Rotation.from_euler(name[0].lower(), degrees, degrees=True)
    above = stack[-2] if len(stack) > 1 else {"turn": Rotation.identity(), "place": np.zeros(3)}
    joint["turn"], joint["place"] = above["turn"] * turn, above["place"] + above["turn"].apply(offset)


def bend(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Degrees between the bones a to b and b to c."""
    first, second = b - a, c - b
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)))


def off(path: Path, clip: Clip, retargeted: Clip) -> float | None:
    """By how many degrees knees and elbows of the first frame differ from the other reader's; None where a limb's joint
    is no joint of the file but a place between two, or an End Site."""
    _, places = find_places(clip)
    skipped = "reference pose" in " ".join(retargeted.info.get("notes", []))
    world = read_frame(path, 1 if skipped else 0)
    apart = []
    for limb in LIMBS:
        named = [places[joint] for joint in limb]
        if all(share == 0 and name in world for name, _, share in named):
            theirs = bend(*(world[name] for name, _, _ in named))
            apart.append(abs(theirs - bend(*(retargeted.joints[0, AT(joint)] for joint in limb))))
    return max(apart, default=None)


def look(path: Path) -> dict[str, Any]:
    """What became of one file."""
    try:
        clip = io.load(path)
        retargeted = to_humanml3d(clip)
    except MotionPlatformError as error:
        return {"file": path.name, "error": str(error)}
    feet = retargeted.joints[:, [AT("left_foot"), AT("right_foot")], 1].mean(1)
    upright = float((retargeted.joints[:, AT("head"), 1] - feet > STANDS).mean())
    degrees = off(path, clip, retargeted) if path.suffix.lower() == ".bvh" else None
    return {"file": path.name, "convention": retargeted.info["convention"], "upright": upright, "degrees": degrees}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, help="so many files, drawn with seed 0; all when left out")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    paths = sorted(p for p in args.folder.rglob("*") if p.suffix.lower() in (".bvh", ".amc"))
    random.Random(0).shuffle(paths)
    files = [look(path) for path in paths[: args.count]]
    read = [file for file in files if "error" not in file]
    degrees = [file["degrees"] for file in read if file["degrees"] is not None]
    for file in files:
        if "error" in file:
            print(f"refused: {file['file']}: {file['error']}")
        elif file["upright"] < 0.5:
            print(f"lies, head under {STANDS} m in most frames: {file['file']}")
    share, worst = 100 * len(read) / max(len(files), 1), max(degrees, default=0.0)
    print(f"{len(files)} files, {len(read)} retargeted, limbs of {len(degrees)} compared")
    text, good = verdicts([("retargeted, %", share, ">=", 95.0), ("limbs off, degrees at most", worst, "<=", 0.7)])
    print(text)
    write_json(args.out, {"environment": environment(), "files": files, "retargeted": share, "worst degrees": worst})
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
