"""A planner as a person writes it: its name, and settings behind a colon (``llm:model=qwen.gguf,k=5``)."""

from __future__ import annotations

from motion_platform.core import config, registry
from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.plan import Planner

NONE = "none"


def check_planner(said: str, option: str, *, also: tuple[str, ...] = ()) -> None:
    """UnknownName for a planner that is none, without building it. also: what else may stand there ("none")."""
    name, _, settings = said.partition(":")
    known = registry.names("planners")
    if name not in (*known, *also):
        raise UnknownName("planner", name, [*also, *known], option)
    if settings and name in also:
        raise UsageError(f"{option}: {name!r} takes no settings")


def planner_of(said: str, option: str) -> Planner:
    """The planner, built. Errors: UnknownName, ConfigError for a setting, those of building it."""
    check_planner(said, option)
    name, _, settings = said.partition(":")
    values = config.settings_from(settings.split(",")) if settings else {}
    return registry.build("planners", name, values, where=option)
