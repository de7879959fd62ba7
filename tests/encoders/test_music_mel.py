"""The mel encoder beyond the contract: lengths, streaming, and whose weights it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, UnknownName, WeightsError
from motion_platform.core.schema import Audio
from motion_platform.encoders.music_mel import MusicMel
from motion_platform.model import motion_model as model


def heard(seconds: float, seed: int = 0) -> Audio:
    return Audio(seconds, features={"mel": np.random.default_rng(seed).random((int(90 * seconds), 128), np.float32)})


def test_a_token_a_frame_of_motion() -> None:
    encoder = MusicMel(channels=[2, 2, 2], dim=4).eval()
    made = encoder([heard(2.0), heard(3.0), None])
    assert made.rate_hz == 30
    assert made.mask.sum(1).tolist() == [60, 90, 0]


def test_half_precision_features_are_read(sync_folder) -> None:
    encoder, audio = MusicMel(weights=str(sync_folder)), heard(1.0)
    stored = Audio(1.0, features={"mel": audio.features["mel"].astype(np.float16)})
    torch.testing.assert_close(encoder([stored]).tokens, encoder([audio]).tokens, rtol=0, atol=1e-2)


def test_it_is_the_trained_one_and_does_not_move(sync_folder) -> None:
    trained = model.MotionModel.from_pretrained(sync_folder)
    encoder = MusicMel(weights=str(sync_folder), channels=[9, 9, 9])  # the checkpoint's sizes count
    assert encoder.channels == [2, 3, 4]
    assert encoder.dim == 5
    expected = trained.conditioning.encode({"music": [heard(1.0)]})["music"].tokens
    assert torch.equal(encoder([heard(1.0)]).tokens, expected)
    before = encoder.fingerprint()
    encoder.train()([heard(1.0), heard(1.0, 1)])
    assert encoder.fingerprint() == before


def test_training_moves_it() -> None:
    encoder = MusicMel(channels=[2, 2, 2], dim=4)
    before = encoder.fingerprint()
    encoder([heard(1.0), heard(1.0, 1)])  # batch normalisation
    assert encoder.fingerprint() != before


def test_it_keeps_no_graph_where_nothing_is_learned() -> None:
    """A minute's graph is 0.4 GB: an evaluation of 64 clips once needed 18."""
    encoder = MusicMel(channels=[2, 2, 2], dim=4).eval()
    assert encoder([heard(1.0)]).tokens.requires_grad
    with torch.no_grad():
        assert not encoder([heard(1.0)]).tokens.requires_grad


def test_what_is_no_music(sync_folder, tmp_path) -> None:
    encoder = MusicMel(weights=str(sync_folder))
    with pytest.raises(DataError, match=r"music\[1\]: has 3 frames"):
        encoder([heard(1.0), heard(0.034)])
    broken = heard(1.0)
    broken.features["mel"][7, 3] = np.nan
    with pytest.raises(DataError, match="frame 7 has a NaN"):
        encoder([broken])
    with pytest.raises(DataError, match="neither samples"):
        encoder([Audio(1.0)])
    with pytest.raises(UnknownName, match="unknown model"):
        MusicMel(weights="no_such_model")


def test_weights_without_a_music_encoder_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"without tensors|holds no trained music_mel"):
        MusicMel(weights="recogniser")


def test_weights_that_were_changed_are_refused(sync_folder) -> None:
    path = sync_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(WeightsError, match="is not the file that"):
        MusicMel(weights=str(sync_folder))
