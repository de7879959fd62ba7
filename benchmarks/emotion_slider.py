"""Between two emotions: does the recogniser see less of the one and more of the other at every step?

    python -m benchmarks.emotion_slider --data FOLDER --pairs happy:angry,sad:happy --out results/slider.json

Every sentence of the split (each recording once) is made in five mixtures of two emotions, from all of the first to all
of the second (``--emotion happy:0.75,angry:0.25``), with one noise. Shown is what the recogniser (``gesture_space``)
gives to each of the two, in the mean over sentences with 95 % intervals, and the slider itself: the probability of the
second by the sum of both. It is monotone where that rises, and neither probability goes the wrong way, at every step.
``--keep FOLDER`` keeps a film strip of the first sentence, a row a step.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.common import environment, table, write_json

STEPS = 5


def mixture(first: str, second: str, share: float) -> str:
    """As ``--emotion`` takes it."""
    if share in (0.0, 1.0):
        return second if share else first
    return f"{first}:{1 - share:g},{second}:{share:g}"


def summary(first: np.ndarray, second: np.ndarray) -> dict:
    """Probabilities (steps, sentences) of two emotions -> means, intervals, the slider, and whether it is monotone."""
    slider = second / np.maximum(first + second, 1e-9)
    means = {"first": first.mean(1), "second": second.mean(1), "slider": slider.mean(1)}
    half = {name: 1.96 * x.std(1, ddof=1) / np.sqrt(x.shape[1]) for name, x in
            (("first", first), ("second", second), ("slider", slider))}  # fmt: skip
    right = (np.diff(means["first"]) <= 0).all() and (np.diff(means["second"]) >= 0).all()
    return {
        **{name: [round(float(v), 4) for v in x] for name, x in means.items()},
        **{f"{name}_interval": [round(float(v), 4) for v in x] for name, x in half.items()},
        "monotone": bool(right and (np.diff(means["slider"]) > 0).all()),
        "sentences_monotone": float((np.diff(slider, axis=0) >= -0.01).all(0).mean()),
    }


def walk(model: str, data: str, pair: tuple[str, str], split: str, seed: int, keep: Path | None) -> dict:
    """All steps of one pair over the sentences of a split."""
    import torch

    from motion_platform.data.prepared import PreparedDataset
    from motion_platform.model.run import load_run
    from motion_platform.motion import bodies, io
    from motion_platform.pipelines import texts

    run, judge = load_run(model), load_run("gesture_space").model
    opened = PreparedDataset.open(data)
    rows = {opened.source(row): row for row in sorted(opened.indices(split), key=opened.id, reverse=True)}
    order = sorted(rows.values(), key=opened.id)
    sounds = [opened.audio(row) for row in order]
    lengths = [int(opened.frames[row]) for row in order]
    labels = judge.trainable.targets["emotion"]
    seen, strips = [], []
    for share in np.linspace(0, 1, STEPS):
        asked = mixture(*pair, float(share))
        value = texts.label_of(run, "emotion", asked)
        raw = {"speech": sounds, "emotion": [value] * len(order)}
        motion = run.model.generate(raw, lengths, [opened.id(row) for row in order], seed=seed)
        with torch.no_grad():
            seen.append(judge.trainable.logits(motion)["emotion"].softmax(1).numpy())
        strips.append(bodies.clips_of(motion)[0].with_(captions=(asked,)))
        print(f"{asked}: done", file=sys.stderr, flush=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        io.save(strips, keep / f"{pair[0]}_{pair[1]}.png")
    probability = np.stack(seen)
    return summary(probability[..., labels.index(pair[0])], probability[..., labels.index(pair[1])])


def rows_of(found: dict[str, dict]) -> list[Sequence[str]]:
    """Lines of the table."""
    lines = []
    for name, got in found.items():
        for which in ("first", "second", "slider"):
            numbers = zip(got[which], got[f"{which}_interval"], strict=True)
            called = name.split(":")[which == "second"] if which != "slider" else f"{name}, slider"
            lines.append([called, *(f"{mean:.2f} ± {half:.2f}" for mean, half in numbers)])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/speech_gestures")
    parser.add_argument("--model", default="gesture_small")
    parser.add_argument("--pairs", default="happy:angry", help="FIRST:SECOND, with commas")
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for film strips")
    parser.add_argument("--out", help="JSON file")
    arguments = parser.parse_args()
    found = {}
    for each in arguments.pairs.split(","):
        first, _, second = each.partition(":")
        found[each] = walk(
            arguments.model, arguments.data, (first, second), arguments.split, arguments.seed, arguments.keep
        )
    shares = [f"{share:.0%} second" for share in np.linspace(0, 1, STEPS)]
    print(table(rows_of(found), ["probability of", *shares]))
    for each, got in found.items():
        said = "monotone" if got["monotone"] else "NOT monotone"
        print(f"{each}: {said}; of the sentences alone {got['sentences_monotone']:.0%}")
    write_json(arguments.out, {"model": arguments.model, "pairs": found, "environment": environment()})
    sys.exit(0 if all(got["monotone"] for got in found.values()) else 1)


if __name__ == "__main__":
    main()
