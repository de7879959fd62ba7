"""What a named class reads and is, taken from its source: a list of names imports nothing.

The first sentence of the docstring and a few plain class attributes are read with ``ast``; the file of a plug-in is
found as the import system finds it, and no line of it is run.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from pathlib import Path
from typing import Any

DEPTH = 6
"""How many base classes up an attribute is looked for."""


@functools.cache
def source_of(module: str) -> Path | None:
    """The file of a module, found without importing it or its package; None where there is no such file."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and Path(spec.origin).suffix == ".py" else None
    for place in spec.submodule_search_locations or ():
        path = Path(place).joinpath(*rest)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


@functools.cache
def _tree(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):  # its own error comes when it is asked for
        return None


def _class(target: str) -> tuple[str, ast.Module, ast.ClassDef] | None:
    module, _, name = target.partition(":")
    path = source_of(module)
    tree = None if path is None else _tree(path)
    if tree is None:
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, tree, node
    imported = _imports(tree).get(name)  # a package may hand on a class of one of its modules
    return None if imported is None or imported == target else _class(imported)


def _imports(tree: ast.Module) -> dict[str, str]:
    """Name -> "module:Name" of what a module imports absolutely."""
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }


def summary(target: str) -> str:
    """The first sentence of the docstring of "module:Class", in one line; empty where it has none."""
    where = _class(target)
    text = None if where is None else ast.get_docstring(where[2])
    if not text:
        return ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    paragraph = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"\1", paragraph).replace("``", "")
    return re.split(r"(?<!\bet al)(?<!\be\.g)(?<=\.)\s+(?=[A-Z])", paragraph, maxsplit=1)[0].rstrip(".:")


def attribute(target: str, name: str, depth: int = DEPTH) -> Any:
    """A plain value (string, number, None) that "module:Class", or the nearest base class of it, gives an attribute."""
    where = _class(target)
    if where is None or depth == 0:
        return None
    module, tree, node = where
    for line in node.body:
        if isinstance(line, ast.Assign):
            names, value = line.targets, line.value
        elif isinstance(line, ast.AnnAssign) and line.value is not None:
            names, value = [line.target], line.value
        else:
            continue
        if any(isinstance(each, ast.Name) and each.id == name for each in names):
            return value.value if isinstance(value, ast.Constant) else None
    imports = _imports(tree)
    for base in node.bases:
        if isinstance(base, ast.Name):
            found = attribute(imports.get(base.id, f"{module}:{base.id}"), name, depth - 1)
            if found is not None:
                return found
    return None
