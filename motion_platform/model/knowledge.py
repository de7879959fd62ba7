"""What a model knows: sentences and actions of its training set, beside its weights, and how far a prompt is from them.

``known.safetensors`` in a model's folder: some hundred captions that stand for all (facility location over their
sentence vectors), the vectors as int8, and, in the header, how many clips say which word and show which action.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.files import atomic_path
from motion_platform.core.opening import short
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.texts.familiar import content_stems, language_of
from motion_platform.texts.plainly import joined_stem, plainly

FILE = "known.safetensors"
THRESHOLD = 0.6
"""Familiarity from which a sentence counts as known: chosen on benchmarks/words_development.yaml."""
RARE = 3
"""Clips below which a word counts as new."""
NEW_WORDS, COMMON_WORDS = 0.3, 0.03
"""What a sentence of new words alone loses, and what each factor e of clips that say its rarest word adds (up to 4)."""


@dataclass(frozen=True)
class Answer:
    """What a model says of a sentence. familiarity: cosine to the nearest known sentence, less for new words. nearest:
    known sentences, the nearest first. language: another one than English, where it is recognised."""

    text: str
    familiarity: float
    nearest: tuple[str, ...]
    language: str | None = None

    @property
    def known(self) -> bool:
        return self.language is None and self.familiarity >= THRESHOLD

    def line(self, model: str) -> str:
        """One line: that it is not known, what is near, and what will be made."""
        if self.language is not None:
            return f"{self.text!r} seems to be {self.language}; {model} reads English, and what it makes has no meaning"
        near = " / ".join(repr(sentence) for sentence in self.nearest[:3])
        return (
            f"{self.text!r} is unlike what {model} knows (familiarity {self.familiarity:.2f}, known from "
            f"{THRESHOLD:g}); nearest: {near}; what is made will look like these at best"
        )


@dataclass(frozen=True)
class Known:
    """sentences (K) and their unit vectors (K, E); words: stem -> clips that say it; actions: name -> clips."""

    sentences: tuple[str, ...]
    vectors: np.ndarray
    words: Mapping[str, int]
    actions: Mapping[str, int]
    encoder: str

    @cached_property
    def _stems(self) -> dict[str, int]:
        """Clips by the stem that all forms of a word share; a clip that says two forms is counted twice."""
        counts: dict[str, int] = {}
        for word, clips in self.words.items():
            counts[joined_stem(word)] = counts.get(joined_stem(word), 0) + clips
        return counts

    def answers(self, texts: Sequence[str], encoder: SentenceEncoder) -> list[Answer]:
        """An answer for each text. UsageError for an encoder other than the one of the vectors."""
        if encoder.fingerprint() != self.encoder:
            raise UsageError("known sentences: were written with another sentence encoder than the one at hand")
        plain = [plainly(text) for text in texts]
        found = vectors_of(plain, encoder) @ self.vectors.T
        return [self._answer(*each) for each in zip(texts, plain, found, strict=True)]

    def _answer(self, text: str, plain: str, near: np.ndarray) -> Answer:
        order = np.argsort(-near, kind="stable")[:3]
        clips = [self._stems.get(joined_stem(word), 0) for word in content_stems(plain)]
        new = sum(count < RARE for count in clips) / max(len(clips), 1)
        rarest = min((math.log1p(count) for count in clips), default=0.0)
        familiarity = float(near[order[0]]) - NEW_WORDS * new + COMMON_WORDS * min(rarest, 4.0)
        language = language_of(text)
        foreign = language not in (None, "English") and new > 0
        return Answer(text, familiarity, tuple(self.sentences[k] for k in order), language if foreign else None)


@torch.no_grad()
def vectors_of(texts: Sequence[str], encoder: SentenceEncoder) -> np.ndarray:
    """(n, E) unit vectors of sentences."""
    order = sorted(range(len(texts)), key=lambda k: len(texts[k]))  # sentences of a length are padded least together
    parts = [encoder([texts[k] for k in order[i : i + 64]]).tokens[:, 0] for i in range(0, len(order), 64)]
    sentences = torch.cat(parts).float().cpu().numpy()
    vectors = np.empty_like(sentences)
    vectors[order] = sentences
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)


def representative(vectors: np.ndarray, count: int, floor: float = 0.3) -> list[int]:
    """Rows that stand for all (n, E) unit vectors: each next one adds most to the sum over rows of the cosine to the
    nearest chosen one (greedy facility location; ``floor``: what is nearer to nothing counts so)."""
    alike = vectors @ vectors.T
    best = np.full(len(vectors), floor, np.float32)

    def gain_of(row: int) -> float:
        return float(np.maximum(alike[row] - best, 0).sum())

    # What a row adds never grows as others are chosen, so an old gain bounds it: only the top is measured again.
    queue = [(-gain_of(row), row) for row in range(len(vectors))]
    heapq.heapify(queue)
    chosen: list[int] = []
    while queue and len(chosen) < count:
        row = heapq.heappop(queue)[1]
        entry = (-gain_of(row), row)
        if queue and queue[0] < entry:
            heapq.heappush(queue, entry)
            continue
        chosen.append(row)
        best = np.maximum(best, alike[row])
    return chosen


def known_of(
    clips: Sequence[Sequence[str]],
    actions: Mapping[str, int],
    pool: Sequence[str],
    encoder: SentenceEncoder,
    count: int,
) -> Known:
    """What a training set makes known. clips: the captions of each clip; pool: captions of which ``count`` are kept."""
    vectors = vectors_of(pool, encoder)
    chosen = representative(vectors, count)
    words: dict[str, int] = {}
    for captions in clips:
        for word in sorted({word for caption in captions for word in content_stems(caption)}):
            words[word] = words.get(word, 0) + 1
    return Known(tuple(pool[k] for k in chosen), vectors[chosen], words, dict(actions), encoder.fingerprint())


def write_known(folder: Path, known: Known) -> None:
    """Write the file beside a model's weights, completely or not at all."""
    from safetensors.torch import save

    vectors = torch.from_numpy(np.round(known.vectors * 127).astype(np.int8))
    parts = {"sentences": known.sentences, "words": known.words, "actions": known.actions}
    header = {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / FILE) as temporary:
        temporary.write_bytes(save({"vectors": vectors}, {**header, "encoder": known.encoder}))


def read_known(folder: Path) -> Known | None:
    """What the model in a folder knows; None where it does not say. DataError for a file that is none."""
    path = folder / FILE
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            header: dict[str, Any] = file.metadata() or {}
            vectors = file.get_tensor("vectors")
        read = {name: json.loads(header[name]) for name in ("sentences", "words", "actions")}
        counts = [count for name in ("words", "actions") for count in read[name].values()]
        if not (vectors.ndim == 2 and vectors.dtype == np.int8 and len(vectors) == len(read["sentences"])):
            raise ValueError(f"vectors {vectors.shape} of {vectors.dtype} for {len(read['sentences'])} sentences")
        if not all(isinstance(text, str) for text in read["sentences"]) or not all(type(n) is int for n in counts):
            raise ValueError("a sentence that is no text, or a count that is no number")
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise DataError(f"{path}: holds no known sentences: {short(error)}") from error
    vectors = vectors.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
    return Known(tuple(read["sentences"]), vectors, read["words"], read["actions"], header.get("encoder", ""))
