"""Finding motions by text and texts by motion: the four protocols of TMR, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import torch

from motion_platform.core.contracts import Embeddings
from motion_platform.core.errors import DataError, suggest
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.r_precision import draw_pools
from motion_platform.metrics.sets import Rows, SetMetric, SetState

PROTOCOLS = ("all", "threshold", "dissimilar", "small_batches")
RANKS = (1, 2, 3, 5, 10)
BLOCK = 512


def places(queries: np.ndarray, answers: np.ndarray, right: np.ndarray | None = None, least: float = 0.0) -> np.ndarray:
    """(n,) places, 0 first, of the right answer to each query, by cosine; answers[i] belongs to queries[i].

    queries, answers: (n, E) of length 1. right: (n, S) of length 1: the answers j with right[i] . right[j] > least are
    right as well, and the best of them counts. Answers with the same cosine share the mean of their places.
    """
    result = np.empty(len(queries))
    for start in range(0, len(queries), BLOCK):
        part = slice(start, start + BLOCK)
        cosines = queries[part] @ answers.T
        rows = np.arange(len(cosines))
        own = cosines[rows, start + rows]
        if right is not None:
            same = right[part] @ right.T > least
            same[rows, start + rows] = True
            own = np.where(same, cosines, -np.inf).max(1)
        better = (cosines > own[:, None] + 1e-12).sum(1)
        tied = (np.abs(cosines - own[:, None]) <= 1e-12).sum(1)
        result[part] = better + (tied - 1) / 2
    return result


def dissimilar_subset(sentences: np.ndarray, size: int) -> np.ndarray:
    """Positions of ``size`` captions that are far from one another; sentences: (n, S) of length 1.

    From the caption that is farthest from the mean, always the next whose nearest chosen one is farthest (Gonzalez
    1985: at most twice as near as the best choice). No chance is in it.
    """
    chosen = [int(np.argmin(sentences @ sentences.mean(0)))]
    nearest = sentences @ sentences[chosen[0]]
    while len(chosen) < size:
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, sentences @ sentences[chosen[-1]])
    return np.array(sorted(chosen))


class Retrieval(SetMetric):
    """Recall at 1, 2, 3, 5, 10 and median rank, text to motion and motion to text, in four protocols (by cosine).

    Petrovich et al. 2023 (TMR, arXiv:2305.00976, section 4.1). all: among the whole set, only the own answer is right.
    threshold: an answer whose caption is nearly the same is right as well: (1 + cosine) / 2 of sentence embeddings
    above 0.95. dissimilar: among the 100 pairs whose captions are farthest from one another. small_batches: batches
    of 32 drawn from the sorted ids with the protocol's seed, mean over whole batches.

    Two things depend on the sentence model (``sentences``; TMR took all-mpnet-base-v2, the default here is the packaged
    all-MiniLM-L6-v2), and the 100 pairs are chosen greedily (:func:`dissimilar_subset`) where TMR solves a knapsack
    approximately: compare ``threshold`` and ``dissimilar`` only between runs of this code.

    Values: ``retrieval_<protocol>_<text_to_motion | motion_to_text>_recall_<k>`` (ratio, higher is better) and
    ``..._median_rank`` (from 1, lower is better). Equal cosines share the mean of their places, so a model that
    answers everything with one motion has the median rank (n + 1) / 2.
    """

    name = "retrieval"
    unit = "ratio"
    higher_is_better = True
    needs = "text"

    def __init__(
        self,
        protocols: Sequence[Literal["all", "threshold", "dissimilar", "small_batches"]] = PROTOCOLS,
        sentences: str = "all-MiniLM-L6-v2",
        threshold: float = 0.95,
        subset: int = 100,
        pool: int = 32,
        seed: int = 0,
    ) -> None:
        for protocol in protocols:
            if protocol not in PROTOCOLS:
                raise ValueError(f"protocols: unknown protocol {protocol!r}; {suggest(protocol, PROTOCOLS)}")
        if not protocols:
            raise ValueError(f"protocols: empty; allowed: {', '.join(PROTOCOLS)}")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold: got {threshold}; allowed: above 0, up to 1")
        if subset < 2 or pool < 2:
            raise ValueError(f"subset and pool: got {subset} and {pool}; allowed: 2 or more")
        self.protocols, self.sentences, self.threshold = list(protocols), sentences, threshold
        self.subset, self.pool, self.seed = subset, pool, seed
        self._known: dict[str, np.ndarray] = {}
        self._encoder = None

    def __getstate__(self) -> dict:
        """What travels to other processes with a state: settings, not the language model."""
        return {**self.__dict__, "_known": {}, "_encoder": None}

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("rank", False) if value.endswith("_median_rank") else super().about(value)

    def state(self, prediction: Motion, batch: Batch, embeddings: Embeddings | None = None) -> SetState:
        state = super().state(prediction, batch, embeddings)
        if {"threshold", "dissimilar"} & set(self.protocols):
            (rows,) = state.chunks
            if rows.captions is None:
                raise DataError(f"{self.name}: the captions themselves are not there; use protocols all, small_batches")
            rows.sentences = self.encode(rows.captions)
        return state

    @torch.no_grad()
    def encode(self, captions: list[str]) -> np.ndarray:
        """(n, S) sentence embeddings of length 1; each caption is read once, alone, whatever batch it came in."""
        if self._encoder is None:
            from motion_platform.encoders.sentence import SentenceEncoder

            self._encoder = SentenceEncoder(model=self.sentences).eval()
        for caption in dict.fromkeys(captions):
            if caption not in self._known:
                vector = self._encoder([caption]).tokens[0, 0].double().cpu().numpy()
                self._known[caption] = vector / np.linalg.norm(vector)
        return np.stack([self._known[caption] for caption in captions])

    def measure(self, rows: Rows) -> dict[str, float]:
        text, motion = (self._scaled(x, rows.ids) for x in (rows.text, rows.motion))
        values: dict[str, float] = {}
        for protocol in self.protocols:
            if protocol in ("all", "threshold"):
                same = rows.sentences if protocol == "threshold" else None
                groups: Iterable[np.ndarray] = [np.arange(len(rows.ids))]
            else:
                same, groups = None, self._groups(protocol, rows)
            for way, (queries, answers) in {
                "text_to_motion": (text, motion),
                "motion_to_text": (motion, text),
            }.items():
                found = [places(queries[g], answers[g], same, 2 * self.threshold - 1) for g in groups]
                for k in RANKS:
                    recall = float(np.mean([(place < k).mean() for place in found]))
                    values[f"{self.name}_{protocol}_{way}_recall_{k}"] = recall
                rank = float(np.mean([np.median(place) + 1 for place in found]))
                values[f"{self.name}_{protocol}_{way}_median_rank"] = rank
        return values

    def _groups(self, protocol: str, rows: Rows) -> Iterable[np.ndarray]:
        size = self.subset if protocol == "dissimilar" else self.pool
        if len(rows.ids) < size:
            raise DataError(
                f"{self.name}: {len(rows.ids)} pairs are too few for the protocol {protocol}, which needs {size}; take "
                "more pairs, or protocols: [all, threshold], which are still valid"
            )
        if protocol == "dissimilar":
            return [dissimilar_subset(rows.sentences, size)]
        return list(draw_pools(len(rows.ids), size, self.seed))

    def _scaled(self, x: np.ndarray, ids: list[str]) -> np.ndarray:
        length = np.linalg.norm(x, axis=1, keepdims=True)
        if not length.all():
            raise DataError(f"{self.name}: an embedding of {ids[int(np.argmin(length))]!r} is 0 and has no direction")
        return x / length
