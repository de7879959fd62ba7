"""A BERT sentence model on torch's own transformer layers, read from a sentence-transformers folder.

``import transformers.models.bert`` takes longer than everything else in encoding a sentence, so the default text
encoder does without: same weights, same tokenizer, same numbers (a test compares with sentence-transformers).
Reference: Devlin et al. 2019, https://arxiv.org/abs/1810.04805; post-norm encoder with exact GELU.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motion_platform.core import weight_files
from motion_platform.core.digests import digest_of
from motion_platform.core.errors import WeightsError
from motion_platform.encoders.text import pad, pooled


def read_json(path: Path) -> Any:
    """The content of a JSON file, {} when there is none. Errors: WeightsError."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not JSON: {error}") from error


def is_plain_bert(folder: Path) -> bool:
    """Whether the folder is BERT -> mean over tokens -> unit length, nothing else (then :class:`Bert` can read it)."""
    modules = read_json(folder / "modules.json") or []
    config = read_json(folder / "config.json")
    sentences = read_json(folder / "sentence_bert_config.json")
    prompts = read_json(folder / "config_sentence_transformers.json")
    if [module["type"].rsplit(".", 1)[-1] for module in modules] != ["Transformer", "Pooling", "Normalize"]:
        return False
    pooling = read_json(folder / modules[1]["path"] / "config.json")
    old_style = {key for key, value in pooling.items() if key.startswith("pooling_mode_") and value}
    mean = pooling.get("pooling_mode") == "mean" or old_style == {"pooling_mode_mean_tokens"}
    return (
        mean
        and modules[0]["path"] == ""
        and config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not config.get("add_cross_attention")
        and not sentences.get("do_lower_case")
        and sentences.get("module_output_name", "token_embeddings") == "token_embeddings"
        and not prompts.get("default_prompt_name")
        and (folder / "tokenizer.json").is_file()
        and (folder / "model.safetensors").is_file()
    )


class Bert(nn.Module):
    """BERT's encoder: embeddings and ``depth`` post-norm layers; C = ``hidden_size``."""

    def __init__(self, folder: Path, max_tokens: int | None) -> None:
        from tokenizers import Tokenizer

        super().__init__()
        config = read_json(folder / "config.json")
        self.dim, self.depth = int(config["hidden_size"]), int(config["num_hidden_layers"])
        own = [
            read_json(folder / "sentence_bert_config.json").get("max_seq_length"),
            read_json(folder / "tokenizer_config.json").get("model_max_length"),
            config["max_position_embeddings"],
            max_tokens,
        ]
        self.limit = int(min(value for value in own if value is not None))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.limit)
        self.filler = int(config.get("pad_token_id") or 0)
        eps, dropout = float(config["layer_norm_eps"]), float(config["hidden_dropout_prob"])
        stored = read_weights(folder / "model.safetensors")
        try:
            self.words = nn.Embedding.from_pretrained(stored["embeddings.word_embeddings.weight"], freeze=False)
            self.positions = nn.Embedding.from_pretrained(stored["embeddings.position_embeddings.weight"], freeze=False)
            self.kinds = nn.Embedding.from_pretrained(stored["embeddings.token_type_embeddings.weight"], freeze=False)
            with torch.device("meta"):  # no time spent on random weights, no random numbers drawn
                self.norm = nn.LayerNorm(self.dim, eps)
                layer = nn.TransformerEncoderLayer(
                    self.dim, config["num_attention_heads"], config["intermediate_size"], dropout,
                    activation="gelu", layer_norm_eps=eps, batch_first=True,
                )  # fmt: skip
                self.layers = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)
            for part, prefix in ((self.norm, "embeddings.LayerNorm."), (self.layers, "encoder.layer.")):
                part.load_state_dict({ours: take(stored, prefix, ours) for ours in part.state_dict()}, assign=True)
        except (KeyError, RuntimeError) as error:
            raise WeightsError(
                f"{folder}: not the weights of its config.json: {str(error).splitlines()[-1]}"
            ) from error
        self.dropout = nn.Dropout(dropout)
        settings = [self.limit, eps, config["num_attention_heads"], self.filler]
        self.identity = f"{weight_files.sha256_of(folder / 'model.safetensors')} {vocabulary_sha256(folder)} {settings}"

    def knows(self, word: str) -> bool:
        """Whether a word in small letters is read whole, and not in pieces."""
        return self.tokenizer.token_to_id(word) is not None

    def forward(
        self, texts: list[str], output: str, cut: Callable[[int], None], layers: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """b texts -> (b, 1, C) unit sentence vectors or (b, N, C) token states, and the mask.

        ``cut`` is told the length of a text that is longer than ``limit`` tokens. layers: the token states after these
        layers (0: what enters the first), side by side, (b, N, len(layers) * C); None: after the last.
        """
        encodings = self.tokenizer.encode_batch(texts)
        for encoding in encodings:
            if encoding.overflowing:
                cut(
                    len(encoding.ids)
                    + sum(sum(1 for s in rest.special_tokens_mask if not s) for rest in encoding.overflowing)
                )
        ids, mask = pad([encoding.ids for encoding in encodings], self.filler, self.words.weight.device)
        x = self.words(ids) + self.positions.weight[: ids.shape[1]] + self.kinds.weight[0]
        x = self.dropout(self.norm(x))
        padding = None if bool(mask.all()) else ~mask
        if layers is not None:
            after = [x]
            for layer in self.layers.layers[: max(layers)]:
                after.append(layer(after[-1], src_key_padding_mask=padding))
            return torch.cat([after[k] for k in layers], -1), mask
        states, real = pooled(self.layers(x, src_key_padding_mask=padding), mask, output)
        return (states if output == "tokens" else nn.functional.normalize(states, dim=-1)), real


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file in float32, mapped, not copied. Errors: WeightsError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: cannot read the weights: {error}") from error
    return {name.removeprefix("bert."): value.float() for name, value in stored.items() if value.is_floating_point()}


def take(stored: Mapping[str, Tensor], prefix: str, ours: str) -> Tensor:
    """The weight that torch's transformer calls ``ours``, from BERT's published names."""
    if "." not in ours:  # of the first LayerNorm
        return stored[prefix + ours]
    _, number, part = ours.split(".", 2)
    module, _, kind = part.rpartition(".")
    if kind.startswith("in_proj_"):
        names = [f"attention.self.{name}.{kind.removeprefix('in_proj_')}" for name in ("query", "key", "value")]
        return torch.cat([stored[f"{prefix}{number}.{name}"] for name in names])
    theirs = {
        "self_attn.out_proj": "attention.output.dense",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm1": "attention.output.LayerNorm",
        "norm2": "output.LayerNorm",
    }
    return stored[f"{prefix}{number}.{theirs[module]}.{kind}"]


def vocabulary_sha256(folder: Path) -> str:
    """A hash of the tokenizer, whatever lengths it was saved to cut and pad to (we set our own); computed once a
    process for a file that does not change."""
    path = folder / "tokenizer.json"
    return _vocabulary_sha256(path.absolute(), digest_of(path, "xxh3_128"))


@functools.lru_cache(maxsize=16)
def _vocabulary_sha256(path: Path, _digest: str) -> str:
    tokenizer = read_json(path)
    plain = {key: value for key, value in tokenizer.items() if key not in ("truncation", "padding")}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
