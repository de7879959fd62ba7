"""What an encoder, a generator, a tokenizer, a space and a metric are: the base class of every kind in the registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor, nn

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling, Spans, Tokens
from motion_platform.core.seeding import NoiseSource
from motion_platform.core.tasks import Kind

Reads = Kind


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

    def train(self, mode: bool = True) -> Encoder:
        """A frozen encoder stays in evaluation mode, whatever its owner does: no dropout, no moving statistics."""
        return super().train(mode and not self.frozen)

    @abstractmethod
    def forward(self, raw: Sequence[Any]) -> Condition:
        """B raw inputs -> Condition with tokens (B, N, C), without a null token."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when weights or settings change: the key of the feature cache."""

    def begins_with(self) -> str | None:
        """The fingerprint of an encoder whose tokens are the first columns of these: what was trained on that one can
        be trained on with this one. None where there is no such encoder."""
        return None


@dataclass(frozen=True)
class Statement:
    """A sentence about a motion. by: who says it, where that is not the model that was asked."""

    text: str
    by: str = ""


class Trainable(nn.Module, ABC):
    """Whatever a recipe can train. Attributes: ``spec``, ``slots`` (names it is conditioned on), ``width`` (that its
    slots are projected to; 0 where it reads the encoders' own tokens, ``Condition.encoded``, and nothing is projected).

    words_alone: it learns of texts and their labels, whatever the motion beside them shows.
    paces: start of a weight's name -> factor on the recipe's learning rate (a critic's against its generator's).
    not_learned: slots that nothing is learned of (what a user asks for): data need not fill them. describes_seconds:
    the longest motion that ``describe`` says one thing of, for a model without ``max_frames``. spread: why FSDP cannot
    spread this model over processes, and what can ("": it can).
    """

    spec: MotionSpec
    slots: tuple[str, ...]
    width: int
    words_alone: bool = False
    paces: Mapping[str, float] = {}
    not_learned: tuple[str, ...] = ()
    describes_seconds: float | None = None
    spread: str = ""

    @abstractmethod
    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss": scalar, ...parts} for a batch; ``given``: slot -> projected Condition (null token first)."""

    def describe(self, motion: Motion, *, noise: NoiseSource, sampling: Sampling) -> list[str]:
        """B sentences that say what the motions (raw units) show. UsageError for a model that has no words."""
        raise UsageError(f"{type(self).__name__} makes no words of motion; name a model that captions")

    def has_words(self) -> bool:
        """Can it ``describe``?"""
        return type(self).describe is not Trainable.describe

    def statements(self, motion: Motion, *, noise: NoiseSource, sampling: Sampling) -> list[Statement]:
        """:meth:`describe`, and for each sentence who says it, where that is not always the model itself."""
        return [Statement(text) for text in self.describe(motion, noise=noise, sampling=sampling)]

    def fingerprints(self) -> dict[str, str]:
        """What this was trained on top of and does not hold (name -> fingerprint): a checkpoint is refused where that
        is another one."""
        return {}


class Generator(Trainable):
    """A Trainable that makes motion from conditions. mixes: whether a slot may hold a ``Mixture`` of values; edits:
    whether it can keep parts of a given motion. links: what guidance weighs beside the slots."""

    mixes: bool = False
    edits: bool = True
    links: tuple[str, ...] = ()

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

    def compose(
        self, given: Mapping[str, Condition], spans: Spans, *, noise: NoiseSource, sampling: Sampling
    ) -> Motion:
        """B motions put together from S spans with a row of ``given`` each, made so that each runs into the next.

        ``noise`` has B ids. UsageError for a generator that cannot, or cannot move a part of the body alone.
        """
        raise UsageError(f"{type(self).__name__}: makes one motion of one text; it cannot put several together")

    def finished(self, motion: Motion, raw: Mapping[str, Sequence[Any]]) -> Motion:
        """What is done to a motion after it was made, from the raw inputs (slot -> B); evaluation sees it, too."""
        return motion

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
    """Embeds motion (and conditions) for distances between sets of motions. sees_motion: False for one that hears."""

    sees_motion: bool = True

    @abstractmethod
    def embed(self, motion: Motion) -> Tensor:
        """(B, E) embeddings, not normalised."""

    def embed_condition(self, given: Mapping[str, Condition]) -> Tensor:
        """(B, E) embeddings of conditions (slot -> Condition of the conditioning), in the same space as motions.

        Errors: UsageError for a space that embeds motion alone.
        """
        raise UsageError(f"space {type(self).__name__}: embeds motion, not conditions; name one that does both")

    @classmethod
    def embeds_conditions(cls) -> bool:
        """Whether it embeds what a motion is made from, too."""
        return cls.embed_condition is not Space.embed_condition


class State(ABC):
    """What a metric has gathered so far: mergeable across processes, and it knows whom it has counted."""

    ids: set[str]

    @abstractmethod
    def merge(self, other: State) -> State:
        """The union of both; DataError when a sample id was counted twice."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """{name: value}."""

    def subset(self, samples: set[str]) -> State | None:
        """The state of those samples alone, from which the interval over recordings is had. None: it has none."""
        return None


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


Needs = Literal["labels", "space", "truth", "text", "sync", "beats"]


class Metric(ABC):
    """A number with a definition. Attributes:

    name, unit; higher_is_better (None: the nearer to the number of real motion, the better).
    needs: what it reads of a space, or None for a metric that looks at motions or words themselves: "space" the
    embeddings of the predictions, "truth" those of the real motions as well, "text" those of the captions as well,
    "labels" those seen in the motions. judges: what the prediction is, motions, sentences or numbers of frames.
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
