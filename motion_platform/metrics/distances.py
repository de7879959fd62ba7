"""Distances in a space: of a motion to its text, between motions, and between motions for the same text."""

from __future__ import annotations

import numpy as np

from motion_platform.core.contracts import clip_of
from motion_platform.core.errors import DataError
from motion_platform.metrics.sets import Rows, SetMetric


class MultimodalDistance(SetMetric):
    """Mean Euclidean distance of a prediction to the caption it was made from ("MM-Dist", "matching score").

    Guo et al. 2022 (Generating Diverse and Natural 3D Human Motions from Text). Unit: embedding units.
    Lower is better. Every sample counts once, none is dropped but a generated caption without words, which is no
    place in the space; ``multimodal_distance_wordless`` then says how many those are.
    """

    name = "multimodal_distance"
    unit = "embedding units"
    higher_is_better = False
    needs = "text"

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("captions", False) if value.endswith("_wordless") else super().about(value)

    def measure(self, rows: Rows) -> dict[str, float]:
        wordless = rows.wordless()
        if wordless.all():
            raise DataError(f"{self.name}: no caption has a word in it")
        distances = np.linalg.norm(rows.motion - rows.text, axis=1)[~wordless]
        said = {f"{self.name}_wordless": float(wordless.sum())} if wordless.any() else {}
        return {self.name: float(distances.mean()), **said}


class Diversity(SetMetric):
    """Mean distance of predictions to one another: 300 pairs, drawn with the protocol's seed from the sorted ids.

    Guo et al. 2020 (Action2Motion, arXiv:2007.15240): two times ``pairs`` different samples, the i-th of the first
    with the i-th of the second. Of fewer samples than that, as many pairs as there are, each of two different ones
    (every sample once on either side), and ``diversity_pairs`` says how many. Unit: embedding units. The nearer to
    that of real motion, the better.
    """

    name = "diversity"
    unit = "embedding units"
    higher_is_better = None
    needs = "space"

    def __init__(self, pairs: int = 300, seed: int = 0) -> None:
        if pairs < 1:
            raise ValueError(f"pairs: got {pairs}; allowed: 1 or more")
        self.pairs, self.seed = pairs, seed

    def about(self, value: str) -> tuple[str, bool | None]:
        return ("pairs", None) if value.endswith("_pairs") else super().about(value)

    def measure(self, rows: Rows) -> dict[str, float]:
        samples, random = len(rows.ids), np.random.RandomState(self.seed)
        if samples < 2:
            raise DataError(f"{self.name}: {samples} sample; two are needed to be apart")
        said = {}
        if samples > self.pairs:
            first, second = (random.choice(samples, self.pairs, replace=False) for _ in range(2))
        else:  # an order, and the same moved on by a step: nobody is paired with itself
            first = random.permutation(samples)
            second, said = np.roll(first, 1), {f"{self.name}_pairs": float(samples)}
        return {self.name: float(np.linalg.norm(rows.motion[first] - rows.motion[second], axis=1).mean()), **said}


class Multimodality(SetMetric):
    """Mean distance between predictions for the same text: 100 texts, 30 predictions of each, 10 pairs of them.

    Guo et al. 2020 (Action2Motion, arXiv:2007.15240); the counts are those of Guo et al. 2022. Pairs are
    drawn as in ``diversity``, and the same for all texts. Unit: embedding units. Higher is more
    varied; read it beside r_precision, since a model that ignores the text has the highest.
    """

    name = "multimodality"
    unit = "embedding units"
    higher_is_better = True
    needs = "space"

    def __init__(self, clips: int = 100, generations: int = 30, pairs: int = 10, seed: int = 0) -> None:
        if not 1 <= pairs < generations:
            raise ValueError(f"pairs: got {pairs}; allowed: 1 to {generations - 1} with {generations} generations")
        if clips < 1:
            raise ValueError(f"clips: got {clips}; allowed: 1 or more")
        self.clips, self.generations, self.pairs, self.seed = clips, generations, pairs, seed

    def measure(self, rows: Rows) -> dict[str, float]:
        groups: dict[str, list[int]] = {}
        for i, sample in enumerate(rows.ids):
            groups.setdefault(clip_of(sample), []).append(i)
        for clip, group in groups.items():
            if len(group) != self.generations:
                raise DataError(
                    f"{self.name}: clip {clip!r} has {len(group)} predictions instead of {self.generations}; it needs "
                    "several for every text; diversity is still valid"
                )
        random = np.random.RandomState(self.seed)
        chosen = np.array(list(groups.values()))
        if len(chosen) > self.clips:
            chosen = chosen[np.sort(random.choice(len(chosen), self.clips, replace=False))]
        first, second = (random.choice(self.generations, self.pairs, replace=False) for _ in range(2))
        difference = rows.motion[chosen[:, first]] - rows.motion[chosen[:, second]]
        return {self.name: float(np.linalg.norm(difference, axis=2).mean())}
