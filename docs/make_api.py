"""The API page, from the docstrings: ``python docs/make_api.py`` prints it, ``--write`` puts it into docs/api.md."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import motion_platform

PAGE = Path(__file__).with_name("api.md")
HEAD = """# The Python face

Made from the docstrings by `docs/make_api.py`; a test compares. Everything here is imported from `motion_platform`
itself (`import motion_platform as mp`), and stays there whatever moves inside. Shapes: B motions, T frames, D features,
J joints, N tokens of a condition, C its width. Nothing is loaded before it is asked for.
"""


def sections() -> dict[str, list[str]]:
    """Heading -> names, in the order and under the comments of the package's own table of names."""
    source = inspect.getsource(motion_platform)
    start = source.index("_PLACES = {")
    found: dict[str, list[str]] = {}
    for line in source[start : source.index("\n}", start)].splitlines()[1:]:
        line = line.strip()
        if line.startswith("#"):
            found[line[1:].strip()[:1].upper() + line[1:].strip()[1:]] = []
        else:
            found[list(found)[-1]].append(ast.literal_eval(line.partition(":")[0]))
    return found


def signature(name: str, thing: Any) -> str:
    """``name(arguments)`` as it is called, without annotations that a reader of the page does not need."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return name
    shown = [
        p.replace(annotation=inspect.Parameter.empty)
        for p in parameters
        if p.name not in ("self", "cls") and not (p.name in ("args", "kwargs") and inspect.isclass(thing))
    ]
    return f"{name}{inspect.Signature(shown)}"


def text_of(thing: Any) -> str:
    """The docstring without roles of Sphinx, on one level of indentation."""
    return (inspect.getdoc(thing) or "").replace(":func:", "").replace(":mod:", "").replace(":class:", "")


def entry(name: str) -> list[str]:
    """One name: how it is called, what it does, and its own public methods."""
    thing = getattr(motion_platform, name)
    module = importlib.import_module(thing.__module__)
    lines = [f"### {name}", "", f"`{signature(name, thing)}`, of `{module.__name__}`", "", text_of(thing), ""]
    if not inspect.isclass(thing) or issubclass(thing, Exception):
        return lines
    for member, value in vars(thing).items():
        plain = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if member.startswith("_") and member != "__call__":
            continue
        if inspect.isfunction(plain) and inspect.getdoc(plain):
            called = signature(f".{member}" if member != "__call__" else name.lower(), plain)
            lines += [f"- **`{called}`** {' '.join(text_of(plain).split())}"]
        elif isinstance(value, property) and inspect.getdoc(value):
            lines += [f"- **`.{member}`** {' '.join(text_of(value).split())}"]
    return [*lines, ""]


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for heading, names in sections().items():
        lines += [f"## {heading}", ""]
        for name in names:
            lines += entry(name)
    text = "\n".join(line.rstrip() for part in lines for line in part.split("\n"))
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip() + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
