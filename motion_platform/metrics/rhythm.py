"""The published numbers of conducting: rhythm density error, strength contour error, standard deviation percentage.

Liu, Chen et al. 2022 (Self-Supervised Music Motion Synchronization Learning for Music-Driven Conducting Motion
Generation, section 5.2) and the code of VirtualConductor, which fixes what the paper leaves open. All three look at x
and y in the image plane in widths of the frame, as that data is stored.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState
from motion_platform.metrics.position import paired_joints

FRAME = 1.8
"""Metres that the width of a frame is: five times a conductor's shoulders (``representations/conductor.py``)."""
WINDOW = 256 / 30
"""Seconds of a piece that a spectrum is made of."""
LOWEST, BINS = 6, 20
"""The first bin (0.70 Hz) and how many are compared (up to 2.93 Hz): beats from 42 to 176 a minute."""
SCALE = 1e7


def flat(joints: np.ndarray) -> np.ndarray:
    """(T, J, 3) metres, Y up -> (T, J * 2) x and y, y down, in widths of the frame, up to where the origin is."""
    return (joints[..., :2] * [1, -1] / FRAME).reshape(len(joints), -1)


def power(plane: np.ndarray, fps: float) -> np.ndarray:
    """(T, K) -> (20,) mean power spectral density from 0.70 to 2.93 Hz, by Welch's method. Clips shorter than a window
    are padded, so that the bins mean the same."""
    from scipy.signal import welch

    size = round(WINDOW * fps)
    piece = min(size, len(plane))
    density = welch(plane, fps, nperseg=piece, noverlap=piece // 2, nfft=size, axis=0)[1]
    return density.mean(1)[LOWEST : LOWEST + BINS]


def contour(plane: np.ndarray, fps: float) -> np.ndarray:
    """(T, K) -> how strong the movement is, over 2 s every second: |mean over coordinates of the step| averaged.

    A clip below 2 s is one window.
    """
    step = np.zeros(len(plane))
    step[1:] = np.abs((plane[:-1] - plane[1:]).mean(1))
    size, hop = round(2 * fps), round(fps)
    if len(step) < size:
        return step.mean(keepdims=True)
    return np.lib.stride_tricks.sliding_window_view(step, size)[::hop].mean(1)


@dataclass
class LogState(RatioState):
    """ln(1e7 * mean + 1): the published scale of a mean squared error."""

    def merge(self, other: RatioState) -> LogState:
        return LogState(super().merge(other).rows)

    def compute(self) -> dict[str, float]:
        return {name: math.log(SCALE * value + 1) for name, value in super().compute().items()}


class _Contour(Metric):
    unit = "ln(1e7 squared frame widths + 1)"
    higher_is_better = False
    needs = None

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> LogState:
        """Errors: DataError for a NaN, or without real motion of the same lengths, skeleton and frame rate."""
        rows, fps = {}, prediction.spec.fps
        for sample, pair in zip(batch.ids, paired_joints(prediction, batch, self.name), strict=True):
            mine, theirs = (self.of(flat(joints.numpy()), fps) for joints in pair)
            error = np.square(mine - theirs)
            rows[sample] = {self.name: (float(error.sum()), float(error.size))}
        return LogState(rows)

    @abstractmethod
    def of(self, plane: np.ndarray, fps: float) -> np.ndarray:
        """What is compared."""


class RhythmDensityError(_Contour):
    """ln(1e7 e + 1), e the squared difference of power spectra of prediction and real motion from 0.70 to 2.93 Hz.

    Spectra by Welch's method (256 frames at 30 Hz, Hann, half overlapped), averaged over the coordinates; e is the mean
    over frequencies and clips. Lower is better; it says how much movement there is at the tempi of beats, whatever its
    phase. Source: ``rhythm_density_error`` of VirtualConductor.
    """

    name = "rhythm_density_error"
    unit = "ln(1e7 squared power + 1)"

    def of(self, plane: np.ndarray, fps: float) -> np.ndarray:
        return power(plane, fps)


class StrengthContourError(_Contour):
    """ln(1e7 e + 1), e the squared difference of the strength contours of prediction and real motion. Lower is better.

    The contour: the steps of all coordinates averaged, their size averaged over 2 s every second; e is the mean over
    windows and clips. Source: ``strengh_contour_error`` of VirtualConductor, which averages steps before it takes their
    size, so arms that move against each other cancel.
    """

    name = "strength_contour_error"

    def of(self, plane: np.ndarray, fps: float) -> np.ndarray:
        return contour(plane, fps)


class StandardDeviationPercentage(Metric):
    """How much the prediction moves in percent of real motion: 100 * sum of standard deviations over time / the same.

    Summed over the coordinates in the image plane and all clips. 100 is real motion; a mean pose has 0. Source: SDP of
    the ProspectiveCup, in the README of VirtualConductor.
    """

    name = "standard_deviation_percentage"
    unit = "%"
    higher_is_better = None
    needs = None

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> RatioState:
        """Errors: DataError for a NaN, or without real motion of the same lengths, skeleton and frame rate."""
        rows = {}
        for sample, pair in zip(batch.ids, paired_joints(prediction, batch, self.name), strict=True):
            mine, theirs = (float(flat(joints.numpy()).std(0).sum()) for joints in pair)
            rows[sample] = {self.name: (100 * mine, theirs)}
        return RatioState(rows)
