"""A merged motion language model as one GGUF file, for llama.cpp and its kin.

Written with the ``gguf`` package of llama.cpp: its names of tensors and keys, its tables. Only the architecture of
LLaMA (LLaMA, SmolLM, TinyLlama, ...), whose layout is settled; for every other base llama.cpp's own converter reads the
folder of ``motion export --merged``. Weights are float32, as they are: llama.cpp quantises the file.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import UsageError
from motion_platform.core.files import atomic_path, check_folders, check_formats
from motion_platform.pipelines import export

FAMILY = "llama"
CONVERTER = "convert_hf_to_gguf.py"


def gguf(name: str, out: Path) -> Path:
    """Write a motion language model (base, adapter, rows of the motion codes) as ``out``. Returns it.

    The motion codes are words of the vocabulary (``<motion_17>``), of the kind that a prompt may hold.
    Errors: those of ``export.merged``; UsageError for a base of another architecture or a tokenizer that is not BPE.
    """
    check_formats([out], [".gguf"])
    check_folders([out])
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as place:
        folder = export.merged(name, Path(place) / "hf")
        convert(folder, out, name=Path(name).name)
    return out


def convert(folder: Path, out: Path, *, name: str) -> None:
    """A folder of transformers as a GGUF file. Errors: see :func:`gguf`."""
    from gguf import MODEL_ARCH, GGUFWriter, get_tensor_name_map
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] != FAMILY or config.get("attention_bias") or config.get("mlp_bias"):
        raise UsageError(
            f"export: GGUF is written for {FAMILY} bases, this one is {config['model_type']}; export it --merged, "
            f"and give that folder to {CONVERTER} of llama.cpp"
        )
    if (config.get("rope_parameters") or {}).get("rope_type", "default") != "default":
        raise UsageError(f"export: GGUF is written for plain rotary positions; export --merged and use {CONVERTER}")
    words = _vocabulary(folder, config["vocab_size"])
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = config["num_attention_heads"]
    kv = config.get("num_key_value_heads") or heads
    with atomic_path(out) as temporary:
        writer = GGUFWriter(temporary, FAMILY)
        writer.add_name(name)
        _describe(writer, config, heads, kv)
        _write_vocabulary(writer, words)
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(str(file), framework="np") as tensors:
                for key in tensors.keys():  # noqa: SIM118 - not a dict
                    placed = names.get_name(key, try_suffixes=(".weight",))
                    if placed is None:
                        raise UsageError(f"export: GGUF has no place for {key}; export --merged and use {CONVERTER}")
                    value = tensors.get_tensor(key).astype(np.float32)
                    if key.endswith(("q_proj.weight", "k_proj.weight")):
                        value = rotary_pairs(value, heads if "q_proj" in key else kv)
                    writer.add_tensor(placed, value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def rotary_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key projection (H * d, E): transformers turns row k with row k + d/2 of a head, llama.cpp
    neighbours."""
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def _describe(writer: Any, config: dict[str, Any], heads: int, kv: int) -> None:
    """The keys of the architecture."""
    size = config.get("head_dim") or config["hidden_size"] // heads
    theta = (config.get("rope_parameters") or {}).get("rope_theta") or config.get("rope_theta") or 10000.0
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(float(theta))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _vocabulary(folder: Path, size: int) -> dict[str, Any]:
    """{"tokens", "types", "merges", special ids} of a byte-level BPE. UsageError for another tokenizer."""
    from gguf import TokenType
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    file = folder / "tokenizer.json"
    model = json.loads(file.read_text(encoding="utf-8"))["model"] if file.is_file() else {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise UsageError(
            f"export: GGUF is written for tokenizers of byte-level BPE; export --merged, for {CONVERTER} of llama.cpp"
        )
    placed = {number: word for word, number in tokenizer.get_vocab().items()}
    added, special = tokenizer.get_added_vocab(), set(tokenizer.all_special_ids)
    tokens = [placed.get(number, f"[PAD{number}]") for number in range(size)]
    types = []
    for number, token in enumerate(tokens):
        kind = TokenType.NORMAL if number in placed else TokenType.UNUSED
        if number in special:
            kind = TokenType.CONTROL
        elif token in added:
            kind = TokenType.USER_DEFINED
        types.append(int(kind))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    ids = {what: getattr(tokenizer, f"{what}_token_id") for what in ("bos", "eos", "unk", "pad")}
    return {"tokens": tokens, "types": types, "merges": merges, "ids": ids}


def _write_vocabulary(writer: Any, words: dict[str, Any]) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(words["tokens"])
    writer.add_token_types(words["types"])
    if words["merges"]:
        writer.add_token_merges(words["merges"])
    for what, number in words["ids"].items():
        if number is not None:
            getattr(writer, f"add_{what}_token_id")(number)
