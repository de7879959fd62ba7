"""Hidden states of any language model of transformers: BERT, DistilBERT, RoBERTa, T5's encoder, causal models."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.core import weight_files
from motion_platform.core.errors import WeightsError
from motion_platform.core.quiet import quiet_loading
from motion_platform.encoders.text import TextEncoder, pad, pooled, token_ids

POOLING = ("mean", "cls", "last", "tokens")
DTYPES = ("float32", "bfloat16", "float16")
NORMS = ("none", "layer", "unit")
UNBOUNDED = 512
"""Tokens read of a model that sets no maximum itself (T5's relative positions, for one)."""


class HFTextEncoder(TextEncoder):
    """Text -> hidden states of a language model: all ("tokens"), their masked mean, the first ("cls") or the last.

    model: a language model that ``motion weights get`` fetched by that name (``smollm2-135m``), a folder with
    transformers' files, a GGUF file, or a name on the hub. pooling "cls" needs a model whose texts begin with a [CLS]
    token: a causal model's first state has seen nothing else, so it is refused; its "last" one has seen everything. A
    causal model needs no padding token: padding stands on the right, where no real token sees it, and is masked.
    layer: whose output is read, 0 the embedding, 1 the first layer, -1 the last one with the model's own norm.
    dtype: of the weights in memory; states are float32 in any case. norm: what a state is brought to before and after
    pooling, because a language model's states are 20 times and more as long as a sentence encoder's vector, and its
    first one in the middle layers 100 times as long as the others (Xiao et al. 2024, arXiv:2309.17453): "layer" mean 0
    and variance 1 over its features, "unit" length 1. max_tokens: read at most so many, special tokens included
    (default: the model's own maximum). frozen: see :class:`TextEncoder`. Errors: WeightsError; ValueError for a wrong
    setting.
    """

    def __init__(
        self,
        model: str,
        pooling: Literal["mean", "cls", "last", "tokens"] = "mean",
        max_tokens: int | None = None,
        frozen: bool = True,
        layer: int = -1,
        dtype: Literal["float32", "bfloat16", "float16"] = "float32",
        norm: Literal["none", "layer", "unit"] = "none",
    ) -> None:
        if pooling not in POOLING:
            raise ValueError(f"pooling: got {pooling!r}; allowed: {', '.join(POOLING)}")
        if dtype not in DTYPES:
            raise ValueError(f"dtype: got {dtype!r}; allowed: {', '.join(DTYPES)}")
        if norm not in NORMS:
            raise ValueError(f"norm: got {norm!r}; allowed: {', '.join(NORMS)}")
        if max_tokens is not None and max_tokens < 3:
            raise ValueError(f"max_tokens: got {max_tokens}; a word and two special tokens need at least 3")
        folder = weight_files.find(model)
        identity = f"{weight_files.fingerprint(folder)} {pooling} {max_tokens}"
        if (layer, dtype, norm) != (-1, "float32", "none"):  # else as it was before these settings existed
            identity += f" {layer} {dtype} {norm}"
        super().__init__(model, identity=identity, frozen=frozen)
        from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer
        from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING

        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            reader = AutoModelForTextEncoding if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING else AutoModel
            with quiet_loading():
                network = reader.from_pretrained(folder, local_files_only=True, dtype=getattr(torch, dtype))
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise WeightsError(f"{folder}: not a text model of transformers: {str(error).splitlines()[0]}") from error
        self.network = network.get_encoder() if config.is_encoder_decoder and reader is AutoModel else network
        if pooling == "cls" and self.tokenizer.cls_token_id is None:
            raise ValueError(f"pooling: got 'cls', but {model} has no [CLS] token; allowed: mean, last, tokens")
        layers = int(config.num_hidden_layers)
        if not -layers - 1 <= layer <= layers:
            raise ValueError(f"layer: got {layer}; {model} has {layers}: allowed: {-layers - 1} to {layers}")
        self.pooling, self.layer, self.norm, self.dim = pooling, layer, norm, int(config.hidden_size)
        own = [self.tokenizer.model_max_length, getattr(config, "max_position_embeddings", None), max_tokens]
        known = [value for value in own if value is not None and 0 < value < 10**6]
        self.limit = int(min(known, default=UNBOUNDED))
        filler = self.tokenizer.pad_token_id
        self.filler = 0 if filler is None else int(filler)
        self.finish()

    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        ids, mask = pad(token_ids(self, texts), self.filler, self.device)
        last = self.layer == -1
        made = self.network(input_ids=ids, attention_mask=mask.long(), output_hidden_states=not last)
        states = made.last_hidden_state if last else made.hidden_states[self.layer]
        tokens, mask = pooled(self._normed(states.float()), mask, self.pooling)
        return (tokens if self.pooling == "tokens" else self._normed(tokens)), mask

    def _normed(self, states: Tensor) -> Tensor:
        if self.norm == "none":
            return states
        return F.normalize(states, dim=-1) if self.norm == "unit" else F.layer_norm(states, states.shape[-1:])
