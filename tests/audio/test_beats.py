from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.audio import beats


def clicks(period: float, seconds: float = 30.0) -> torch.Tensor:
    """(1, N, 128) clicks of 5 frames."""
    mel = torch.zeros(1, round(seconds * 90), 128)
    for at in np.arange(0.5, seconds - 0.1, period):
        mel[0, round(at * 90) : round(at * 90) + 5] = 0.8
    return mel


def test_onsets_are_where_it_begins_to_sound() -> None:
    strength = beats.onset_strength(clicks(1.0))[0]
    at = (strength > 0.1).nonzero()[:, 0]
    assert set(at.tolist()) == {frame + k for frame in range(45, 2690, 90) for k in (0, 1)}
    assert beats.onset_strength(torch.full((1, 90, 128), 0.7)).abs().max() == 0


def test_onset_strength_is_librosas_spectral_flux_with_lag_two() -> None:
    librosa = pytest.importorskip("librosa")
    mel = np.random.default_rng(0).random((90, 128)).astype(np.float32)
    theirs = librosa.onset.onset_strength(S=mel.T, lag=2, sr=90 * 256, hop_length=256, center=False, detrend=False)
    ours = beats.onset_strength(torch.from_numpy(mel)[None])[0].numpy()
    np.testing.assert_allclose(ours[2:], theirs[2:], atol=1e-5)


@pytest.mark.parametrize("period", [0.4, 0.55, 0.8])
def test_a_tempogram_peaks_at_the_period_and_its_multiples(period: float) -> None:
    gram = beats.tempogram(beats.onset_strength(clicks(period)))
    assert gram.shape == (1, 900, beats.LAGS)
    row, lags = gram[0, 450], beats.lags()
    for multiple in (1, 2):
        here = (lags / (multiple * period) - 1).abs().argmin()
        assert row[here] > row[(lags / ((multiple + 0.5) * period) - 1).abs().argmin()] + 0.1
    assert row[(lags < 0.9 * period)].max() < row[(lags / period - 1).abs().argmin()]


def test_held_ends_look_like_the_middle_of_music_that_goes_on() -> None:
    strength = beats.onset_strength(clicks(0.5))
    cut, usual = beats.tempogram(strength, held=True), beats.tempogram(strength)
    inside = slice(150, 750)
    assert torch.equal(cut[:, inside], usual[:, inside])
    for end in (cut[0, :150], cut[0, 750:]):
        assert (end - cut[0, 450]).abs().max() < 1e-5
    assert (usual[0, -1] - usual[0, 450]).abs().max() > 0.1
    short = strength[:, : beats.WINDOW - 1]
    assert torch.equal(beats.tempogram(short, held=True), beats.tempogram(short))


def test_silence_has_an_empty_tempogram_and_a_short_piece_still_one() -> None:
    assert beats.tempogram(torch.zeros(2, 900)).abs().max() == 0
    short = beats.tempogram(torch.rand(1, 2))
    assert short.shape == (1, 1, beats.LAGS)
    assert torch.isfinite(short).all()
