"""The sound of a film or page, through the ffmpeg that imageio-ffmpeg brings: compressed, and as a waveform."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.core.media import FORMATS
from motion_platform.motion.clip import Clip

if TYPE_CHECKING:
    from motion_platform.core.schema import Audio

PEAK_RATE = 100
"""Bars of the waveform a second: enough to see a note begin, and an hour is 360 kB."""
ROUGH_RATE = 8000
"""Samples a second from which the waveform is taken."""
MP3_RATE, MP3_BITS = 44_100, 96_000


def by_recording(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips that sound together in one file each: a film has one sound, so every recording gets its own.

    Clips without sound stay together; all of them when there is at most one recording.
    """
    groups: dict[object, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.audio if isinstance(clip.audio, Path) else id(clip.audio), []).append(clip)
    heard = sum(clip[0].audio is not None for clip in groups.values())
    return [list(clips)] if heard <= 1 else list(groups.values())


def recording_of(clips: Sequence[Clip]) -> Clip | None:
    """The clip whose sound a picture of ``clips`` has; None where all are silent."""
    return next((clip for clip in clips if clip.audio is not None), None)


@contextmanager
def as_file(audio: Path | Audio) -> Iterator[Path]:
    """The recording as a file: itself, or samples written to a temporary one. DataError for one without samples."""
    if isinstance(audio, Path):
        if not audio.is_file():
            raise DataError(f"{audio}: no such file; the sound of a motion must stay where it was")
        yield audio
        return
    if audio.samples is None:
        raise DataError("this recording is known by its features alone: there is no sound to play")
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, audio.samples, audio.rate, subtype="PCM_16")
        yield path


def source(path: Path) -> list[str]:
    """Arguments that make ffmpeg read one local file, whatever its name: never an address, never a list of others."""
    return ["-format_whitelist", FORMATS, "-protocol_whitelist", "file", "-i", f"file:{path}"]


def mp3(audio: Path | Audio, seconds: float) -> bytes:
    """The first ``seconds`` as an mp3, which every browser plays. DataError for what ffmpeg cannot read.

    It is written to a file first: only there can ffmpeg go back and note how much silence the encoder has put in front
    (25 ms), which players then leave out.
    """
    with as_file(audio) as path, tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "sound.mp3"
        wanted = ["-map", "0:a:0", "-t", f"{seconds:.6f}", "-ac", "1" if _channels(path) == 1 else "2"]
        wanted += ["-ar", str(MP3_RATE), "-map_metadata", "-1", "-c:a", "libmp3lame", "-b:a", str(MP3_BITS)]
        _run(path, wanted, made)
        return made.read_bytes()


def peaks(audio: Path | Audio, seconds: float) -> np.ndarray:
    """(n,) uint8, PEAK_RATE a second: the largest level of each moment against the largest of all, silence 0."""
    with as_file(audio) as path:
        wanted = ["-map", "0:a:0", "-t", f"{seconds:.6f}", "-ac", "1", "-ar", str(ROUGH_RATE), "-f", "s16le"]
        samples = np.frombuffer(_run(path, wanted), "<i2")
    each = ROUGH_RATE // PEAK_RATE
    count = int(np.ceil(seconds * PEAK_RATE))
    level = np.zeros(count * each, np.int32)
    heard = min(len(samples), len(level))
    level[:heard] = np.abs(samples[:heard].astype(np.int32))
    level = level.reshape(count, each).max(1)
    return np.round(255 * level / max(level.max(initial=0), 1)).astype(np.uint8)


def _channels(path: Path) -> int | None:
    """How many channels a file has, where that can be read from its head; None otherwise."""
    import soundfile

    try:
        return soundfile.info(str(path)).channels
    except soundfile.LibsndfileError:  # a format that ffmpeg alone reads
        return None


def _run(path: Path, wanted: list[str], made: Path | None = None) -> bytes:
    """What ffmpeg makes of a recording, as bytes or in a file. DataError with its last words when it cannot."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", *source(path), *wanted]
    done = subprocess.run([*command, "-" if made is None else f"file:{made}"], capture_output=True, check=False)
    if done.returncode != 0 or not (done.stdout if made is None else made.is_file() and made.stat().st_size):
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DataError(f"{path}: its sound cannot be read: {words[-1] if words else 'ffmpeg gave nothing'}")
    return done.stdout
