"""A masked transformer that writes the residual codes of a motion tokenizer from text.

Source: MoMask (Guo et al., CVPR 2024, arXiv:2312.00063), section 3. A code is drawn, not averaged: a wave has a phase,
where a regression of the mean over all phases stands still. What is ours: one network for all codebooks, told which
one it writes; lengths as a distribution; training on other lengths and tempi of the same clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling, Spans, Tokens, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.diffusion.guidance import Chain, check_lengths, guidance_chain, known_slots
from motion_platform.generators.diffusion.reading import ConditionReader
from motion_platform.generators.language.codes import CodeGenerator
from motion_platform.generators.tokens import composing, varying, writing
from motion_platform.generators.tokens.labels import TextLabels
from motion_platform.generators.tokens.lengths import Lengths
from motion_platform.generators.tokens.seams import given_codes, paste
from motion_platform.motion.foot_lock import standing
from motion_platform.nn.transformer import Transformer, sinusoidal

LABELS = "labels"
"""The link of the guidance chain that stands for what was read of a text, without its words."""
Memory = tuple[list | None, Tensor | None, Tensor | None]
"""Keys and values of every layer, the mask (B, N) of what they are of, and the vector (B, width) of the labels."""


class MaskedTokens(CodeGenerator):
    """A transformer over the steps of a motion tokenizer that reads the text by cross-attention.

    tokenizer: the checkpoint of a motion tokenizer (not part of this model's weights: see ``CodeGenerator``), or
    {name, settings} for an untrained one that is. max_frames: the longest motion written at once; longer ones go on
    from the last ``overlap`` seconds. text_layers, alignment_loss: see ``ConditionReader``.

    Training: a row predicts the masked codes of the first codebook, or (``residual_share`` of the rows) those of a
    later one from all before it. crop, tempo: the share of rows that are cut or made faster or slower
    (generators/tokens/varying.py). Sampling: ``steps`` passes settle the first codebook, the most certain first, one
    pass each later codebook; guidance is a weight on logits a slot. temperature, top_p: of the draw;
    later_temperature: of that of the later codebooks (0: the likeliest code). order_noise: size of the Gumbel noise in
    the order of settling; without it a body that stands (one certain code) is settled before one that strides.
    foot_lock: bones keep their lengths and supporting feet stand (motion/foot_lock.py), before given frames are put in.
    lengths_only: train what picks a length (generators/tokens/lengths.py) and leave all else as it is.
    labels: target -> labels that the first slot's text is read for (generators/tokens/labels.py); encoder_width: of
    that slot's token states. labels_only: train that reading alone.
    """

    called = "masked_tokens"

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        tokenizer: str | dict[str, Any],
        layers: int = 6,
        width: int = 256,
        heads: int = 4,
        feed_forward: int = 1024,
        dropout: float = 0.1,
        text_layers: int = 1,
        alignment_loss: float = 0.0,
        max_frames: int = 196,
        overlap: float = 2.0,
        residual_share: float = 0.4,
        crop: float = 0.35,
        crop_frames: int = 60,
        tempo: float = 0.3,
        most_tempo: float = 1.15,
        steps: int = 16,
        temperature: float = 1.0,
        later_temperature: float = 1.0,
        top_p: float = 0.95,
        order_noise: float = 4.0,
        guidance: dict[str, float] | None = None,
        seam_seconds: float = 0.35,
        foot_lock: bool = False,
        lengths_only: bool = False,
        labels: dict[str, list[str]] | None = None,
        encoder_width: int = 384,
        labels_only: bool = False,
        labels_alone: float = 0.0,
    ) -> None:
        super().__init__()
        self.spec, self.slots, self.width = spec, tuple(slots), width
        found = self.set_tokenizer(tokenizer, spec)
        for name, value in (("steps", steps), ("max_frames", max_frames // found.stride)):
            if value < 1:
                raise ConfigError(f"masked_tokens: {name}: got {value}; at least 1")
        if min(temperature, later_temperature) < 0 or not 0 < top_p <= 1:
            raise ConfigError(
                f"masked_tokens: got temperature {temperature}, later_temperature {later_temperature}, top_p {top_p}; "
                "allowed: >= 0, >= 0, above 0 to 1"
            )
        self.stride, self.codes, self.codebooks = found.stride, found.codes, found.codebooks
        self.max_steps, self.max_frames = -(-max_frames // found.stride), max_frames
        self.overlap = max(1, round(overlap * spec.fps / found.stride))
        if self.overlap >= self.max_steps:
            raise ConfigError(f"masked_tokens: overlap: got {overlap} s; allowed: less than max_frames")
        self.residual_share, self.crop, self.crop_frames = residual_share, crop, crop_frames
        self.tempo, self.most_tempo = tempo, most_tempo
        self.draw = writing.Draw(steps, temperature, later_temperature, top_p, order_noise)
        self.links = (LABELS,) if self.slots and labels else ()
        weighed = (*self.links, *self.slots)
        self.guidance = dict.fromkeys(weighed, 1.5) | known_slots(guidance or {}, weighed, "masked_tokens: guidance")
        self.blend, self.foot_lock = round(seam_seconds * spec.fps), foot_lock

        self.register_buffer("positions", sinusoidal(self.max_steps + 1, width), persistent=False)
        # As large as the positions: smaller ones are not seen beside them. The last row is the mask.
        self.books = nn.Parameter(torch.randn(self.codebooks, self.codes + 1, width))
        self.near = nn.Conv1d(width, width, 5, padding=2)  # two steps to each side, without a detour over positions
        nn.init.zeros_(self.near.weight)
        nn.init.zeros_(self.near.bias)
        self.level = nn.Parameter(torch.randn(self.codebooks, width) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.transformer = Transformer(layers, width, heads, feed_forward, dropout, "pre", cross_attention=bool(slots))
        self.heads = nn.Parameter(torch.randn(self.codebooks, self.codes, width) * width**-0.5)
        self.biases = nn.Parameter(torch.zeros(self.codebooks, self.codes))
        self.reader = ConditionReader(
            self.slots,
            width,
            layers=text_layers,
            heads=heads,
            feed_forward=feed_forward,
            dropout=dropout,
            motion_dim=spec.dim,
            patch=found.stride,
            max_frames=max_frames,
            natural_length=False,
            alignment=alignment_loss,
        )
        self.length = Lengths(width, self.max_steps, self.stride, max_frames) if self.slots else None
        self.labels = TextLabels(encoder_width, labels, width) if self.slots and labels else None
        self.labels_alone = labels_alone
        alone = {"lengths_only": (lengths_only, self.length), "labels_only": (labels_only, self.labels)}
        for name, (asked, part) in alone.items():
            if asked:
                self.requires_grad_(False)
                if part is None:
                    raise ConfigError(f"masked_tokens: {name}: there is no slot, or no label, to read")
                part.requires_grad_(True)
        if labels_only and self.labels is not None:
            self.labels.rows.requires_grad_(False)  # what a generator makes of a label is not read
        self.lengths_only, self.labels_only = lengths_only, labels_only
        self.words_alone = labels_only

    # ---------------------------------------------------------------- the network

    def _memory(self, read: Mapping[str, Condition], said: Tensor | None) -> Memory:
        """What every pass reads: the conditions as the reader has read them and the vector (B, width) of the labels;
        nothing without slots."""
        if not self.slots:
            return None, None, None
        tokens = torch.cat([read[slot].tokens for slot in self.slots], 1)
        mask = torch.cat([read[slot].mask for slot in self.slots], 1)
        return self.transformer.keys_values(tokens), mask, said

    def _pooled(self, given: Mapping[str, Condition], read: Mapping[str, Condition]) -> Tensor:
        """(B, width) what a length is picked from."""
        pooled = self.reader.pooled(read)
        return pooled if self.labels is None else pooled + self.labels.vector(given[self.slots[0]])

    def logits(self, seen: Tensor, book: Tensor, real: Tensor, memory: Memory) -> Tensor:
        """(B, S, K) for codebook ``book`` (B,), from embedded steps (B, S, width), where ``real`` (B, S)."""
        keys, mask, said = memory
        first = self.level[book]
        if said is not None:
            first, seen = first + said, seen + said[:, None]
        seen = seen * real[..., None]
        seen = seen + self.near(seen.transpose(1, 2)).transpose(1, 2)
        h = torch.cat([first[:, None].to(seen.dtype), seen], 1)
        h = h + self.positions[: h.shape[1]].to(h.dtype)
        here = F.pad(real, (1, 0), value=True)
        h = self.transformer(self.dropout(h), here, keys, mask)[:, 1:]
        return torch.einsum("bsc,bkc->bsk", h, self.heads[book].to(h.dtype)) + self.biases[book][:, None].to(h.dtype)

    def embed(self, ids: Tensor, upto: Tensor) -> Tensor:
        """(B, S, Q) codes, the mask among them -> (B, S, width): the sum of the first ``upto`` (B,) codebooks' rows."""
        books = torch.stack([F.embedding(ids[..., q], self.books[q]) for q in range(self.codebooks)], 2)
        on = torch.arange(self.codebooks, device=ids.device)[None] < upto[:, None]
        return (books * on[:, None, :, None]).sum(2)

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "first", "later", "length"[, "alignment"]}: cross-entropies a code, in nats, and accuracies."""
        if batch.motion is None:
            raise DataError("masked_tokens: the batch has no motion to learn from")
        whole = batch.motion
        if self.lengths_only and self.length is not None:
            error = self.length.error(self._pooled(given, self.reader(given)), whole.lengths)
            return {"loss": error, "length": error.detach()}
        if self.labels_only and self.labels is not None:
            said = self.labels.parts(given[self.slots[0]], batch, self.slots[0])
            return {"loss": said["labels"], **{name: part.detach() for name, part in said.items()}}
        varied = whole
        if self.training:
            varied = varying.crop(varied, self.crop, self.crop_frames)
            varied = varying.change_tempo(varied, self.tempo, self.most_tempo, self.max_frames)
        tokens = self.tokenizer.encode(varied)
        ids, lengths = tokens.ids, tokens.lengths
        real = length_mask(lengths, ids.shape[1])
        rows = len(ids)
        later = (torch.rand(rows, device=ids.device) < self.residual_share) & (self.codebooks > 1)
        book = torch.where(later, torch.randint(1, max(self.codebooks, 2), (rows,), device=ids.device), 0)
        masked = torch.where(later[:, None], real, writing.draw_mask(real))
        seen = ids.clone()
        hidden = writing.corrupt(ids[..., 0], masked, self.codes, self.codes)
        seen[..., 0] = torch.where(later[:, None], ids[..., 0], hidden)
        vector = None if self.labels is None else self.labels.vector(given[self.slots[0]])
        if self.labels_alone:
            alone = torch.rand(rows, device=ids.device) < self.labels_alone
            given = {slot: condition.drop(alone) for slot, condition in given.items()}
        read = self.reader(given)
        predicted = self.logits(self.embed(seen, book.clamp(min=1)), book, real, self._memory(read, vector))
        target = ids.gather(2, book[:, None, None].expand(-1, ids.shape[1], 1))[..., 0]
        error = F.cross_entropy(predicted.float().transpose(1, 2), target, reduction="none")
        error = (error * masked).sum(1) / masked.sum(1)
        right = ((predicted.argmax(-1) == target) & masked).sum(1) / masked.sum(1)
        loss = error.mean()
        parts = {
            "first": writing.mean_of(error, ~later),
            "later": writing.mean_of(error, later),
            "right": writing.mean_of(right, ~later),
        }
        if self.length is not None:
            parts["length"] = self.length.error(self._pooled(given, read), whole.lengths)
            loss = loss + 0.1 * parts["length"]
        x0 = torch.where(whole.mask[..., None], self.spec.normalise(whole.x), 0.0)
        for name, extra in self.reader.losses(read, x0, batch).items():
            parts[name] = extra
            loss = loss + self.reader.weights[name] * extra
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    # ---------------------------------------------------------------- sampling

    def natural_lengths(self, given: Mapping[str, Condition]) -> Tensor | None:
        """(B,) frames: the median of the lengths that clips of such a text have."""
        if self.length is None:
            return None
        return self.length.median(self._pooled(given, self.reader(given)))

    def seams(self, length: int) -> list[int]:
        """Frames at which a longer motion goes on from what was written before."""
        steps, fresh = -(-length // self.stride), self.max_steps - self.overlap
        return [start * self.stride for start in range(self.max_steps, steps, fresh)]

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling | None = None,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions of the asked lengths (B,), raw units, zero after their end.

        Guidance: the chain of ``Diffusion.generate``, on logits. ``sampling.steps``: passes for the first codebook.
        ``edit``: whole frames are kept exactly; steps that lie in them are given, the others written around them, and
        what is left at a seam is spread over ``seam_seconds``. Longer motions are written window after window, each
        given the last ``overlap`` of the one before. UsageError for an edit that keeps parts of a frame.
        """
        sampling = sampling or Sampling()
        check_lengths(lengths, noise.ids, self.called)
        chain = self._chain(given, sampling)
        device = self.books.device
        lengths = lengths.to(device)
        with torch.inference_mode():
            steps = -(-lengths // self.stride)
            known, kept = (None, None) if edit is None else given_codes(self, edit, lengths)
            memory = self.memory_of(given, chain)
            ids = self._write(steps, chain, memory, noise, sampling, known, kept)
            made = self.tokenizer.decode(Tokens(ids, steps))
            x = self._fit(made.x, lengths)
            if self.foot_lock:
                x = standing(Motion(x, lengths, self.spec)).x
            own = x if edit is not None else None
            if edit is not None:
                x = paste(x, lengths, edit, self.blend, self.spec.representation)
        return Motion(x.clone(), lengths, self.spec, own if own is None else own.clone())

    def compose(
        self, given: Mapping[str, Condition], spans: Spans, *, noise: NoiseSource, sampling: Sampling | None = None
    ) -> Motion:
        """Motions of several texts one after the other, written together (generators/tokens/composing.py)."""
        sampling, lengths = sampling or Sampling(), spans.totals()
        check_lengths(lengths, noise.ids, self.called)
        composing.check_lanes(spans, self.called)
        device = self.books.device
        with torch.inference_mode():
            steps = composing.spans_in_steps(spans, self.stride)
            ids = composing.write_spans(self, given, steps, self._chain(given, sampling), noise, sampling)
            x = self.tokenizer.decode(Tokens(ids, steps.totals().to(device))).x
            x = self._fit(composing.soften_borders(self, x, spans), lengths.to(device))
        return Motion(x.clone(), lengths.to(device), self.spec)

    def drawing(self, sampling: Sampling) -> writing.Draw:
        """How codes are drawn, in as many passes as were asked for."""
        return replace(self.draw, steps=sampling.steps or self.draw.steps)

    def _chain(self, given: Mapping[str, Condition], sampling: Sampling) -> Chain:
        if sampling.sampler is not None:
            raise UsageError(f"--sampler: {self.called} draws codes and has no samplers; --steps sets its passes")
        if not self.slots:
            return [((), 1.0)]
        asked = known_slots(sampling.guidance, list(self.guidance), f"{self.called}: guidance")
        return guidance_chain(list(self.guidance), self.guidance | asked, {**given, LABELS: given[self.slots[0]]})

    def _fit(self, x: Tensor, lengths: Tensor) -> Tensor:
        frames = int(lengths.max())
        return x[:, :frames] * length_mask(lengths, frames)[..., None]

    def guided(self, ids: Tensor, q: int, real: Tensor, chain: Chain, memory: Memory) -> Tensor:
        """(B, S, K) log-probabilities of codebook ``q`` after codes (B, S, Q), those of the chain put together."""
        copies, book = len(chain), torch.full((len(ids),), q, device=ids.device)
        seen = self.embed(ids, book.clamp(min=1)).repeat(copies, 1, 1)
        out = self.logits(seen, book.repeat(copies), real.repeat(copies, 1), memory).float()
        weights = torch.tensor([c for _, c in chain], device=ids.device).view(-1, 1, 1, 1)
        return (weights * out.unflatten(0, (copies, -1)).log_softmax(-1)).sum(0)

    def memory_of(self, given: Mapping[str, Condition], chain: Chain) -> Memory:
        """What the passes of a guidance chain read, stacked along the batch. The labels of a text are a link of the
        chain of their own (``labels``): they are told where its words are not."""
        stacked, said = {}, None
        for slot in self.slots:
            views = [given[slot] if slot in on else given[slot].drop() for on, _ in chain]
            stacked[slot] = Condition.stacked(views)
        if self.labels is not None:
            vector = self.labels.vector(given[self.slots[0]])
            said = torch.cat([vector if LABELS in on else torch.zeros_like(vector) for on, _ in chain])
        return self._memory(self.reader(stacked), said)

    def _write(
        self,
        steps: Tensor,
        chain: Chain,
        memory: Memory,
        noise: NoiseSource,
        sampling: Sampling,
        known: Tensor | None,
        kept: Tensor | None,
    ) -> Tensor:
        """(B, S, Q) codes of ``steps`` (B,) steps, window after window."""
        total = int(steps.max())
        ids = torch.zeros(len(steps), total, self.codebooks, dtype=torch.int64, device=steps.device)
        given = torch.zeros(len(steps), total, dtype=torch.bool, device=steps.device)
        if known is not None and kept is not None:
            ids[kept], given = known[kept], kept.clone()
        fresh = self.max_steps - self.overlap
        starts = [0, *range(fresh, total - self.overlap, fresh)]
        for number, start in enumerate(starts):
            end = min(start + self.max_steps, total)
            real = torch.arange(start, end, device=steps.device)[None] < steps[:, None]
            if not bool(real.any()):
                break
            # A row that has ended is written once more over nothing: at least one of its steps must be looked at.
            real = real | (torch.arange(end - start, device=steps.device)[None] == 0)
            window = self._window(
                ids[:, start:end], given[:, start:end], real, chain, memory, noise, f"window {number}", sampling
            )
            fill = ~given[:, start:end] & real
            ids[:, start:end] = torch.where(fill[..., None], window, ids[:, start:end])
            given[:, start:end] |= real
            if sampling.progress is not None:
                sampling.progress(number + 1, len(starts))
        return ids

    def _window(
        self,
        ids: Tensor,
        given: Tensor,
        real: Tensor,
        chain: Chain,
        memory: Memory,
        noise: NoiseSource,
        name: str,
        sampling: Sampling,
    ) -> Tensor:
        """Codes (B, S, Q) of one window."""

        def ask(codes: Tensor, q: int) -> Tensor:
            return self.guided(codes, q, real, chain, memory)

        def uniform(of: str) -> Tensor:
            drawn = noise.normal((ids.shape[1],), name=f"{name} {of}", device=ids.device)
            return torch.special.ndtr(drawn)

        return self.drawing(sampling).write(ids, ~given & real, self.codes, ask, uniform)
