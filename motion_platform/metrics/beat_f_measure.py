"""How well do events hit the beats? The measure of beat tracking, for any two lists of times in seconds.

Beats that a tracker hears in music (the metric below) and ictuses that a hand shows (``ictus.py``) are judged alike, on
one clock: seconds from the start of the clip, never frames or samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.audio.mel import mel_of
from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio, Batch, Motion
from motion_platform.core.seeding import seed_of
from motion_platform.metrics.base import RatioState, check_batch

TOLERANCE = 0.07
"""Seconds to either side, the usual window of beat tracking."""
SHIFTS = 20
"""Random shifts a clip: what a list of events of the same density would reach by chance."""


def hits(reference: np.ndarray, estimate: np.ndarray, tolerance: float = TOLERANCE) -> int:
    """How many pairs of a reference and an estimate within ``tolerance`` there can be, each time used once.

    Both sorted. Taking the earliest that fits gives the most pairs when all windows are equally wide.
    """
    found = i = j = 0
    while i < len(reference) and j < len(estimate):
        apart = estimate[j] - reference[i]
        if abs(apart) <= tolerance:
            found, i, j = found + 1, i + 1, j + 1
        elif apart < 0:
            j += 1
        else:
            i += 1
    return found


def f_measure(reference: np.ndarray, estimate: np.ndarray, tolerance: float = TOLERANCE) -> tuple[float, float, float]:
    """(F, precision, recall), 0 to 1; all 0 where either list is empty. Dixon 2007, section 5; Davies et al. 2009."""
    found = hits(reference, estimate, tolerance)
    if not found:
        return 0.0, 0.0, 0.0
    return 2 * found / (len(reference) + len(estimate)), found / len(estimate), found / len(reference)


def levels(beats: np.ndarray) -> list[np.ndarray]:
    """The beats, every second one from the first or from the second, and twice as many with those half-way."""
    between = (beats[1:] + beats[:-1]) / 2
    return [beats, beats[::2], beats[1::2], np.sort(np.concatenate([beats, between]))]


def best_level(reference: np.ndarray, estimate: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """The highest F over :func:`levels` of the reference: is it a level of the music, if not the notated one?"""
    return max(f_measure(level, estimate, tolerance)[0] for level in levels(reference))


def shifted(times: np.ndarray, seconds: float, sample: str, seed: int, shifts: int = SHIFTS) -> list[np.ndarray]:
    """``shifts`` copies of the times, each moved round a clip of ``seconds`` by a random part of it."""
    draw = np.random.default_rng(seed_of(seed, sample, "shift")).random(shifts)
    return [np.sort((times + part * seconds) % seconds) for part in draw]


def true_beats(batch: Batch, where: str, name: str = "beats") -> list[np.ndarray]:
    """A row each: sorted times in seconds of the events ``name``. Errors: DataError where they are not known."""
    if batch.events is None or any(name not in row for row in batch.events):
        raise DataError(f"{where}: the batch does not say where its {name} are; it needs a data set that does")
    found = [np.sort(np.asarray(row[name], np.float64)) for row in batch.events]
    for sample, times in zip(batch.ids, found, strict=True):
        if not np.isfinite(times).all():
            raise DataError(f"{where}: the {name} of {sample!r} have a NaN or infinite time")
    return found


def reference(batch: Batch, where: str, beats: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(beats, bar lines), a row each: those of the score, or beats (no bar lines) that librosa's tracker hears in the
    recording of the row, for music of which nobody knows the beats.

    Errors: DataError where the beats are not known, or there is no recording.
    """
    if beats == "score":
        return true_beats(batch, where), true_beats(batch, where, "bars")
    from motion_platform.encoders.librosa_beats import onset_strength, track

    music = [values for values in batch.raw.values() if values and all(isinstance(v, Audio) for v in values)]
    if not music:
        raise DataError(f"{where}: the batch has no recordings to track beats in; give the model a slot of music")
    found = [np.asarray(track(onset_strength(mel_of(audio))), np.float64) for audio in music[0]]
    return found, [np.zeros(0)] * len(found)


class BeatFMeasure(Metric):
    """F-measure of heard beats against the true ones, a pair at most 70 ms apart; mean over recordings. 1 is best.

    Dixon 2007 ("Evaluation of the audio beat tracking system BeatRoot", section 5), as in MIREX and mir_eval (without
    its rule that the first 5 seconds do not count). Values: ``beat_f_measure``, ``_precision``, ``_recall``;
    ``_best_level`` (against half, as many or twice as many beats); ``_bar_lines`` (the same F of bar lines); and
    ``_random_shift``, what the same beats moved by chance reach. A recording without beats is left out.
    """

    name = "beat_f_measure"
    unit = "ratio"
    higher_is_better = True
    needs = "beats"

    def __init__(self, tolerance: float = TOLERANCE, seed: int = 0) -> None:
        check_tolerance(tolerance)
        self.tolerance, self.seed = tolerance, seed

    def about(self, value: str) -> tuple[str, bool | None]:
        return self.unit, None if value.endswith("_random_shift") else True

    def state(
        self, prediction: Motion | Sequence[str], batch: Batch, embeddings: Embeddings | None = None
    ) -> RatioState:
        """Errors: DataError without beats of the batch, or without somebody who heard them."""
        check_batch(prediction, batch, self.name)
        if embeddings is None or embeddings.beats is None:
            raise DataError(f"{self.name}: nobody said where the beats are; it needs a beat tracker as its space")
        truth, bars = true_beats(batch, self.name), true_beats(batch, self.name, "bars")
        rows: dict[str, dict[str, tuple[float, float]]] = {}
        for b, sample in enumerate(batch.ids):
            heard = embeddings.beats[b]
            seconds = float(batch.lengths[b]) / prediction.spec.fps
            values = beat_values(self.name, truth[b], heard["beats"], seconds, sample, self.seed, self.tolerance)
            if len(bars[b]):
                values[f"{self.name}_bar_lines"] = (f_measure(bars[b], heard["bars"], self.tolerance)[0], 1.0)
            rows[sample] = values
        return RatioState(rows)


def check_tolerance(seconds: float) -> None:
    """ValueError for a tolerance within which nothing can lie."""
    if not seconds > 0:
        raise ValueError(f"tolerance: got {seconds} s; allowed: above 0")


def event_values(
    name: str, truth: np.ndarray, found: np.ndarray, seconds: float, sample: str, seed: int, tolerance: float
) -> dict[str, tuple[float, float]]:
    """Value name -> (value, weight 1) of one clip: F, precision, recall, and what the same events moved by chance have;
    without true events nothing can be said, weight 0."""
    weight = float(len(truth) > 0)
    moved = [f_measure(truth, times, tolerance)[0] for times in shifted(found, seconds, sample, seed)]
    scores = (*f_measure(truth, found, tolerance), float(np.mean(moved)))
    parts = ("", "_precision", "_recall", "_random_shift")
    return {f"{name}{part}": (score * weight, weight) for part, score in zip(parts, scores, strict=True)}


def beat_values(
    name: str, truth: np.ndarray, found: np.ndarray, seconds: float, sample: str, seed: int, tolerance: float
) -> dict[str, tuple[float, float]]:
    """:func:`event_values` of beats, and the best level of them (:func:`best_level`)."""
    values = event_values(name, truth, found, seconds, sample, seed, tolerance)
    by_chance = values.pop(f"{name}_random_shift")  # the last in every table
    weight = float(len(truth) > 0)
    level = best_level(truth, found, tolerance) * weight
    return {**values, f"{name}_best_level": (level, weight), f"{name}_random_shift": by_chance}
