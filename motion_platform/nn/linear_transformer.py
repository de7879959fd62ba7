"""The cross-modality linear transformer of MotionDiffuse and Diffusion-Conductor.

Sources: MotionDiffuse (Zhang et al. 2022, arXiv:2208.15001), section 3.3; Taming Diffusion Models for Music-driven
Conducting Motion Generation (Zhao et al. 2023, arXiv:2306.10065), section 3.6. Attention is linear in the length
(efficient attention, Shen et al. 2021, arXiv:1812.01243): q = softmax over the features of a head, k = softmax over
time, and q (k^T v) needs no table of length x length. After every part, features are scaled and shifted by what is
known of the diffusion step and of the music at that frame (stylisation, MotionDiffuse, equation 8; FiLM).

Two things are ours, both off by default: ``local`` (a depthwise convolution over neighbouring tokens at the start of a
layer, which begins as the identity: linear attention alone sees a whole clip but hardly a neighbour), and what
cross-attention needs of the music is computed once for all denoising steps: k^T v holds no x and no t.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.nn.transformer import sinusoidal

AttentionKind = Literal["linear", "full"]
ATTENTIONS = ("linear", "full")
Memory = tuple[Tensor, ...]
"""What a layer keeps of a memory: k^T v (B, heads, d, d) when linear; keys, values and mask when full."""


class StepEmbedding(nn.Module):
    """(B,) int64 diffusion steps -> (B, width): sinusoid of ``latent`` columns, linear, SiLU, linear."""

    def __init__(self, steps: int, latent: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoidal(steps, latent), persistent=False)
        self.first, self.second = nn.Linear(latent, width), nn.Linear(width, width)

    def forward(self, steps: Tensor) -> Tensor:
        return self.second(F.silu(self.first(self.table[steps].to(self.first.weight.dtype))))


class Stylisation(nn.Module):
    """(B, S, latent) normalised, scaled and shifted by a style (B, S, width); its last linear layer starts at 0."""

    def __init__(self, latent: int, width: int, dropout: float) -> None:
        super().__init__()
        self.style = nn.Linear(width, 2 * latent)
        self.norm = nn.LayerNorm(latent)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(latent, latent)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        """style: after its SiLU, which is the same for all parts of a network and so is taken once."""
        scale, shift = self.style(style).chunk(2, dim=-1)
        return self.output(self.dropout(F.silu(self.norm(h) * (1 + scale) + shift)))


class StyledAttention(nn.Module):
    """Attention over ``memory_width`` wide tokens, stylised and added to x; over x itself where no memory is given."""

    def __init__(
        self, latent: int, memory_width: int, width: int, heads: int, dropout: float, kind: AttentionKind
    ) -> None:
        super().__init__()
        if latent % heads:
            raise ValueError(f"latent {latent} must be a multiple of heads {heads}")
        self.heads, self.kind = heads, kind
        self.norm = nn.LayerNorm(latent)
        self.memory_norm = nn.LayerNorm(memory_width) if memory_width != latent else None
        self.query = nn.Linear(latent, latent)
        self.key, self.value = nn.Linear(memory_width, latent), nn.Linear(memory_width, latent)
        self.stylisation = Stylisation(latent, width, dropout)

    def _split(self, x: Tensor) -> Tensor:
        """(B, S, latent) -> (B, heads, S, latent / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def keep(self, tokens: Tensor, mask: Tensor | None) -> Memory:
        """What attention needs of normalised tokens (B, N, memory_width), mask (B, N) True = real."""
        key, value = self._split(self.key(tokens)), self._split(self.value(tokens))
        if self.kind == "full":
            return (key, value) if mask is None else (key, value, mask[:, None, None])
        if mask is not None:
            key = key.masked_fill(~mask[:, None, :, None], torch.finfo(key.dtype).min)
            value = value * mask[:, None, :, None]
        return (key.softmax(dim=2).transpose(2, 3) @ value,)

    def memory(self, tokens: Tensor, mask: Tensor | None = None) -> Memory:
        """As :meth:`keep`, of raw tokens of a memory."""
        return self.keep(tokens if self.memory_norm is None else self.memory_norm(tokens), mask)

    def forward(self, x: Tensor, style: Tensor, mask: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        """x (B, S, latent), style (B, S, width), mask (B, S) of x, for self-attention."""
        normed = self.norm(x)
        memory = self.keep(normed, mask) if memory is None else memory
        query = self._split(self.query(normed))
        if self.kind == "full":
            out = F.scaled_dot_product_attention(query, *memory)
        else:
            out = query.softmax(dim=-1) @ memory[0]
        return x + self.stylisation(out.transpose(1, 2).flatten(2), style)


class StyledFeedForward(nn.Module):
    """GELU feed-forward, stylised and added to x; its second layer starts at 0."""

    def __init__(self, latent: int, feed_forward: int, width: int, dropout: float) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(latent, feed_forward), nn.Linear(feed_forward, latent)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)
        self.dropout = nn.Dropout(dropout)
        self.stylisation = Stylisation(latent, width, dropout)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return x + self.stylisation(self.down(self.dropout(F.gelu(self.up(x)))), style)


class StyledLayer(nn.Module):
    """Self-attention, cross-attention to a memory, feed-forward; ``local`` 0 or an odd number of tokens."""

    def __init__(
        self,
        latent: int,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        kind: AttentionKind,
        local: int,
    ) -> None:
        super().__init__()
        self.local: nn.Conv1d | None = None
        if local:
            self.local = nn.Conv1d(latent, latent, local, padding=local // 2, groups=latent)
            nn.init.zeros_(self.local.weight)
            nn.init.zeros_(self.local.bias)
        self.self_attention = StyledAttention(latent, latent, width, heads, dropout, kind)
        self.cross_attention = StyledAttention(latent, width, width, heads, dropout, kind)
        self.feed_forward = StyledFeedForward(latent, feed_forward, width, dropout)

    def forward(self, x: Tensor, style: Tensor, mask: Tensor | None, memory: Memory | None) -> Tensor:
        if self.local is not None:
            seen = x if mask is None else x * mask[..., None]
            x = x + self.local(seen.transpose(1, 2)).transpose(1, 2)
        x = self.self_attention(x, style, mask)
        if memory is not None:
            x = self.cross_attention(x, style, memory=memory)
        return self.feed_forward(x, style)


class LinearTransformer(nn.Module):
    """A stack of :class:`StyledLayer`: x (B, S, latent), style (B, S, width), a memory of tokens (B, N, width)."""

    def __init__(
        self,
        layers: int,
        latent: int,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.0,
        kind: AttentionKind = "linear",
        local: int = 0,
    ) -> None:
        super().__init__()
        if kind not in ATTENTIONS:
            raise ValueError(f"attention {kind!r} must be 'linear' or 'full'")
        if local and local % 2 == 0:
            raise ValueError(f"local {local} must be 0 or an odd number of tokens")
        if latent == width:
            raise ValueError(f"latent {latent} and width {width} must differ: the memory is wider than the motion")
        self.layers = nn.ModuleList(
            StyledLayer(latent, width, heads, feed_forward, dropout, kind, local) for _ in range(layers)
        )

    def memory(self, tokens: Tensor, mask: Tensor | None = None) -> list[Memory]:
        """What every layer needs of tokens (B, N, width), mask (B, N): computed once, used at every denoising step."""
        return [layer.cross_attention.memory(tokens, mask) for layer in self.layers]

    def forward(
        self, x: Tensor, style: Tensor, mask: Tensor | None = None, memory: list[Memory] | None = None
    ) -> Tensor:
        """mask (B, S) True = real; memory from :meth:`memory`, None: no cross-attention."""
        style = F.silu(style)
        for i, layer in enumerate(self.layers):
            x = layer(x, style, mask, None if memory is None else memory[i])
        return x
