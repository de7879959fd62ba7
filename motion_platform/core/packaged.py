"""Tables that come with the package, as YAML beside the code that reads them."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Eight times as fast where PyYAML was built with libyaml. For our own files alone: what is nested without end, which
only a stranger's file is, ends the process in C and not in Python."""


def packaged_yaml(package: str, name: str) -> Any:
    """What a YAML file of a package says; callers keep it (``lru_cache``)."""
    loader = LOADER((resources.files(package) / name).read_text(encoding="utf-8"))
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
