"""MDM: a diffusion transformer over motion features, conditioned on any number of slots.

Sources: Human Motion Diffusion Model (Tevet et al., ICLR 2023, arXiv 2209.14916), section 3; the dual-text model of
MotionGPT (Ribeiro-Gomes et al., WACV 2024), section 3.2, which adds a low-level text as a second slot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, Sampling
from motion_platform.generators.diffusion.base import Diffusion
from motion_platform.generators.diffusion.geometry import GeometricLoss
from motion_platform.generators.diffusion.guidance import Chain
from motion_platform.generators.diffusion.reading import ConditionReader
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.generators.diffusion.windows import Windows
from motion_platform.motion.foot_lock import standing
from motion_platform.nn.transformer import Norm, TimestepEmbedding, Transformer, sinusoidal


@dataclass
class _Context:
    """What the transformer reads besides the motion; computed once, the same at every denoising step."""

    added: Tensor | None = None  # (B, width), added to the timestep token
    prefix: Tensor | None = None  # (B, N, width), tokens before the motion
    prefix_mask: Tensor | None = None
    memory: list[tuple[Tensor, Tensor]] | None = None  # keys and values of every layer
    memory_mask: Tensor | None = None
    read: Mapping[str, Condition] | None = None  # what all this was made of, in training


class MDM(Diffusion):
    """Diffusion transformer on normalised features.

    ``patch`` frames make one token (1 is the paper; a clip is padded to a multiple): a linear layer in, a transformer,
    a linear layer out. The timestep is always one token in front.

    architecture "encoder": with ``fusion="sum"`` each slot is pooled (mean of its real tokens, else its null token) and
    all are added to the timestep token (MDM, WACV MotionGPT); with "tokens" all their tokens stand in front of the
    motion, without positions of their own. "decoder": every layer reads all tokens of all slots by cross-attention.

    norm: "post" (the papers) or "pre". smoothing: 0, or the odd width in frames of a depthwise convolution over the
    output that starts as the identity and can learn to hide the borders between patches.

    Loss = rec + weights x (velocity, position, joint_velocity, foot), each a mean over a row's real frames, then over
    rows. rec: squared error of the prediction. velocity: differences between frames of the normalised x_0 (WACV, eq.
    4). position, joint velocity, foot: of decoded joints (eq. 3, 5; generators/geometry.py). All but rec are of the
    x_0 that the prediction stands for.

    text_layers: transformer layers that read the tokens of all slots together before any of the above; natural_length,
    alignment_loss: what else is learned from them (generators/reading.py).

    foot_lock: bones keep their lengths and supporting feet stand in what is generated (motion/foot_lock.py); an edit
    is left as it is, so that what it keeps is exact.

    diffusion: the settings of every diffusion model.
    """

    called = "mdm"
    default_guidance = 2.5  # MDM, section 4

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        architecture: Literal["encoder", "decoder"] = "encoder",
        layers: int = 8,
        width: int = 512,
        heads: int = 4,
        feed_forward: int = 1024,
        dropout: float = 0.1,
        norm: Norm = "post",
        fusion: Literal["sum", "tokens"] = "sum",
        patch: int = 1,
        smoothing: int = 0,
        position_loss: float = 0.0,
        joint_velocity_loss: float = 0.0,
        foot_loss: float = 0.0,
        position_space: Literal["root", "global"] = "root",
        natural_length: bool = False,
        text_layers: int = 0,
        alignment_loss: float = 0.0,
        foot_lock: bool = False,
        diffusion: DiffusionSettings = DiffusionSettings(),
    ) -> None:
        super().__init__(spec, slots, diffusion)
        max_frames = self.max_frames
        for kind, name, allowed in (
            ("architecture", architecture, ("encoder", "decoder")),
            ("fusion", fusion, ("sum", "tokens")),
        ):
            if name not in allowed:
                raise UnknownName(kind, name, allowed, self.called)
        if not 1 <= patch <= max_frames:
            raise ValueError(f"patch {patch} must be 1 to max_frames = {max_frames}")
        if smoothing and smoothing % 2 == 0:
            raise ValueError(f"smoothing {smoothing} must be 0 or an odd number of frames")
        self.foot_lock = foot_lock
        self.width, self.decoder, self.fusion, self.patch = width, architecture == "decoder", fusion, patch
        tokens = -(-max_frames // patch)
        self.register_buffer("positions", sinusoidal(tokens + 1, width), persistent=False)
        self.timestep = TimestepEmbedding(self.schedule.steps, width)
        self.input = nn.Linear(patch * spec.dim, width)
        self.dropout = nn.Dropout(dropout)
        self.transformer = Transformer(layers, width, heads, feed_forward, dropout, norm, cross_attention=self.decoder)
        self.output = nn.Linear(width, patch * spec.dim)
        self.smooth: nn.Conv1d | None = None
        if smoothing:
            self.smooth = nn.Conv1d(spec.dim, spec.dim, smoothing, padding=smoothing // 2, groups=spec.dim)
            nn.init.zeros_(self.smooth.weight)
            nn.init.zeros_(self.smooth.bias)
        self.reader = ConditionReader(
            self.slots,
            width,
            layers=text_layers,
            heads=heads,
            feed_forward=feed_forward,
            dropout=dropout,
            motion_dim=spec.dim,
            patch=patch,
            max_frames=max_frames,
            natural_length=natural_length,
            alignment=alignment_loss,
        )
        self.geometry = GeometricLoss(
            spec, {"position": position_loss, "velocity": joint_velocity_loss, "foot": foot_loss}, position_space
        )

    # ---------------------------------------------------------------- the network

    def embed(self, timesteps: Tensor) -> Tensor:
        return self.timestep(timesteps)

    def context(self, given: Mapping[str, Condition], mask: Tensor) -> _Context:
        read = self.reader(given)
        return replace(self._context(read), read=read)

    def _context(self, given: Mapping[str, Condition]) -> _Context:
        """Pool, lay side by side or project the slots' tokens, as the architecture wants them, after reading."""
        if not self.slots:
            return _Context()
        conditions = [given[slot] for slot in self.slots]
        if not self.decoder and self.fusion == "sum":
            return _Context(added=self.reader.pooled(given))
        tokens = torch.cat([c.tokens for c in conditions], dim=1)
        mask = torch.cat([c.mask for c in conditions], dim=1)
        if self.decoder:
            return _Context(memory=self.transformer.keys_values(tokens), memory_mask=mask)
        return _Context(prefix=tokens, prefix_mask=mask)

    def denoise(self, x: Tensor, time: Tensor, context: _Context, mask: Tensor | None, copies: int = 1) -> Tensor:
        batch, frames, _ = x.shape
        if mask is not None:
            x = x * mask[..., None]
        padding = -frames % self.patch
        if padding:
            x = F.pad(x, (0, 0, 0, padding))
        h = self.input(x.reshape(batch, -1, self.patch * self.spec.dim))
        tokens = h.shape[1]
        if tokens >= len(self.positions):
            raise DataError(f"mdm: got {frames} frames; allowed: up to max_frames = {self.max_frames}")
        if copies > 1:
            h = h.repeat(copies, 1, 1)
        first = time if context.added is None else time + context.added
        h = torch.cat([first[:, None], h], dim=1) + self.positions[: tokens + 1].to(h.dtype)
        if context.prefix is not None:
            h = torch.cat([context.prefix.to(h.dtype), h], dim=1)
        h = self.transformer(
            self.dropout(h), self._token_mask(context, mask, h, copies), context.memory, context.memory_mask
        )
        out = self.output(h[:, -tokens:]).reshape(h.shape[0], -1, self.spec.dim)[:, :frames]
        if self.smooth is not None:
            if mask is not None:
                out = out * mask.repeat(copies, 1)[..., None]
            out = out + self.smooth(out.transpose(1, 2)).transpose(1, 2)
        return out

    def _token_mask(self, context: _Context, mask: Tensor | None, h: Tensor, copies: int) -> Tensor | None:
        """(copies * B, tokens) True = attend: a patch counts when any of its frames is real."""
        if mask is None and context.prefix_mask is None:
            return None
        rows, tokens = h.shape[:2]
        parts = []
        if context.prefix_mask is not None:
            parts.append(context.prefix_mask)
            tokens -= context.prefix_mask.shape[1]
        if mask is None:
            parts.append(torch.ones(rows, tokens, dtype=torch.bool, device=h.device))
        else:
            parts.append(torch.ones(rows, 1, dtype=torch.bool, device=h.device))
            real = F.pad(mask, (0, -mask.shape[1] % self.patch)).unflatten(1, (-1, self.patch)).any(-1)
            parts.append(real.repeat(copies, 1))
        return torch.cat(parts, dim=1)

    # ---------------------------------------------------------------- training

    def terms(self, predicted: Tensor, x0: Tensor, batch: Batch) -> Iterator[tuple[str, float, Tensor]]:
        mask = batch.motion.mask
        true = torch.where(mask[..., None], batch.motion.x, 0.0)
        for name, error in self.geometry(self.spec.restore(predicted), true, mask).items():
            yield "joint_velocity" if name == "velocity" else name, self.geometry.weights[name], error

    def side_losses(self, context: _Context, x0: Tensor, batch: Batch) -> Iterator[tuple[str, float, Tensor]]:
        for name, error in self.reader.losses(context.read, x0, batch).items():
            yield name, self.reader.weights[name], error

    def natural_lengths(self, given: Mapping[str, Condition]) -> Tensor | None:
        """(B,) frames that such a motion usually lasts, or None when that was not learned."""
        return self.reader.natural_lengths(self.reader(given))

    # ---------------------------------------------------------------- sampling

    def finish(self, x: Tensor, lengths: Tensor, sampling: Sampling, edited: bool) -> Tensor:
        if edited or not self.foot_lock:
            return x
        return standing(Motion(x, lengths, self.spec)).x

    def passes(self, given: Mapping[str, Condition], chain: Chain, windows: Windows, mask: Tensor | None) -> _Context:
        stacked = {}
        for slot in self.slots:
            condition = given[slot].rows(windows.rows)
            if not any(slot in on for on, _ in chain):  # nobody reads more than its null token
                condition = Condition(condition.tokens[:, :1], condition.mask[:, :1])
            views = [condition if slot in on else condition.drop() for on, _ in chain]
            stacked[slot] = Condition.stacked(views)
        return self._context(self.reader(stacked))
