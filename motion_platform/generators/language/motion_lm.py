"""Motion as a language: a language model that reads and writes motion codes between its words.

Sources: MotionGPT (Jiang et al., NeurIPS 2023, arXiv:2306.14795): motion codes as words, one model for all tasks,
instructions; MotionGPT (Zhang et al., AAAI 2024, arXiv:2306.10900): a frozen causal model under LoRA, codes as decimal
text, key poses as input. What differs here and why: docs/language.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.errors import ConfigError, UnknownName, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.encoders.plain_text import spell
from motion_platform.generators.language import wordings as lm_templates
from motion_platform.generators.language.answers import Answers
from motion_platform.generators.language.codes import CodeGenerator, code_features
from motion_platform.generators.language.exercises import Examiner, Exercise
from motion_platform.generators.language.packing import lay_out
from motion_platform.generators.language.vocabulary import Vocabulary, Writing
from motion_platform.language_models import base as lm_lora
from motion_platform.language_models.decoding import pad_left

MIXTURE = {
    "text_to_motion": 4.0,
    "motion_to_text": 3.0,
    "motion_prediction": 1.0,
    "motion_in_between": 1.0,
    "keyframes_to_motion": 1.0,
    "length_from_text": 0.5,
    "random_motion": 0.5,
}
NOTHING = -1


def check_mixture(mixture: Mapping[str, float]) -> None:
    """Errors: UnknownName for a task that there is not; ConfigError for weights that teach nothing."""
    for task, weight in mixture.items():
        if task not in lm_templates.TASKS:
            raise UnknownName("task", task, lm_templates.TASKS, "motion_lm: mixture")
        if not weight >= 0:
            raise ConfigError(f"motion_lm: mixture.{task}: got {weight}; allowed: 0 or more")
    if not sum(mixture.values()):
        raise ConfigError("motion_lm: mixture: every weight is 0; name a task to learn")


class MotionLM(CodeGenerator):
    """A causal or sequence-to-sequence language model with motion codes.

    base: a name of ``motion weights list``, a folder or hub name of transformers; or a table (a configuration, with
    ``model_type``) that is built untrained, reads bytes, and must be trained whole. tokenizer: the checkpoint of a
    motion tokenizer; or {name, settings} for an untrained one, which is then part of this model (for trying out).
    Neither a named base under LoRA nor a named tokenizer is in the checkpoint: see :meth:`fingerprints`.

    writing: "tokens" or "decimal", see ``lm_vocabulary``. new_rows: how the rows of the codes start, at the mean of
    the base's table ("mean"), or there plus what the code looks like as motion, projected at random ("motion").
    tuning: "lora" with rank, alpha, dropout and the layers adapted (default: Zhang et al. 2024, table 6: r 64, alpha
    16, query and value), or "full". layers: so many of a causal base only, its first and last.
    base_dtype, attention, quantise: see ``lm_lora.load``. checkpointing: recompute activations, for less memory.
    shard: spread the frozen layers over the processes of a training run, for a base that one device cannot hold.

    mixture: task -> weight (default ``MIXTURE``); for pre-training also text_denoising and motion_denoising.
    tasks_a_clip: exercises made of a clip in a step. instructions: a file of wordings, "many" or "alpaca"; wordings: at
    most so many a task. whole_sequence: learn the prompt too, not the answer alone.
    pack: width of a row of several exercises. max_frames: the longest motion written at once; longer ones are written
    in windows.

    temperature, top_p: how motion is sampled; captions take the most likely word. guidance: slot -> weight, all slots
    alike (1: none). max_words: the most tokens of a caption. blend_seconds: over which a motion runs into kept frames.
    decoding: "compiled" writes with a cache of fixed size and a compiled step, meant for a GPU.
    """

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str] = (),
        *,
        base: str | dict[str, Any],
        tokenizer: str | dict[str, Any],
        writing: Writing = "tokens",
        new_rows: Literal["mean", "motion"] = "mean",
        tuning: Literal["lora", "full"] = "lora",
        rank: int = 64,
        alpha: float = 16.0,
        dropout: float = 0.05,
        adapted: list[str] | None = None,
        layers: int | None = None,
        base_dtype: Literal["float32", "bfloat16"] = "float32",
        attention: Literal["sdpa", "eager"] = "sdpa",
        quantise: Literal["4bit"] | None = None,
        checkpointing: bool = False,
        shard: bool = False,
        mixture: dict[str, float] | None = None,
        tasks_a_clip: int = 1,
        instructions: str | None = None,
        wordings: int | None = None,
        whole_sequence: bool = False,
        pack: int = 256,
        max_frames: int = 196,
        temperature: float = 1.0,
        top_p: float = 0.9,
        guidance: float = 1.0,
        max_words: int = 40,
        blend_seconds: float = 0.25,
        decoding: Literal["cached", "compiled"] = "cached",
    ) -> None:
        super().__init__()
        self.mixture = MIXTURE if mixture is None else mixture
        check_mixture(self.mixture)
        if shard and tuning != "lora":
            raise ConfigError("motion_lm: shard: spreads the frozen base of an adapter; use tuning: lora")
        if isinstance(base, dict) and tuning == "lora":
            raise ConfigError("motion_lm: base: an untrained model has nothing to adapt; use tuning: full")
        for name, value in (("tasks_a_clip", tasks_a_clip), ("max_words", max_words), ("rank", rank)):
            if value < 1:
                raise ConfigError(f"motion_lm: {name}: got {value}; at least 1")
        if temperature < 0 or not 0 < top_p <= 1:
            raise ConfigError(f"motion_lm: got temperature {temperature}, top_p {top_p}; allowed: >= 0, above 0 to 1")
        self.spec, self.slots, self.width = spec, tuple(slots), 0
        self.set_tokenizer(tokenizer, spec)
        self.base = lm_lora.load(base, layers=layers, dtype=base_dtype, attention=attention, quantise=quantise)
        self.vocabulary = Vocabulary(
            self.base.text, self.base.table.weight.shape[0], self.tokenizer.codes, self.tokenizer.codebooks, writing
        )
        self.tuning, self.tasks_a_clip, self.pack, self.attention = tuning, tasks_a_clip, pack, attention
        self.whole_sequence, self.max_frames = whole_sequence, max_frames
        self.temperature, self.top_p, self.guidance, self.max_words = temperature, top_p, guidance, max_words
        if decoding == "compiled" and self.base.seq2seq:
            raise ConfigError(f"motion_lm: decoding: compiled needs a causal base, {self.base.name} reads and writes")
        self.decoding = decoding
        self.blend = round(blend_seconds * spec.fps)
        self.max_steps = max_frames // self.tokenizer.stride
        if self.max_steps < 2:
            raise ConfigError(f"motion_lm: max_frames: got {max_frames}; at least two steps of the tokenizer")
        self.examiner = Examiner(
            self.vocabulary, lm_templates.load(instructions, limit=wordings), spec.fps, self.tokenizer.stride
        )
        for task, weight in self.mixture.items():
            if weight and not self.examiner.instructions.wordings.get(task):
                raise ConfigError(
                    f"motion_lm: mixture.{task}: the instructions {instructions!r} have no wording for it"
                )
        self.answers, self._shard = Answers(self), shard

        # Only what is trained is registered: the rest has no place in a checkpoint.
        self.rows = nn.Parameter(self._first_rows(self.base.table.weight, new_rows))
        self.head_rows = None if self.base.tied else nn.Parameter(self._first_rows(self.base.head.weight, new_rows))
        if tuning == "lora":
            self.spread = "would miss the base, which stands outside: torchrun, and model.settings.shard=true"
            self.lora = nn.ParameterDict(lm_lora.adapt(self.base, rank, alpha, dropout, adapted))
        else:
            self.body = nn.ModuleList(self.base.modules).float()
        if checkpointing:
            self.base.body.gradient_checkpointing_enable({"use_reentrant": False})

    def _first_rows(self, table: Tensor, how: str) -> Tensor:
        """(own, E) float32: near the mean row, so that the first losses are those of an unknown word, not of noise."""
        table = table.detach().float()
        mean, spread = table.mean(0), table.std(0)
        rows = mean + 0.01 * spread * torch.randn(self.vocabulary.own, len(mean))
        written = self.vocabulary.own - 4
        if how == "motion" and written:
            seen = code_features(self.tokenizer)
            projection = torch.randn(seen.shape[1], len(mean)) / seen.shape[1] ** 0.5
            rows[:written] += 0.5 * spread * (seen @ projection).to(rows)
        return rows

    def fingerprints(self) -> dict[str, str]:
        """What the adapter belongs to and does not hold."""
        return super().fingerprints() | ({"language model": self.base.fingerprint} if self.tuning == "lora" else {})

    def train(self, mode: bool = True) -> MotionLM:
        """The base, unregistered, follows (dropout of the adapter); the motion tokenizer stays as it is."""
        super().train(mode)
        for module in self.base.modules:
            module.train(mode)
        return self

    def _apply(self, fn: Callable, recurse: bool = True) -> MotionLM:
        """Moves, too, what is not registered."""
        super()._apply(fn, recurse)
        for module in (*self.base.modules, self.base.table):
            module._apply(fn)  # noqa: SLF001 - torch has no other way to follow .to()
        return self

    # ---------------------------------------------------------------- the network

    def embed(self, ids: Tensor) -> Tensor:
        """(...) ids of the vocabulary -> (..., E): rows of the base's table, or our own."""
        first = self.vocabulary.text_size
        words = self.base.table(ids.clamp(max=first - 1))
        own = F.embedding((ids - first).clamp(min=0), self.rows)
        return torch.where((ids >= first)[..., None], own.to(words.dtype), words)

    def logits(self, hidden: Tensor, out: Tensor) -> Tensor:
        """Hidden states (..., E) -> (..., K) for the output ids ``out`` of the vocabulary."""
        first = self.vocabulary.text_size
        hidden = hidden * self.base.scale
        own = (out[out >= first] - first).to(hidden.device)
        rows = (self.rows if self.head_rows is None else self.head_rows)[own]
        parts = [F.linear(hidden, rows.to(hidden.dtype))]
        if len(own) < len(out):
            words = out[: len(out) - len(own)]  # text ids stand in front in both kinds of answer
            # A tied head is the table: of the two modules only the table is registered, and spread over processes.
            table = (self.base.table if self.base.tied else self.base.head).weight
            table = table if len(words) == first else table[words.to(hidden.device)]
            parts.insert(0, F.linear(hidden, table.to(hidden.dtype)))
        return torch.cat(parts, -1)

    # ---------------------------------------------------------------- training

    def exercises(self, batch: Batch, given: Mapping[str, Condition]) -> list[Exercise]:
        """``tasks_a_clip`` exercises of every clip, drawn from the mixture with torch's global generator."""
        device_type = self.rows.device.type
        with torch.no_grad(), torch.autocast(device_type, enabled=False):
            tokens = self.tokenizer.encode(batch.motion)
        texts = self.texts(given, len(batch.ids))
        chance = random.Random(int(torch.randint(2**31, ())))
        tasks, weights = list(self.mixture), list(self.mixture.values())
        made = []
        for b, (codes, steps) in enumerate(zip(tokens.ids.cpu(), tokens.lengths.tolist(), strict=True)):
            captions = (batch.captions[b] if batch.captions else []) or ([texts[b]] if texts[b] else [])
            for task in chance.choices(tasks, weights, k=self.tasks_a_clip):
                text = texts[b] or "" if self.slots else ""
                if captions and (task == "motion_to_text" or not self.slots):
                    text = chance.choice(captions)
                frames = int(batch.motion.lengths[b])
                made.append(self.examiner.exercise(task, codes[:steps], frames, text, chance))
        return made

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "motion", "text"}: mean cross-entropy of the ids learned, in nats, and that of either kind.

        An id of a motion is predicted among ``motion_out``, an id of a text among ``text_out``: what the grammar of
        generation leaves open. Errors: UsageError for an exercise that is longer than the base reads.
        """
        if batch.motion is None:
            raise UsageError("motion_lm: the batch has no motion to learn from")
        if self._shard:  # only now is the base where it will compute
            lm_lora.shard(self.base)
            self._shard = False
        made = self.exercises(batch, given)
        self.check_length(max(map(len, made)))
        hidden, wanted, in_motion = (self._pairs if self.base.seq2seq else self._packed)(made)
        total, count = hidden.new_zeros((), dtype=torch.float32), 0
        parts = {}
        size = self.vocabulary.text_size + self.vocabulary.own
        for name, out in (("motion", self.vocabulary.motion_out), ("text", self.vocabulary.text_out)):
            place = torch.full((size,), NOTHING)
            place[out] = torch.arange(len(out))
            index = place.to(wanted.device)[wanted.clamp(min=0)]
            chosen = (wanted >= 0) & (index >= 0) & (in_motion == (name == "motion"))
            if not bool(chosen.any()):
                continue
            errors = F.cross_entropy(self.logits(hidden[chosen], out).float(), index[chosen], reduction="sum")
            total, count = total + errors, count + int(chosen.sum())
            parts[name] = (errors / chosen.sum()).detach()
        # The rows of codes take part in every step, captions alone too, or data-parallel training would wait for them.
        unused = sum(p.sum() for p in (self.rows, self.head_rows) if p is not None)
        return {"loss": total / max(count, 1) + 0.0 * unused, **parts}

    def _packed(self, made: Sequence[Exercise]) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states (R, L, E), the ids wanted there (-1: none), and which of these stand in a motion."""
        device = self.rows.device
        packed = lay_out([(e.prompt, e.answer) for e in made], self.pack, self.vocabulary, whole=self.whole_sequence)
        embedded = self.embed(packed.ids.to(device))
        mask = packed.mask.to(device)
        if self.attention == "eager":  # adds its mask to the scores
            kind = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else embedded.dtype
            mask = torch.zeros(mask.shape, dtype=kind, device=device).masked_fill(~mask, torch.finfo(kind).min)
        hidden = self.base.body(
            inputs_embeds=embedded, attention_mask=mask, position_ids=packed.positions.to(device), use_cache=False
        ).last_hidden_state
        return hidden, packed.wanted.to(device), packed.in_motion.to(device)

    def _pairs(self, made: Sequence[Exercise]) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`_packed`, for an encoder that reads the prompt and a decoder that is opened by its last mark."""
        device = self.rows.device
        prompts, mask = pad_left([e.prompt[:-1] for e in made], device)
        said = [torch.tensor([e.prompt[-1], *e.answer], device=device) for e in made]
        ids = nn.utils.rnn.pad_sequence([row[:-1] for row in said], batch_first=True)
        wanted = nn.utils.rnn.pad_sequence([row[1:] for row in said], batch_first=True, padding_value=NOTHING)
        memory = self.base.body.get_encoder()(inputs_embeds=self.embed(prompts), attention_mask=mask.long())[0]
        hidden = self.base.body.get_decoder()(
            inputs_embeds=self.embed(ids), encoder_hidden_states=memory, encoder_attention_mask=mask.long()
        ).last_hidden_state
        return hidden, wanted, (ids[:, :1] == self.vocabulary.motion_start).expand_as(ids)

    def check_length(self, ids: int) -> None:
        """UsageError for a sequence that is longer than the base reads."""
        if self.base.context is not None and ids > self.base.context:
            raise UsageError(
                f"motion_lm: a prompt with its answer has {ids} tokens; {self.base.name} reads up to "
                f"{self.base.context}; give a shorter text, or a smaller max_frames"
            )

    # ---------------------------------------------------------------- answers

    def texts(self, given: Mapping[str, Condition], rows: int) -> list[str]:
        """What the slots say, a row each; slots after each other."""
        said = [
            spell(given[slot].encoded, given[slot].mask[:, 1:])
            for slot in self.slots
            if given[slot].encoded is not None
        ]
        return ["; ".join(text.strip(" .") for text in row if text.strip(" .")) for row in zip(*said, strict=True)] or [
            ""
        ] * rows

    def seams(self, length: int) -> list[int]:
        """Frames at which a window's own part begins, for motions longer than ``max_frames``."""
        return self.answers.seams(length)

    def generate(
        self,
        given: Mapping[str, Condition],
        lengths: Tensor,
        *,
        noise: NoiseSource,
        sampling: Sampling,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions of exactly the asked lengths (B,), raw units, zero after their end.

        edit: frames kept in all their features; they are shown to the model as codes (a step counts as known when half
        of its frames are kept, or when it holds the only kept frames around), and are exact in the result, the motion
        running into them over ``blend_seconds``. Errors: UsageError for an edit that keeps single features, for
        settings of diffusion, and for a text that does not fit.
        """
        with torch.inference_mode():
            x, own = self.answers.motions(self.texts(given, len(lengths)), lengths, noise, sampling, edit)
        return Motion(x.clone(), lengths.to(x.device), self.spec, None if own is None else own.clone())

    def describe(self, motion: Motion, *, noise: NoiseSource, sampling: Sampling) -> list[str]:
        """B captions, the most likely word at a time. Of a motion longer than ``max_frames`` the first part is read.

        Errors: UsageError for a motion without frames.
        """
        with torch.inference_mode():
            return self.answers.captions(motion, noise)

    def natural_lengths(self, given: Mapping[str, Condition]) -> Tensor | None:
        """(B,) frames that such a motion lasts, asked in words; None without a text or when that was not learned."""
        rows = len(next(iter(given.values())).tokens) if given else 0
        texts = self.texts(given, rows)
        if not self.mixture.get("length_from_text") or not rows or not all(texts):
            return None
        with torch.inference_mode():
            return self.answers.lengths(texts)
