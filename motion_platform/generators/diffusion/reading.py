"""What a generator does with its conditions before it denoises: read them together, and learn what they mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.schema import Batch, Condition
from motion_platform.nn.transformer import Transformer, cut_patches

LENGTH_LOSS = 0.1  # it has its own weights: the factor only keeps its gradient out of the clipping of the others
TEMPERATURE = 0.1  # TMR, section 3.2


class ConditionReader(nn.Module):
    """Transformer layers over the tokens of all slots (0: they pass through), and what can be learned from them.

    natural_length: how long such a motion lasts, by a linear layer on the pooled tokens that leaves the rest alone.
    alignment: weight of a contrastive loss between the first tokens of the slots and the clean motion (InfoNCE in both
    directions, as in TMR, Petrovich et al. 2023, eq. 1). Denoising alone teaches the reader slowly: most of a motion
    can be had from the noisy motion, so little of the error is the text's. Motions with the same labels are not held
    against each other, nor are rows without a condition.
    """

    def __init__(
        self,
        slots: Sequence[str],
        width: int,
        *,
        layers: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        motion_dim: int,
        patch: int,
        max_frames: int,
        natural_length: bool,
        alignment: float,
    ) -> None:
        super().__init__()
        self.slots, self.patch, self.max_frames = tuple(slots), patch, max_frames
        self.transformer = Transformer(layers, width, heads, feed_forward, dropout, "pre") if layers and slots else None
        self.weights = {"length": LENGTH_LOSS, "alignment": alignment}
        self.length: nn.Sequential | None = None
        if natural_length and slots:  # from a middling length on: a large first error would use up the clipping
            self.length = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
            nn.init.zeros_(self.length[1].weight)
            nn.init.constant_(self.length[1].bias, math.log(max_frames / 2))
        self.motion_side: nn.ModuleList | None = None
        if alignment and slots:
            self.text_side = nn.Linear(width, width // 2)
            self.motion_side = nn.ModuleList(
                [
                    nn.Linear(patch * motion_dim, width),
                    nn.Conv1d(width, width, 3, padding=1),
                    nn.Conv1d(width, width, 3, padding=1),
                    nn.Linear(2 * width, width // 2),
                ]
            )

    def forward(self, given: Mapping[str, Condition]) -> dict[str, Condition]:
        """slot -> Condition of the same shape; every token has seen every other that is on, of any slot."""
        if self.transformer is None:
            return dict(given)
        conditions = [given[slot] for slot in self.slots]
        tokens = torch.cat([c.tokens for c in conditions], 1)
        read = tokens + self.transformer(tokens, torch.cat([c.mask for c in conditions], 1))
        parts = read.split([c.tokens.shape[1] for c in conditions], 1)
        return {s: Condition(x, given[s].mask, given[s].rate_hz) for s, x in zip(self.slots, parts, strict=True)}

    def pooled(self, read: Mapping[str, Condition]) -> Tensor:
        """(B, width): all slots pooled and added."""
        return torch.stack([read[slot].pooled() for slot in self.slots]).sum(0)

    def natural_lengths(self, read: Mapping[str, Condition]) -> Tensor | None:
        """(B,) frames that such a motion usually lasts (the median, as the error is of the logarithm), or None."""
        if self.length is None:
            return None
        frames = self.length(self.pooled(read))[:, 0].exp().round().long()
        return frames.clamp(self.patch, self.max_frames)

    def losses(self, read: Mapping[str, Condition], x0: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"length", "alignment"}, as far as they are learned: scalars, unweighted. x0 (B, T, D) clean, normalised."""
        losses = {}
        if self.length is not None:
            said = self.length(self.pooled(read).detach())[:, 0].float()
            losses["length"] = ((said - batch.lengths.to(said.device).log()) ** 2).mean()
        if self.motion_side is not None:
            told = torch.stack([read[slot].mask[:, 1:].any(1) for slot in self.slots]).any(0)
            text = self.text_side(torch.stack([read[slot].tokens[:, 0] for slot in self.slots]).sum(0))
            losses["alignment"] = alignment_loss(text, self.embed(x0, batch.lengths), told, same_labels(batch))
        return losses

    def embed(self, x0: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) -> (B, width / 2): convolutions over patches, then mean and maximum over the real ones."""
        enter, first, second, leave = self.motion_side
        patches, real = cut_patches(x0, lengths, self.patch)
        h = F.gelu(enter(patches))
        for convolution in (first, second):
            h = h * real[..., None]
            h = h + F.gelu(convolution(h.transpose(1, 2)).transpose(1, 2))
        mean = (h * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        highest = h.masked_fill(~real[..., None], -torch.inf).amax(1)
        return leave(torch.cat([mean, highest], -1))


def same_labels(batch: Batch) -> Tensor:
    """(B, B) True for a row and itself, and for rows with equal labels."""
    keys = [tuple(sorted(of.items())) for of in batch.labels or [{}] * len(batch.ids)]
    return torch.tensor([[i == j or (bool(a) and a == b) for j, b in enumerate(keys)] for i, a in enumerate(keys)])


def alignment_loss(text: Tensor, motion: Tensor, told: Tensor, same: Tensor) -> Tensor:
    """InfoNCE over the rows that are told something, text to motion and back, averaged.

    text, motion (B, E); told (B,) and same (B, B) boolean. A row's loss is -log of the share of all its ``same``
    partners in the softmax over cosine / TEMPERATURE.
    """
    if not bool(told.any()):
        return text.sum() * 0.0
    text, motion = F.normalize(text[told].float(), dim=-1), F.normalize(motion[told].float(), dim=-1)
    same = same.to(told.device)[told][:, told]
    scores = text @ motion.T / TEMPERATURE
    right = scores.masked_fill(~same, -torch.inf)
    both = [scores.logsumexp(k) - right.logsumexp(k) for k in (0, 1)]
    return (both[0].mean() + both[1].mean()) / 2
