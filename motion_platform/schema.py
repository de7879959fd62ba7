"""The words that every part speaks: motions, conditions, batches, and what an encoder, a generator and a metric are.

One letter, one meaning, project wide: B batch, T frames, D motion features, J joints, N condition tokens, C encoder
width, S token steps, Q codebooks, E embedding. Masks: True = real. Motion outside a generator: raw units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from motion_platform.errors import DataError, UsageError
from motion_platform.seeding import NoiseSource

Reads = Literal["text", "audio", "label", "motion"]


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
    """A padded batch of motions: x (B, T, D) raw features, lengths (B,) int64, and what they mean."""

    x: Tensor
    lengths: Tensor
    spec: MotionSpec

    @property
    def mask(self) -> Tensor:
        """(B, T), True on real frames."""
        return length_mask(self.lengths, self.x.shape[1])

    def to(self, device: torch.device | str) -> Motion:
        return Motion(self.x.to(device), self.lengths.to(device), self.spec)


@dataclass
class Condition:
    """Encoded condition: tokens (B, N, C), mask (B, N), rate_hz (tokens a second, None for text and labels).

    An encoder returns its real tokens only. After conditioning, C is the model's width and token 0 is a learned null
    token that is always on: a dropped condition keeps token 0 alone, so no attention row is ever empty.
    encoded: after conditioning, the encoder's own tokens (B, N, C), neither projected nor dropped, for a model that
    asks how alike two inputs are or that was published with its own input layers; its real tokens are ``mask[:, 1:]``
    (in evaluation mode, where nothing is dropped).
    """

    tokens: Tensor
    mask: Tensor
    rate_hz: float | None = None
    encoded: Tensor | None = None

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


@dataclass
class Tokens:
    """Discrete motion: ids (B, S, Q) int64, lengths (B,) in steps."""

    ids: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class Audio:
    """One recording, or a part of one: what an encoder that reads "audio" is given.

    samples: (n,) float32, mono, full scale 1; None where only features are known (published data sets hold no sound).
    rate: samples a second (0 without samples). features: name of a front end -> (N, K) float32, computed ahead.
    seconds: how long it lasts. part: of a longer recording its name, the second at which this part of it begins, and
    the whole on demand, which a frozen encoder may hear once instead of every part anew.
    """

    seconds: float
    samples: np.ndarray | None = None
    rate: int = 0
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    part: tuple[str, float, Callable[[], Audio]] | None = field(default=None, compare=False, repr=False)


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


class Encoder(nn.Module, ABC):
    """Reads one kind of raw input and returns tokens. Attributes: ``reads``, ``dim`` (C), ``rate_hz``, ``frozen``.

    hears_whole: while frozen, a recording of which parts are given is heard once, whole, kept, and cut: for encoders
    that cost much or that need the whole to know (a beat tracker).
    """

    reads: Reads
    dim: int
    rate_hz: float | None = None
    frozen: bool = True
    hears_whole: bool = False

    @abstractmethod
    def forward(self, raw: Sequence[Any]) -> Condition:
        """B raw inputs -> Condition with tokens (B, N, C), without a null token."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when weights or settings change: the key of the feature cache."""


class Trainable(nn.Module, ABC):
    """Whatever a recipe can train. Attributes: ``spec``, ``slots`` (names it is conditioned on), ``width``.

    paces: start of a weight's name -> factor on the recipe's learning rate (a critic's against its generator's).
    """

    spec: MotionSpec
    slots: tuple[str, ...]
    width: int
    paces: Mapping[str, float] = {}

    @abstractmethod
    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss": scalar, ...parts} for a batch; ``given``: slot -> projected Condition (null token first)."""

    def fingerprints(self) -> dict[str, str]:
        """What this was trained on top of and does not hold (name -> fingerprint): a checkpoint is refused where that
        is another one."""
        return {}


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


class Generator(Trainable):
    """A Trainable that makes motion from conditions."""

    @abstractmethod
    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions of the asked lengths (B,), raw units. ``edit`` keeps parts of a given motion."""

    def describe(self, motion: Motion, *, noise: NoiseSource, sampling: Sampling) -> list[str]:
        """B sentences that say what the motions (raw units) show. UsageError for a generator that has no words."""
        raise UsageError(f"{type(self).__name__}: makes motion, not words; name a model that captions")

    def natural_lengths(self, given: Mapping[str, Condition]) -> Tensor | None:
        """(B,) frames that motions of these conditions usually last; None for a generator that does not know."""
        return None

    def seams(self, length: int) -> list[int]:
        """Frames at which a motion of this length is put together from parts; none for a generator that needs none."""
        return []


class MotionTokenizer(Trainable):
    """A Trainable that writes motion as discrete tokens and reads it back.

    stride: frames a token step. codes: how many different tokens a codebook has. codebooks: Q.
    """

    stride: int
    codes: int
    codebooks: int

    @abstractmethod
    def encode(self, motion: Motion) -> Tokens:
        """Motion in raw units -> Tokens; lengths in steps, rounded up where a length is no multiple of ``stride``."""

    @abstractmethod
    def decode(self, tokens: Tokens) -> Motion:
        """Tokens -> Motion in raw units, ``stride`` frames a step. DataError for an id that is no code."""


class Space(Trainable):
    """Embeds motion (and conditions) for distances between sets of motions."""

    @abstractmethod
    def embed(self, motion: Motion) -> Tensor:
        """(B, E) embeddings, not normalised."""

    def embed_condition(self, given: Mapping[str, Condition]) -> Tensor:
        """(B, E) embeddings of conditions (slot -> Condition of the conditioning), in the same space as motions.

        Errors: UsageError for a space that embeds motion alone.
        """
        raise UsageError(f"space {type(self).__name__}: embeds motion, not conditions; name one that does both")


class State(ABC):
    """What a metric has gathered so far: mergeable across processes, and it knows whom it has counted."""

    ids: set[str]

    @abstractmethod
    def merge(self, other: State) -> State:
        """The union of both; DataError when a sample id was counted twice."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """{name: value}."""


@dataclass
class Embeddings:
    """What one space sees in a batch; made once a batch and space, and handed to every metric that measures there.

    motion: (B, E) of the predictions. truth: (B, E) of the real motions of the same ids. text: (B, E) of the captions
    that the predictions were made from, where the space embeds text; captions: those B sentences. labels: target ->
    label for every prediction, where the space classifies. sync: kind of negatives -> (B, 2), what a space that listens
    says about motion and music (frames right, pairs right). beats: a row each, name -> times (n,) in seconds ("beats",
    "bars"), what a space that tracks them hears in the music. Not normalised; row b belongs to ``batch.ids[b]``.
    """

    motion: Tensor | None = None
    truth: Tensor | None = None
    text: Tensor | None = None
    captions: list[str] | None = None
    labels: list[dict[str, str]] | None = None
    sync: dict[str, Tensor] | None = None
    beats: list[dict[str, np.ndarray]] | None = None


Needs = Literal["recogniser", "space", "truth", "text", "sync", "beats"]


class Metric(ABC):
    """A number with a definition. Attributes:

    name, unit; higher_is_better (None: the nearer to the number of real motion, the better).
    needs: what it reads of a space, or None for a metric that looks at motions or words themselves: "space" the
    embeddings of the predictions, "truth" those of the real motions as well, "text" those of the captions as well,
    "recogniser" the labels seen. judges: what the prediction is, motions, sentences or numbers of frames.
    generations: how many predictions it wants of every clip (their ids are made by :func:`generation_id`). clips: from
    how many clips at most (None: all of the split). What depends on chance takes a setting ``seed``, which the protocol
    gives (another one in every repeat).
    """

    name: str
    unit: str
    higher_is_better: bool | None
    needs: Needs | None = None
    judges: Literal["motion", "caption", "length"] = "motion"
    generations: int = 1
    clips: int | None = None

    @abstractmethod
    def state(
        self, prediction: Motion | Sequence[str] | Tensor, batch: Batch, embeddings: Embeddings | None = None
    ) -> State:
        """The state of one batch. prediction: what ``judges`` says, motions, B captions or (B,) numbers of frames."""

    def about(self, value: str) -> tuple[str, bool | None]:
        """(unit, higher is better) of one of the values that ``compute`` returns; by default those of the metric."""
        return self.unit, self.higher_is_better


def generation_id(sample: str, generation: int) -> str:
    """The id of one of several predictions for a clip: ``"clip 7#2"``."""
    return f"{sample}#{generation}"


def clip_of(sample: str) -> str:
    """The clip that a prediction is for: the id without ``#generation``."""
    clip, mark, generation = sample.rpartition("#")
    return clip if mark and generation.isdecimal() else sample


def merge_ids(a: set[str], b: set[str]) -> set[str]:
    """Union of sample ids; a sample counted twice is an error, never an average over 24 of 21 samples."""
    both = a & b
    if both:
        raise DataError(f"samples counted twice: {', '.join(sorted(both)[:3])}{' ...' if len(both) > 3 else ''}")
    return a | b
