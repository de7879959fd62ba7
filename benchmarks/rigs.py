"""Motions put onto characters: joint angles, feet, and what a reader of the written file sees.

    python -m benchmarks.rigs RIG... [--motion FILE ...] [--out FILE.json]

Each motion is put onto each rig, written (into the character's own .glb or .vrm, or as .bvh), and the file is read
again. Compared with the motion are the angles of four joints on both sides (shoulders and hips: the direction of upper
arm and thigh; elbows and knees: by how much they bend), and the height and path of the toes while the foot stands.
Exits with 1 where the 95th percentile of all these angles differs by more than 2 degrees, or a standing foot is more
than a centimetre off the floor.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import environment, table, write_json
from motion_platform.core.errors import MotionPlatformError
from motion_platform.motion import io
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.rigs.contacts import runs, stands
from motion_platform.motion.rigs.fit import body_of, onto
from motion_platform.motion.rigs.rig import load_rig
from motion_platform.motion.skeleton import get_skeleton

SAMPLE = Path(__file__).parents[1] / "motion_platform" / "sample"
MOTIONS = [
    SAMPLE / "bandai-namco" / f"dataset-{name}.bvh"
    for name in ("1_walk_normal_001", "2_run_normal_001", "1_kick_normal_001", "2_wave-both-hands_elderly_001")
] + [SAMPLE / "cmu" / f"{name}.bvh" for name in ("02_03", "06_09")]
LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
MOST_DEGREES, MOST_METRES = 2.0, 0.01


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T,) angles between vectors (T, 3)."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def measure(rig_path: Path, motions: list[Path]) -> dict[str, Any]:
    """The figures of one rig over some motions."""
    rig = load_rig(rig_path)
    index = get_skeleton("humanml3d").index
    angles: dict[str, list[np.ndarray]] = {part: [] for limb in LIMBS for part in limb[:2]}
    heights, slides = [], []
    for path in motions:
        motion = to_humanml3d(io.load(path))
        source, _ = body_of(motion)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / ("out" + rig_path.suffix)
            io.save(onto(motion, rig).with_(name="benchmark"), out)
            units = {"units": rig.info["unit"]} if out.suffix == ".bvh" else {}
            written = next(c for c in io.load_all(out, **units) if c.name in ("benchmark", "out"))
        joints = {part: written.joints[:, written.skeleton.index(rig.skeleton.joints[j])].astype(np.float64)
                  for part, j in rig.limbs.items()}  # fmt: skip
        for side in ("left", "right"):
            for top, middle, end in LIMBS:
                a, b, c = (f"{side}_{part}" for part in (top, middle, end))
                upper, lower = source[:, index(b)] - source[:, index(a)], source[:, index(c)] - source[:, index(b)]
                made, below = joints[b] - joints[a], joints[c] - joints[b]
                angles[top].append(degrees(made, upper))
                angles[middle].append(np.abs(degrees(made, below) - degrees(upper, lower)))
            tip = f"{side}_foot" if f"{side}_foot" in joints else f"{side}_ankle"
            rest = rig.placed[rig.limbs[tip], 1] - rig.floor
            for start, stop in runs(stands(source[:, index(f"{side}_foot")], motion.fps)):
                place = joints[tip][start:stop]
                heights.append(np.abs(place[:, 1] - rest))
                slides.append(np.linalg.norm((place - place.mean(0))[:, [0, 2]], axis=-1))
    found = {part: np.concatenate(seen) for part, seen in angles.items()}
    every = np.concatenate(list(found.values()))
    each = {f"{part}_p95": float(np.quantile(seen, 0.95)) for part, seen in found.items()}
    return {
        "rig": rig_path.name, "joints": len(rig.skeleton), "names": rig.convention, **each,
        "mean": float(every.mean()), "p95": float(np.quantile(every, 0.95)), "max": float(every.max()),
        "floor_mm": 1000 * float(np.concatenate(heights).max()), "slide_mm": 1000 * float(np.concatenate(slides).max()),
    }  # fmt: skip


def main() -> int:
    """Print the table. 1 where a target is missed or a rig cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("rigs", nargs="+", type=Path)
    parser.add_argument("--motion", type=Path, action="append", help="motions (default: six of the package)")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows, missed = [], 0
    for path in given.rigs:
        try:
            rows.append(measure(path, given.motion or MOTIONS))
        except MotionPlatformError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            missed += 1
    keys = ["rig", "joints", "names", *(f"{part}_p95" for limb in LIMBS for part in limb[:2]), "mean", "p95", "max",
            "floor_mm", "slide_mm"]  # fmt: skip
    cells = [[f"{row[k]:.2f}" if isinstance(row[k], float) else str(row[k]) for k in keys] for row in rows]
    print(table(cells, keys))
    missed += sum(row["p95"] > MOST_DEGREES or row["floor_mm"] > 1000 * MOST_METRES for row in rows)
    if given.out:
        write_json(given.out, {"rows": rows, "environment": environment()})
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
