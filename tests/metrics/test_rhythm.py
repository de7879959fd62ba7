"""The published numbers, against a plain reading of the published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal

from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.metrics.rhythm import (
    FRAME,
    RhythmDensityError,
    StandardDeviationPercentage,
    StrengthContourError,
    contour,
    flat,
    power,
)
from motion_platform.motion.representations import conductor, get_representation

SPEC = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26), "frame")


@pytest.fixture
def pair():
    """(2, 600, 26) generated and real, in widths of the frame."""
    random = np.random.default_rng(0)
    real = 0.5 + np.cumsum(random.normal(0, 0.003, (2, 600, 26)), 1)
    return torch.from_numpy(real + random.normal(0, 0.01, real.shape)).float(), torch.from_numpy(real).float()


def state(metric, pair):
    lengths = torch.tensor([600, 600])
    motion, real = (Motion(x, lengths, SPEC) for x in pair)
    return metric.state(motion, Batch(["a", "b"], {}, lengths, motion=real)).compute()[metric.name]


def test_the_plane_is_that_of_the_stored_data(pair) -> None:
    joints = get_representation("conductor").decode(pair[1][0]).double()
    difference = flat(joints.numpy()) - pair[1][0].double().numpy()
    assert np.ptp(difference.reshape(600, 13, 2), axis=(0, 1)).max() < 1e-5  # the same up to where the origin is
    assert abs(conductor.FRAME - FRAME) < 1e-12


def test_rhythm_density_error_is_the_published_one(pair) -> None:
    errors = []
    for mine, theirs in zip(*pair, strict=True):
        spectra = [sum(signal.welch(x[:, k].double().numpy(), 30)[1] for k in range(26)) / 26 for x in (theirs, mine)]
        errors.append(((spectra[0][6:26] - spectra[1][6:26]) ** 2).mean())
    assert state(RhythmDensityError(), pair) == pytest.approx(np.log(np.mean(errors) * 1e7 + 1), rel=1e-3)


def test_the_spectrum_is_that_of_windows_of_256_frames_at_thirty_a_second(pair) -> None:
    """To all its digits: the logarithm of the error hides what is a few per cent off."""
    plane = pair[0][0].double().numpy()
    frequencies, density = signal.welch(plane, 30, nperseg=256, axis=0)
    assert np.round(frequencies[[6, 25]], 2).tolist() == [0.70, 2.93]
    np.testing.assert_allclose(power(plane, 30.0), density.mean(1)[6:26], rtol=1e-9)
    assert power(plane[:100], 30.0).shape == (20,)


def test_strength_contour_error_is_the_published_one(pair) -> None:
    pooled = []
    for x in pair:
        step = torch.zeros(2, 600, 26, dtype=torch.float64)
        step[:, 1:] = x[:, :-1].double() - x[:, 1:].double()
        pooled.append(torch.nn.AvgPool1d(60, 30)(step.mean(2).abs()[None])[0])
    expected = math.log(float((pooled[0] - pooled[1]).square().mean()) * 1e7 + 1)
    assert state(StrengthContourError(), pair) == pytest.approx(expected, rel=1e-3)


def test_standard_deviation_percentage(pair) -> None:
    real = pair[1]
    half = real.mean(1, keepdim=True) + 0.5 * (real - real.mean(1, keepdim=True))
    assert state(StandardDeviationPercentage(), (real, real)) == pytest.approx(100)
    assert state(StandardDeviationPercentage(), (half, real)) == pytest.approx(50, abs=0.01)
    still = real.mean(1, keepdim=True).expand_as(real)
    assert state(StandardDeviationPercentage(), (still, real)) == pytest.approx(0, abs=0.01)


def test_real_motion_has_no_error(pair) -> None:
    for metric in (RhythmDensityError(), StrengthContourError()):
        assert state(metric, (pair[1], pair[1])) == 0


def test_the_spectrum_of_a_clip_below_a_window_is_that_of_its_one_piece_in_the_same_bins() -> None:
    plane = np.random.default_rng(1).normal(size=(100, 4)).cumsum(0)
    wanted = signal.welch(plane, 30, nperseg=100, nfft=256, axis=0)[1].mean(1)
    np.testing.assert_allclose(power(plane, 30.0), wanted[6:26], rtol=1e-9)


def test_the_contour_is_of_two_seconds_every_second_and_of_a_short_clip_one_number() -> None:
    plane = np.random.default_rng(2).normal(size=(199, 4)).cumsum(0)
    step = [0.0] + [abs(np.mean(a - b)) for a, b in zip(plane[1:], plane[:-1], strict=True)]
    for frames, windows in ((19, [(0, 19)]), (39, [(0, 39)]), (40, [(0, 40)]), (60, [(0, 40), (20, 60)]), (79, 2)):
        found = contour(plane[:frames], 20.0)
        if windows == 2:
            windows = [(0, 40), (20, 60)]  # what is left over fills no window
        np.testing.assert_allclose(found, [np.mean(step[a:b]) for a, b in windows], rtol=1e-12)
        assert found.shape == (len(windows),)
