"""What papers print, laid beside a result of ours: the same data, task and evaluator, or said to be another scale."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from motion_platform.core import config
from motion_platform.core.config import Strict
from motion_platform.core.errors import DataError
from motion_platform.core.packaged import packaged_yaml
from motion_platform.evaluation.protocol import ResultRow
from motion_platform.evaluation.report import number

FILE = "published_rows.yaml"


class PublishedRow(Strict):
    """A row of a paper's table. evaluator: the space of its numbers, "none" for metrics without one. from: who says it.
    known: a key of the file's ``known``, what is wrong with its scale."""

    system: str
    task: str
    data: str
    evaluator: Literal["guo", "none", "unknown"]
    said_by: Literal["paper", "repository", "others"] = Field(alias="from")
    known: str | None = None
    values: dict[str, float] = Field(min_length=1)


class PublishedRows(Strict):
    """The file. known: short name -> what is wrong with a scale."""

    rows: list[PublishedRow]
    known: dict[str, str]


def read() -> PublishedRows:
    """All rows, checked. ConfigError for a mistake in the file."""
    found = config.check(PublishedRows, packaged_yaml("motion_platform.evaluation", FILE), FILE)
    for i, row in enumerate(found.rows):
        if row.known is not None and row.known not in found.known:
            raise config.ConfigError(f"{FILE}: rows.{i}.known: {config.suggest(row.known, found.known)}")
    return found


def beside(ours: ResultRow) -> str:
    """A table in Markdown: our row, then every published one of its task and data set, with the marks of its scale.

    Numbers in a space stand in the table only where ours was measured in the same evaluator. DataError where no paper
    has a row of this task and data.
    """
    every, facts = read(), ours.facts
    task, data = facts["task"], facts["data"]["name"]
    rows = [row for row in every.rows if (row.task, row.data) == (task, data)]
    if not rows:
        known = sorted({f"{row.task} on {row.data}" for row in every.rows})
        raise DataError(f"compare: no published row of {task} on {data}; there are some of: {', '.join(known)}")
    spaces = {name: evaluator_of(facts, name) for name in facts["metrics"]}
    values = list(dict.fromkeys(v for row in rows for v in row.values))
    lines = ["| | " + " | ".join(values) + " | scale |", "|---|" + "---:|" * len(values) + "---|"]
    own = [_own(facts, value) for value in values]
    lines.append("| **" + facts["name"] + "** | " + " | ".join(own) + " | ours |")
    for row in rows:
        shown, notes = [], [every.known[row.known]] if row.known else []
        for value in values:
            shown.append(f"{row.values[value]:g}" if value in row.values else "\u2014")
        measured = [value for value in row.values if value in spaces]
        other = [value for value in measured if row.evaluator not in ("none", spaces[value])]
        if other:
            notes.append(f"another evaluator than ours for {', '.join(other)}")
        mark = "; ".join(notes)
        scale = f"NOT comparable: {mark}" if mark else "the same"
        lines.append(f"| {row.system} | " + " | ".join(shown) + f" | {scale} |")
    return "\n".join(lines) + "\n"


def evaluator_of(facts: dict[str, Any], value: str) -> str:
    """The kind of space that a value of ours was measured in; "none" without one."""
    space = facts["metrics"][value].get("space")
    if space is None:
        return "none"
    return str(facts.get("spaces", {}).get(space, {}).get("model") or space)


def _own(facts: dict[str, Any], value: str) -> str:
    found = facts["metrics"].get(value)
    return "\u2014" if found is None else number(found["mean"], found.get("interval"))
