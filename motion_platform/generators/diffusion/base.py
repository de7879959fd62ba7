"""What every diffusion model of motion does alike; a model adds a network.

Training: noise, the loss on what the network says, and losses on the clean motion that it stands for. Sampling: the
guidance chain, overlapping windows, edits, and the walk of a sampler (nn/diffusion.py).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.core.contracts import Generator
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling, Spans, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.diffusion import lanes
from motion_platform.generators.diffusion.geometry import row_mean
from motion_platform.generators.diffusion.guidance import (
    Chain,
    alternatives,
    check_lengths,
    guidance_chain,
    known_part,
    known_slots,
    unguided,
)
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.generators.diffusion.windows import Windows, plan_windows, seams_of
from motion_platform.generators.spans import span_windows
from motion_platform.nn.diffusion import NoiseSchedule, Prediction, Sampler


class Diffusion(Generator):
    """A generator that takes noise away step by step, as :class:`DiffusionSettings` say.

    Errors: UnknownName, ValueError for settings that make no sense.
    """

    called: ClassVar[str]
    """The name in the registry, for messages."""
    default_guidance: ClassVar[float]
    mixes = True
    windows_at_once: ClassVar[int | None] = None
    """Windows denoised in one pass, which bounds the memory of long motions; None: all. No result depends on it."""

    def __init__(self, spec: MotionSpec, slots: Sequence[str], diffusion: DiffusionSettings) -> None:
        super().__init__()
        diffusion.check(self.called)
        self.spec, self.slots, self.max_frames = spec, tuple(slots), diffusion.max_frames
        self.overlap = min(round(diffusion.overlap * spec.fps), self.max_frames // 2)
        self.prediction: Prediction = diffusion.prediction
        self.error, self.huber_delta = diffusion.error, diffusion.huber_delta
        self.sampler, self.sample_steps = diffusion.sampler, diffusion.sample_steps
        weights = known_slots(diffusion.guidance or {}, self.slots, f"{self.called}: guidance")
        self.guidance = dict.fromkeys(self.slots, self.default_guidance) | weights
        self.guidance_interval = diffusion.guidance_interval
        self.velocity_loss, self.loss_weighting = diffusion.velocity_loss, diffusion.loss_weighting
        self.stratified = diffusion.stratified
        self.schedule = NoiseSchedule(diffusion.schedule, diffusion.diffusion_steps, diffusion.timestep_shift)

    # ---------------------------------------------------------------- what a model adds

    @abstractmethod
    def embed(self, timesteps: Tensor) -> Tensor:
        """(B,) int64 -> (B, width)."""

    @abstractmethod
    def context(self, given: Mapping[str, Condition], mask: Tensor) -> Any:
        """What the network reads besides the motion when it is trained, for rows of mask (B, T), True = real."""

    @abstractmethod
    def passes(self, given: Mapping[str, Condition], chain: Chain, windows: Windows, mask: Tensor | None) -> Any:
        """The same for windows of motions in all passes of a chain, stacked along the batch: copies * P rows. mask: of
        the windows, None where every frame is real. Made once, for all steps of a walk."""

    @abstractmethod
    def denoise(self, x: Tensor, time: Tensor, context: Any, mask: Tensor | None, copies: int = 1) -> Tensor:
        """Noisy x (B, T, D) in the network's units, embedded time (copies * B, width), a context of copies * B rows,
        mask (B, T) -> prediction (copies * B, T, D). What stands in x outside the mask has no influence."""

    def enter(self, x: Tensor) -> Tensor:
        """Raw units to the network's."""
        return self.spec.normalise(x)

    def leave(self, x: Tensor) -> Tensor:
        """The network's units to raw ones."""
        return self.spec.restore(x)

    def finish(self, x: Tensor, lengths: Tensor, sampling: Sampling, edited: bool) -> Tensor:
        """What is done to a motion (B, T, D) in raw units when no noise is left; edited: parts of it were given."""
        return x

    def terms(self, predicted: Tensor, x0: Tensor, batch: Batch) -> Iterable[tuple[str, float, Tensor]]:
        """(name, weight, (B,) errors) of more losses on the clean motion (B, T, D) that a prediction stands for."""
        return ()

    def side_losses(self, context: Any, x0: Tensor, batch: Batch) -> Iterable[tuple[str, float, Tensor]]:
        """(name, weight, scalar) of what else is learned from the context."""
        return ()

    # ---------------------------------------------------------------- training

    def forward(
        self, x: Tensor, timesteps: Tensor, given: Mapping[str, Condition], mask: Tensor | None = None
    ) -> Tensor:
        """Noisy x (B, T, D) in the network's units, timesteps (B,), mask (B, T) True = real -> prediction (B, T, D).

        What stands in x outside the mask has no influence; what comes out there has no meaning.
        """
        rows = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
        return self.denoise(x, self.embed(timesteps), self.context(given, rows), mask)

    def training_noise(self, batch: Batch, x: Tensor) -> tuple[Tensor, Tensor]:
        """Timesteps (B,) and noise (B, T, D) of a training step, from torch's global generator."""
        return self.schedule.draw(len(x), stratified=self.stratified, device=x.device), torch.randn_like(x)

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "rec", and every part that has a weight}; parts are unweighted. DataError without motion."""
        if batch.motion is None:
            raise DataError(f"{self.called}: the batch has no motion to learn from")
        mask = batch.motion.mask
        x0 = torch.where(mask[..., None], self.enter(torch.where(mask[..., None], batch.motion.x, 0.0)), 0.0)
        t, noise = self.training_noise(batch, x0)
        x_t = self.schedule.q_sample(x0, noise, t)
        context = self.context(given, mask)
        output = self.denoise(x_t, self.embed(t), context, mask).float()

        weight = self.schedule.loss_weight(t, self.prediction, self.loss_weighting)
        rec = row_mean(self.distance(output, self.schedule.target(x0, noise, t, self.prediction)), mask)
        parts, loss = {"rec": rec.mean()}, (weight * rec).mean()
        predicted = self.schedule.to_x0(output, x_t, t, self.prediction)
        weight = weight * self.schedule.x0_weight(t, self.prediction)
        for name, factor, error in (*self._velocity(predicted, x0, mask), *self.terms(predicted, x0, batch)):
            parts[name] = error.mean()
            loss = loss + factor * (weight * error).mean()
        for name, factor, error in self.side_losses(context, x0, batch):
            parts[name] = error
            loss = loss + factor * error
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    def distance(self, predicted: Tensor, true: Tensor) -> Tensor:
        """The error of every number, as ``error`` says."""
        if self.error == "huber":
            return F.huber_loss(predicted, true, reduction="none", delta=self.huber_delta)
        return (predicted - true) ** 2

    def _velocity(self, predicted: Tensor, x0: Tensor, mask: Tensor) -> Iterable[tuple[str, float, Tensor]]:
        if self.velocity_loss:
            error = row_mean(self.distance(predicted.diff(dim=1), x0.diff(dim=1)), mask[:, 1:] & mask[:, :-1])
            yield "velocity", self.velocity_loss, error

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
        coefficient is 0 are not computed, the others run as one batch. A weight of 0 switches its slot off. A slot that
        holds a mixture of values is walked under each of them and the answers are averaged by weight (interpolation
        in DiffuseStyleGesture's equation 4).

        ``edit``: entries marked ``keep`` are put in place of the predicted x_0 at every step (MDM, section 3), and are
        exact in the result. Motions longer than ``max_frames`` are denoised in overlapping windows together.
        """
        sampling = sampling or Sampling()
        check_lengths(lengths, noise.ids, self.called)
        own: list[Tensor] = []
        with torch.inference_mode():
            x = self._walk(given, lengths.to(self.schedule.signal.device), None, noise, sampling, edit, own)
        # copies from outside can take part in autograd
        return Motion(x.clone(), lengths.to(x.device), self.spec, own[0].clone() if own else None)

    def compose(
        self, given: Mapping[str, Condition], spans: Spans, *, noise: NoiseSource, sampling: Sampling | None = None
    ) -> Motion:
        """Motions of several conditions, one after the other and, in lanes, at the same time.

        Spans of the whole body are denoised together in windows that reach ``overlap`` / 2 into their neighbours, each
        under its own conditions, and joined at every step (MultiDiffusion, Bar-Tal et al. 2023, arXiv:2302.08113);
        one fades into the next over a second (jerk at the borders 1.02 of that inside, over 4 frames 1.27).
        Lanes are made into that, one after the other (generators/diffusion/lanes.py).
        """
        sampling = sampling or Sampling()
        lengths = spans.totals().to(self.schedule.signal.device)
        check_lengths(lengths, noise.ids, self.called)
        base, layers = lanes.layers_of(spans)
        with torch.inference_mode():
            x = self._walk(*self._told(given, spans, base, lengths), noise, sampling, None)
            for lane, chosen in layers:
                edit = lanes.all_but(x, spans, lane, chosen, self.spec.representation)
                x = self._walk(*self._told(given, spans, chosen, lengths), noise, sampling, edit)
        return Motion(x.clone(), lengths, self.spec)

    def _told(
        self, given: Mapping[str, Condition], spans: Spans, chosen: Tensor, lengths: Tensor
    ) -> tuple[Mapping[str, Condition], Tensor, tuple[Windows, Tensor]]:
        """Conditions, lengths and windows of some of the spans (their numbers)."""
        margin = fade = max(1, self.overlap // 2)
        windows, of_span = span_windows(
            spans.some(chosen), self.max_frames, margin=margin, overlap=self.overlap, fade=fade, totals=lengths
        )
        return given, lengths, (windows.to(lengths.device), chosen[of_span].to(lengths.device))

    def _walk(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        plan: tuple[Windows, Tensor] | None,
        noise: NoiseSource,
        sampling: Sampling,
        edit: Edit | None,
        own: list[Tensor] | None = None,
    ) -> Tensor:
        """Noise to raw units. plan: windows, and (P,) the row of ``given`` that each is under; None: as long motions
        have them. own: gets what the last step predicted before an edit was put in, in raw units."""
        device = lengths.device
        shape = (int(lengths.max()), self.spec.dim)
        run = Sampler(
            self.schedule,
            self.sampler if sampling.sampler is None else sampling.sampler,
            self.sample_steps if sampling.steps is None else sampling.steps,
            prediction=self.prediction,
        )
        asked = known_slots(sampling.guidance, self.slots, f"{self.called}: guidance")
        guided = guidance_chain(self.slots, self.guidance | asked, given)
        low, high = self.guidance_interval
        acts = [low <= t / self.schedule.steps <= high for t in run.timesteps]

        windows = plan_windows(lengths, self.max_frames, self.overlap) if plan is None else plan[0]
        under = windows.rows if plan is None else plan[1]
        groups = torch.arange(len(windows.rows), device=device).split(self.windows_at_once or len(windows.rows))
        parts = [windows.some(group) for group in groups]
        conditioned = [replace(part, rows=under[group]) for part, group in zip(parts, groups, strict=True)]
        masks = [None if bool(part.mask.all()) else part.mask for part in parts]
        mixture = alternatives(given)
        told = {}
        for acting in set(acts):
            chain = guided if acting else unguided(guided)
            weights = torch.tensor([c for _, c in chain], device=device).view(-1, 1, 1, 1)
            told[acting] = (
                weights,
                [
                    [self.passes(alternative, chain, *each) for _, alternative in mixture]
                    for each in zip(conditioned, masks, strict=True)
                ],
            )

        x = noise.normal(shape, name="start", device=device)
        known, keep = (None, None) if edit is None else known_part(edit, x, self.enter, self.called)
        times = self.embed(torch.tensor(run.timesteps, device=device))
        for i, t in enumerate(run.timesteps):
            weights, contexts = told[acts[i]]
            copies, predicted = len(weights), []
            for g, (part, asked_of, mask, several) in enumerate(zip(parts, conditioned, masks, contexts, strict=True)):
                view = part.cut(x)
                time = times[i].expand(copies * len(view), -1)
                out = torch.zeros_like(view)
                for (share, _), context in zip(mixture, several, strict=True):
                    # float32 again: the caller may run the network in half precision, weights need the digits
                    each = self.denoise(view, time, context, mask, copies).float().unflatten(0, (copies, -1))
                    each = (weights * each).sum(0)
                    out = each if len(mixture) == 1 else out + share[asked_of.rows, None, None] * each
                predicted.append(self.schedule.to_x0(out, view, torch.tensor([t], device=device), self.prediction))
                if sampling.progress is not None:
                    sampling.progress(i * len(groups) + g + 1, len(run.timesteps) * len(groups))
            x0 = windows.blend(torch.cat(predicted))
            if edit is not None:
                if own is not None and i == len(run.timesteps) - 1:
                    own.append(torch.where(length_mask(lengths, shape[0])[..., None], self.leave(x0), 0.0))
                x0 = torch.where(keep, known, x0)
            x = run.step(i, x0, x, lambda: noise.normal(shape, name=f"step {i}", device=device))  # noqa: B023
        x = self.finish(self.leave(x), lengths, sampling, edit is not None)
        if edit is not None:
            x = torch.where(keep, edit.x.to(x), x)  # not through the network's units and back: exact
        return torch.where(length_mask(lengths, shape[0])[..., None], x, 0.0)
