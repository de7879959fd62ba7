"""How near is made low-level text to what people wrote? Table 2 of Ribeiro-Gomes et al. (2024), and more rows.

    python -m benchmarks.low_text --data FOLDER                        # a prepared set whose clips have low-level text
    python -m benchmarks.low_text --train TRAIN.csv --test TEST.csv    # columns: caption, low
    python -m benchmarks.low_text ... --babel FOLDER                   # and how far two people agree on BABEL

The captions of the test split are queries, the training split is the dictionary. For k of ``low_text.yaml`` (``--set
k=[10] captions=20`` for others) a language model continues k examples, the nearest to the query (KATE) or random ones;
beside it stand copying the nearest example, the commonest low-level text among the ten nearest, the planner ``rules``,
and a random training text. Columns: cosine between the sentence vectors of made and true text (mean, standard deviation
over captions), F1 of the verbs in both, how many are equal letter by letter, seconds a caption. Below: for every k
the one-sided Kolmogorov-Smirnov tests between the cosines of KATE and of random examples, as in the paper (null
hypothesis: KATE's are higher; not rejected above 0.05) and the other way round (null hypothesis: they are not higher).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import environment, table, write_json
from motion_platform.core import config
from motion_platform.core.config import Strict
from motion_platform.core.errors import DataError, MotionPlatformError
from motion_platform.core.seeding import seed_of
from motion_platform.data import babel
from motion_platform.planners import low_texts
from motion_platform.planners.dictionary import Dictionary
from motion_platform.planners.kate import ranked
from motion_platform.planners.llm import LanguageModelPlanner, actions_in
from motion_platform.planners.low_texts import Example
from motion_platform.planners.rules import Rules
from motion_platform.planners.words import lexicon

FILE = Path(__file__).with_name("low_text.yaml")
VOTES = 10


class Settings(Strict):
    """``low_text.yaml``."""

    k: list[int]
    captions: int
    seed: int
    model: str
    dtype: str
    temperature: float
    restricted: bool
    encoder: str
    encoder_settings: dict[str, Any]


@dataclass
class Row:
    """One method: the cosines of its texts (n,), F1 of verbs (n,), which are equal (n,), seconds in all, and how many
    answers are no list of actions."""

    name: str
    cosine: np.ndarray
    verbs: np.ndarray
    exact: np.ndarray
    seconds: float = 0.0
    prose: int = 0

    def cells(self) -> list[str]:
        n = max(len(self.cosine), 1)
        return [
            self.name,
            f"{self.cosine.mean():.4f} ± {self.cosine.std():.3f}",
            f"{self.verbs.mean():.3f}",
            f"{100 * self.exact.mean():.0f} %",
            f"{self.seconds / n:.2f}" if self.seconds else "",
            str(self.prose) if self.prose else "",
        ]


HEADER = ("low-level text", "cosine", "verb F1", "equal", "s a caption", "prose")


def verbs(text: str) -> Counter[str]:
    """The verbs of a low-level text in their base form; an action without a known verb counts by its first word."""
    found: Counter[str] = Counter()
    for action in text.lower().split(","):
        words = action.split()
        forms = [form[0] for word in words if (form := lexicon().form(word.strip(".")))]
        if words:
            found[forms[0] if forms else words[0]] += 1
    return found


def f1(made: str, true: str) -> float:
    """F1 of the verbs of two texts, counted as often as they come."""
    a, b = verbs(made), verbs(true)
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else 1.0


def measure(dictionary: Dictionary, name: str, made: Sequence[str], true: Sequence[str], seconds: float = 0.0) -> Row:
    """The row of a method from its texts and the true ones. An empty text has cosine 0."""
    a, b = dictionary.embed(list(made)), dictionary.embed(list(true))
    exact = np.array([x.strip().lower() == y.strip().lower() for x, y in zip(made, true, strict=True)], float)
    scores = np.array([f1(x, y) for x, y in zip(made, true, strict=True)])
    return Row(name, (a * b).sum(1).astype(float), scores, exact, seconds)


def one_a_caption(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """``count`` examples with different captions, drawn by the seed."""
    different = list({example.caption: example for example in examples}.values())
    order = sorted(different, key=lambda example: seed_of(seed, "query", example.caption))
    return order[:count]


def rows_of(
    settings: Settings, train: Sequence[Example], test: Sequence[Example], say: Callable[[str], None]
) -> list[Row]:
    """Every method on the same queries."""
    queries = one_a_caption(test, settings.captions, settings.seed)
    captions, true = [query.caption for query in queries], [query.low for query in queries]
    dictionary = Dictionary(train, settings.encoder, settings.encoder_settings)
    start = time.perf_counter()
    near = dictionary.nearest(captions, VOTES, but_itself=True)
    looked = time.perf_counter() - start
    drawn = dictionary.random(captions, 1, settings.seed)
    rows = [
        measure(dictionary, "a random training text", [shown[0].low for shown in drawn], true),
        measure(dictionary, "rules", [plan.low_text() for plan in Rules().plan(captions)], true),
        measure(dictionary, "copy the nearest example", [shown[0].low for shown in near], true, looked),
        measure(dictionary, f"commonest of the {VOTES} nearest", [ranked(shown)[0] for shown in near], true, looked),
    ]
    for row in rows:
        say(f"{row.name}: cosine {row.cosine.mean():.4f}")
    planner = LanguageModelPlanner(
        settings.model,
        restricted=settings.restricted,
        temperature=settings.temperature,
        dtype=settings.dtype,
        but_itself=True,
    )
    planner.dictionary = dictionary
    for k in settings.k:
        for how in ("random", "nearest"):
            planner.k, planner.examples = k, how
            start = time.perf_counter()
            made = planner.answers(captions, seed=settings.seed)
            name = f"{settings.model}, {k} {'KATE' if how == 'nearest' else 'random'} examples"
            rows.append(measure(dictionary, name, made, true, time.perf_counter() - start))
            rows[-1].prose = sum(map(is_prose, made))
            say(f"{name}: cosine {rows[-1].cosine.mean():.4f}, {rows[-1].seconds / len(made):.1f} s a caption")
    return rows


def is_prose(answer: str) -> bool:
    try:
        actions_in(answer, "")
    except DataError:
        return True
    return False


def ks_tests(rows: Sequence[Row], settings: Settings) -> list[tuple[int, float, float]]:
    """(k, p of the paper's test, p of the other direction) for every k."""
    from scipy.stats import ks_2samp

    named = {row.name: row.cosine for row in rows}
    found = []
    for k in settings.k:
        kate, random = (named[f"{settings.model}, {k} {how} examples"] for how in ("KATE", "random"))
        # scipy's "greater" and "less" speak of the distribution functions: a lower function is of higher values.
        paper, other = (ks_2samp(kate, random, alternative=side).pvalue for side in ("greater", "less"))
        found.append((k, float(paper), float(other)))
    return found


def annotators(folder: Path, dictionary: Dictionary, count: int, seed: int) -> Row:
    """Two people who labelled one recording of BABEL, the first against the second. DataError where there are none."""
    pairs = [
        (babel.sentence(labels[0]), babel.sentence(labels[1]))
        for labels in babel.read(folder).values()
        if len(labels) > 1
    ]
    if not pairs:
        raise DataError(f"--babel: {folder} has no recording with two annotators; put extra_train.json there")
    order = sorted(pairs, key=lambda pair: seed_of(seed, *pair))[:count]
    return measure(dictionary, "two people on BABEL", [a for a, _ in order], [b for _, b in order])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a prepared data set")
    parser.add_argument("--train", help="the dictionary, a CSV file (default: the table that ships)")
    parser.add_argument("--test", help="the queries, a CSV file")
    parser.add_argument("--babel", type=Path, help="BABEL's folder")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of low_text.yaml")
    parser.add_argument("--out", help="every number as JSON")
    options = parser.parse_args()
    if (options.data is None) == (options.test is None):
        parser.error("give either --data, or --test with or without --train")
    values = {**config.read_yaml(FILE), **config.settings_from(options.set)}
    settings = config.check(Settings, values, FILE)
    if options.data is not None:
        train, test = (low_texts.read(str(options.data), split) for split in ("train", "test"))
    else:
        train, test = low_texts.read(options.train), low_texts.read(options.test)
    start, spent = time.perf_counter(), time.process_time()
    rows = rows_of(settings, train, test, lambda line: print(line, file=sys.stderr, flush=True))
    if options.babel is not None:
        judge = Dictionary(train[:1], settings.encoder, settings.encoder_settings)
        rows.append(annotators(options.babel, judge, 500, settings.seed))
    tests, minutes = ks_tests(rows, settings), (time.perf_counter() - start) / 60
    processor = (time.process_time() - spent) / 60
    print(table([row.cells() for row in rows], HEADER))
    for k, paper, other in tests:
        print(f"k {k}: p = {paper:.3f} that KATE's cosines are not lower, {other:.3g} that they are not higher")
    print(f"{len(rows[0].cosine)} captions, {len(train)} examples, {minutes:.1f} minutes, {processor:.1f} of a core")
    result = {
        "settings": settings.model_dump(),
        "environment": environment(),
        "minutes": minutes,
        "processor_minutes": processor,
        "rows": [{"name": row.name, "cosine": row.cosine.tolist(), "verb_f1": row.verbs.tolist(),
                  "equal": row.exact.mean(), "seconds": row.seconds, "prose": row.prose} for row in rows],
        "ks": [{"k": k, "p_not_lower": paper, "p_not_higher": other} for k, paper, other in tests],
    }  # fmt: skip
    write_json(options.out, result)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except MotionPlatformError as error:
        raise SystemExit(f"error: {error}") from None
