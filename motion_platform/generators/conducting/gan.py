"""Music into conducting by a generator against a critic: M2S-GAN of VirtualConductor.

Source: Self-Supervised Music Motion Synchronization Learning for Music-Driven Conducting Motion Generation (Chen et
al. 2022, JCST 37(3); https://github.com/ChenDelong1999/VirtualConductor), models/Generator.py, models/Discriminator.py,
M2SGAN_train.py, utils/loss.py.

**In the platform's one training loop.** Published: five steps of the critic on the same batch, then one of the
generator, each with an optimiser of its own. Here both learn in the same step of the same optimiser, so that a run
resumes bit for bit and needs no second loop: the critic's loss sees fakes that carry no gradient, the generator's a
critic that carries none, so neither pulls at the other; and the critic goes ``paces["critic"]`` = 5 times as far in a
step (two time scales in place of several steps: Heusel et al. 2017, arXiv:1706.08500). RMSprop is Adam without a mean
of gradients: ``train.betas: [0.0, 0.99]``, ``train.gradient_clip: 0`` and ``train.weight_decay: 0`` in the recipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from motion_platform.core.checkpoint_files import checkpoint_part
from motion_platform.core.contracts import Generator
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.conducting.rest import at_rest
from motion_platform.generators.diffusion.guidance import check_lengths
from motion_platform.motion.conducting.keypoints import resize_gestures
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.frame_tokens import on_frames
from motion_platform.nn.stgcn import STGCN
from motion_platform.nn.tcn import TCN

SHORTEST = 41
"""Frames: with fewer, the critic's three poolings leave nothing."""


class Upsample(nn.Module):
    """Noise (B, seconds, 8) -> (B, 30 * seconds, 64): four transposed convolutions (strides 1, 5, 3, 2) and a norm."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(8, 16, 3, 1, 1), (16, 16, 11, 5, 3), (16, 32, 5, 3, 1), (32, 64, 6, 2, 2)]
        self.layers = nn.ModuleList(nn.ConvTranspose1d(a, b, k, stride=s, padding=p) for a, b, k, s, p in sizes)
        self.norm = nn.BatchNorm1d(64)

    def forward(self, noise: Tensor) -> Tensor:
        h = noise.transpose(1, 2)
        for layer in self.layers:
            h = F.relu(layer(h))
        return self.norm(h).transpose(1, 2)


class Critic(nn.Module):
    """Motion (B, T, 26) -> (B,) how real it looks: three convolutions with pooling, a small network, mean over time."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(a, 64, 5, padding=2) for a in (dim, 64, 64))
        self.output = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = x.transpose(1, 2)
        for layer, stride in zip(self.layers, (3, 2, 2), strict=True):
            h = F.max_pool1d(F.relu(layer(h)), 5, stride=stride)
        return self.output(h.transpose(1, 2)).mean((1, 2))


class ConductorGAN(Generator):
    """The pose generator (music and noise through a dilated convolutional network, to coordinates within the frame).

    One slot, music; its encoder's features are projected to ``width`` 64 (published: the 64 features themselves).
    The noise is 8 numbers a second. It needs no windows: a frame sees 8 seconds of music to each side, and any length
    is made in one piece.

    Loss (raw units, on as many frames as the shortest motion of the batch has):
    critic = mean D(fake) - mean D(real) + gradient_penalty |grad D|^2 at a random point between a real and a fake one
    (centre 0 as published, mean over the batch: published is 10 x the sum over a batch of 20); generator =
    adversarial_loss x -mean D(fake) + position_loss |fake - real|^2 + sync_loss |f(fake) - f(real)|, f the features of
    the motion encoder of ``sync_weights``, a checkpoint of ``music_motion_sync`` that only training needs. Published
    weights: 1, 0 and 0.05.
    """

    edits = False

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        channels: int = 64,
        layers: int = 6,
        gradient_penalty: float = 200.0,
        adversarial_loss: float = 1.0,
        position_loss: float = 0.0,
        sync_loss: float = 0.0,
        sync_weights: str | None = None,
        critic_pace: float = 5.0,
    ) -> None:
        super().__init__()
        if sync_loss and sync_weights is None:
            raise ValueError("sync_loss needs sync_weights, a checkpoint of music_motion_sync")
        if len(slots) != 1:
            raise ValueError(f"reads one slot, music; got {', '.join(slots) or 'none'}")
        if spec.fps != 30:
            raise ValueError(f"its noise is made for 30 frames a second, not {spec.fps:g}")
        self.spec, self.slots, self.width = spec, tuple(slots), 64
        self.paces = {"critic.": critic_pace}
        self.gradient_penalty, self.adversarial_loss = gradient_penalty, adversarial_loss
        self.position_loss, self.sync_loss, self.sync_weights = position_loss, sync_loss, sync_weights
        self._sync: list[STGCN] = []  # in a list: frozen, and so in no checkpoint and no average
        self.noise = Upsample()
        self.tcn = TCN(self.width + 64, channels, 64, layers)
        self.output = nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, spec.dim), nn.Sigmoid()
        )
        self.critic = Critic(spec.dim)

    # ---------------------------------------------------------------- the generator

    def forward(self, music: Tensor, noise: Tensor) -> Tensor:
        """music (B, T, 64), noise (B, seconds >= T / 30, 8) -> keypoints (B, T, 26), raw units."""
        frames = music.shape[1]
        h = torch.cat([music, self.noise(noise)[:, :frames]], dim=-1)
        short = self.tcn.shortest - frames
        if short > 0:  # a few seconds cannot be reflected: the last frame is held
            h = torch.cat([h, h[:, -1:].expand(-1, short, -1)], dim=1)
        return self.output(self.tcn(h))[:, :frames]

    def _music(self, given: Mapping[str, Condition], rows: Tensor, frames: int) -> Tensor:
        places = torch.arange(frames, device=rows.device).expand(len(rows), -1)
        return on_frames(given[self.slots[0]], self.spec.fps, rows, places)[0]

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "critic", "penalty", "position", "sync", "generator"}; "critic" falls from 0 as it learns."""
        if batch.motion is None:
            raise DataError("conductor_gan: the batch has no motion to learn from")
        frames = int(batch.lengths.min())
        if frames < SHORTEST:
            raise DataError(f"conductor_gan: got a motion of {frames} frames; allowed: at least {SHORTEST}")
        real = batch.motion.x[:, :frames]
        noise = torch.randn(len(real), math.ceil(frames / self.spec.fps), 8, device=real.device)
        fake = self(self._music(given, torch.arange(len(real), device=real.device), frames), noise).float()
        # Gradients are kept apart: the critic learns from fakes that are given, the generator from a critic that is.
        said = self.critic(fake.detach()).mean() - self.critic(real).mean()
        penalty = self._penalty(real, fake.detach())
        held = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        convinced = functional_call(self.critic, held, fake).mean()
        position = F.mse_loss(fake, real)
        generator = -self.adversarial_loss * convinced + self.position_loss * position
        parts = {"critic": said, "penalty": penalty, "position": position}
        if self.sync_loss:
            parts["sync"] = F.l1_loss(*(self._features(x) for x in (fake, real)))
            generator = generator + self.sync_loss * parts["sync"]
        parts["generator"] = generator
        loss = said + self.gradient_penalty * penalty + generator
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    def _features(self, x: Tensor) -> Tensor:
        """(B, T, 26) raw -> (B, T, 64) of the frozen motion encoder, which is loaded when it is first asked for."""
        if not self._sync:
            card, tensors = checkpoint_part(self.sync_weights, "trainable.motion_network.")
            names = {"layers": "layers", "motion_width": "width", "dim": "dim"}
            sizes = {ours: card.model.settings[name] for name, ours in names.items() if name in card.model.settings}
            skeleton = get_skeleton(self.spec.skeleton)
            network = STGCN(len(skeleton), skeleton.edges, **sizes)
            network.load_state_dict(tensors)
            self._sync.append(network.requires_grad_(False).eval().to(x.device))
        return self._sync[0](x.unflatten(-1, (-1, 2)))

    def _penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean over rows of the squared length of the critic's gradient between a real and a fake motion."""
        if not torch.is_grad_enabled():
            return real.new_zeros(())
        share = torch.rand(len(real), 1, 1, device=real.device)
        between = (share * real + (1 - share) * fake).requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return gradient.flatten(1).pow(2).sum(1).mean()

    # ---------------------------------------------------------------- sampling

    def finished(self, motion: Motion, raw: Mapping[str, Sequence[Any]]) -> Motion:
        """Hands rest where nothing sounds."""
        return at_rest(motion, raw)

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling | None = None,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions of the asked lengths (B,), raw units, in one pass; a row at a time, so it does not see the others.

        Errors: UsageError for an edit, a sampler or steps, which it has not.
        """
        sampling = sampling or Sampling()
        check_lengths(lengths, noise.ids, "conductor_gan")
        if edit is not None:
            raise UsageError("conductor_gan: makes whole motions; editing needs a diffusion model")
        if sampling.sampler is not None or sampling.steps is not None:
            raise UsageError("conductor_gan: makes a motion in one pass; it has no sampler and no steps")
        device = self.critic.output[0].weight.device
        lengths = lengths.to(device)
        frames = int(lengths.max())
        drawn = noise.normal((math.ceil(frames / self.spec.fps), 8), name="latent", device=device)
        x = torch.zeros(len(lengths), frames, self.spec.dim, device=device)
        with torch.no_grad():
            for row, length in enumerate(lengths.tolist()):
                music = self._music(given, torch.tensor([row], device=device), length)
                x[row, :length] = self(music, drawn[row : row + 1, : math.ceil(length / self.spec.fps)])[0].float()
                if sampling.progress is not None:
                    sampling.progress(row + 1, len(lengths))
        return Motion(resize_gestures(x, lengths, self.spec.fps, sampling.amplitude), lengths, self.spec)


def published_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of M2SGAN_*.pt (the generator without its music encoder) under the names used here.

    The critic was not published with them.
    """
    found = {}
    for name, value in state.items():
        parts = name.removeprefix("module.").split(".")
        kind = parts[-1]
        if parts[:5] == ["tcn", "TCN", "tcn", "tcn", "network"]:
            block, inner = parts[5], parts[6]
            place = {"conv1": "first", "conv2": "second", "bn1": "first_norm", "bn2": "second_norm",
                     "downsample": "skip"}.get(inner)  # fmt: skip
            if place is None:  # "net" holds the same tensors again
                continue
            kind = {"weight_g": "parametrizations.weight.original0",
                    "weight_v": "parametrizations.weight.original1"}.get(kind, kind)  # fmt: skip
            found[f"tcn.blocks.{block}.{place}.{kind}"] = value
        elif parts[:4] == ["tcn", "TCN", "tcn", "linear"]:
            found[f"tcn.output.{kind}"] = value
        elif parts[:2] == ["tcn", "fc"]:
            found[f"output.{parts[2]}.{kind}"] = value
        elif parts[0] == "noise_convTranspose":
            found[f"noise.layers.{int(parts[1]) // 2}.{kind}"] = value
        elif parts[0] == "noise_BN":
            found[f"noise.norm.{kind}"] = value
    return found
