"""Accents of made-up prosody, kept; and the borders at which a peak is one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from stored_arrays import check_stored

from motion_platform.motion.gesturing.accents import accents_of, phrases_of


def prosody(seed: int, count: int = 400) -> np.ndarray:
    random = np.random.default_rng(seed)
    rough = gaussian_filter1d(random.normal(size=(count, 4)), random.uniform(1.5, 4), axis=0)
    rough /= rough.std(0)
    energy, voice = np.clip(0.5 + 0.2 * rough[:, 0], 0, 1), np.clip(0.5 + 0.3 * rough[:, 2], 0, 1)
    pitch = np.where(rough[:, 1] > -0.8, 0.4 * rough[:, 1], 0.0)
    return np.stack([energy, pitch, voice, np.abs(rough[:, 3])], axis=1).astype(np.float32)


def test_accents_of_any_prosody_are_what_they_were() -> None:
    made = {}
    for seed in range(5):
        for rate in (20.0, 50.0, 7.0, 1.5):
            found = accents_of(prosody(seed), rate)
            made[f"{seed} {rate:g}"] = np.array([(accent.time, accent.strength) for accent in found])
            phrases = phrases_of(prosody(seed), rate)
            made[f"{seed} {rate:g} phrases"] = np.array([(phrase.start, phrase.end) for phrase in phrases])
    check_stored("accents", made, atol=1e-5)


@pytest.mark.parametrize(("count", "some"), [(1, False), (2, False), (3, True)])
def test_three_frames_are_the_least_that_hold_an_accent(count: int, some: bool) -> None:
    short = np.zeros((count, 4), np.float32)
    short[count // 2] = [0.9, 0.0, 1.0, 1.0]
    found = accents_of(short, 2.0)
    assert bool(found) is some
    if some:
        assert (found[0].time, found[0].strength) == (0.75, 1.0)


def test_a_peak_of_two_is_as_strong_as_its_share_of_the_larger() -> None:
    two = np.zeros((200, 4), np.float32)
    two[:, 0] = 0.4
    for frame, size in ((60, 0.3), (140, 0.6)):
        two[:, 0] += size * np.exp(-0.5 * ((np.arange(200) - frame) / 2) ** 2)
    found = accents_of(two, 20.0)
    assert [accent.time for accent in found] == [60.5 / 20, 140.5 / 20]
    assert found[1].strength == 1.0
    assert 0.3 < found[0].strength < 0.8
