"""A joint space of sentences and motions, trained by contrast: the project's own ruler for generated motion.

After TMR (Petrovich et al. 2023, arXiv:2305.00976): a transformer reads the motion, a small one the features of a
frozen sentence encoder, and matching pairs are pulled together against the other pairs of the batch (InfoNCE with a
learned temperature, van den Oord et al. 2018, arXiv:1807.03748, equation 4), where pairs whose captions say nearly the
same are no negatives (TMR, section 3.2). It reads joints, not features, as the recogniser does, so that it can judge
every generator of the skeleton; the feet's velocities are given to it on top, because skating is what they show.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.contracts import Space
from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, length_mask
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.transformer import Transformer, cut_patches, sinusoidal
from motion_platform.spaces.recogniser import (
    Block,
    augment,
    body_features,
    heading,
    hold_last,
    places,
    read_joints,
    width_of,
)

FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot")
"""Ankles and toe bases."""
SPEEDS = 3 + 3 * len(FEET)
SIDES = re.compile(r"\b(left|right|clockwise|counter-?clockwise|anti-?clockwise|forwards?|backwards?)\b")
"""Words that sentence encoders hardly see and that make all the difference to a motion."""


def features_of(skeleton: str) -> int:
    """How many numbers a frame :func:`motion_features` makes: places of joints in the body's frame, forward, sideways
    and turning speed, velocities of four foot joints. 79 for HumanML3D's 22 joints, 76 for KIT's 21."""
    return width_of(len(get_skeleton(skeleton))) + 3 * len(FEET)


def motion_features(joints: Tensor, fps: float, skeleton: str = "humanml3d") -> Tensor:
    """(B, T, J, 3) joints in metres -> (B, T, K): those of the recogniser and the feet's velocities in m/s.

    A velocity is over the floor (a planted foot has zero), turned into the direction that the body faces.
    """
    angle = heading(joints, skeleton)[:, :-1, None]
    step = torch.diff(joints[:, :, list(places(skeleton, FEET))], dim=1) * fps
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, y, z = step.unbind(-1)
    feet = torch.stack([cos * x - sin * z, y, sin * x + cos * z], -1).flatten(2)
    feet = torch.cat([feet, feet[:, -1:]], 1) if joints.shape[1] > 1 else joints.new_zeros(*joints.shape[:2], 12)
    return torch.cat([body_features(joints, fps, skeleton), feet], -1)


def contrastive_loss(logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """InfoNCE of (B, B) logits with any number of positives a row; entries in neither mask do not count.

    Row i: mean over its positives p of -log(exp(l_ip) / (exp(l_ip) + sum over negatives n of exp(l_in))): positives do
    not compete with each other. Rows without a positive are left out; one positive and all others negative is the
    cross entropy of the diagonal.
    """
    others = logits.masked_fill(~negative, torch.finfo(logits.dtype).min).logsumexp(1, keepdim=True)
    terms = F.softplus(others - logits) * positive
    counts = positive.sum(1)
    rows = terms.sum(1) / counts.clamp(min=1)
    return rows.sum() / (counts > 0).sum().clamp(min=1)


def relations(
    captions: Sequence[str], labels: Sequence[Mapping[str, str]] | None, alike: Tensor, near_equal: float
) -> tuple[Tensor, Tensor]:
    """(positive, negative), each (B, B) bool: what caption i and clip j are to each other.

    alike: (B, B) cosines of the sentence embeddings. A clip and its own caption are a positive pair; so are clips with
    the same labels, and with the same words unless the labels differ. Different labels make a negative pair. Where a
    label is missing, captions with a cosine above ``near_equal`` are neither, unless one says left and the other right
    (or forwards and backwards, ...), which sentence encoders hardly tell apart. All others are negatives.
    """
    size = len(captions)
    words = [" ".join(re.findall(r"\w+", caption.lower())) for caption in captions]
    sides = [frozenset(SIDES.findall(caption.lower())) for caption in captions]
    tags = [tuple(sorted(of.items())) for of in labels] if labels else [()] * size

    def table(values: Sequence[object]) -> Tensor:
        numbers: dict[object, int] = {}
        ids = torch.tensor([numbers.setdefault(value, len(numbers)) for value in values], device=alike.device)
        return ids[:, None] == ids[None, :]

    labelled = torch.tensor([bool(tag) for tag in tags], device=alike.device)
    both = labelled[:, None] & labelled[None, :]
    same_label, same_words, same_sides = both & table(tags), table(words), table(sides)
    differ = both & ~same_label
    positive = same_label | (same_words & ~differ) | torch.eye(size, dtype=torch.bool, device=alike.device)
    near = (alike > near_equal) & same_sides & ~both
    negative = ~positive & ~near & ~(same_words & differ)
    return positive, negative


class TextMotion(Space):
    """Embeds motions and sentences so that what belongs together lies close (Euclidean distance).

    embedding: E. patch: frames a token. convolutions, layers: of the motion's network, convolutions first (they find
    steps and gestures in fewer training steps than attention does). text_layers: of the sentence's network.
    temperature: the first one, learned from there. near_equal: cosine of sentence embeddings above which two captions
    are not held against each other. reconstruction: weight of reading mean, spread and restlessness of every feature
    off the embedding, which keeps it sensitive to how a motion is done (skating, jitter) and not only to what is said
    about it. uniformity: weight of spreading the embeddings over the sphere (Wang and Isola 2020, arXiv:2005.10242,
    equation 4). speed_change, crop, noise: augmentation, as for the recogniser.
    """

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        width: int = 256,
        convolutions: int = 2,
        layers: int = 2,
        heads: int = 4,
        feed_forward: int = 1024,
        text_layers: int = 1,
        patch: int = 4,
        embedding: int = 128,
        dropout: float = 0.1,
        temperature: float = 0.1,
        near_equal: float = 0.9,
        reconstruction: float = 0.1,
        uniformity: float = 0.0,
        speed_change: float = 0.1,
        crop: float = 0.9,
        noise: float = 0.01,
    ) -> None:
        super().__init__()
        for setting, value, low, high in [
            ("crop", crop, 0.1, 1.0),
            ("speed_change", speed_change, 0.0, 0.5),
            ("near_equal", near_equal, 0.0, 1.0),
            ("temperature", temperature, 0.001, 10.0),
            ("patch", patch, 1, 64),
        ]:
            if not low <= value <= high:
                raise ConfigError(f"text_motion.{setting}: got {value}; allowed: {low} to {high}")
        self.spec, self.slots, self.width = spec, tuple(slots), width
        self.patch, self.near_equal = patch, near_equal
        self.reconstruction, self.uniformity = reconstruction, uniformity
        self.speed_change, self.crop, self.noise = speed_change, crop, noise
        features = features_of(spec.skeleton)
        self.enter = nn.Linear(patch * features, width)
        self.blocks = nn.ModuleList(Block(width, 7, dropout) for _ in range(convolutions))
        self.motion_transformer = Transformer(layers, width, heads, feed_forward, dropout, "pre")
        self.attend = nn.Linear(width, 4)
        self.to_embedding = nn.Linear(6 * width, embedding)
        self.text_transformer = Transformer(text_layers, width, heads, feed_forward, dropout, "pre")
        self.text_to_embedding = nn.Linear(width, embedding)
        self.scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.moments = nn.Linear(embedding, 3 * features) if reconstruction else None

    def features(self, motion: Motion) -> Tensor:
        """(B, T, K), zero on padding. Errors: DataError for another skeleton, frame rate, or a NaN."""
        features = motion_features(read_joints(motion, self.spec, "text_motion"), self.spec.fps, self.spec.skeleton)
        speeds = hold_last(features[..., -SPEEDS:], motion.lengths)
        return torch.cat([features[..., :-SPEEDS], speeds], -1) * motion.mask[..., None]

    def embed(self, motion: Motion) -> Tensor:
        """(B, E) embeddings, not normalised. Padding and the rest of the batch have no influence."""
        return self._embed(self.features(motion), motion.lengths)

    def _embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        patches, mask = cut_patches(features, lengths, self.patch)
        h = self.enter(patches) * mask[..., None]
        for block in self.blocks:
            h = block(h, mask)
        h = h + 0.1 * sinusoidal(h.shape[1], self.width).to(h)  # at full size it would drown what the frames show
        h = self.motion_transformer(h, mask)
        weights = self.attend(h).masked_fill(~mask[..., None], -torch.inf).softmax(1)  # (B, S, 4)
        attended = torch.einsum("bsk,bsw->bkw", weights, h).flatten(1)
        mean = (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        highest = h.masked_fill(~mask[..., None], -torch.inf).amax(1)
        return self.to_embedding(torch.cat([attended, mean, highest], 1))

    def embed_condition(self, given: Mapping[str, Condition]) -> Tensor:
        """(B, E) embeddings of the slots' sentences. Errors: DataError when there is no slot."""
        if not given:
            raise DataError("text_motion: no sentence was given; the space needs its slots filled")
        mask = torch.cat([given[slot].mask for slot in self.slots], 1)
        h = self.text_transformer(torch.cat([given[slot].tokens for slot in self.slots], 1), mask)
        return self.text_to_embedding((h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))

    def logits(self, text: Tensor, motion: Tensor) -> Tensor:
        """(B, B'): minus the squared distance of sentence i and motion j over the temperature and the width E."""
        with torch.autocast(text.device.type, enabled=False):  # a difference of large numbers: not in half precision
            text, motion = text.float(), motion.float()
            squares = text.square().sum(1)[:, None] - 2 * text @ motion.T + motion.square().sum(1)[None]
            return -squares * self.scale.float().clamp(max=math.log(100)).exp() / text.shape[1]

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """Contrast of the batch's captions and clips, both ways, plus the optional terms.

        Parts: ``contrast``; ``top1``, the part of captions whose nearest clip is theirs (or an equal one); ``pairs``,
        the positives a row; ``temperature``; ``reconstruction``, ``uniformity`` where they count.
        Errors: DataError without motion or captions.
        """
        if batch.motion is None or not self.slots or not all(slot in batch.raw for slot in self.slots):
            raise DataError(f"text_motion: the batch has no motion or no text for {', '.join(self.slots) or 'a slot'}")
        features, lengths = self.features(batch.motion), batch.motion.lengths
        if self.training:
            features, lengths = augment(
                features, lengths, speeds=SPEEDS, crop=self.crop, speed_change=self.speed_change, noise=self.noise / 0.5
            )
        motion, text = self._embed(features, lengths), self.embed_condition(given)
        said = torch.stack([given[slot].mask[:, 1:].any(1) for slot in self.slots]).any(0)
        captions = [" / ".join(batch.raw[slot][b] or "" for slot in self.slots) for b in range(len(said))]
        positive, negative = relations(captions, batch.labels, self._alike(given), self.near_equal)
        real = said[:, None] & said[None, :]  # a clip whose caption is missing or dropped takes no part
        logits = self.logits(text, motion)
        forth = contrastive_loss(logits, positive & real, negative & real)
        total = (forth + contrastive_loss(logits.T, positive.T & real, negative.T & real)) / 2
        with torch.no_grad():
            best = logits.masked_fill(~real, -torch.inf).argmax(1, keepdim=True)
            hits = positive.gather(1, best)[:, 0] & said
        parts = {
            "contrast": total.detach(),
            "top1": hits.sum() / said.sum().clamp(min=1),
            "pairs": (positive & real).sum() / said.sum().clamp(min=1),
            "temperature": self.scale.detach().neg().exp(),
        }
        if self.moments is not None:
            parts["reconstruction"] = F.smooth_l1_loss(self.moments(motion).float(), moments(features, lengths))
            total = total + self.reconstruction * parts["reconstruction"]
        if self.uniformity:
            parts["uniformity"] = (uniformity(text) + uniformity(motion)) / 2
            total = total + self.uniformity * parts["uniformity"]
        return {"loss": total, **parts}

    def _alike(self, given: Mapping[str, Condition]) -> Tensor:
        """(B, B) cosines of the captions as the (frozen) encoder sees them: the mean of its tokens, slots averaged."""
        alike = 0
        for slot in self.slots:
            encoded, mask = given[slot].encoded, given[slot].mask[:, 1:]
            if encoded is None:
                raise DataError(f"text_motion: slot {slot} was not made by a conditioning: it has no encoder's tokens")
            mean = (encoded * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
            mean = F.normalize(mean.detach().float(), dim=1)
            alike = alike + mean @ mean.T
        return alike / len(self.slots)


def moments(features: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, K), lengths (B,) -> (B, 3K): mean, standard deviation and mean absolute step over the real frames."""
    mask = length_mask(lengths, features.shape[1])[..., None].to(features)
    count = mask.sum(1)
    mean = (features * mask).sum(1) / count
    spread = (((features - mean[:, None]) * mask).square().sum(1) / count).sqrt()
    steps = (torch.diff(features, dim=1).abs() * mask[:, 1:]).sum(1) / (count - 1).clamp(min=1)
    return torch.cat([mean, spread, steps], 1)


def uniformity(x: Tensor) -> Tensor:
    """log of the mean of exp(-2 |x_i - x_j|^2) over pairs i < j of unit vectors (Wang and Isola 2020, equation 4)."""
    return torch.pdist(F.normalize(x, dim=1)).square().mul(-2).exp().mean().log()
