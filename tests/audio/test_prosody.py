"""Prosody against closed forms: a tone's pitch and level, silence, and blocks that change nothing."""

import numpy as np
import pytest

from motion_platform.audio import prosody
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio


def tone(hertz, seconds=1.0, rate=22_050, size=0.3):
    return (size * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("hertz", [90.0, 150.0, 300.0])
def test_the_pitch_of_a_tone_is_its_frequency(hertz):
    frames = prosody.analyse(tone(hertz), 22_050)
    inner = frames.hertz[10:-10]
    assert np.abs(inner - hertz).max() < 0.02 * hertz
    assert frames.voicing[10:-10].min() > 0.95
    assert frames.rms[10:-10] == pytest.approx(0.3 / 2**0.5, rel=0.02)


def test_an_octave_up_is_one_louder_is_more_and_noise_has_no_voice():
    samples = np.concatenate([tone(120, 2), tone(240, 1), 0.1 * tone(120, 1)])
    told = prosody.prosody(Audio(len(samples) / 22_050, samples, 22_050))
    assert told.shape == (80, 4)
    assert told[5:35, 1] == pytest.approx(0, abs=0.03)  # the median of all that is voiced
    assert told[45:55, 1] == pytest.approx(1, abs=0.03)
    assert told[5:35, 0] == pytest.approx(1, abs=0.03)
    assert told[65:75, 0] == pytest.approx(1 - 20 / prosody.DECIBELS, abs=0.03)
    noise = np.random.default_rng(0).normal(size=44_100).astype(np.float32) * 0.1
    assert (prosody.analyse(noise, 22_050).hertz > 0).mean() < 0.2


def test_silence_is_zeros_and_a_click_is_an_onset():
    silent = np.zeros(22_050, np.float32)
    assert not prosody.prosody(Audio(1.0, silent, 22_050)).any()
    silent[11_025:11_300] = 0.5
    assert prosody.prosody(Audio(1.0, silent, 22_050))[:, 3].argmax() in (9, 10)


@pytest.mark.parametrize("rate", [8_000, 22_050, 96_000])
def test_blocks_change_no_number_and_any_rate_is_heard(rate, monkeypatch):
    samples = np.concatenate([tone(100 + 20 * k, 0.6, rate, 0.1 + 0.05 * k) for k in range(5)])
    whole = prosody.analyse(samples, rate)
    monkeypatch.setattr(prosody, "BLOCK", 0.7)
    parts = prosody.analyse(samples, rate)
    assert len(whole.rms) == pytest.approx(300, abs=1)
    for name in ("rms", "hertz", "voicing", "flux"):
        assert np.allclose(getattr(whole, name), getattr(parts, name), atol=1e-6), name


@pytest.mark.parametrize("rate", [20.0, 30.0, 12.5])
def test_loudness_alone_is_that_of_the_whole(rate, monkeypatch):
    monkeypatch.setattr(prosody, "BLOCK", 1.0)
    parts = [tone(120, 1.3), np.zeros(9_000, np.float32), 0.2 * tone(200, 0.8)]
    audio = Audio(sum(map(len, parts)) / 22_050, np.concatenate(parts), 22_050)
    assert np.allclose(prosody.loudness(audio, rate), prosody.prosody(audio, rate)[:, 0], atol=1e-6)
    assert prosody.loudness(Audio(1.0, np.zeros(22_050, np.float32), 22_050)).tolist() == [0.0] * 20
    stored = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    assert np.array_equal(prosody.loudness(Audio(1.0, features={"prosody": stored})), stored[:, 0])


def test_what_is_stored_is_taken_and_bad_input_is_one_line():
    stored = np.full((20, 4), 0.5, np.float32)
    assert prosody.prosody(Audio(1.0, features={"prosody": stored})) is not None
    with pytest.raises(DataError, match="neither samples nor"):
        prosody.prosody(Audio(1.0))
    with pytest.raises(DataError, match="finite"):
        prosody.prosody(Audio(1.0, features={"prosody": np.full((20, 4), np.nan)}))
    with pytest.raises(DataError, match="1 to 100"):
        prosody.prosody(Audio(1.0, np.zeros(100, np.float32), 100), rate=0)
    broken = tone(100)
    broken[50] = np.nan
    with pytest.raises(DataError, match="not a finite number"):
        prosody.prosody(Audio(1.0, broken, 22_050))
