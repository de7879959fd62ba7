"""Speech into gesture in two stages: when to gesture is heard first, and the motion is made of that.

A small network that goes from sound to motion in one step learns the look of gesture and hardly its timing. Told the
strokes, it learns the timing in minutes. So a stage of its own hears where strokes are, and the diffusion network is
told their track (:mod:`motion_platform.motion.gesturing.track`) beside sound and emotion; a user's own marks, or any
planner's, take the place of what was heard.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from motion_platform.audio.prosody import loudness
from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import (
    Audio,
    Batch,
    Condition,
    Edit,
    Mixture,
    Motion,
    MotionSpec,
    Sampling,
    length_mask,
)
from motion_platform.core.seeding import NoiseSource
from motion_platform.encoders.times import times_of
from motion_platform.generators.diffusion.gesture_diffusion import PIECES, GestureDiffusion, GestureNetwork
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.generators.gesturing.planner import marks_of
from motion_platform.motion.gesturing.accents import phrases_of
from motion_platform.motion.gesturing.emotions import Manner, manners, mixed
from motion_platform.motion.gesturing.finishing import BLOCK, paced, postured, rested, resting
from motion_platform.motion.gesturing.library import SKELETON, packaged
from motion_platform.motion.gesturing.perform import at_rest
from motion_platform.motion.gesturing.stance import SETTLE, joined, smoothed, stand
from motion_platform.motion.gesturing.track import COLUMNS, stroke_track
from motion_platform.motion.representations import Representation, get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.frame_tokens import on_frames
from motion_platform.nn.stroke_network import StrokeNetwork, strokes_of

MIN_FRAMES = 4
"""That a block has at the least."""
TRACK = "track"
"""The name under which guidance weighs the strokes."""


class GestureTwoStage(GestureDiffusion):
    """:class:`GestureDiffusion`, told a track of strokes that its first stage hears in the first slot's encoder.

    In training the track is the data's: stream ``strokes`` of ``speech_gestures``. stroke_slot: encoder ``times``,
    apexes that a user asks for. track_dropout: how often training is told no track. stroke_channels: width of the first
    stage. stroke_threshold: probability from which a stroke is made. stroke_size: of a stroke that a user asks for. The
    feet stand and bones have the skeleton's lengths in what is made; pieces run into each other, and a Gaussian of
    ``smoothing`` seconds takes the trembling. posture: trunk and head are bent, in the slow mean, as the manner of the
    emotion (slot ``emotion_slot``) was measured to be. rest: seconds of a pause from which the hands go back to rest
    (0: never). fastest: m/s that no wrist is faster than (0: any).
    network, diffusion: as of :class:`GestureDiffusion`.
    """

    called = "gesture_two_stage"

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        stroke_slot: str = "strokes",
        inputs: int = 4,
        stroke_channels: int = 48,
        stroke_threshold: float = 0.3,
        stroke_size: float = 0.7,
        smoothing: float = 0.05,
        posture: bool = False,
        rest: float = 0.0,
        fastest: float = 0.0,
        emotion_slot: str = "emotion",
        track_dropout: float = 0.1,
        network: GestureNetwork = GestureNetwork(),
        diffusion: DiffusionSettings = PIECES,
    ) -> None:
        told = [slot for slot in slots if slot != stroke_slot]
        if not told or TRACK in slots:
            raise ConfigError(f"{self.called}: slots: got {', '.join(slots) or 'none'}; a slot of speech comes first")
        super().__init__(spec, (*told, TRACK), network=network, diffusion=diffusion)
        self.ear, self.stroke_slot, self.not_learned = told[0], stroke_slot, (stroke_slot,)
        self.stroke_threshold, self.stroke_size, self.track_dropout = stroke_threshold, stroke_size, track_dropout
        self.smoothing, self.emotion_slot = smoothing, emotion_slot
        self.posture, self.rest, self.fastest = posture, rest, fastest
        self.strokes = StrokeNetwork(inputs, stroke_channels)
        self.track = nn.Linear(len(COLUMNS), self.width)
        self.silent = nn.Parameter(0.02 * torch.randn(self.width))  # stands where no track is told

    def track_condition(self, track: Tensor, mask: Tensor) -> Condition:
        """A track (B, N, 4) and its real frames -> the condition ``track``."""
        told = self.track(track) * mask[..., None]
        tokens = torch.cat([self.silent.expand(len(track), 1, -1).to(told.dtype), told], 1)
        return Condition(tokens, torch.cat([mask.new_ones(len(mask), 1), mask], 1), self.spec.fps)

    def heard(self, given: Mapping[str, Condition], frames: Tensor) -> tuple[Tensor, Tensor]:
        """The ear's own numbers on frames (B, W): (B, W, inputs), and where anything is heard."""
        condition = given[self.ear]
        own = condition.encoded
        rows = torch.arange(len(frames), device=frames.device)
        if own is None or own.shape[1] == 0:
            nothing = torch.zeros(*frames.shape, self.strokes.first.in_channels, device=frames.device)
            return nothing, torch.zeros_like(frames, dtype=torch.bool)
        # Dropped speech is heard all the same: the first stage learns from every row. What is padded is silence.
        on = own.new_ones(len(own), 1 + own.shape[1], dtype=torch.bool)
        whole = Condition(torch.cat([own.new_zeros(len(own), 1, own.shape[2]), own], 1), on, condition.rate_hz)
        return on_frames(whole, self.spec.fps, rows, frames)

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """Both stages': {"loss", ..., "strokes"}. The network is told the data's track, the first stage learns it."""
        if batch.motion is None:
            raise DataError(f"{self.called}: the batch has no motion to learn from")
        mask = batch.motion.mask
        track = torch.zeros(*mask.shape, len(COLUMNS), device=mask.device)
        for row, audio in enumerate(batch.raw[self.ear]):
            track[row] = torch.as_tensor(_track_of(audio, mask.shape[1]), device=mask.device)
        frames = torch.arange(mask.shape[1], device=mask.device).expand(len(mask), -1)
        sound, _ = self.heard(given, frames)
        first = self.strokes.loss(sound, mask, track[..., 2], track[..., 3])
        told = self.track_condition(track, mask)
        if self.training:
            told = told.drop(torch.rand(len(mask), device=mask.device) < self.track_dropout)
        parts = super().loss(batch, {**given, TRACK: told})
        return {**parts, "loss": parts["loss"] + first, "strokes": first.detach()}

    @torch.no_grad()
    def planned(self, given: Mapping[str, Condition], lengths: Tensor) -> list[tuple[list[float], list[float]]]:
        """Each row's apexes in seconds and their sizes: what a user asks for, else what is heard."""
        device = self.silent.device
        frames = torch.arange(int(lengths.max()), device=device).expand(len(lengths), -1)
        sound, there = self.heard(given, frames)
        logits, sizes = self.strokes(sound, there)
        found = []
        for row, length in enumerate(lengths.tolist()):
            asked = marks_of(given.get(self.stroke_slot), row, length / self.spec.fps)
            if asked:
                found.append((asked, [self.stroke_size] * len(asked)))
                continue
            probability = torch.where(there[row], logits[row].sigmoid(), 0.0)[:length].cpu().numpy()
            large = sizes[row, :length].cpu().numpy()
            found.append(strokes_of(probability, large, self.spec.fps, self.stroke_threshold))
        return found

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling | None = None,
        edit: Edit | None = None,
    ) -> Motion:
        """As :meth:`GestureDiffusion.generate`; the strokes are those of :meth:`planned`."""
        lengths = lengths.to(self.silent.device)
        tracks = torch.zeros(len(lengths), int(lengths.max()), len(COLUMNS), device=self.silent.device)
        for row, (times, sizes) in enumerate(self.planned(given, lengths)):
            made = stroke_track(times, sizes, int(lengths[row]), self.spec.fps)
            tracks[row, : len(made)] = torch.from_numpy(made)
        told = {slot: given[slot] for slot in self.slots if slot in given}
        told[TRACK] = self.track_condition(tracks, length_mask(lengths))
        return super().generate(told, lengths, noise=noise, sampling=sampling, edit=edit)

    def finished(self, motion: Motion, raw: Mapping[str, Sequence[Any]]) -> Motion:
        """The motion without jumps at its seams, on feet that stand, with bones of the skeleton's lengths; posture,
        hands that rest in pauses and their speed as the settings say. It is put into the motion's own memory."""
        representation = get_representation(motion.spec.representation)
        skeleton, fps = representation.skeleton, motion.spec.fps
        if not representation.needs_rotations or skeleton.offsets is None:
            return motion
        x = motion.x
        for row, length in enumerate(motion.lengths.tolist()):
            turned = self._turned(motion.x[row, :length], representation, fps)
            turned = self._mannered(turned, {slot: values[row] for slot, values in raw.items()}, fps)
            if self.fastest:
                turned = paced(turned, skeleton, fps, self.fastest).astype(np.float32)
            for start in range(0, length, BLOCK):  # an hour at once would take gigabytes
                first = max(0, start - 1)  # speeds are differences to the frame before
                end = length if length - start - BLOCK < MIN_FRAMES else start + BLOCK
                part = turned[first:end]
                made = representation.encode(stand(part, skeleton), part)[start - first :]
                x[row, start : start + len(made)] = torch.from_numpy(made).to(x)
                if end == length:
                    break
        return Motion(x, motion.lengths, motion.spec)

    def _turned(self, x: Tensor, representation: Representation, fps: float) -> np.ndarray:
        """Features (T, D) -> local rotations (T, J, 4) float32, without jumps at seams and without trembling."""
        length, seams = len(x), self.seams(len(x))
        margin = math.ceil((SETTLE + 4 * self.smoothing) * fps) + 2
        parts = []
        for start in range(0, length, BLOCK):
            first, end = max(0, start - margin), min(length, start + BLOCK + margin)
            own = [seam - first for seam in seams if first < seam < end]
            whole = smoothed(joined(x[first:end].float().cpu().numpy(), own, fps), self.smoothing, fps)
            turned = representation.rotations(torch.from_numpy(whole).float())
            assert turned is not None  # it needs rotations, so it has them
            parts.append(turned.numpy()[start - first : start - first + BLOCK])
        return np.concatenate(parts)

    def _mannered(self, turned: np.ndarray, told: Mapping[str, Any], fps: float) -> np.ndarray:
        """Rotations (T, J, 4) in the posture of the emotion, with hands that rest in the pauses of what is heard.
        told: slot -> the row's raw input."""
        audio = told.get(self.ear)
        if self.spec.skeleton != SKELETON or not (self.rest or self.posture):
            return turned
        seconds, manner = np.arange(len(turned)) / fps, manner_of(told.get(self.emotion_slot))
        standing = np.empty_like(turned)
        for k in range(0, len(seconds), BLOCK):
            standing[k : k + BLOCK] = at_rest(packaged(), seconds[k : k + BLOCK], manner)
        if self.posture:
            turned = postured(turned, standing, get_skeleton(SKELETON), fps)
        if self.rest and isinstance(audio, Audio):
            phrases = phrases_of(loudness(audio, fps)[:, None], fps)
            marks = times_of(told.get(self.stroke_slot) or "")
            turned = rested(turned, standing, resting(phrases, marks, self.rest, seconds))
        return turned.astype(np.float32)


def manner_of(emotion: str | Mixture | None) -> Manner:
    """The manner of a raw emotion or of a mixture; what has no measured manner counts as neutral."""
    parts = emotion.parts if isinstance(emotion, Mixture) else ((emotion or "neutral", 1.0),)
    weights: dict[str, float] = {}
    for name, weight in parts:
        known = name if name in manners() else "neutral"
        weights[known] = weights.get(known, 0.0) + weight
    return mixed(weights)


def _track_of(audio: Audio | None, frames: int) -> np.ndarray:
    """The data's track of one row, as long as the batch. DataError for data without it."""
    if audio is None or "strokes" not in audio.features:
        raise DataError("gesture_two_stage: the data hold no stream 'strokes'; prepare speech_gestures")
    track = np.asarray(audio.features["strokes"], np.float32)[:frames]
    return np.pad(track, ((0, frames - len(track)), (0, 0)))
