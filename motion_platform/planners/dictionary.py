"""KATE's dictionary: captions by their sentence vectors, and the nearest ones to a query (Liu et al. 2022,
arXiv:2101.06804, as Ribeiro-Gomes et al. 2024, section 3.3, use it)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from motion_platform.core import registry
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import ConfigError
from motion_platform.core.files import atomic_path, cache_folder
from motion_platform.core.seeding import seed_of
from motion_platform.motion.io.arrays import load_array
from motion_platform.planners.low_texts import Example


class Dictionary:
    """Examples under the unit vectors (S, C) of their captions.

    encoder: the registered name of an encoder that reads text and gives one vector a text; settings: of it. The
    vectors are kept in ``$MOTION_CACHE/low_texts`` by the encoder's fingerprint and the captions.
    Errors: ConfigError for an encoder that does not read text; those of building it.
    """

    def __init__(
        self, examples: Sequence[Example], encoder: str = "sentence", settings: Mapping[str, Any] | None = None
    ) -> None:
        self.examples = list(examples)
        self.encoder: Encoder = registry.build("encoders", encoder, settings, where="encoder")
        if self.encoder.reads != "text":
            raise ConfigError(f"encoder: {encoder} reads {self.encoder.reads}; name one that reads text")
        self._captions = np.array([example.caption.lower().strip(" .") for example in self.examples])
        self.vectors = self._kept([example.caption for example in self.examples])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """B texts -> (B, C) float32 unit vectors: the mean of the encoder's tokens."""
        made = self.encoder(list(texts))
        weight = made.mask[..., None].to(made.tokens)
        mean = ((made.tokens * weight).sum(1) / weight.sum(1).clamp_min(1)).double().cpu().numpy()
        return (mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)).astype(np.float32)

    def similarity(self, queries: Sequence[str]) -> np.ndarray:
        """(B, S) cosines of B queries with every example's caption."""
        return self.embed(queries) @ self.vectors.T

    def nearest(self, queries: Sequence[str], k: int, *, but_itself: bool = False) -> list[list[Example]]:
        """The k most similar examples of each query, the most similar first; equal ones in the table's order.

        but_itself: leave out the examples whose caption is the query's own words.
        """
        found = []
        for query, row in zip(queries, self.similarity(queries), strict=True):
            if but_itself:
                row = np.where(self._captions == query.lower().strip(" ."), -2.0, row)
            found.append([self.examples[place] for place in np.argsort(-row, kind="stable")[:k]])
        return found

    def random(self, queries: Sequence[str], k: int, seed: int = 0) -> list[list[Example]]:
        """k examples for each query that its words and the seed draw, without looking at what they say."""
        drawn = []
        for query in queries:
            generator = np.random.default_rng(seed_of("random examples", seed, query))
            places = generator.choice(len(self.examples), min(k, len(self.examples)), replace=False)
            drawn.append([self.examples[int(place)] for place in places])
        return drawn

    def _kept(self, captions: list[str]) -> np.ndarray:
        cache = cache_folder("low_texts")
        key = "\n".join([self.encoder.fingerprint(), *captions])
        path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
        if path.is_file():
            vectors = load_array(path)
            if vectors.ndim == 2 and len(vectors) == len(captions):
                return vectors
        vectors = self.embed(captions)
        cache.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            np.save(temporary, vectors)
        return vectors
