"""What the tests of the documents share: the documents, and the commands and code that stand in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SKIP = {".git", ".venv", "build", "dist", "out", "runs", "data", "node_modules", ".pytest_cache", ".hypothesis"}
DOCUMENTS = sorted(p for p in ROOT.rglob("*.md") if not SKIP & set(p.relative_to(ROOT).parts[:-1]))
BLOCK = re.compile(r"(?P<mark><!-- runnable -->\n)?```(?P<language>\w*)\n(?P<text>.*?)\n```", re.DOTALL)


def blocks(path: Path, language: str, *, runnable: bool | None = None) -> list[str]:
    """The code blocks of a language; ``runnable``: only those that are (not) marked so."""
    found = [m for m in BLOCK.finditer(path.read_text(encoding="utf-8")) if m["language"] == language]
    return [m["text"] for m in found if runnable is None or (m["mark"] is not None) == runnable]


def commands(text: str) -> list[list[str]]:
    """The lines of a bash block as words, without comments; a backslash at the end joins two lines."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
