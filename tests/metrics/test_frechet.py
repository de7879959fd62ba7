import time

import numpy as np
import pytest
import scipy.linalg
import torch

from motion_platform.core.errors import DataError
from motion_platform.metrics.frechet import Frechet, FrechetNormalised, frechet_distance, gaussian_frechet_distance
from motion_platform.metrics.sets import Rows, SetState


@pytest.fixture
def random():
    return np.random.RandomState(0)


def test_of_a_set_with_itself_is_zero(random):
    x = random.randn(300, 40) @ random.randn(40, 40)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x[random.permutation(300)]) == pytest.approx(0, abs=1e-9)


def test_of_a_shifted_set_is_the_square_of_the_shift(random):
    x, shift = random.randn(300, 8), random.randn(8)
    assert frechet_distance(x, x + shift) == pytest.approx(np.square(shift).sum(), rel=1e-10)


def test_of_a_scaled_set_is_the_closed_form(random):
    x = random.randn(500, 6)
    wanted = np.square(x.mean(0) * 2).sum() + 4 * np.cov(x, rowvar=False).trace()  # (3 - 1)^2 of both parts
    assert frechet_distance(x, 3 * x) == pytest.approx(wanted, rel=1e-10)


def test_of_two_diagonal_gaussians_is_the_closed_form():
    a, b = np.array([1.0, 4.0, 0.0]), np.array([9.0, 1.0, 0.25])
    got = gaussian_frechet_distance(np.zeros(3), np.diag(a), np.ones(3), np.diag(b))
    assert got == pytest.approx(3 + np.square(np.sqrt(a) - np.sqrt(b)).sum(), rel=1e-12)


def test_equals_scipys_matrix_square_root(random):
    x, y = random.randn(200, 12) @ random.randn(12, 12), random.randn(250, 12) @ random.randn(12, 12) + 1
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    trace = np.trace(cov_x + cov_y - 2 * scipy.linalg.sqrtm(cov_x @ cov_y).real)
    wanted = np.square(x.mean(0) - y.mean(0)).sum() + trace
    assert frechet_distance(x, y) == pytest.approx(wanted, rel=1e-9)
    assert gaussian_frechet_distance(x.mean(0), cov_x, y.mean(0), cov_y) == pytest.approx(wanted, rel=1e-9)


def test_a_flat_direction_costs_no_digits(random):
    """The square root of a nearly singular product is where other code adds 1e-6 to the diagonal."""
    x, y = random.randn(300, 10), random.randn(300, 10)
    flat_x, flat_y = (np.concatenate([z, z[:, :1] * 1e-7, 0 * z[:, :1]], 1) for z in (x, y))
    assert frechet_distance(flat_x, flat_y) == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert frechet_distance(1e-4 * flat_x, 1e-4 * flat_x) == pytest.approx(0, abs=1e-15)


def test_bad_statistics_are_an_error():
    nearly = np.diag([-1e-6, 1.0])  # a millionth of the largest is rounding
    assert gaussian_frechet_distance(np.zeros(2), nearly, np.zeros(2), nearly) == pytest.approx(0, abs=1e-9)
    with pytest.raises(DataError, match="negative eigenvalue"):
        gaussian_frechet_distance(np.zeros(2), np.diag([-1.1e-6, 1.0]), np.zeros(2), nearly)
    with pytest.raises(DataError, match="negative eigenvalue"):
        gaussian_frechet_distance(np.zeros(2), np.diag([1.0, -0.5]), np.zeros(2), np.eye(2))


def test_halves_of_one_set_are_near_and_noise_moves_away_step_by_step(random):
    x = random.randn(2000, 16) @ random.randn(16, 16)
    half, other = x[:1000], x[1000:]
    growing = [frechet_distance(half + s * random.randn(1000, 16), other) for s in (0, 0.5, 1, 2)]
    assert growing[0] < 0.01 * np.trace(np.cov(x, rowvar=False))
    assert growing == sorted(growing)


@pytest.mark.parametrize("samples", [1, 5, 8])
def test_fewer_samples_than_dimensions_say_so_and_what_is_valid(random, samples):
    x = random.randn(samples, 8)
    with pytest.raises(DataError, match=rf"{samples} samples of 8 dimensions.*more than 8 samples; r_precision.*valid"):
        Frechet().measure(Rows([""] * samples, x, x))


def test_an_embedding_of_length_zero_cannot_be_normalised(random):
    x = random.randn(20, 3)
    x[4] = 0
    with pytest.raises(DataError, match="length 0"):
        FrechetNormalised().measure(Rows([""] * 20, x, random.randn(20, 3)))


def test_ten_thousand_samples_of_512_numbers_take_less_than_two_seconds(random):
    x, y = random.randn(10_000, 512), random.randn(10_000, 512)
    threads = torch.get_num_threads()
    start = time.process_time()
    frechet_distance(x, y)
    assert time.process_time() - start < 2 * max(threads, 2)  # processor time of all cores: others may be busy


def test_the_floor_is_what_real_motion_of_this_size_has(random):
    """69 samples in 64 dimensions: two draws of one distribution are far apart, and the floor knows it."""
    covariance = np.diag(np.linspace(0.2, 2, 64))
    metric = Frechet()
    for samples in (69, 200, 1000):
        truth, again = (random.multivariate_normal(np.zeros(64), covariance, samples) for _ in range(2))
        floor = metric.beside(Rows([str(i) for i in range(samples)], truth, truth))["frechet_floor"]
        part = floor / frechet_distance(again, truth)
        assert (0.6 if samples == 69 else 0.85) < part < 1.1
    assert metric.about("frechet_floor") == (metric.unit, None)


def test_three_wrong_sets_are_above_the_floor(random):
    truth = random.randn(400, 16)
    floor = Frechet().floor(truth)
    for wrong in (truth + 0.5, 2 * truth, np.repeat(truth[:20], 20, 0)):
        assert frechet_distance(wrong, truth) > 2 * floor


def test_a_subset_is_measured_without_its_floor(random):
    x = random.randn(40, 4)
    rows = Rows([f"{i:02d}" for i in range(40)], x, x + 1)
    state = SetState(Frechet(), [rows], set(rows.ids))
    assert set(state.compute()) == {"frechet", "frechet_floor"}
    assert set(state.subset(set(rows.ids[:30])).compute()) == {"frechet"}
