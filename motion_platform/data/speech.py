"""What data sets of speech and gesture do alike: a motion file, its recording, and perhaps what is said in it.

A row holds the motion as a representation with rotations has it, the recording at 16 kHz as the stream ``samples``, so
that any encoder of speech may hear it, and the words with their times. Motion and recording start together; a row is
as long as the shorter of the two.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from motion_platform.audio import reading, text_grid
from motion_platform.core.errors import DataError, MotionPlatformError
from motion_platform.core.schema import Word
from motion_platform.data.prepared import SAMPLES
from motion_platform.data.source import MIN_FRAMES, Converted, DataSource, Item, PreparedRow
from motion_platform.motion import bodies, io
from motion_platform.motion.clip import Clip
from motion_platform.motion.representations import get_representation

RATE = 16_000
"""Samples a second, what encoders of speech are trained on."""
APART = 0.1
"""Motion and recording may differ in length by this share, or by ``APART_SECONDS``: else they are not of one take."""
APART_SECONDS = 2.0


class SpeechSource(DataSource):
    """A data set of people who speak. Subclasses list the motion files and say where the rest of a take lies."""

    streams: Mapping[str, tuple[float, int]] = {SAMPLES: (float(RATE), 1)}
    has_words = True

    @abstractmethod
    def recording(self, motion: Path) -> Path:
        """The sound of a take, by its motion file."""

    def transcript(self, motion: Path) -> Path | None:
        """The TextGrid of a take, or None where there is none."""
        return None

    def read(self, path: Path) -> Clip:
        """The motion of a take on the representation's skeleton and at its rate, with rotations."""
        chosen = get_representation(self.representation)
        return bodies.on_skeleton(io.load(path), chosen.skeleton, chosen.fps)

    def check_recordings(self, source: Path, motions: list[Path]) -> None:
        """DataError where not one motion file has its recording."""
        if motions and not any(self.recording(path).is_file() for path in motions):
            raise DataError(
                f"{self.name}: {len(motions)} motion files in {source}, but none has its recording "
                f"(for {motions[0].name}: {self.recording(motions[0])}); get the sound of the data set as well"
            )

    def convert(self, item: Item, mirror: bool) -> Converted:
        """One take. ``mirror`` is not used: speakers have a preferred hand."""
        result = Converted(item)
        try:
            self._take(item, result)
        except MotionPlatformError as error:
            result.rows, result.error, result.nan = [], str(error), "NaN" in str(error)
        except (ArithmeticError, ValueError, LookupError, OSError) as error:  # one bad file must not end the run
            result.rows, result.error = [], f"{type(error).__name__}: {error}"
        return result

    def _take(self, item: Item, result: Converted) -> None:
        path = Path(item.path)
        sound = self.recording(path)
        if not sound.is_file():
            raise DataError(f"{path.name}: has no recording {sound.name} beside it")
        clip = self.read(path)
        samples = reading.load(sound, rate=RATE).samples
        assert samples is not None  # a file that is read has its sound
        check_lengths(path, clip.seconds, len(samples) / RATE)
        chosen = get_representation(self.representation)
        frames = min(len(clip), int(len(samples) * chosen.fps / RATE))
        if frames < MIN_FRAMES:
            result.too_short, result.dropped = True, f"shorter than {MIN_FRAMES} frames at {chosen.fps:g} fps"
            return
        rotations = None if clip.rotations is None else clip.rotations[:frames]
        features = chosen.encode(clip.joints[:frames], rotations)
        heard = samples[: round(frames * RATE / chosen.fps), None]
        words = self._words(path, len(samples) / RATE, frames / chosen.fps)
        result.long = True
        result.rows.append(
            PreparedRow(item.id, item.split, item.source, features, item.words, streams={SAMPLES: heard}, spoken=words)
        )

    def _words(self, path: Path, seconds: float, until: float) -> tuple[Word, ...]:
        place = self.transcript(path)
        words = () if place is None else text_grid.words_of(place, seconds)
        return tuple(Word(w.text, w.start, min(w.end, until)) for w in words if w.start < until)


def check_lengths(path: Path, motion: float, sound: float) -> None:
    """DataError where a motion and its recording are too different in length to be of one take."""
    if abs(motion - sound) > max(APART * max(motion, sound), APART_SECONDS):
        raise DataError(
            f"{path.name}: the motion lasts {motion:.1f} s and its recording {sound:.1f} s: they are not of one take, "
            "or not cut to the same start and end"
        )


def finite(values: np.ndarray, where: str) -> np.ndarray:
    """The values; DataError with the first frame (axis 0) that holds a NaN."""
    if not np.isfinite(values).all():
        frame = int(np.argwhere(~np.isfinite(values.reshape(len(values), -1)).all(1))[0, 0])
        raise DataError(f"{where}: frame {frame} has a NaN or infinite value")
    return values
