"""Find the 22 joints of HumanML3D in any skeleton, by the conventions of ``joint_names.yaml``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.opening import read_yaml
from motion_platform.core.packaged import packaged_yaml
from motion_platform.motion.skeleton import get_skeleton

TARGET = "humanml3d"
Place = tuple[str, str, float]
"""Two source joints and the share of the way from the first to the second: ("Spine", "Chest", 0.5)."""


def simple(name: str) -> str:
    """A joint name as it is compared: no prefix up to ":", no case, blanks, "_", "-" or "."."""
    return re.sub(r"[\s_.\-]", "", name.rpartition(":")[2]).lower()


@lru_cache(maxsize=1)
def conventions() -> dict[str, dict[str, Any]]:
    """The conventions that ship: name -> target joint -> where it is."""
    return packaged_yaml("motion_platform.motion", "joint_names.yaml")


def locate(
    sources: list[str], names: str | Path | Mapping[str, Any] | None, where: str
) -> tuple[str, dict[str, Place]]:
    """(convention, target joint -> place) for a skeleton whose joints (and End Sites, "X_end") are ``sources``.

    ``names`` adds to the shipped table: a mapping or a YAML file, either of whole conventions or of single target
    joints, which then overrule every convention. Errors: ConfigError for a table that is not of that form; DataError
    with the missing joint, what was looked for and the nearest name that is there.
    """
    available = {simple(s): s for s in reversed(sources)}  # the first of two equal names wins
    own = _read(names) if names is not None else {}
    whole = {name: table for name, table in own.items() if name not in get_skeleton(TARGET).joints}
    single = {name: rule for name, rule in own.items() if name in get_skeleton(TARGET).joints}
    best: tuple[int, str, dict[str, Place], list[tuple[str, Any]]] | None = None
    for convention, table in {**whole, **conventions()}.items():
        places, missing = {}, []
        for target in get_skeleton(TARGET).joints:
            rule = single.get(target, table.get(target))
            place = _place(rule, available)
            if place is None:
                missing.append((target, rule))
            else:
                places[target] = place
        if not missing:
            return convention, places
        if best is None or len(missing) < best[0]:
            best = (len(missing), convention, places, missing)
    assert best is not None
    count, convention, _, missing = best
    target, rule = missing[0]
    wanted = _wanted(rule)
    near = difflib.get_close_matches(simple(wanted[0]), available, n=1, cutoff=0.0) if wanted else []
    raise DataError(
        f"{where}: {count} of the 22 joints not found, first {target!r}: the nearest naming convention, {convention}, "
        f"calls it {' or '.join(map(repr, wanted)) or 'nothing'}"
        + (f"; nearest joint here: {available[near[0]]!r}" if near else "")
        + "; name it in a YAML file: --names FILE, or names=FILE for motion data prepare"
    )


def own_places(sources: list[str], names: str | Path | Mapping[str, Any] | None, where: str) -> dict[str, Place]:
    """Target joint -> place, of the single target joints that a person's table names. Errors: as :func:`locate`; a
    joint that is not there is named with the nearest one."""
    available = {simple(s): s for s in reversed(sources)}
    places = {}
    for target, rule in (_read(names) if names is not None else {}).items():
        if target not in get_skeleton(TARGET).joints:
            continue
        place = _place(rule, available)
        if place is None:
            near = difflib.get_close_matches(simple(_wanted(rule)[0]), available, n=1, cutoff=0.0)
            raise DataError(
                f"{where}: {target!r} is named {' or '.join(map(repr, _wanted(rule)))}, which is no joint here"
                + (f"; nearest: {available[near[0]]!r}" if near else "")
            )
        places[target] = place
    return places


def _read(names: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """A person's own table."""
    where = "names" if isinstance(names, Mapping) else str(names)
    if not isinstance(names, Mapping):
        names = read_yaml(Path(names), ConfigError)
    if not isinstance(names, Mapping) or not all(isinstance(k, str) for k in names):
        raise ConfigError(f"{where}: a table of joint names maps target joints to source joints, got {names!r:.80}")
    targets = get_skeleton(TARGET).joints
    for key, value in names.items():
        if key in targets:
            _check(value, f"{where}: {key}")
        elif isinstance(value, Mapping) and not {"between", "at"} & set(value):
            for target, rule in value.items():
                if target not in targets:
                    raise ConfigError(_unknown(f"{where}: {key}", target, targets))
                _check(rule, f"{where}: {key}: {target}")
        else:
            raise ConfigError(_unknown(where, key, targets))
    return dict(names)


def _unknown(where: str, target: object, targets: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(target), targets, n=1, cutoff=0.0)[0]
    return f"{where}: unknown target joint {target!r}; did you mean {near!r}? allowed: {', '.join(targets)}"


def _check(rule: Any, where: str) -> None:
    """A name, a list of names, or {between: [a, b], at: share}."""
    good = isinstance(rule, str) or (isinstance(rule, list) and rule and all(isinstance(r, str) for r in rule))
    if isinstance(rule, Mapping) and set(rule) == {"between", "at"}:
        between, at = rule["between"], rule["at"]
        good = (
            isinstance(between, list) and len(between) == 2 and all(isinstance(b, str) for b in between)
            and isinstance(at, (int, float)) and -5 <= at <= 5
        )  # fmt: skip
    if not good:
        raise ConfigError(
            f"{where}: give a joint name, a list of names, or {{between: [a, b], at: 0.5}}, got {rule!r:.80}"
        )


def _wanted(rule: Any) -> list[str]:
    if rule is None:
        return []
    return list(rule["between"]) if isinstance(rule, Mapping) else [rule] if isinstance(rule, str) else list(rule)


def _place(rule: Any, available: Mapping[str, str]) -> Place | None:
    """Resolve one rule against the joints that are there."""
    if rule is None:
        return None
    if isinstance(rule, Mapping):
        first, second = (available.get(simple(name)) for name in rule["between"])
        return (first, second, float(rule["at"])) if first and second else None
    for name in [rule] if isinstance(rule, str) else rule:
        if simple(name) in available:
            return (available[simple(name)],) * 2 + (0.0,)
    return None
