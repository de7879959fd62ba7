"""MDM: a diffusion transformer over motion features, conditioned on any number of slots.

Sources: Human Motion Diffusion Model (Tevet et al., ICLR 2023, arXiv 2209.14916), section 3; the dual-text model of
MotionGPT (Ribeiro-Gomes et al., WACV 2024), section 3.2, which adds a low-level text as a second slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.errors import DataError, UnknownName
from motion_platform.generators.geometry import GeometricLoss, row_mean
from motion_platform.generators.guidance import check_lengths, guidance_chain, known_part, known_slots, unguided
from motion_platform.generators.long import plan_windows, seams_of
from motion_platform.generators.reading import ConditionReader
from motion_platform.nn.diffusion import (
    PREDICTIONS,
    SAMPLERS,
    WEIGHTINGS,
    NoiseSchedule,
    Prediction,
    Sampler,
    Weighting,
)
from motion_platform.nn.transformer import Norm, TimestepEmbedding, Transformer, sinusoidal
from motion_platform.schema import Batch, Condition, Edit, Generator, Motion, MotionSpec, Sampling, length_mask
from motion_platform.seeding import NoiseSource

DEFAULT_GUIDANCE = 2.5  # MDM, section 4


@dataclass
class _Context:
    """What the transformer reads besides the motion; computed once, the same at every denoising step."""

    added: Tensor | None = None  # (B, width), added to the timestep token
    prefix: Tensor | None = None  # (B, N, width), tokens before the motion
    prefix_mask: Tensor | None = None
    memory: list[tuple[Tensor, Tensor]] | None = None  # keys and values of every layer
    memory_mask: Tensor | None = None


class MDM(Generator):
    """Diffusion transformer on normalised features.

    ``patch`` frames make one token (1 is the paper; a clip is padded to a multiple): a linear layer in, a transformer,
    a linear layer out. The timestep is always one token in front.

    architecture "encoder": with ``fusion="sum"`` each slot is pooled (mean of its real tokens, else its null token) and
    all are added to the timestep token (MDM, WACV MotionGPT); with "tokens" all their tokens stand in front of the
    motion, without positions of their own. "decoder": every layer reads all tokens of all slots by cross-attention.

    norm: "post" (the papers) or "pre". smoothing: 0, or the odd width in frames of a depthwise convolution over the
    output that starts as the identity and can learn to hide the borders between patches.

    prediction: what the network says; schedule, diffusion_steps: the forward process. sampler, sample_steps: the
    defaults of :meth:`generate`. guidance: default weight a slot (2.5 where not named). guidance_interval: the range
    of t / diffusion_steps in which guidance acts; outside it a step costs one conditional pass (Kynkaanniemi et al.
    2024). overlap: seconds that windows share in motions longer than ``max_frames`` (see generators/long.py).

    Loss = rec + weights x (velocity, position, joint_velocity, foot), each a mean over a row's real frames, then over
    rows. rec: squared error of the prediction. velocity: differences between frames of the normalised x_0 (WACV, eq.
    4). position, joint velocity, foot: of decoded joints (eq. 3, 5; generators/geometry.py). All but rec are of the
    x_0 that the prediction stands for. loss_weighting: "uniform" or "min_snr". stratified: spread the timesteps of a
    batch evenly (unbiased, less noise in the gradient). timestep_shift: more of the training and of the sampler's steps
    at the noisy end (nn/diffusion.shifted).

    text_layers: transformer layers that read the tokens of all slots together before any of the above; natural_length,
    alignment_loss: what else is learned from them (generators/reading.py).
    """

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
        max_frames: int = 196,
        overlap: float = 2.0,
        prediction: Prediction = "x0",
        schedule: Literal["cosine", "linear"] = "cosine",
        diffusion_steps: int = 1000,
        sampler: str = "ddim",
        sample_steps: int = 10,
        guidance: dict[str, float] | None = None,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        velocity_loss: float = 0.0,
        position_loss: float = 0.0,
        joint_velocity_loss: float = 0.0,
        foot_loss: float = 0.0,
        position_space: Literal["root", "global"] = "root",
        loss_weighting: Weighting = "uniform",
        stratified: bool = True,
        timestep_shift: float = 1.0,
        natural_length: bool = False,
        text_layers: int = 0,
        alignment_loss: float = 0.0,
    ) -> None:
        super().__init__()
        for kind, name, allowed in (
            ("architecture", architecture, ("encoder", "decoder")),
            ("fusion", fusion, ("sum", "tokens")),
            ("prediction", prediction, PREDICTIONS),
            ("sampler", sampler, SAMPLERS),
            ("loss weighting", loss_weighting, WEIGHTINGS),
        ):
            if name not in allowed:
                raise UnknownName(kind, name, allowed, "mdm")
        if patch < 1 or max_frames < patch or sample_steps < 1:
            raise ValueError(f"patch {patch}, max_frames {max_frames} and sample_steps {sample_steps} must be >= 1")
        if smoothing and smoothing % 2 == 0:
            raise ValueError(f"smoothing {smoothing} must be 0 or an odd number of frames")
        self.spec, self.slots, self.width = spec, tuple(slots), width
        self.decoder = architecture == "decoder"
        self.fusion, self.patch, self.max_frames = fusion, patch, max_frames
        self.overlap = min(round(overlap * spec.fps), max_frames // 2)
        self.prediction: Prediction = prediction
        self.sampler, self.sample_steps = sampler, sample_steps
        self.guidance = {slot: DEFAULT_GUIDANCE for slot in self.slots} | known_slots(
            guidance or {}, slots, "mdm: guidance"
        )
        self.guidance_interval = guidance_interval
        self.velocity_loss, self.loss_weighting, self.stratified = velocity_loss, loss_weighting, stratified

        self.schedule = NoiseSchedule(schedule, diffusion_steps, timestep_shift)
        tokens = -(-max_frames // patch)
        self.register_buffer("positions", sinusoidal(tokens + 1, width), persistent=False)
        self.timestep = TimestepEmbedding(diffusion_steps, width)
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

    def forward(
        self, x: Tensor, timesteps: Tensor, given: Mapping[str, Condition], mask: Tensor | None = None
    ) -> Tensor:
        """Noisy normalised x (B, T, D), timesteps (B,), mask (B, T) True = real -> prediction (B, T, D).

        What stands in x outside the mask has no influence; what comes out there has no meaning.
        """
        return self._denoise(x, self.timestep(timesteps), self._context(self.reader(given)), mask)

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

    def _denoise(self, x: Tensor, time: Tensor, context: _Context, mask: Tensor | None, copies: int = 1) -> Tensor:
        """As :meth:`forward`, with time (copies * B, width) embedded; the context has copies * B rows, x has B."""
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

    def training_noise(self, batch: Batch, x: Tensor) -> tuple[Tensor, Tensor]:
        """Timesteps (B,) and noise (B, T, D) of a training step, from torch's global generator."""
        return self.schedule.draw(len(x), stratified=self.stratified, device=x.device), torch.randn_like(x)

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "rec", and every part that has a weight}; parts are unweighted."""
        if batch.motion is None:
            raise DataError("mdm: the batch has no motion to learn from")
        mask = batch.motion.mask
        true = torch.where(mask[..., None], batch.motion.x, 0.0)
        x0 = torch.where(mask[..., None], self.spec.normalise(true), 0.0)
        t, noise = self.training_noise(batch, x0)
        x_t = self.schedule.q_sample(x0, noise, t)
        read = self.reader(given)
        output = self._denoise(x_t, self.timestep(t), self._context(read), mask).float()
        target = self.schedule.target(x0, noise, t, self.prediction)

        weight = self.schedule.loss_weight(t, self.prediction, self.loss_weighting)
        rec = row_mean((output - target) ** 2, mask)
        parts = {"rec": rec.mean()}
        loss = (weight * rec).mean()
        if self.velocity_loss or self.geometry.weights:
            predicted = self.schedule.to_x0(output, x_t, t, self.prediction)
            weight = weight * self.schedule.x0_weight(t, self.prediction)
            if self.velocity_loss:
                pairs = mask[:, 1:] & mask[:, :-1]
                velocity = row_mean((predicted.diff(dim=1) - x0.diff(dim=1)) ** 2, pairs)
                parts["velocity"] = velocity.mean()
                loss = loss + self.velocity_loss * (weight * velocity).mean()
            for name, error in self.geometry(self.spec.restore(predicted), true, mask).items():
                parts["joint_velocity" if name == "velocity" else name] = error.mean()
                loss = loss + self.geometry.weights[name] * (weight * error).mean()
        for name, error in self.reader.losses(read, x0, batch).items():
            parts[name] = error
            loss = loss + self.reader.weights[name] * error
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    def natural_lengths(self, given: Mapping[str, Condition]) -> Tensor | None:
        """(B,) frames that such a motion usually lasts, or None when that was not learned."""
        return self.reader.natural_lengths(self.reader(given))

    # ---------------------------------------------------------------- sampling

    def seams(self, length: int) -> list[int]:
        """Frames in the middle of the windows' overlaps, for motions longer than ``max_frames``."""
        return seams_of(length, self.max_frames, self.overlap)

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

        Guidance. The slots that are given in at least one row and whose weight is not 0 make a chain s_1 .. s_n in the
        order of ``slots``; with p_k the prediction under s_1 .. s_k alone (p_0: under none),

            p = p_0 + sum_k w_k (p_k - p_(k-1)).

        Equal weights leave p_0 + w (p_n - p_0), the usual two passes; all weights 1 leave p_n, one pass; passes whose
        coefficient is 0 are not computed, the others run as one batch. A weight of 0 switches its slot off.

        ``edit``: entries marked ``keep`` are put in place of the predicted x_0 at every step (MDM, section 3), and are
        exact in the result. Motions longer than ``max_frames`` are denoised in overlapping windows at once.
        """
        sampling = sampling or Sampling()
        check_lengths(lengths, noise.ids, "mdm")
        with torch.inference_mode():
            x = self._sample(given, lengths, noise, sampling, edit)
        return Motion(
            x.clone(), lengths.to(x.device), self.spec
        )  # a copy from outside inference mode can take part in autograd

    def _sample(
        self, given: Mapping[str, Condition], lengths: Tensor, noise: NoiseSource, sampling: Sampling, edit: Edit | None
    ) -> Tensor:
        device = self.input.weight.device
        lengths = lengths.to(device)
        frames = int(lengths.max())
        shape = (frames, self.spec.dim)
        mask = length_mask(lengths, frames)
        run = Sampler(
            self.schedule,
            self.sampler if sampling.sampler is None else sampling.sampler,
            self.sample_steps if sampling.steps is None else sampling.steps,
            prediction=self.prediction,
        )
        windows = plan_windows(lengths, self.max_frames, self.overlap)
        view_mask = mask if windows is None else windows.mask
        if bool(view_mask.all()):
            view_mask = None
        low, high = self.guidance_interval
        asked = known_slots(sampling.guidance, self.slots, "mdm: guidance")
        chain = guidance_chain(self.slots, self.guidance | asked, given)
        guided = self._passes(given, chain, windows)
        alone = guided if (low, high) == (0.0, 1.0) else self._passes(given, unguided(chain), windows)

        x = noise.normal(shape, name="start", device=device)
        if edit is not None:
            known, keep = known_part(edit, x, self.spec.normalise, "mdm")
        times = self.timestep(torch.tensor(run.timesteps, device=device))
        for i, t in enumerate(run.timesteps):
            coefficients, context = guided if low <= t / self.schedule.steps <= high else alone
            view = x if windows is None else windows.cut(x)
            copies = len(coefficients)
            time = times[i].expand(copies * len(view), -1)
            # float32 again: the caller may run the network under bfloat16 autocast, guidance weights need the digits
            out = self._denoise(view, time, context, view_mask, copies).float().unflatten(0, (copies, -1))
            out = out[0] if copies == 1 else (coefficients.view(-1, 1, 1, 1) * out).sum(0)
            x0 = self.schedule.to_x0(out, view, torch.tensor([t], device=device), self.prediction)
            if windows is not None:
                x0 = windows.blend(x0)
            if edit is not None:
                x0 = torch.where(keep, known, x0)
            x = run.step(i, x0, x, lambda: noise.normal(shape, name=f"step {i}", device=device))  # noqa: B023
        x = self.spec.restore(x)
        if edit is not None:
            x = torch.where(keep, edit.x.to(x), x)  # not through normalise and restore: exact
        return torch.where(mask[..., None], x, 0.0)

    def _passes(self, given, chain, windows) -> tuple[Tensor, _Context]:
        """Coefficients (copies,) and the context of all passes that count, stacked along the batch."""
        stacked = {}
        for slot in self.slots:
            condition = given[slot]
            if windows is not None:
                condition = Condition(condition.tokens[windows.rows], condition.mask[windows.rows])
            if not any(slot in on for on, _ in chain):  # nobody reads more than its null token
                condition = Condition(condition.tokens[:, :1], condition.mask[:, :1])
            views = [condition if slot in on else condition.drop() for on, _ in chain]
            stacked[slot] = Condition(torch.cat([v.tokens for v in views]), torch.cat([v.mask for v in views]))
        coefficients = torch.tensor([c for _, c in chain], device=self.input.weight.device)
        return coefficients, self._context(self.reader(stacked))
