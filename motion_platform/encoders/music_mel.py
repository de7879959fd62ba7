"""Music as the published conductors hear it: the mel spectrogram through a residual convolutional network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motion_platform.audio.mel import FRAMES_A_SECOND, check_mel, mel_of
from motion_platform.core.checkpoint_files import checkpoint_part
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Audio, Condition, length_mask
from motion_platform.nn.music_network import STRIDE, MusicNetwork

CHANNELS = [16, 32, 32]
"""Of the published network's three groups."""
SHORTEST = 4
"""Mel frames that the network can read."""


class MusicMel(Encoder):
    """Audio -> a token of 64 numbers every 1/30 s (:class:`~motion_platform.nn.music_network.MusicNetwork`).

    weights: a checkpoint of task ``music_motion_sync`` (a shipped name or a folder), whose music encoder is taken and
    frozen, as both papers do in their second stage; channels and dim are then the checkpoint's. Without it the network
    starts from random numbers and is trained with the model. Audio that holds the front end "mel" needs no samples.
    Recordings of any length are read in bounded memory once training is over.

    Errors: ValueError for sizes that cannot be; WeightsError for a checkpoint without such a network; when encoding,
    DataError for what is no Audio, is not finite or is shorter than 4 frames of mel.
    """

    reads = "audio"
    rate_hz = FRAMES_A_SECOND / STRIDE
    hears_whole = True

    def __init__(self, weights: str | None = None, channels: list[int] = CHANNELS, dim: int = 64) -> None:
        super().__init__()
        self.frozen = weights is not None
        if weights is None:
            self.network = MusicNetwork(channels, dim)
        else:
            self.network = load(weights).requires_grad_(False)
        self.channels = [group[0].convolution.out_channels for group in self.network.groups]
        self.dim = self.network.out.out_channels
        if self.frozen:
            self.eval()

    def forward(self, raw: Sequence[Audio | None]) -> Condition:
        """B recordings -> tokens (B, N, dim) at 30 Hz, N = ceil(mel frames / 3), mask (B, N); None has no token."""
        device = self.network.out.weight.device
        mels = [self._mel(audio, i).to(device) if audio is not None else None for i, audio in enumerate(raw)]
        if not any(mel is not None for mel in mels):
            empty = torch.zeros(len(raw), 0, self.dim, device=device)
            return Condition(empty, empty.bool()[..., 0], self.rate_hz)
        made = self._encode(mels)
        counts = torch.tensor([len(tokens) for tokens in made], device=device)
        return Condition(pad_sequence(made, batch_first=True), length_mask(counts), self.rate_hz)

    def _mel(self, audio: Audio, i: int) -> Tensor:
        if not isinstance(audio, Audio):
            raise DataError(f"music[{i}]: got {type(audio).__name__}, expected Audio")
        mel = check_mel(mel_of(audio), f"music[{i}]")
        if len(mel) < SHORTEST:
            raise DataError(f"music[{i}]: has {len(mel)} frames at {FRAMES_A_SECOND} Hz; {SHORTEST} are needed")
        return torch.from_numpy(mel)

    def _encode(self, mels: Sequence[Tensor | None]) -> list[Tensor]:
        """(N, dim) each. Pieces of one length go through the network together: padding would be heard at their ends."""
        made = [torch.zeros(0, self.dim, device=self.network.out.weight.device)] * len(mels)
        for length in sorted({len(mel) for mel in mels if mel is not None}):
            rows = [i for i, mel in enumerate(mels) if mel is not None and len(mel) == length]
            if self.training:
                tokens = self.network(torch.stack([mels[i] for i in rows]))
                for i, row in zip(rows, tokens, strict=True):
                    made[i] = row
                continue
            learns = torch.is_grad_enabled() and not self.frozen
            for i in rows:  # one by one: a row's numbers do not depend on what it is batched with
                with torch.set_grad_enabled(learns), torch.autocast(mels[i].device.type, enabled=False):
                    made[i] = self.network.in_pieces(mels[i][None].float())[0]
        return made

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr((type(self).__qualname__, self.channels, self.dim)).encode())
        for name, value in sorted(self.network.state_dict().items()):
            if value.is_floating_point():
                digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()


def load(name: str) -> MusicNetwork:
    """The music network of a checkpoint in which it was trained. Errors: UnknownName, WeightsError."""
    card, tensors = checkpoint_part(name, "conditioning.trained.")
    slots = [slot for slot, recipe in card.slots.items() if recipe.encoder == "music_mel"]
    own = [slot for slot in slots if f"{slot}.network.out.weight" in tensors]
    if not own:
        raise WeightsError(f"{name}: holds no trained music_mel; name a checkpoint of music_motion_sync")
    prefix = f"{own[0]}.network."
    state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    sizes = [state[f"groups.{g}.0.convolution.weight"].shape[0] for g in range(3)]
    network = MusicNetwork(sizes, state["out.weight"].shape[0])
    network.load_state_dict(state)
    return network.eval()
