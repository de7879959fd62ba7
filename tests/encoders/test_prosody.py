"""Speech as its prosody, beside what is measured of each recording alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.audio.prosody import COLUMNS
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio
from motion_platform.encoders import prosody as encoder
from motion_platform.encoders.prosody import Prosody

RATE = 16_000


def tone(seconds: float, hertz: float) -> Audio:
    time = np.arange(round(seconds * RATE)) / RATE
    return Audio(seconds, 0.3 * np.sin(2 * np.pi * hertz * time).astype(np.float32), RATE)


def loudness(audio: Audio, rate: float) -> np.ndarray:
    """(N, 4) in the place of what is measured, which has tests of its own: the largest sample of every token."""
    steps = audio.samples.reshape(round(audio.seconds * rate), -1)
    return np.repeat(steps.max(1)[:, None], len(COLUMNS), 1)


def test_every_recording_is_read_by_itself_and_padded_with_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "prosody", loudness)
    recordings = [tone(2.0, 220.0), None, tone(1.0, 330.0)]
    condition = Prosody(25.0)(recordings)
    assert condition.tokens.shape[2] == len(COLUMNS) == Prosody.dim
    assert condition.rate_hz == 25.0
    assert condition.mask.sum(1).tolist() == [50, 0, 25]
    for audio, tokens, mask in zip(recordings, condition.tokens, condition.mask, strict=True):
        assert tokens[~mask].eq(0).all()
        if audio is not None:
            assert torch.equal(tokens[mask], torch.from_numpy(loudness(audio, 25.0)))


def test_no_recording_at_all() -> None:
    assert Prosody()([None]).tokens.shape == (1, 0, len(COLUMNS))
    assert Prosody()([]).tokens.shape == (0, 0, len(COLUMNS))


def test_what_is_no_recording_and_a_rate_that_is_none() -> None:
    with pytest.raises(DataError, match=r"speech\[1\]: got str, expected Audio"):
        Prosody()([None, "a.wav"])
    for rate in (0.5, 101.0):
        with pytest.raises(ValueError, match=r"allowed: 1 to 100"):
            Prosody(rate)
    assert Prosody(20.0).fingerprint() == Prosody().fingerprint() != Prosody(21.0).fingerprint()
