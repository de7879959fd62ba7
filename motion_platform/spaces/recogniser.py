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

from motion_platform.core.contracts import Space, Statement
from motion_platform.core.errors import ConfigError, DataError, UsageError, suggest
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, Sampling, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.transformer import cut_patches
from motion_platform.spaces import captioner

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
    moved = between(features, at, lengths)
    places, velocities = moved[..., :-speeds], moved[..., -speeds:] * speed[:, None, None].to(moved)
    places = places + torch.randn(places.shape).to(places) * noise
    moved = torch.cat([places, velocities], -1)
    return moved * length_mask(new, moved.shape[1])[..., None], new


def disguise(features: Tensor, lengths: Tensor, fps: float, share: float) -> tuple[Tensor, Tensor]:
    """Let the length of a clip say nothing about it, for ``share`` of the clips. (B, T, 3 J + 1) -> (B, T', 3 J + 1).

    Such a clip is cut to a part of two seconds or more, played at half to double speed, and every third one then holds
    its last pose for up to three seconds. A clip that turns by more than an eighth is cut only where seven tenths of
    its turn remain, because the rest of it shows something else. Random numbers come from torch's global generator.
    """
    batch, device = len(lengths), features.device
    draw = torch.rand(6, batch).to(device)
    chosen = draw[0] < share
    least = torch.minimum(lengths, lengths.new_tensor(round(2 * fps)))
    kept = (least + ((lengths - least + 1) * draw[1]).long()).clamp(max=lengths)
    start = ((lengths - kept + 1) * draw[2]).long()
    turned = F.pad(features[..., -1].cumsum(1) / fps, (1, 0))  # (B, T + 1), radians since the start
    rows = torch.arange(batch, device=device)
    whole = turned[rows, lengths]
    part = turned[rows, start + kept] - turned[rows, start]
    turns = (whole.abs() > torch.pi / 4) & (part / whole < 0.7)
    kept, start = torch.where(turns, lengths, kept), torch.where(turns, 0, start)
    kept, start = torch.where(chosen, kept, lengths), torch.where(chosen, start, 0)
    speed = torch.where(chosen, 4 ** (draw[3] - 0.5), 1.0)
    played = (kept / speed).round().long().clamp(min=1)
    held = torch.where(chosen & (draw[4] < 1 / 3), (3 * fps * draw[5]).long(), 0)
    new = played + held
    frame = torch.arange(int(new.max()), device=device)[None, :]
    at = torch.minimum(frame * speed[:, None], (kept - 1)[:, None].to(speed)) + start[:, None]
    moved = between(features, at, lengths)
    moves = (frame < played[:, None]) * speed[:, None]  # what is held has no speed
    moved = torch.cat([moved[..., :-3], moved[..., -3:] * moves[..., None].to(moved)], -1)
    return moved * length_mask(new, moved.shape[1])[..., None], new


def between(features: Tensor, at: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, K) at the frames ``at`` (B, T'), which may lie between two: -> (B, T', K)."""
    low = at.floor().long()
    high = torch.minimum(low + 1, (lengths - 1)[:, None])
    part = (at - low)[..., None].to(features)
    rows = torch.arange(len(features), device=features.device)[:, None]
    return features[rows, low] * (1 - part) + features[rows, high] * part


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


STILL = "still"
"""The label of a motion in which the body does not move."""


class Recogniser(Space):
    """Says which label of every target a motion shows; its embedding is the layer below the answers.

    targets: target -> its labels, e.g. ``{"content": ["walk", "run"], "style": ["normal", "tired"]}``; a batch's
    labels (``batch.labels``, one dict a clip) are looked up there, and a clip that lacks a target is left out of that
    target's loss. patch: frames a step of the network. smoothing: label smoothing. speed_change, crop, noise:
    augmentation in training: playing speed +- that fraction, the smallest part of a clip to keep, and metres of
    standard deviation added to every joint's place in the body. disguised: the share of clips whose length training
    makes say nothing (:func:`disguise`). still: the share that training freezes, half of them sliding on; they are to
    be called ``STILL``, which is then one more label of every target: a statue shows no content and has no style.
    """

    describes_seconds = 10.0  # the longest that it has seen

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
        disguised: float = 0.0,
        still: float = 0.0,
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
            ("disguised", disguised, 0.0, 1.0),
            ("still", still, 0.0, 0.9),
        ]:
            if not low <= value <= high:
                raise ConfigError(f"recogniser.{setting}: got {value}; allowed: {low} to {high}")
        if kernel % 2 == 0 or patch < 1:
            raise ConfigError(f"recogniser: kernel {kernel} must be odd and patch {patch} at least 1")
        self.spec, self.slots, self.width = spec, tuple(slots), width
        more = [STILL] if still else []
        self.targets = {target: list(labels) + more for target, labels in targets.items()}
        self.patch, self.smoothing = patch, smoothing
        self.speed_change, self.crop, self.noise = speed_change, crop, noise
        self.disguised, self.still = disguised, still
        self.enter = nn.Linear(patch * width_of(len(get_skeleton(spec.skeleton))), width)
        self.blocks = nn.ModuleList(Block(width, kernel, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.attend = nn.Linear(width, 4)
        self.to_embedding = nn.Sequential(nn.Linear(6 * width, embedding), nn.GELU(), nn.Dropout(dropout))
        self.heads = nn.ModuleDict(
            {target: nn.Linear(embedding, len(labels)) for target, labels in self.targets.items()}
        )

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

    def has_words(self) -> bool:
        """Are there words for its contents and its body?"""
        return "content" in self.targets and self.spec.skeleton == "humanml3d"

    @torch.no_grad()
    def statements(self, motion: Motion, *, noise: NoiseSource, sampling: Sampling) -> list[Statement]:
        """A sentence for each motion, and whether this model or measurements of the body alone say it.

        Call on a model in eval mode. Errors: UsageError for a recogniser whose contents there are no words for, or of
        another body.
        """
        if not self.has_words():
            raise UsageError("recogniser: has no words for its labels; name a model that captions")
        joints = [clip[:n].cpu().numpy() for clip, n in zip(self.joints(motion), motion.lengths.tolist(), strict=True)]
        probabilities = {target: logits.softmax(1).cpu() for target, logits in self.logits(motion).items()}
        return captioner.say(joints, probabilities, self.targets, self.spec.fps, captioner.draws_of(noise))

    def describe(self, motion: Motion, *, noise: NoiseSource, sampling: Sampling) -> list[str]:
        """The sentences of :meth:`statements`."""
        return [said.text for said in self.statements(motion, noise=noise, sampling=sampling)]

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
        wanted_of = {target: wanted[rows] for target, wanted in index.items()}
        if self.training:
            features, lengths, frozen = self._freeze(features, lengths)
            for target in wanted_of if frozen.any() else ():
                wanted_of[target] = wanted_of[target].masked_fill(frozen, self.targets[target].index(STILL))
            features, lengths = self._augment(features, lengths)
        embedding = self._embed(features, lengths)
        total, parts = embedding.sum() * 0.0, {}
        for target, head in self.heads.items():
            wanted = wanted_of[target]
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

    def _freeze(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Some clips become one pose of theirs; every second of those goes on sliding and turning. Which: (B,) bool."""
        draw = torch.rand(3, len(lengths)).to(features.device)
        frozen, slides = draw[0] < self.still, draw[1] < 0.5
        pose = features[torch.arange(len(lengths)), (lengths * draw[2]).long()][:, None, :-3].expand_as(
            features[..., :-3]
        )
        speeds = features[..., -3:] * slides[:, None, None]
        statue = torch.cat([pose, speeds], -1) * length_mask(lengths, features.shape[1])[..., None]
        return torch.where(frozen[:, None, None], statue, features), lengths, frozen

    def _augment(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if self.disguised:
            features, lengths = disguise(features, lengths, self.spec.fps, self.disguised)
        return augment(
            features, lengths, speeds=3, crop=self.crop, speed_change=self.speed_change, noise=self.noise / 0.5
        )
