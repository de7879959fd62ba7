"""How something is said: loudness, pitch, voice and onsets, a few numbers a second, of a recording of any length.

Loudness is the root mean square in decibels against the recording's own loud parts, pitch the fundamental frequency by
YIN (de Cheveigné and Kawahara 2002, as librosa has it) in semitones from the speaker's median, voicing the normalised
autocorrelation at that period, an onset the half-wave rectified rise of the logarithmic mel spectrum (spectral flux).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from motion_platform.audio import reading
from motion_platform.audio.listening import SILENT
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio

RATE = 16_000
"""Samples a second that are analysed: speech holds nothing above that matters here."""
HOP = 160
"""Samples between two frames: 100 frames a second, of which the asked rate is made."""
WINDOW = 1024
LOWEST, HIGHEST = 60.0, 500.0
"""Hertz of a voice."""
VOICED = 0.5
"""Normalised autocorrelation from which a frame has a pitch."""
BANDS = 40
BLOCK = 30.0
"""Seconds analysed at a time."""
DECIBELS = 50.0
"""From nothing (0) to the recording's loud parts (1)."""
COLUMNS = ("energy", "pitch", "voicing", "onset")


@dataclass(frozen=True)
class Frames:
    """100 frames a second: rms (n,), hertz (n,) or 0 where there is no pitch, voicing (n,) 0 to 1, flux (n,)."""

    rms: np.ndarray
    hertz: np.ndarray
    voicing: np.ndarray
    flux: np.ndarray


def prosody(audio: Audio, rate: float = 20.0) -> np.ndarray:
    """(N, 4) float32 of a recording, N = seconds x rate rounded up: energy (0 to about 1), pitch (octaves from the
    speaker's median, 0 without voice), voicing (0 to 1), onset (about 0 to 1). Silence is zeros.

    Audio that holds the front end "prosody" (20 a second) needs no samples. Errors: DataError for what holds neither,
    is not finite, or for a rate outside of 1 to 100.
    """
    if not (math.isfinite(rate) and 1 <= rate <= RATE / HOP):
        raise DataError(f"prosody: got {rate} frames a second; allowed: 1 to {RATE // HOP}")
    if "prosody" in audio.features:
        found = np.asarray(audio.features["prosody"], np.float32)
        if found.ndim != 2 or found.shape[1] != len(COLUMNS) or not np.isfinite(found).all() or rate != 20.0:
            raise DataError(f"prosody: the stored front end is {found.shape} at 20 a second; (N, 4) finite is needed")
        return found
    if audio.samples is None:
        raise DataError("prosody: the recording holds neither samples nor the front end 'prosody'")
    samples = reading.check_samples(audio.samples, audio.rate, "prosody")
    return at_rate(analyse(samples, audio.rate), math.ceil(len(samples) / audio.rate * rate - 1e-6), rate)


def loudness(audio: Audio, rate: float = 20.0) -> np.ndarray:
    """(N,) the energy of :func:`prosody` alone, in a tenth of its time. Errors: as there."""
    if "prosody" in audio.features or audio.samples is None:
        return prosody(audio, rate)[:, 0]
    samples = reading.check_samples(audio.samples, audio.rate, "prosody")
    parts = [_rms(_windows(piece)) for piece in _blocks(samples, audio.rate)]
    rms = np.concatenate([np.zeros(0), *parts])
    made = np.zeros(math.ceil(len(samples) / audio.rate * rate - 1e-6), np.float32)
    level = _level(rms)
    for k, (a, b) in enumerate(_spans(len(rms), len(made), rate)):
        made[k] = level[a:b].mean() if a < b else 0.0
    return made


def analyse(samples: np.ndarray, rate: int) -> Frames:
    """Mono samples (n,) -> 100 frames a second; memory does not grow with the length beyond the frames themselves."""
    parts = [_block(piece) for piece in _blocks(samples, rate)]
    whole = [np.concatenate([part[k] for part in parts]) for k in range(4)]
    return Frames(*whole)


def _blocks(samples: np.ndarray, rate: int) -> Iterator[np.ndarray]:
    """Pieces at ``RATE``, each with the samples before its first and after its last frame that their windows need."""
    size, half = round(BLOCK * RATE) // HOP * HOP, WINDOW // 2
    step = max(1, round(BLOCK * rate))
    source = ((rate, samples[start : start + step]) for start in range(0, len(samples), step))
    held = np.zeros(half + HOP, np.float32)  # a window before the first frame, and one frame for its rise
    for piece in reading.resample(source, RATE):
        held = np.concatenate([held, piece])
        while len(held) >= WINDOW + size:
            yield held[: WINDOW + size]
            held = held[size:]
    rest = len(held) - half - HOP
    if rest > 0:
        yield np.pad(held, (0, half - HOP + -rest % HOP))


def _windows(piece: np.ndarray) -> np.ndarray:
    """(n + 1, WINDOW): one a frame, and that of the frame before the first."""
    return np.lib.stride_tricks.sliding_window_view(piece, WINDOW)[::HOP]


def _rms(windows: np.ndarray) -> np.ndarray:
    return np.sqrt((windows[1:].astype(np.float64) ** 2).mean(-1))


def _level(rms: np.ndarray) -> np.ndarray:
    """Energy of frames: 1 at the recording's loud parts, 0 where it is ``DECIBELS`` softer, or silent."""
    heard = rms > SILENT
    if not heard.any():
        return np.zeros(len(rms))
    loud = 20 * np.log10(np.quantile(rms[heard], 0.95))
    return np.clip((20 * np.log10(np.maximum(rms, 1e-9)) - loud) / DECIBELS + 1, 0, 1.2) * heard


def _spans(frames: int, count: int, rate: float) -> Iterator[tuple[int, int]]:
    """The frames of each of ``count`` times at ``rate`` a second: the first, and the one after the last."""
    edges = np.minimum(np.round(np.arange(count + 1) * RATE / HOP / rate).astype(int), frames)
    return pairwise(edges.tolist())


def _block(piece: np.ndarray) -> tuple[np.ndarray, ...]:
    """rms, hertz, voicing, flux of the frames of one piece; its first frame is that of the piece before."""
    import librosa

    windows = _windows(piece)
    rms = _rms(windows)
    padded = 2 * WINDOW
    spectrum = np.fft.rfft(windows[1:], padded)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, padded)[:, :WINDOW]
    correlation *= WINDOW / np.maximum(WINDOW - np.arange(WINDOW), WINDOW // 4)  # fewer products at longer lags
    if len(rms):
        hertz = librosa.yin(
            piece[HOP:], fmin=LOWEST, fmax=HIGHEST, sr=RATE, frame_length=WINDOW, hop_length=HOP, center=False
        )[: len(rms)]
    else:
        hertz = np.zeros(0)
    hertz = np.pad(hertz, (0, len(rms) - len(hertz)), mode="edge") if len(hertz) else np.full(len(rms), LOWEST)
    lag = np.clip(np.round(RATE / hertz).astype(int), 1, WINDOW - 1)
    power = np.maximum(correlation[:, 0], 1e-9)
    voicing = np.clip(correlation[np.arange(len(rms)), lag] / power, 0, 1) * (rms > SILENT)
    mel = librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=BANDS)
    shown = np.abs(np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32))) ** 2
    bands = np.log(shown @ mel.T + 1e-4)
    flux = np.maximum(np.diff(bands, axis=0), 0).mean(-1)
    return rms, np.where(voicing >= VOICED, hertz, 0.0), voicing, flux


def at_rate(frames: Frames, count: int, rate: float) -> np.ndarray:
    """(count, 4) float32 at ``rate`` a second: energy, pitch, voicing and onset as :func:`prosody` says."""
    heard = frames.rms > SILENT
    made = np.zeros((count, len(COLUMNS)), np.float32)
    if not heard.any() or not count:
        return made
    level = _level(frames.rms)
    pitched = frames.hertz > 0
    middle = np.median(frames.hertz[pitched]) if pitched.any() else 1.0
    octaves = np.clip(np.log2(np.maximum(frames.hertz, 1.0) / middle), -1, 1)
    flux = frames.flux / max(float(np.quantile(frames.flux[heard], 0.99)), 1e-6)
    for k, (a, b) in enumerate(_spans(len(frames.rms), count, rate)):
        if a < b:
            on = pitched[a:b]
            pitch = np.median(octaves[a:b][on]) if on.any() else 0.0
            made[k] = level[a:b].mean(), pitch, frames.voicing[a:b].mean(), min(flux[a:b].max(), 1.5)
    return made
