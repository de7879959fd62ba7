"""Motion representations by name: what the numbers of a frame mean."""

from __future__ import annotations

from functools import cache

from motion_platform.core import registry
from motion_platform.motion.representations.base import Representation


@cache
def get_representation(name: str) -> Representation:
    """A registered representation, humanml3d, conductor, ..., or a plug-in's. UnknownName otherwise."""
    return registry.get("representations", name)()


__all__ = ["Representation", "get_representation"]
