"""Settings of a component: the arguments of its constructor, each with a type, some of them in blocks.

A block is an argument whose type is a dataclass: what many components share (the settings of every diffusion model,
generators/diffusion/settings.py) is declared once and handed on as one value. A recipe writes ``diffusion: {sampler:
ddpm}``, or, as recipes and checkpoints of format 1 do, the bare ``sampler: ddpm``; here, and only here, the second
becomes the first. What a block leaves out is as in the default of the component's own argument.

A component or block one of whose settings got another name says so in ``renamed``, old name -> new name: recipes and
checkpoints that hold the old one stay good.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Collection, Mapping
from typing import Any

from motion_platform.core.errors import ConfigError, suggest

LARGEST = {"layers": 1000, "heads": 1024, "width": 65_536, "hidden": 65_536, "dim": 65_536, "kernel": 4096}
"""The largest of these settings that is built: far above what anybody trains."""


def constructor_of(cls: type) -> Any:
    """The ``__init__`` of a class, of whatever signature."""
    return getattr(cls, "__init__")  # noqa: B009 - a type checker refuses the plain form


def settings_of(cls: type) -> dict[str, inspect.Parameter]:
    """The settings a class takes: the explicit parameters of its constructor. ``**kwargs`` is refused."""
    constructor = constructor_of(cls)
    if constructor is object.__init__:  # a class without a constructor takes no settings
        return {}
    parameters = dict(inspect.signature(constructor).parameters)
    parameters.pop("self", None)
    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise TypeError(f"{cls.__qualname__} takes {parameter}; components name every setting explicitly")
    return parameters


def blocks_of(cls: type) -> dict[str, type]:
    """Argument -> its dataclass, for the arguments that are blocks. What the platform supplies is none."""
    hints = typing.get_type_hints(constructor_of(cls)) if settings_of(cls) else {}
    blocks = {
        name: hints[name] for name, of in settings_of(cls).items() if name in hints and of.default is not of.empty
    }
    return {name: of for name, of in blocks.items() if dataclasses.is_dataclass(of) and isinstance(of, type)}


def arranged(cls: type, settings: Mapping[str, Any], where: str, given: Collection[str] = ()) -> dict[str, Any]:
    """The settings of ``cls`` as plain values under their names of today, each in its block.

    given: arguments that a recipe may not set. Errors: ConfigError for an unknown setting (with the nearest name), one
    that is written twice, one that several blocks have, or a block that is no table.
    """
    blocks = blocks_of(cls)
    own = [name for name in settings_of(cls) if name not in given]
    fields = {block: _names(of) for block, of in blocks.items()}
    result: dict[str, Any] = {}
    written: dict[str, str] = {}

    def put(place: str, value: Any, key: str) -> None:
        if place in written:
            raise ConfigError(f"{where}: {place} is written twice, as {written[place]} and as {key}; keep one")
        written[place] = key
        block, _, name = place.rpartition(".")
        (result.setdefault(block, {}) if block else result)[name] = value

    for key, value in settings.items():
        name = key if key in own else _renamed(cls).get(key, key)
        if name in blocks:
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where}.{name}: got {value!r}; a table of key: value is needed here")
            result.setdefault(name, {})
            for inner, of_inner in value.items():
                field = fields[name].get(inner)
                if field is None:
                    raise ConfigError(
                        f"{where}.{name} has no setting {inner!r}; {suggest(inner, _names(blocks[name]))}"
                    )
                put(f"{name}.{field}", of_inner, f"{name}.{inner}")
        elif name in own:
            put(name, value, key)
        else:
            owners = [block for block, known in fields.items() if name in known]
            if not owners:
                everything = {*own, *(known for each in fields.values() for known in each.values())}
                raise ConfigError(f"{where} has no setting {key!r}; {suggest(key, everything)}")
            if len(owners) > 1:
                raise ConfigError(f"{where}: {key} may be {' or '.join(f'{o}.{name}' for o in owners)}; write which")
            put(f"{owners[0]}.{fields[owners[0]][name]}", value, key)
    return result


def arguments(cls: type, settings: Mapping[str, Any], where: str, given: Collection[str] = ()) -> dict[str, Any]:
    """The keyword arguments that settings stand for, types checked, blocks made.

    Errors: those of :func:`arranged`; ConfigError for a value of a wrong type.
    """
    blocks, parameters = blocks_of(cls), settings_of(cls)
    found = arranged(cls, settings, where, given)
    _check_types(typing.get_type_hints(constructor_of(cls)) if parameters else {}, found, where, skip=blocks)
    for name in blocks.keys() & found.keys():
        _check_types(typing.get_type_hints(blocks[name]), found[name], f"{where}.{name}")
        found[name] = dataclasses.replace(parameters[name].default, **found[name])
    return found


def _names(block: type) -> dict[str, str]:
    """Every name that a field of a block has or had -> its name."""
    today = {field.name: field.name for field in dataclasses.fields(block)}
    return {**_renamed(block), **today}


def _renamed(owner: type) -> Mapping[str, str]:
    return getattr(owner, "renamed", {})  # components of every kind, and blocks, which share no base class


def _check_types(hints: Mapping[str, Any], values: Mapping[str, Any], where: str, skip: Collection[str] = ()) -> None:
    """By pydantic, lax for numbers only."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    for key, value in values.items():
        if key not in hints or key in skip:
            continue
        try:
            TypeAdapter(hints[key], config=ConfigDict(strict=False)).validate_python(value)
        except ValidationError as error:
            first, allowed = error.errors()[0], [str(each) for each in typing.get_args(hints[key])]
            if first["type"] == "literal_error" and typing.get_origin(hints[key]) is typing.Literal:
                raise ConfigError(f"{where}.{key}: got {value!r}; {suggest(value, allowed)}") from error
            raise ConfigError(f"{where}.{key}: got {value!r}; {first['msg']}") from error
        if key in LARGEST and isinstance(value, int | float) and value > LARGEST[key]:
            raise ConfigError(f"{where}.{key}: got {value!r}; at most {LARGEST[key]} is built")
