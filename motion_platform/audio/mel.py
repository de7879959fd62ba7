"""The published front end of music-driven conducting: a mel spectrogram at 90 Hz.

As ConductorMotion100's ``mel.npy`` was made (Liu, Chen et al. 2022, "Self-Supervised Music Motion Synchronization
Learning", https://doi.org/10.1007/s11390-022-2030-z; ``extract_mel_feature`` of VirtualConductor): 22,050 Hz, Hann
windows of 2,048 samples every 256, 128 Slaney bands of the power, decibels below the loudest band of the **whole
recording** down to -80, divided by 80 (0: silent, 1: loudest), bands from high to low, and from 86.13 to 90 frames a
second by linear interpolation.

The reference is the whole recording's, so a piece heard alone differs from the same piece heard within a symphony.
Streaming therefore hears a recording twice: once for its loudest band, once for its frames, and the blocks are those of
the whole. One thing is not as published: a recording of digital silence is 0 everywhere, where the original, which has
nothing to refer to, calls it all as loud as can be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from motion_platform.audio import reading
from motion_platform.audio.reading import RATE
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio

BANDS = 128
"""Mel bands of a frame, the highest first."""
FRAMES_A_SECOND = 90
WINDOW, HOP = 2048, 256
RANGE = 80.0
"""Decibels between the loudest band and what counts as silent."""
SILENCE = 1e-10
"""Power below which librosa's ``power_to_db`` sees nothing (its ``amin``)."""
SHORTEST = 245
"""Samples at 22,050 Hz that make one frame."""
CHUNK = 512
"""Frames transformed at a time (6 s): 8 MB."""


def mel(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples (n,) of a whole recording, mono, full scale 1, at any rate -> (N, 128) float32, N = floor(seconds * 90).

    Parity with a direct librosa and OpenCV computation: 1e-5. An hour takes 0.5 GB beside its samples; :func:`stream`
    bounds that. Errors: DataError for samples that are no finite mono
    recording, or too few for one frame.
    """
    samples = reading.check_samples(samples, rate, "mel")
    step = 10 * rate
    pieces = ((rate, samples[i : i + step]) for i in range(0, len(samples), step))
    total = math.ceil(len(samples) * (RATE / rate))
    if total < SHORTEST:
        raise DataError(f"mel: got {len(samples)} samples at {rate} Hz; one frame needs {SHORTEST} at {RATE} Hz")
    powers = list(_powers(reading.resample(pieces, RATE)))
    return np.concatenate(list(_rendered(powers, *_heard(powers), total)))


def mel_of(audio: Audio) -> np.ndarray:
    """(N, 128) of a recording: what ``audio.features["mel"]`` holds, else made from its samples and kept there.

    Errors: DataError for features of another shape or not finite, and for a recording without samples or features.
    """
    made = audio.features.get("mel")
    if made is None:
        if audio.samples is None:
            raise DataError("audio: has neither samples nor the feature 'mel'; give it one of them")
        made = mel(audio.samples, audio.rate)
        if isinstance(audio.features, dict):
            audio.features["mel"] = made
        return made
    return check_mel(made, "audio.features['mel']")


def stream(path: str | Path, seconds: float = reading.BLOCK) -> Iterator[np.ndarray]:
    """The frames of ``mel`` of a file in blocks (about ``seconds`` * 90, 128): bounded memory for hours of audio.

    The file is decoded twice. Errors: those of ``reading.load``.
    """
    samples = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal samples
        for block in reading.blocks(path, seconds):
            samples += len(block)
            yield block

    loudest, frames = _heard(_powers(counted()))
    yield from _rendered(_powers(reading.blocks(path, seconds)), loudest, frames, samples)


def listen(path: str | Path) -> Audio:
    """A recording as its mel alone, without its samples: an hour takes 0.17 GB. Errors: those of ``reading.load``."""
    made = np.concatenate(list(stream(path)))
    return Audio(len(made) / FRAMES_A_SECOND, features={"mel": made})


def check_mel(made: np.ndarray, where: str) -> np.ndarray:
    """A mel computed ahead as (N, 128) float32. Errors: DataError for another shape, and for NaN or infinity."""
    made = np.asarray(made)
    if made.ndim != 2 or made.shape[1] != BANDS or len(made) == 0:
        raise DataError(f"{where}: got shape {made.shape}; (N, {BANDS}) frames at {FRAMES_A_SECOND} Hz are needed")
    made = made.astype(np.float32, copy=False)
    finite = np.isfinite(made).all(axis=1)
    if not finite.all():
        raise DataError(f"{where}: frame {int(np.argmin(finite))} has a NaN or infinite value")
    return made


@cache
def filters() -> np.ndarray:
    """(1025, 128) float32: Slaney's mel filters from 0 to 11,025 Hz, each of unit area, the highest first.

    Linear below 1,000 Hz and logarithmic above (Slaney, Auditory Toolbox, 1998), as ``librosa.filters.mel`` has them.
    """
    per_mel, bend, step = 200.0 / 3, 15.0, math.log(6.4) / 27.0  # Hz a mel below 1,000 Hz; ln(Hz) a mel above
    top = bend + math.log(RATE / 2 / 1000.0) / step
    mels = np.linspace(0.0, top, BANDS + 2)
    edges = np.where(mels < bend, mels * per_mel, 1000.0 * np.exp(step * (mels - bend)))
    frequencies = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.clip(np.minimum(rising, falling), 0, None).astype(np.float32) * area)[:, ::-1].astype(np.float32)


def _powers(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Samples at 22,050 Hz -> (k, 128) power of mel bands, 1 + n // 256 frames together, centred on their samples."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)  # a periodic Hann window
    bank = filters()

    def transform(samples: np.ndarray, count: int) -> Iterator[np.ndarray]:
        if count <= 0:
            return
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]
        for i in range(0, count, CHUNK):
            spectrum = np.fft.rfft(frames[i : i + CHUNK] * window, axis=1)
            yield np.square(np.abs(spectrum)).astype(np.float32) @ bank

    held = np.zeros(WINDOW // 2, np.float32)  # the first frame is centred on the first sample
    for block in blocks:
        held = np.concatenate([held, block])
        count = max(0, (len(held) - WINDOW) // HOP + 1)
        yield from transform(held, count)
        held = held[count * HOP :]
    held = np.concatenate([held, np.zeros(WINDOW // 2, np.float32)])
    yield from transform(held, (len(held) - WINDOW) // HOP + 1)


def _heard(powers: Iterable[np.ndarray]) -> tuple[float, int]:
    """The loudest band of all frames, and how many frames there are."""
    loudest, frames = 0.0, 0
    for power in powers:
        loudest, frames = max(loudest, float(power.max())), frames + len(power)
    return loudest, frames


def _rendered(powers: Iterable[np.ndarray], loudest: float, frames: int, samples: int) -> Iterator[np.ndarray]:
    """The frames at 90 Hz of a recording of so many samples at 22,050 Hz."""
    wanted = int(samples / RATE * FRAMES_A_SECOND)
    yield from _stretched((_levels(power, loudest) for power in powers), frames, wanted)


def _levels(power: np.ndarray, loudest: float) -> np.ndarray:
    """Power -> decibels under the loudest, from 0 (80 dB or more below) to 1; 0 in a silent recording."""
    if loudest <= SILENCE:
        return np.zeros_like(power)
    decibels = 10.0 * np.log10(np.maximum(SILENCE, power)) - np.float32(10.0 * math.log10(loudest))
    return (np.maximum(decibels, -RANGE) + RANGE) / RANGE


def _stretched(blocks: Iterable[np.ndarray], frames: int, wanted: int) -> Iterator[np.ndarray]:
    """(k, 128) blocks of ``frames`` together -> blocks of ``wanted`` together, by OpenCV's linear interpolation.

    Frame i of the result lies at (i + 0.5) * frames / wanted - 0.5; beyond the ends, the ends are held.
    """
    scale, done, first = frames / wanted, 0, 0  # ``first``: index of the first frame in ``held``
    held = np.zeros((0, BANDS), np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        last = first + len(held) - 1
        # all places whose right neighbour is here, and in the end all that are left
        end = wanted if last == frames - 1 else min(wanted, math.ceil((last + 0.5) / scale - 0.5))
        if end <= done:
            continue
        place = np.clip((np.arange(done, end) + 0.5) * scale - 0.5, 0, frames - 1)
        left = np.minimum(place.astype(np.int64), last - 1 if last > first else last)
        share = (place - left).astype(np.float32)[:, None]
        right = np.minimum(left + 1, last)
        yield (held[left - first] * (1 - share) + held[right - first] * share).astype(np.float32, copy=False)
        keep = min(int(left[-1]), last)
        held, first, done = held[keep - first :], keep, end
