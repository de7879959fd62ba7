"""An encoder of your own, named in a recipe and trained for two steps: python examples/add_an_encoder.py OUT_FOLDER

In a package of your own, an entry point ``[project.entry-points."motion_platform.encoders"]`` with the line
``counts = "my_package:WordCounts"`` does what the line with CATALOG does here.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

import motion_platform as mp
from motion_platform.core.catalog import CATALOG


class WordCounts(mp.Encoder):
    """One token a text: how often each of a few words stands in it."""

    reads = "text"
    rate_hz = None

    def __init__(self, words: list[str] = ["walk", "run", "wave", "left", "right"]) -> None:
        super().__init__()
        self.words, self.dim = list(words), len(words)

    def forward(self, raw: Sequence[str | None]) -> mp.Condition:
        rows = [[float((text or "").count(word)) for word in self.words] for text in raw]
        given = torch.tensor([[bool(text)] for text in raw])
        return mp.Condition(torch.tensor(rows)[:, None], given)

    def fingerprint(self) -> str:
        return "word counts of " + ",".join(self.words)


if __name__ == "__main__":
    from motion_platform.training import build, train

    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    sys.modules.setdefault("word_counts", sys.modules[__name__])
    CATALOG["encoders"]["word_counts"] = "word_counts:WordCounts"
    recipe, name = build.load_recipe(
        "smoke/text_to_motion",
        [
            "slots.text_high.encoder=word_counts",
            "slots.text_low.encoder=word_counts",
            "train.steps=2",
            "validation.every=0",
            f"output={out / 'run'}",
        ],
    )
    train.run(recipe, name, overwrite=True)
    print(mp.load(str(out / "run"))("a person walks", seconds=1)[0])
