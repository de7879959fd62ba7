"""Look up and build the things of :mod:`motion_platform.core.catalog` and of installed plug-ins.

A plug-in is an entry point in the group ``motion_platform.<kind>``. It is listed without being imported, it fails
only when it is asked for (with its own traceback), and one that repeats a name is listed as ``name@package``.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from motion_platform.core.catalog import BASES, CATALOG
from motion_platform.core.errors import ConfigError, UnknownName
from motion_platform.core.opening import short
from motion_platform.core.settings import arguments, settings_of


def plugins(kind: str) -> tuple[tuple[str, str, str], ...]:
    """(name, "module:Class", package) of every entry point of a kind; looked up once: all packages are read for it."""
    return _plugins(kind, tuple(sys.path))


@functools.lru_cache(maxsize=64)
def _plugins(kind: str, _path: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """The same for one search path: another one may hold other packages."""
    found = []
    for point in entry_points(group=f"motion_platform.{kind}"):
        found.append((point.name, point.value, point.dist.name if point.dist else "an unnamed package"))
    return tuple(found)


def table(kind: str) -> dict[str, tuple[str, str]]:
    """Name -> ("module:Class", who defines it) for one kind, plug-ins included.

    A plug-in that repeats a name of this package or of an earlier plug-in is in it under ``name@package``: it
    harms itself alone.
    """
    if kind not in CATALOG:
        raise UnknownName("kind", kind, CATALOG)
    found = {name: (target, "motion_platform") for name, target in CATALOG[kind].items()}
    for name, value, owner in plugins(kind):
        if name in found and found[name][0] != value:
            found[f"{name}@{owner}"] = (value, owner)
        else:
            found[name] = (value, owner)
    return found


def names(kind: str) -> list[str]:
    """Every name of a kind, sorted."""
    return sorted(table(kind))


def get(kind: str, name: str, *, where: str = "") -> type:
    """Import and return the class behind a name. Errors: UnknownName; whatever the plug-in's own import raises."""
    entries = table(kind)
    if name not in entries:
        raise UnknownName(kind.rstrip("s") if kind != "data" else "data set", name, entries, where)
    module, _, attribute = entries[name][0].partition(":")
    cls = getattr(importlib.import_module(module), attribute)
    if not (isinstance(cls, type) and issubclass(cls, base_of(kind))):
        raise ConfigError(
            f"{where + ': ' if where else ''}{name} ({entries[name][0]}): is no {base_of(kind).__name__}; "
            f"what stands under {kind} must be one"
        )
    return cls


@functools.cache
def base_of(kind: str) -> type:
    """The class that everything of a kind is a subclass of (``catalog.BASES``)."""
    module, _, attribute = BASES[kind].partition(":")
    return getattr(importlib.import_module(module), attribute)


def build(
    kind: str, name: str, settings: Mapping[str, Any] | None = None, *, where: str = "", given: Mapping[str, Any] = {}
) -> Any:
    """Build ``name`` with a recipe's ``settings`` plus the keyword arguments that the platform itself supplies.

    ``given`` holds what a recipe may not set (the spec, the slots); arguments of it that the class does not take are
    left out, so that a component asks only for what it needs. Errors: UnknownName; ConfigError for an unknown,
    missing or wrongly typed setting, with ``where`` in front.
    """
    cls = get(kind, name, where=where)
    parameters = settings_of(cls)
    place = f"{where}: {name}" if where else name
    own = arguments(cls, settings or {}, place, given)
    filled = {**{k: v for k, v in given.items() if k in parameters}, **own}
    for key, parameter in parameters.items():
        if key not in filled and parameter.default is parameter.empty:
            raise ConfigError(f"{place} needs the setting {key!r}")
    try:
        return cls(**filled)
    except ValueError as error:  # a component refuses a value: say in which recipe
        raise ConfigError(f"{place}: {error}") from error
    except (ArithmeticError, RuntimeError, MemoryError) as error:  # what a library says to a width of -64
        raise ConfigError(f"{place}: cannot be made with these settings: {short(error)}") from error
