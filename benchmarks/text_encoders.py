"""Which text encoder tells actions apart in words it has not been shown? One table, without a motion model.

    python -m benchmarks.text_encoders [--only MiniLM] [--out FILE.json]

Training texts are sentences that ``motion_platform/texts/bandai.py`` makes for the contents of Bandai-Namco (``--per``
each, styles by turns); test texts are those of ``unseen_wordings.yaml``, written without looking at that grammar. For
every row of ``text_encoders.yaml`` (an encoder and its settings):

- **probe**: a linear layer with softmax on standardised mean tokens, trained by L-BFGS with weight decay: what the
  projection of a slot could read; the accuracy of the content on the test texts;
- **nearest**: the content of the training text of the largest cosine, without any training;
- **length**: the mean length of a token as the projection gets it; **s / 1,000**: processor seconds for 1,000 texts.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from benchmarks.common import environment, table, write_json
from motion_platform.core import registry
from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import MotionPlatformError, WeightsError
from motion_platform.texts.bandai import captions_of, vocabulary

HERE = Path(__file__).parent
DECAY, STEPS = 1e-2, 100


def training_texts(per: int) -> tuple[list[str], list[str]]:
    """(sentences, contents), the same every time."""
    styles, sentences, contents = sorted(vocabulary()["styles"]), [], []
    for number, content in enumerate(sorted(vocabulary()["contents"])):
        for k in range(per):
            style = "normal" if k % 4 == 0 else styles[(number + k) % len(styles)]
            sentences += captions_of(content, style, f"probe {k}", high=1, low=1)[0]
            contents.append(content)
    return sentences, contents


def test_texts() -> tuple[list[str], list[str]]:
    """(sentences, contents) of the wordings that nobody trains on."""
    wordings = yaml.safe_load((HERE / "unseen_wordings.yaml").read_text(encoding="utf-8"))
    pairs = [(sentence["say"], content) for content, group in wordings.items() for sentence in group]
    return [sentence for sentence, _ in pairs], [content for _, content in pairs]


def features(encoder: Encoder, texts: list[str]) -> tuple[Tensor, float]:
    """((B, C) means over the tokens, the mean length of a token)."""
    rows, lengths = [], []
    for start in range(0, len(texts), 64):
        made = encoder(texts[start : start + 64])
        weight = made.mask[..., None].float()
        rows.append((made.tokens * weight).sum(1) / weight.sum(1))
        lengths.append(made.tokens.norm(dim=-1)[made.mask])
    return torch.cat(rows), float(torch.cat(lengths).mean())


def probe(train: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    """Labels (n,) of the test rows by a linear classifier; float64, so that it ends at the same place everywhere."""
    mean, std = train.mean(0), train.std(0).clamp_min(1e-6)
    x, y = ((each - mean).div(std).double() for each in (train, test))
    weight = torch.zeros(x.shape[1] + 1, int(labels.max()) + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(x @ weight[:-1] + weight[-1], labels)
        value = value + DECAY * weight[:-1].square().sum() / 2
        value.backward()
        return value

    optimiser.step(loss)
    return (y @ weight[:-1] + weight[-1]).argmax(1).detach()


def measure(encoder: Encoder, per: int) -> dict[str, float]:
    """The numbers of one row."""
    (known, contents), (asked, true) = training_texts(per), test_texts()
    names = sorted(set(contents))
    start = time.process_time()
    train, length = features(encoder, known)
    seconds = time.process_time() - start
    test, _ = features(encoder, asked)
    labels, wanted = (torch.tensor([names.index(c) for c in each]) for each in (contents, true))
    cosine = torch.nn.functional.normalize(test, dim=1) @ torch.nn.functional.normalize(train, dim=1).T
    return {
        "probe": float((probe(train, labels, test) == wanted).float().mean()),
        "nearest": float((labels[cosine.argmax(1)] == wanted).float().mean()),
        "length": length,
        "seconds_a_thousand": 1000 * seconds / len(known),
        "width": encoder.dim,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per", type=int, default=24, help="training texts a content")
    parser.add_argument("--only", help="rows whose name holds this")
    parser.add_argument("--out", help="every number as JSON")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "text_encoders.yaml").read_text(encoding="utf-8"))
    results = {}
    for name, row in rows.items():
        if options.only and options.only not in name:
            continue
        try:
            encoder = registry.build("encoders", row["encoder"], row.get("settings"), where=name)
        except WeightsError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        results[name] = measure(encoder, options.per)
        print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    shown = [
        [name, f"{r['width']}", f"{100 * r['probe']:.1f} %", f"{100 * r['nearest']:.1f} %", f"{r['length']:.1f}",
         f"{r['seconds_a_thousand']:.1f}"] for name, r in results.items()
    ]  # fmt: skip
    print(table(shown, ("encoder", "width", "probe", "nearest", "length", "s / 1,000")))
    write_json(options.out, {"per": options.per, "environment": environment(), "rows": results})
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except MotionPlatformError as error:
        raise SystemExit(f"error: {error}") from None
