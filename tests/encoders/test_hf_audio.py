"""Speech models block by block: the same as in one piece, of any length, and what is no speech model."""

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Audio
from motion_platform.encoders.hf_audio import HFAudio, Whisper

RANDOM = np.random.default_rng(0)
SAMPLES = RANDOM.normal(size=16_000 * 5).astype(np.float32) * 0.1


def test_blocks_give_what_one_piece_gives(wavlm_folder):
    """A model that hears far sees the edge of its window; within a second of context the rest is alike."""
    whole = HFAudio(str(wavlm_folder), layer=0, block=28.0)([Audio(5.0, SAMPLES, 16_000)])
    parts = HFAudio(str(wavlm_folder), layer=0, block=2.0)([Audio(5.0, SAMPLES, 16_000)])
    assert whole.tokens.shape == parts.tokens.shape == (1, 250, 16)
    alike = torch.nn.functional.cosine_similarity(whole.tokens[0], parts.tokens[0], dim=-1)
    assert alike[:245].median() > 0.99


def test_whisper_is_that_of_transformers(whisper_folder):
    from transformers import WhisperFeatureExtractor, WhisperModel

    made = Whisper(str(whisper_folder), layer=1, block=28.0)([Audio(30.0, np.tile(SAMPLES, 6)[: 28 * 16_000], 16_000)])
    network = WhisperModel.from_pretrained(whisper_folder).encoder
    heard = WhisperFeatureExtractor()(np.tile(SAMPLES, 6)[: 28 * 16_000], sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        true = network(heard["input_features"], output_hidden_states=True).hidden_states[1][0]
    # Only 28 + 2 s are heard here, always 30 s there: what follows is silence in both.
    assert (made.tokens[0, :1390] - true[:1390]).abs().max() < 1e-3


def test_other_rates_are_resampled_and_bad_input_is_one_line(whisper_folder, tmp_path):
    encoder = Whisper(str(whisper_folder), layer=2, block=2.0)
    tone = np.sin(2 * np.pi * 200 * np.arange(22_050) / 22_050).astype(np.float32)
    other = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000).astype(np.float32)
    a, b = encoder([Audio(1.0, tone, 22_050)]), encoder([Audio(1.0, other, 16_000)])
    assert a.tokens.shape == b.tokens.shape == (1, 50, 16)
    assert torch.nn.functional.cosine_similarity(a.tokens[0, 5:45], b.tokens[0, 5:45], dim=-1).min() > 0.95
    with pytest.raises(DataError, match="no samples"):
        encoder([Audio(1.0)])
    with pytest.raises(ValueError, match="layer 3"):
        Whisper(str(whisper_folder), layer=3)
    with pytest.raises(ValueError, match="1 to 28"):
        Whisper(str(whisper_folder), block=60)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"0")
    with pytest.raises(WeightsError, match="not a speech model"):
        HFAudio(str(tmp_path))
