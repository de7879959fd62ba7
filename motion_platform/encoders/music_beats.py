"""Music as a conductor counts it: where the beat and the bar are, and what in the sound says so."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motion_platform.audio import beats
from motion_platform.audio.bar_pointer import Beats, Pointer, nearest
from motion_platform.core.checkpoint_files import checkpoint_part
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import WeightsError
from motion_platform.core.schema import Audio, Condition, length_mask
from motion_platform.encoders.mel import mel_tensor
from motion_platform.nn.beat_network import METRES, RATE, STRIDE, BeatNetwork, Heard, read

PHASES = 4 + 1 + len(METRES) + 4
"""Cosine and sine of the beat and of the bar phase; beats a second; metre; how near the beat is, a bar line, and the
network's own two answers."""
LOUDNESS_SECONDS = 1.0


class MusicBeats(Encoder):
    """Audio -> a token every 1/30 s: from a tracker the clock of beats and bars, onset strength, loudness, tempogram.

    weights: a checkpoint of space ``beat_tracker`` (a shipped name or a folder), which is frozen. Its clock is decoded
    over the whole recording (:mod:`motion_platform.audio.bar_pointer`), so give whole recordings where there are such.
    tempogram: False leaves out everything but the clock (14 numbers), which is all that a rule-based hand needs.

    The layout is that of :meth:`groups`. In training, a recording may come with the beats of its score (feature
    "written_beats"); then the clock shows those. A recording without beats (silence) has a
    clock of zeros. Audio that holds the front end "mel" needs no samples.
    Errors: UnknownName, WeightsError for a checkpoint that is no beat tracker; when encoding, DataError for what is no
    Audio or is not finite.
    """

    reads = "audio"
    rate_hz = RATE
    frozen = True
    hears_whole = True

    def __init__(self, weights: str, tempogram: bool = True) -> None:
        super().__init__()
        self.network, self.digest = load(weights)
        self.network.requires_grad_(False).eval()
        self.tempogram = tempogram
        self.dim = PHASES + (2 + beats.LAGS if tempogram else 0)

    @staticmethod
    def groups() -> dict[str, slice]:
        """name -> which numbers of a token: beat (cosine, sine), bar (cosine, sine), tempo (beats a second), metre
        (one for each of 1, 2, 3, 4, 6), pulse (1 on a beat, 1 on a bar line, both falling within 0.1 s), heard (the
        network's probabilities of beat and bar line), onset, loudness (0 silent, 1 as loud as the recording gets in
        every band, averaged over a second: gestures grow with it), tempogram."""
        sizes = {"beat": 2, "bar": 2, "tempo": 1, "metre": len(METRES), "pulse": 2, "heard": 2, "onset": 1}
        sizes["loudness"] = 1
        found, at = {}, 0
        for name, size in {**sizes, "tempogram": beats.LAGS}.items():
            found[name] = slice(at, at + size)
            at += size
        return found

    @torch.no_grad()
    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, dim), N = mel frames / 3 rounded up, mask (B, N); None has no token."""
        device = self.network.out.weight.device
        with torch.autocast(device.type, enabled=False):
            rows = [self._tokens(mel_tensor(a, i), a.features.get("written_beats")) if a is not None else None
                    for i, a in enumerate(raw)]  # fmt: skip
        rows = [torch.zeros(0, self.dim) if row is None else row for row in rows]
        if not rows:
            return Condition(torch.zeros(0, 0, self.dim), torch.zeros(0, 0, dtype=torch.bool), RATE).to(device)
        counts = torch.tensor([len(row) for row in rows])
        return Condition(pad_sequence(rows, batch_first=True), length_mask(counts), RATE).to(device)

    @torch.no_grad()
    def track(self, audio: Audio, pointer: Pointer = Pointer()) -> Beats:
        """The beats and bars of one recording."""
        heard, steps, _ = self._hear(mel_tensor(audio, 0))
        return read(heard, 0, steps, pointer)

    def _hear(self, mel: Tensor) -> tuple[Heard, int, Tensor]:
        """What the network answers, how many steps of it are music, and its probabilities of beat and bar line."""
        device = self.network.out.weight.device
        mask = torch.ones(1, len(mel), dtype=torch.bool, device=device)
        heard = self.network(mel[None].to(device), mask)
        steps = len(mel) // STRIDE
        if not steps or float(mel.max() - mel.min()) < 1e-6:  # silence has no beat, whatever a network says
            steps = 0
        answers = torch.stack([heard.beat[0].sigmoid(), heard.bar[0].sigmoid()], 1).cpu()
        return heard, steps, answers * float(steps > 0)

    def _tokens(self, mel: Tensor, written: np.ndarray | None = None) -> Tensor:
        frames = -(-len(mel) // STRIDE)
        heard, steps, answers = self._hear(mel)
        found = read(heard, 0, steps, Pointer()) if written is None else as_written(written)
        probabilities = torch.zeros(frames, 2)
        probabilities[: min(frames, len(answers))] = answers[:frames]
        parts = [clock_features(found, frames), probabilities]
        if self.tempogram:
            strength = beats.onset_strength(mel[None])
            padded = F.pad(strength, (0, frames * STRIDE - len(mel)))
            onset = padded.unflatten(1, (frames, STRIDE)).amax(2)[0, :, None]
            onset = onset / strength.std(correction=0).clamp(min=1e-3)
            parts += [onset, loudness(mel, frames), beats.tempogram(padded, held=True)[0]]
        return torch.cat(parts, 1)

    def fingerprint(self) -> str:
        told = (type(self).__qualname__, self.digest, self.tempogram, Pointer(), "held")  # what the numbers depend on
        return hashlib.sha256(repr(told).encode()).hexdigest()


def loudness(mel: Tensor, frames: int) -> Tensor:
    """mel (N, 128) at 90 Hz -> (frames, 1): the mean over the bands and over LOUDNESS_SECONDS, fewer at both ends."""
    level = F.pad(mel.mean(1), (0, frames * STRIDE - len(mel))).unflatten(0, (frames, STRIDE)).mean(1)
    reach = min(round(LOUDNESS_SECONDS * RATE / 2), frames - 1)
    return F.avg_pool1d(level[None], 2 * reach + 1, 1, reach, count_include_pad=False)[0, :, None]


def as_written(beats: np.ndarray) -> Beats:
    """(n, 2) seconds, and 1 where a beat opens a bar -> the clock that a score gives.

    A bar has as many beats as there are to the next bar line; the beats before the first line and after the last are
    counted as in the bar beside them. Without any line every beat opens a bar of one.
    """
    count, lines = len(beats), np.flatnonzero(beats[:, 1] > 0.5)
    if not len(lines):
        return Beats(beats[:, 0].astype(np.float64), np.ones(count, np.int64), np.ones(count, np.int64))
    sizes = np.diff(lines)
    sizes = np.append(sizes, sizes[-1] if len(sizes) else max(count - lines[0], lines[0], 1))
    bar = np.clip(np.searchsorted(lines, np.arange(count), "right") - 1, 0, None)
    metre = sizes[bar]
    place = (np.arange(count) - lines[bar]) % metre + 1
    known = np.array(METRES)
    return Beats(beats[:, 0].astype(np.float64), place, known[np.abs(known - metre[:, None]).argmin(1)])


def clock_features(found: Beats, frames: int) -> Tensor:
    """(frames, 12): beat, bar, tempo, metre and pulse of :meth:`MusicBeats.groups`; zeros without beats."""
    made = np.zeros((frames, PHASES - 2), np.float32)
    if len(found.times) < 2:
        return torch.from_numpy(made)
    seconds = (np.arange(frames) + 0.5) / RATE
    for column, phase in zip((0, 2), found.phase(seconds), strict=True):
        made[:, column] = np.cos(2 * math.pi * phase)
        made[:, column + 1] = np.sin(2 * math.pi * phase)
    number = np.clip(np.searchsorted(found.times, seconds, "right") - 1, 0, len(found.times) - 2)
    made[:, 4] = 1 / np.diff(found.times)[number]
    made[np.arange(frames), 5 + np.searchsorted(METRES, found.metre[number])] = 1.0
    for column, times in ((10, found.times), (11, found.bars)):
        made[:, column] = np.clip(1 - nearest(seconds, times) / 0.1, 0, 1)
    return torch.from_numpy(made)


def load(name: str) -> tuple[BeatNetwork, str]:
    """The network of a beat tracker's checkpoint, and the sha256 of its file. Errors: UnknownName, WeightsError."""
    card, tensors = checkpoint_part(name, "trainable.network.")
    if card.model.name != "beat_tracker":
        raise WeightsError(
            f"{name}: is a {card.model.name}; the encoder music_beats needs a checkpoint of beat_tracker"
        )
    settings = {key: card.model.settings[key] for key in ("channels", "width", "layers") if key in card.model.settings}
    network = BeatNetwork(**settings)
    network.load_state_dict(tensors)
    return network, str(card.weights["sha256"])
