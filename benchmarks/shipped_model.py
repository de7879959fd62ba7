"""Does the shipped text model do what it is told? The acceptance benchmark, judged by a recogniser of real motion.

    python -m benchmarks.shipped_model --out results/shipped_model.json

Told, "captions": for every pair of labels (content, style) with test clips, ``--samples`` motions from their captions,
each of the length of its clip, at the default sampler. "rare": ``--rare-samples`` for the pairs that have training
clips only (mostly one), from those clips' captions; on these nobody can say how good the recogniser is, so no target
is set.
"wordings": the sentences of ``unseen_wordings.yaml``, none of which was in training; "wordings, tested": those among
them whose content has test clips.
Judged: the recogniser's content and style; turns, speeds and hands as told; skating and other physics, beside the same
numbers of the very clips that the captions came from ("real"). The exit status is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.common import environment, table, verdicts, write_json
from motion_platform.core import registry
from motion_platform.core.config import DataRecipe
from motion_platform.core.contracts import Metric, State
from motion_platform.core.schema import Batch, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import seed_of
from motion_platform.data.prepared import PreparedDataset
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import open_data

WORDINGS = Path(__file__).with_name("unseen_wordings.yaml")
PHYSICS = ("foot_skating", "floor_penetration", "floating", "jerk", "bone_length_drift")
TARGETS = ("content", "style")
Pair = tuple[str, str]


@dataclass(frozen=True)
class Request:
    """One motion to make. right: target -> the labels that count as right (the first is the one told)."""

    id: str
    text: str
    low: str | None
    frames: int
    right: dict[str, tuple[str, ...]]
    clip: int  # the row of the real clip that it is compared with

    @property
    def labels(self) -> dict[str, str]:
        return {target: labels[0] for target, labels in self.right.items()}


def clips_by_pair(data: PreparedDataset) -> dict[Pair, dict[str, list[int]]]:
    """(content, style) -> split -> rows of clips with captions, without mirrored copies."""
    pairs: dict[Pair, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i in data.indices():
        labels = data.labels(i)
        if not data.mirrored(i) and {"content", "style"} <= labels.keys() and data.captions(i)[0]:
            pairs[labels["content"], labels["style"]][data.split(i)].append(i)
    return {pair: dict(splits) for pair, splits in sorted(pairs.items())}


def told_by_captions(
    data: PreparedDataset, pairs: dict[Pair, dict[str, list[int]]], samples: int, seed: int, max_frames: int
) -> list[Request]:
    """``samples`` requests a pair, their captions drawn from test clips (else val, else train)."""
    requests = []
    for (content, style), splits in pairs.items():
        rows = next(splits[name] for name in ("test", "val", "train") if splits.get(name))
        draw = random.Random(seed_of(seed, "captions", content, style))
        for n in range(samples):
            clip = rows[n % len(rows)] if n < len(rows) else draw.choice(rows)
            high, low = data.captions(clip)
            frames = min(int(data.frames[clip]), max_frames)
            right = {"content": (content,), "style": (style,)}
            low_text = draw.choice(low) if low else None
            requests.append(Request(f"{content}/{style}/{n}", draw.choice(high), low_text, frames, right, clip))
    return requests


def told_by_wordings(
    data: PreparedDataset, pairs: dict[Pair, dict[str, list[int]]], samples: int, seed: int, max_frames: int
) -> tuple[list[Request], list[str]]:
    """``samples`` requests a sentence of the held-out wordings, and what was left out because no clip shows it."""
    requests, left_out = [], []
    for content, sentences in yaml.safe_load(WORDINGS.read_text(encoding="utf-8")).items():
        for k, sentence in enumerate(sentences):
            contents, styles = (
                _tuple(sentence.get(key, default)) for key, default in [("content", content), ("style", ())]
            )
            known = [(c, s) for c in contents for s in styles if (c, s) in pairs]
            if not known:
                left_out.append(f"{content}: {sentence['say']}")
                continue
            rows = [i for pair in known for split in pairs[pair].values() for i in split]
            draw = random.Random(seed_of(seed, "wordings", sentence["say"]))
            for n in range(samples):
                clip = draw.choice(rows)
                frames = min(int(data.frames[clip]), max_frames)
                right = {"content": (content, *(c for c in contents if c != content)), "style": styles}
                requests.append(Request(f"unseen/{content}/{k}/{n}", sentence["say"], None, frames, right, clip))
    return requests, left_out


def _tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@dataclass(frozen=True)
class Verdict:
    """One motion: what was right (target -> labels), what the recogniser saw."""

    request: Request
    answer: dict[str, str]

    def good(self, target: str) -> bool:
        return self.answer[target] in self.request.right[target]


class Judge:
    """Gathers, over batches, what the recogniser saw and what the metrics say."""

    def __init__(self, recogniser: Any) -> None:
        self.recogniser = recogniser
        self.metrics: list[Metric] = [registry.build("metrics", name) for name in ("instructed", *PHYSICS)]
        self.states: list[State] = []
        self.verdicts: list[Verdict] = []

    def add(self, motion: Motion, requests: Sequence[Request]) -> None:
        ids, labels = [r.id for r in requests], [r.labels for r in requests]
        batch = Batch(ids=ids, raw={}, lengths=motion.lengths, motion=motion, labels=labels)
        states = [metric.state(motion, batch, None) for metric in self.metrics]
        merged = [a.merge(b) for a, b in zip(self.states, states, strict=True)] if self.states else states
        self.states = merged
        answers = self.recogniser.classify(motion)
        self.verdicts += [Verdict(*pair) for pair in zip(requests, answers, strict=True)]

    def only(self, ids: set[str]) -> Judge:
        """The recogniser's part of some requests alone."""
        judge = Judge(self.recogniser)
        judge.verdicts = [v for v in self.verdicts if v.request.id in ids]
        return judge

    def values(self) -> dict[str, float]:
        """Part of the motions with the right content and style, and what every metric computes."""
        values = {t: float(np.mean([v.good(t) for v in self.verdicts])) for t in TARGETS}
        for state in self.states:
            values |= state.compute()
        return values

    def mistakes(self, target: str, count: int) -> dict[str, int]:
        """ "told -> seen" -> how often, the most frequent first."""
        wrong = [v for v in self.verdicts if not v.good(target)]
        return dict(Counter(f"{v.request.labels[target]} -> {v.answer[target]}" for v in wrong).most_common(count))

    def worst(self, target: str, count: int) -> dict[str, float]:
        """The label pairs with the lowest accuracy, where it is below 1."""
        rates: dict[str, list[bool]] = defaultdict(list)
        for v in self.verdicts:
            rates["/".join(v.request.labels.values())].append(v.good(target))
        ordered = sorted((float(np.mean(goods)), pair) for pair, goods in rates.items())
        return {pair: rate for rate, pair in ordered[:count] if rate < 1}


def real(data: PreparedDataset, spec: MotionSpec, requests: Sequence[Request]) -> Motion:
    """The real clips of the requests, cut to their lengths."""
    columns = data.columns(spec.representation)
    clips = [torch.from_numpy(np.array(data.features(r.clip, columns)[: r.frames])) for r in requests]
    lengths = torch.tensor([len(clip) for clip in clips])
    return Motion(torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), lengths, spec)


def judge(
    requests: Sequence[Request], make: Callable[[Sequence[Request]], Motion], judge: Judge, batch_size: int, what: str
) -> float:
    """Make and judge all requests, of like lengths together; returns the seconds that making took."""
    ordered = sorted(requests, key=lambda r: (r.frames, r.id))
    took = 0.0
    for start in range(0, len(ordered), batch_size):
        chosen = ordered[start : start + batch_size]
        begin = time.perf_counter()
        motion = make(chosen)
        took += time.perf_counter() - begin
        judge.add(motion.to("cpu"), chosen)
        print(f"\r{what}: {min(start + batch_size, len(ordered))}/{len(ordered)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="text_to_motion_small", help="checkpoint by name or folder")
    parser.add_argument("--recogniser", default="recogniser", help="checkpoint by name or folder")
    parser.add_argument("--data", default="bandai_cmu", help="name of the prepared data")
    parser.add_argument("--folder", help="where the prepared data lies (default: as in recipes)")
    parser.add_argument("--samples", type=int, default=20, help="motions a pair of labels")
    parser.add_argument("--rare-samples", type=int, default=4, help="motions a pair that has training clips only")
    parser.add_argument("--wording-samples", type=int, default=5, help="motions a held-out sentence")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--low", action="store_true", help="give the low-level text of the clip as well")
    parser.add_argument("--max-frames", type=int, default=196)
    parser.add_argument("--steps", type=int, help="instead of the model's default")
    parser.add_argument("--guidance", type=float, help="of the first text, instead of the model's default")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--real-only", action="store_true", help="only the real clips: the ceiling of every number")
    parser.add_argument("--out", help="JSON file")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    begin = time.perf_counter()

    data = open_data(DataRecipe(name=arguments.data, folder=arguments.folder))
    recogniser = MotionModel.from_pretrained(arguments.recogniser).trainable
    pairs = clips_by_pair(data)
    tested = {pair: splits for pair, splits in pairs.items() if "test" in splits}
    rare = {pair: splits for pair, splits in pairs.items() if "test" not in splits}
    told = told_by_captions(data, tested, arguments.samples, arguments.seed, arguments.max_frames)
    told_rare = told_by_captions(data, rare, arguments.rare_samples, arguments.seed, arguments.max_frames)
    sentences = (arguments.wording_samples, arguments.seed, arguments.max_frames)
    wordings, left_out = told_by_wordings(data, pairs, *sentences)
    known = {content for content, _ in tested}
    wordings_tested = [r for r in wordings if r.labels["content"] in known]
    print(
        f"{len(tested)} label pairs with test clips, {len(told)} motions; {len(rare)} without, {len(told_rare)} motions"
    )
    print(
        f"{len(wordings)} motions from held-out wordings; {len(left_out)} sentences left out: no such clip in the data"
    )

    spec = data.spec(recogniser.spec.representation)
    judges = {"real": Judge(recogniser)}
    judge(told, lambda chosen: real(data, spec, chosen), judges["real"], arguments.batch_size, "real clips")
    took: dict[str, float] = {}
    if not arguments.real_only:
        model = MotionModel.from_pretrained(arguments.model, device=arguments.device)
        first, *others = model.card.slots
        guidance = {} if arguments.guidance is None else {first: arguments.guidance}
        sampling = Sampling(guidance=guidance, steps=arguments.steps)

        def make(chosen: Sequence[Request]) -> Motion:
            raw: dict[str, list[str | None]] = {first: [r.text for r in chosen]}
            if arguments.low and others:
                raw[others[0]] = [r.low for r in chosen]
            lengths, ids = [r.frames for r in chosen], [r.id for r in chosen]
            return model.generate(raw, lengths, ids, seed=arguments.seed, sampling=sampling)

        for name, requests in (("captions", told), ("rare", told_rare), ("wordings", wordings)):
            judges[name] = Judge(recogniser)
            took[name] = judge(requests, make, judges[name], arguments.batch_size, name)
        judges["wordings, tested"] = judges["wordings"].only({r.id for r in wordings_tested})

    values = {name: one.values() for name, one in judges.items()}
    shown = list(dict.fromkeys(key for column in values.values() for key in column))
    print(table([[k, *(f"{v[k]:.4g}" if k in v else "-" for v in values.values())] for k in shown], ["", *values]))
    good = True
    if not arguments.real_only:
        results = acceptance(values)
        text, good = verdicts(results)
        print(text)
    for name, one in judges.items():
        for target in TARGETS:
            print(f"{name}, {target}, told -> seen: {one.mistakes(target, 6)}; worst: {one.worst(target, 6)}")
    write_json(
        arguments.out,
        {
            "settings": vars(arguments),
            "pairs_with_test_clips": len(tested),
            "pairs_without": len(rare),
            "motions": {name: len(one.verdicts) for name, one in judges.items()},
            "left_out_sentences": left_out,
            "values": values,
            "mistakes": {name: {t: one.mistakes(t, 30) for t in TARGETS} for name, one in judges.items()},
            "worst_pairs": {name: {t: one.worst(t, 30) for t in TARGETS} for name, one in judges.items()},
            "sampling_seconds": took,
            "wall_seconds": time.perf_counter() - begin,
            "environment": environment(),
        },
    )
    sys.exit(0 if good else 1)


def acceptance(values: dict[str, dict[str, float]]) -> list[tuple[str, float, str, float]]:
    """(what, measured, relation, target): what the shipped model must reach."""
    captions, wordings, clips = values["captions"], values["wordings"], values["real"]
    ratio = captions["foot_skating_cm_per_contact_frame"] / clips["foot_skating_cm_per_contact_frame"]
    return [
        ("content", captions["content"], ">=", 0.97),
        ("style", captions["style"], ">=", 0.95),
        ("content, held-out wordings", wordings["content"], ">=", 0.90),
        ("turns as told", captions["instructed_turn"], ">=", 0.95),
        ("order of speeds as told", captions["instructed_speed"], ">=", 0.95),
        ("hands as told", captions["instructed_hand"], ">=", 0.95),
        ("foot skating ratio / real clips'", captions["foot_skating_frames"] / clips["foot_skating_frames"], "<=", 1.3),
        ("skate per contact frame / real clips'", ratio, "<=", 1.3),
    ]


if __name__ == "__main__":
    main()
