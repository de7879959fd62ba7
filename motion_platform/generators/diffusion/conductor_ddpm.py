"""Music into conducting by diffusion: the cross-modality linear transformer of Diffusion-Conductor.

Sources: Taming Diffusion Models for Music-driven Conducting Motion Generation (Zhao et al. 2023, arXiv:2306.10065),
section 3 and its future work (5.3: conditional-unconditional training); the network is MotionDiffuse's (Zhang et al.
2022, arXiv:2208.15001). nn/linear_transformer.py holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, Sampling
from motion_platform.generators.conducting.rest import at_rest
from motion_platform.generators.diffusion.base import Diffusion
from motion_platform.generators.diffusion.geometry import row_mean
from motion_platform.generators.diffusion.guidance import Chain
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.generators.diffusion.windows import Windows
from motion_platform.motion.conducting.keypoints import ARMS, BODY, HEAD, columns_of, resize_gestures, steadied
from motion_platform.nn.frame_tokens import on_frames
from motion_platform.nn.linear_transformer import AttentionKind, LinearTransformer, Memory, StepEmbedding

KEYPOINTS = 13
LONG = DiffusionSettings(schedule="linear", max_frames=1800)
"""As published: windows of a minute."""


class MusicReader(nn.Module):
    """Tokens of one slot on the motion's frames (B, S * patch, width) -> what a patch is told, twice (B, S, width).

    The first is added to the embedding of the diffusion step (it styles every layer), the second is the memory of
    cross-attention. The published network has one frame a patch: a linear layer of the encoder's 64 features for the
    first, the tokens themselves for the second. With several frames a patch, their ``rank`` features stand side by
    side, so that a patch knows on which of its frames a beat falls.
    """

    def __init__(self, width: int, rank: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.enter = nn.Linear(width, rank)
        self.style = nn.Linear(patch * rank, width)
        self.memory = nn.Linear(patch * rank, width) if patch > 1 else None

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        h = self.enter(tokens)
        if self.memory is None:
            return self.style(h), tokens
        h = h.unflatten(1, (-1, self.patch)).flatten(2)
        return self.style(h), self.memory(h)


@dataclass
class _Context:
    """What the network is told besides the motion; the same at every denoising step, so made once."""

    style: Tensor | None = None  # (B, S, width)
    memory: list[Memory] | None = None  # of every layer


class ConductorDDPM(Diffusion):
    """Diffusion over the 26 coordinates of conducting, told by music frame by frame.

    As published: ``layers=8, latent=128, heads=8, feed_forward=64, patch=1, prediction="x0", schedule="linear",
    normalise=False``; the width of conditions is 4 x latent. ``patch`` frames make one token: fewer tokens, and frames
    of a patch cannot jitter against each other. Neighbouring patches can, so a token answers for ``margin`` frames to
    either side of its own, too, and answers for the same frame are averaged under a Hann window (:func:`join`).
    ``attention="full"`` is the quadratic one (their ``no_eff``). ``local``: see nn/linear_transformer.py. ``rank``: see
    :class:`MusicReader`. timestep_shift spends more at the noisy end, where posture and size of the gestures are
    decided. diffusion: the settings of every diffusion model.

    normalise: the network works on normalised features (the papers': on raw ones, whose spread is a twentieth of the
    noise's). frame_mask: in training, the chance of a frame to be told nothing (the paper's random mask, section 3.5);
    a whole slot is dropped by the recipe's ``dropout`` of that slot, which is what guidance needs (section 5.3).

    arms_hertz, body_hertz: what a motion holds above these frequencies is taken out of elbows and wrists, and of the
    rest (:func:`~motion_platform.motion.conducting.keypoints.steadied`); 0 leaves it in.

    Loss = rec + velocity_loss |dx^ - dx|^2 + head_loss |dx^_head|^2 + body_loss clamp(|dx^_body|^2, body_limit)
    - elbow_loss clamp(|dx^_arms|^2, elbow_limit), each a mean over a row's frames, of the x_0 that the prediction
    stands for, in the units that the network works in; d is the difference between frames (section 3.7, 5.4, and
    Diffusion_Stage/trainers/ddpm_trainer.py, where the weights are 0.1, 0.1, 0, 0.1 and body's is computed but not
    used; L_body is the paper's). head: nose, eyes, ears. body: shoulders, hips. arms: elbows, wrists.
    """

    called = "conductor_ddpm"
    default_guidance = 1.5
    windows_at_once = 8  # an hour of music is 200 windows

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        layers: int = 8,
        latent: int = 128,
        heads: int = 8,
        feed_forward: int = 64,
        dropout: float = 0.0,
        attention: AttentionKind = "linear",
        local: int = 0,
        patch: int = 1,
        margin: int = 0,
        rank: int = 64,
        normalise: bool = True,
        frame_mask: float = 0.1,
        head_loss: float = 0.0,
        body_loss: float = 0.0,
        body_limit: float = 0.1,
        elbow_loss: float = 0.0,
        elbow_limit: float = 2e-4,
        arms_hertz: float = 0.0,
        body_hertz: float = 0.0,
        diffusion: DiffusionSettings = LONG,
    ) -> None:
        super().__init__(spec, slots, diffusion)
        max_frames = self.max_frames
        if not 1 <= patch <= max_frames:
            raise ValueError(f"patch {patch} must be 1 to max_frames = {max_frames}")
        if not 0 <= margin <= patch:
            raise ValueError(f"margin {margin} must be 0 to patch = {patch} frames")
        if not 0 <= frame_mask < 1:
            raise ValueError(f"frame_mask {frame_mask} must be 0 to below 1")
        if min(arms_hertz, body_hertz) < 0:
            raise ValueError(f"arms_hertz {arms_hertz} and body_hertz {body_hertz} must be 0 (off) or more")
        self.hertz = arms_hertz, body_hertz
        self.regularised = {"head": (HEAD, head_loss, None), "body": (BODY, body_loss, body_limit),
                            "elbow": (ARMS, -elbow_loss, elbow_limit)}  # fmt: skip
        self.regularised = {name: values for name, values in self.regularised.items() if values[1]}
        if self.regularised and spec.dim != 2 * KEYPOINTS:
            raise ValueError(f"head_loss, body_loss, elbow_loss need 13 keypoints (26 features), not {spec.dim}")
        self.width, self.patch, self.margin = 4 * latent, patch, margin
        self.normalise, self.frame_mask = normalise, frame_mask
        self.positions = nn.Parameter(torch.randn(-(-max_frames // patch), latent))
        self.step = StepEmbedding(self.schedule.steps, latent, self.width)
        self.readers = nn.ModuleDict({slot: MusicReader(self.width, rank, patch) for slot in self.slots})
        self.input = nn.Linear(patch * spec.dim, latent)
        self.transformer = LinearTransformer(layers, latent, self.width, heads, feed_forward, dropout, attention, local)
        self.output = nn.Linear(latent, (patch + 2 * margin) * spec.dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    # ---------------------------------------------------------------- the network

    def embed(self, timesteps: Tensor) -> Tensor:
        return self.step(timesteps)

    def context(self, given: Mapping[str, Condition], mask: Tensor) -> _Context:
        rows = torch.arange(len(mask), device=mask.device)
        frames = torch.arange(mask.shape[1], device=mask.device).expand(len(mask), -1)
        return self._context(given, rows, frames, mask, hide=self.training)

    def _context(
        self, given: Mapping[str, Condition], rows: Tensor, frames: Tensor, mask: Tensor | None, hide: bool = False
    ) -> _Context:
        """What is told at frames (P, W) of rows (P,); ``hide``: leave frames out at random (training)."""
        if not self.slots:
            return _Context()
        told, padding = [], -frames.shape[1] % self.patch
        real = torch.ones_like(frames, dtype=torch.bool) if mask is None else mask
        frames, real = F.pad(frames, (0, padding)), F.pad(real, (0, padding))
        for slot in self.slots:
            tokens, _ = on_frames(given[slot], self.spec.fps, rows, frames)
            shown = real
            if hide and self.frame_mask:
                shown = real & (torch.rand(frames.shape, device=tokens.device) >= self.frame_mask)
            # nothing is told beyond the end either, so that a motion does not depend on what stands behind it
            told.append(self.readers[slot](torch.where(shown[..., None], tokens, given[slot].tokens[rows, :1])))
        style, memory = (torch.stack(parts).sum(0) for parts in zip(*told, strict=True))
        return _Context(style, self.transformer.memory(memory, self._patch_mask(mask)))

    def _patch_mask(self, mask: Tensor | None) -> Tensor | None:
        """(B, T) -> (B, S): a patch counts when any of its frames is real."""
        if mask is None:
            return None
        return F.pad(mask, (0, -mask.shape[1] % self.patch)).unflatten(1, (-1, self.patch)).any(-1)

    def denoise(self, x: Tensor, time: Tensor, context: _Context, mask: Tensor | None, copies: int = 1) -> Tensor:
        batch, frames, _ = x.shape
        if mask is not None:
            x = x * mask[..., None]
        x = F.pad(x, (0, 0, 0, -frames % self.patch))
        h = self.input(x.reshape(batch, -1, self.patch * self.spec.dim))
        if h.shape[1] > len(self.positions):
            raise DataError(f"conductor_ddpm: got {frames} frames; allowed: up to max_frames = {self.max_frames}")
        h = (h + self.positions[: h.shape[1]].to(h.dtype)).repeat(copies, 1, 1)
        style = time[:, None] if context.style is None else time[:, None] + context.style
        real = None if mask is None else self._patch_mask(mask).repeat(copies, 1)
        h = self.transformer(h, style.expand(-1, h.shape[1], -1), real, context.memory)
        out = self.output(h).unflatten(2, (-1, self.spec.dim))
        return join(out, self.margin, real)[:, :frames]

    def enter(self, x: Tensor) -> Tensor:
        return self.spec.normalise(x) if self.normalise else x

    def leave(self, x: Tensor) -> Tensor:
        return self.spec.restore(x) if self.normalise else x

    def finish(self, x: Tensor, lengths: Tensor, sampling: Sampling, edited: bool) -> Tensor:
        x = steadied(x, lengths, self.spec.fps, *self.hertz)
        return resize_gestures(x, lengths, self.spec.fps, sampling.amplitude)

    def finished(self, motion: Motion, raw: Mapping[str, Sequence[Any]]) -> Motion:
        """Hands rest where nothing sounds."""
        return at_rest(motion, raw)

    def terms(self, predicted: Tensor, x0: Tensor, batch: Batch) -> Iterator[tuple[str, float, Tensor]]:
        mask = batch.motion.mask
        pairs, step = mask[:, 1:] & mask[:, :-1], predicted.diff(dim=1)
        for name, (joints, factor, limit) in self.regularised.items():
            error = row_mean(step[..., columns_of(joints)] ** 2, pairs)
            yield name, factor, error if limit is None else error.clamp(-limit, limit)

    def passes(self, given: Mapping[str, Condition], chain: Chain, windows: Windows, mask: Tensor | None) -> _Context:
        views = []
        for on, _ in chain:
            seen = {slot: given[slot] if slot in on else given[slot].drop() for slot in self.slots}
            views.append(self._context(seen, windows.rows, windows.index, mask))
        if not self.slots:
            return views[0]
        layers = zip(*(view.memory for view in views), strict=True)
        memory = [tuple(torch.cat(parts) for parts in zip(*layer, strict=True)) for layer in layers]
        return _Context(torch.cat([view.style for view in views]), memory)


def join(answers: Tensor, margin: int, real: Tensor | None = None) -> Tensor:
    """Answers of tokens (B, S, patch + 2 margin, D) -> frames (B, S * patch, D).

    Without a margin they stand side by side. With one, a frame's answers are averaged, weighted by a Hann window over
    the frames of a token; tokens that are not real (B, S) have no say.
    """
    if margin == 0:
        return answers.flatten(1, 2)
    answers = answers.float()  # half precision would be a tremor
    batch, tokens, size, _ = answers.shape
    patch = size - 2 * margin
    window = torch.hann_window(size + 2, periodic=False, device=answers.device)[1:-1]
    share = window[:, None].expand(batch, tokens, -1, 1)
    if real is not None:
        share = share * real[:, :, None, None]

    def overlap(x: Tensor) -> Tensor:
        """(B, S, size, K) -> (B, S * patch, K), what falls upon the same frame added up."""
        columns = x.permute(0, 3, 2, 1).flatten(1, 2)
        total = F.fold(columns, (1, tokens * patch + 2 * margin), (1, size), stride=(1, patch))[:, :, 0]
        return total.transpose(1, 2)[:, margin : margin + tokens * patch]

    return overlap(answers * share) / overlap(share).clamp(min=1e-6)
