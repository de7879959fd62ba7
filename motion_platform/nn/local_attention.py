"""Causal attention within windows, and rotary positions.

Local attention: Rae and Razavi 2020 ("Do Transformers Need Deep Long-Range Memory?"), as the library local-attention
does it; rotary positions: Su et al. 2021 (arXiv:2104.09864), in the layout that turns column i with i + half.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def rotary(x: Tensor, base: float = 10000.0) -> Tensor:
    """x (..., L, C), C even -> the same, position l turned by l / base^(2i / C) in the plane of columns i, i + C/2."""
    width = x.shape[-1]
    frequency = base ** (-torch.arange(0, width, 2, device=x.device, dtype=torch.float32) / width)
    angle = torch.arange(x.shape[-2], device=x.device, dtype=torch.float32)[:, None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def rotary_heads(x: Tensor, heads: int) -> Tensor:
    """x (B, L, width) -> the same with every head's width / heads columns turned (:func:`rotary`)."""
    return rotary(x.unflatten(-1, (heads, -1)).transpose(1, 2)).transpose(1, 2).flatten(2)


def local_attention(
    x: Tensor, mask: Tensor | None = None, *, heads: int, window: int, back: int = 1, dropout: float = 0.0
) -> Tensor:
    """Softmax attention of x (B, L, width) on itself, without projections: queries, keys and values are its heads.

    Frames lie in blocks of ``window``; a frame attends to itself and those before it in its own block and in ``back``
    blocks before. mask (B, L), True = real: others are attended to by nobody. L need be no multiple of ``window``.
    dropout: of the weights. Returns (B, L, width); what comes out at masked frames has no meaning.
    """
    batch, length, _ = x.shape
    padding = -length % window
    real = torch.ones(batch, length, dtype=torch.bool, device=x.device) if mask is None else mask
    real = F.pad(real, (0, padding), value=False)
    blocks = real.shape[1] // window
    h = F.pad(x, (0, 0, 0, padding)).unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, heads, L', C)
    queries = h.unflatten(2, (blocks, window))
    place = torch.arange(blocks * window, device=x.device).view(blocks, window)

    def around(value: Tensor, dim: int, fill: float) -> Tensor:
        """Blocks along ``dim`` (then their frames) -> every block with those before it in front."""
        shape = list(value.shape)
        shape[dim] = back
        padded = torch.cat([value.new_full(shape, fill), value], dim)
        return torch.cat([padded.narrow(dim, k, blocks) for k in range(back + 1)], dim + 1)

    keys = around(queries, 2, 0.0)
    seen = around(real.view(batch, blocks, window), 1, False) & (around(place, 0, -1)[None] >= 0)
    allowed = seen[:, :, None] & (around(place, 0, -1)[:, None] <= place[:, :, None])[None]  # (B, blocks, window, keys)
    # A frame that may see nobody, itself included, is padding: it sees its own block, so that no row is empty.
    allowed = allowed | ~allowed.any(-1, keepdim=True)
    out = F.scaled_dot_product_attention(queries, keys, keys, attn_mask=allowed[:, None], dropout_p=dropout)
    return out.flatten(2, 3)[:, :, :length].transpose(1, 2).flatten(2)
