"""Which piece of the training recordings sounds most like one that is not among them: the nearest neighbour by ear."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from motion_platform.audio.prosody import prosody
from motion_platform.core.schema import Audio

FRONT_ENDS = ("prosody", "mel")
"""What is compared, the first that the data hold; of samples alone prosody is made."""
RATE = 10.0
"""Times a second that two recordings are compared at."""
STEP = 5
"""Of these times, between two beginnings that are tried."""
TIE = 1e-6


def heard(audio: Audio) -> np.ndarray:
    """(N, K) float64 of a recording at ``RATE``. DataError for one without samples and without a front end."""
    for name in FRONT_ENDS:
        if name in audio.features:
            stored = np.asarray(audio.features[name], np.float64)
            rate = max(RATE, round(len(stored) / audio.seconds))
            count = max(1, int(len(stored) * RATE / rate + 1e-6))  # whole ones alone: a part would be of other sound
            edges = np.ceil(np.arange(count + 1) * rate / RATE - 1e-6).astype(int)
            return np.stack([stored[a:b].mean(0) for a, b in pairwise(edges)])
    return prosody(audio, RATE).astype(np.float64)


def nearest_pieces(asked: Sequence[np.ndarray], known: Sequence[np.ndarray]) -> list[list[tuple[int, float]]]:
    """For each of ``asked`` (N, K) the pieces of ``known`` (M, K) that are most like it: (which, first second).

    The mean squared difference over a piece as long as what is asked, each column divided by its deviation over all of
    ``known``; ties together. Where nothing is as long, the beginning of the longest counts as nearest.
    """
    scale = np.maximum(np.concatenate(known).std(0), 1e-6)
    scaled = [x / scale for x in known]
    found = []
    for each in asked:
        wanted, pieces = each / scale, []
        for which, other in enumerate(scaled):
            if len(other) >= len(wanted):
                windows = np.lib.stride_tricks.sliding_window_view(other, len(wanted), axis=0)[::STEP]  # (S, K, N)
                far = ((windows - wanted.T) ** 2).mean((1, 2))
                pieces.append((float(far.min()), which, int(far.argmin()) * STEP / RATE))
        if not pieces:
            longest = max(len(other) for other in scaled)
            pieces = [(0.0, which, 0.0) for which, other in enumerate(scaled) if len(other) == longest]
        least = min(pieces)[0]
        found.append([(which, start) for far, which, start in pieces if far <= least + TIE])
    return found
