"""Windows over spans, each under its own conditions and reaching into its neighbours; in frames, or in token steps."""

from __future__ import annotations

import torch
from torch import Tensor

from motion_platform.core.schema import Spans
from motion_platform.generators.diffusion.windows import Windows, window_starts


def span_windows(
    spans: Spans, window: int, *, margin: int, overlap: int, fade: int, totals: Tensor | None = None
) -> tuple[Windows, Tensor]:
    """(windows, (P,) the span of each). A span's windows reach ``margin`` over its ends, as far as the motion does.

    window: the longest one; a longer span gets several, which share ``overlap``. fade: over how many frames the weight
    goes from one span to the next, in the middle of which is their border. totals: (B,) how long the motions are,
    where they go on after their last span.
    """
    totals = spans.totals() if totals is None else totals
    frames = int(totals.max())
    margin, overlap = min(margin, (window - 1) // 4), min(overlap, window // 2)
    pieces: list[tuple[int, int, int, Tensor]] = []  # span, start, size, weight (size,)
    for number, (row, start, length) in enumerate(_rows(spans)):
        first, end = max(0, start - margin), min(int(totals[row]), start + length + margin)
        begins = window_starts(end - first, window, overlap)
        for k, begin in enumerate(begins):
            begin, size = first + begin, min(window, end - first)
            place = begin + torch.arange(size) + 0.5
            weight = torch.ones(size)
            left = start if k == 0 else (begin + first + begins[k - 1] + window) / 2
            right = start + length if k + 1 == len(begins) else (first + begins[k + 1] + begin + window) / 2
            if left > 0:
                weight *= ((place - left) / fade + 0.5).clamp(0, 1)
            if right < int(totals[row]):
                weight *= ((right - place) / fade + 0.5).clamp(0, 1)
            pieces.append((number, begin, size, weight))
    most = max(size for _, _, size, _ in pieces)
    steps = torch.arange(most)
    of_span = torch.tensor([number for number, *_ in pieces])
    starts, sizes = (torch.tensor([piece[k] for piece in pieces]) for k in (1, 2))
    raw = torch.stack([torch.nn.functional.pad(weight, (0, most - len(weight))) for *_, weight in pieces])
    windows = Windows(
        rows=spans.rows.cpu()[of_span],
        starts=starts,
        lengths=sizes,
        mask=steps[None] < sizes[:, None],
        index=(starts[:, None] + steps).clamp(max=frames - 1),
        weight=raw,
        shape=(len(totals), frames),
    )
    windows.weight = raw / _sum_over_windows(windows, raw[..., None])[..., 0].clamp(min=1e-9)
    return windows, of_span


def _rows(spans: Spans) -> list[tuple[int, int, int]]:
    return list(zip(spans.rows.tolist(), spans.starts.tolist(), spans.lengths.tolist(), strict=True))


def _sum_over_windows(windows: Windows, weight: Tensor) -> Tensor:
    """(P, W, K) -> the same, where each place holds the sum of all windows there."""
    batch, frames = windows.shape
    flat = windows.rows[:, None] * frames + windows.index
    total = torch.zeros(batch * frames, weight.shape[-1])
    total.index_add_(0, flat.flatten(), torch.where(windows.mask[..., None], weight, 0.0).flatten(0, 1))
    return total[flat]


def soften(x: Tensor, spans: Spans, reach: int, width: float = 1.0) -> Tensor:
    """x (B, T, D) with what is near a border between spans smoothed in time: a Gaussian of ``width`` frames, by a
    raised cosine that is 1 at the border and 0 ``reach`` frames away from it."""
    size = max(1, round(3 * width))
    kernel = torch.exp(-0.5 * (torch.arange(-size, size + 1, device=x.device) / width) ** 2)
    kernel = (kernel / kernel.sum()).to(x.dtype)
    padded = torch.cat([x[:, :1].expand(-1, size, -1), x, x[:, -1:].expand(-1, size, -1)], 1)
    smooth = (padded.unfold(1, len(kernel), 1) * kernel).sum(-1)
    place = torch.arange(x.shape[1], device=x.device)
    share = torch.zeros(x.shape[:2], device=x.device, dtype=x.dtype)
    for row, start, _ in _rows(spans):
        if start > 0:
            far = (place - start).abs().clamp(max=reach)
            share[row] = torch.maximum(share[row], (0.5 + 0.5 * torch.cos(torch.pi * far / reach)).to(x.dtype))
    return x + share[..., None] * (smooth - x)
