"""Where speech is stressed and where it pauses, from its prosody alone: any language, no transcript.

An accent is a peak of loudness and of pitch above its surroundings (the correlates of stress that speech has in most
languages: Terken 1991; Kochanski et al. 2005). A phrase is what is said between two pauses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPEECH = 0.35
"""Energy (audio/prosody.py) above which something is said: 32 dB below the recording's loud parts."""
PAUSE = 0.25
"""Seconds of a pause between phrases (Goldman-Eisler 1968)."""
SHORTEST_PHRASE = 0.15
PITCH_WEIGHT, ONSET_WEIGHT, VOICE_WEIGHT = 0.8, 0.25, 0.3
NEIGHBOURHOOD = 1.5
"""Seconds that pitch and loudness are compared with."""
CLOSEST = 0.2
"""Seconds between two accents: a fast syllable."""


@dataclass(frozen=True)
class Accent:
    """time: seconds of a stressed syllable. strength: 0 to 1 within its recording."""

    time: float
    strength: float


@dataclass(frozen=True)
class Phrase:
    """start, end: seconds."""

    start: float
    end: float


def phrases_of(prosody: np.ndarray, rate: float) -> list[Phrase]:
    """prosody (N, 4) at ``rate`` a second -> what is said between pauses, in order; none in silence."""
    if not len(prosody):
        return []
    said = prosody[:, 0] > SPEECH
    edges = np.flatnonzero(np.diff(np.concatenate([[0], said.astype(np.int8), [0]])))
    spans = [(a / rate, b / rate) for a, b in edges.reshape(-1, 2)]
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < PAUSE:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return [Phrase(start, end) for start, end in joined if end - start >= SHORTEST_PHRASE]


def accents_of(prosody: np.ndarray, rate: float) -> list[Accent]:
    """prosody (N, 4) at ``rate`` a second -> its stressed syllables, in order; none in silence."""
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d
    from scipy.signal import find_peaks

    if len(prosody) < 3 or not (prosody[:, 0] > SPEECH).any():
        return []
    energy, pitch, voicing, onset = prosody.astype(np.float64).T
    width = max(3, round(NEIGHBOURHOOD * rate))
    pitched = (pitch != 0).astype(np.float64)
    around = uniform_filter1d(pitch * pitched, width) / np.maximum(uniform_filter1d(pitched, width), 1e-3)
    above = np.where(pitched > 0, np.clip(pitch - around, -0.5, 0.5), 0.0)
    stress = energy + VOICE_WEIGHT * voicing + PITCH_WEIGHT * above + ONSET_WEIGHT * np.minimum(onset, 1)
    stress = gaussian_filter1d(stress, 0.06 * rate, mode="nearest")
    stress -= 0.5 * uniform_filter1d(stress, width)
    peaks, _ = find_peaks(stress, distance=max(1, round(CLOSEST * rate)), prominence=0.05)
    peaks = peaks[energy[peaks] > SPEECH]
    if not len(peaks):
        return []
    low, high = np.quantile(stress[peaks], [0.1, 0.95]) if len(peaks) > 2 else (0.0, stress[peaks].max())
    strength = np.clip((stress[peaks] - low) / max(high - low, 1e-6), 0, 1)
    return [Accent((k + 0.5) / rate, float(s)) for k, s in zip(peaks, strength, strict=True)]
