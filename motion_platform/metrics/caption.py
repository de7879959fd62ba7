"""Are generated captions worded like a person's? BLEU, ROUGE-L and CIDEr, against raw or against token references.

The same captions score three times higher against token references (lower case, lemmas, no punctuation: what came
with HumanML3D) than against the sentences that people wrote, so the two have different names here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric, State, merge_ids
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics import words


def checked_captions(prediction: Motion | Sequence[str] | Tensor, batch: Batch, where: str) -> list[str]:
    """B generated sentences; an empty one is an answer too. Errors: DataError for a motion, another number than there
    are ids, or a double id."""
    if isinstance(prediction, Motion | Tensor):
        made = "motions" if isinstance(prediction, Motion) else "lengths"
        raise DataError(f"{where}: it judges captions, but the model made {made}")
    if len(prediction) != len(batch.ids):
        raise DataError(f"{where}: {len(prediction)} captions but {len(batch.ids)} sample ids")
    if len(set(batch.ids)) != len(batch.ids):
        twice = sorted(i for i in set(batch.ids) if batch.ids.count(i) > 1)
        raise DataError(f"{where}: samples counted twice: {', '.join(twice[:3])}")
    return list(prediction)


def labelled_captions(
    prediction: Motion | Sequence[str] | Tensor, batch: Batch, where: str
) -> list[tuple[str, str, dict[str, str]]]:
    """(sample id, caption, the clip's labels) of B generated sentences. Errors: those of :func:`checked_captions`;
    DataError for a batch without labels."""
    captions = checked_captions(prediction, batch, where)
    if batch.labels is None:
        raise DataError(f"{where}: the batch has no labels; this metric needs a data set with labels")
    rows = zip(batch.ids, captions, batch.labels, strict=True)
    return [(sample, caption, labels or {}) for sample, caption, labels in rows]


def raw_references(batch: Batch, where: str) -> list[list[str]]:
    """For every sample the sentences that people wrote (``batch.captions``). Errors: DataError when one has none."""
    return _references(batch.captions, batch, f"{where}: captions", "use a data set with captions")


def token_references(batch: Batch, where: str) -> list[list[str]]:
    """For every sample its tokenised captions, words with spaces between them.

    ``batch.raw["caption_tokens"]``: B lists of strings such as ``"a/DET man/NOUN walk/VERB"`` (HumanML3D's second
    column) or ``"a man walk"``; part-of-speech tags are taken off. Errors: DataError when a sample has none.
    """
    tagged = _references(
        batch.raw.get("caption_tokens"), batch, f"{where}: caption_tokens", "the metric against raw captions is valid"
    )
    return [[" ".join(token.split("/")[0] for token in text.split()) for text in texts] for texts in tagged]


def _references(texts: list[list[str]] | None, batch: Batch, where: str, remedy: str) -> list[list[str]]:
    if texts is None or len(texts) != len(batch.ids):
        got = "none" if texts is None else f"{len(texts)} for {len(batch.ids)} samples"
        raise DataError(f"{where}: got {got}; {remedy}")
    for sample, several in zip(batch.ids, texts, strict=True):
        if not several or not all(text.strip() for text in several):
            raise DataError(f"{where}: {sample!r} has no reference, or an empty one")
    return [list(several) for several in texts]


@dataclass
class CaptionState(State):
    """rows: sample id -> (tokens of the generated caption, tokens of each reference)."""

    name: str
    rows: dict[str, tuple[list[str], list[list[str]]]] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        return set(self.rows)

    def merge(self, other: CaptionState) -> CaptionState:
        merge_ids(self.ids, other.ids)
        return CaptionState(self.name, {**self.rows, **other.rows})

    def subset(self, samples: set[str]) -> CaptionState:
        return CaptionState(self.name, {sample: row for sample, row in self.rows.items() if sample in samples})

    def compute(self) -> dict[str, float]:
        """Errors: DataError for fewer than two samples, since CIDEr weighs a word by how few samples have it."""
        if len(self.rows) < 2:
            raise DataError(
                f"{self.name}: got {len(self.rows)} sample; CIDEr weighs words over a corpus of two or more"
            )
        hypotheses, references = zip(*(self.rows[sample] for sample in sorted(self.rows)), strict=True)
        values = {f"{self.name}_bleu_{n}": v for n, v in enumerate(words.bleu(hypotheses, references), 1)}
        pairs = zip(hypotheses, references, strict=True)
        values[f"{self.name}_rouge_l"] = math.fsum(words.rouge_l(h, r) for h, r in pairs) / len(hypotheses)
        values[f"{self.name}_cider"] = math.fsum(words.cider(hypotheses, references)) / len(hypotheses)
        return values


class CaptionRaw(Metric):
    """BLEU-1 to 4, ROUGE-L and CIDEr of generated captions against the sentences that people wrote.

    Formulas and sources: :mod:`motion_platform.metrics.words`; equal to pycocoevalcap on the same tokens. Values:
    ``caption_raw_bleu_<n>``, ``_rouge_l`` (ratio), ``_cider`` (0 to 10; papers often print it times 10). Higher is
    better. Captions are cut into words by :func:`words.tokenize`; all references of a sample count. A generated caption
    without a word scores 0, as in pycocoevalcap.
    """

    name = "caption_raw"
    unit = "ratio"
    higher_is_better = True
    needs = None
    judges = "caption"

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("0 to 10" if value.endswith("_cider") else self.unit), self.higher_is_better

    def references(self, batch: Batch) -> list[list[str]]:
        return raw_references(batch, self.name)

    def state(
        self, prediction: Motion | Sequence[str], batch: Batch, embeddings: Embeddings | None = None
    ) -> CaptionState:
        """Errors: DataError for a reference that is missing or wordless, or another number of captions than of ids."""
        captions = checked_captions(prediction, batch, self.name)
        rows = {}
        for sample, caption, references in zip(batch.ids, captions, self.references(batch), strict=True):
            cut = [words.tokenize(text) for text in (caption, *references)]
            if not all(cut[1:]):
                raise DataError(f"{self.name}: a reference of {sample!r} has no word in it")
            rows[sample] = (cut[0], cut[1:])
        return CaptionState(self.name, rows)


class CaptionTokens(CaptionRaw):
    """The same against token references (lower case, lemmas, no punctuation): what TM2T and MotionGPT report.

    References: :func:`token_references`. Never compare with ``caption_raw``: for the captions of TM2T, BLEU-4 is 22.1
    against tokens and 7.6 against raw sentences. Unit and direction as there.
    """

    name = "caption_tokens"

    def references(self, batch: Batch) -> list[list[str]]:
        return token_references(batch, self.name)
