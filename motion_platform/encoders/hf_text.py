"""Hidden states of any language model of transformers: BERT, DistilBERT, RoBERTa, T5's encoder, causal models."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from motion_platform.core import weight_files
from motion_platform.core.errors import WeightsError
from motion_platform.core.quiet import quiet_loading
from motion_platform.encoders.text import TextEncoder, pad, pooled, token_ids

UNBOUNDED = 512
"""Tokens read of a model that sets no maximum itself (T5's relative positions, for one)."""


class HFTextEncoder(TextEncoder):
    """Text -> last hidden states of a language model: all ("tokens"), their masked mean, or the first one ("cls").

    model: a folder with transformers' files, or a name on the hub. pooling "cls" needs a model whose texts begin
    with a [CLS] token: a causal model's first state has seen nothing else, so it is refused. A causal model needs no
    padding token: padding stands on the right, where no real token sees it, and is masked. max_tokens: read at most
    so many, special tokens included (default: the model's own maximum). frozen: see :class:`TextEncoder`.
    Errors: WeightsError; ValueError for a wrong setting.
    """

    def __init__(
        self,
        model: str,
        pooling: Literal["mean", "cls", "tokens"] = "mean",
        max_tokens: int | None = None,
        frozen: bool = True,
    ) -> None:
        if pooling not in ("mean", "cls", "tokens"):
            raise ValueError(f"pooling: got {pooling!r}; allowed: cls, mean, tokens")
        if max_tokens is not None and max_tokens < 3:
            raise ValueError(f"max_tokens: got {max_tokens}; a word and two special tokens need at least 3")
        folder = weight_files.find(model)
        super().__init__(model, identity=f"{weight_files.folder_sha256(folder)} {pooling} {max_tokens}", frozen=frozen)
        from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer
        from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING

        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            reader = AutoModelForTextEncoding if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING else AutoModel
            with quiet_loading():
                network = reader.from_pretrained(folder, local_files_only=True).float()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise WeightsError(f"{folder}: not a text model of transformers: {str(error).splitlines()[0]}") from error
        self.network = network.get_encoder() if config.is_encoder_decoder and reader is AutoModel else network
        if pooling == "cls" and self.tokenizer.cls_token_id is None:
            raise ValueError(f"pooling: got 'cls', but {model} has no [CLS] token; allowed: mean, tokens")
        self.pooling, self.dim = pooling, int(config.hidden_size)
        own = [self.tokenizer.model_max_length, getattr(config, "max_position_embeddings", None), max_tokens]
        known = [value for value in own if value is not None and 0 < value < 10**6]
        self.limit = int(min(known, default=UNBOUNDED))
        filler = self.tokenizer.pad_token_id
        self.filler = 0 if filler is None else int(filler)
        self.finish()

    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        ids, mask = pad(token_ids(self, texts), self.filler, self.device)
        states = self.network(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return pooled(states, mask, self.pooling)
