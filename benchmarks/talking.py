"""A talk of three minutes with pauses, and silence at both ends: do hands rest when nobody speaks, does anything jump?

    python -m benchmarks.talking --data FOLDER --models gesture_small,gesture_planner --out results/talking.json

The talk is put together from the sentences of the test split of ``speech_gestures``, with pauses of 0.4, 1, 2 and 4 s
in turn, 6 s of silence before and after, and 12 s in its middle. Measured on the clip as ``motion generate`` makes it:

- hands, raised and fast: height of the higher wrist above the pelvis, speed of the faster against the pelvis, while
  somebody speaks and in pauses of 4 s or more, from 2 s after the last word to 1 s before the next (a hand comes up);
- drift: in these pauses, how far the pelvis goes, and how far a wrist goes from where it was at first;
- seam step: the mean step of all joints where a piece takes over, by the mean step elsewhere;
- the fastest wrist, and the feet.

``--keep FOLDER`` keeps the talk and, for each model, three film strips: the beginning, the middle silence, a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import concluded, table

RATE = 16_000
PAUSES = (0.4, 1.0, 2.0, 4.0)
ENDS, MIDDLE = 6.0, 12.0
SETTLED, BEFORE = 2.0, 1.0
"""Seconds after the last word and before the next that a pause does not count."""
LONG = 4.0

Span = tuple[float, float]


def put_together(
    sentences: Sequence[np.ndarray], seconds: float, *, ends: float = ENDS, middle: float = MIDDLE
) -> tuple[np.ndarray, list[Span]]:
    """Recordings at 16 kHz -> (a talk of about ``seconds``, the spans in which somebody speaks), seconds.

    They come again from the first where there are too few.
    """
    parts, spans, now, k = [np.zeros(round(ends * RATE), np.float32)], [], ends, 0
    halved = False
    while now < seconds - ends:
        spoken = sentences[k % len(sentences)]
        spans.append((now, now + len(spoken) / RATE))
        pause = PAUSES[k % len(PAUSES)]
        if not halved and spans[-1][1] > seconds / 2:
            pause, halved = middle, True
        parts += [spoken, np.zeros(round(pause * RATE), np.float32)]
        now, k = spans[-1][1] + pause, k + 1
    last = round((now - spans[-1][1]) * RATE)
    parts[-1] = parts[-1][: min(last, round(ends * RATE))]
    parts.append(np.zeros(max(0, round(ends * RATE) - len(parts[-1])), np.float32))
    return np.concatenate(parts), spans


def sentences_of(folder: str, split: str = "test") -> list[np.ndarray]:
    """The recordings of a split of ``speech_gestures``, each once, in the order of their names."""
    from motion_platform.data.prepared import PreparedDataset

    data = PreparedDataset.open(folder)
    first: dict[str, int] = {}
    for row in sorted(data.indices(split), key=data.id):
        first.setdefault(data.source(row), row)
    found = []
    for row in first.values():
        samples = data.audio(row).samples
        if samples is None:
            raise SystemExit(f"{folder}: holds no sound; prepare speech_gestures with sound=true")
        found.append(np.asarray(samples, np.float32))
    return found


def silences(spans: Sequence[Span], seconds: float, least: float) -> list[Span]:
    """Where nobody speaks for ``least`` seconds, from ``SETTLED`` after the last word to ``BEFORE`` the next."""
    edges = [0.0, *(edge for span in spans for edge in span), seconds]
    gaps = [(edges[k], edges[k + 1]) for k in range(0, len(edges), 2)]
    cut = [(a + SETTLED * (a > 0), b - BEFORE * (b < seconds)) for a, b in gaps if b - a >= least]
    return [(a, b) for a, b in cut if b > a]


def measure(joints: np.ndarray, names: Sequence[str], fps: float, spans: Sequence[Span], seams: Sequence[int]) -> dict:
    """joints (T, J, 3) metres, and when somebody speaks -> the numbers of the table."""
    at = {name: joints[:, names.index(name)] for name in names}
    hands = np.stack([at["left_wrist"], at["right_wrist"]], 1) - at["pelvis"][:, None]
    height = hands[..., 1].max(1)
    speed = np.linalg.norm(np.gradient(hands, axis=0), axis=-1).max(1) * fps
    second = np.arange(len(joints)) / fps

    def within(parts: Sequence[Span]) -> np.ndarray:
        return np.any([(second >= a) & (second < b) for a, b in parts], axis=0)

    spoken, quiet = within(spans), within(silences(spans, len(joints) / fps, LONG))
    root, wander = [], []
    for a, b in silences(spans, len(joints) / fps, LONG):
        on = np.flatnonzero((second >= a) & (second < b))
        root.append(np.linalg.norm(at["pelvis"][on] - at["pelvis"][on[0]], axis=-1).max())
        wander.append(np.linalg.norm(hands[on] - hands[on[0]], axis=-1).max())
    step = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(-1)
    meets = np.array([seam - 1 for seam in seams if 0 < seam < len(joints)], int)
    feet = np.stack([at["left_ankle"], at["right_ankle"]], 1)
    exact = np.linalg.norm(np.diff(hands, axis=0), axis=-1) * fps
    return {
        "seconds": len(joints) / fps,
        "hand_height_in_speech_m": float(height[spoken].mean()),
        "hand_height_in_pauses_m": float(height[quiet].mean()),
        "hand_speed_in_speech_m_s": float(speed[spoken].mean()),
        "hand_speed_in_pauses_m_s": float(speed[quiet].mean()),
        "hand_drift_in_silence_m": float(max(wander)),
        "root_drift_in_silence_m": float(max(root)),
        "seam_step_ratio": float(step[meets].mean() / step.mean()) if len(meets) else 0.0,
        "largest_step_at_a_seam_by_the_99th_percentile": (
            float(step[meets].max() / np.percentile(step, 99)) if len(meets) else 0.0
        ),
        "wrist_fastest_m_s": float(exact.max()),
        "wrist_99_9_m_s": float(np.percentile(exact, 99.9)),
        "ankle_mean_cm_s": float(np.linalg.norm(np.diff(feet, axis=0), axis=-1).mean() * fps * 100),
    }


def talk(model: str, path: Path, spans: Sequence[Span], emotion: str, keep: Path | None) -> dict[str, Any]:
    """One model's row."""
    from motion_platform.motion import io
    from motion_platform.pipelines import generate

    run = generate.load("speech_to_gesture", model)
    start = time.process_time()
    given, count = generate.inputs_of(run, give={"speech": [path], "emotion": [emotion]})
    clip = generate.make(run, given, count=count)[0]
    spent = time.process_time() - start
    seams = run.model.generator.seams(len(clip))
    row = measure(clip.joints.astype(np.float64), list(clip.skeleton.joints), clip.fps, spans, seams)
    row["processor_seconds_a_minute"] = spent / row["seconds"] * 60
    if keep is not None:
        middle = next(a for a, b in silences(spans, row["seconds"], MIDDLE))
        for name, a, b in (("start", 0.0, 12.0), ("middle", middle - 5, middle + 15), ("minute", 60.0, 72.0)):
            on = slice(round(a * clip.fps), round(b * clip.fps))
            part = clip.with_(
                joints=clip.joints[on],
                rotations=None if clip.rotations is None else clip.rotations[on],
                captions=(f"{model}, {emotion}: {a:.0f} to {b:.0f} s",),
            )
            io.save([part], keep / f"{model.replace('/', '_')}_{name}.png")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/speech_gestures", help="prepared speech_gestures, with its sound")
    parser.add_argument("--models", default="gesture_small,gesture_planner")
    parser.add_argument("--emotion", default="neutral")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--keep", type=Path, help="folder for the talk and its film strips")
    parser.add_argument("--out", help="JSON file")
    arguments = parser.parse_args()
    import soundfile

    samples, spans = put_together(sentences_of(arguments.data), arguments.seconds)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        keep = arguments.keep
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        path = (keep or Path(folder)) / "talk.wav"
        soundfile.write(path, samples, RATE)
        for model in arguments.models.split(","):
            rows[model] = talk(model, path, spans, arguments.emotion, keep)
    names = list(next(iter(rows.values())))
    print(table([[name, *(f"{row[name]:.3g}" for row in rows.values())] for name in names], ["", *rows]))
    results = []
    for model, row in rows.items():
        share = row["hand_speed_in_pauses_m_s"] / row["hand_speed_in_speech_m_s"]
        results += [
            (f"{model}: seam step by the mean step", row["seam_step_ratio"], "<=", 1.5),
            (f"{model}: hand speed in pauses by that in speech", share, "<=", 0.25),
            (f"{model}: drift of a hand in silence, m", row["hand_drift_in_silence_m"], "<=", 0.05),
            (f"{model}: drift of the root in silence, m", row["root_drift_in_silence_m"], "<=", 0.02),
        ]
    sys.exit(concluded(results, arguments.out, {"emotion": arguments.emotion, "rows": rows}))


if __name__ == "__main__":
    main()
