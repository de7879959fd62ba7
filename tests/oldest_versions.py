"""The oldest versions that pyproject.toml allows, as constraints for pip: ``python tests/oldest_versions.py > FILE``.

A promise that only the newest version of a library keeps is found by running the tests with these (``make oldest``).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
TOOLS = {"ruff", "mypy", "types-PyYAML", "build", "setuptools", "selenium"}
"""What works on the code and is no part of it: the newest will do."""


def bounds(text: str) -> dict[str, str]:
    """Package -> its lower bound, over all dependencies and extras."""
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    found: dict[str, str] = {}
    for requirement in wanted:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?>=([0-9.]+)(?:,.*)?", requirement.replace(" ", ""))
        if match and match[1] not in TOOLS:
            found[match[1]] = match[2]
    return found


if __name__ == "__main__":
    for name, version in sorted(bounds((ROOT / "pyproject.toml").read_text(encoding="utf-8")).items()):
        print(f"{name}=={version}")
