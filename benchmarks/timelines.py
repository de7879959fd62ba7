"""How well do several actions become one motion? Borders, order, feet; and three wrong motions that must be caught.

    python -m benchmarks.timelines text_to_motion_masked text_to_motion_small

``--timelines`` of five different actions each (``ACTIONS``, drawn by ``--seed``), 2 to 8 s an action, as
the model picks. Per model: ``transition_report`` (metrics/transitions.py: jerk within 0.5 s of a border by that
elsewhere, its area, the largest second difference within two frames of a border); "right": the share of spans in
which the shipped recogniser sees the action; "order": the share of spans whose own text is the nearest of the
timeline's five texts in the space ``text_motion`` (R-precision, top 1 of 5, as FlowMDM takes it per subsequence); feet:
how fast a foot slides that is low, cm/s. The same of each action made alone, which is the ceiling. Wrong motions: the
actions made alone and laid end to end ("hard cut"), the first frame held ("statue"), the spans in another order
("shuffled"). Targets: jerk ratio at most 1.5, and feet at most 1.25 times those of the actions alone; the measures must
call each wrong motion worse: the hard cut by its jerk and pop, the statue and the shuffled one by order.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.common import concluded, table
from motion_platform.core.schema import Motion
from motion_platform.metrics.transitions import transition_report
from motion_platform.model.run import Run, load_run
from motion_platform.motion.bodies import clips_of, features_of
from motion_platform.motion.clip import Clip
from motion_platform.pipelines import generate, timeline

ACTIONS = {
    "a person walks forward": "walk",
    "a person runs": "run dash",
    "a person walks backwards": "walk-back",
    "a person waves the right hand": "wave-right-hand",
    "a person waves the left hand": "wave-left-hand",
    "a person waves both hands": "wave-both-hands",
    "a person raises the left hand": "raise-up-left-hand",
    "a person raises the right hand": "raise-up-right-hand",
    "a person raises both hands": "raise-up-both-hands",
    "a person bows": "bow",
    "a person kicks": "kick",
    "a person punches": "punch",
    "a person walks and turns left": "walk-turn-left",
    "a person dances": "dance-short",
}
SHORTEST, LONGEST, EACH = 2.0, 8.0, 5
FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot")
LOW = 0.05
"""Metres over its lowest place in the motion: a foot that should stand."""
COLUMNS = ("jerk_ratio", "peak_ratio", "area_under_jerk", "pop", "right", "order", "feet")


def slide(clip: Clip) -> float:
    """How fast low feet move over the floor, cm/s."""
    feet = clip.joints[:, [clip.skeleton.index(name) for name in FEET]]
    speed = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1) * clip.fps
    low = feet[:-1, :, 1] < feet[..., 1].min(0) + LOW
    return float(100 * speed[low].mean())


class Judge:
    """The shipped recogniser and the space of texts and motions, on spans of clips."""

    def __init__(self) -> None:
        self.recogniser, self.space = load_run("recogniser").model, load_run("text_motion").model

    def _motions(self, spans: Sequence[Clip], model: torch.nn.Module) -> Motion:
        rows = [features_of(span, model.spec) for span in spans]
        lengths = torch.tensor([len(row) for row in rows])
        x = torch.zeros(len(rows), int(lengths.max()), rows[0].shape[-1])
        for k, row in enumerate(rows):
            x[k, : len(row)] = row
        return Motion(x, lengths, model.spec)

    @torch.no_grad()
    def seen(self, clip: Clip, frames: Sequence[int]) -> list[str]:
        """The content that the recogniser sees in each span of a clip, of so many frames each."""
        ends = np.cumsum(frames)
        spans = [clip.with_(joints=clip.joints[end - n : end]) for end, n in zip(ends, frames, strict=True)]
        found = self.recogniser.trainable.classify(self._motions(spans, self.recogniser))
        return [labels["content"] for labels in found]

    @torch.no_grad()
    def judge(self, clip: Clip, texts: Sequence[str], frames: Sequence[int], told: Sequence[str]) -> dict[str, float]:
        """Measures of one clip whose spans of so many ``frames`` were to show ``texts``; told: in which order."""
        ends = np.cumsum(frames)
        spans = [clip.with_(joints=clip.joints[end - n : end]) for end, n in zip(ends, frames, strict=True)]
        right = [label in ACTIONS[text].split() for label, text in zip(self.seen(clip, frames), told, strict=True)]
        slots = {slot: list(texts) for slot in self.space.card.slots}
        words = self.space.trainable.embed_condition(self.space.conditioning(slots))
        bodies = self.space.trainable.embed(self._motions(spans, self.space))
        nearest = torch.cdist(bodies, words).argmin(1)
        order = [texts[k] == text for k, text in zip(nearest.tolist(), told, strict=True)]
        report = transition_report(clip.joints, list(ends[:-1]), clip.fps)
        return {**report, "right": float(np.mean(right)), "order": float(np.mean(order)), "feet": slide(clip)}


def lengths_of(run: Run) -> dict[str, float]:
    """Seconds of every action, as the model picks, within limits."""
    picked = generate.natural_seconds(run, list(ACTIONS))
    return dict(zip(ACTIONS, (min(max(s, SHORTEST), LONGEST) for s in picked), strict=True))


def laid_end_to_end(run: Run, texts: Sequence[str], seconds: Sequence[float], seed: int) -> tuple[Clip, list[Clip]]:
    """The actions made alone and put behind each other in the model's own features; and each by itself."""
    alone = generate.generate_texts(run, texts, seconds=seconds, seed=seed)
    x = torch.cat([features_of(clip, run.model.spec) for clip in alone])
    return clips_of(Motion(x[None], torch.tensor([len(x)]), run.model.spec))[0], alone


def measure(name: str, count: int, seed: int, judge: Judge) -> tuple[list[list[str]], dict[str, dict[str, float]]]:
    """Rows of the table, and {what: {measure: mean over timelines}}."""
    run, draw = generate.load("text_to_motion", name), random.Random(seed)
    seconds = lengths_of(run)
    found: dict[str, list[dict[str, float]]] = {}
    for number in range(count):
        texts = draw.sample(list(ACTIONS), EACH)
        each = [seconds[text] for text in texts]
        frames = [round(s * run.model.spec.fps) for s in each]
        plan = timeline.read_timeline(list(zip(texts, each, strict=True)))
        began = time.perf_counter()
        clip = timeline.make(run, [plan], seed=seed + number)[0]
        took = time.perf_counter() - began
        cut, alone = laid_end_to_end(run, texts, each, seed + number)
        cut_frames = [len(clip) - 1 for clip in alone]
        still = clip.with_(joints=np.repeat(clip.joints[:1], len(clip), axis=0))
        ways = {
            "one motion": judge.judge(clip, texts, frames, texts) | {"seconds": took},
            "hard cut": judge.judge(cut, texts, cut_frames, texts),
            "statue": judge.judge(still, texts, frames, texts),
            "shuffled": judge.judge(clip, texts, frames, [*texts[1:], texts[0]]),
        }
        ways["alone"] = {"feet": float(np.mean([slide(each) for each in alone]))} | {
            key: ways["hard cut"][key] for key in ("right", "order")
        }
        for way, values in ways.items():
            found.setdefault(way, []).append(values)
    means = {way: {key: float(np.mean([row[key] for row in rows])) for key in rows[0]} for way, rows in found.items()}
    rows = [[name, way, *(f"{values[key]:.3g}" if key in values else "-" for key in COLUMNS)] for way, values in
            means.items()]  # fmt: skip
    return rows, means


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--timelines", type=int, default=12)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--out")
    asked = parser.parse_args(arguments)
    judge, rows, results, checks = Judge(), [], {}, []
    for name in asked.models:
        more, means = measure(name, asked.timelines, asked.seed, judge)
        rows, results[name] = rows + more, means
        made, cut = means["one motion"], means["hard cut"]
        checks += [
            (f"{name}: jerk ratio", made["jerk_ratio"], "<=", 1.5),
            (f"{name}: feet by those of the actions alone", made["feet"] / means["alone"]["feet"], "<=", 1.25),
            (f"{name}: right, by the actions alone", made["right"] / max(means["alone"]["right"], 1e-9), ">=", 0.9),
            (f"{name}: hard cut jerks more", cut["jerk_ratio"] / made["jerk_ratio"], ">=", 1.5),
            (f"{name}: hard cut pops more", cut["pop"] / made["pop"], ">=", 2.0),
            (f"{name}: order of the statue, by ours", means["statue"]["order"] / made["order"], "<=", 0.5),
            (f"{name}: order of the shuffled, by ours", means["shuffled"]["order"] / made["order"], "<=", 0.5),
        ]
    print(table(rows, ["model", "", *COLUMNS]))
    return concluded(checks, asked.out, {"results": results, "arguments": vars(asked)})


if __name__ == "__main__":
    raise SystemExit(main())
