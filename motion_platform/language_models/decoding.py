"""Writing answers: batched, with a key-value cache, under a grammar, reproducible sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.core.seeding import NoiseSource
from motion_platform.language_models.base import Base
from motion_platform.language_models.grammar import Grammar


class Writer(Protocol):
    """A module that writes with a language model: its base, and the ids of words and codes as embeddings and logits."""

    base: Base
    rows: Tensor
    decoding: str

    def embed(self, ids: Tensor) -> Tensor:
        """(B, L) ids -> (B, L, E) embeddings."""

    def logits(self, hidden: Tensor, out: Tensor) -> Tensor:
        """(B, E) hidden states -> (B, K) logits of the ids ``out`` (K,)."""


def pad_left(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """ids (B, L), mask (B, L), real ids at the right: all rows end, and go on, together."""
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in rows], device=device)
    return ids, mask


def write(
    model: Writer,
    prompts: Sequence[Sequence[int]],
    grammars: Sequence[Grammar],
    *,
    noise: NoiseSource,
    temperature: float,
    top_p: float,
    without: Sequence[Sequence[int]] | None = None,
    guidance: float = 1.0,
) -> None:
    """Write one answer a prompt into its grammar. All grammars write the same output ids (motion, or text).

    temperature 0 takes the most likely id. top_p: sample among the most likely ids that together have that share
    (Holtzman et al. 2020). without, guidance w: prompts without their condition; logits become
    l_without + w (l - l_without), on the log-softmax of what may be written (Sanchez et al. 2023, eq. 3).
    Sample b draws one number a step from its own stream of ``noise``.
    """
    if all(grammar.done for grammar in grammars):
        return
    reader = Reader(model, [*prompts, *(without or [])], max(grammar.longest for grammar in grammars))
    out, rows = grammars[0].out, len(prompts)
    drawn: list[Tensor] = []
    while True:
        logits = model.logits(reader.hidden, out).float()
        legal = torch.stack([g.legal() if not g.done else _end(out) for g in grammars]).to(logits.device)
        if without:
            legal = legal.repeat(2, 1)
        scores = logits.masked_fill(~legal, -torch.inf).log_softmax(-1)
        if without:
            scores = (scores[rows:] + guidance * (scores[:rows] - scores[rows:])).nan_to_num(-torch.inf)
        k = len(reader.written)
        if k % BLOCK == 0 and temperature:
            uniform = torch.special.ndtr(noise.normal((BLOCK,), name=f"ids {k}"))
            drawn += list(uniform.T)
        chosen = pick(scores, drawn[k] if temperature else None, temperature, top_p).tolist()
        ids = [g.write(c) if not g.done else int(out[-1]) for g, c in zip(grammars, chosen, strict=True)]
        if all(g.done for g in grammars):
            return
        reader.read(ids * (2 if without else 1))


BLOCK = 64
"""Random numbers drawn at a time."""
SIZE = 64
"""Ids that a fixed cache holds, or a multiple of it."""


def pick(scores: Tensor, uniform: Tensor | None, temperature: float, top_p: float) -> Tensor:
    """(B,) choices from log-probabilities (B, K), -inf = impossible, by inverting the cumulative distribution."""
    if uniform is None:
        return scores.argmax(-1)
    order = scores.div(temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    share = order.values.cumsum(-1)
    kept = order.values * (share - order.values < top_p)
    share = kept.cumsum(-1)
    place = (share <= uniform.to(share)[:, None] * share[:, -1:]).sum(-1)
    last = (kept > 0).sum(-1) - 1
    return order.indices.gather(1, torch.minimum(place, last)[:, None])[:, 0]


def _end(out: Tensor) -> Tensor:
    mask = torch.zeros(len(out), dtype=torch.bool)
    mask[-1] = True
    return mask


class Reader:
    """Prompts read once, then at most ``room`` times one id a row. hidden: (B, E), what the next id is predicted from.

    The cache of keys and values grows with every id, or (``model.decoding`` "compiled") has one fixed size, and the
    step is compiled for it: the same answers, many small operations of a GPU in one graph. The first answers of a size
    wait for the compiler; sizes are rounded up to ``SIZE`` ids, so that there are few.
    """

    def __init__(self, model: Writer, prompts: Sequence[Sequence[int]], room: int) -> None:
        self.model, self.body, self.step = model, model.base.body, model.base.body
        self.written: list[list[int]] = []
        device = model.rows.device
        if model.base.seq2seq:
            ids, mask = pad_left([prompt[:-1] for prompt in prompts], device)
            self.memory = self.body.get_encoder()(inputs_embeds=model.embed(ids), attention_mask=mask.long())[0]
            self.memory_mask, self.cache = mask.long(), None
            self._decode([prompt[-1] for prompt in prompts])
        else:
            ids, self.mask = pad_left(prompts, device)
            self.places, self.read_ids = self.mask.sum(1), ids.shape[1]
            positions = (self.mask.cumsum(1) - 1).clamp(min=0)
            cache = None
            if model.decoding == "compiled":
                from transformers import StaticCache

                self.step = model.base.compiled_step()
                size = -(-(ids.shape[1] + room) // SIZE) * SIZE
                self.mask = F.pad(self.mask, (0, size - ids.shape[1]))
                cache = StaticCache(config=self.body.config, max_cache_len=size)
            made = self.body(
                inputs_embeds=model.embed(ids),
                attention_mask=self.mask.long(),
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            )
            self.cache: Any = made.past_key_values
            self.hidden = made.last_hidden_state[:, -1]

    def read(self, ids: Sequence[int]) -> None:
        """Go on with one id a row."""
        self.written.append(list(ids))
        if self.model.base.seq2seq:
            return self._decode(ids)
        if self.read_ids == self.mask.shape[1]:
            self.mask = F.pad(self.mask, (0, 1))
        self.mask[:, self.read_ids] = True
        self.read_ids += 1
        embedded = self.model.embed(torch.tensor(ids, device=self.mask.device)[:, None])
        made = self.step(
            inputs_embeds=embedded,
            attention_mask=self.mask.long(),
            position_ids=self.places[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.places = self.places + 1
        # A CUDA graph writes its next answer over this one.
        self.cache, self.hidden = made.past_key_values, made.last_hidden_state[:, -1].clone()

    def _decode(self, ids: Sequence[int]) -> None:
        made = self.body.get_decoder()(
            inputs_embeds=self.model.embed(torch.tensor(list(ids), device=self.memory.device)[:, None]),
            encoder_hidden_states=self.memory,
            encoder_attention_mask=self.memory_mask,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.cache, self.hidden = made.past_key_values, made.last_hidden_state[:, -1]
