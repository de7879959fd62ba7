"""A clock that counts beats, set by librosa's tracker: what rule-based conducting goes by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from motion_platform.audio.mel import FRAMES_A_SECOND, RANGE, mel_of
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio, Condition, length_mask

RATE = 30
STRIDE = FRAMES_A_SECOND // RATE
SIZES = {"sr": FRAMES_A_SECOND * 256, "hop_length": 256}
"""librosa wants whole numbers: those whose quotient is the mel's rate."""


class LibrosaBeats(Encoder):
    """Audio -> two numbers every 1/30 s: how many beats have passed (-1 before the first), and the onset strength.

    Between two beats the count rises by a straight line, after the last at the pace of the last two. The tracker
    (Ellis 2007, as librosa has it) hears the published mel, so that data without sound can be tracked too. It knows
    no bars. Music without two beats (silence) has -1 everywhere. tempo: beats a minute that it leans to.
    """

    reads = "audio"
    dim = 2
    rate_hz = float(RATE)
    frozen = True
    hears_whole = True

    def __init__(self, tempo: float = 120.0) -> None:
        super().__init__()
        if not 20 <= tempo <= 400:
            raise ValueError(f"tempo {tempo:g}; allowed: 20 to 400 beats a minute")
        self.tempo = tempo
        self.eval()

    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, 2), N = 30 x seconds, rounded up; mask (B, N)."""
        rows = []
        for i, audio in enumerate(raw):
            if audio is not None and not isinstance(audio, Audio):
                raise DataError(f"music[{i}]: got {type(audio).__name__}, expected Audio")
            rows.append(torch.zeros(0, 2) if audio is None else torch.from_numpy(clock(mel_of(audio), self.tempo)))
        counts = torch.tensor([len(row) for row in rows], dtype=torch.long)
        tokens = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 0, 2)
        return Condition(tokens, length_mask(counts, tokens.shape[1]), self.rate_hz)

    def fingerprint(self) -> str:
        from importlib.metadata import version

        words = f"{type(self).__qualname__} {self.tempo:g} librosa {version('librosa')}"
        return hashlib.sha256(words.encode()).hexdigest()


def onset_strength(mel: np.ndarray) -> np.ndarray:
    """(N, 128) of the published front end -> (N,) at 90 Hz, librosa's onset strength of its decibels."""
    import librosa

    if len(mel) < 2:
        return np.zeros(len(mel), np.float32)
    return librosa.onset.onset_strength(S=(mel[:, ::-1].T - 1) * RANGE, **SIZES).astype(np.float32)


def track(onsets: np.ndarray, tempo: float = 120.0) -> np.ndarray:
    """(N,) onset strength at 90 Hz -> times of beats in seconds, from librosa's tracker."""
    import librosa

    if not onsets.any():
        return np.zeros(0)
    return librosa.beat.beat_track(onset_envelope=onsets, start_bpm=tempo, units="time", **SIZES)[1]


def clock(mel: np.ndarray, tempo: float = 120.0) -> np.ndarray:
    """(N, 128) at 90 Hz -> (ceil(N / 3), 2) float32 at 30 Hz: the count of beats, and the onset strength."""
    onsets = onset_strength(mel)
    beats = track(onsets, tempo)
    count = np.full(-(-len(mel) // STRIDE), -1.0)
    if len(beats) >= 2:
        time = np.arange(len(count)) / RATE
        count = np.interp(time, beats, np.arange(len(beats)))
        late = time > beats[-1]
        count[late] = len(beats) - 1 + (time[late] - beats[-1]) / (beats[-1] - beats[-2])
        count[time < beats[0]] = -1
    return np.stack([count, onsets[::STRIDE]], axis=1).astype(np.float32)
