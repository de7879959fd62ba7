"""Low-level text by a language model that is shown examples: KATE (Liu et al. 2022, arXiv:2101.06804) with any causal
model in the place of GPT-3 (Ribeiro-Gomes et al. 2024, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import torch

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.plan import Plan, Planner
from motion_platform.core.seeding import NoiseSource
from motion_platform.language_models import base, decoding
from motion_platform.language_models.lists import MOST_ITEMS, FreeLine, ItemList, Items
from motion_platform.language_models.plain import PlainWriter, words_of
from motion_platform.planners import low_texts
from motion_platform.planners.dictionary import Dictionary
from motion_platform.planners.kate import check_k, check_sentences, plan_of
from motion_platform.planners.low_texts import Example

INSTRUCTION = "Convert scene to motion sequences according to the examples."
"""The paper's (section 4.3)."""
MOST_ACTIONS, MOST_WORDS = 12, 6
"""What an answer without a grammar may hold: so many actions, so many words each. What is longer is prose."""


class LanguageModelPlanner(Planner):
    """A causal language model continues examples of captions and their low-level texts.

    model: a name of ``motion weights get``, a folder, a GGUF file, or a name on the hub. k: examples. examples: the
    "nearest" of the table (KATE), nearest first, or "random" ones, the paper's comparison. restricted: the answer is a
    list of at most ``most`` actions that the table names, whatever the model would rather say; else it is what the
    model says to the end of the line. temperature 0: the most likely answer, the same for every sample; above: sample s
    draws its own. top_p: among the most likely ids that together have that share. dtype: of the weights in memory.
    but_itself: examples with the query's own words are left out. table, encoder, encoder_settings: as for the planner
    ``kate``.
    Errors: ValueError for a wrong setting; WeightsError for a model that is not here; ConfigError for one that is no
    causal model; DataError for a prompt longer than the model reads, and for an answer that is no list of actions.
    """

    name = "llm"
    samples_differ = True

    def __init__(
        self,
        model: str = "smollm2-135m",
        k: int = 10,
        examples: Literal["nearest", "random"] = "nearest",
        restricted: bool = True,
        most: int = MOST_ITEMS,
        temperature: float = 0.7,
        top_p: float = 0.95,
        dtype: Literal["float32", "bfloat16"] = "float32",
        but_itself: bool = False,
        table: str | None = None,
        encoder: str = "sentence",
        encoder_settings: dict[str, Any] | None = None,
    ) -> None:
        check_k(k)
        if examples not in ("nearest", "random"):
            raise ValueError(f"examples: got {examples!r}; allowed: nearest, random")
        if temperature < 0 or not 0 < top_p <= 1:
            raise ValueError(f"temperature: got {temperature}, top_p {top_p}; allowed: 0 or more, and 0 to 1")
        if most < 1:
            raise ValueError(f"most: got {most}; at least 1 action is needed")
        self.model, self.k, self.examples, self.restricted, self.most = model, k, examples, restricted, most
        self.temperature, self.top_p, self.but_itself = temperature, top_p, but_itself
        loaded = base.load(model, layers=None, dtype=dtype, attention="sdpa", quantise=None)
        if loaded.seq2seq:
            raise ConfigError(f"model: {model} reads and answers apart; name a causal language model")
        self.writer = PlainWriter(loaded)
        self.dictionary = Dictionary(low_texts.read(table), encoder, encoder_settings)

    @cached_property
    def _items(self) -> Items:
        return Items(self.writer.base, low_texts.known_actions(self.dictionary.examples))

    @cached_property
    def _words(self) -> torch.Tensor:
        return words_of(self.writer.base)

    def plan(self, sentences: Sequence[str], *, sample: int = 0, seed: int = 0) -> list[Plan]:
        return [
            plan_of(actions_in(answer, self.model), self.name, sentence)
            for sentence, answer in zip(sentences, self.answers(sentences, sample=sample, seed=seed), strict=True)
        ]

    def answers(self, sentences: Sequence[str], *, sample: int = 0, seed: int = 0) -> list[str]:
        """The low-level text of each sentence as the model writes it; without a grammar it may be anything."""
        check_sentences(sentences)
        shown = self.shown(sentences, seed)
        return [self._answer(*pair, sample, seed) for pair in zip(sentences, shown, strict=True)]

    def shown(self, sentences: Sequence[str], seed: int = 0) -> list[list[Example]]:
        """The examples that the prompt of each sentence holds."""
        if not sentences:
            return []
        if self.examples == "random":
            return self.dictionary.random(sentences, self.k, seed)
        return self.dictionary.nearest(sentences, self.k, but_itself=self.but_itself)

    def _answer(self, sentence: str, shown: Sequence[Example], sample: int, seed: int) -> str:
        """One prompt at a time: sums over a padded batch differ in the last bit, and a draw may fall the other way."""
        ids = self.writer.encode(prompt(sentence, shown))
        grammar = ItemList(self._items, self.most) if self.restricted else FreeLine(self._words)
        room = self.writer.base.context
        if room is not None and len(ids) + grammar.longest > room:
            raise DataError(
                f"k: a prompt with {self.k} examples has {len(ids)} tokens, and {self.model} reads {room} with its "
                "answer; give a smaller k"
            )
        noise = NoiseSource([f"{sentence} {sample}"], seed)
        with torch.no_grad():
            decoding.write(self.writer, [ids], [grammar], noise=noise, temperature=self.temperature, top_p=self.top_p)
        if isinstance(grammar, ItemList):
            return ", ".join(grammar.answer())
        return self.writer.base.text.decode(grammar.ids).strip()


def prompt(sentence: str, shown: Sequence[Example]) -> str:
    """The instruction, the examples [h_1, l_1, ..., h_k, l_k], and the sentence whose actions are asked for."""
    parts = [f"Scene: {example.caption}\nMotions: {example.low}\n" for example in shown]
    return "\n".join([INSTRUCTION, "", *parts, f"Scene: {' '.join(sentence.split())}\nMotions:"])


def actions_in(answer: str, model: str) -> list[str]:
    """The actions of a free answer. DataError for prose: sentences, no words, or more than a list of actions holds."""
    actions = [" ".join(part.split()).strip(" .") for part in answer.split(",")]
    actions = [action for action in actions if action]
    long = [action for action in actions if len(action.split()) > MOST_WORDS or ". " in action]
    if not actions or len(actions) > MOST_ACTIONS or long:
        said = answer.strip()[:80]
        raise DataError(
            f"llm: {model} answered {said!r}, which is no list of actions; give restricted=true, or a larger model"
        )
    return actions
