"""How well do beat trackers hear music whose beats are known? The trackers' table of the cards, by a command.

    python -m benchmarks.trackers render --scores FOLDER --out music
    python -m benchmarks.trackers score --music music --beats madmom=heard/madmom --beats essentia=heard/essentia

``render`` plays the test pieces of a folder of MIDI files as ``conductor_scores`` does (the same renditions, from the
same seed): ``STEM.wav`` and ``STEM.beats``, its true beats, a line each. ``score`` compares what trackers hear with
them: librosa and the space ``beat_tracker``, which are here, and anybody else's, read from ``STEM.txt`` (seconds first
in every line). F, precision and recall within 70 ms, and F of the best of half, as many and twice as many beats
(``metrics/beat_f_measure.py``), means over recordings. ``benchmarks.recordings --beats NAME=FOLDER`` takes the same
lists for recordings whose beats nobody knows.

Others' trackers need packages that do not go together with ours: each in a throw-away environment (README.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.common import environment, table, write_json
from benchmarks.recordings import read_beats

COLUMNS = ("F", "precision", "recall", "F at the best level")


def render(scores: Path, out: Path, *, renditions: int, longest: float, seed: int) -> list[Path]:
    """The test renditions as recordings with their beats; their paths. Errors: those of the data set."""
    import numpy as np
    import soundfile

    from motion_platform.data.report import Report
    from motion_platform.data.scores import synthesis
    from motion_platform.data.sources.conductor_scores import ConductorScores

    source = ConductorScores(held_out_renditions=renditions, longest=longest, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for item in source.items(scores, Report(source.name)):
        if item.split != "test":
            continue
        played = source.rendition(item.path, item.id, item.words.labels["style"])
        path = out / f"{item.id.replace('/', '_')}.wav"
        soundfile.write(path, played.samples, synthesis.RATE)
        np.savetxt(path.with_suffix(".beats"), played.performance.plan.beats, fmt="%.4f")
        made.append(path)
    return made


def scores_of(truth: Any, heard: Any) -> dict[str, float]:
    """Beats (n,) and (m,) in seconds -> a value a column."""
    from motion_platform.metrics.beat_f_measure import best_level, f_measure

    return dict(zip(COLUMNS, (*f_measure(truth, heard), best_level(truth, heard)), strict=True))


def score(music: Path, beats: dict[str, Path], tracker: str) -> dict[str, dict[str, dict[str, float]]]:
    """who -> recording -> values. Errors: DataError for a list of beats that is none, or is not there."""
    import numpy as np

    from motion_platform.audio import listening, mel
    from motion_platform.encoders import librosa_beats
    from motion_platform.encoders.music_beats import MusicBeats

    paths = sorted(music.glob("*.wav"))
    if not paths:
        raise SystemExit(f"{music}: no recording; make them with: python -m benchmarks.trackers render")
    ears = MusicBeats(tracker)
    found: dict[str, dict[str, dict[str, float]]] = {who: {} for who in ("librosa", "beat_tracker", *beats)}
    for path in paths:
        truth = read_beats(path.with_suffix(".beats"), float("inf"))
        audio = listening.hear(path)
        heard = {who: read_beats(folder / f"{path.stem}.txt", float("inf")) for who, folder in beats.items()}
        heard["librosa"] = np.asarray(librosa_beats.track(librosa_beats.onset_strength(mel.mel_of(audio))))
        heard["beat_tracker"] = ears.track(audio).times
        for who, times in heard.items():
            found[who][path.stem] = scores_of(truth, times)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("render", help="play the test pieces and write their beats")
    make.add_argument("--scores", required=True, type=Path, help="a folder of MIDI files")
    make.add_argument("--out", required=True, type=Path)
    make.add_argument("--renditions", type=int, default=1)
    make.add_argument("--longest", type=float, default=150.0)
    make.add_argument("--seed", type=int, default=0)
    judge = commands.add_parser("score", help="compare what trackers hear with them")
    judge.add_argument("--music", required=True, type=Path, help="what render wrote")
    judge.add_argument("--beats", action="append", default=[], metavar="NAME=FOLDER", help="somebody else's beats")
    judge.add_argument("--tracker", default="beat_tracker", help="checkpoint of the space beat_tracker")
    judge.add_argument("--out", help="JSON file")
    arguments = parser.parse_args()
    import numpy as np

    from motion_platform.core.errors import MotionPlatformError

    try:
        if arguments.command == "render":
            settings = {name: getattr(arguments, name) for name in ("renditions", "longest", "seed")}
            for path in render(arguments.scores, arguments.out, **settings):
                print(path)
            return
        beats = {name: Path(folder) for name, _, folder in (text.partition("=") for text in arguments.beats)}
        found = score(arguments.music, beats, arguments.tracker)
    except MotionPlatformError as error:
        raise SystemExit(f"error: {error}") from error
    means = {
        who: {column: float(np.mean([row[column] for row in rows.values()])) for column in COLUMNS}
        for who, rows in found.items()
    }
    print(table([[who, *(f"{row[c]:.3f}" for c in COLUMNS)] for who, row in means.items()], ["tracker", *COLUMNS]))
    write_json(arguments.out, {"means": means, "each": found, "environment": environment()})


if __name__ == "__main__":
    main()
