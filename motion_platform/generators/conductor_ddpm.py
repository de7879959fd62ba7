"""Music into conducting by diffusion: the cross-modality linear transformer of Diffusion-Conductor.

Sources: Taming Diffusion Models for Music-driven Conducting Motion Generation (Zhao et al. 2023, arXiv:2306.10065),
section 3 and its future work (5.3: conditional-unconditional training); the network is MotionDiffuse's (Zhang et al.
2022, arXiv:2208.15001). nn/linear_transformer.py holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.errors import DataError, UnknownName
from motion_platform.generators.conductor import (
    ARMS,
    BODY,
    HEAD,
    columns_of,
    on_frames,
    resize_gestures,
)
from motion_platform.generators.geometry import row_mean
from motion_platform.generators.guidance import check_lengths, guidance_chain, known_part, known_slots, unguided
from motion_platform.generators.long import Windows, plan_windows, seams_of
from motion_platform.nn.diffusion import (
    PREDICTIONS,
    SAMPLERS,
    WEIGHTINGS,
    NoiseSchedule,
    Prediction,
    Sampler,
    Weighting,
)
from motion_platform.nn.linear_transformer import AttentionKind, LinearTransformer, Memory, StepEmbedding
from motion_platform.schema import Batch, Condition, Edit, Generator, Motion, MotionSpec, Sampling
from motion_platform.seeding import NoiseSource

KEYPOINTS = 13
DEFAULT_GUIDANCE = 1.5
WINDOWS_AT_ONCE = 8
"""Windows denoised in one pass: bounds the memory of long music; the result does not depend on it."""


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


class ConductorDDPM(Generator):
    """Diffusion over the 26 coordinates of conducting, told by music frame by frame.

    As published: ``layers=8, latent=128, heads=8, feed_forward=64, patch=1, prediction="x0", schedule="linear",
    normalise=False``; the width of conditions is 4 x latent. ``patch`` frames make one token: fewer tokens, and frames
    of a patch cannot jitter against each other. Neighbouring patches can, so a token answers for ``margin`` frames to
    either side of its own, too, and answers for the same frame are averaged under a Hann window (:func:`join`).
    ``attention="full"`` is the quadratic one (their ``no_eff``). ``local``: see nn/linear_transformer.py. ``rank``: see
    :class:`MusicReader`. timestep_shift: more of the training and of the sampler's steps at the noisy end
    (nn/diffusion.shifted), where posture and size of the gestures are decided.

    normalise: the network works on normalised features (the papers': on raw ones, whose spread is a twentieth of the
    noise's). frame_mask: in training, the chance of a frame to be told nothing (the paper's random mask, section 3.5);
    a whole slot is dropped by the recipe's ``dropout`` of that slot, which is what guidance needs (section 5.3).

    Loss = rec + velocity_loss |dx^ - dx|^2 + head_loss |dx^_head|^2 + body_loss clamp(|dx^_body|^2, body_limit)
    - elbow_loss clamp(|dx^_arms|^2, elbow_limit), each a mean over a row's frames, of the x_0 that the prediction
    stands for, in the units that the network works in; d is the difference between frames (section 3.7, 5.4, and
    Diffusion_Stage/trainers/ddpm_trainer.py, where the weights are 0.1, 0.1, 0, 0.1 and body's is computed but not
    used; L_body is the paper's). head: nose, eyes, ears. body: shoulders, hips. arms: elbows, wrists.
    """

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
        max_frames: int = 1800,
        overlap: float = 2.0,
        normalise: bool = True,
        prediction: Prediction = "x0",
        schedule: Literal["cosine", "linear"] = "linear",
        diffusion_steps: int = 1000,
        timestep_shift: float = 1.0,
        sampler: str = "ddim",
        sample_steps: int = 10,
        guidance: dict[str, float] | None = None,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        frame_mask: float = 0.1,
        velocity_loss: float = 0.0,
        head_loss: float = 0.0,
        body_loss: float = 0.0,
        body_limit: float = 0.1,
        elbow_loss: float = 0.0,
        elbow_limit: float = 2e-4,
        loss_weighting: Weighting = "uniform",
        stratified: bool = True,
    ) -> None:
        super().__init__()
        for kind, name, allowed in (
            ("prediction", prediction, PREDICTIONS),
            ("sampler", sampler, SAMPLERS),
            ("loss weighting", loss_weighting, WEIGHTINGS),
        ):
            if name not in allowed:
                raise UnknownName(kind, name, allowed, "conductor_ddpm")
        if patch < 1 or max_frames < patch or sample_steps < 1:
            raise ValueError(f"patch {patch}, max_frames {max_frames} and sample_steps {sample_steps} must be >= 1")
        if not 0 <= margin <= patch:
            raise ValueError(f"margin {margin} must be 0 to patch = {patch} frames")
        if not 0 <= frame_mask < 1:
            raise ValueError(f"frame_mask {frame_mask} must be 0 to below 1")
        self.regularised = {"head": (HEAD, head_loss, None), "body": (BODY, body_loss, body_limit),
                            "elbow": (ARMS, -elbow_loss, elbow_limit)}  # fmt: skip
        self.regularised = {name: values for name, values in self.regularised.items() if values[1]}
        if self.regularised and spec.dim != 2 * KEYPOINTS:
            raise ValueError(f"head_loss, body_loss, elbow_loss need 13 keypoints (26 features), not {spec.dim}")
        self.spec, self.slots, self.width = spec, tuple(slots), 4 * latent
        self.patch, self.margin, self.max_frames, self.normalise = patch, margin, max_frames, normalise
        self.overlap = min(round(overlap * spec.fps), max_frames // 2)
        self.prediction: Prediction = prediction
        self.sampler, self.sample_steps = sampler, sample_steps
        weights = known_slots(guidance or {}, self.slots, "conductor_ddpm: guidance")
        self.guidance = dict.fromkeys(self.slots, DEFAULT_GUIDANCE) | weights
        self.guidance_interval, self.frame_mask = guidance_interval, frame_mask
        self.velocity_loss, self.loss_weighting, self.stratified = velocity_loss, loss_weighting, stratified

        self.schedule = NoiseSchedule(schedule, diffusion_steps, timestep_shift)
        self.positions = nn.Parameter(torch.randn(-(-max_frames // patch), latent))
        self.step = StepEmbedding(diffusion_steps, latent, self.width)
        self.readers = nn.ModuleDict({slot: MusicReader(self.width, rank, patch) for slot in self.slots})
        self.input = nn.Linear(patch * spec.dim, latent)
        self.transformer = LinearTransformer(layers, latent, self.width, heads, feed_forward, dropout, attention, local)
        self.output = nn.Linear(latent, (patch + 2 * margin) * spec.dim)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    # ---------------------------------------------------------------- the network

    def forward(
        self, x: Tensor, timesteps: Tensor, given: Mapping[str, Condition], mask: Tensor | None = None
    ) -> Tensor:
        """Noisy x (B, T, D) in the network's units, timesteps (B,), mask (B, T) True = real -> prediction (B, T, D)."""
        rows = torch.arange(len(x), device=x.device)
        frames = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
        return self._denoise(x, self.step(timesteps), self._context(given, rows, frames, mask), mask)

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

    def _denoise(self, x: Tensor, time: Tensor, context: _Context, mask: Tensor | None, copies: int = 1) -> Tensor:
        """As :meth:`forward`, with time (copies * B, width) embedded; the context has copies * B rows, x has B."""
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

    def _enter(self, x: Tensor) -> Tensor:
        return self.spec.normalise(x) if self.normalise else x

    def _leave(self, x: Tensor) -> Tensor:
        return self.spec.restore(x) if self.normalise else x

    # ---------------------------------------------------------------- training

    def training_noise(self, batch: Batch, x: Tensor) -> tuple[Tensor, Tensor]:
        """Timesteps (B,) and noise (B, T, D) of a training step, from torch's global generator."""
        return self.schedule.draw(len(x), stratified=self.stratified, device=x.device), torch.randn_like(x)

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "rec", and every part that has a weight}; parts are unweighted. DataError without motion."""
        if batch.motion is None:
            raise DataError("conductor_ddpm: the batch has no motion to learn from")
        mask = batch.motion.mask
        x0 = torch.where(mask[..., None], self._enter(torch.where(mask[..., None], batch.motion.x, 0.0)), 0.0)
        t, noise = self.training_noise(batch, x0)
        x_t = self.schedule.q_sample(x0, noise, t)
        rows = torch.arange(len(x0), device=x0.device)
        frames = torch.arange(x0.shape[1], device=x0.device).expand(len(x0), -1)
        context = self._context(given, rows, frames, mask, hide=self.training)
        output = self._denoise(x_t, self.step(t), context, mask).float()

        weight = self.schedule.loss_weight(t, self.prediction, self.loss_weighting)
        rec = row_mean((output - self.schedule.target(x0, noise, t, self.prediction)) ** 2, mask)
        parts, loss = {"rec": rec.mean()}, (weight * rec).mean()
        if self.velocity_loss or self.regularised:
            predicted = self.schedule.to_x0(output, x_t, t, self.prediction)
            weight = weight * self.schedule.x0_weight(t, self.prediction)
            for name, factor, error in self._geometry(predicted, x0, mask):
                parts[name] = error.mean()
                loss = loss + factor * (weight * error).mean()
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    def _geometry(self, predicted: Tensor, x0: Tensor, mask: Tensor) -> list[tuple[str, float, Tensor]]:
        """(name, weight, (B,) value) of the terms on differences between frames."""
        pairs, step, terms = mask[:, 1:] & mask[:, :-1], predicted.diff(dim=1), []
        if self.velocity_loss:
            terms.append(("velocity", self.velocity_loss, row_mean((step - x0.diff(dim=1)) ** 2, pairs)))
        for name, (joints, factor, limit) in self.regularised.items():
            error = row_mean(step[..., columns_of(joints)] ** 2, pairs)
            terms.append((name, factor, error if limit is None else error.clamp(-limit, limit)))
        return terms

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

        Guidance as in generators/mdm.py: p = p_0 + sum_k w_k (p_k - p_(k-1)) over the slots that are given. Motions
        longer than ``max_frames`` are denoised in overlapping windows together (generators/long.py), a few windows at
        a time, so that memory grows by what an hour of 26 numbers and of music features takes. ``edit``: entries
        marked ``keep`` are put in place of the predicted x_0 at every step and are exact in the result.
        """
        sampling = sampling or Sampling()
        check_lengths(lengths, noise.ids, "conductor_ddpm")
        with torch.inference_mode():
            x = self._sample(given, lengths, noise, sampling, edit)
        return Motion(x.clone(), lengths.to(x.device), self.spec)

    def _sample(
        self, given: Mapping[str, Condition], lengths: Tensor, noise: NoiseSource, sampling: Sampling, edit: Edit | None
    ) -> Tensor:
        device = self.positions.device
        lengths = lengths.to(device)
        shape = (int(lengths.max()), self.spec.dim)
        windows = plan_windows(lengths, self.max_frames, self.overlap) or whole(lengths)
        run = Sampler(
            self.schedule, sampling.sampler or self.sampler, sampling.steps or self.sample_steps,
            prediction=self.prediction,
        )  # fmt: skip
        asked = known_slots(sampling.guidance, self.slots, "conductor_ddpm: guidance")
        guided = guidance_chain(self.slots, self.guidance | asked, given)
        low, high = self.guidance_interval
        alone = guided if (low, high) == (0.0, 1.0) else unguided(guided)
        chains = [guided if low <= t / self.schedule.steps <= high else alone for t in run.timesteps]
        groups = torch.arange(len(windows.rows), device=device).split(WINDOWS_AT_ONCE)
        contexts = {id(chain): [self._passes(given, chain, windows, group) for group in groups] for chain in chains}

        x = noise.normal(shape, name="start", device=device)
        known, keep = (None, None) if edit is None else known_part(edit, x, self._enter, "conductor_ddpm")
        times = self.step(torch.tensor(run.timesteps, device=device))
        for i, t in enumerate(run.timesteps):
            view, parts = windows.cut(x), []
            coefficients = torch.tensor([c for _, c in chains[i]], device=device).view(-1, 1, 1, 1)
            for g, (group, context) in enumerate(zip(groups, contexts[id(chains[i])], strict=True)):
                copies, own, mask = len(coefficients), view[group], windows.mask[group]
                time = times[i].expand(copies * len(group), -1)
                out = self._denoise(own, time, context, mask, copies).float().unflatten(0, (copies, -1))
                parts.append(self.schedule.to_x0((coefficients * out).sum(0), own, torch.tensor([t], device=device),
                                                 self.prediction))  # fmt: skip
                if sampling.progress is not None:
                    sampling.progress(i * len(groups) + g + 1, len(run.timesteps) * len(groups))
            x0 = windows.blend(torch.cat(parts))
            if edit is not None:
                x0 = torch.where(keep, known, x0)
            x = run.step(i, x0, x, lambda: noise.normal(shape, name=f"step {i}", device=device))  # noqa: B023
        x = resize_gestures(self._leave(x), lengths, self.spec.fps, sampling.amplitude)
        if edit is not None:
            x = torch.where(keep, edit.x.to(x), x)  # not through normalise and restore: exact
        inside = torch.arange(shape[0], device=device)[None] < lengths[:, None]
        return torch.where(inside[..., None], x, 0.0)

    def _passes(
        self,
        given: Mapping[str, Condition],
        chain: list[tuple[tuple[str, ...], float]],
        windows: Windows,
        group: Tensor,
    ) -> _Context:
        """The context of a group of windows for all passes of a chain, stacked along the batch."""
        views = []
        for on, _ in chain:
            seen = {slot: given[slot] if slot in on else given[slot].drop() for slot in self.slots}
            views.append(self._context(seen, windows.rows[group], windows.index[group], windows.mask[group]))
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


def whole(lengths: Tensor) -> Windows:
    """One window a motion, for motions that all fit into one."""
    frames, rows = int(lengths.max()), torch.arange(len(lengths), device=lengths.device)
    index = torch.arange(frames, device=lengths.device).expand(len(lengths), -1)
    mask = index < lengths[:, None]
    return Windows(rows, torch.zeros_like(rows), lengths, mask, index, mask.float(), (len(lengths), frames))
