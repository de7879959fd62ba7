"""Numbers have a command: a table of measured numbers stands in a section that names what makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT, commands
from test_docs import known

PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("motion_platform/weights/*/README.md")])
NUMBER = re.compile(r"(?<![\w./])[-\u2212]?\d+\.\d+(?![\w/])")
COMMAND = re.compile(r"(?:^|`)(motion (?:evaluate|benchmark|tokenizer-report|train)\b[^`\n]*)", re.MULTILINE)
BENCHMARK = re.compile(r"benchmarks[./](\w+)")
WITHOUT = {
    ("docs/gesture.md", "The published systems"),  # errors against the original code, which a test computes
    ("docs/metrics.md", "Does it beat the music?"),  # constants of formulas
    ("docs/metrics.md", "Is it physically possible?"),  # the same
}
"""Sections whose numbers no command of the repository makes. It may only shrink."""


def sections(path: Path) -> Iterator[tuple[str, str]]:
    """(heading, text) of the parts of a page that its headings of the first two levels cut."""
    heading, lines = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"##? ", line):
            yield heading, "\n".join(lines)
            heading, lines = line.lstrip("# "), []
        lines.append(line)
    yield heading, "\n".join(lines)


def has_measured_table(text: str) -> bool:
    """A table with two numbers with decimals in a row, code left out."""
    rows = [re.sub(r"`[^`]*`", "", line) for line in text.splitlines() if line.startswith("|")]
    return any(sum(bool(NUMBER.search(cell)) for cell in row.split("|")) >= 2 for row in rows)


def makes_numbers(text: str) -> list[str]:
    """The commands of a section that measure. AssertionError for one that the command line does not understand."""
    found = []
    for line in COMMAND.findall(text):
        for words in commands(line):
            known(words)
            found.append(" ".join(words))
    for name in BENCHMARK.findall(text):
        if (ROOT / "benchmarks" / f"{name}.py").is_file():
            found.append(f"python -m benchmarks.{name}")
    return found


def without_command() -> set[tuple[str, str]]:
    return {
        (path.relative_to(ROOT).as_posix(), heading)
        for path in PAGES
        for heading, text in sections(path)
        if has_measured_table(text) and not makes_numbers(text)
    }


def test_every_table_of_numbers_names_the_command_that_makes_them() -> None:
    assert without_command() == WITHOUT


@pytest.mark.parametrize(
    ("text", "measured", "commanded"),
    [
        ("| a | 0.1 | 0.2 |", True, False),
        ("| a | 3 | 0.2 |", False, False),
        ("| a | 0.1 | 0.2 |\n\n`motion evaluate text_to_motion_small --samples 3`", True, True),
        ("| a | 0.1 | 0.2 |\n\nwith `python -m benchmarks.ruler`", True, True),
        ("| a | 0.1 | 0.2 |\n\nwith `python -m benchmarks.rulers`", True, False),
    ],
)
def test_what_counts_as_a_number_and_as_a_command(text: str, measured: bool, commanded: bool) -> None:
    assert has_measured_table(text) == measured
    assert bool(makes_numbers(text)) == commanded


def test_a_command_that_is_not_understood_is_no_command() -> None:
    with pytest.raises(AssertionError, match="no option --sample"):
        makes_numbers("`motion evaluate text_to_motion_small --sample 2`")
