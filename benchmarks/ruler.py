"""Is a text-motion space a good ruler? It is asked about real motion, and about real motion made worse step by step.

    python -m benchmarks.ruler --space text_motion --out results/ruler.json

Real: R-precision of the test clips and their first captions in pools of 32 without equal captions, beside chance,
shuffled captions, captions in which left and right changed places, and mirrored motions; and the Frechet distance of
random halves of the real clips. Then every clip is spoilt, a little more at each step (noise on the joints, order of
frames, sliding over the floor), and the Frechet distance to the real clips must grow at each. The exit status is 1 when
a target is missed.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import environment, table, verdicts, write_json
from motion_platform.core.config import DataRecipe
from motion_platform.core.schema import Motion
from motion_platform.core.seeding import seed_of
from motion_platform.data.prepared import PreparedDataset
from motion_platform.metrics.frechet import frechet_distance
from motion_platform.metrics.r_precision import draw_unique_pools, hits
from motion_platform.model import points
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import open_data
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import search

POOL, TOP = 32, 3
BATCH = 64
NOISE = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08)
SHUFFLE = (1, 2, 4, 8, 16)
SLIDE = (0.0, 0.1, 0.2, 0.4, 0.8)
FPS = 20.0
Spoil = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]


def add_noise(joints: np.ndarray, random: np.random.Generator, metres: float) -> np.ndarray:
    """Every joint in every frame moved by Gaussian noise of that standard deviation."""
    return joints + random.normal(0, 1, joints.shape) * metres


def shuffle_time(joints: np.ndarray, random: np.random.Generator, window: float) -> np.ndarray:
    """The order of frames drawn anew within windows of that many frames."""
    frames = np.arange(len(joints))
    for start in range(0, len(joints), int(window)):
        frames[start : start + int(window)] = random.permutation(frames[start : start + int(window)])
    return joints[frames]


def add_sliding(joints: np.ndarray, random: np.random.Generator, speed: float) -> np.ndarray:
    """The whole body glides over the floor with that speed (m/s) in a random direction, feet included."""
    angle = random.uniform(0, 2 * np.pi)
    step = np.array([np.sin(angle), 0.0, np.cos(angle)]) * speed / FPS
    return joints + np.arange(len(joints))[:, None, None] * step


SPOILING: dict[str, tuple[Spoil, tuple[float, ...], str]] = {
    "noise": (add_noise, NOISE, "m"),
    "time shuffled": (shuffle_time, SHUFFLE, "frames"),
    "sliding": (add_sliding, SLIDE, "m/s"),
}


def swap_sides(caption: str) -> str:
    """Left and right, clockwise and counterclockwise, change places."""
    pairs = [("left", "right"), ("clockwise", "counterclockwise")]
    other = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    pattern = re.compile(rf"\b({'|'.join(other)})\b", re.IGNORECASE)
    return pattern.sub(lambda found: other[found[1].lower()], caption)


class Ruler:
    """The real clips of a split, and what the space makes of them or of something done to them."""

    def __init__(self, model: MotionModel, dataset: PreparedDataset, split: str, most: int | None) -> None:
        self.model = model
        rows = [row for row in dataset.indices(split) if dataset.captions(row)[0] and dataset.frames[row] >= 8]
        if most is not None and most < len(rows):
            rows = [rows[i * len(rows) // most] for i in range(most)]
        self.ids = [dataset.id(row) for row in rows]
        self.captions = [dataset.captions(row)[0][0] for row in rows]
        self.originals = np.array([not dataset.mirrored(row) for row in rows])
        stored = get_representation(dataset.representation)
        self.joints = [stored.decode(torch.tensor(dataset.features(row)).double()).numpy() for row in rows]
        self.representation = get_representation(model.spec.representation)

    @torch.no_grad()
    def motions(self, change: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None) -> np.ndarray:
        """(n, E) float64 of all clips; ``change``: what is done to the joints first, seeded by the clip's id."""
        spec, found = self.model.spec, []
        features = []
        for id, joints in zip(self.ids, self.joints, strict=True):
            if change is not None:
                joints = change(joints, np.random.default_rng(seed_of("ruler", id)))
            features.append(torch.from_numpy(self.representation.encode(joints)))
        for start in range(0, len(features), BATCH):
            part = features[start : start + BATCH]
            x = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
            lengths = torch.tensor([len(each) for each in part])
            found.append(self.model.trainable.embed(Motion(x, lengths, spec)).double())
        return torch.cat(found).numpy()

    def texts(self, captions: list[str]) -> np.ndarray:
        """(n, E) float64."""
        return points.embed_texts(self.model, captions, points.text_slot(self.model)).astype(np.float64)

    def precision(self, text: np.ndarray, motion: np.ndarray, repeats: int) -> tuple[np.ndarray, np.ndarray]:
        """R-precision at 1, 2, 3 in pools of unique captions, and the half width of its 95 % interval."""
        runs = []
        for seed in range(repeats):
            pools = draw_unique_pools(self.captions, POOL, seed)
            runs.append(hits(text[pools], motion[pools], TOP).mean((0, 1)))
        return np.mean(runs, 0), 1.96 * np.std(runs, 0, ddof=1) / np.sqrt(repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="text_motion", help="a shipped name or a checkpoint folder")
    parser.add_argument("--data", help="prepared data folder (default: the one the space was trained on)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, help="at most that many clips")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    run = search.load(arguments.space)
    if arguments.data:
        run.data = DataRecipe(name=run.data.name if run.data else run.task.data, folder=arguments.data)
    ruler = Ruler(run.model, open_data(run.data or DataRecipe(name=run.task.data)), arguments.split, arguments.clips)

    real = ruler.motions()
    text = ruler.texts(ruler.captions)
    rows: list[list[str]] = []
    values: dict[str, object] = {}

    def precision(name: str, text: np.ndarray, motion: np.ndarray) -> np.ndarray:
        mean, half = ruler.precision(text, motion, arguments.repeats)
        rows.append([name, *(f"{m:.3f} ± {h:.3f}" for m, h in zip(mean, half, strict=True))])
        values[name] = {"mean": mean.tolist(), "interval": half.tolist()}
        return mean

    own = precision("real", text, real)
    precision("captions shuffled", text[np.random.RandomState(0).permutation(len(text))], real)
    sides = np.array([swap_sides(caption) != caption for caption in ruler.captions])
    swapped = ruler.texts([swap_sides(caption) for caption in ruler.captions])
    precision("sides swapped in captions", swapped, real)
    skeleton = get_skeleton(run.model.spec.skeleton)
    reflected = ruler.motions(lambda joints, _: skeleton.mirrored(joints))
    precision("motions mirrored", text, reflected)
    rows.append(["chance", *(f"{k / POOL:.3f}" for k in (1, 2, 3))])
    print(f"{len(real)} clips of {arguments.split}, {real.shape[1]} dimensions")
    print(table(rows, ["R-precision", "top 1", "top 2", "top 3"]))
    told = _nearer(text[sides], swapped[sides], real[sides])
    print(f"captions with a side: nearer to the motion than with sides swapped in {told:.1%} of {sides.sum()}")

    trace = float(real.var(0, ddof=1).sum())
    halves = _halves(real[ruler.originals], arguments.repeats)
    print(f"Frechet distance of real halves: {halves:.4f} (total variance {trace:.3f})")
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for name, (spoil, levels, unit) in SPOILING.items():
        curves[name] = []
        for level in levels:
            spoilt = ruler.motions(lambda joints, random, s=spoil, v=level: s(joints, random, v))
            top3 = float(ruler.precision(text, spoilt, 5)[0][2])
            curves[name].append((level, frechet_distance(spoilt, real), top3))
        lines = [[f"{level:g} {unit}", f"{distance:.4f}", f"{top3:.3f}"] for level, distance, top3 in curves[name]]
        print(table(lines, [name, "Frechet", "top 3"]))
    results = [
        ("R-precision top 3, unique captions", float(own[2]), ">=", 0.75),
        ("own side nearer than swapped", told, ">=", 0.9),
        ("real halves / total variance", halves / trace, "<=", 0.1),
    ]
    for name, curve in curves.items():
        steps = np.diff([distance for _, distance, _ in curve])
        results.append((f"smallest growth, {name}, / total variance", float(steps.min()) / trace, ">=", 1e-5))
    shown, good = verdicts(results)
    print(shown)
    write_json(
        arguments.out,
        {
            "settings": {key: str(value) for key, value in vars(arguments).items()},
            "clips": len(real),
            "r_precision": values,
            "own_side_nearer": told,
            "real_halves": halves,
            "total_variance": trace,
            "curves": curves,
            "space": run.model.card.weights,
            "wall_seconds": time.perf_counter() - begin,
            "environment": environment(),
        },
    )
    sys.exit(0 if good else 1)


def _nearer(own: np.ndarray, other: np.ndarray, motion: np.ndarray) -> float:
    """In what part of the rows ``own`` is nearer to ``motion`` than ``other`` is; 1 when there are none."""
    if not len(own):
        return 1.0
    near, far = (np.linalg.norm(each - motion, axis=1) for each in (own, other))
    return float((near < far).mean())


def _halves(real: np.ndarray, repeats: int) -> float:
    """Mean Frechet distance of random halves. It is not 0 for finite sets; it falls with their size."""
    distances = []
    for seed in range(repeats):
        order = np.random.RandomState(seed).permutation(len(real))
        distances.append(frechet_distance(real[order[::2]], real[order[1::2]]))
    return float(np.mean(distances))


if __name__ == "__main__":
    main()
