"""Does a caption name the action that the clip shows? A word list, no network: what anybody can check by reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.packaged import packaged_yaml
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState
from motion_platform.metrics.caption import labelled_captions
from motion_platform.texts.inflection import inflect


class VerbAccuracy(Metric):
    """Part of the captions that name the action of the clip's ``content`` label and no other one; higher is better.

    Words and labels: ``action_verbs.yaml``. A caption is right when it has a word of the label's action, and none of an
    action that does not belong to it, so that a list of all verbs is wrong. Clips without a label that is in the list
    (CMU) are not asked. ``verb_accuracy_<action>``: the same for the clips of one action. Sides and styles are not
    judged here. The metric is ours; the number of real captions beside it is its ceiling.
    """

    name = "verb_accuracy"
    unit = "ratio"
    higher_is_better = True
    needs = None
    judges = "caption"

    def __init__(self, target: str = "content") -> None:
        self.target = target

    def state(
        self, prediction: Motion | Sequence[str], batch: Batch, embeddings: Embeddings | None = None
    ) -> RatioState:
        """Errors: DataError without labels, or for another number of captions than of ids."""
        rows: dict[str, dict[str, tuple[float, float]]] = {}
        for sample, caption, labels in labelled_captions(prediction, batch, self.name):
            content = labels.get(self.target, "")
            asked = lexicon().contents.get(content)
            right = None if asked is None else float(names_action(caption, content))
            rows[sample] = {self.name: (right or 0.0, float(asked is not None))}
            if asked is not None:
                rows[sample][f"{self.name}_{asked['action']}"] = (right, 1.0)
        return RatioState(rows)


class Lexicon:
    """words: word -> the actions that it names; hints: action -> pattern; contents: label -> what must be named."""

    def __init__(self) -> None:
        table = packaged_yaml("motion_platform.metrics", "action_verbs.yaml")
        self.contents: dict[str, dict] = table["contents"]
        self.words: dict[str, set[str]] = {}
        self.hints: dict[str, re.Pattern[str]] = {}
        for action, said in table["actions"].items():
            words = [form for verb in said.get("verbs", []) for form in forms(verb)] + said.get("words", [])
            for word in words:
                self.words.setdefault(word, set()).add(action)
            if said.get("hints"):
                self.hints[action] = re.compile(rf"\b(?:{said['hints']})\b")


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The word list, read once."""
    return Lexicon()


def forms(verb: str) -> list[str]:
    """walk, walks, walking, walked."""
    past = verb + "d" if verb.endswith("e") else verb + "ed"
    return [verb, inflect(verb, "s"), inflect(verb, "ing"), past]


def actions_in(caption: str) -> set[str]:
    """The actions that a caption names, by its verbs and nouns, else by its hints."""
    text, known = caption.lower(), lexicon()
    named = set().union(*(known.words.get(word, set()) for word in re.findall(r"[a-z]+", text)))
    return named or {action for action, pattern in known.hints.items() if pattern.search(text)}


def names_action(caption: str, content: str) -> bool:
    """Does the caption name the action of this content label, and no foreign one? KeyError for an unknown label."""
    wanted = lexicon().contents[content]
    needed = {wanted["action"], *wanted.get("or", [])}
    named = actions_in(caption)
    return bool(named & needed) and named <= needed | set(wanted.get("also", []))
