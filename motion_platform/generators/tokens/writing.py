"""How codes are written: which positions are masked in training, and which are settled first when sampling.

Source: MoMask (Guo et al., CVPR 2024, arXiv:2312.00063), sections 3.2 and 3.4; MaskGIT (Chang et al. 2022,
arXiv:2202.04200), section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def draw_mask(real: Tensor) -> Tensor:
    """(B, S) True where a code is to be predicted: cos(pi u / 2) of a row's real steps, u uniform, at least one.

    real (B, S): steps that are there. Random numbers are torch's global ones.
    """
    count = real.sum(1)
    wanted = (torch.cos(torch.rand(len(real), device=real.device) * math.pi / 2) * count).ceil().clamp(min=1)
    order = torch.rand(real.shape, device=real.device).masked_fill(~real, 2.0).argsort(1).argsort(1)
    return (order < wanted[:, None]) & real


def corrupt(ids: Tensor, masked: Tensor, mask_id: int, codes: int) -> Tensor:
    """The codes (B, S) that the network sees: of the masked, 80 % are the mask, 10 % a random code, 10 % themselves
    (as in BERT; MoMask, section 3.2)."""
    lot = torch.rand(ids.shape, device=ids.device)
    other = torch.randint(codes, ids.shape, device=ids.device)
    seen = torch.where(lot < 0.8, torch.full_like(ids, mask_id), torch.where(lot < 0.9, other, ids))
    return torch.where(masked, seen, ids)


def still_masked(step: int, steps: int, count: Tensor) -> Tensor:
    """(B,) how many of ``count`` (B,) codes are still masked after ``step`` of ``steps`` (0-based): cosine schedule."""
    return (math.cos(math.pi / 2 * (step + 1) / steps) * count).floor().long()


def choose(logits: Tensor, uniform: Tensor, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """(codes (B, S), the log-probability of each (B, S)) from logits (B, S, K), by inverting the cumulative
    distribution at ``uniform`` (B, S); temperature 0 takes the most likely. top_p: of the likeliest that together have
    that share."""
    score = logits.log_softmax(-1)
    if temperature == 0:
        best = score.max(-1)
        return best.indices, best.values
    order = (logits / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    share = order.values.cumsum(-1)
    kept = order.values * (share - order.values < top_p)
    total = kept.cumsum(-1)
    place = (total <= uniform[..., None] * total[..., -1:]).sum(-1)
    place = torch.minimum(place, (kept > 0).sum(-1) - 1)
    chosen = order.indices.gather(-1, place[..., None])[..., 0]
    return chosen, score.gather(-1, chosen[..., None])[..., 0]


@dataclass(frozen=True)
class Draw:
    """How codes are drawn. steps: passes that settle the first codebook. temperature, top_p: see :func:`choose`;
    later_temperature: of the later codebooks. order_noise: size of the Gumbel noise in the order of settling."""

    steps: int
    temperature: float
    later_temperature: float
    top_p: float
    order_noise: float

    def write(
        self,
        ids: Tensor,
        fresh: Tensor,
        mask_id: int,
        ask: Callable[[Tensor, int], Tensor],
        uniform: Callable[[str], Tensor],
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Codes (B, S, Q): ``ids`` with new ones where ``fresh`` (B, S). The first codebook in ``steps`` passes, the
        most certain first; one pass each later codebook.

        ask: codes and a codebook -> log-probabilities (B, S, K). uniform: the name of a draw -> numbers (B, S) in 0 to
        1. progress: takes the passes done and all of them.
        """
        ids, masked, count = ids.clone(), fresh.clone(), fresh.sum(1)
        ids[..., 0] = torch.where(masked, mask_id, ids[..., 0])
        for step in range(self.steps):
            if not bool(masked.any()):
                break
            chosen, score = choose(ask(ids, 0), uniform(f"step {step}"), self.temperature, self.top_p)
            ids[..., 0] = torch.where(masked, chosen, ids[..., 0])
            left = still_masked(step, self.steps, count)
            gumbel = -torch.log(-torch.log(uniform(f"order {step}").clamp(1e-6, 1 - 1e-6)))
            trust = score + self.order_noise * gumbel * (1 - (step + 1) / self.steps)
            order = trust.masked_fill(~masked, torch.inf).argsort(1).argsort(1)
            masked = masked & (order < left[:, None])
            ids[..., 0] = torch.where(masked, mask_id, ids[..., 0])
            if progress is not None:
                progress(step + 1, self.steps)
        for q in range(1, ids.shape[-1]):
            chosen, _ = choose(ask(ids, q), uniform(f"book {q}"), self.later_temperature, self.top_p)
            ids[..., q] = torch.where(fresh, chosen, ids[..., q])
        return ids


def mean_of(values: Tensor, rows: Tensor) -> Tensor:
    """The mean over some rows; 0 where there are none."""
    return (values * rows).sum() / rows.sum().clamp(min=1)
