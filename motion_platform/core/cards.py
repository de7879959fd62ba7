"""Find cards (tasks, recipes, motion tokenizers) by name: in the repository, an editable install, or a wheel.

In a repository the cards are the root folders ``tasks/``, ``configs/`` and ``tokenizers/``; a wheel carries the same
files in ``motion_platform/_cards/``. Cards are YAML and nothing else: reading one never runs anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.core.opening import read_yaml

KINDS = ("tasks", "configs", "benchmarks", "suites", "tokenizers")
INSIDE = ("benchmarks", "suites")
"""Kinds whose folders lie in configs/."""


def folder(kind: str) -> Path:
    """The folder that holds the cards of a kind (one of ``KINDS``)."""
    if kind not in KINDS:
        raise UnknownName("kind of card", kind, KINDS)
    if kind in INSIDE:
        return folder("configs") / kind
    package = Path(__file__).resolve().parents[1]
    repository = package.parent
    if (repository / "pyproject.toml").is_file() and (repository / kind).is_dir():
        return repository / kind
    return package / "_cards" / kind


def names(kind: str) -> list[str]:
    """All card names of a kind, sorted: ``text_to_motion``, ``smoke/text_to_motion``."""
    root = folder(kind)
    found = [path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml")]
    return sorted(name for name in found if kind != "configs" or name.split("/")[0] not in INSIDE)


def find(kind: str, name: str) -> Path:
    """The file of a card, by name or by path. A path (with a separator or ending in .yaml) that exists wins.

    Errors: UnknownName with the nearest name; UsageError for a path that is not a file.
    """
    given = Path(name)
    if given.suffix in (".yaml", ".yml") and given.is_file():
        return given
    if given.suffix in (".yaml", ".yml"):
        trimmed = given.with_suffix("").as_posix().removeprefix("./").removeprefix(f"{kind}/")
        if trimmed not in names(kind):
            raise UsageError(f"{name}: there is no such file; {kind} that can be named: {', '.join(names(kind))}")
        name = trimmed
    known = names(kind)
    if name not in known:
        one = {"tasks": "task", "configs": "recipe", "benchmarks": "benchmark", "tokenizers": "tokenizer"}.get(
            kind, kind.rstrip("s")
        )
        raise UnknownName(one, name, known)
    return folder(kind) / f"{name}.yaml"


def name_of(kind: str, path: Path) -> str | None:
    """The name by which a card is found again; None for a file outside the folder of its kind."""
    root = folder(kind).resolve()
    inside = path.resolve().is_relative_to(root)
    return path.resolve().relative_to(root).with_suffix("").as_posix() if inside else None


def summary(path: Path) -> str:
    """A few words about a card, for listings: its ``title:``, or what a recipe trains; empty when there is neither.

    The values are read as plain YAML and not checked: a card with a mistake can still be listed.
    """
    values = _values(path)
    if values is None:
        return "(cannot be read)"
    if "title" in values:
        return str(values["title"])
    trained, data = values.get("model"), values.get("data")
    if not isinstance(trained, dict) or not isinstance(data, dict):
        return ""
    return f"{trained.get('name')} for {values.get('task')}, on {data.get('name')}"


def inputs(path: Path) -> str:
    """What a task reads, and writes: "text -> motion"; empty for a card that is no task."""
    values = _values(path) or {}
    reads, writes = values.get("reads"), values.get("writes")
    if not isinstance(reads, dict) or not isinstance(writes, str):
        return ""
    kinds = {slot: kind.get("kind") if isinstance(kind, dict) else kind for slot, kind in reads.items()}
    return f"{kinds_in_words(kinds)} -> {writes}"


def kinds_in_words(reads: Mapping[str, object]) -> str:
    """The kinds that slots read, each once: "text, audio"."""
    return ", ".join(dict.fromkeys(map(str, reads.values()))) or "nothing"


def _values(path: Path) -> dict[str, Any] | None:
    """A card as plain YAML, not checked; None where it cannot be read."""
    try:
        values = read_yaml(path)
    except DataError:
        return None
    return values if isinstance(values, dict) else {}
