"""From a motion language model to motions, captions and lengths: windows, key frames, and what is kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Edit, Motion, Sampling, Tokens, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.language.exercises import CUT, task_of
from motion_platform.generators.language.grammar import SecondsGrammar, TextGrammar, motion_grammar, readable_text
from motion_platform.language_models import decoding as lm_decoding
from motion_platform.language_models.grammar import Grammar

if TYPE_CHECKING:
    from motion_platform.generators.language.motion_lm import MotionLM

log = logging.getLogger("motion_platform")

LENGTHS, LENGTHS_TEMPERATURE = 7, 0.7
"""How many lengths are drawn of a text, of which the middle one counts: digit after digit the most likely one is "3.0"
for nearly every text, and one clip in a hundred lasts that long."""
OVERLAP = 0.25
"""Share of a window that the next one reads again, for motions longer than one window."""


class Answers:
    """The work of ``MotionLM.generate``, ``describe`` and ``natural_lengths``. Holds no weights."""

    def __init__(self, model: MotionLM) -> None:
        self.model = model
        self._readable: tuple[Tensor, Tensor] | None = None

    # ---------------------------------------------------------------- motion

    @property
    def overlap(self) -> int:
        """Steps that the next window reads again."""
        return max(1, int(OVERLAP * self.model.max_steps))

    def seams(self, length: int) -> list[int]:
        """The first frames of what later windows write."""
        most, stride = self.model.max_steps, self.model.tokenizer.stride
        steps = -(-length // stride)
        return [s * stride for s in range(most, steps, most - self.overlap)]

    def motions(
        self, texts: Sequence[str], lengths: Tensor, noise: NoiseSource, sampling: Sampling, edit: Edit | None
    ) -> tuple[Tensor, Tensor | None]:
        """(B, T, D) raw features, and those before the kept frames were put back; see ``MotionLM.generate``."""
        model = self.model
        guidance = self._guidance(sampling)
        if len(noise.ids) != len(lengths):
            raise UsageError(f"motion_lm: {len(noise.ids)} noise ids for {len(lengths)} motions")
        if int(lengths.min()) < 1:
            raise UsageError(f"motion_lm: length {int(lengths.min())} must be at least 1 frame")
        frames = lengths.tolist()
        steps = [-(-n // model.tokenizer.stride) for n in frames]
        known = [{}] * len(frames) if edit is None else self._known(edit, frames)
        written = [dict(row) for row in known]  # step -> codes, filled window by window
        start, most = 0, model.max_steps
        while True:
            rows = [b for b in range(len(frames)) if start == 0 or start + self.overlap < steps[b]]
            if not rows:
                break
            self._window(rows, start, texts, frames, steps, written, noise, guidance)
            start += most - self.overlap
        x = self._decode(written, steps, frames)
        return (x, None) if edit is None else (self._keep(x.clone(), edit, frames), x)

    def _guidance(self, sampling: Sampling) -> float:
        """The one weight asked for, else the model's. UsageError for settings that a language model does not have."""
        if sampling.sampler is not None or sampling.steps is not None:
            raise UsageError("--sampler, --steps: are for diffusion; a motion_lm has temperature and top_p (settings)")
        weights = set(sampling.guidance.values())
        for slot in sampling.guidance:
            if slot not in self.model.slots:
                raise UsageError(f"motion_lm: guidance: no slot {slot!r}; it has: {', '.join(self.model.slots)}")
        if len(weights) > 1:
            raise UsageError("--guidance: a motion_lm reads all its texts as one; give one weight")
        return weights.pop() if weights else self.model.guidance

    def _window(
        self,
        rows: Sequence[int],
        start: int,
        texts: Sequence[str],
        frames: Sequence[int],
        steps: Sequence[int],
        written: list[dict[int, list[int]]],
        noise: NoiseSource,
        guidance: float,
    ) -> None:
        """Write steps start .. start + max_steps of the motions ``rows``; what is known already stays."""
        model = self.model
        prompts, plain, grammars, wanted = [], [], [], []
        for b in rows:
            size = min(steps[b] - start, model.max_steps)
            given = {s - start: codes for s, codes in written[b].items() if start <= s < start + size}
            missing = [s for s in range(size) if s not in given]
            if not missing:
                continue
            task = task_of(sorted(given), size, texts[b])
            length = min(frames[b] - start * model.tokenizer.stride, size * model.tokenizer.stride)
            prompts.append(model.examiner.motion_prompt(task, given, size, texts[b], length))
            bare = task_of(sorted(given), size, "")
            plain.append(model.examiner.motion_prompt(bare, given, size, "", length))
            if task in CUT:
                grammars.append(motion_grammar(model.vocabulary, steps=len(missing), most=size))
            else:
                grammars.append(motion_grammar(model.vocabulary, steps=size, most=size, known=given))
            wanted.append((b, missing if task in CUT else list(range(size))))
        if not prompts:
            return
        own = NoiseSource(
            [f"{noise.ids[b]} from step {start}" if start else noise.ids[b] for b, _ in wanted], noise.seed
        )
        self._write(prompts, grammars, own, model.temperature, plain if guidance != 1 else None, guidance)
        for (b, places), grammar in zip(wanted, grammars, strict=True):
            codes = model.vocabulary.parse(grammar.ids).tolist()
            for place, code in zip(places, codes, strict=True):
                written[b].setdefault(start + place, code)

    def _write(
        self,
        prompts: Sequence[Sequence[int]],
        grammars: Sequence[Grammar],
        noise: NoiseSource,
        temperature: float,
        without: Sequence[Sequence[int]] | None = None,
        guidance: float = 1.0,
    ) -> None:
        self.model.check_length(max(map(len, prompts)) + 1)
        lm_decoding.write(
            self.model,
            prompts,
            grammars,
            noise=noise,
            temperature=temperature,
            top_p=self.model.top_p,
            without=without,
            guidance=guidance,
        )

    def _decode(
        self, written: Sequence[Mapping[int, list[int]]], steps: Sequence[int], frames: Sequence[int]
    ) -> Tensor:
        model = self.model
        ids = torch.zeros(len(steps), max(steps), model.tokenizer.codebooks, dtype=torch.int64)
        for b, row in enumerate(written):
            ids[b, : steps[b]] = torch.tensor([row[s] for s in range(steps[b])])
        device = model.rows.device
        made = model.tokenizer.decode(Tokens(ids.to(device), torch.tensor(steps, device=device)))
        lengths = torch.tensor(frames, device=device)
        x = made.x[:, : max(frames)].float()
        return torch.where(length_mask(lengths, max(frames))[..., None], x, 0.0)

    # ---------------------------------------------------------------- what is kept

    def _known(self, edit: Edit, frames: Sequence[int]) -> list[dict[int, list[int]]]:
        """step -> codes of what the edit keeps. Frames that are not kept are never read: the nearest kept one stands
        in for them. UsageError for an edit of another shape, or one that keeps some features of a frame only."""
        model, stride = self.model, self.model.tokenizer.stride
        keep = edit.keep.all(-1).cpu()
        shape = (len(frames), max(frames), model.spec.dim)
        if tuple(edit.x.shape) != shape or tuple(edit.keep.shape) != shape:
            raise UsageError(
                f"motion_lm: got an edit of shape x {tuple(edit.x.shape)}, keep {tuple(edit.keep.shape)}; "
                f"allowed: {shape} for both"
            )
        if bool((edit.keep.any(-1).cpu() != keep).any()):
            raise UsageError("motion_lm: keeps whole frames, not single joints; use a diffusion model for body parts")
        found: list[dict[int, list[int]]] = []
        for b, n in enumerate(frames):
            own = keep[b, :n]
            kept = own.nonzero()[:, 0]
            if not len(kept):
                found.append({})
                continue
            nearest = kept[(torch.arange(n)[:, None] - kept[None]).abs().argmin(1)]
            filled = Motion(edit.x[b, nearest.to(edit.x.device)][None], torch.tensor([n]), model.spec)
            codes = model.tokenizer.encode(filled.to(model.rows.device)).ids[0].tolist()
            parts = own.split(stride)
            whole = {s for s, part in enumerate(parts) if 2 * int(part.sum()) >= len(part)}
            some = {s for s, part in enumerate(parts) if bool(part.any())}
            alone = {s for s in some if not {s - 1, s, s + 1} & whole}
            found.append({s: codes[s] for s in sorted(whole | alone)})
        return found

    def _keep(self, x: Tensor, edit: Edit, frames: Sequence[int]) -> Tensor:
        """Put the kept frames back exactly, and let their difference fade out over the frames beside them."""
        keep, given = edit.keep.to(x.device).all(-1), edit.x.to(x)
        fade = self.model.blend
        for b, n in enumerate(frames):
            kept = keep[b, :n].nonzero()[:, 0]
            if not len(kept):
                continue
            distance = (torch.arange(n, device=x.device)[:, None] - kept[None]).abs()
            near, which = distance.min(1)
            weight = (1 - near / (fade + 1)).clamp(min=0)[:, None]
            x[b, :n] += weight * (given[b, :n] - x[b, :n])[kept[which]]
        return torch.where(keep[..., None], given, x)

    # ---------------------------------------------------------------- words

    def captions(self, motion: Motion, noise: NoiseSource) -> list[str]:
        """See ``MotionLM.describe``."""
        model = self.model
        if int(motion.lengths.min()) < 1:
            raise UsageError("motion_lm: a motion without frames shows nothing; give at least 1 frame")
        if int(motion.lengths.max()) > model.max_frames:
            log.warning(
                "a motion of %d frames: its caption is of the first %d, all that is read at once",
                int(motion.lengths.max()),
                model.max_frames,
            )
        lengths = motion.lengths.clamp(max=model.max_frames)
        cut = Motion(motion.x[:, : int(lengths.max())], lengths, motion.spec)
        tokens = model.tokenizer.encode(cut.to(model.rows.device))
        prompts, grammars = [], []
        readable, opening = self._readable_text()
        for codes, steps in zip(tokens.ids.cpu(), tokens.lengths.tolist(), strict=True):
            shown = model.vocabulary.motion(codes[:steps])
            prompts.append(model.examiner.plain_prompt("motion_to_text", {"motion": shown}))
            grammars.append(TextGrammar(model.vocabulary, model.max_words, readable, opening))
        self._write(prompts, grammars, noise, temperature=0.0)
        return [model.vocabulary.text.decode(grammar.ids).strip() for grammar in grammars]

    def lengths(self, texts: Sequence[str]) -> Tensor:
        """See ``MotionLM.natural_lengths``; 2 to ``max_frames`` frames, the lengths that were learned. The same text
        has the same length, whatever stands beside it."""
        model = self.model
        draws = [(text, number) for text in texts for number in range(LENGTHS)]
        prompts = [model.examiner.plain_prompt("length_from_text", {"text": text}) for text, _ in draws]
        grammars = [SecondsGrammar(model.vocabulary) for _ in draws]
        noise = NoiseSource([f"{text} {number}" for text, number in draws], 0)
        self._write(prompts, grammars, noise, temperature=LENGTHS_TEMPERATURE)
        seconds = torch.tensor([grammar.seconds() for grammar in grammars]).view(len(texts), LENGTHS)
        return (seconds.median(1).values * model.spec.fps).round().long().clamp(2, model.max_frames)

    def _readable_text(self) -> tuple[Tensor, Tensor]:
        if self._readable is None:
            self._readable = readable_text(self.model.vocabulary)
        return self._readable
