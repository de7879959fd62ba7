"""From raw conditions to what a generator reads: encoders, their features, projections, null tokens, dropping.

A slot is a named condition ("text_high", "text_low"). Each is encoded by its encoder, projected to the model's width
and led by a learned null token that is always on. In training a slot is dropped at random, independently a row and a
slot, which is what lets guidance weigh each slot on its own (classifier-free guidance, Ho and Salimans 2022,
https://arxiv.org/abs/2207.12598; each of two texts dropped on its own, as dual-text models do).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import ConfigError, DataError, UnknownName, WeightsError
from motion_platform.core.schema import Audio, Condition, Mixture, length_mask
from motion_platform.model.feature_cache import FeatureCache

REPORT = 20
"""Recordings between two reports of how far the encoding is."""
PRECOMPUTE = 2048
"""Inputs encoded between two reports of progress."""


class Frozen(dict[str, Encoder]):
    """slot -> frozen encoder. No module sees it: its weights are in no checkpoint, average, or gradient exchange."""

    def __deepcopy__(self, memo: dict) -> Frozen:
        """A copy of a model shares the frozen weights."""
        return self


class Conditioning(nn.Module):
    """All conditions of a model.

    encoders: slot -> encoder, in the model's order; slots whose frozen encoders have equal fingerprints share one.
    width: of the model's tokens; 0: nothing is projected, and the token that is always on is zero. dropout: slot ->
    probability of dropping it in training (a missing slot: 0). cache: where features of frozen encoders are kept
    (default: in memory). noise: slot -> size of the Gaussian noise added to its tokens in training, as a share of their
    root mean square (a missing slot: 0): a caption then stands for the wordings around it, and not for its exact point
    alone.

    Only projections, null tokens and encoders that are trained are parameters of this module. A frozen encoder moves
    to this module's device when it is used.
    """

    _place: Tensor

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        width: int,
        dropout: Mapping[str, float],
        cache: FeatureCache | None = None,
        noise: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        noise = noise or {}
        for slot in encoders:
            if not slot.isidentifier() or hasattr(nn.ModuleDict, slot):
                raise ConfigError(f"conditioning: slot name {slot!r}; use letters, digits and _, as in text_high")
        for slot, probability in dropout.items():
            if slot not in encoders:
                raise UnknownName("slot", slot, encoders, "conditioning.dropout")
            if not 0 <= probability <= 1:
                raise ConfigError(f"conditioning.dropout.{slot}: got {probability}; allowed: 0 to 1")
        for slot, size in noise.items():
            if slot not in encoders:
                raise UnknownName("slot", slot, encoders, "conditioning.noise")
            if not size >= 0:
                raise ConfigError(f"conditioning.noise.{slot}: got {size}; allowed: 0 or more")
        self.slots, self.width = tuple(encoders), width
        self.dropout = {slot: float(dropout.get(slot, 0.0)) for slot in self.slots}
        self.noise = {slot: float(noise.get(slot, 0.0)) for slot in self.slots}
        self.cache = cache or FeatureCache()
        self.frozen, self.trained = Frozen(), nn.ModuleDict()
        shared: dict[str, Encoder] = {}
        for slot, encoder in encoders.items():
            if encoder.frozen:
                encoder.eval().requires_grad_(False)
                self.frozen[slot] = shared.setdefault(encoder.fingerprint(), encoder)
            else:
                self.trained[slot] = encoder
        self.fingerprints = {slot: encoder.fingerprint() for slot, encoder in self.frozen.items()}
        projected = encoders if width else {}
        self.projections = nn.ModuleDict({slot: nn.Linear(encoder.dim, width) for slot, encoder in projected.items()})
        # 0.02: the usual size of a transformer's learned tokens, and about that of a projected unit vector's features.
        self.null = nn.ParameterDict({slot: nn.Parameter(0.02 * torch.randn(width)) for slot in projected})
        self.register_buffer("_place", torch.zeros(0), persistent=False)

    @property
    def encoders(self) -> dict[str, Encoder]:
        """slot -> encoder, frozen or not."""
        return {slot: self.frozen[slot] if slot in self.frozen else self.trained[slot] for slot in self.slots}

    @property
    def device(self) -> torch.device:
        return self._place.device

    def trainable_state_dict(self) -> dict[str, Tensor]:
        """What belongs into a checkpoint: everything but frozen encoders. Equal to ``state_dict()``."""
        return self.state_dict()

    def check_fingerprints(self, saved: Mapping[str, str], where: str = "checkpoint") -> None:
        """Raise WeightsError when a frozen encoder is not the one the weights were trained with."""
        for slot, fingerprint in self.fingerprints.items():
            if slot in saved and saved[slot] != fingerprint:
                raise WeightsError(
                    f"{where}: slot {slot} was trained with encoder {saved[slot][:16]}..., this one is "
                    f"{fingerprint[:16]}...; install the same encoder weights and settings"
                )

    def forward(self, raw: Mapping[str, Sequence[Any]], *, generator: torch.Generator | None = None) -> dict:
        """slot -> B raw inputs to slot -> Condition as :meth:`project` returns it, mixtures with all their values."""
        mixtures = {slot: values for slot, values in raw.items() if any(isinstance(v, Mixture) for v in values)}
        if not mixtures:
            return self.project(self.encode(raw), generator=generator)
        given = self.project(self.encode({**raw, **_values(mixtures, 0)}), generator=generator)
        for slot, values in mixtures.items():
            most = max(len(value.parts) for value in values if isinstance(value, Mixture))
            each = [given[slot]]
            for k in range(1, most):
                encoded = self.encode(_values({slot: values}, k))
                each.append(self.project(encoded, generator=generator)[slot])
            weights = [torch.tensor([_weight(value, k) for value in values], device=self.device) for k in range(most)]
            given[slot] = replace(given[slot], mixed=list(zip(weights, each, strict=True)))
        return given

    def encode(self, raw: Mapping[str, Sequence[Any]]) -> dict[str, Condition]:
        """slot -> B raw inputs to slot -> Condition with tokens (B, N, C) of the encoder's own width, on our device.

        None and "" are no condition: that row has no real token (N may be 0). A slot that is left out has none in
        any row. Features of frozen encoders come from the cache, or go there.
        Errors: UnknownName for a slot the model does not have; DataError for slots of different lengths.
        """
        for slot in raw:
            if slot not in self.slots:
                raise UnknownName("slot", slot, self.slots, "conditioning")
        sizes = {slot: len(values) for slot, values in raw.items()}
        if len(set(sizes.values())) != 1:
            raise DataError(f"conditioning: every slot needs one input a row, got {sizes or 'no slot at all'}")
        batch = next(iter(sizes.values()))
        return {slot: self._encode(slot, raw.get(slot, [None] * batch)) for slot in self.slots}

    def _encode(self, slot: str, values: Sequence[Any]) -> Condition:
        encoder = self.encoders[slot]
        if slot in self.frozen and all(value is None or isinstance(value, str) for value in values):
            table = self._features(slot, [value for value in values if value])
            nothing = torch.zeros(0, encoder.dim)
            rows = [table[value] if value else nothing for value in values]
            counts = [len(row) for row in rows]
            if all(count == 1 for count in counts):  # one token a text: the common case, without padding
                tokens = torch.cat(rows)[:, None]
            else:
                tokens = pad_sequence(rows, batch_first=True) if rows else nothing[None]
            mask = length_mask(torch.tensor(counts), tokens.shape[1])
            return Condition(tokens, mask, encoder.rate_hz).to(self.device)
        present = [i for i, value in enumerate(values) if not (value is None or (isinstance(value, str) and not value))]
        if not present:
            empty = torch.zeros(len(values), 0, encoder.dim, device=self.device)
            return Condition(empty, empty.bool()[..., 0], encoder.rate_hz)
        # Several samples of one input: it is encoded once, but in training, where dropout makes every row its own.
        keys = [i if encoder.training else id(values[i]) for i in present]
        given = dict(zip(keys, (values[i] for i in present), strict=True))
        parts = all(isinstance(audio, Audio) and audio.part is not None for audio in given.values())
        if parts and slot in self.frozen and encoder.hears_whole:
            made = self._hear(slot, list(given.values())).to(self.device)
        else:  # an encoder without weights has no device of its own
            made = encoder.to(self.device)(list(given.values())).to(self.device)
        if len(given) == len(values):
            return made
        row = {key: number for number, key in enumerate(given)}
        index = torch.tensor(present, device=self.device)
        source = torch.tensor([row[key] for key in keys], device=self.device)
        tokens = made.tokens.new_zeros(len(values), *made.tokens.shape[1:]).index_copy(0, index, made.tokens[source])
        mask = made.mask.new_zeros(len(values), made.mask.shape[1]).index_copy(0, index, made.mask[source])
        return Condition(tokens, mask, made.rate_hz)

    def _hear(self, slot: str, parts: Sequence[Audio]) -> Condition:
        """Parts of recordings through a frozen encoder: each recording is encoded once, whole, and cut."""
        encoder, rows = self.frozen[slot], []
        for audio in parts:
            tokens, start = self._recording(slot, audio), audio.part[1]
            first = round(start * encoder.rate_hz)
            rows.append(tokens[first : first + math.ceil(audio.seconds * encoder.rate_hz - 1e-6)])
        tokens = pad_sequence(rows, batch_first=True)
        return Condition(
            tokens, length_mask(torch.tensor([len(row) for row in rows]), tokens.shape[1]), encoder.rate_hz
        )

    def _recording(self, slot: str, audio: Audio) -> Tensor:
        """(n, C) tokens of the whole recording that ``audio`` is a part of, from the cache or into it."""
        name, _, whole = audio.part
        fingerprint, key = self.fingerprints[slot], f"recording {name}"
        table = self.cache.table(fingerprint)
        if key not in table:
            with torch.no_grad():
                made = self.frozen[slot].to(self.device)([whole()]).to("cpu")
            table[key] = made.tokens[0, made.mask[0]].float()
            self.cache.put(fingerprint, key, table[key])
        return table[key]

    def _features(
        self, slot: str, texts: Iterable[str], progress: Callable[[int, int], None] | None = None
    ) -> Mapping[str, Tensor]:
        """The table text -> tokens (n, C) of the slot's encoder, with all of ``texts`` in it."""
        key = self.fingerprints[slot]
        table = self.cache.table(key)
        missing = sorted((text for text in set(texts) if text not in table), key=lambda text: (len(text), text))
        for start in range(0, len(missing), PRECOMPUTE):
            chosen = missing[start : start + PRECOMPUTE]
            with torch.no_grad():
                made = self.frozen[slot].to(self.device)(chosen).to("cpu")
            for text, tokens, mask in zip(chosen, made.tokens, made.mask, strict=True):
                table[text] = tokens[mask].float()
                self.cache.put(key, text, table[text])
            if progress is not None:
                progress(start + len(chosen), len(missing))
        return table

    def precompute(
        self, raw: Mapping[str, Iterable[str]], *, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Encode every text that training will see, sorted by length, and write the cache's folder if it has one.

        ``progress(done, total)`` is called now and then, a slot at a time. A trainer that must resume bit for bit
        calls this first: an encoder's last bit depends on what it is batched with, and here that is always the same.
        """
        together: dict[str, tuple[str, set[str]]] = {}
        for slot, texts in raw.items():
            if slot not in self.slots:
                raise UnknownName("slot", slot, self.slots, "conditioning")
            if slot in self.frozen:
                together.setdefault(self.fingerprints[slot], (slot, set()))[1].update(text for text in texts if text)
        for slot, texts in together.values():
            self._features(slot, texts, progress)
        self.cache.flush()

    def precompute_recordings(
        self,
        slot: str,
        recordings: Iterable[Audio],
        total: int,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """The same for recordings, each given by a part of it, where a slot's encoder is frozen and ``hears_whole``."""
        if slot not in self.frozen or not self.frozen[slot].hears_whole:
            return
        for number, audio in enumerate(recordings, 1):
            if audio.part is not None:
                self._recording(slot, audio)
            if progress is not None and (number % REPORT == 0 or number == total):
                progress(number, total)
        self.cache.flush()

    def project(
        self, encoded: Mapping[str, Condition], *, generator: torch.Generator | None = None
    ) -> dict[str, Condition]:
        """Encoded slots to tokens (B, 1 + N, width): the null token, always on, then the projected real tokens.

        In training mode each row of each slot is dropped with the slot's probability; the numbers are drawn from
        ``generator``, else from torch's CPU generator, whose state a checkpoint holds.
        """
        given = {}
        for slot in self.slots:
            condition = encoded[slot]
            tokens = condition.tokens
            if self.training and self.noise[slot]:
                size = self.noise[slot] * tokens.pow(2).mean(-1, keepdim=True).sqrt()
                drawn = torch.randn(tokens.shape, generator=generator).to(tokens)
                tokens = tokens + size * drawn
            projected = self.projections[slot](tokens) if self.width else tokens
            projected = projected * condition.mask[..., None]  # padding is zero, whatever the bias
            null = self._null(slot).to(projected.dtype).expand(len(projected), 1, -1)
            on = condition.mask.new_ones(len(projected), 1)
            whole = Condition(
                torch.cat([null, projected], 1),
                torch.cat([on, condition.mask], 1),
                condition.rate_hz,
                condition.tokens,
            )
            if self.training:
                dropped = torch.rand(len(projected), generator=generator) < self.dropout[slot]
                whole = whole.drop(dropped.to(whole.mask.device))
            given[slot] = whole
        return given

    def _null(self, slot: str) -> Tensor:
        """(C,) the token that is always on: learned, or zero where nothing is projected."""
        return self.null[slot] if self.width else torch.zeros(self.encoders[slot].dim, device=self.device)

    def unconditional(self, batch_size: int) -> dict[str, Condition]:
        """Every slot with its null token alone: tokens (B, 1, width)."""
        return {
            slot: Condition(
                self._null(slot).expand(batch_size, 1, -1),
                torch.ones(batch_size, 1, dtype=torch.bool, device=self.device),
                self.encoders[slot].rate_hz,
            )
            for slot in self.slots
        }


def _values(slots: Mapping[str, Sequence[Any]], k: int) -> dict[str, list[Any]]:
    """The slots with value ``k`` of every mixture in its place (the last one where it has fewer)."""
    return {
        slot: [v.parts[min(k, len(v.parts) - 1)][0] if isinstance(v, Mixture) else v for v in values]
        for slot, values in slots.items()
    }


def _weight(value: Any, k: int) -> float:
    """The weight of value ``k`` of a mixture; what is none counts whole, once."""
    if not isinstance(value, Mixture):
        return float(k == 0)
    return value.parts[k][1] if k < len(value.parts) else 0.0
