"""What is done to joints after a model: feet that are locked, and bones that get one length for a file of animation.

    python -m benchmarks.after_model --data data/bandai_cmu [--samples 152] [--motions 8] [--out FILE.json]

First the metrics of real test clips and of both text models, one draw of each caption, with ``foot_lock`` switched off
and on. Then ``--motions`` motions of 4 s: how far the joints of the rotations that a .bvh or .glb holds are from the
model's joints, for bones that are only aimed, as written (knees give way for the ankles, elbows by half), and as the
parameters of SMPL of an AMASS file are read back.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

import motion_platform as mp
from benchmarks.common import environment, table, write_json
from motion_platform.core.config import MetricRecipe
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation.bounds.motion import RealMotion
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.protocol import Repeats, row
from motion_platform.evaluation.sources import ModelSource, Source
from motion_platform.evaluation.testset import TestSet
from motion_platform.model.motion_model import MotionModel
from motion_platform.motion.clip import Clip
from motion_platform.motion.inverse_kinematics import REACH, rotations_from_joints
from motion_platform.motion.io import smpl
from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.io.write_smpl import amass_arrays
from motion_platform.motion.skeleton import Skeleton

MODELS = ("text_to_motion_masked", "text_to_motion_small")
METRICS = ("supporting_foot", "bone_length_drift", "pops")
TEXTS = ("a person walks forward", "a person waves the right hand", "somebody runs", "a tired person walks",
         "a person bows", "a person kicks", "somebody jumps", "a person dances")  # fmt: skip
PARTS = ("ankle", "foot", "wrist", "knee", "elbow")
AIMED = dict.fromkeys(REACH, 0.0)


def measured(source: Source, test: TestSet) -> dict[str, float]:
    """Value -> mean over the clips, one draw each."""
    judges = Judges([MetricRecipe(name=name) for name in METRICS], test)
    found = row(source, judges, Repeats(repeats=1)).facts["metrics"]
    return {name: value["mean"] for name, value in found.items()}


def locked_and_not(test: TestSet) -> dict[str, dict[str, float]]:
    """The rows of the first table."""
    found = {"real": measured(RealMotion(), test)}
    for name in MODELS:
        model = MotionModel.from_pretrained(name)
        for lock in (False, True):
            model.trainable.foot_lock = lock
            found[f"{name}, {'after' if lock else 'before'}"] = measured(ModelSource(model), test)
    return found


def away(joints: np.ndarray, skeleton: Skeleton, reach: dict[str, float]) -> dict[str, np.ndarray]:
    """Part -> millimetres by which both sides' joints of the rotations are off, every frame."""
    local, offsets = rotations_from_joints(joints, skeleton, reach)
    steps = np.broadcast_to(offsets, joints.shape).copy()
    steps[:, 0] = joints[:, 0]
    return off_by(forward_kinematics(local, steps, skeleton.parents), joints, skeleton)


def as_amass(clip: Clip) -> np.ndarray:
    """The joints of a clip as an AMASS file's parameters give them back."""
    arrays = amass_arrays(clip)
    layout = smpl.layout_of(set(arrays))
    assert layout is not None
    return smpl.to_clip(Path(clip.name), layout, arrays).joints


def off_by(made: np.ndarray, joints: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    off = 1000 * np.linalg.norm(made - joints, axis=-1)
    return {part: off[:, [skeleton.index(f"{side}_{part}") for side in ("left", "right")]].ravel() for part in PARTS}


def bones(count: int) -> dict[str, dict[str, Any]]:
    """The rows of the second table: mean and 95th percentile of every part."""
    pipeline = mp.load("text_to_motion")
    clips = [pipeline(text, seconds=4, seed=k)[0] for k, text in enumerate(TEXTS[:count])]
    found = {}
    for name, reach in (("aimed bone by bone", AIMED), ("as written", REACH)):
        each = [away(clip.joints.astype(np.float64), clip.skeleton, reach) for clip in clips]
        found[name] = summed(each)
    found["as AMASS"] = summed([off_by(as_amass(clip), clip.joints, clip.skeleton) for clip in clips])
    return found


def summed(each: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Part -> mean and 95th percentile over all frames of all motions."""
    whole = {part: np.concatenate([of[part] for of in each]) for part in PARTS}
    return {part: (float(x.mean()), float(np.quantile(x, 0.95))) for part, x in whole.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a prepared set whose test clips are asked for; left out: bones only")
    parser.add_argument("--samples", type=int, default=152)
    parser.add_argument("--motions", type=int, default=8)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result: dict[str, Any] = {"bones": bones(given.motions)}
    rows = [[name, *(f"{mean:.1f} ({p95:.1f})" for mean, p95 in of.values())] for name, of in result["bones"].items()]
    print(table(rows, ["mm, mean (95 %)", *PARTS]))
    if given.data:
        found = locked_and_not(TestSet(PreparedDataset.open(given.data), "test", samples=given.samples))
        names = list(dict.fromkeys(name for of in found.values() for name in of))
        cells = [[name, *(f"{of[name]:.3g}" if name in of else "" for of in found.values())] for name in names]
        print(table(cells, ["", *found]))
        result["locked"] = found
    write_json(given.out, result | {"environment": environment()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
