"""The mel front end against librosa, in pieces, and on what is no music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform.audio import mel as front_end
from motion_platform.audio import reading
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio


def music(rate: int, seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    """(n, channels): plucked tones over a little noise, with pauses."""
    t = np.arange(int(rate * seconds)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(t))
    tones = [np.sin(2 * np.pi * (220 + 55 * c) * t) * np.exp(-8 * (t % 0.5)) for c in range(channels)]
    return np.stack([0.4 * tone + 0.003 * noise * (t % 2 < 1) for tone in tones], 1).astype(np.float32)


def published(samples: np.ndarray, rate: int) -> np.ndarray:
    """What ``extract_mel_feature`` computes, by librosa; OpenCV's linear resize written out."""
    import librosa

    samples = librosa.resample(samples, orig_sr=rate, target_sr=22_050) if rate != 22_050 else samples
    power = librosa.feature.melspectrogram(y=samples, sr=22_050, n_mels=128, hop_length=256)
    decibels = librosa.power_to_db(power, ref=np.max)
    image = np.flip(np.abs(decibels + 80) / 80, 0)
    width, wanted = image.shape[1], int(len(samples) / 22_050 * 90)
    place = ((np.arange(wanted) + 0.5) * width / wanted - 0.5).clip(0, width - 1)
    return np.stack([np.interp(place, np.arange(width), row) for row in image], 1)


@pytest.mark.parametrize(("rate", "seconds"), [(22_050, 12.0), (44_100, 5.3), (8_000, 3.0), (192_000, 1.0)])
def test_parity_with_librosa(rate: int, seconds: float) -> None:
    samples = music(rate, seconds)[:, 0]
    made, expected = front_end.mel(samples, rate), published(samples, rate)
    assert made.shape == expected.shape == (int(seconds * 90 + 1e-6), 128)
    assert made.dtype == np.float32
    assert np.abs(made - expected).max() <= 1e-5
    assert made.max() == pytest.approx(1, abs=0.1)
    assert made.min() == 0


def test_filters_are_those_of_librosa() -> None:
    import librosa

    assert np.abs(front_end.filters()[:, ::-1].T - librosa.filters.mel(sr=22_050, n_fft=2048, n_mels=128)).max() < 1e-8


@pytest.mark.parametrize("seconds", [0.7, 3.3, 100.0])
def test_streaming_is_the_whole_file(tmp_path: Path, seconds: float) -> None:
    import soundfile

    path = tmp_path / "music.wav"
    soundfile.write(path, music(44_100, 8.4, channels=2), 44_100, subtype="FLOAT")
    blocks = list(front_end.stream(path, seconds))
    whole = front_end.mel_of(reading.load(path))
    assert np.abs(np.concatenate(blocks) - whole).max() < 1e-6
    assert max(len(block) for block in blocks) <= max(90 * (seconds + 0.1), 8.4 * 90)
    if seconds < 1:
        assert len(blocks) > 5
    heard = front_end.listen(path)
    assert heard.samples is None
    assert np.array_equal(front_end.mel_of(heard), heard.features["mel"])


def test_the_reference_is_the_whole_recording() -> None:
    samples = music(22_050, 6.0)[:, 0]
    loud = np.concatenate([samples, 10 * samples])
    part, whole = front_end.mel(samples, 22_050), front_end.mel(loud, 22_050)[:540]
    assert (part[:500].max() - whole[:500].max()) * 80 == pytest.approx(20, abs=0.5)  # ten times as loud: 20 dB


def test_silence_is_zero() -> None:
    assert not front_end.mel(np.zeros(22_050, np.float32), 22_050).any()


def test_one_second_of_noise_fills_the_scale() -> None:
    made = front_end.mel(np.random.default_rng(1).standard_normal(22_050).astype(np.float32), 22_050)
    assert made.shape == (90, 128)
    assert 0.5 < made.mean() < 1


def test_features_are_kept() -> None:
    audio = Audio(1.0, music(22_050, 1.0)[:, 0], 22_050)
    made = front_end.mel_of(audio)
    assert front_end.mel_of(audio) is made
    assert audio.features["mel"] is made


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (np.zeros(100, np.float32), 22_050, "one frame needs 245"),
        (np.zeros((100, 2), np.float32), 22_050, r"\(n,\) floats"),
        (np.zeros(9000, np.int16), 22_050, r"\(n,\) floats"),
        (np.full(9000, np.nan, np.float32), 22_050, "0.000 s is not a finite number"),
        (np.zeros(9000, np.float32), 3, "1000 to 768000"),
    ],
)
def test_what_is_no_recording(samples: np.ndarray, rate: int, says: str) -> None:
    with pytest.raises(DataError, match=says):
        front_end.mel(samples, rate)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (np.zeros((5, 80)), r"\(N, 128\)"),
        (np.zeros((0, 128)), r"\(N, 128\)"),
        (np.where(np.arange(5)[:, None] == 3, np.nan, np.zeros((5, 128))), "frame 3 has a NaN"),
    ],
)
def test_features_that_are_none(made: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        front_end.mel_of(Audio(1.0, features={"mel": made}))
    with pytest.raises(DataError, match="neither samples"):
        front_end.mel_of(Audio(1.0))
