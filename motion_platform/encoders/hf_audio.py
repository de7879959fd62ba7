"""Hidden states of any speech model of transformers: Whisper's encoder, WavLM, HuBERT, wav2vec 2.0 and their kin."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motion_platform.audio import reading
from motion_platform.core import weight_files
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.quiet import quiet_loading
from motion_platform.core.schema import Audio, Condition, length_mask

RATE = 16_000
"""Samples a second that these models are trained on."""
CONTEXT = 1.0
"""Seconds heard before and after a block, whose answers are left out: a cut changes nothing that far away."""


class HFAudio(Encoder):
    """Audio -> hidden states of one layer of a speech model, about 50 tokens a second. Nothing to train.

    model: a folder with transformers' files, a name of ``motion weights list``, or a name on the hub. layer: whose
    states (0: what goes into the first layer; -1: the last). block: seconds heard at a time, with ``CONTEXT`` on both
    sides, so that memory does not grow with the length of a recording; Whisper hears at most 30 s at a time.
    Errors: WeightsError for what is no speech model; ValueError for a layer or block that is not there; when encoding,
    DataError for what is no Audio, has no samples, or is not finite.
    """

    reads = "audio"
    frozen = True
    hears_whole = True

    def __init__(self, model: str, layer: int = -1, block: float = 20.0) -> None:
        super().__init__()
        if not (math.isfinite(block) and 1 <= block <= 28):
            raise ValueError(f"block {block:g}; allowed: 1 to 28 seconds")
        folder = weight_files.find(model)
        self.identity = f"{weight_files.folder_sha256(folder)} {layer} {block:g}"
        self.network, self.listen = load(folder, block + 2 * CONTEXT)
        layers = int(self.network.config.num_hidden_layers)
        if not -layers - 1 <= layer <= layers:
            raise ValueError(f"layer {layer}; {model} has states 0 to {layers}, or -1 for the last")
        self.layer, self.block, self.dim = layer, block, int(self.network.config.hidden_size)
        strides = getattr(self.network.config, "conv_stride", (320,))
        self.rate_hz = RATE / math.prod(strides)
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, C), mask (B, N); None has no token. Each is heard alone."""
        device = next(self.network.parameters()).device
        with torch.autocast(device.type, enabled=False):
            rows = [self._tokens(audio, i, device) for i, audio in enumerate(raw)]
        if not rows:
            return Condition(torch.zeros(0, 0, self.dim), torch.zeros(0, 0, dtype=torch.bool), self.rate_hz)
        counts = torch.tensor([len(row) for row in rows], device=device)
        return Condition(pad_sequence(rows, batch_first=True), length_mask(counts), self.rate_hz)

    def _tokens(self, audio: Audio | None, i: int, device: torch.device) -> Tensor:
        if audio is None:
            return torch.zeros(0, self.dim, device=device)
        if not isinstance(audio, Audio):
            raise DataError(f"speech[{i}]: got {type(audio).__name__}, expected Audio")
        if audio.samples is None:
            raise DataError(f"speech[{i}]: the recording holds no samples, which a speech model hears")
        samples = reading.check_samples(audio.samples, audio.rate, f"speech[{i}]")
        heard = [
            self._heard(window, first, count, device) for window, first, count in self._windows(samples, audio.rate)
        ]
        wanted = max(1, math.ceil(audio.seconds * self.rate_hz - 1e-6))
        whole = torch.cat(heard)[:wanted]
        return torch.cat([whole, whole[-1:].expand(wanted - len(whole), -1)])  # a model without padding hears less

    def _windows(self, samples: np.ndarray, rate: int) -> Iterator[tuple[np.ndarray, int, int]]:
        """(samples of a window at 16 kHz, its first token that counts, how many tokens count)."""
        hop = round(RATE / self.rate_hz)
        size, edge = round(self.block * self.rate_hz) * hop, round(CONTEXT * self.rate_hz) * hop
        pieces = ((rate, samples[start : start + 10 * rate]) for start in range(0, len(samples), 10 * rate))
        whole = np.concatenate(list(reading.resample(pieces, RATE)))
        for start in range(0, len(whole), size):
            first = max(0, start - edge)
            yield whole[first : start + size + edge], (start - first) // hop, -(-min(size, len(whole) - start) // hop)

    def _heard(self, window: np.ndarray, first: int, count: int, device: torch.device) -> Tensor:
        inputs = self.listen(window).to(device)
        states = self.network(inputs, output_hidden_states=True).hidden_states[self.layer][0]
        return states[first : first + count].float()

    def fingerprint(self) -> str:
        return hashlib.sha256(f"{HFAudio.__qualname__} {self.identity}".encode()).hexdigest()


class Whisper(HFAudio):
    """Whisper's encoder (Radford et al. 2022), by default tiny.en, layer 3 of 4: 384 numbers, 50 a second.

    ``motion weights get whisper-tiny.en`` fetches the default; elsewhere a folder, or a hub name (openai/whisper-base).
    The middle layers hold the sound of speech, the last what is said. Errors: as :class:`HFAudio`.
    """

    def __init__(self, model: str = "whisper-tiny.en", layer: int = 3, block: float = 20.0) -> None:
        super().__init__(model, layer, block)


class Features:
    """Samples at 16 kHz -> what a model takes: log-mel frames padded to its window, or normalised samples."""

    def __init__(self, extractor: Any, samples: int | None) -> None:
        self.extractor, self.samples = extractor, samples

    def __call__(self, window: np.ndarray) -> Tensor:
        made = self.extractor(window, sampling_rate=RATE, return_tensors="pt")
        return made["input_features"] if self.samples else made["input_values"]


def load(folder: Path, seconds: float) -> tuple[torch.nn.Module, Features]:
    """The encoder of a speech model, and its front end for windows of at most ``seconds``. Errors: WeightsError."""
    from transformers import AutoConfig, AutoModel, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor, WhisperModel

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        with quiet_loading():
            if config.model_type == "whisper":
                network = WhisperModel.from_pretrained(folder, local_files_only=True).float().encoder
                positions = min(math.ceil(seconds * 50), config.max_source_positions)
                # What is not heard is not computed: the window's positions, not always 30 s of them.
                table = network.embed_positions.weight[:positions].clone()
                network.embed_positions = torch.nn.Embedding.from_pretrained(table)
                network.config.max_source_positions = network.max_source_positions = positions
                extractor = WhisperFeatureExtractor(config.num_mel_bins, chunk_length=positions // 50)
                return network, Features(extractor, positions * 320)
            if not hasattr(config, "conv_stride"):
                raise ValueError(f"is a {config.model_type}, no Whisper and nothing of wav2vec's kind")
            network = AutoModel.from_pretrained(folder, local_files_only=True).float()
            normalised = (folder / "preprocessor_config.json").is_file()
            extractor = (
                Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
                if normalised
                else Wav2Vec2FeatureExtractor(do_normalize=True)
            )
            return network, Features(extractor, None)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise WeightsError(f"{folder}: not a speech model of transformers: {str(error).splitlines()[0]}") from error
