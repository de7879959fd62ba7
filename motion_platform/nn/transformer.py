"""Transformer layers on ``scaled_dot_product_attention``: batch first, boolean masks (True = attend).

``norm="post"`` is the layer of Vaswani et al. (2017) and MDM: x = LayerNorm(x + f(x)); its forward equals
``torch.nn.TransformerEncoderLayer(activation="gelu", batch_first=True)``. ``norm="pre"``: x = x + f(LayerNorm(x)), with
one LayerNorm after the last layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["post", "pre"]


def sinusoidal(length: int, width: int) -> Tensor:
    """(length, width) sines (even columns) and cosines (odd columns) of Vaswani et al. (2017), section 3.5."""
    if width % 2:
        raise ValueError(f"width {width} must be even for sinusoidal positions")
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    angle = torch.arange(length, dtype=torch.float32)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


class TimestepEmbedding(nn.Module):
    """(B,) int64 diffusion timesteps -> (B, width): sinusoid, linear, SiLU, linear (MDM, section 3)."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoidal(steps, width), persistent=False)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, timesteps: Tensor) -> Tensor:
        return self.second(F.silu(self.first(self.table[timesteps].to(self.first.weight.dtype))))


SHORT = 128 * 128
"""Up to so many scores a head, torch's bfloat16 attention on a CPU is several times slower than plain products."""


def cut_patches(x: Tensor, lengths: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """x (B, T, D), lengths (B,) -> patches of ``patch`` frames (B, S, patch * D), zero-padded at the end, and their
    mask (B, S): a patch counts when any of its frames is real."""
    x = F.pad(x, (0, 0, 0, -x.shape[1] % patch))
    patches = x.reshape(len(x), -1, patch * x.shape[-1])
    start = torch.arange(patches.shape[1], device=x.device) * patch
    return patches, start[None] < lengths.to(x.device)[:, None]


class Attention(nn.Module):
    """Multi-head attention; the keys and values of a fixed memory can be computed once with :meth:`keys_values`."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} must be a multiple of heads {heads}")
        self.heads, self.dropout = heads, dropout
        # One matrix for query, key and value: one large product is faster than three, and it is torch's own layout.
        self.in_projection = nn.Linear(width, 3 * width)
        self.out_projection = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_projection.weight)
        nn.init.zeros_(self.in_projection.bias)
        nn.init.zeros_(self.out_projection.bias)

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """(B, L, parts * width) -> ``parts`` tensors (B, heads, L, width / heads)."""
        return x.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if q.device.type == "cpu" and q.dtype == torch.bfloat16 and q.shape[-2] * k.shape[-2] <= SHORT:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            out = F.dropout(scores.softmax(-1), dropout, bool(dropout)) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return self.out_projection(out.transpose(1, 2).flatten(2))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Self-attention: x (B, L, width), mask (B, 1, 1, L) bool or None -> (B, L, width)."""
        return self._attend(*self._split(self.in_projection(x), 3), mask)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, each (B, heads, N, width / heads), of a memory (B, N, width)."""
        width = memory.shape[-1]
        weight, bias = self.in_projection.weight[width:], self.in_projection.bias[width:]
        return self._split(F.linear(memory, weight, bias), 2)

    def cross(self, x: Tensor, memory: tuple[Tensor, Tensor], mask: Tensor | None = None) -> Tensor:
        """Cross-attention from x (B, L, width) to :meth:`keys_values`; mask (B, 1, 1, N) bool or None."""
        width = x.shape[-1]
        weight, bias = self.in_projection.weight[:width], self.in_projection.bias[:width]
        (query,) = self._split(F.linear(x, weight, bias), 1)
        return self._attend(query, *memory, mask)


class Layer(nn.Module):
    """Self-attention, optional cross-attention, GELU feed-forward."""

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.1,
        norm: Norm = "post",
        cross_attention: bool = False,
    ) -> None:
        super().__init__()
        self.pre = norm == "pre"
        self.attention = Attention(width, heads, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.cross_attention = Attention(width, heads, dropout) if cross_attention else None
        self.cross_norm = nn.LayerNorm(width) if cross_attention else None
        self.up = nn.Linear(width, feed_forward)
        self.down = nn.Linear(feed_forward, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.down(self.dropout(F.gelu(self.up(x))))

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: tuple[Tensor, Tensor] | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        if self.pre:
            x = x + self.dropout(self.attention(self.attention_norm(x), mask))
            if self.cross_attention is not None:
                x = x + self.dropout(self.cross_attention.cross(self.cross_norm(x), memory, memory_mask))
            return x + self.dropout(self._feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, mask)))
        if self.cross_attention is not None:
            x = self.cross_norm(x + self.dropout(self.cross_attention.cross(x, memory, memory_mask)))
        return self.feed_forward_norm(x + self.dropout(self._feed_forward(x)))


class Transformer(nn.Module):
    """A stack of :class:`Layer`. With ``cross_attention`` it is a (non-causal) decoder that reads a memory."""

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.1,
        norm: Norm = "post",
        cross_attention: bool = False,
    ) -> None:
        super().__init__()
        if norm not in ("post", "pre"):
            raise ValueError(f"norm {norm!r} must be 'post' or 'pre'")
        self.layers = nn.ModuleList(
            Layer(width, heads, feed_forward, dropout, norm, cross_attention) for _ in range(layers)
        )
        self.final_norm = nn.LayerNorm(width) if norm == "pre" else nn.Identity()

    def keys_values(self, memory: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of a memory (B, N, width) for every layer: computed once, used at every denoising step."""
        return [layer.cross_attention.keys_values(memory) for layer in self.layers]

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Sequence[tuple[Tensor, Tensor]] | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """x (B, L, width), mask (B, L) True = real, memory from :meth:`keys_values`, memory_mask (B, N)."""
        mask = None if mask is None else mask[:, None, None]
        memory_mask = None if memory_mask is None else memory_mask[:, None, None]
        for i, layer in enumerate(self.layers):
            x = layer(x, mask, None if memory is None else memory[i], memory_mask)
        return self.final_norm(x)
