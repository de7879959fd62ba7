"""Is A better than B, or is it chance? Paired over the recordings that both were measured on.

A metric that is a mean over clips: whole recordings, with all their clips and mirrored copies, are drawn with
replacement, the same for A and B, and the difference of the two pooled means is taken each time (paired bootstrap;
Efron and Tibshirani 1993, chapter 8). A metric of a set of embeddings: the same, with the metric computed anew on every
draw; where equal members would spoil it (neighbours, pools), half of them are drawn without replacement instead, whose
spread is that of a bootstrap (delete-half jackknife; Shao and Wu 1989). Anything else: the spread of the repeats. The
difference itself is that of the reported means, its interval 1.96 standard errors, p two-sided under a normal
distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core import registry
from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.opening import short
from motion_platform.evaluation import results
from motion_platform.evaluation.protocol import ResultRow
from motion_platform.metrics.sets import Rows, SetMetric

WITH_REPLACEMENT = ("frechet", "frechet_normalised", "multimodal_distance")
"""Set metrics that equal members do not spoil."""
ALPHA = 0.05
BY_CLIPS, BY_EMBEDDINGS, BY_REPEATS = "clips", "embeddings", "repeats"


@dataclass(frozen=True)
class Difference:
    """One value: ``b - a`` with its interval and p. method: what was drawn; p None: nothing could be."""

    name: str
    a: float
    b: float
    interval: float | None
    p: float | None
    unit: str
    higher_is_better: bool | None
    method: str

    @property
    def difference(self) -> float:
        return self.b - self.a

    @property
    def significant(self) -> bool:
        return self.p is not None and self.p < ALPHA


def load_row(name: str) -> ResultRow:
    """The model's row of a result file: ``FILE.json``, or ``FILE.json:ROW`` for another row of it.

    Errors: UsageError, DataError.
    """
    file, colon, wanted = name.rpartition(":")
    if not colon or not file.endswith(".json"):
        file, wanted = name, ""
    path = Path(file)
    if path.suffix != ".json":
        raise UsageError(f"{name}: give a result file (.json) of motion evaluate or motion benchmark")
    _, rows = results.load(path)
    if not wanted:
        return rows[-1]
    for row in rows:
        if row.facts.get("name") == wanted:
            return row
    known = ", ".join(str(row.facts.get("name")) for row in rows)
    raise UsageError(f"{path}: has no row {wanted!r}; its rows: {known}")


def compare(
    a: ResultRow, b: ResultRow, *, resamples: int = 1000, set_resamples: int = 200, seed: int = 0
) -> list[Difference]:
    """All values that both rows have. Errors: DataError for rows of another task, data or choice of clips, and for rows
    that do not hold what a result does."""
    try:
        return _compared(a, b, resamples, set_resamples, seed)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise DataError(
            f"compare: a row does not hold what a result does ({type(error).__name__}: {short(error)}); "
            "measure it again"
        ) from error


def _compared(a: ResultRow, b: ResultRow, resamples: int, set_resamples: int, seed: int) -> list[Difference]:
    for key in ("task", "split"):
        if a.facts.get(key) != b.facts.get(key):
            raise DataError(f"compare: {key} is {a.facts.get(key)!r} for A and {b.facts.get(key)!r} for B")
    if not np.array_equal(a.arrays["ids"], b.arrays["ids"]):
        raise DataError("compare: A and B were measured on different clips")
    if a.facts["data"] != b.facts["data"]:
        raise DataError("compare: A and B were measured on different data, or on clips that were cut differently")
    found = []
    drawn: dict[str, dict[str, tuple[float, str]]] = {}
    for name in a.facts["metrics"]:
        if name not in b.facts["metrics"]:
            continue
        mine, theirs = a.facts["metrics"][name], b.facts["metrics"][name]
        for key in ("metric", "settings"):
            if mine[key] != theirs[key]:
                raise DataError(f"compare: {name}: {key} is {mine[key]!r} for A and {theirs[key]!r} for B")
        if mine["space"] is not None and a.facts["spaces"] != b.facts["spaces"]:
            raise DataError(f"compare: {name}: was measured in different spaces (their weights differ)")
        error, method = _error(name, a, b, resamples, set_resamples, seed, drawn)
        difference = theirs["mean"] - mine["mean"]
        interval = p = None
        if error is not None:
            interval = 1.96 * error
            p = math.erfc(abs(difference) / error / math.sqrt(2)) if error > 0 else float(difference == 0)
        found.append(
            Difference(name, mine["mean"], theirs["mean"], interval, p, mine["unit"], mine["higher_is_better"], method)
        )
    if not found:
        raise DataError("compare: A and B have no value in common")
    return found


def _error(
    name: str,
    a: ResultRow,
    b: ResultRow,
    resamples: int,
    set_resamples: int,
    seed: int,
    drawn: dict[str, dict[str, tuple[float, str]]],
) -> tuple[float | None, str]:
    """Standard error of the difference, and how it was had."""
    summary = a.facts["metrics"][name]
    if f"point/{name}" in a.arrays and f"point/{name}" in b.arrays:
        sums = [_by_recording(row.arrays[f"point/{name}"], row) for row in (a, b)]
        return clip_error(*sums, resamples, seed), BY_CLIPS
    key = f"{summary['metric']}@{summary['space']}"
    if key not in drawn:
        drawn[key] = _set_errors(summary, a, b, set_resamples, seed)
    if summary["value"] in drawn[key]:
        return drawn[key][summary["value"]]
    n, m = (row.facts["metrics"][name]["n"] for row in (a, b))
    if min(n, m) < 2:
        return None, BY_REPEATS
    spread = [np.var(row.facts["metrics"][name]["values"], ddof=1) for row in (a, b)]
    return math.sqrt(spread[0] / n + spread[1] / m), BY_REPEATS


def _recordings(row: ResultRow) -> np.ndarray:
    """(n,) the number of the recording of every clip; results of older versions know none: a clip each."""
    names = row.arrays.get("recordings", row.arrays["ids"])
    return np.unique(names, return_inverse=True)[1]


def _by_recording(sums: np.ndarray, row: ResultRow) -> np.ndarray:
    """(n, 2) sum and weight of every clip -> the same of every recording."""
    recordings = _recordings(row)
    return np.stack([np.bincount(recordings, weights=column) for column in sums.T], 1)


def clip_error(a: np.ndarray, b: np.ndarray, resamples: int, seed: int) -> float:
    """Standard error of the difference of two pooled means; a, b: (n, 2) sum and weight of every recording."""
    random = np.random.RandomState(seed)
    differences = []
    for _ in range(resamples):
        counts = np.bincount(random.randint(0, len(a), len(a)), minlength=len(a))
        (top_a, under_a), (top_b, under_b) = counts @ a, counts @ b
        if under_a > 0 and under_b > 0:
            differences.append(top_b / under_b - top_a / under_a)
    return float(np.std(differences, ddof=1))


def _set_errors(
    summary: dict[str, Any], a: ResultRow, b: ResultRow, resamples: int, seed: int
) -> dict[str, tuple[float, str]]:
    """value -> standard error, for a metric of a set whose embeddings are kept; {} for any other."""
    cls = registry.get("metrics", summary["metric"])
    if not issubclass(cls, SetMetric) or cls is registry.get("metrics", "multimodality"):
        return {}
    rows_a, rows_b = (_rows(row, summary["space"], cls.needs) for row in (a, b))
    if rows_a is None or rows_b is None:
        return {}
    metric = registry.build("metrics", summary["metric"], summary["settings"])
    random = np.random.RandomState(seed)
    recordings = _recordings(a)
    members = [np.flatnonzero(recordings == number) for number in range(recordings.max() + 1)]
    n = len(members)
    draw: Callable[[], np.ndarray] = lambda: random.permutation(n)[: n // 2]  # noqa: E731
    if summary["metric"] in WITH_REPLACEMENT:
        draw = lambda: random.randint(0, n, n)  # noqa: E731
    differences: dict[str, list[float]] = {}
    for _ in range(resamples):
        chosen = np.sort(np.concatenate([members[number] for number in draw()]))
        try:
            mine, theirs = metric.measure(rows_a.take(chosen)), metric.measure(rows_b.take(chosen))
        except DataError:  # too few clips for draws of half of them: the spread of the repeats is used, and said
            return {}
        for value in mine.keys() & theirs.keys():
            differences.setdefault(value, []).append(theirs[value] - mine[value])
    return {value: (float(np.std(of, ddof=1)), BY_EMBEDDINGS) for value, of in differences.items()}


def _rows(row: ResultRow, space: str | None, needs: str | None) -> Rows | None:
    parts = {part: row.arrays.get(f"space/{space}/{part}") for part in ("motion", "truth", "text")}
    if parts["motion"] is None or (needs in ("truth", "text") and parts[needs] is None):
        return None
    captions = row.arrays.get("captions")
    doubles = {part: None if values is None else values.astype(np.float64) for part, values in parts.items()}
    return Rows(row.arrays["ids"].tolist(), captions=None if captions is None else captions.tolist(), **doubles)


def in_words(found: list[Difference], a: str, b: str, real: ResultRow | None = None) -> list[str]:
    """One sentence a value; ``real``: the row of real motion, which decides what is better where no direction does."""
    lines = []
    for each in found:
        numbers = f"{each.a:.4g} and {each.b:.4g}"
        if each.p is None:
            lines.append(f"{each.name}: {numbers}; one repeat and no values of clips, so nothing can be said")
            continue
        interval = f"difference {each.difference:+.4g} \u00b1 {each.interval:.2g}, {p_text(each.p)}, over {each.method}"
        if not each.significant:
            lines.append(f"{each.name}: no significant difference between {a} and {b} ({numbers}; {interval})")
            continue
        better = _better(each, real)
        if better is None:
            word = "higher" if each.difference > 0 else "lower"
            lines.append(f"{each.name}: {b} is significantly {word} than {a} ({numbers}; {interval})")
        else:
            first, second = (b, a) if better else (a, b)
            lines.append(f"{each.name}: {first} is significantly better than {second} ({numbers}; {interval})")
    return lines


def p_text(p: float) -> str:
    """``p < 0.001`` or ``p = 0.034``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _better(each: Difference, real: ResultRow | None) -> bool | None:
    """Is B better? None where the metric has no direction and there is no real motion to be near to."""
    if each.higher_is_better is not None:
        return (each.difference > 0) == each.higher_is_better
    if real is None or each.name not in real.facts["metrics"]:
        return None
    target = real.facts["metrics"][each.name]["mean"]
    return abs(each.b - target) < abs(each.a - target)


def real_motion(name: str) -> ResultRow | None:
    """The row of real motion that belongs to a result file: in it, or in the cell beside it."""
    path = Path(name.rpartition(":")[0] if ".json:" in name else name)
    header, rows = results.load(path)
    for row in rows:
        if row.facts["kind"] == "truth":
            return row
    beside = path.with_name(f"real_motion__{header.get('task')}__seed{rows[0].facts['seed']}.json")
    return results.load(beside)[1][0] if beside.is_file() else None
