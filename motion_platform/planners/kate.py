"""Low-level text looked up: what the captions nearest to a sentence were labelled with, no language model needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import Plan, Planner, Segment
from motion_platform.planners import low_texts
from motion_platform.planners.clauses import clause_of
from motion_platform.planners.dictionary import Dictionary
from motion_platform.planners.low_texts import Example


class Kate(Planner):
    """The low-level text of the nearest example, or the commonest one among the k nearest.

    k: examples that are looked at. answer: "nearest", or "majority", of which the nearest wins a tie. table: a CSV file
    or a prepared data set (None: what ships, see planners/low_texts.csv). encoder, encoder_settings: of the captions'
    vectors. Sample s gets the text that is s-th in that order, so that samples of one sentence differ.
    Errors: ValueError for a wrong setting; DataError for a table that is none; those of the encoder.
    """

    name = "kate"
    samples_differ = True

    def __init__(
        self,
        k: int = 10,
        answer: Literal["nearest", "majority"] = "nearest",
        table: str | None = None,
        encoder: str = "sentence",
        encoder_settings: dict[str, Any] | None = None,
    ) -> None:
        check_k(k)
        if answer not in ("nearest", "majority"):
            raise ValueError(f"answer: got {answer!r}; allowed: nearest, majority")
        self.k, self.answer = k, answer
        self.dictionary = Dictionary(low_texts.read(table), encoder, encoder_settings)

    def plan(self, sentences: Sequence[str], *, sample: int = 0, seed: int = 0) -> list[Plan]:
        check_sentences(sentences)
        found = self.dictionary.nearest(sentences, self.k) if sentences else []
        return [self._plan(sentence, near, sample) for sentence, near in zip(sentences, found, strict=True)]

    def _plan(self, sentence: str, near: Sequence[Example], sample: int) -> Plan:
        texts = ranked(near) if self.answer == "majority" else list(dict.fromkeys(example.low for example in near))
        chosen = texts[sample % len(texts)]
        source = next(example for example in near if example.low == chosen)
        return plan_of(source.actions, self.name, sentence, [f'nearest known: "{source.caption}"'])


def plan_of(actions: Sequence[str], builder: str, sentence: str, notes: Sequence[str] = ()) -> Plan:
    """The actions one after the other, each as a sentence of its own: "walk forward" reads "a person walks forward"."""
    return Plan(tuple(Segment(each, clause_of(each).text()) for each in actions), builder, sentence, tuple(notes))


def ranked(near: Sequence[Example]) -> list[str]:
    """The low-level texts of examples (the nearest first), the commonest first, the nearest first among equals."""
    return [low for low, _ in Counter(example.low for example in near).most_common()]


def check_sentences(sentences: Sequence[str]) -> None:
    """UsageError for a sentence that is empty."""
    if not all(sentence.strip() for sentence in sentences):
        raise UsageError("plan: the sentence is empty; say what the body does")


def check_k(k: int) -> None:
    """ValueError for a number of examples that is none."""
    if k < 1:
        raise ValueError(f"k: got {k}; at least 1 example is needed")
