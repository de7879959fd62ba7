"""Decode tokens while they come: the same frames as from the whole sequence, a bounded time later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Tokens
from motion_platform.motion_tokens.vqvae import ConvolutionalTokenizer


class StreamingDecoder:
    """Takes ids (B, s, Q) a piece at a time and gives back frames (B, t, D), raw, as soon as they cannot change.

    A frame depends on ``reach`` steps to each side of its own, so frames come ``reach`` steps late, and no more than
    2 reach steps beside the new ones are ever decoded again: memory does not grow with the length.
    """

    def __init__(self, tokenizer: ConvolutionalTokenizer) -> None:
        self.tokenizer, self.reach = tokenizer, tokenizer.decoder.reach
        self._ids: Tensor | None = None
        self._start = 0  # step at which the kept ids begin
        self._given = 0  # steps whose frames were given

    @property
    def delay(self) -> float:
        """Seconds from a step to its frames."""
        return self.reach * self.tokenizer.stride / self.tokenizer.spec.fps

    def push(self, ids: Tensor) -> Tensor:
        """Take in (B, s, Q) ids; the frames that are settled now, possibly none. DataError for what is no code."""
        if ids.ndim != 3 or (self._ids is not None and len(ids) != len(self._ids)):
            raise DataError(f"tokens: got shape {tuple(ids.shape)}; a stream is (B, s, Q) with one B")
        if ids.shape[1]:
            self.tokenizer.check(Tokens(ids, torch.full((len(ids),), ids.shape[1])))
        self._ids = ids if self._ids is None else torch.cat([self._ids, ids], 1)
        return self._give(self._start + self._ids.shape[1] - self.reach)

    def finish(self) -> Tensor:
        """The rest of the frames, after which a new stream begins."""
        if self._ids is None or not self._start + self._ids.shape[1]:
            raise DataError("tokens: the stream held none; allowed: 1 step or more")
        frames = self._give(self._start + self._ids.shape[1])
        self._ids, self._start, self._given = None, 0, 0
        return frames

    def _give(self, until: int) -> Tensor:
        """Frames of the steps from ``_given`` to ``until``; forgets the ids that no later frame depends on."""
        stride = self.tokenizer.stride
        if until <= self._given:
            return torch.zeros(len(self._ids), 0, self.tokenizer.spec.dim)
        lengths = torch.full((len(self._ids),), self._ids.shape[1], device=self._ids.device)
        x = self.tokenizer.decode(Tokens(self._ids, lengths)).x
        frames = x[:, (self._given - self._start) * stride : (until - self._start) * stride]
        self._given = until
        forget = max(self._start, self._given - self.reach)
        self._ids, self._start = self._ids[:, forget - self._start :], forget
        return frames


def decode_stream(tokenizer: ConvolutionalTokenizer, pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    """Pieces of ids (B, s, Q) -> pieces of frames (B, t, D), raw, none of them empty."""
    stream = StreamingDecoder(tokenizer)
    for ids in pieces:
        frames = stream.push(ids)
        if frames.shape[1]:
            yield frames
    yield stream.finish()
