"""Does a model do what a stranger types? 150 sentences by somebody who had not seen the training captions.

    OMP_NUM_THREADS=1 python -m benchmarks.unseen_wordings text_to_motion_masked text_to_motion_small --data FOLDER

The sentences of ``unseen_wordings.csv``: 60 kinds in other words, 50 styles in other words, 40 sides. Columns:
sentence; content and style, one label or several between bars, any of which is right; group. Each is made ``--samples``
times by the default settings (natural length, planner, finished motion) and given to the recogniser of real motion. A
value is the mean over sentences of the part of their motions that is right, in brackets its 95 % interval: percentile
bootstrap over sentences (Efron 1979), so the choice of sentences is in it. "style" and "both" are of the sentences with
a style.

Bounds. "other sentences": the same motions, judged by the labels of every other sentence. "statues": the middle pose of
every motion, standing still for as long. "mean pose": the mean of the training features, the same. With ``--data``
(prepared bandai_cmu) "nearest caption": training clips whose first caption is nearest to the sentence, whole; and the
group "styles, known": those sentences whose content and style some training clip shows together.
``--captions SPLIT`` takes the captions of a split of ``--data`` instead: each alone, as it is typed, where ``motion
evaluate`` gives the model the low-level text of the clip, too.
The exit status is 1 when a model misses a target or the low end of its interval is below a bound without words.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import motion_platform as mp
from benchmarks.common import environment, table, verdicts, write_json
from benchmarks.plain_sentences import clip_of
from motion_platform.core.config import DataRecipe
from motion_platform.core.errors import DataError, suggest
from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.core.seeding import seed_of
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation.bounds.motion import nearest_captions
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import open_data
from motion_platform.motion.bodies import clips_of, features_of
from motion_platform.spaces.recogniser import Recogniser
from motion_platform.texts.bandai import CANONICAL_STYLES

SENTENCES = Path(__file__).with_suffix(".csv")
TARGETS = {"content": 0.95, "style": 0.90}
"""What a model must reach over all sentences (that say one)."""
MEASURES = (*TARGETS, "both")
WORDLESS = ("other sentences", "statues", "mean pose")
"""Bounds that have not read the sentence."""
LOOKED_UP = "nearest caption"
REPEATS, BATCH = 10_000, 64


@dataclass(frozen=True)
class Sentence:
    """What is typed. right: target -> the labels of which any is right; no key where the sentence does not say."""

    text: str
    right: Mapping[str, frozenset[str]]
    group: str


def read(path: Path, targets: Mapping[str, Sequence[str]]) -> list[Sentence]:
    """The sentences of a file; targets: the labels of a recogniser. DataError names the line of an unknown label."""
    sentences = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            right = {}
            for target in TARGETS:
                labels = frozenset(CANONICAL_STYLES.get(label, label) for label in row[target].split("|") if label)
                for label in labels - set(targets[target]):
                    raise DataError(f"{path}:{number}: no {target} {label!r}; {suggest(label, targets[target])}")
                if labels:
                    right[target] = labels
            sentences.append(Sentence(row["sentence"], right, row["group"]))
    return sentences


def captions_of(data: PreparedDataset, split: str) -> list[Sentence]:
    """The first caption of every clip of a split with labels, without mirrored copies, as somebody would type it."""
    sentences = []
    for i in data.indices(split):
        labels = data.labels(i)
        if not data.mirrored(i) and set(TARGETS) <= labels.keys():
            right = {target: frozenset({CANONICAL_STYLES.get(labels[target], labels[target])}) for target in TARGETS}
            sentences.append(Sentence(data.captions(i)[0][0], right, "captions"))
    return sentences


@torch.no_grad()
def answers(recogniser: Recogniser, clips: Sequence[mp.Clip]) -> list[dict[str, str]]:
    """target -> label of every clip."""
    features = [features_of(clip, recogniser.spec) for clip in clips]
    labels = []
    for start in range(0, len(features), BATCH):
        part = features[start : start + BATCH]
        x = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
        labels += recogniser.classify(Motion(x, torch.tensor([len(each) for each in part]), recogniser.spec))
    return labels


def hits(sentence: Sentence, answer: Mapping[str, str]) -> dict[str, bool]:
    """measure -> whether a motion shows it; without the measures that the sentence says nothing of."""
    right = {target: answer[target] in labels for target, labels in sentence.right.items()}
    return {**right, "both": all(right.values())} if len(right) == len(TARGETS) else right


def rates(sentences: Sequence[Sentence], seen: Sequence[Sequence[Mapping[str, str]]]) -> list[dict[str, float]]:
    """measure -> the part of a sentence's motions that show it, for every sentence. seen: its motions' answers."""
    found = []
    for sentence, motions in zip(sentences, seen, strict=True):
        each = [hits(sentence, answer) for answer in motions]
        found.append({measure: float(np.mean([hit[measure] for hit in each])) for measure in each[0]})
    return found


def other_sentences(
    sentences: Sequence[Sentence], seen: Sequence[Sequence[Mapping[str, str]]]
) -> list[dict[str, float]]:
    """As :func:`rates`, of the motions of all other sentences: the expectation over all ways to shuffle."""
    others = [[answer for j, motions in enumerate(seen) if j != i for answer in motions] for i in range(len(seen))]
    return rates(sentences, others)


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % interval: percentiles of the means of ``REPEATS`` samples with replacement."""
    array = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(array), (REPEATS, len(array)))
    low, high = np.quantile(array[draws].mean(1), (0.025, 0.975))
    return float(array.mean()), float(low), float(high)


def summary(
    groups: Mapping[str, Sequence[int]], found: Sequence[Mapping[str, float]]
) -> dict[str, tuple[float, float, float]]:
    """ "group, measure" -> mean and interval; groups: name -> the places of its sentences."""
    rows = {}
    for group, places in groups.items():
        for measure in MEASURES:
            values = [found[i][measure] for i in places if measure in found[i]]
            if values:
                rows[f"{group}, {measure}"] = interval(values)
    return rows


def groups_of(sentences: Sequence[Sentence], pairs: set[tuple[str, str]] | None = None) -> dict[str, list[int]]:
    """Name -> places of its sentences; pairs: the (content, style) of the training clips, for "styles, known"."""
    groups: dict[str, list[int]] = {}
    for i, sentence in enumerate(sentences):
        groups.setdefault(sentence.group, []).append(i)
        shown = [c in sentence.right["content"] and s in sentence.right.get("style", ()) for c, s in pairs or ()]
        if any(shown):
            groups.setdefault(f"{sentence.group}, known", []).append(i)
    return {**groups, "all": list(range(len(sentences)))}


def frozen(clip: mp.Clip) -> mp.Clip:
    """The middle pose of a clip, for as long."""
    return clip.with_(joints=np.repeat(clip.joints[len(clip) // 2][None], len(clip), 0), rotations=None)


def mean_pose(spec: MotionSpec, frames: int) -> mp.Clip:
    """The mean of a model's training features, standing still."""
    one = clips_of(Motion(spec.mean[None, None].float(), torch.tensor([1]), spec))[0]
    return one.with_(joints=np.repeat(one.joints, frames, 0), rotations=None)


def looked_up(data: PreparedDataset, texts: Sequence[str], samples: int, seed: int) -> list[list[mp.Clip]]:
    """``samples`` training clips for every text, drawn from those with the nearest first caption."""
    rows = [row for row in data.indices("train") if data.captions(row)[0]]
    near = nearest_captions(texts, [data.captions(row)[0][0] for row in rows])
    return [
        [clip_of(data, rows[near[t][seed_of(seed, t, str(k)) % len(near[t])]]) for k in range(samples)] for t in texts
    ]


def mistakes(sentences: Sequence[Sentence], seen: Sequence[Sequence[Mapping[str, str]]]) -> list[dict[str, Any]]:
    """Sentences of which at most half the motions are right in all that is said, and what was seen instead."""
    found = []
    for sentence, motions in zip(sentences, seen, strict=True):
        if np.mean([all(hits(sentence, answer).values()) for answer in motions]) <= 0.5:
            said = {target: sorted(labels) for target, labels in sentence.right.items()}
            shown = Counter("/".join(answer[target] for target in sentence.right) for answer in motions)
            found.append({"sentence": sentence.text, "group": sentence.group, "said": said, "seen": dict(shown)})
    return found


def in_rows(answered: Sequence[dict[str, str]], samples: int) -> list[list[dict[str, str]]]:
    """The answers of each sentence."""
    return [list(answered[i : i + samples]) for i in range(0, len(answered), samples)]


def in_columns(
    values: Mapping[str, Mapping[str, tuple[float, float, float]]],
) -> tuple[list[list[str]], list[str]]:
    """Rows and header of a table in per cent: a column a system, "group, measure" in the lines."""
    rows = [
        [key, *(f"{100 * mean:.1f} ({100 * low:.0f} to {100 * high:.0f})" for mean, low, high in line)]
        for key, line in ((key, [column[key] for column in values.values()]) for key in next(iter(values.values())))
    ]
    return rows, ["%", *values]


def report(what: str, done: int, total: int) -> None:
    """How far the making is, on one line of the terminal."""
    print(f"\r{what}: {done}/{total}", end="" if done < total else "\n", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="shipped names or checkpoint folders")
    parser.add_argument("--samples", type=int, default=3, help="motions a sentence")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plan", default="rules", help='the planner; "none": sentences are given as they are')
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--captions", metavar="SPLIT", help="the captions of a split of --data instead of --sentences")
    parser.add_argument("--recogniser", default="recogniser", help="shipped name or checkpoint folder")
    parser.add_argument("--data", type=Path, help="folder of the prepared bandai_cmu, for the bound by looking up")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    recogniser = MotionModel.from_pretrained(given.recogniser).trainable
    if given.captions is not None and given.data is None:
        parser.error("--captions: is for --data, the folder whose captions are meant")
    data = open_data(DataRecipe(name="bandai_cmu", folder=str(given.data))) if given.data is not None else None
    if data is not None and given.captions is not None:
        sentences = captions_of(data, given.captions)
    else:
        sentences = read(given.sentences, recogniser.targets)
    texts = [sentence.text for sentence in sentences]
    columns: dict[str, list[dict[str, float]]] = {}
    wrong, pairs = {}, None
    if data is not None:
        labels = [data.labels(row) for row in data.indices("train")]
        pairs = {(each["content"], each["style"]) for each in labels if TARGETS.keys() <= each.keys()}
        clips = [clip for near in looked_up(data, texts, given.samples, given.seed) for clip in near]
        columns[LOOKED_UP] = rates(sentences, in_rows(answers(recogniser, clips), given.samples))
    for name in given.models:
        model = mp.load("text_to_motion", name)
        clips = model(texts, plan=given.plan, samples=given.samples, seed=given.seed, progress=report)
        shown = {
            name: answers(recogniser, clips),
            f"{name}: statues": answers(recogniser, [frozen(clip) for clip in clips]),
            f"{name}: mean pose": answers(recogniser, [mean_pose(model.run.model.spec, len(c)) for c in clips]),
        }
        seen = {column: in_rows(answered, given.samples) for column, answered in shown.items()}
        wrong[name] = mistakes(sentences, seen[name])
        columns |= {column: rates(sentences, each) for column, each in seen.items()}
        columns[f"{name}: other sentences"] = other_sentences(sentences, seen[name])
        print(f"{name}: {len(clips)} motions", file=sys.stderr)
    groups = groups_of(sentences, pairs)
    values = {column: summary(groups, found) for column, found in columns.items()}
    results = []
    for name in given.models:
        bounds = {bound: values[f"{name}: {bound}"] for bound in WORDLESS}
        print(table(*in_columns({name: values[name], **bounds, **{k: values[k] for k in values if k == LOOKED_UP}})))
        for target, must in TARGETS.items():
            if f"all, {target}" not in values[name]:  # no sentence says one
                continue
            mean, low, _ = values[name][f"all, {target}"]
            results.append((f"{name}: {target}", mean, ">=", must))
            results += [
                (f"{name}: {target}, low end, over {bound}", low, ">=", of[f"all, {target}"][0])
                for bound, of in bounds.items()
            ]
    text, good = verdicts(results)
    print(text)
    for name, each in wrong.items():
        for one in each:
            print(f"{name}, {one['group']}: {one['sentence']!r} must be {one['said']}, seen: {one['seen']}")
    per_group = Counter(sentence.group for sentence in sentences)
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(given).items()}
    found = {"settings": settings, "sentences": per_group, "values": values, "mistakes": wrong}
    write_json(given.out, {**found, **environment()})
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
