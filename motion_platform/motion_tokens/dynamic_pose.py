"""DynamicPoseNet's encoder as a motion tokenizer.

Source: "DynamicPoseNet: Advanced Human Motion Generation with Dual-Pathway CNNs and LoRA-Enhanced LLaMA", section 2.
The paper names three things without equations: depthwise-separable convolutions, two pathways with different filter
sizes that are fused, and a stochastic batch contrastive loss that "minimises intra-class variations while maximising
inter-class differences" and "leverages the batch's stochastic nature". How they are read here: docs/tokenizers.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.errors import ConfigError
from motion_platform.core.schema import Batch, Condition, MotionSpec, length_mask
from motion_platform.motion_tokens.quantisers import Codebooks
from motion_platform.motion_tokens.vqvae import ConvolutionalTokenizer
from motion_platform.nn.convolutions import DualPathwayBlock


def stochastic_batch_contrastive(motion: Tensor, text: Tensor, same: Tensor, temperature: float) -> Tensor:
    """(R, E) embeddings of motions and of their texts, same (R, R) True where two rows are of one class -> scalar.

    Cross entropy between softmax of the cosine similarities over ``temperature`` and the uniform distribution over the
    rows of the same class, from motion to text and back, halved (supervised contrast, Khosla et al. 2020,
    arXiv:2004.11362, equation 2, between two kinds of input). Rows of one class are drawn together, others apart.
    """
    logits = F.normalize(motion, dim=-1) @ F.normalize(text, dim=-1).T / temperature
    wanted = same.to(logits)
    forth = (wanted / wanted.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1)
    back = (wanted / wanted.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0)
    return -(forth.mean() + back.mean()) / 2


class DynamicPose(ConvolutionalTokenizer):
    """Dual-pathway, depthwise-separable encoder and decoder around one or several codebooks.

    kernels: the two filter sizes, both odd. contrastive_loss: weight of the contrast with the text in the only slot (0:
    no slot is needed). draw: the share of a batch's rows, drawn anew at every step, that is contrasted. Two rows are of
    one class when all their labels are equal, or their texts are. embedding: numbers that are compared.
    """

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str] = (),
        *,
        codes: int = 512,
        codebooks: int = 1,
        code_width: int = 512,
        width: int = 512,
        strides: list[int] = [2, 2],
        patch: int = 1,
        depth: int = 3,
        dilation: int = 3,
        kernels: tuple[int, int] = (3, 7),
        decay: float = 0.99,
        dead_below: float = 1.0,
        dropout: bool = False,
        velocity_loss: float = 0.5,
        commitment_loss: float = 0.02,
        position_loss: float = 0.0,
        contrastive_loss: float = 0.1,
        draw: float = 0.5,
        temperature: float = 0.1,
        embedding: int = 128,
    ) -> None:
        if any(k < 1 or k % 2 == 0 for k in kernels) or kernels[0] == kernels[1]:
            raise ConfigError(f"dynamic_pose.kernels: got {list(kernels)}; allowed: two different odd sizes")
        if contrastive_loss and len(slots) != 1:
            raise ConfigError(
                f"dynamic_pose.contrastive_loss: got {contrastive_loss} and {len(slots)} slots; it needs one slot "
                "with text, or 0"
            )
        if not 0 < draw <= 1:
            raise ConfigError(f"dynamic_pose.draw: got {draw}; allowed: above 0, at most 1")
        super().__init__(
            spec,
            slots,
            Codebooks(
                width, codes, codebooks, code_width=code_width, decay=decay, dead_below=dead_below, dropout=dropout
            ),
            partial(DualPathwayBlock, kernels=kernels),
            width=width,
            strides=strides,
            patch=patch,
            depth=depth,
            dilation=dilation,
            velocity_loss=velocity_loss,
            commitment_loss=commitment_loss,
            position_loss=position_loss,
        )
        self.contrastive_loss, self.draw, self.temperature = contrastive_loss, draw, temperature
        if contrastive_loss:
            self.motion_head, self.text_head = nn.Linear(width, embedding), nn.Linear(width, embedding)

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """The losses of reconstruction, and "contrastive" where it has a weight; rows without a text are left out."""
        parts, latent = self._losses(batch, given)
        if not self.contrastive_loss:
            return parts
        slot = self.slots[0]
        said = given[slot].mask[:, 1:].any(1)
        rows = torch.randperm(len(said))[: max(2, round(self.draw * len(said)))].to(said.device)
        rows = rows[said[rows]]
        steps = -(-batch.motion.lengths // self.stride)
        real = length_mask(steps, latent.shape[1])[..., None]
        mean = (latent * real).sum(1) / real.sum(1)
        motion, text = self.motion_head(mean[rows]).float(), self.text_head(given[slot].pooled()[rows]).float()
        if len(rows) > 1:
            same = same_class(batch, slot, rows.tolist()).to(motion.device)
            contrast = stochastic_batch_contrastive(motion, text, same, self.temperature)
        else:  # keep the heads in the graph: several processes wait for the gradient of every weight
            contrast = 0.0 * (motion.sum() + text.sum())
        return {**parts, "contrastive": contrast, "loss": parts["loss"] + self.contrastive_loss * contrast}


def same_class(batch: Batch, slot: str, rows: Sequence[int]) -> Tensor:
    """(R, R) True where two of these rows have the same labels, or the same text; always on the diagonal."""
    labels = batch.labels or [{} for _ in batch.ids]
    first, second = [], []
    for row in rows:
        first.append(tuple(sorted(labels[row].items())) or ("row", row))
        second.append(batch.raw[slot][row] or ("row", row))
    pairs = list(zip(first, second, strict=True))
    return torch.tensor([[a == c or b == d for c, d in pairs] for a, b in pairs])
