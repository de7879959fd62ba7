"""What conducting can be had without learning how to conduct: the rows to read a model's row against.

Models of the same task as any other, trained by the same loop (all there is to learn is the mean pose, and what to
remember), so that the same commands make, score and draw them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.contracts import Generator
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.conducting.rest import at_rest
from motion_platform.generators.diffusion.geometry import row_mean
from motion_platform.generators.diffusion.guidance import check_lengths
from motion_platform.motion.conducting.keypoints import resize_gestures
from motion_platform.motion.conducting.patterns import pattern
from motion_platform.nn.frame_tokens import on_frames

LEFT, RIGHT = (5, 7, 9), (6, 8, 10)
"""Shoulder, elbow and wrist."""


class Baseline(Generator):
    """Shows the mean pose, learned by squared error, wherever it knows nothing better; a row at a time."""

    edits = False

    def __init__(self, spec: MotionSpec, slots: Sequence[str]) -> None:
        super().__init__()
        self.spec, self.slots, self.width = spec, tuple(slots), 0
        self.pose = nn.Parameter(torch.zeros(spec.dim))  # normalised: the statistics' mean to begin with

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "rec"}: the squared error of the mean pose, normalised."""
        if batch.motion is None:
            raise DataError("conductor baseline: the batch has no motion to learn from")
        mask = batch.motion.mask
        error = row_mean(
            (self.spec.normalise(torch.where(mask[..., None], batch.motion.x, 0.0)) - self.pose) ** 2, mask
        )
        return {"loss": error.mean(), "rec": error.mean().detach()}

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
        """Motions of the asked lengths (B,), raw units; nothing in them is left to chance. UsageError for an edit."""
        sampling = sampling or Sampling()
        check_lengths(lengths, noise.ids, "conductor baseline")
        if edit is not None:
            raise UsageError("conductor baseline: makes whole motions; editing needs a diffusion model")
        lengths = lengths.to(self.pose.device)
        pose = self.spec.restore(self.pose.detach())
        x = torch.zeros(len(lengths), int(lengths.max()), self.spec.dim, device=pose.device)
        with torch.no_grad():
            for row, length in enumerate(lengths.tolist()):
                x[row, :length] = self.conduct(given, row, length, pose)
        return Motion(resize_gestures(x, lengths, self.spec.fps, sampling.amplitude), lengths, self.spec)

    @abstractmethod
    def conduct(self, given: Mapping[str, Condition], row: int, length: int, pose: Tensor) -> Tensor:
        """(length, D) raw motion of one row; pose (D,) raw."""

    def heard(self, given: Mapping[str, Condition], row: int, length: int) -> tuple[Tensor, Tensor]:
        """The first slot's encoder's own features on the motion's frames: (length, C) and (length,) where any are."""
        condition = given[self.slots[0]]
        own = condition.encoded
        if own is None or own.shape[1] == 0:
            return self.pose.new_zeros(length, 1), torch.zeros(length, dtype=torch.bool, device=self.pose.device)
        null = own.new_zeros(len(own), 1, own.shape[-1])
        whole = Condition(torch.cat([null, own], 1), condition.mask, condition.rate_hz)
        frames = torch.arange(length, device=own.device)[None]
        tokens, on = on_frames(whole, self.spec.fps, torch.tensor([row], device=own.device), frames)
        return tokens[0].float(), on[0]


class ConductorMean(Baseline):
    """The mean pose, standing still: the best that can be said without music, by squared error."""

    def conduct(self, given: Mapping[str, Condition], row: int, length: int, pose: Tensor) -> Tensor:
        return pose.expand(length, -1)


class ConductorPattern(Baseline):
    """The textbook figure of ``beats_a_bar`` at tracked beats, both hands mirrored: rules alone.

    Reads the encoder ``librosa_beats`` (a clock that counts beats), whose tracker knows no bars: the figure starts at
    its first beat. The hand falls to an ictus on every beat and rebounds (data/conducting/patterns.py); its unit is
    ``size`` standard deviations of the wrists in the training data. Elbows follow their wrists half-way.
    """

    def __init__(self, spec: MotionSpec, slots: Sequence[str], *, beats_a_bar: int = 4, size: float = 2.0) -> None:
        super().__init__(spec, slots)
        if not 1 <= beats_a_bar <= 12:
            raise ValueError(f"beats_a_bar {beats_a_bar}; allowed: 1 to 12")
        figure = [(s.across, s.height, s.rebound, s.bend) for s in pattern(beats_a_bar)]
        self.beats_a_bar, self.size = beats_a_bar, size
        self.register_buffer("figure", torch.tensor(figure), persistent=False)

    def conduct(self, given: Mapping[str, Condition], row: int, length: int, pose: Tensor) -> Tensor:
        x = pose.expand(length, -1).clone()
        clock, on = self.heard(given, row, length)
        count = torch.where(on, clock[:, 0], -1.0)
        moving = count >= 0  # before the first beat and without music: at rest
        beat, share = count.floor().long(), count - count.floor()
        here, following = self.figure[beat % self.beats_a_bar], self.figure[(beat + 1) % self.beats_a_bar]
        ease, arc = (1 - torch.cos(torch.pi * share)) / 2, torch.sin(torch.pi * share)
        outward = torch.lerp(here[:, 0], following[:, 0], ease) + here[:, 3] * arc
        up = torch.lerp(here[:, 1], following[:, 1], ease) + here[:, 2] * arc
        up = up - (self.figure[:, 1] + self.figure[:, 2] * 2 / torch.pi).mean()  # about where the hands are on average
        std = self.size * self.spec.std.to(x)
        for (_, elbow, wrist), side in ((RIGHT, -1.0), (LEFT, 1.0)):  # x grows to the conductor's left, y downwards
            for joint, part in ((elbow, 0.5), (wrist, 1.0)):
                x[moving, 2 * joint] += (part * side * outward * std[2 * wrist])[moving]
                x[moving, 2 * joint + 1] -= (part * up * std[2 * wrist + 1])[moving]
        return x


class ConductorNeighbour(Baseline):
    """The training music that sounds most alike, and what was conducted to it, block by block.

    Blocks of ``seconds`` are remembered while training, the latest ``capacity`` of them; alike is the cosine of the
    encoder's ``features`` numbers, averaged over thirds of a second. Blocks overlap by half and are faded into each
    other.
    """

    def __init__(
        self, spec: MotionSpec, slots: Sequence[str], *, features: int = 64, seconds: float = 4.0, capacity: int = 1024
    ) -> None:
        super().__init__(spec, slots)
        self.frames, self.stride = 2 * round(seconds * spec.fps / 2), max(1, round(spec.fps / 3))
        if self.frames < 2 * self.stride or capacity < 1 or features < 1:
            raise ValueError(f"seconds {seconds}, capacity {capacity} and features {features} leave nothing to compare")
        self.features = features
        self.register_buffer("keys", torch.zeros(capacity, self.frames // self.stride * features))
        self.register_buffer("motions", torch.zeros(capacity, self.frames, spec.dim))
        self.register_buffer("remembered", torch.zeros((), dtype=torch.int64))

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """As the mean pose's; in training, the batch's blocks are remembered."""
        parts = super().loss(batch, given)
        if self.training:
            for row, length in enumerate(batch.lengths.tolist()):
                music, on = self.heard(given, row, length)
                for start in range(0, length - self.frames + 1, self.frames):
                    if bool(on[start : start + self.frames].all()):
                        place = int(self.remembered) % len(self.keys)
                        self.keys[place] = self.key(music[start : start + self.frames])
                        self.motions[place] = batch.motion.x[row, start : start + self.frames]
                        self.remembered += 1
        return parts

    def key(self, music: Tensor) -> Tensor:
        """(frames, C) -> unit vector (K,)."""
        if music.shape[1] != self.features:
            raise DataError(f"conductor_neighbour: got {music.shape[1]} features a frame; allowed: {self.features}")
        return F.normalize(F.avg_pool1d(music.T[None], self.stride).flatten(), dim=0)

    def conduct(self, given: Mapping[str, Condition], row: int, length: int, pose: Tensor) -> Tensor:
        size = min(int(self.remembered), len(self.keys))
        hop = self.frames // 2
        music, on = self.heard(given, row, length)
        if size == 0 or not bool(on.any()):
            return pose.expand(length, -1)
        blocks = max(1, -(-(length - hop) // hop))
        total = (blocks + 1) * hop
        music = torch.cat([music, music[-1:].expand(total - length, -1)]) if total > length else music
        weight = torch.linspace(0, 1, hop, device=pose.device)
        fade = torch.cat([weight, weight.flip(0)]).clamp(min=1e-3)[:, None]
        x, sums = pose.new_zeros(total, self.spec.dim), pose.new_zeros(total, 1)
        for start in range(0, blocks * hop, hop):
            nearest = int((self.keys[:size] @ self.key(music[start : start + self.frames])).argmax())
            x[start : start + self.frames] += fade * self.motions[nearest]
            sums[start : start + self.frames] += fade
        return (x / sums)[:length]
