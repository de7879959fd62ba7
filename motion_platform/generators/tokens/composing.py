"""Codes of a motion with several texts: windows that see over their ends, settled together, one sequence of codes.

Every span is read under its own text in windows that reach into its neighbours; where windows meet, their
log-probabilities are added by weight (the mean that MultiDiffusion takes of predictions, Bar-Tal et al. 2023,
arXiv:2302.08113, taken of logits), so the codes at a border suit both sides. The codes are decoded as one motion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import WHOLE_BODY
from motion_platform.core.schema import Condition, Sampling, Spans
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.diffusion.guidance import Chain
from motion_platform.generators.spans import soften, span_windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from motion_platform.generators.tokens.masked import MaskedTokens

MARGIN_SECONDS = 1.0
"""How far a window sees over the ends of its span."""
SOFT_SECONDS = 0.5
"""How far from a border the decoded motion is smoothed (a Gaussian of one frame)."""
FADE = 2
"""Steps over which the say goes from one text to the next."""


def check_lanes(spans: Spans, called: str) -> None:
    """UsageError for a span that moves a part of the body alone: a step of codes is of the whole body."""
    if any(lane != WHOLE_BODY for lane in spans.lanes):
        raise UsageError(
            f"timeline: {called} moves the whole body, not a part of it; a diffusion model (mdm) does: "
            "--model text_to_motion_small"
        )


def spans_in_steps(spans: Spans, stride: int) -> Spans:
    """The spans in steps of the tokenizer: borders at the nearest step, the end of a motion rounded up."""
    totals = spans.totals()[spans.rows]
    ends = spans.ends
    rounded = torch.where(ends == totals, -(-ends // stride), (ends + stride // 2) // stride)
    starts = (spans.starts + stride // 2) // stride
    return Spans(spans.rows, starts, (rounded - starts).clamp(min=1), spans.lanes)


def soften_borders(model: MaskedTokens, x: Tensor, spans: Spans) -> Tensor:
    """Decoded motions (B, T, D) with the jitter of codes that meet taken away, within half a second of a border."""
    return soften(x, spans, round(SOFT_SECONDS * model.spec.fps))


def write_spans(
    model: MaskedTokens,
    given: Mapping[str, Condition],
    spans: Spans,
    chain: Chain,
    noise: NoiseSource,
    sampling: Sampling,
) -> Tensor:
    """(B, S, Q) codes of motions whose spans (in steps) are under a row of ``given`` each."""
    margin = max(1, round(MARGIN_SECONDS * model.spec.fps / model.stride))
    windows, of_span = span_windows(spans, model.max_steps, margin=margin, overlap=model.overlap, fade=FADE)
    device = model.books.device
    windows, of_span = windows.to(device), of_span.to(device)
    rows = {slot: each.rows(of_span) for slot, each in given.items()}
    memory = model.memory_of(rows, chain)
    totals = spans.totals().to(device)
    total = int(totals.max())
    real = torch.arange(total, device=device)[None] < totals[:, None]

    def ask(ids: Tensor, q: int) -> Tensor:
        """(B, S, K) log-probabilities of codebook q."""
        codes = ids[windows.rows[:, None], windows.index]
        return windows.blend(model.guided(codes, q, windows.mask, chain, memory))

    def uniform(of: str) -> Tensor:
        return torch.special.ndtr(noise.normal((total,), name=f"spans {of}", device=device))

    ids = torch.zeros(*real.shape, model.codebooks, dtype=torch.int64, device=device)
    return model.drawing(sampling).write(ids, real, model.codes, ask, uniform, sampling.progress)
