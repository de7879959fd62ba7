"""Processor seconds of a minute of speech, from the file to arrays, and the memory of an hour.

    python -m benchmarks.talking_speed --data FOLDER --model gesture_small --hour --out results/talking_speed.json

The recordings are put together from the sentences of ``speech_gestures`` (see ``talking``). A minute: reading, hearing,
20 steps, the finished clip with rotations, in processor time (other programs do not change it), the second of two runs.
``--hour``: an hour as the whole command ``motion generate speech_to_gesture ... -o out.npz``: its peak memory, with two
steps (``--steps 2``): memory does not depend on how many there are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import concluded, measure_command, peak_mb, thread_environment
from benchmarks.talking import RATE, put_together, sentences_of


def minute(model: str, path: Path) -> dict[str, Any]:
    """Processor seconds of the parts of one recording, weights loaded; the second time."""
    from motion_platform.pipelines import generate

    run = generate.load("speech_to_gesture", model)
    spent = []
    for seed in (0, 1):
        start = time.process_time()
        given, count = generate.inputs_of(run, give={"speech": [path], "emotion": ["neutral"]})
        clip = generate.make(run, given, count=count, seed=seed)[0]
        spent.append(time.process_time() - start)
    return {"processor_seconds": spent[1], "first": spent[0], "seconds": clip.seconds, "peak_mb": peak_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/speech_gestures")
    parser.add_argument("--model", default="gesture_small")
    parser.add_argument("--hour", action="store_true", help="an hour of speech as well: its peak memory")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(minute(arguments.model, Path(arguments.worker))))
        return
    import soundfile

    sentences = sentences_of(arguments.data)
    environ = thread_environment(arguments.threads)
    os.environ.update(environ)
    results, runs = [], {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minute.wav"
        soundfile.write(path, put_together(sentences, 60.0, ends=0.5, middle=1.0)[0][: 60 * RATE], RATE)
        command = [sys.executable, "-m", "benchmarks.talking_speed", "--model", arguments.model, "--worker", str(path)]
        told = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        if told.returncode != 0:
            raise SystemExit(told.stderr[-2000:])
        runs["minute"] = json.loads(told.stdout.strip().splitlines()[-1])
        ratio = runs["minute"]["seconds"] / runs["minute"]["processor_seconds"]
        results.append(("speech's seconds / processor seconds", ratio, ">=", 5.0))
        if arguments.hour:
            path = Path(folder) / "hour.wav"
            soundfile.write(path, put_together(sentences, 3600.0)[0], RATE)
            make = [sys.executable, "-m", "motion_platform", "generate", "speech_to_gesture", "--model"]
            make += [arguments.model, "--speech", str(path), "--steps", "2", "-o", str(Path(folder) / "out.npz")]
            runs["hour"] = measure_command(make)
            results.append(("an hour, peak memory, MB", runs["hour"]["peak_mb"], "<=", 2048.0))
    values = {name: value for name, value, _, _ in results}
    sys.exit(concluded(results, arguments.out, {"model": arguments.model, "results": values, "runs": runs}))


if __name__ == "__main__":
    main()
