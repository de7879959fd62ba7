from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import motion_platform
from motion_platform.core.packaged import packaged_yaml


def test_a_table_of_the_package_is_read_whatever_the_system_writes_in() -> None:
    file = Path(motion_platform.__file__).parent / "texts" / "wordings.yaml"
    assert packaged_yaml("motion_platform.texts", "wordings.yaml") == yaml.safe_load(file.read_bytes())
    with pytest.raises(FileNotFoundError):
        packaged_yaml("motion_platform.texts", "nothing.yaml")
