"""What does a person see who types a plain sentence? How much the body moves beside real clips, and how edits join.

    MOTION_DATA=FOLDER python -m benchmarks.plain_sentences text_to_motion_masked text_to_motion_small

One sentence a kind, ``--samples`` motions, at the lengths that the model picks; medians. swing, rhythm, travel and
joint speed are those of the metric ``movement``. Edits: ``--clips`` unmirrored test clips with labels and at least 5.5
s, cut to 5.5 s, with their first caption; 2.5 s kept in front ("prefix"), 1.5 s kept at both ends ("in between"),
single frames kept every second ("key poses"). A seam: the largest second difference of any joint, in cm, within two
frames of a place where kept frames meet made ones; its median over the clips, beside the same places of the real clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import motion_platform as mp
from benchmarks.common import environment, table, write_json
from motion_platform.core.config import DataRecipe
from motion_platform.data.prepared import PreparedDataset
from motion_platform.metrics.movement import features_of
from motion_platform.model.run import open_data

SECONDS, PREFIX, ENDS, EVERY = 5.5, 2.5, 1.5, 20
REAL = 30
"""Real clips of a kind at most."""


@dataclass(frozen=True)
class Kind:
    """A sentence, the labels of the real clips it stands for, and what is seen of it. seconds: None, as the model
    likes."""

    text: str
    content: str
    style: str
    features: tuple[str, ...]
    seconds: float | None = None


KINDS = (
    Kind("a person waves the right hand", "wave-right-hand", "normal", ("swing", "rhythm")),
    Kind("a person waves the left hand", "wave-left-hand", "normal", ("swing", "rhythm")),
    Kind("a person waves the left hand", "wave-left-hand", "normal", ("swing", "rhythm"), 4.0),
    Kind("a person waves both hands", "wave-both-hands", "normal", ("swing", "rhythm")),
    Kind("a person walks forward", "walk", "normal", ("travel",)),
    Kind("a person walks sadly", "walk", "sad", ("travel",)),
    Kind("a person walks shyly", "walk", "not-confident", ("travel",)),
    Kind("a person walks like an old man", "walk", "old", ("travel",)),
    Kind("a person runs", "run", "normal", ("travel",)),
    Kind("a girl dances happily around", "dance-short", "normal", ("joint_speed",)),
    Kind("a person kicks", "kick", "normal", ("joint_speed",)),
    Kind("a person punches", "punch", "normal", ("joint_speed",)),
)


def seen(clips: Sequence[mp.Clip], features: Sequence[str]) -> dict[str, float]:
    """feature -> its median over the clips that are long enough for it, and their median length."""
    found = [features_of(torch.from_numpy(clip.joints), clip.fps, clip.skeleton) for clip in clips]
    medians = {name: float(np.median([each[name] for each in found if name in each])) for name in features}
    return {**medians, "seconds": float(np.median([clip.seconds for clip in clips]))}


def labelled(data: PreparedDataset) -> list[int]:
    """Rows with a content and a style, without mirrored copies."""
    return [i for i in data.indices() if not data.mirrored(i) and {"content", "style"} <= data.labels(i).keys()]


def clip_of(data: PreparedDataset, row: int) -> mp.Clip:
    """A prepared clip as the body it is."""
    from motion_platform.core.schema import Motion
    from motion_platform.motion.bodies import clips_of

    x = torch.from_numpy(np.array(data.features(row)))[None]
    return clips_of(Motion(x, torch.tensor([x.shape[1]]), data.spec(data.representation)))[0]


def real_kinds(data: PreparedDataset) -> list[dict[str, float]]:
    """What is seen of real clips, a kind each."""
    rows = labelled(data)
    found = []
    for kind in KINDS:
        own = [i for i in rows if data.labels(i) == {"content": kind.content, "style": kind.style}][:REAL]
        found.append(seen([clip_of(data, i) for i in own], kind.features))
    return found


def made_kinds(model: mp.Pipeline, samples: int, seed: int) -> list[dict[str, float]]:
    """What is seen of a model's motions, a kind each."""
    return [seen(model(kind.text, seconds=kind.seconds, samples=samples, seed=seed), kind.features) for kind in KINDS]


def seam(joints: np.ndarray, seams: Sequence[int]) -> float:
    """The largest second difference of any joint, in cm, within two frames of any of the frames ``seams``."""
    second = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(1)  # of frame t + 1
    near = [t - 1 for s in seams for t in range(s - 2, s + 3) if 0 <= t - 1 < len(second)]
    return float(100 * second[near].max())


def edits(model: mp.Pipeline | None, data: PreparedDataset, count: int, seed: int) -> dict[str, float]:
    """kind of edit -> median seam in cm; of the real clips where model is None."""
    test = set(data.indices("test"))
    rows = [i for i in labelled(data) if i in test and data.frames[i] >= SECONDS * data.fps]
    rows = sorted(rows, key=data.id)
    rows = [rows[k * len(rows) // count] for k in range(min(count, len(rows)))]
    total, prefix, end = (round(s * data.fps) for s in (SECONDS, PREFIX, ENDS))
    keys = list(range(0, total, EVERY))
    ways: dict[str, tuple[dict[str, Any], list[int]]] = {
        "prefix": ({"keep": "prefix", "keep_seconds": PREFIX, "seconds": SECONDS}, [prefix]),
        "in_between": ({"keep": "in_between", "keep_seconds": ENDS}, [end, total - end]),
        "keyframes": ({"keep": "keyframes", "frames": keys}, keys[1:]),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for row in rows:
        whole = clip_of(data, row)
        clip = whole.with_(joints=whole.joints[:total], rotations=None)
        for name, (how, seams) in ways.items():
            made = clip if model is None else model.edit(clip, text=data.captions(row)[0][0], seed=seed, **how)[0]
            found[name].append(seam(made.joints, seams))
    return {name: float(np.median(values)) for name, values in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="shipped names or checkpoint folders")
    parser.add_argument("--data", type=Path, help="prepared bandai_cmu (default: MOTION_DATA/bandai_cmu)")
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--clips", type=int, default=12, help="test clips that are edited; 0: none")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    data = open_data(DataRecipe(name="bandai_cmu", folder=None if given.data is None else str(given.data)))
    columns = {"real clips": real_kinds(data)}
    joins = {"real clips": edits(None, data, given.clips, given.seed)} if given.clips else {}
    for name in given.models:
        model = mp.load("text_to_motion", name)
        columns[name] = made_kinds(model, given.samples, given.seed)
        if given.clips:
            joins[name] = edits(model, data, given.clips, given.seed)
    rows = [
        [
            kind.text + (f", {kind.seconds:g} s" if kind.seconds else ""),
            *(", ".join(f"{key} {value:.3g}" for key, value in column[k].items()) for column in columns.values()),
        ]
        for k, kind in enumerate(KINDS)
    ]
    rows += [
        [f"seam: {name}, cm", *(f"{join[name]:.1f}" for join in joins.values())]
        for name in next(iter(joins.values()), {})
    ]
    print(table(rows, ["", *columns]))
    write_json(given.out, {"kinds": [kind.text for kind in KINDS], "seen": columns, "seams": joins, **environment()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
