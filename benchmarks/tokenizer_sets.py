"""How much of each source's motion does a tokenizer lose?

    python -m benchmarks.tokenizer_sets --models vq_humanml22,rvq_open --data data/open_motion

A prepared set that is made of several (``open_motion``) holds bodies and kinds of motion that a mean over all clips
hides. The mean error of joints relative to the root (``mpjpe``), in mm, of ``--clips`` clips of each source, spread
over the sorted ids of all splits, without mirrored copies; 95 % intervals over recordings.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.common import environment, table, write_json
from motion_platform.core.config import MetricRecipe
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.passes import measure
from motion_platform.evaluation.recordings import intervals
from motion_platform.evaluation.report import number
from motion_platform.evaluation.sources import ReconstructionSource
from motion_platform.evaluation.testset import TestSet
from motion_platform.model.motion_model import MotionModel


def rows_of_sets(data: PreparedDataset, clips: int) -> dict[str, list[int]]:
    """Source (what stands before the first ``_`` of an id) -> at most ``clips`` rows, spread over the sorted ids."""
    every: dict[str, list[int]] = {}
    for row in sorted(range(len(data)), key=data.id):
        if not data.mirrored(row):
            every.setdefault(data.id(row).partition("_")[0], []).append(row)
    return {
        name: rows if len(rows) <= clips else [rows[i * len(rows) // clips] for i in range(clips)]
        for name, rows in every.items()
    }


def error(model: MotionModel, data: PreparedDataset, rows: list[int]) -> tuple[float, float | None]:
    """(mpjpe in mm, half of its interval over recordings) of these clips, written as tokens and read back."""
    test = TestSet(data, "train")
    test.rows = rows
    judges, source = Judges([MetricRecipe(name="mpjpe")], test), ReconstructionSource(model)
    source.prepare(test, 0, 1)
    found = measure(source, judges, judges.all, 0)
    value = found.compute(judges.all)["mpjpe"][1]["mpjpe"]
    return value, intervals(found.states["mpjpe"], test.recordings).get("mpjpe")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="vq_humanml22,rvq_open", help="names or folders, with commas")
    parser.add_argument("--data", default="data/open_motion")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--out", default="results/tokenizer_sets.json")
    given = parser.parse_args(arguments)
    data = PreparedDataset.open(given.data)
    sets = rows_of_sets(data, given.clips)
    found = {}
    for name in given.models.split(","):
        model = MotionModel.from_pretrained(name).eval()
        found[name] = {of: error(model, data, rows) for of, rows in sets.items()}
    rows = [[name, *(number(*values[of]) for of in sets)] for name, values in found.items()]
    print(table(rows, ["mm", *sets]))
    write_json(given.out, {"environment": environment(), "clips": {k: len(v) for k, v in sets.items()}, "mpjpe": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
