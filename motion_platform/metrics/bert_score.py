"""Do generated captions mean what the references mean? BERTScore with any language model in a local folder."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from motion_platform.core import weight_files
from motion_platform.core.contracts import Embeddings, Metric, State, merge_ids
from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.caption import checked_captions, raw_references, token_references


def score(hypothesis: Tensor, reference: Tensor, weights: tuple[Tensor, Tensor]) -> tuple[float, float, float]:
    """Precision, recall and F of (N, C) and (M, C) token states of length 1; weights: (N,) and (M,).

    Zhang et al. 2020 (arXiv:1904.09675, section 3): every token is matched with the nearest of the other sentence.
    """
    cosines = hypothesis @ reference.T
    mine, theirs = (w / w.sum() if float(w.sum()) > 0 else w for w in weights)
    precision = float((cosines.amax(1) * mine).sum())
    recall = float((cosines.amax(0) * theirs).sum())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


@dataclass
class BERTScoreState(State):
    """rows: sample id -> (generated caption, references)."""

    metric: BERTScoreRaw
    rows: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        return set(self.rows)

    def merge(self, other: BERTScoreState) -> BERTScoreState:
        merge_ids(self.ids, other.ids)
        return BERTScoreState(self.metric, {**self.rows, **other.rows})

    def compute(self) -> dict[str, float]:
        """Errors: DataError without a sample; WeightsError for a model that is not there."""
        if not self.rows:
            raise DataError(f"{self.metric.name}: no samples; there is nothing to average")
        return self.metric.measure([self.rows[sample] for sample in sorted(self.rows)])


class BERTScoreRaw(Metric):
    """BERTScore of generated captions against the sentences that people wrote; the best of all references.

    Formula and source: :func:`score`; equal to the package ``bert_score`` 0.3.13 with the same model, layer and idf,
    without rescaling to a baseline. Special tokens have no weight. Values: ``bert_score_raw_f`` (headline),
    ``_precision``, ``_recall``: ratios, higher is better. They depend on the model: compare only numbers of one model.

    model: a folder with transformers' files, or a name (the default comes in a Python package). layer: which hidden
    layer (default: the last). idf: weigh tokens by how few references have them.
    """

    name = "bert_score_raw"
    unit = "ratio"
    higher_is_better = True
    needs = None
    judges = "caption"

    def __init__(self, model: str = "all-MiniLM-L6-v2", layer: int | None = None, idf: bool = False) -> None:
        self.model, self.layer, self.idf = model, layer, idf
        self._loaded = None

    def __getstate__(self) -> dict:
        """What travels to other processes with a state: settings, not the language model."""
        return {**self.__dict__, "_loaded": None}

    def references(self, batch: Batch) -> list[list[str]]:
        return raw_references(batch, self.name)

    def state(
        self, prediction: Motion | Sequence[str], batch: Batch, embeddings: Embeddings | None = None
    ) -> BERTScoreState:
        """Errors: DataError for a missing reference, or another number of captions than of ids."""
        captions = checked_captions(prediction, batch, self.name)
        pairs = zip(captions, self.references(batch), strict=True)
        return BERTScoreState(self, dict(zip(batch.ids, pairs, strict=True)))

    def measure(self, rows: Sequence[tuple[str, list[str]]]) -> dict[str, float]:
        """{name: value} of a corpus of (generated caption, references)."""
        ids, states = self._read([text for caption, references in rows for text in (caption, *references)])
        weigh = self._weights([ids[reference] for _, references in rows for reference in references])
        best = []
        for caption, references in rows:
            if not caption.strip():  # as the bert_score package has it
                best.append([0.0, 0.0, 0.0])
                continue
            scores = [
                score(states[caption], states[reference], (weigh(ids[caption]), weigh(ids[reference])))
                for reference in references
            ]
            best.append([max(values) for values in zip(*scores, strict=True)])
        means = [math.fsum(column) / len(best) for column in zip(*best, strict=True)]
        return dict(zip((f"{self.name}_{part}" for part in ("precision", "recall", "f")), means, strict=True))

    def _weights(self, references: Sequence[list[int]]):
        """A function from token ids to their weights (N,): 0 for special tokens, else 1 or the idf in references."""
        tokenizer, _ = self._load()
        if not self.idf:
            special = {tokenizer.cls_token_id, tokenizer.sep_token_id}
            return lambda ids: torch.tensor([float(token not in special) for token in ids])
        found = Counter(token for reference in references for token in set(reference))
        return lambda ids: torch.tensor([math.log((len(references) + 1) / (found[token] + 1)) for token in ids])

    @torch.no_grad()
    def _read(self, texts: Sequence[str]) -> tuple[dict[str, list[int]], dict[str, Tensor]]:
        """Text -> its token ids, and text -> its token states (N, C) of length 1, each text once."""
        tokenizer, model = self._load()
        limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512))
        ids = {text: tokenizer.encode(text.strip(), truncation=True, max_length=limit) for text in dict.fromkeys(texts)}
        states = {}
        for text, tokens in ids.items():  # alone, so that neither order nor company changes a number
            layers = model(input_ids=torch.tensor([tokens]), output_hidden_states=True).hidden_states
            states[text] = torch.nn.functional.normalize(layers[self._layer(len(layers))][0], dim=-1)
        return ids, states

    def _layer(self, layers: int) -> int:
        layer = layers - 1 if self.layer is None else self.layer
        if not 0 <= layer < layers:
            raise DataError(f"{self.name}: layer {layer}: {self.model} has layers 0 to {layers - 1}")
        return layer

    def _load(self):
        if self._loaded is None:
            from transformers import AutoModel, AutoTokenizer

            from motion_platform.core.quiet import quiet_loading

            folder = str(weight_files.find(self.model, owner="sentence-transformers"))
            try:
                with quiet_loading():
                    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
            except (OSError, ValueError) as error:
                raise WeightsError(f"{folder}: not a language model: {str(error).splitlines()[0]}") from error
            self._loaded = tokenizer, model
        return self._loaded


class BERTScoreTokens(BERTScoreRaw):
    """The same against token references (lower case, lemmas, no punctuation; ``caption_tokens`` says where from)."""

    name = "bert_score_tokens"

    def references(self, batch: Batch) -> list[list[str]]:
        return token_references(batch, self.name)
