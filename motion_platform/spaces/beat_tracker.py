"""Hears beats, bars, tempo and metre in music: a network over the mel spectrogram, and a bar pointer that reads it.

The network is that of nn/beat_network.py, the pointer that of audio/bar_pointer.py. Trained on rendered scores it must
not learn the renderer: in training every recording is played at another speed, shifted up or down, made louder,
coloured, masked and buried in noise (Boeck and Davies 2020 change the speed).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.audio.bar_pointer import Beats, Pointer, nearest
from motion_platform.core.contracts import Space
from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, length_mask
from motion_platform.nn.beat_network import METRES, RATE, STRIDE, TEMPI, BeatNetwork, read, tempo_class

NEAR = 1.5
"""Half the width of a beat, in frames: the network is asked for 1 on it, falling to 0 at this distance."""
UNKNOWN = -1
FASTEST, SLOWEST = 60 / 165, 60 / 42
"""Seconds from beat to beat that augmentation does not leave: beyond, two beats are beaten as one, or one as two."""


class BeatTracker(Space):
    """Mel frames of one slot (encoder ``mel``) -> beats and bars.

    channels, width, layers, dropout: of the network. speed: music is played up to this factor slower or faster. bands:
    and shifted by up to so many mel bands. noise: and up to this much of full scale is added. Its "embedding", for what
    treats every space alike, is the mean of the network's answers over a recording; it embeds music, not motion.
    """

    sees_motion = False

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        channels: int = 12,
        width: int = 48,
        layers: int = 10,
        dropout: float = 0.1,
        speed: float = 1.3,
        bands: int = 6,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        if len(slots) != 1:
            raise ConfigError(f"beat_tracker: got slots {list(slots)}; it listens to exactly one, with encoder mel")
        if not 1 <= speed <= 2 or not 0 <= noise <= 1 or not 0 <= bands < 32:
            raise ConfigError(f"beat_tracker: speed {speed} (1 to 2), noise {noise} (0 to 1), bands {bands} (0 to 31)")
        self.spec, self.slots, self.width = spec, tuple(slots), 0
        self.speed, self.bands, self.noise = speed, bands, noise
        self.network = BeatNetwork(channels, width, layers, dropout=dropout)

    def embed(self, motion: Motion) -> Tensor:
        """UsageError: it hears, it does not see."""
        raise UsageError("beat_tracker: listens to music and does not embed motion; name a space that does")

    def embed_condition(self, given: Mapping[str, Condition]) -> Tensor:
        """(B, 2 + TEMPI + metres) mean probabilities of a recording."""
        mel, mask = self._mel(given)
        heard = self.network(mel, mask)
        parts = [heard.beat.sigmoid()[..., None], heard.bar.sigmoid()[..., None]]
        every = torch.cat([*parts, heard.tempo.softmax(-1), heard.metre.softmax(-1)], -1)
        real = mask[:, 1::STRIDE][:, : every.shape[1], None]
        return (every * real).sum(1) / real.sum(1).clamp(min=1)

    @torch.no_grad()
    def track(self, given: Mapping[str, Condition], pointer: Pointer = Pointer()) -> list[Beats]:
        """Beats and bars of each of B recordings. Call on a model in eval mode."""
        mel, mask = self._mel(given)
        heard = self.network(mel, mask)
        steps = (mask.sum(1) // STRIDE).tolist()
        return [read(heard, b, int(count), pointer) for b, count in enumerate(steps)]

    def _mel(self, given: Mapping[str, Condition]) -> tuple[Tensor, Tensor]:
        condition = given[self.slots[0]]
        mel = condition.tokens if condition.encoded is None else condition.encoded
        mask = condition.mask[:, -mel.shape[1] :] if mel.shape[1] else condition.mask[:, :0]
        if mel.shape[-1] != 128:
            raise DataError(f"beat_tracker: got {mel.shape[-1]} numbers a frame; its slot needs the encoder mel (128)")
        return mel, mask

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """Sum of four cross entropies: beat in every frame; bar line at beats; tempo and metre between beats.

        Parts: ``beat``, ``bar``, ``tempo``, ``metre``. Errors: DataError for a batch without beats and bars.
        """
        if batch.events is None or any("beats" not in row or "bars" not in row for row in batch.events):
            raise DataError("beat_tracker: the batch has no beats and bars; train it on a data set with such events")
        mel, mask = self._mel(given)
        events = [(np.asarray(row["beats"], float), np.asarray(row["bars"], float)) for row in batch.events]
        if self.training:
            mel, mask, events = augment(mel, mask, events, speed=self.speed, bands=self.bands, noise=self.noise)
        heard = self.network(mel, mask)
        beat, bar, tempo, metre = (t.to(mel.device) for t in targets(events, heard.beat.shape[1]))
        real = mask[:, 1::STRIDE][:, : beat.shape[1]]
        known = real & (tempo >= 0)
        parts = {"beat": _mean(F.binary_cross_entropy_with_logits(heard.beat, beat, reduction="none"), real)}
        near = (beat > 0.3) & known & (bar >= 0)
        wrong = F.binary_cross_entropy_with_logits(heard.bar, bar.clamp(min=0), reduction="none")
        parts["bar"] = _mean(wrong * beat, near)
        parts["tempo"] = _mean(_soft_cross_entropy(heard.tempo, tempo.clamp(min=0)), known)
        kind = metre.clamp(min=0)
        wrong = F.cross_entropy(heard.metre.transpose(1, 2), kind, reduction="none")
        parts["metre"] = _mean(wrong, known & (metre >= 0))
        total = 4 * parts["beat"] + parts["bar"] + 0.3 * parts["tempo"] + 0.3 * parts["metre"]
        return {"loss": total, **{name: value.detach() for name, value in parts.items()}}


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp(min=1)


def _soft_cross_entropy(logits: Tensor, place: Tensor) -> Tensor:
    """Cross entropy with classes around a place on the scale of tempi, a Gaussian of one class's width."""
    classes = torch.arange(TEMPI, device=logits.device)
    wanted = torch.exp(-0.5 * (classes - place[..., None]) ** 2)
    return -((wanted / wanted.sum(-1, keepdim=True)) * logits.log_softmax(-1)).sum(-1)


def targets(events: Sequence[tuple[np.ndarray, np.ndarray]], steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the network should answer for B (beats, bars) in seconds.

    beat (B, S) 0 .. 1; bar (B, S) 0 or 1 by the nearest beat; tempo (B, S) place on the scale of tempi, metre (B, S)
    class; the last three -1 where nothing is known: before the first and after the last beat, and in a bar whose end is
    not heard.
    """
    beat, bar = np.zeros((len(events), steps), np.float32), np.full((len(events), steps), UNKNOWN, np.float32)
    tempo, metre = bar.copy(), np.full((len(events), steps), UNKNOWN, np.int64)
    seconds = (np.arange(steps) + 0.5) / RATE
    for b, (beats, bars) in enumerate(events):
        beat[b] = np.clip(1 - nearest(seconds, beats) * RATE / NEAR, 0, 1)
        if len(beats) < 2:
            continue
        away = np.abs(seconds[:, None] - beats[None, :]) * RATE  # (S, n) frames
        closest = away.argmin(1)
        opens = np.abs(beats[:, None] - bars[None, :]).min(1) < 0.04 if len(bars) else np.zeros(len(beats), bool)
        bar[b] = opens[closest]
        inside = (seconds >= beats[0]) & (seconds < beats[-1])
        number = np.clip(np.searchsorted(beats, seconds, "right") - 1, 0, len(beats) - 2)
        place = tempo_class(torch.from_numpy(np.diff(beats)[number])).numpy()
        tempo[b] = np.where(inside, place, UNKNOWN)
        lines = np.flatnonzero(opens)
        for first, last in pairwise(lines.tolist()):
            if last - first in METRES:
                metre[b, (seconds >= beats[first]) & (seconds < beats[last])] = METRES.index(last - first)
    return tuple(torch.from_numpy(made) for made in (beat, bar, tempo, metre))


def _allowed(factor: float, beats: np.ndarray) -> float:
    """The factor, held where the beats would become so fast or slow that a conductor would beat another level."""
    if len(beats) < 2:
        return factor
    usual = float(np.median(np.diff(beats)))
    return float(np.clip(factor, min(1.0, usual / SLOWEST), max(1.0, usual / FASTEST)))


def augment(
    mel: Tensor, mask: Tensor, events: list[tuple[np.ndarray, np.ndarray]], *, speed: float, bands: int, noise: float
) -> tuple[Tensor, Tensor, list[tuple[np.ndarray, np.ndarray]]]:
    """Another recording of the same music: other speed, key, colour, loudness, range, noise. (B, N, 128) -> the same.

    What is played faster ends earlier (the mask says so); what is played slower is cut. Random numbers come from
    torch's global generator, which training seeds.
    """
    size, frames, count = mel.shape
    draw = torch.rand(8, size).to(mel)
    factor = torch.exp((2 * draw[0] - 1) * math.log(speed))  # above 1: faster
    factor = torch.tensor([_allowed(f, beats) for f, (beats, _) in zip(factor.tolist(), events, strict=True)]).to(mel)
    lengths = mask.sum(1)
    new = (lengths / factor).floor().long().clamp(1, frames)
    # place in the old recording, for every frame and band of the new one; grid_sample wants -1 .. 1
    time = (torch.arange(frames, device=mel.device) + 0.5)[None] * factor[:, None]
    shift = (2 * draw[1] - 1) * bands
    band = torch.arange(count, device=mel.device)[None] + 0.5 + shift[:, None]
    grid = torch.stack(
        [
            (band / count * 2 - 1)[:, None].expand(-1, frames, -1),
            (time / frames * 2 - 1)[..., None].expand(-1, -1, count),
        ],
        -1,
    )
    made = F.grid_sample(mel[:, None], grid.to(mel), mode="bilinear", padding_mode="border", align_corners=False)[:, 0]
    knots = torch.randn(size, 1, 6).to(mel) * 0.08 * draw[2][:, None, None]
    colour = F.interpolate(knots, count, mode="linear", align_corners=True)  # (B, 1, 128), up to some decibels
    made = made * (0.7 + 0.5 * draw[3])[:, None, None] + colour + (0.3 * (draw[4] - 0.6))[:, None, None]
    floor = 0.35 * draw[5] * (draw[6] < 0.5)
    made = torch.maximum(made, floor[:, None, None])  # a noisy room
    made = made + torch.randn(made.shape).to(mel) * (noise * draw[7])[:, None, None]
    for _ in range(2):  # some bands are not heard at all
        first, wide = (torch.rand(2, size).to(mel) * torch.tensor([[count], [24]]).to(mel)).unbind(0)
        at = torch.arange(count, device=mel.device)[None]
        hidden = (at >= first[:, None]) & (at < (first + wide)[:, None])
        made = made.masked_fill(hidden[:, None], 0.0)
    keep = length_mask(new, frames)
    scaled = [
        tuple(times[times / f < n / (RATE * STRIDE)] / f for times in pair)
        for pair, f, n in zip(events, factor.tolist(), new.tolist(), strict=True)
    ]
    return made.clamp(0, 1) * keep[..., None], keep, scaled
