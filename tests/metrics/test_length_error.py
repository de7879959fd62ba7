import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.metrics.length_error import LengthError


def test_seconds_and_shares_of_the_real_length(oracles):
    batch = oracles.batch_of(oracles.motion_of([oracles.standing(20), oracles.standing(40)]))
    found = LengthError().state(torch.tensor([30, 40]), batch).compute()  # 20 frames a second
    assert found == {"length_error": pytest.approx(0.25), "length_error_relative": pytest.approx(0.25)}


def test_every_clip_needs_one_length(oracles):
    batch = oracles.batch_of(oracles.motion_of([oracles.standing(20)]))
    with pytest.raises(DataError, match="2 lengths but 1 sample ids"):
        LengthError().state(torch.tensor([1, 2]), batch)
    with pytest.raises(DataError, match="'clip 0' has a NaN"):
        LengthError().state(torch.tensor([float("nan")]), batch)
