"""Speech into gesture by diffusion: the cross-local attention network of DiffuseStyleGesture and OHGesture.

Sources: Yang et al. 2023 (arXiv:2305.04919), section 3, ``cross_local_attention3_style1`` of its code; Thanh 2025
(OHGesture), which adds the embedding of the words to that of the sound. What is different here, and why:

- the seed is *clamped*: the frames that a piece shares with the one before are put in the place of the prediction at
  every step, not only told, so that pieces meet exactly;
- every frame of the sound gets motion, and every frame hears what sounds at its own time, whatever the length;
- each condition is dropped on its own, the seed too, so that any of them can be weighed by guidance: the paper's
  equation 4, G(seed, emotion, sound) against G(-, -, sound), is ``guidance={emotion: g, seed: g}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling, Spans, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.diffusion.base import Diffusion
from motion_platform.generators.diffusion.guidance import Chain, check_lengths
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.generators.diffusion.windows import Windows
from motion_platform.nn.frame_tokens import on_frames
from motion_platform.nn.local_attention import local_attention, rotary_heads
from motion_platform.nn.transformer import TimestepEmbedding, Transformer

SEED = "seed"
"""The name under which guidance weighs the seed."""


@dataclass
class _Context:
    """What the network is told beside the motion, the same at every step."""

    style: Tensor  # (B, latent): labels and seed, side by side
    heard: Tensor  # (B, W, width): the sum of what is heard and said at every frame


@dataclass(frozen=True)
class GestureNetwork:
    """The network's sizes, as published. width: of a condition; latent: of a frame.

    window, back: how many frames a block of local attention has, and how many blocks before it a frame sees. A motion
    longer than ``max_frames`` is made piece by piece; the first ``seed_frames`` of a piece are the last of the one
    before. seed_dropout: how often training is told no seed.
    """

    width: int = 64
    latent: int = 256
    layers: int = 8
    heads: int = 4
    feed_forward: int = 1024
    dropout: float = 0.1
    local_heads: int = 8
    window: int = 11
    back: int = 1
    seed_frames: int = 8
    seed_dropout: float = 0.1

    def check(self, max_frames: int) -> None:
        """ValueError for sizes that do not go together."""
        latent, heads = self.latent, self.local_heads
        if not 0 < self.width < latent or latent % heads or (latent // heads) % 2:
            raise ValueError(f"latent {latent} must be above width {self.width} and an even multiple of {heads} heads")
        if not 0 < self.seed_frames < max_frames:
            raise ValueError(f"seed_frames {self.seed_frames} must be 1 to {max_frames - 1}, below max_frames")


PIECES = DiffusionSettings(max_frames=88, overlap=0.0, sample_steps=20, error="huber")
"""As published; pieces meet by their seed, not by overlapping windows."""


class GestureDiffusion(Diffusion):
    """Diffusion over gesture, told frame by frame what is heard and said, and once the emotion and the seed.

    Slots whose encoder has a rate (sound, words, strokes) are laid on the motion's frames and **added**; slots without
    one (an emotion) are added to each other and stand beside the seed. As published, the emotion's encoder is ``label``
    with ``learned: false``.

    Network: x_t -> latent; [style + time | x | heard] -> latent at every frame; rotary positions; causal local
    attention (window, back); the token style + time in front; rotary positions again; a transformer; the token is
    dropped; D numbers. The last piece of a long motion starts early enough to be whole.
    """

    called = "gesture_diffusion"
    default_guidance = 1.0

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        network: GestureNetwork = GestureNetwork(),
        diffusion: DiffusionSettings = PIECES,
    ) -> None:
        network.check(diffusion.max_frames)
        if SEED in slots:
            raise ValueError(f"slot {SEED!r}: is the name of the model's own seed; call the slot something else")
        if diffusion.overlap:
            raise ValueError(f"overlap {diffusion.overlap} must be 0: pieces share their seed_frames")
        super().__init__(spec, (*slots, SEED), diffusion)
        self.width, self.latent, self.local_heads = network.width, network.latent, network.local_heads
        self.window, self.back, self.local_dropout = network.window, network.back, network.dropout
        self.seed_frames, self.seed_dropout = network.seed_frames, network.seed_dropout
        self.timestep = TimestepEmbedding(diffusion.diffusion_steps, self.latent)
        self.seed = nn.Linear(self.seed_frames * spec.dim, self.latent - self.width)
        self.input = nn.Linear(spec.dim, self.latent)
        self.join = nn.Linear(2 * self.latent + self.width, self.latent)
        self.transformer = Transformer(
            network.layers, self.latent, network.heads, network.feed_forward, network.dropout
        )
        self.output = nn.Linear(self.latent, spec.dim)

    # ---------------------------------------------------------------- the network

    def embed(self, timesteps: Tensor) -> Tensor:
        return self.timestep(timesteps)

    def context(self, given: Mapping[str, Condition], mask: Tensor) -> _Context:
        batch, frames = mask.shape
        rows = torch.arange(batch, device=mask.device)
        return self._context(given, rows, torch.arange(frames, device=mask.device).expand(batch, -1))

    def _context(self, given: Mapping[str, Condition], rows: Tensor, frames: Tensor) -> _Context:
        """rows (P,) of the conditions, and the frames (P, W) at which they are heard."""
        heard = rows.new_zeros(*frames.shape, self.width, dtype=self.input.weight.dtype)
        label = rows.new_zeros(len(rows), self.width, dtype=self.input.weight.dtype)
        for slot in self.slots[:-1]:
            condition = given[slot]
            if condition.rate_hz is None:
                label = label + condition.pooled()[rows]
            else:
                heard = heard + on_frames(condition, self.spec.fps, rows, frames)[0]
        seed = given[SEED]
        told = (seed.tokens[:, 1:] * seed.mask[:, 1:, None])[rows].flatten(1)  # without a seed: zeros go in
        return _Context(torch.cat([label, self.seed(told)], dim=-1), heard)

    def denoise(self, x: Tensor, time: Tensor, context: _Context, mask: Tensor | None, copies: int = 1) -> Tensor:
        if x.shape[1] > self.max_frames:
            raise DataError(f"{self.called}: got {x.shape[1]} frames; allowed: up to max_frames = {self.max_frames}")
        if mask is not None:
            x = x * mask[..., None]
        h = self.input(x)
        if copies > 1:
            h = h.repeat(copies, 1, 1)
            mask = None if mask is None else mask.repeat(copies, 1)
        style = (context.style.to(h.dtype) + time)[:, None]
        h = self.join(torch.cat([style.expand(-1, h.shape[1], -1), h, context.heard.to(h.dtype)], dim=-1))
        h = local_attention(
            rotary_heads(h, self.local_heads),
            mask,
            heads=self.local_heads,
            window=self.window,
            back=self.back,
            dropout=self.local_dropout if self.training else 0.0,
        )
        h = rotary_heads(torch.cat([style, h], dim=1), self.local_heads)
        real = None if mask is None else torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)
        return self.output(self.transformer(h, real)[:, 1:])

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """As every diffusion model's; the seed is the clip's own beginning, told or not (``seed_dropout``)."""
        if batch.motion is None:
            raise DataError(f"{self.called}: the batch has no motion to learn from")
        first, mask = batch.motion.x[:, : self.seed_frames], batch.motion.mask[:, : self.seed_frames]
        seed = self.seed_condition(torch.where(mask[..., None], first, 0.0), mask)
        if self.training:
            seed = seed.drop(torch.rand(len(first), device=first.device) < self.seed_dropout)
        return super().loss(batch, {**given, SEED: seed})

    def seed_condition(self, x: Tensor, mask: Tensor) -> Condition:
        """Frames (B, n <= seed_frames, D) in raw units and which of them are known -> the condition ``seed``."""
        known = torch.where(mask[..., None], self.enter(x), 0.0)
        short = self.seed_frames - x.shape[1]
        known = torch.cat(
            [known.new_zeros(len(x), 1, x.shape[2]), known, known.new_zeros(len(x), short, x.shape[2])], 1
        )
        on = mask.all(1, keepdim=True) & (short == 0)  # a part of a seed is none
        return Condition(known, torch.cat([torch.ones_like(on), on.expand(-1, self.seed_frames)], 1))

    # ---------------------------------------------------------------- sampling

    def passes(self, given: Mapping[str, Condition], chain: Chain, windows: Windows, mask: Tensor | None) -> _Context:
        parts = []
        for on, _ in chain:
            view = {slot: given[slot] if slot in on else given[slot].drop() for slot in self.slots}
            parts.append(self._context(view, windows.rows, windows.index))
        return _Context(torch.cat([p.style for p in parts]), torch.cat([p.heard for p in parts]))

    def starts(self, length: int) -> list[int]:
        """First frames of the pieces that a motion of this length is made in."""
        step = self.max_frames - self.seed_frames
        last = max(0, length - self.max_frames)
        return [*range(0, last, step), last]

    def seams(self, length: int) -> list[int]:
        """Where a piece takes over from the one before: its first frame that is new."""
        starts = self.starts(length)
        return [start + self.max_frames for start in starts[:-1]]

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling | None = None,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions of the asked lengths (B,), raw units, zero after their end; independent of the batch's make-up.

        Piece by piece: what a piece shares with the one before is kept as it is, and told as its seed. The first piece
        has no seed, unless ``edit`` keeps all of its first frames. ``edit`` and guidance: as for every diffusion model.
        """
        sampling = sampling or Sampling()
        check_lengths(lengths, noise.ids, self.called)
        device = self.schedule.signal.device
        lengths = lengths.to(device)
        shape = (len(lengths), int(lengths.max()), self.spec.dim)
        done = torch.zeros(shape, device=device)
        kept = torch.zeros(shape, dtype=torch.bool, device=device)
        if edit is not None:
            done, kept = torch.where(edit.keep, edit.x, 0.0).to(done), edit.keep.to(device).clone()
        plans = [self.starts(n) for n in lengths.tolist()]
        pieces = max(map(len, plans))
        with torch.inference_mode():
            for k in range(pieces):
                rows = [row for row, plan in enumerate(plans) if k < len(plan)]
                starts = torch.tensor([plans[row][k] for row in rows], device=device)
                index = torch.tensor(rows, device=device)
                frames = torch.minimum(lengths[index] - starts, starts.new_tensor(self.max_frames))
                places = starts[:, None] + torch.arange(int(frames.max()), device=device)
                real = length_mask(frames)
                at = index[:, None], places.clamp(max=shape[1] - 1)
                known, keep = done[at], kept[at] & real[..., None]
                told = {slot: self._piece(given[slot], index, at[1]) for slot in self.slots[:-1]}
                told[SEED] = self.seed_condition(known[:, : self.seed_frames], keep[:, : self.seed_frames].all(-1))
                own = _Named([noise.ids[row] for row in rows], noise.seed, k)
                report = sampling.progress
                if report is not None and pieces > 1:
                    asked = replace(sampling, progress=lambda d, t, k=k, report=report: report(k * t + d, pieces * t))
                else:
                    asked = sampling
                fixed = Edit(known, keep) if bool(keep.any()) else None
                made = self._walk(told, frames, None, own, asked, fixed)
                put = real[..., None].expand_as(made)
                done[at] = torch.where(put, made, done[at])
                kept[at] = kept[at] | put
        return Motion(done, lengths, self.spec)

    def compose(
        self, given: Mapping[str, Condition], spans: Spans, *, noise: NoiseSource, sampling: Sampling | None = None
    ) -> Motion:
        """UsageError: a recording runs on by itself."""
        raise UsageError(f"{self.called}: follows one recording from its beginning to its end; it puts none together")

    def _piece(self, condition: Condition, rows: Tensor, frames: Tensor) -> Condition:
        """A condition of these rows; one with a rate as a token a frame of the piece."""
        mixed = [(weight[rows], self._piece(other, rows, frames)) for weight, other in condition.mixed]
        if condition.rate_hz is None:
            return Condition(condition.tokens[rows], condition.mask[rows], None, mixed=mixed)
        tokens, heard = on_frames(condition, self.spec.fps, rows, frames)
        null = condition.tokens[rows, :1]
        whole = torch.cat([heard.new_ones(len(rows), 1), heard | heard.any(1, keepdim=True)], 1)
        return Condition(torch.cat([null, tokens], 1), whole, self.spec.fps, mixed=mixed)


class _Named(NoiseSource):
    """The noise of one piece: other numbers than those of the pieces before."""

    def __init__(self, ids: Sequence[str], seed: int, piece: int) -> None:
        super().__init__(ids, seed)
        self.piece = piece

    def normal(self, shape: Sequence[int], *, name: str, device: torch.device | str = "cpu") -> Tensor:
        return super().normal(shape, name=f"piece {self.piece}: {name}" if self.piece else name, device=device)
