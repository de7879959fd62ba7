"""``conductor_scores``: any folder of MIDI files, played and conducted, with the exact beats.

Each piece is played several times by different conductors (``data/conducting``): tempo, rubato, fermatas, dynamics and
articulation differ, and so do instruments, key, room and level. What comes out is what ConductorMotion100 holds, mel
frames and 13 keypoints, and beside it what no recording has: the true beats.

The motion is made by a rule from the textbooks' diagrams. It is on the beat because it was put there, it has five
kinds of manner, and it knows nothing of what people really do: whatever is trained on it says so through its licence.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motion_platform.audio import mel as front_end
from motion_platform.core.errors import ConfigError, DataError, MotionPlatformError
from motion_platform.core.seeding import seed_of
from motion_platform.data.prepared import SAMPLES
from motion_platform.data.report import Report
from motion_platform.data.scores import motion, performance, score, synthesis
from motion_platform.data.scores.conductors import CONDUCTORS
from motion_platform.data.source import Converted, DataSource, Item, PreparedRow, Words
from motion_platform.data.splits import stratified
from motion_platform.motion.representations import get_representation
from motion_platform.motion.representations.conductor import Conductor

SHORTEST = 10.0
"""Seconds: what is left of a piece after whole windows is kept from this length on."""
SUFFIXES = (".mid", ".midi")


class ConductorScores(DataSource):
    """A folder of MIDI files, at any depth. Split by piece: no two renditions of one are in different splits.

    renditions: of each piece of the training split; held_out_renditions: of the others. window: seconds of a row.
    longest: of a longer piece every rendition plays so many seconds, from a bar that is drawn (None: the whole piece).
    soundfont: SF2 files, or TimGM6mb, which pretty_midi carries; every rendition draws one of them. seed: of
    everything that is chance; the performances are the same in every soundfont. sound: keep the music itself, which
    the page of an evaluation then plays (44 kB a second).

    Labels: style, the conductor. Events: beats (the conducted ones), bars (downbeats), fermatas, cues. Streams: mel,
    and dynamics (30 Hz, 0 soft to 1 loud: what was meant, not heard, so no model may be given it).
    """

    name = "conductor_scores"
    licence = (
        "music: public domain scores, or that of your MIDI files; sound: TimGM6mb soundfont (GPL-2) unless another was "
        "given; motion: synthetic, made by rule from textbook patterns, not measured on any conductor"
    )
    representation = "conductor"
    streams = {"mel": (float(front_end.FRAMES_A_SECOND), front_end.BANDS), "dynamics": (30.0, 1)}
    has_events = True

    def __init__(
        self,
        renditions: int = 3,
        held_out_renditions: int = 1,
        window: float = 60.0,
        longest: float | None = None,
        soundfont: str | Sequence[str] = synthesis.PACKAGED,
        sound: bool = False,
        seed: int = 0,
    ) -> None:
        if renditions < 1 or held_out_renditions < 1:
            raise ConfigError(f"{self.name}: renditions must be 1 or more, got {renditions} and {held_out_renditions}")
        if not window >= SHORTEST:
            raise ConfigError(f"{self.name}: window: got {window} s; allowed: {SHORTEST:g} or more")
        self.renditions, self.held_out_renditions = renditions, held_out_renditions
        if longest is not None and not longest >= SHORTEST:
            raise ConfigError(f"{self.name}: longest: got {longest} s; allowed: {SHORTEST:g} or more")
        if not soundfont:
            raise ConfigError(f"{self.name}: soundfont: got none; give SF2 files or {synthesis.PACKAGED}")
        self.window, self.longest, self.seed, self.sound = window, longest, seed, sound
        self.streams = {**type(self).streams, **({SAMPLES: (float(synthesis.RATE), 1)} if sound else {})}
        self.soundfonts = (soundfont,) if isinstance(soundfont, str) else tuple(soundfont)

    def items(self, source: Path, report: Report) -> list[Item]:
        for needed in ("mido", "midirenderer"):
            score.library(needed)
        for font in self.soundfonts:
            synthesis.find_soundfont(font)
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        pieces = {path.relative_to(source).with_suffix("").as_posix(): path for path in files}
        meters: dict[str, str] = {}
        for piece, path in list(pieces.items()):
            try:
                meters[piece] = f"in {_main_meter(score.read(path))}"
            except DataError as error:
                report.failed.append({"what": piece, "why": str(error)})
                del pieces[piece]
        if report.failed and not pieces:
            raise DataError(f"{self.name}: no MIDI file in {source} can be read; the first: {report.failed[0]['why']}")
        splits = stratified(meters, seed=self.name)
        credits = _credits(source)
        items = []
        for piece, path in pieces.items():
            styles = np.random.default_rng(seed_of(self.seed, piece)).permutation(list(CONDUCTORS))
            for k in range(self.renditions if splits[piece] == "train" else self.held_out_renditions):
                words = Words(labels={"style": str(styles[k % len(styles)])})
                credit = credits.get(path.name, path.name)
                items.append(Item(f"{piece}_r{k + 1}", str(path), splits[piece], f"{self.name}: {credit}", words))
        return items

    def convert(self, item: Item, mirror: bool) -> Converted:
        """Play and conduct one rendition. ``mirror`` is not heard: a mirrored conductor would be left-handed."""
        result = Converted(item)
        try:
            result.rows = self._rows(item)
        except MotionPlatformError as error:
            result.error = str(error)
        return result

    def _rows(self, item: Item) -> list[PreparedRow]:
        rendition = self.rendition(item.path, item.id, item.words.labels["style"])
        representation = get_representation(self.representation)
        assert isinstance(representation, Conductor)
        features = representation.from_keypoints(rendition.keypoints)
        plan = rendition.performance.plan
        per_frame = round(front_end.FRAMES_A_SECOND / representation.fps)
        heard = _as_long_as(front_end.mel(rendition.samples, synthesis.RATE), len(features) * per_frame)
        events = {"beats": plan.beats, "bars": plan.bars, "fermatas": plan.fermatas, "cues": plan.cues}
        fps, step = representation.fps, round(self.window * representation.fps)
        rows: list[PreparedRow] = []
        for k, start in enumerate(range(0, len(features), step)):
            x = features[start : start + step]
            if len(x) < SHORTEST * fps and rows:
                break
            first, last = start / fps, (start + len(x)) / fps
            streams = {
                "mel": heard[start * per_frame : (start + len(x)) * per_frame],
                "dynamics": plan.dynamics[start : start + len(x), None],
            }
            if self.sound:
                part = np.zeros((round(len(x) * synthesis.RATE / fps), 1), np.float32)
                at = round(first * synthesis.RATE)
                played = rendition.samples[at : at + len(part), None]
                part[: len(played)] = played
                streams[SAMPLES] = part
            rows.append(
                PreparedRow(
                    f"{item.id}_w{k + 1}",
                    item.split,
                    item.source,
                    x,
                    item.words,
                    streams=streams,
                    events={name: at[(at >= first) & (at < last)] - first for name, at in events.items()},
                )
            )
        return rows

    def rendition(self, path: str | Path, id: str, style: str) -> Rendition:
        """One rendition, whole: the same for the same id, style and seed. For hearing it, and for sound and motion.

        Errors: DataError for a file that is no MIDI, OutputError without the extra ``scores``.
        """
        read = score.read(path)
        random = np.random.default_rng(seed_of(self.seed, id, style))
        if self.longest is not None:
            read = score.excerpt(read, self.longest, random)
        played = performance.perform(read, CONDUCTORS[style], random)
        # Drawn apart, so that it changes nothing else.
        drawn = np.random.default_rng(seed_of(self.seed, id, "soundfont")).integers(len(self.soundfonts))
        samples = synthesis.synthesise(read, played, random, self.soundfonts[drawn])
        return Rendition(samples, played, motion.conduct(played.plan, CONDUCTORS[style], random))


class Rendition:
    """samples (n,) float32 at 22,050 Hz; performance: notes and plan in seconds; keypoints (T, 13, 2) at 30 Hz."""

    def __init__(self, samples: np.ndarray, played: performance.Performance, keypoints: np.ndarray) -> None:
        self.samples, self.performance, self.keypoints = samples, played, keypoints


def _as_long_as(x: np.ndarray, frames: int) -> np.ndarray:
    """The first ``frames`` rows; the last again where rounding has left one out."""
    if not 0 <= frames - len(x) <= 1:
        raise DataError(f"conductor_scores: the front end made {len(x)} frames where the motion needs {frames}")
    return np.concatenate([x, x[-1:]])[:frames]


def _main_meter(read: score.Score) -> int:
    """How many beats most bars get at the written tempo."""
    beats = score.grid(read)
    return int(np.bincount(beats.beats[beats.index == 0]).argmax())


def _credits(source: Path) -> dict[str, str]:
    """File -> who wrote what and where the score is from, of an ``index.csv`` beside the files, if there is one."""
    place = source / "index.csv"
    if not place.is_file():
        return {}
    with place.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("composer", "work", "movement", "source", "licence")
    return {row["file"]: "; ".join(row[name] for name in names if row.get(name)) for row in rows if row.get("file")}
