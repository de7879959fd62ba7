"""Conducting real recordings, of which nobody knows the beats: is it on the beat, and does it move like a conductor?

    MOTION_DATA=FOLDER python -m benchmarks.recordings --music FOLDER --models conductor_small,runs/conductor_pattern \
        --beats tapped=FOLDER

The first minute of every recording in a folder, conducted by every model. Columns, each a mean over the recordings:

- consistency of the right wrist's ictuses with beats, from the beats and from the ictuses
  (``metrics/beat_consistency.py``), and what random shifts of the same ictuses reach: once against librosa's beats,
  once against those of the space ``beat_tracker``. Both are guesses, and each is the clock of one of the models: read
  them together, or give the beats of a third party. ``--beats NAME=FOLDER`` reads for every recording ``STEM.txt``, a
  beat a line, seconds first: what somebody tapped, or what another tracker writes (madmom's ``DBNBeatTracker batch -s
  .txt``).
- SDP, how much is moved in percent of ``conductor_scores``'s test clips (100 is theirs), and jerk. The last row is
  those clips themselves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import environment, table, write_json

SUFFIXES = (".ogg", ".wav", ".flac", ".mp3")
JUDGED = ("beats_to_ictuses", "ictuses_to_beats", "random_shift")


def movement(joints: Any, fps: float) -> dict[str, float]:
    """joints (T, 13, 3) in metres -> {"spread": summed standard deviations in frame widths, "jerk": m/s^3}."""
    import torch

    from motion_platform.metrics.physical import Jerk
    from motion_platform.metrics.rhythm import flat
    from motion_platform.motion.skeleton import get_skeleton

    jerk = Jerk().measure(torch.from_numpy(joints), fps, get_skeleton("coco_upper"))
    return {"spread": float(flat(joints).std(0).sum()), "jerk": float(jerk.mean())}


def judge(height: Any, fps: float, beats: dict[str, Any], sample: str) -> dict[str, float]:
    """height (T,) of the wrist; beats: who heard them -> seconds. {"<who>/<one of JUDGED>": value}."""
    import numpy as np

    from motion_platform.metrics.beat_consistency import consistency
    from motion_platform.metrics.beat_f_measure import shifted
    from motion_platform.metrics.ictus import ictuses

    found, values = ictuses(height, fps), {}
    moved = shifted(found, len(height) / fps, sample, 0)
    for who, times in beats.items():
        told = (
            consistency(times, found, 0.1),
            consistency(found, times, 0.1),
            float(np.mean([consistency(times, other, 0.1) for other in moved])),
        )
        values.update({f"{who}/{name}": value for name, value in zip(JUDGED, told, strict=True)})
    return values


def read_beats(path: Path, seconds: float) -> Any:
    """(n,) rising seconds below ``seconds``: the first number of every line. Errors: DataError for what is none."""
    import numpy as np

    from motion_platform.core.errors import DataError

    try:
        times = [float(line.split()[0]) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no list of beats, a line each, seconds first: {error}") from error
    found = np.array(times)
    if not np.isfinite(found).all() or (np.diff(found) <= 0).any():
        raise DataError(f"{path}: beats must be rising seconds")
    return found[found < seconds]


def real_clips() -> dict[str, float]:
    """``movement`` of the test clips of ``conductor_scores``."""
    import numpy as np
    import torch

    from motion_platform.core.config import DataRecipe
    from motion_platform.model.run import open_data
    from motion_platform.motion.representations import get_representation

    data = open_data(DataRecipe(name="conductor_scores"))
    kind = get_representation(data.representation)
    rows = [
        movement(kind.decode(torch.from_numpy(data.features(i).copy())).numpy(), data.fps) for i in data.indices("test")
    ]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--music", required=True, help="a folder of recordings, at any depth")
    parser.add_argument("--models", default="conductor_small", help="names or folders of checkpoints, by commas")
    parser.add_argument("--tracker", default="beat_tracker", help="checkpoint of the space beat_tracker")
    parser.add_argument("--beats", action="append", default=[], metavar="NAME=FOLDER", help="somebody else's beats")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--first", type=int, help="only so many recordings")
    parser.add_argument("--out", help="JSON file")
    arguments = parser.parse_args()
    import numpy as np

    from motion_platform.audio import listening, mel
    from motion_platform.core.errors import MotionPlatformError
    from motion_platform.encoders import librosa_beats
    from motion_platform.encoders.music_beats import MusicBeats
    from motion_platform.pipelines import generate

    paths = sorted(path for path in Path(arguments.music).rglob("*") if path.suffix.lower() in SUFFIXES)
    paths = paths[: arguments.first]
    if not paths:
        raise SystemExit(f"{arguments.music}: no recording ({', '.join(SUFFIXES)}) in it")
    others = [text.partition("=")[::2] for text in arguments.beats]
    try:  # all that can be wrong, before any work
        told = {
            path: {who: read_beats(Path(folder) / f"{path.stem}.txt", arguments.seconds) for who, folder in others}
            for path in paths
        }
        runs = {name: generate.load("music_to_conductor", name) for name in arguments.models.split(",")}
        real, ears = real_clips(), MusicBeats(arguments.tracker)
    except MotionPlatformError as error:
        raise SystemExit(f"error: {error}") from error
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for number, path in enumerate(paths):
        audio = listening.hear(path, arguments.seconds)
        strength = librosa_beats.onset_strength(mel.mel_of(audio))
        beats = {"librosa": np.asarray(librosa_beats.track(strength)), "beat_tracker": ears.track(audio).times}
        beats = {who: times[times < arguments.seconds] for who, times in beats.items()} | told[path]
        for name, run in runs.items():
            given, count = generate.inputs_of(run, music=[path])
            cut = [] if arguments.seconds is None else [arguments.seconds]
            clip = generate.make(run, given, count=count, seconds=cut)[0]
            values = movement(clip.joints, clip.fps)
            values["sdp"] = 100 * values["spread"] / real["spread"]
            wrist = clip.skeleton.index("right_wrist")
            values |= judge(clip.joints[:, wrist, 1], clip.fps, beats, path.name)
            rows[name].append(values)
        print(f"{number + 1}/{len(paths)} {path.name}", file=sys.stderr)
    everybody = ("librosa", "beat_tracker", *(who for who, _ in others))
    names = [*(f"{who}/{what}" for who in everybody for what in JUDGED), "sdp", "jerk"]
    means = {name: {key: float(np.mean([row[key] for row in found])) for key in names} for name, found in rows.items()}
    lines = [[name, *(f"{values[key]:.3g}" for key in names)] for name, values in means.items()]
    print(table([*lines, ["test clips", *("" for _ in names[:-2]), "100", f"{real['jerk']:.3g}"]], ["model", *names]))
    each = {name: dict(zip((path.name for path in paths), found, strict=True)) for name, found in rows.items()}
    what = {"recordings": len(paths), "seconds": arguments.seconds, "means": means, "data": real, "each": each}
    write_json(arguments.out, {**what, "environment": environment()})


if __name__ == "__main__":
    main()
