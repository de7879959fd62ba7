"""CLIP's text tower, the text encoder of most published motion models.

Reference: Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4; numbers are those of transformers.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from motion_platform.core import weight_files
from motion_platform.core.errors import WeightsError
from motion_platform.core.quiet import quiet_loading
from motion_platform.encoders.text import TextEncoder, pad, token_ids


class ClipTextEncoder(TextEncoder):
    """Text -> CLIP's state at the end-of-text token ("pooled"), its image-text projection, or all states ("tokens").

    MDM and its descendants condition on "projected". model: a folder with a CLIP model or text model of transformers,
    or a name on the hub. max_tokens: read at most so many, special tokens included (default: the model's own, 77).
    frozen: see :class:`TextEncoder`. Errors: WeightsError; ValueError for a wrong setting.
    """

    def __init__(
        self,
        model: str = "openai/clip-vit-base-patch32",
        output: Literal["pooled", "projected", "tokens"] = "projected",
        max_tokens: int | None = None,
        frozen: bool = True,
    ) -> None:
        if output not in ("pooled", "projected", "tokens"):
            raise ValueError(f"output: got {output!r}; allowed: pooled, projected, tokens")
        if max_tokens is not None and max_tokens < 3:
            raise ValueError(f"max_tokens: got {max_tokens}; a word and two special tokens need at least 3")
        folder = weight_files.find(model)
        super().__init__(model, identity=f"{weight_files.folder_sha256(folder)} {output} {max_tokens}", frozen=frozen)
        from transformers import AutoConfig, CLIPTextModelWithProjection, CLIPTokenizerFast

        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            if config.model_type not in ("clip", "clip_text_model"):
                raise WeightsError(f"{folder}: a {config.model_type} model, not CLIP; use the encoder hf_text for it")
            self.tokenizer = CLIPTokenizerFast.from_pretrained(folder, local_files_only=True)
            with quiet_loading():
                self.network, report = CLIPTextModelWithProjection.from_pretrained(
                    folder, local_files_only=True, output_loading_info=True
                )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise WeightsError(f"{folder}: not a CLIP text model: {str(error).splitlines()[0]}") from error
        # A CLIP text model may be stored without its projection; without anything else it is not one.
        absent = set(report["missing_keys"]) - ({"text_projection.weight"} if output != "projected" else set())
        if absent:
            raise WeightsError(f"{folder}: the weights lack {sorted(absent)[0]}, which output {output!r} needs")
        self.network = self.network.float()
        text = self.network.config
        self.output = output
        self.dim = int(text.projection_dim if output == "projected" else text.hidden_size)
        self.limit = int(min(text.max_position_embeddings, max_tokens or text.max_position_embeddings))
        filler = self.tokenizer.pad_token_id
        self.filler = int(text.eos_token_id if filler is None else filler)
        self.finish()

    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        ids, mask = pad(token_ids(self, texts), self.filler, self.device)
        result = self.network.text_model(input_ids=ids, attention_mask=mask.long())
        if self.output == "tokens":
            return result.last_hidden_state, mask
        pooled = result.pooler_output
        sentence = self.network.text_projection(pooled) if self.output == "projected" else pooled
        return sentence[:, None], torch.ones(len(texts), 1, dtype=torch.bool, device=mask.device)
