"""What all text encoders share: checked input, empty texts, batches, one warning for a cut text, and being frozen."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Condition

log = logging.getLogger("motion_platform")

BATCH = 256
"""Texts encoded at once; they are sorted by length first, so that little is padded."""


class TextEncoder(Encoder):
    """Base of the encoders that read text. A subclass sets ``dim`` and ``limit`` and writes :meth:`encode`.

    model: the name it was asked for, in messages. identity: a text that changes with the weights
    and with every setting that changes the numbers. frozen: never in training mode, no gradient, not in checkpoints.
    """

    reads = "text"

    def __init__(self, model: str, *, identity: str, frozen: bool) -> None:
        super().__init__()
        self.model_name, self.frozen = model, frozen
        self._identity = identity
        self._said = False

    limit: int
    """The most tokens of a text that are read, special tokens included."""

    @abstractmethod
    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Texts that are not empty -> tokens (b, N, C), mask (b, N). Padded places may hold anything."""

    def finish(self) -> None:
        """Called last by a subclass's constructor: freezes what is frozen."""
        self.requires_grad_(not self.frozen)
        self.train(not self.frozen)

    def fingerprint(self) -> str:
        return self.fingerprint_of(self._identity)

    def fingerprint_of(self, identity: str) -> str:
        """That of such an encoder with another identity: its weights and settings in words."""
        return hashlib.sha256(f"{type(self).__qualname__} {identity}".encode()).hexdigest()

    @property
    def device(self) -> torch.device:
        """Where the weights are; texts are encoded there."""
        return next(self.parameters()).device

    def cut(self, tokens: int) -> None:
        """Say once that a text is longer than what the model reads."""
        if not self._said:
            self._said = True
            log.warning(
                "a text of %d tokens is cut to the first %d, all that %s reads (said once)",
                tokens, self.limit, self.model_name,
            )  # fmt: skip

    def forward(self, raw: Sequence[str]) -> Condition:
        """B texts -> Condition: tokens (B, N, C) float32, zero where the mask (B, N) is False.

        An empty text has no real token. Errors: DataError for something that is no text.
        """
        texts = check_texts(raw)
        rows = sorted((i for i, text in enumerate(texts) if text.strip()), key=lambda i: (len(texts[i]), texts[i]))
        parts: list[tuple[list[int], Tensor, Tensor]] = []
        # Features are float32 whatever precision the caller computes in: they are cached and must not depend on it.
        plain = torch.autocast(self.device.type, enabled=False)
        with torch.no_grad() if self.frozen else contextlib.nullcontext(), plain:
            for start in range(0, len(rows), BATCH):
                chosen = rows[start : start + BATCH]
                tokens, mask = self.encode([texts[i] for i in chosen])
                parts.append((chosen, tokens.float(), mask))
        width = max((mask.shape[1] for _, _, mask in parts), default=1)
        tokens = torch.zeros(len(texts), width, self.dim, device=self.device)
        mask = torch.zeros(len(texts), width, dtype=torch.bool, device=self.device)
        for chosen, part, real in parts:
            n = real.shape[1]
            tokens[chosen, :n] = part.masked_fill(~real[..., None], 0.0)
            mask[chosen, :n] = real
        return Condition(tokens, mask)


def check_texts(raw: Sequence[str]) -> list[str]:
    """The texts as a list. Errors: DataError for a single string, for what is no string, for broken Unicode."""
    if isinstance(raw, str):
        raise DataError(f"texts: got one string {raw[:40]!r}, expected a list of texts, one a row")
    for i, text in enumerate(raw):
        if not isinstance(text, str):
            raise DataError(f"texts[{i}]: got {type(text).__name__}, expected text (a str)")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"texts[{i}]: not valid Unicode at character {error.start}") from error
    return list(raw)


def token_ids(encoder: TextEncoder, texts: list[str]) -> list[list[int]]:
    """Token ids of each text by a tokenizer of transformers, cut to the encoder's limit with special tokens kept."""
    whole = encoder.tokenizer(texts, verbose=False)["input_ids"]
    longest = max(map(len, whole))
    if longest <= encoder.limit:
        return whole
    encoder.cut(longest)
    return encoder.tokenizer(texts, truncation=True, max_length=encoder.limit, verbose=False)["input_ids"]


def pad(ids: Sequence[Sequence[int]], filler: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids of b texts -> ids (b, N) padded on the right, mask (b, N), True = real."""
    width = max(map(len, ids))
    rows = torch.tensor([[*row, *[filler] * (width - len(row))] for row in ids], dtype=torch.long)
    lengths = torch.tensor([len(row) for row in ids])
    mask = torch.arange(width)[None, :] < lengths[:, None]
    return rows.to(device), mask.to(device)


def pooled(states: Tensor, mask: Tensor, how: str) -> tuple[Tensor, Tensor]:
    """Hidden states (b, N, C) -> (tokens, mask): all of them, their masked mean, the first, or the last real one.

    The mean is over the states of real tokens, special tokens included, as sentence-transformers takes it.
    """
    if how == "tokens":
        return states, mask
    real = mask.any(dim=1, keepdim=True)
    if how == "cls":
        return states[:, :1], real
    if how == "last":  # padding stands on the right
        place = (mask.sum(1) - 1).clamp_min(0)
        return states[torch.arange(len(states), device=states.device), place][:, None], real
    weights = mask[..., None].to(states)
    mean = (states * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True).clamp_min(1.0)
    return mean, real
