"""Real motion files: how many become the 22 joints, do their limbs keep their angles, does anybody lie down?

    python -m benchmarks.real_files FOLDER --out results/real_files.json

Every .bvh and .amc below FOLDER is read and retargeted (``motion convert FILE x.npz --retarget``). One frame of each is
read again by another reader, written here from the formats' definitions on scipy's rotations, and the bends of knees
and elbows are compared. Files are named for a person to look at where somebody lies (the head is less than half a metre
over the feet in most frames; who lies down or crawls is right) and where a knee or an elbow has a name that none has.
Exit status 1: a target is missed.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.common import concluded
from motion_platform.core.errors import MotionPlatformError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.joint_names import Place
from motion_platform.motion.retarget import find_places, to_humanml3d
from motion_platform.motion.skeleton import get_skeleton

AT = get_skeleton("humanml3d").index
LIMBS = [(f"{side}_{a}", f"{side}_{b}", f"{side}_{c}") for side in ("left", "right")
         for a, b, c in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))]  # fmt: skip
STANDS = 0.5
USUAL = {"knee": r"knee|shin|calf|tibia|shank|leg", "elbow": r"elbow|fore|radius|ulna|low.*arm|arm"}
"""What the joints are called of which a knee or an elbow is made."""


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
    if max(map(abs, moved.values()), default=0.0) > 1e-3 * np.linalg.norm(offset):
        offset = np.array([moved.get(axis, offset[i]) for i, axis in enumerate("XYZ")])
    turn = Rotation.identity()
    for name, degrees in channels.items():
        if name.endswith("rotation"):
            turn = turn * Rotation.from_euler(name[0].lower(), degrees, degrees=True)
    above = stack[-2] if len(stack) > 1 else {"turn": Rotation.identity(), "place": np.zeros(3)}
    joint["turn"], joint["place"] = above["turn"] * turn, above["place"] + above["turn"].apply(offset)


def read_amc_frame(path: Path, asf: Path) -> dict[str, np.ndarray]:
    """Bone -> where it begins, in the first frame of an AMC whose skeleton is ``asf``, in the file's unit."""
    text = re.sub(r"#.*", "", asf.read_text(errors="replace"))
    bones = {}
    for block in re.findall(r"\bbegin\b(.*?)\bend\b", text.partition(":bonedata")[2].partition(":hierarchy")[0], re.S):
        lines = {words[0]: words[1:] for words in map(str.split, block.splitlines()) if words}
        axis = Rotation.from_euler("xyz", [float(v) for v in lines["axis"][:3]], degrees=True)
        along = np.array([float(v) for v in lines["direction"]]) * float(lines["length"][0])
        bones[lines["name"][0]] = (axis, along, lines.get("dof", []))
    rows = {}
    for words in map(str.split, re.sub(r"#.*", "", path.read_text(errors="replace")).splitlines()):
        if len(words) == 1 and words[0] == "2":
            break
        if len(words) > 1:
            rows[words[0]] = [float(v) for v in words[1:]]
    root = rows["root"]
    begins, ends = {"root": np.array(root[:3])}, {"root": np.array(root[:3])}
    turns = {"root": Rotation.from_euler("xyz", root[3:6], degrees=True)}
    for words in map(str.split, text.partition(":hierarchy")[2].splitlines()):
        for name in words[1:] if len(words) > 1 and words[0] in ends else ():
            axis, along, dof = bones[name]
            given = dict(zip(dof, rows.get(name, []), strict=False))
            own = Rotation.from_euler("xyz", [given.get(f"r{a}", 0.0) for a in "xyz"], degrees=True)
            turns[name] = turns[words[0]] * axis * own * axis.inv()
            begins[name] = ends[words[0]]
            ends[name] = begins[name] + turns[name].apply(along)
    return begins


def bend(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Degrees between the bones a to b and b to c."""
    first, second = b - a, c - b
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)))


def off(path: Path, clip: Clip, retargeted: Clip, places: dict[str, Place]) -> float | None:
    """By how many degrees knees and elbows of the first frame differ from the other reader's; None where a limb's joint
    is no joint of the file but a place between two, or an End Site, or where the other reader cannot read the file."""
    skipped = "reference pose" in " ".join(retargeted.info.get("notes", []))
    try:
        if path.suffix.lower() == ".bvh":
            world = read_frame(path, 1 if skipped else 0)
        else:
            world = read_amc_frame(path, path.parent / clip.info["skeleton_source"])
    except (LookupError, ValueError, StopIteration):  # it reads what the definition says, and nothing beside it
        return None
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
    _, places = find_places(clip)
    strange = [
        places[f"{side}_{joint}"][0]
        for side in ("left", "right")
        for joint, usual in USUAL.items()
        if not re.search(usual, places[f"{side}_{joint}"][0], re.IGNORECASE)
    ]
    feet = retargeted.joints[:, [AT("left_foot"), AT("right_foot")], 1].mean(1)
    upright = float((retargeted.joints[:, AT("head"), 1] - feet > STANDS).mean())
    about = {"convention": retargeted.info["convention"], "strange": strange}
    return {"file": path.name, "upright": upright, "degrees": off(path, clip, retargeted, places), **about}


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
        elif file["strange"]:
            print(f"knee or elbow by a strange name: {file['file']}: {', '.join(file['strange'])}")
    share, worst = 100 * len(read) / max(len(files), 1), max(degrees, default=0.0)
    print(f"{len(files)} files, {len(read)} retargeted, limbs of {len(degrees)} compared")
    checks = [("retargeted, %", share, ">=", 95.0), ("limbs off, degrees at most", worst, "<=", 0.7)]
    return concluded(checks, args.out, {"files": files, "retargeted": share, "worst degrees": worst})


if __name__ == "__main__":
    sys.exit(main())
