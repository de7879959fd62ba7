"""A small recogniser of what a motion shows (content) and how it is done (style), for judging generated motion.

It reads joints, not features: any representation of its skeleton (one that begins with HumanML3D's 22 joints) is
decoded, turned to face Z+ in every frame and described by 67 numbers (of 22 joints), so that one recogniser scores
every generator. A motion is cut into patches of a few frames, run through a stack of temporal convolutions (the blocks
of ConvNeXt, Liu et al. 2022, arXiv:2201.03545, section 2.6, in one dimension) and pooled by attention, mean and
maximum over its real frames only.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.contracts import Space
from motion_platform.core.errors import ConfigError, DataError, suggest
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, length_mask
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.transformer import cut_patches

PELVIS = 0
"""The root of every skeleton."""
ACROSS = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
"""Joints whose lines say where a body faces."""


@functools.cache
def places(skeleton: str, names: tuple[str, ...]) -> tuple[int, ...]:
    """Where joints stand in a skeleton. UnknownName for one that it has not."""
    body = get_skeleton(skeleton)
    return tuple(body.index(name) for name in names)


def width_of(joints: int) -> int:
    """How many numbers a frame :func:`body_features` makes of J joints: J heights, J - 1 joints in the horizontal plane
    of the body, forward and sideways speed, turning speed. 67 for 22 joints."""
    return joints + 2 * (joints - 1) + 3


def heading(joints: Tensor, skeleton: str = "humanml3d") -> Tensor:
    """(..., J, 3) joints -> (...) heading in radians about Y: 0 faces Z+, a turn to the left (X+) is positive.

    The direction is at right angles to the mean of the hip line and the shoulder line, as in HumanML3D's
    preprocessing (Guo et al. 2022, section 3).
    """
    left_hip, right_hip, left_shoulder, right_shoulder = places(skeleton, ACROSS)
    across = joints[..., left_hip, :] - joints[..., right_hip, :]
    across = across + joints[..., left_shoulder, :] - joints[..., right_shoulder, :]
    return torch.atan2(-across[..., 2], across[..., 0])  # forward = across x up = (-across_z, 0, across_x)


def body_features(joints: Tensor, fps: float, skeleton: str = "humanml3d") -> Tensor:
    """(B, T, J, 3) joints in metres -> (B, T, 3 J + 1): what a body does, wherever on the floor it is and faces.

    Heights and horizontal offsets from the pelvis in the frame of the body are in half metres; speeds are in m/s and
    rad/s: all near 1. The speeds of the last frame repeat those before it, and a motion of one frame has speed zero.
    """
    angle = heading(joints, skeleton)
    pelvis = joints[..., PELVIS, :]
    offset = joints[..., 1:, :] - pelvis[..., None, :]
    x, z = _into_body(offset[..., 0], offset[..., 2], angle[..., None])
    step = torch.diff(pelvis, dim=1)
    turn = torch.diff(angle, dim=1)
    turn = torch.atan2(torch.sin(turn), torch.cos(turn))  # the short way round
    side, forward = _into_body(step[..., 0], step[..., 2], angle[:, :-1])
    speed = torch.stack([side, forward, turn], -1) * fps
    speed = torch.cat([speed, speed[:, -1:]], 1) if joints.shape[1] > 1 else joints.new_zeros(*joints.shape[:2], 3)
    return torch.cat([joints[..., 1] / 0.5, x / 0.5, z / 0.5, speed], -1)


def _into_body(x: Tensor, z: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Turn horizontal coordinates by minus the heading: (to the left, forward)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return cos * x - sin * z, sin * x + cos * z


def read_joints(motion: Motion, spec: MotionSpec, who: str) -> Tensor:
    """(B, T, J, 3) metres, of a motion in any representation of the skeleton and frame rate of ``spec``.

    Errors: DataError, with ``who`` in front, for another skeleton, another frame rate, or a NaN.
    """
    given = motion.spec
    if given.skeleton != spec.skeleton or given.fps != spec.fps:
        raise DataError(
            f"{who}: the motion has skeleton {given.skeleton} at {given.fps:g} fps, but this {who} was "
            f"trained on {spec.skeleton} at {spec.fps:g} fps; retarget the motion first"
        )
    if not torch.isfinite(motion.x[motion.mask]).all():
        raise DataError(f"{who}: the motion has a NaN or infinite value")
    x = torch.where(motion.mask[..., None], motion.x, motion.x.new_zeros(()))
    return get_representation(given.representation).decode(x)


def hold_last(speeds: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, K) speeds: the step into the padding is no movement, so the last real frame repeats the one before."""
    last = (lengths - 1).clamp(min=1)
    rows = torch.arange(len(last), device=speeds.device)
    speeds = speeds.clone()
    speeds[rows, lengths - 1] = speeds[rows, last - 1] * (lengths > 1)[:, None]
    return speeds


def augment(
    features: Tensor, lengths: Tensor, *, speeds: int, crop: float, speed_change: float, noise: float
) -> tuple[Tensor, Tensor]:
    """Crop every clip in time, play it faster or slower, and shake its joints. (B, T, K) -> (B, T', K), new lengths.

    speeds: how many of the last columns are speeds, which change with the playing speed and are not shaken. crop: the
    smallest part to keep. speed_change: the fraction. noise: standard deviation. Random numbers come from torch's
    global generator, which training seeds.
    """
    batch, frames, _ = features.shape
    draw = torch.rand(3, batch).to(features.device)
    kept = (lengths * (crop + (1 - crop) * draw[0])).clamp(min=1)
    start = (lengths - kept) * draw[1]
    speed = 1 + speed_change * (2 * draw[2] - 1)
    new = torch.minimum((kept / speed).round().long().clamp(min=1), 2 * lengths)
    at = torch.arange(int(new.max()), device=features.device)[None, :] * speed[:, None] + start[:, None]
    at = torch.minimum(at, (lengths - 1)[:, None].to(at)).clamp(0, frames - 1)
    low = at.floor().long()
    high = torch.minimum(low + 1, (lengths - 1)[:, None])
    part = (at - low)[..., None].to(features)
    rows = torch.arange(batch, device=features.device)[:, None]
    moved = features[rows, low] * (1 - part) + features[rows, high] * part
    places, velocities = moved[..., :-speeds], moved[..., -speeds:] * speed[:, None, None].to(moved)
    places = places + torch.randn(places.shape).to(places) * noise
    moved = torch.cat([places, velocities], -1)
    return moved * length_mask(new, moved.shape[1])[..., None], new


class Block(nn.Module):
    """Depthwise convolution over time, LayerNorm, a feed-forward pair, added to the input."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(self, h: Tensor, mask: Tensor) -> Tensor:
        """h (B, S, W), mask (B, S) -> (B, S, W); padding stays zero, so it looks like the edge of a longer batch."""
        mixed = self.mix(h.transpose(1, 2)).transpose(1, 2)
        return (h + self.feed(self.norm(mixed))) * mask[..., None]


class Recogniser(Space):
    """Says which label of every target a motion shows; its embedding is the layer below the answers.

    targets: target -> its labels, e.g. ``{"content": ["walk", "run"], "style": ["normal", "tired"]}``; a batch's
    labels (``batch.labels``, one dict a clip) are looked up there, and a clip that lacks a target is left out of that
    target's loss. patch: frames a step of the network. smoothing: label smoothing. speed_change, crop, noise:
    augmentation in training: playing speed +- that fraction, the smallest part of a clip to keep, and metres of
    standard deviation added to every joint's place in the body.
    """

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str] = (),
        *,
        targets: dict[str, list[str]],
        width: int = 192,
        layers: int = 4,
        patch: int = 4,
        kernel: int = 7,
        embedding: int = 128,
        dropout: float = 0.1,
        smoothing: float = 0.1,
        speed_change: float = 0.1,
        crop: float = 0.8,
        noise: float = 0.01,
    ) -> None:
        super().__init__()
        if not targets:
            raise ConfigError("recogniser.targets: empty; name at least one target with its labels")
        for target, labels in targets.items():
            if len(labels) < 2 or len(set(labels)) != len(labels):
                raise ConfigError(f"recogniser.targets.{target}: needs two or more different labels, got {labels}")
        for setting, value, low, high in [
            ("crop", crop, 0.1, 1.0),
            ("speed_change", speed_change, 0.0, 0.5),
            ("smoothing", smoothing, 0.0, 0.9),
        ]:
            if not low <= value <= high:
                raise ConfigError(f"recogniser.{setting}: got {value}; allowed: {low} to {high}")
        if kernel % 2 == 0 or patch < 1:
            raise ConfigError(f"recogniser: kernel {kernel} must be odd and patch {patch} at least 1")
        self.spec, self.slots, self.width = spec, tuple(slots), width
        self.targets = {target: list(labels) for target, labels in targets.items()}
        self.patch, self.smoothing = patch, smoothing
        self.speed_change, self.crop, self.noise = speed_change, crop, noise
        self.enter = nn.Linear(patch * width_of(len(get_skeleton(spec.skeleton))), width)
        self.blocks = nn.ModuleList(Block(width, kernel, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.attend = nn.Linear(width, 4)
        self.to_embedding = nn.Sequential(nn.Linear(6 * width, embedding), nn.GELU(), nn.Dropout(dropout))
        self.heads = nn.ModuleDict({target: nn.Linear(embedding, len(labels)) for target, labels in targets.items()})

    def joints(self, motion: Motion) -> Tensor:
        """(B, T, J, 3) metres; see :func:`read_joints`."""
        return read_joints(motion, self.spec, "recogniser")

    def features(self, motion: Motion) -> Tensor:
        """(B, T, 3 J + 1), zero on padding."""
        features = body_features(self.joints(motion), self.spec.fps, self.spec.skeleton)
        speeds = hold_last(features[..., -3:], motion.lengths)
        return torch.cat([features[..., :-3], speeds], -1) * motion.mask[..., None]

    def embed(self, motion: Motion) -> Tensor:
        """(B, E) embeddings, not normalised. Padding has no influence."""
        return self._embed(self.features(motion), motion.lengths)

    def _embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        patches, mask = cut_patches(features, lengths, self.patch)
        h = self.enter(patches) * mask[..., None]
        for block in self.blocks:
            h = block(h, mask)
        h = self.norm(h)
        weights = self.attend(h).masked_fill(~mask[..., None], -torch.inf).softmax(1)  # (B, S, 4)
        attended = torch.einsum("bsk,bsw->bkw", weights, h).flatten(1)
        mean = (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        highest = h.masked_fill(~mask[..., None], -torch.inf).amax(1)
        return self.to_embedding(torch.cat([attended, mean, highest], 1))

    def logits(self, motion: Motion) -> dict[str, Tensor]:
        """Target -> (B, number of labels), in the order of ``targets``."""
        embedding = self.embed(motion)
        return {target: head(embedding) for target, head in self.heads.items()}

    @torch.no_grad()
    def classify(self, motion: Motion) -> list[dict[str, str]]:
        """The most likely label of every target, one dict a motion. Call on a model in eval mode."""
        best = {target: logits.argmax(1).tolist() for target, logits in self.logits(motion).items()}
        return [{t: self.targets[t][best[t][b]] for t in self.targets} for b in range(len(motion.lengths))]

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """Sum over targets of the cross entropy on the clips that have the target; ``given`` is not used.

        Parts: ``<target>`` and ``<target>_accuracy``. A batch without any label has loss zero (and zero gradients).
        Errors: ConfigError for a label that ``targets`` does not list; DataError without motion or labels.
        """
        if batch.motion is None or batch.labels is None:
            raise DataError("recogniser: the batch has no motion or no labels; train it on a data set with labels")
        motion, device = batch.motion, batch.motion.x.device
        index = {
            t: torch.tensor([self._index(t, labels) for labels in batch.labels], device=device) for t in self.heads
        }
        rows = torch.stack([wanted >= 0 for wanted in index.values()]).any(0)
        if not rows.any():
            return {"loss": sum(p.sum() for p in self.parameters()) * 0.0}
        motion = Motion(motion.x[rows], motion.lengths[rows], motion.spec)  # clips without labels cost nothing
        features, lengths = self.features(motion), motion.lengths
        if self.training:
            features, lengths = self._augment(features, lengths)
        embedding = self._embed(features, lengths)
        total, parts = embedding.sum() * 0.0, {}
        for target, head in self.heads.items():
            wanted = index[target][rows]
            known = wanted >= 0
            if not known.any():
                continue
            logits = head(embedding[known])
            parts[target] = F.cross_entropy(logits, wanted[known], label_smoothing=self.smoothing)
            parts[f"{target}_accuracy"] = (logits.argmax(1) == wanted[known]).float().mean().detach()
            total = total + parts[target]
        return {"loss": total, **parts}

    def _index(self, target: str, labels: Mapping[str, str]) -> int:
        """Position of a clip's label; -1 where the clip has none."""
        label = labels.get(target) if labels else None
        if label is None:
            return -1
        if label not in self.targets[target]:
            raise ConfigError(f"recogniser.targets.{target}: no {label!r}; {suggest(label, self.targets[target])}")
        return self.targets[target].index(label)

    def _augment(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return augment(
            features, lengths, speeds=3, crop=self.crop, speed_change=self.speed_change, noise=self.noise / 0.5
        )
