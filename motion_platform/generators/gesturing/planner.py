"""Gestures by plan: a library of captured gestures put on the stressed syllables of any speech, by rule.

Nothing is learned, so nothing is in the way of a new language or voice. What is planned is said to be planned: it is on
the accent because it was put there. The rules: :mod:`motion_platform.motion.gesturing.plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from motion_platform.core.contracts import Generator
from motion_platform.core.errors import ConfigError, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling, Word
from motion_platform.core.seeding import NoiseSource, seed_of
from motion_platform.motion.gesturing import emotions, library
from motion_platform.motion.gesturing.emotions import Manner
from motion_platform.motion.gesturing.finishing import paced
from motion_platform.motion.gesturing.plan import lexicon
from motion_platform.motion.gesturing.stance import stand
from motion_platform.motion.gesturing.talk import Talk, talk
from motion_platform.motion.representations import get_representation


class GesturePlanner(Generator):
    """Plans gestures from prosody. Slots: the first reads encoder ``prosody``; the others may be left out of a recipe.

    emotions: the labels of slot ``emotion_slot``, in the order of its one-hot encoder (``label``, learned: false).
    word_slot: encoder ``gesture_words``: which words call for which gesture. stroke_slot: encoder ``times``: apexes
    that a user asks for. gestures: a library file (``motion.gesturing.library``), None: the packaged one. fastest: m/s
    that no wrist is faster than (0: any).

    A sample depends on its id and the seed in which gestures are drawn; when they come is the speech's alone.
    """

    mixes = True
    edits = False

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        emotions: Sequence[str] = (),
        emotion_slot: str = "emotion",
        word_slot: str = "transcript",
        stroke_slot: str = "strokes",
        gestures: str | None = None,
        fastest: float = 0.0,
    ) -> None:
        super().__init__()
        self.spec, self.slots, self.width = spec, tuple(slots), 0
        if not self.slots:
            raise ConfigError("gesture_planner: has no slot to hear speech through; give slot speech encoder prosody")
        if spec.skeleton != library.SKELETON:
            raise ConfigError(f"gesture_planner: plans for skeleton {library.SKELETON}, not {spec.skeleton}")
        self.emotions = tuple(emotions)
        _check_emotions(self.emotions)
        self.emotion_slot, self.word_slot, self.stroke_slot = emotion_slot, word_slot, stroke_slot
        self.gestures, self.fastest = gestures, fastest
        self.not_learned = (stroke_slot,)
        self.place = nn.Parameter(torch.zeros(1))  # nothing is learned; it says on which device the model is

    @cached_property
    def library(self) -> library.Library:
        return library.packaged() if self.gestures is None else library.load(self.gestures)

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss": 0}: there is nothing to learn."""
        return {"loss": (self.place * 0).sum()}

    @torch.no_grad()
    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling | None = None,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions of the asked lengths (B,), raw units. UsageError for an edit."""
        if edit is not None:
            raise UsageError("gesture_planner: makes whole motions; editing needs a diffusion model")
        representation = get_representation(self.spec.representation)
        amplitude = 1.0 if sampling is None else sampling.amplitude
        x = torch.zeros(len(lengths), int(lengths.max()), self.spec.dim)
        for row, length in enumerate(lengths.tolist()):
            made = self.talk(given, row, length, seed_of(noise.seed, noise.ids[row], "gestures"), amplitude)
            joints, turned = made.joints, made.rotations
            if self.fastest:
                turned = paced(turned, representation.skeleton, self.spec.fps, self.fastest).astype(np.float32)
                joints = stand(turned, representation.skeleton)
                joints += made.joints[:1, :1] - joints[:1, :1]  # feet and pelvis of a plan stand still: where they were
            x[row, :length] = torch.from_numpy(representation.encode(joints, turned))
        return Motion(x.to(self.place.device), lengths, self.spec)

    def talk(self, given: Mapping[str, Condition], row: int, length: int, seed: int, amplitude: float = 1.0) -> Talk:
        """One row as a body and the plan that it carries out."""
        speech = given[self.slots[0]]
        return talk(
            encoded_row(speech, row),
            float(speech.rate_hz or self.spec.fps),
            length,
            self.spec.fps,
            self.library,
            np.random.default_rng(seed),
            manner=self.manner(given.get(self.emotion_slot), row),
            words=self.words(given.get(self.word_slot), row),
            marks=marks_of(given.get(self.stroke_slot), row, length / self.spec.fps),
            amplitude=amplitude,
        )

    def manner(self, condition: Condition | None, row: int) -> Manner:
        """The manner of a row's emotion, or between those of a mixture; neutral where none is given."""
        if condition is None or not self.emotions:
            return Manner()
        parts = condition.mixed or [(torch.ones(len(condition.mask)), condition)]
        weights: dict[str, float] = {}
        for weight, part in parts:
            shown = encoded_row(part, row)
            if len(shown) and float(weight[row]) > 0:
                name = self.emotions[int(shown[0].argmax())]
                weights[name] = weights.get(name, 0.0) + float(weight[row])
        return emotions.mixed(weights)

    def words(self, condition: Condition | None, row: int) -> list[Word]:
        """The words of a row that call for a gesture, one of each kind's words standing for all."""
        if condition is None:
            return []
        shown, rate = encoded_row(condition, row), float(condition.rate_hz or self.spec.fps)
        kinds = sorted(set(lexicon().values()))
        example = {kind: word for word, kind in lexicon().items()}
        found: list[Word] = []
        for k, token in enumerate(shown):
            if token.max() > 0:
                text, start, end = example[kinds[int(token.argmax())]], k / rate, (k + 1) / rate
                if found and found[-1].text == text and start - found[-1].end < 0.5 / rate:
                    found[-1] = Word(text, found[-1].start, end)
                else:
                    found.append(Word(text, start, end))
        return found


def _check_emotions(names: Sequence[str]) -> None:
    for name in names:
        emotions.mixed({name: 1.0})


def encoded_row(condition: Condition, row: int) -> np.ndarray:
    """The encoder's own tokens of one row that are on: (n, C)."""
    own = condition.encoded
    if own is None or own.shape[1] == 0:
        return np.zeros((0, 1 if own is None else own.shape[-1]), np.float32)
    return own[row, condition.mask[row, 1:]].detach().float().cpu().numpy()


def marks_of(condition: Condition | None, row: int, seconds: float) -> list[float]:
    """Apexes that a user asked for, in seconds; [] where none. UsageError for one after the end."""
    marks = [] if condition is None else [float(token[0]) for token in encoded_row(condition, row)]
    late = [mark for mark in marks if mark > seconds]
    if late:
        raise UsageError(f"strokes: got {late[0]:g} s, but the speech lasts {seconds:.2f} s; give times within it")
    return marks
