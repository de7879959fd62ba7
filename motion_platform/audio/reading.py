"""Recordings of any format, rate and number of channels into mono samples, whole or in blocks.

libsndfile (wav, flac, ogg, mp3 and more) reads first; what it does not know goes through the ffmpeg of imageio-ffmpeg
(m4a, wma, the sound of a video). Channels are averaged and the rate is changed by soxr at its high quality: both as
``librosa.load`` does, which the published front end starts from. A file that is cut off
or damaged is read as far as it goes, with a warning in the log where a decoder stumbled.
"""

from __future__ import annotations

import codecs
import logging
import math
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.core.media import FORMATS
from motion_platform.core.opening import check_budget, check_pointer
from motion_platform.core.schema import Audio

log = logging.getLogger("motion_platform")

RATE = 22_050
"""Samples a second that the front ends work at."""
SHORTEST = 0.1
"""Seconds; below, there is no frame of motion to be found."""
SLOWEST, FASTEST = 1_000, 768_000
"""Sampling rates outside are those of a broken header."""
LOUDEST = 1e5
"""Full scale is 1; files of whole numbers that were saved as floats reach 32,768."""
LOUDEST_CODED = 32.0
"""What is not kept as floats cannot go beyond full scale, or by the overshoot of a decoder: a damaged MP3 comes out of
ffmpeg with samples of 45,000. 30 dB are left."""
ROOM = 4
"""Sound may become four times what other files may: an hour of speech is 7 MB of Opus and 0.3 GB of samples."""
BLOCK = 10.0
"""Seconds read at a time."""


def load(path: str | Path, *, rate: int = RATE) -> Audio:
    """A whole recording: mono float32 samples at ``rate``. An hour at 22,050 Hz takes 0.3 GB; see :func:`blocks`.

    Errors: DataError, one line, for a file that is missing, holds no sound, is shorter than ``SHORTEST`` or is not
    finite.
    """
    samples, count = np.empty(0, np.float32), 0
    for piece in blocks(path, rate=rate):
        if count + len(piece) > len(samples):  # in place: pieces beside their sum are twice as much
            samples.resize(count + max(len(piece), count // 4), refcheck=False)
        samples[count : count + len(piece)] = piece
        count += len(piece)
        check_budget(Path(path), 4 * count / ROOM, f"{count / rate / 60:.0f} minutes or more of sound")
    samples.resize(count, refcheck=False)
    return Audio(len(samples) / rate, samples, rate)


def blocks(path: str | Path, seconds: float = BLOCK, *, rate: int = RATE) -> Iterator[np.ndarray]:
    """The samples of :func:`load` in pieces (n,) of about ``seconds``, never more than a piece in memory.

    Errors: those of :func:`load`, the first of them before the first piece.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"blocks: got {seconds} seconds; a block lasts more than 0")
    path = Path(path)
    total = 0
    held: list[np.ndarray] = []  # until it is sure that there is enough
    for piece in resample(_mono(path, seconds), rate):
        total += len(piece)
        held.append(piece)
        if total >= SHORTEST * rate:
            yield from held
            held = []
    if total == 0:
        raise DataError(f"{path}: holds no sound")
    if held:
        raise DataError(f"{path}: is {total / rate:.3f} s long; at least {SHORTEST} s are needed")


def resample(pieces: Iterable[tuple[int, np.ndarray]], rate: int) -> Iterator[np.ndarray]:
    """(rate of the source, samples (n,)) pieces -> samples at ``rate``, ceil(n * rate / source) together.

    The result is that of one call over everything: soxr keeps its state between pieces.
    """
    pieces = iter(pieces)
    first = next(pieces, None)
    if first is None:
        return
    source = first[0]
    if source == rate:
        for _, piece in chain([first], pieces):
            yield piece
        return
    import soxr

    stream = soxr.ResampleStream(source, rate, 1, dtype="float32", quality="HQ")
    read = made = 0
    for _, piece in chain([first], pieces):
        read += len(piece)
        out = stream.resample_chunk(piece)
        made += len(out)
        if len(out):
            yield out
    rest = stream.resample_chunk(np.zeros(0, np.float32), last=True)
    missing = math.ceil(read * (rate / source)) - made  # librosa pads with zeros or cuts to this length
    yield np.pad(rest[:missing], (0, max(0, missing - len(rest))))


def check_samples(samples: np.ndarray, rate: int, where: str, loudest: float = LOUDEST) -> np.ndarray:
    """Samples (n,) as float32. Errors: DataError for another shape, an impossible rate, NaN, infinity, or a sample
    beyond ``loudest``."""
    samples = np.asarray(samples)
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise DataError(
            f"{where}: got samples {samples.shape} of {samples.dtype}; (n,) floats are needed, full scale 1"
        )
    if not SLOWEST <= rate <= FASTEST:
        raise DataError(f"{where}: got {rate} samples a second; allowed: {SLOWEST} to {FASTEST}")
    if not np.isfinite(samples).all():
        at = int(np.flatnonzero(~np.isfinite(samples))[0])
        raise DataError(f"{where}: the sample at {at / rate:.3f} s is not a finite number")
    if len(samples) and float(np.abs(samples).max()) > loudest:
        at = int(np.abs(samples).argmax())
        raise DataError(
            f"{where}: the sample at {at / rate:.3f} s is {samples[at]:.4g}; full scale is 1, and "
            f"beyond {loudest:g} is no sound"
        )
    return samples.astype(np.float32, copy=False)


def _mono(path: Path, seconds: float) -> Iterator[tuple[int, np.ndarray]]:
    """(rate, samples (n,)) of the file's own rate, checked, channels averaged."""
    if not path.exists():
        near = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        known = f"; {suggest(path.name, near)}" if 0 < len(near) <= 20 else ""
        raise DataError(f"{path}: there is no such file{known}")
    if path.is_dir():
        raise DataError(f"{path}: is a folder, not a recording")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty")
    with path.open("rb") as file:
        head = file.read(4096)
    check_pointer(path, head)
    if head.startswith(b"MThd"):
        raise DataError(f"{path}: is a score (MIDI), not a recording; render it first")
    if _is_text(head):  # the decoders would say so in many lines of their own, past every error of ours
        raise DataError(f"{path}: is text, not a recording")
    start = 0.0
    for rate, piece, loudest in _decode(path, seconds):
        where = f"{path} (from {start:.1f} s)" if start else str(path)
        mono = piece.mean(axis=1) if piece.shape[1] > 1 else piece[:, 0]
        yield rate, check_samples(mono, rate, where, loudest)
        start += len(piece) / rate


def _is_text(head: bytes) -> bool:
    """Is the beginning of a file UTF-8 without control characters? No recording begins so: each counts in bytes."""
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut in two
    except UnicodeDecodeError:
        return False
    return True


def _decode(path: Path, seconds: float) -> Iterator[tuple[int, np.ndarray, float]]:
    """(rate, samples (n, channels), the largest sample that can be meant) by libsndfile, else by ffmpeg."""
    import soundfile

    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that looks like headerless samples
        for rate, piece in _by_ffmpeg(path, seconds):
            yield rate, piece, LOUDEST_CODED
        return
    loudest = LOUDEST if file.subtype in ("FLOAT", "DOUBLE") else LOUDEST_CODED
    with file:
        rate, size = file.samplerate, max(1, round(seconds * file.samplerate))
        done = 0
        while True:
            try:
                piece = file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:  # cut off or damaged: ffmpeg goes on where this gives up
                break
            if not len(piece):
                return
            done += len(piece)
            yield rate, piece, loudest
    for other, piece in _by_ffmpeg(path, seconds):
        skipped = min(len(piece), done)
        done -= skipped
        if len(piece) > skipped:
            yield other, piece[skipped:], loudest


def _by_ffmpeg(path: Path, seconds: float) -> Iterator[tuple[int, np.ndarray]]:
    """The first sound stream as ffmpeg decodes it. Sun's AU format says rate and channels in 24 bytes."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe"]
    command += ["-format_whitelist", FORMATS]
    command += ["-i", f"file:{path}", "-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages)
        assert process.stdout is not None
        try:
            head = process.stdout.read(24)
            if len(head) == 24:
                _, offset, _, _, rate, channels = np.frombuffer(head, ">u4")
                process.stdout.read(int(offset) - 24)
                size = 4 * int(channels) * max(1, round(seconds * int(rate)))
                while data := process.stdout.read(size):
                    samples = np.frombuffer(data[: len(data) // (4 * channels) * (4 * channels)], ">f4")
                    yield int(rate), samples.astype(np.float32).reshape(-1, channels)
            failed = process.wait() != 0
        finally:
            process.stdout.close()
            if process.poll() is None:
                process.kill()
            process.wait()
        messages.seek(0)
        said = messages.read().decode("utf-8", "replace").strip().splitlines()
    if failed or len(head) < 24:
        why = f": {_said(said[0])}" if said else ""
        raise DataError(f"{path}: is not a recording that can be read (wav, flac, ogg, mp3, m4a, ...){why}")
    if said:
        log.warning("%s: is damaged; what can be decoded is used (%s)", path, _said(said[0]))


def _said(line: str) -> str:
    """What ffmpeg says, without the part of it that speaks and its address."""
    return re.sub(r"^\[[^\]]*\] ", "", line)[:120]
