"""Exercises: a prompt and its answer as token ids, one task at a time, made from a motion's codes and its caption."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from motion_platform.generators.language.vocabulary import Vocabulary
from motion_platform.generators.language.wordings import ANSWERS, Instructions, Part

PREDICT, BETWEEN = 0.2, 0.25
"""Shares of a clip that are given: its beginning; its beginning and its end (Jiang et al. 2023, section 4.3)."""
LOST, SPAN, GAP = 0.15, 5, "___"
"""Denoising: the share of a clip's steps or of a caption's words that is lost, in runs of 3 on average (Raffel et al.
2020, section 3.1.4; Jiang et al. 2023, section 3.2), and what stands in the place of lost words."""
POSES = (3, 5)
"""Key poses of a clip, at least and at most (Zhang et al. 2024, section 4.1)."""


@dataclass(frozen=True)
class Exercise:
    """prompt: ids up to and with the mark that opens the answer; answer: ids with the mark that closes it."""

    task: str
    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


class Examiner:
    """Writes exercises in the ids of a vocabulary and the wordings of an instruction file."""

    def __init__(self, vocabulary: Vocabulary, instructions: Instructions, fps: float, stride: int) -> None:
        self.vocabulary, self.instructions, self.fps, self.stride = vocabulary, instructions, fps, stride

    def exercise(self, task: str, codes: Tensor, frames: int, text: str, chance: random.Random) -> Exercise:
        """An exercise of a motion: codes (S, Q), its frames and a caption ("" for none).

        What cannot be asked of this clip (words without a caption, the rest of one step) becomes ``random_motion``,
        or ``text_to_motion`` where there is a caption.
        """
        vocabulary, steps = self.vocabulary, len(codes)
        given: dict[int, list[int]] = {}
        if task == "motion_prediction":
            given = self.known(codes, range(max(1, round(PREDICT * steps))))
        elif task == "motion_in_between":
            end = max(1, round(BETWEEN * steps))
            given = self.known(codes, [*range(end), *range(steps - end, steps)])
        elif task == "keyframes_to_motion":
            how = chance.random()
            drawn = chance.sample(range(steps), min(steps, chance.randint(*POSES)))
            given = self.known(codes, [0] if how < 0.25 else [steps - 1] if how < 0.5 else sorted(drawn))
        elif task == "motion_denoising":
            lost = spans(steps, chance)
            given = self.known(codes, [s for s in range(steps) if s not in lost])
        if task in ANSWERS and not text:
            task = "random_motion"
        if task in ("text_to_motion", "random_motion") or (len(given) in (0, steps) and task not in ANSWERS):
            task = "text_to_motion" if text and task != "random_motion" else "random_motion"
        wording = chance.choice(list(self.instructions.wordings[task]))
        if task in ANSWERS:
            values = {"motion": vocabulary.motion(codes), "text": "" if task == "motion_to_text" else text}
            if task == "text_denoising":
                values["text"] = with_gaps(text, chance)
            words = f"{frames / self.fps:.1f}" if task == "length_from_text" else text
            answer = [*vocabulary.text.encode(words), vocabulary.text_end]
            if task == "length_from_text":
                answer = [*(vocabulary.single(c) for c in words), vocabulary.text_end]
            return Exercise(task, [*self._fill(wording, values), vocabulary.text_start], answer)
        if task == "random_motion" or (task != "text_to_motion" and chance.random() < 0.5):
            text = ""
        # A motion that stands in the prompt says what its length is not: half of the plain ones are told theirs too.
        told = bool(given) or chance.random() < 0.5
        prompt = self.motion_prompt(task, given, steps, text, frames if told else None, wording)
        written = codes if task not in CUT else codes[[s for s in range(steps) if s not in given]]
        return Exercise(task, prompt, [*vocabulary.write(written), vocabulary.motion_end])

    def known(self, codes: Tensor, steps: Sequence[int]) -> dict[int, list[int]]:
        """step -> its Q codes."""
        return {s: codes[s].tolist() for s in steps if s < len(codes)}

    def motion_prompt(
        self,
        task: str,
        given: Mapping[int, list[int]],
        steps: int,
        text: str,
        frames: int | None,
        wording: str | None = None,
    ) -> list[int]:
        """The prompt of a task that is answered with a motion of ``steps`` steps, of which ``given`` are known."""
        import torch

        def run(chosen: list[int]) -> list[int]:
            return self.vocabulary.motion(torch.tensor([given[s] for s in chosen]))

        values: dict[str, Part | list[Part]] = {"text": text}
        values["seconds"] = "" if frames is None else f"{frames / self.fps:.1f}"
        order = sorted(given)
        if task == "motion_prediction":
            values["start"] = run(order)
        elif task == "motion_in_between":
            cut = next(k for k, s in enumerate(order) if s != k)
            values["start"], values["end"] = run(order[:cut]), run(order[cut:])
        elif task == "keyframes_to_motion":
            values["keys"] = [part for s in order for part in (f"{s}:", run([s]))]
        elif task == "motion_denoising":
            starts = [k for k, s in enumerate(order) if not k or s != order[k - 1] + 1]
            whole = [order[a:b] for a, b in zip(starts, [*starts[1:], len(order)], strict=True)]
            values["keys"] = [part for steps_of in whole for part in (f"{steps_of[0]}:", run(steps_of))]
        return [
            *self._fill(wording or self.instructions.wordings[task][0], values),
            self.vocabulary.motion_start,
        ]

    def plain_prompt(self, task: str, values: Mapping[str, Part]) -> list[int]:
        """The prompt of a task that is answered in words, in its first wording."""
        return [*self._fill(self.instructions.wordings[task][0], values), self.vocabulary.text_start]

    def _fill(self, wording: str, values: Mapping[str, Part | Sequence[Part]]) -> list[int]:
        return self.instructions.prompt(wording, values, self.vocabulary.text.encode)


CUT = ("motion_prediction", "motion_in_between")
"""Tasks whose answer is only what is missing; ``keyframes_to_motion`` is answered with the whole motion."""


def spans(count: int, chance: random.Random) -> set[int]:
    """Which of ``count`` places are lost: ``LOST`` of them (at least one, never all), in runs of ``SPAN`` or fewer."""
    wanted = min(max(1, round(LOST * count)), count - 1)
    lost: set[int] = set()
    while len(lost) < wanted:
        start = chance.randrange(count)
        lost |= set(range(start, min(start + chance.randint(1, SPAN), count)))
        while len(lost) > wanted:
            lost.remove(max(lost))
    return lost


def with_gaps(text: str, chance: random.Random) -> str:
    """A caption with words lost, each run of them one gap; a caption of one word as it is."""
    words = text.split()
    lost = spans(len(words), chance)
    shown = [GAP if k in lost else word for k, word in enumerate(words)]
    return " ".join(word for k, word in enumerate(shown) if word != GAP or k - 1 not in lost)


def task_of(given: Sequence[int], steps: int, text: str) -> str:
    """Which task asks for a motion of ``steps`` steps when the steps ``given`` (sorted) are known.

    A beginning of two steps or more is continued, a beginning and an end are joined, everything else is key poses.
    """
    if not given:
        return "text_to_motion" if text else "random_motion"
    gaps = [k for k in range(1, len(given)) if given[k] != given[k - 1] + 1]
    if given[0] == 0 and not gaps and len(given) > 1:
        return "motion_prediction"
    if given[0] == 0 and given[-1] == steps - 1 and len(gaps) == 1 and len(given) > 2:
        return "motion_in_between"
    return "keyframes_to_motion"
