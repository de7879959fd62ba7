"""``speech_gestures``: any folder of recorded speech, with gestures that a planner puts on its stressed syllables.

There is next to no captured speech with gesture that may be passed on, so this data set is made: real speech, real
gestures (SmartBody's, with the times of their phases), and a rule that pairs them
(:mod:`motion_platform.motion.gesturing`). It is on the accent because it was put there: what is trained on it says
"planned, not captured" through its licence.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from motion_platform.audio import reading, transcripts
from motion_platform.audio.prosody import COLUMNS as PROSODY
from motion_platform.audio.prosody import prosody
from motion_platform.core.errors import ConfigError, DataError, MotionPlatformError
from motion_platform.core.schema import Audio
from motion_platform.core.seeding import seed_of
from motion_platform.data.prepared import SAMPLES, SPLITS
from motion_platform.data.report import Report
from motion_platform.data.source import MIN_FRAMES, Converted, DataSource, Item, PreparedRow, Words
from motion_platform.data.speech import RATE
from motion_platform.data.splits import stratified
from motion_platform.motion.gesturing import emotions, library
from motion_platform.motion.gesturing.talk import talk
from motion_platform.motion.gesturing.track import COLUMNS as TRACK
from motion_platform.motion.gesturing.track import stroke_track
from motion_platform.motion.representations import get_representation

SUFFIXES = (".wav", ".ogg", ".flac", ".mp3", ".m4a")
TABLE = "transcripts.csv"


class SpeechGestures(DataSource):
    """A folder of recordings at any depth, with what is said in them where that is known: ``transcripts.csv`` (columns
    file and text), or beside a recording a TextGrid or a .txt of its name.

    Split by sentence and by gesture: no recording or gesture of the test split is in training. renditions: of each
    recording of the training split, each in another emotion, with other gestures; held_out_renditions: of the others.
    gestures: a library file (None: the packaged one). seed: of everything that is chance.

    Labels: emotion. Events: strokes (apexes) and accents. Streams: prosody and strokes (the track that a network is
    told), both at 20 Hz, and with ``sound`` the recording itself at 16 kHz.
    """

    name = "speech_gestures"
    licence = (
        "speech: that of your recordings (LJ Speech: public domain); motion: planned, not captured: gestures of "
        "SmartBody (LGPL-2.1) put on accents by rule, in manners measured on Bandai-Namco data (CC BY-NC 4.0)"
    )
    representation = "gesture"
    has_events = True
    has_words = True

    def __init__(
        self,
        renditions: int = 3,
        held_out_renditions: int = 1,
        gestures: str | None = None,
        sound: bool = True,
        seed: int = 0,
    ) -> None:
        if renditions < 1 or held_out_renditions < 1:
            raise ConfigError(f"{self.name}: renditions must be 1 or more, got {renditions} and {held_out_renditions}")
        self.renditions, self.held_out_renditions, self.gestures, self.seed = (
            renditions,
            held_out_renditions,
            gestures,
            seed,
        )
        self.sound = sound
        fps = get_representation(self.representation).fps
        self.streams = {"prosody": (fps, len(PROSODY)), "strokes": (fps, len(TRACK))}
        if sound:
            self.streams[SAMPLES] = (float(RATE), 1)

    def items(self, source: Path, report: Report) -> list[Item]:
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(f"{self.name}: no recording in {source}; expected {', '.join(SUFFIXES)}")
        self._libraries()
        # librosa compiles itself on first use into a cache that processes must not write at once: here, before them.
        prosody(Audio(1.0, np.zeros(RATE, np.float32), RATE), 20.0)
        names = {path.relative_to(source).with_suffix("").as_posix(): path for path in files}
        splits = stratified(dict.fromkeys(names, "speech"), seed=self.name)
        known = list(emotions.manners())
        texts = texts_of(source)
        items = []
        for name, path in names.items():
            order = np.random.default_rng(seed_of(self.seed, name)).permutation(known)
            for k in range(self.renditions if splits[name] == "train" else self.held_out_renditions):
                said = texts.get(path.name, "")
                words = Words((said,) if said else (), labels={"emotion": str(order[k % len(order)])})
                items.append(Item(f"{name}_r{k + 1}", str(path), splits[name], f"{self.name} {name}", words))
        return items

    def _libraries(self) -> dict[str, library.Library]:
        """Split -> its gestures."""
        whole = library.packaged() if self.gestures is None else library.load(self.gestures)
        of = stratified({gesture.name: gesture.kind for gesture in whole.gestures}, seed=self.name)
        return {split: whole.only(name for name, its in of.items() if its == split) for split in SPLITS}

    def convert(self, item: Item, mirror: bool) -> Converted:
        """One rendition. ``mirror`` is not used: the planner takes gestures and their mirror images alike."""
        result = Converted(item)
        try:
            result.rows = [self._row(item)]
        except MotionPlatformError as error:
            result.error = str(error)
        except (ArithmeticError, ValueError, LookupError, OSError) as error:  # one bad file must not end the run
            result.error = f"{type(error).__name__}: {error}"
        return result

    def _row(self, item: Item) -> PreparedRow:
        representation = get_representation(self.representation)
        fps = representation.fps
        audio = with_words(reading.load(item.path, rate=RATE), Path(item.path), *item.words.high)
        heard = prosody(audio, fps)
        frames = int(audio.seconds * fps + 1e-6)
        if frames < MIN_FRAMES:
            raise DataError(f"{item.path}: is {audio.seconds:.2f} s long; at least {MIN_FRAMES / fps:g} s are needed")
        heard = heard[:frames]
        made = talk(
            heard,
            fps,
            frames,
            fps,
            self._libraries()[item.split],
            np.random.default_rng(seed_of(self.seed, item.id, "gestures")),
            manner=emotions.manners()[item.words.labels["emotion"]],
            words=audio.words,
        )
        strokes = made.plan.strokes
        times, sizes = [s.apex for s in strokes], [s.strength for s in strokes]
        streams = {"prosody": heard, "strokes": stroke_track(times, sizes, frames, fps)}
        if self.sound:
            assert audio.samples is not None
            streams[SAMPLES] = audio.samples[: round(frames / fps * RATE), None]
        return PreparedRow(
            item.id,
            item.split,
            item.source,
            representation.encode(made.joints, made.rotations),
            item.words,
            streams=streams,
            events={"strokes": np.array(times), "accents": np.array([a.time for a in made.plan.accents])},
            spoken=audio.words,
        )


def texts_of(source: Path) -> dict[str, str]:
    """File name -> what is said in it, of the table beside the recordings; {} without one. DataError for another."""
    place = source / TABLE
    if not place.is_file():
        return {}
    with place.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"file", "text"} <= rows[0].keys():
        raise DataError(f"{place}: has the columns {', '.join(map(str, rows[0]))}; file and text are needed")
    return {row["file"]: row["text"] for row in rows}


def with_words(audio: Audio, path: Path, text: str = "") -> Audio:
    """A recording with its words: of the TextGrid beside it, else of ``text`` or the .txt beside it, else without."""
    for suffix in (".TextGrid", ".textgrid", ".txt"):
        if path.with_suffix(suffix).is_file() and (suffix != ".txt" or not text):
            return transcripts.with_words(audio, path.with_suffix(suffix))
    return transcripts.with_words(audio, text) if text.strip() else audio
