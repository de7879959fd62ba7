"""Sentence embeddings from any sentence-transformers model; the default needs no download.

Reference: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084; all-MiniLM-L6-v2 is Apache-2.0.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from motion_platform.core import weight_files
from motion_platform.core.errors import WeightsError
from motion_platform.core.quiet import quiet_loading
from motion_platform.encoders.bert import Bert, is_plain_bert
from motion_platform.encoders.text import TextEncoder


class SentenceEncoder(TextEncoder):
    """Text -> one sentence vector ("mean": the model's own pooling) or its token states ("tokens").

    model: a folder, or a sentence-transformers name; the default comes in a Python package. max_tokens: read at most
    so many, special tokens included (default: the model's own maximum). layers: of "tokens", the states after which
    layers stand side by side, 0 being what enters the first (default: after the last); what a word is by itself is
    told better by a middle one. frozen: see :class:`TextEncoder`.
    Errors: WeightsError for weights that are missing or not the original; ValueError for a wrong setting.
    """

    def __init__(
        self,
        model: str = "all-MiniLM-L6-v2",
        output: Literal["mean", "tokens"] = "mean",
        max_tokens: int | None = None,
        layers: list[int] | None = None,
        frozen: bool = True,
    ) -> None:
        if output not in ("mean", "tokens"):
            raise ValueError(f"output: got {output!r}; allowed: mean, tokens")
        if max_tokens is not None and max_tokens < 3:
            raise ValueError(f"max_tokens: got {max_tokens}; a word and two special tokens need at least 3")
        folder = weight_files.find(model, owner="sentence-transformers")
        network = Bert(folder, max_tokens) if is_plain_bert(folder) else Stack(folder, max_tokens)
        if layers is not None:
            check_layers(layers, output, network)
        self._last = f"{network.identity} {output}"
        super().__init__(model, identity=self._last + (f" {layers}" if layers else ""), frozen=frozen)
        self.output, self.network, self.layers = output, network, layers
        self.dim, self.limit = network.dim * len(layers or [0]), network.limit
        self.finish()

    def begins_with(self) -> str | None:
        """That of the last layer alone, where the states after it stand first."""
        if self.layers is None or not isinstance(self.network, Bert) or self.layers[0] != self.network.depth:
            return None
        return self.fingerprint_of(self._last)

    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        if self.layers is not None:
            return self.network(texts, self.output, self.cut, self.layers)
        return self.network(texts, self.output, self.cut)


def check_layers(layers: list[int], output: str, network: Bert | Stack) -> None:
    """ValueError for layers that a network does not have, or of which there are no token states to give."""
    if output != "tokens" or not isinstance(network, Bert):
        raise ValueError("layers: only of a BERT sentence model with output: tokens; leave it out")
    if not layers or len(set(layers)) < len(layers) or not all(0 <= k <= network.depth for k in layers):
        raise ValueError(f"layers: got {layers}; allowed: different ones of 0 to {network.depth}")


def check_modules(folder: Path) -> None:
    """WeightsError for a folder whose modules are not sentence-transformers' own.

    ``modules.json`` names Python classes, and some versions import them from wherever they are, the folder among it: a
    model from a stranger would run its code. The same holds for ``auto_map`` in config.json, of transformers.
    """
    from motion_platform.encoders.bert import read_json

    modules = read_json(folder / "modules.json")
    for module in modules if isinstance(modules, list) else []:
        kind = module.get("type") if isinstance(module, dict) else module
        if not isinstance(kind, str) or not kind.startswith("sentence_transformers."):
            raise WeightsError(
                f"{folder / 'modules.json'}: names the module {kind!r:.80}, which would be code from the folder; only "
                "modules of sentence_transformers are run"
            )
    for path in sorted(folder.rglob("*config.json")):
        found = read_json(path)
        if isinstance(found, dict) and "auto_map" in found:
            raise WeightsError(f"{path}: auto_map names Python code of the folder's own, which is never run")


class Stack(nn.Module):
    """Any other stack of modules, run by sentence-transformers itself (its import takes seconds)."""

    def __init__(self, folder: Path, max_tokens: int | None) -> None:
        super().__init__()
        check_modules(folder)
        from sentence_transformers import SentenceTransformer

        try:
            with quiet_loading():
                self.model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise WeightsError(f"{folder}: not a sentence model: {str(error).splitlines()[0]}") from error
        own = self.model.max_seq_length
        if own is None or math.isinf(own):  # a bag of words, which reads all of a text
            if max_tokens is not None:
                raise ValueError(f"max_tokens: got {max_tokens}, but the model in {folder} reads texts of any length")
            self.limit = sys.maxsize
        else:
            self.limit = int(min(own, max_tokens or own))
            self.model.max_seq_length = self.limit
        # What the model puts before every text unless told otherwise, and how many numbers it keeps of a vector.
        self.prompt = self.model.prompts.get(self.model.default_prompt_name, "")
        if self.prompt and any(getattr(module, "include_prompt", True) is False for module in self.model):
            raise WeightsError(
                f"{folder}: pools without its default prompt, which is not supported; take another model"
            )
        self.identity = f"{weight_files.folder_sha256(folder)} {self.limit}"
        # Its name changed between versions of sentence-transformers.
        dimension = getattr(self.model, "get_embedding_dimension", None) or self.model.get_sentence_embedding_dimension
        self.dim = int(dimension())

    def forward(self, texts: list[str], output: str, cut: Callable[[int], None]) -> tuple[Tensor, Tensor]:
        """b texts -> (b, 1, C) sentence vectors or (b, N, C) token states, and the mask."""
        texts = [self.prompt + text for text in texts]
        long = [text for text in texts if len(text) > self.limit - 8]  # a token that is not special has a character
        for ids in self.model.tokenizer(long, verbose=False)["input_ids"] if long else []:
            if len(ids) > self.limit:
                cut(len(ids))
        prepare = getattr(self.model, "preprocess", None) or self.model.tokenize
        device = next(self.model.parameters()).device
        inputs = {name: value.to(device) for name, value in prepare(texts).items() if isinstance(value, Tensor)}
        result = self.model(inputs)
        if output == "tokens":
            if "token_embeddings" not in result:
                raise WeightsError("this sentence model has no token states; use output: mean")
            return result["token_embeddings"], result["attention_mask"].bool()
        sentence = result["sentence_embedding"][:, None, : self.dim]
        return sentence, torch.ones(sentence.shape[:2], dtype=torch.bool, device=sentence.device)
