"""Music as its mel spectrogram, unchanged: for models that bring their own ears."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motion_platform.audio.mel import BANDS, FRAMES_A_SECOND, check_mel, mel_of
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio, Condition, length_mask


class Mel(Encoder):
    """Audio -> a token of 128 numbers, 0 to 1, every 1/90 s (:mod:`motion_platform.audio.mel`). Nothing to train.

    Audio that holds the front end "mel" needs no samples. Errors: DataError for what is no Audio or not finite.
    """

    reads = "audio"
    dim = BANDS
    rate_hz = float(FRAMES_A_SECOND)
    frozen = True

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, 128), mask (B, N); None has no token."""
        rows = [torch.zeros(0, BANDS) if audio is None else mel_tensor(audio, i) for i, audio in enumerate(raw)]
        if not rows:
            return Condition(torch.zeros(0, 0, BANDS), torch.zeros(0, 0, dtype=torch.bool), self.rate_hz)
        return Condition(
            pad_sequence(rows, batch_first=True), length_mask(torch.tensor([len(row) for row in rows])), self.rate_hz
        )

    def fingerprint(self) -> str:
        return hashlib.sha256(f"{type(self).__qualname__} {BANDS} {FRAMES_A_SECOND}".encode()).hexdigest()


def mel_tensor(audio: Audio, i: int) -> Tensor:
    """(N, 128) float32 of recording ``i`` of a batch. Errors: DataError for what is no Audio or has a NaN."""
    if not isinstance(audio, Audio):
        raise DataError(f"music[{i}]: got {type(audio).__name__}, expected Audio")
    return torch.from_numpy(check_mel(mel_of(audio), f"music[{i}]"))
