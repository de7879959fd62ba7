"""Tables that come with the package, as YAML beside the code that reads them."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml


def packaged_yaml(package: str, name: str) -> Any:
    """What a YAML file of a package says; callers keep it (``lru_cache``)."""
    return yaml.safe_load((resources.files(package) / name).read_text(encoding="utf-8"))
