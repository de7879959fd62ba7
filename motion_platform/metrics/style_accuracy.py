"""Does a caption say how the clip is done? A word list, no network: what anybody can check by reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from torch import Tensor

from motion_platform.core.contracts import Embeddings, Metric
from motion_platform.core.packaged import packaged_yaml
from motion_platform.core.schema import Batch, Motion
from motion_platform.metrics.base import RatioState
from motion_platform.metrics.caption import labelled_captions


class StyleAccuracy(Metric):
    """Part of the captions that say how the clip's ``style`` label does it and nothing else; higher is better.

    Words: ``style_words.yaml``. A caption of a style is right when it has a word of it and as many of no other style;
    one of the style ``normal`` when it has no such word at all. Clips without a style, or with one that is not in the
    list, are not asked. The metric is ours; the number of real captions beside it is its ceiling.
    """

    name = "style_accuracy"
    unit = "ratio"
    higher_is_better = True
    needs = None
    judges = "caption"

    def state(
        self, prediction: Motion | Sequence[str] | Tensor, batch: Batch, embeddings: Embeddings | None = None
    ) -> RatioState:
        """Errors: DataError without labels, or for another number of captions than of ids."""
        rows = {}
        for sample, caption, labels in labelled_captions(prediction, batch, self.name):
            style = labels.get("style")
            asked = style is not None and (style == "normal" or style in style_words())
            rows[sample] = {self.name: (float(says_style(caption, str(style))) if asked else 0.0, float(asked))}
        return RatioState(rows)


@lru_cache(maxsize=1)
def style_words() -> dict[str, re.Pattern[str]]:
    """Style -> the pattern of its words, read once."""
    table = packaged_yaml("motion_platform.metrics", "style_words.yaml")
    return {style: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for style, words in table.items()}


def says_style(caption: str, style: str) -> bool:
    """Does the caption say this style, and no other one more often? ``normal``: none."""
    found = {name: len(pattern.findall(caption)) for name, pattern in style_words().items()}
    most = max(found.values())
    return most == 0 if style == "normal" else most > 0 and [s for s in found if found[s] == most] == [style]
