"""The words that every part speaks: motions, conditions, batches, and what an encoder, a generator and a metric are.

One letter, one meaning, project wide: B batch, T frames, D motion features, J joints, N condition tokens, C encoder
width, S token steps, Q codebooks, E embedding. Masks: True = real. Motion outside a generator: raw units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError, UsageError


def length_mask(lengths: Tensor, frames: int | None = None) -> Tensor:
    """(B,) lengths -> (B, T) boolean mask, True on the first ``lengths[b]`` frames."""
    frames = int(lengths.max()) if frames is None else frames
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


@dataclass(frozen=True)
class MotionSpec:
    """What the numbers of a motion mean; saved in every checkpoint.

    representation, skeleton: registered names. fps: frames a second. mean, std: (D,) statistics of the training
    split; there is no default, because motion normalised with somebody else's statistics is silent garbage.
    """

    representation: str
    skeleton: str
    fps: float
    mean: Tensor
    std: Tensor
    units: str = "metre"

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise DataError(f"MotionSpec: mean {tuple(self.mean.shape)} and std {tuple(self.std.shape)} must be (D,)")
        if not (torch.isfinite(self.mean).all() and torch.isfinite(self.std).all() and (self.std > 0).all()):
            raise DataError("MotionSpec: statistics must be finite and every std above 0; prepare the data again")

    @property
    def dim(self) -> int:
        """D, the number of features of a frame."""
        return self.mean.shape[0]

    def normalise(self, x: Tensor) -> Tensor:
        """(..., D) raw -> zero mean, unit variance."""
        return (x - self.mean.to(x)) / self.std.to(x)

    def restore(self, x: Tensor) -> Tensor:
        """(..., D) normalised -> raw units."""
        return x * self.std.to(x) + self.mean.to(x)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for model.yaml; statistics go into the weight file."""
        return {name: getattr(self, name) for name in ("representation", "skeleton", "fps", "units", "dim")}


@dataclass
class Motion:
    """A padded batch of motions: x (B, T, D) raw features, lengths (B,) int64, and what they mean.

    own (B, T, D): what a generator made itself, before frames that it was given were put back into x; None where
    nothing was given.
    """

    x: Tensor
    lengths: Tensor
    spec: MotionSpec
    own: Tensor | None = None

    @property
    def mask(self) -> Tensor:
        """(B, T), True on real frames."""
        return length_mask(self.lengths, self.x.shape[1])

    def to(self, device: torch.device | str) -> Motion:
        own = None if self.own is None else self.own.to(device)
        return Motion(self.x.to(device), self.lengths.to(device), self.spec, own)


@dataclass
class Condition:
    """Encoded condition: tokens (B, N, C), mask (B, N), rate_hz (tokens a second, None for text and labels).

    An encoder returns its real tokens only. After conditioning, C is the model's width and token 0 is a learned null
    token that is always on: a dropped condition keeps token 0 alone, so no attention row is ever empty.
    encoded: after conditioning, the encoder's own tokens (B, N, C), neither projected nor dropped, for a model that
    asks how alike two inputs are or that was published with its own input layers; its real tokens are ``mask[:, 1:]``
    (in evaluation mode, where nothing is dropped).
    mixed: of a slot that holds a :class:`Mixture` in some row, every value's weight (B,) and condition, the first one's
    as well.
    """

    tokens: Tensor
    mask: Tensor
    rate_hz: float | None = None
    encoded: Tensor | None = None
    mixed: Sequence[tuple[Tensor, Condition]] = ()

    def rows(self, chosen: Tensor) -> Condition:
        """The condition of some rows, an index (R,): tokens, mask and the encoder's own tokens; no rate, no mixture."""
        encoded = None if self.encoded is None else self.encoded[chosen]
        return Condition(self.tokens[chosen], self.mask[chosen], encoded=encoded)

    @staticmethod
    def stacked(views: Sequence[Condition]) -> Condition:
        """Conditions of as many tokens one after the other along the batch, as :meth:`rows` takes them apart."""
        own = [view.encoded for view in views if view.encoded is not None]
        encoded = torch.cat(own) if len(own) == len(views) else None
        return Condition(torch.cat([v.tokens for v in views]), torch.cat([v.mask for v in views]), encoded=encoded)

    def drop(self, rows: Tensor | None = None) -> Condition:
        """Switch off everything but the null token, in all rows or where ``rows`` (B,) is True."""
        mask = self.mask.clone()
        if rows is None:
            mask[:, 1:] = False
        else:
            mask[:, 1:] &= ~rows[:, None]
        return replace(self, mask=mask)

    def pooled(self) -> Tensor:
        """(B, C): after conditioning, the mean of the real tokens that are on, or the null token where none is."""
        on = self.mask[:, 1:, None]
        count = on.sum(1)
        mean = (self.tokens[:, 1:] * on).sum(1) / count.clamp(min=1)
        return torch.where(count > 0, mean, self.tokens[:, 0])

    def to(self, device: torch.device | str) -> Condition:
        encoded = None if self.encoded is None else self.encoded.to(device)
        return replace(self, tokens=self.tokens.to(device), mask=self.mask.to(device), encoded=encoded)


@dataclass(frozen=True)
class Mixture:
    """Several values of one slot at once: (value, weight) pairs, weights above 0 that sum to 1.

    A generator that ``mixes`` makes the weighted mean of what it would predict under each.
    """

    parts: tuple[tuple[Any, float], ...]

    @classmethod
    def of(cls, parts: Sequence[tuple[Any, float]], where: str) -> Mixture:
        """Weights as a person gives them, brought to a sum of 1. UsageError for what makes no mixture."""
        total = sum(weight for _, weight in parts)
        if not all(weight >= 0 for _, weight in parts) or not 0 < total < float("inf"):
            said = ", ".join(f"{value}:{weight:g}" for value, weight in parts)
            raise UsageError(f"{where}: got {said}; allowed: weights of 0 or more that do not sum to 0")
        return cls(tuple((value, weight / total) for value, weight in parts if weight))


@dataclass
class Tokens:
    """Discrete motion: ids (B, S, Q) int64, lengths (B,) in steps."""

    ids: Tensor
    lengths: Tensor


class Word(NamedTuple):
    """A word of a recording and when it is said: seconds from where the recording begins."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Audio:
    """One recording, or a part of one: what an encoder that reads "audio" or "words" is given.

    samples: (n,) float32, mono, full scale 1; None where only features are known (published data sets hold no sound).
    rate: samples a second (0 without samples). features: name of a front end -> (N, K) float32, computed ahead.
    seconds: how long it lasts. part: of a longer recording its name, the second at which this part of it begins, and
    the whole on demand, which a frozen encoder may hear once instead of every part anew. words: what is said, in order;
    () where that is not known or nobody speaks.
    """

    seconds: float
    samples: np.ndarray | None = None
    rate: int = 0
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    part: tuple[str, float, Callable[[], Audio]] | None = field(default=None, compare=False, repr=False)
    words: tuple[Word, ...] = ()


@dataclass
class Batch:
    """What a collate makes: ids (B stable names), raw (slot -> B inputs), lengths (B,) frames, motion, captions.

    events: a row each, name -> times (n,) in seconds from the row's first frame, in order ("beats", "bars").
    edit: what of ``motion`` a generator is given and keeps, for tasks that complete a motion.
    """

    ids: list[str]
    raw: dict[str, list[Any]]
    lengths: Tensor
    motion: Motion | None = None
    captions: list[list[str]] | None = None
    labels: list[dict[str, str]] | None = None
    events: list[dict[str, np.ndarray]] | None = None
    edit: Edit | None = None

    def to(self, device: torch.device | str) -> Batch:
        motion = self.motion.to(device) if self.motion else None
        return replace(self, lengths=self.lengths.to(device), motion=motion)


@dataclass
class Edit:
    """What an edit keeps: x (B, T, D) raw features of the given motion, keep (B, T, D) True where it must stay."""

    x: Tensor
    keep: Tensor


@dataclass(frozen=True)
class Spans:
    """Parts of motions in time, each with conditions of its own: S spans of B motions.

    rows, starts, lengths (S,): whose, from which frame, how many frames. lanes: S parts of the body that a span moves,
    "body" for all of it. A motion lasts until its last span ends; spans of one part do not overlap.
    """

    rows: Tensor
    starts: Tensor
    lengths: Tensor
    lanes: tuple[str, ...]

    @property
    def ends(self) -> Tensor:
        """(S,) the frame after each span's last one."""
        return self.starts + self.lengths

    def some(self, chosen: Tensor) -> Spans:
        """Only the spans of these numbers (n,)."""
        lanes = tuple(self.lanes[k] for k in chosen.tolist())
        return Spans(self.rows[chosen], self.starts[chosen], self.lengths[chosen], lanes)

    def totals(self) -> Tensor:
        """(B,) frames of the motions."""
        total = self.rows.new_zeros(int(self.rows.max()) + 1)
        return total.scatter_reduce(0, self.rows, self.ends, "amax")


LARGEST_GUIDANCE = 100.0
"""Useful weights are 1 to 10; far above, numbers overflow and no motion comes out."""

LARGEST_AMPLITUDE = 3.0
"""Three times the usual gestures: beyond it no arm is long enough."""


@dataclass(frozen=True)
class Sampling:
    """How to sample: guidance weight a slot (missing slots use the generator's default), sampler name and steps.

    amplitude: how large gestures are, against those that the generator makes by itself (1); a generator without
    gestures leaves it alone. progress(done, total): called now and then while a long motion is made.
    Errors: UsageError for a weight that is no number or beyond ``LARGEST_GUIDANCE``, or an amplitude out of range.
    """

    guidance: Mapping[str, float] = field(default_factory=dict)
    sampler: str | None = None
    steps: int | None = None
    amplitude: float = 1.0
    progress: Callable[[int, int], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for slot, weight in self.guidance.items():
            if not abs(weight) <= LARGEST_GUIDANCE:  # a NaN is not
                limits = f"{-LARGEST_GUIDANCE:g} to {LARGEST_GUIDANCE:g}"
                raise UsageError(f"--guidance: {slot}: got {weight:g}; allowed: {limits}")
        if not 0 <= self.amplitude <= LARGEST_AMPLITUDE:
            raise UsageError(f"--amplitude: got {self.amplitude:g}; allowed: 0 to {LARGEST_AMPLITUDE:g}")
