"""Names of components, with those that other packages bring."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from motion_platform.core import registry
from motion_platform.core.errors import ConfigError


def test_a_plug_in_is_listed_with_its_class_and_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "my_package:Mine", "motion_platform.metrics")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    registry._plugins.cache_clear()
    try:
        assert registry.plugins("metrics") == (("mine", "my_package:Mine", "an unnamed package"),)
        assert registry.table("metrics")["mine"] == ("my_package:Mine", "an unnamed package")
        assert registry.plugins("encoders") == ()
    finally:
        registry._plugins.cache_clear()


def test_what_a_library_says_to_settings_is_one_line_with_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bad:
        def __init__(self, share: float = 1.0) -> None:
            self.share = 1 / share

    monkeypatch.setattr(registry, "get", lambda kind, name, where="": Bad)
    with pytest.raises(ConfigError, match=r"x\.yaml: bad: cannot be made with these settings: float division by zero"):
        registry.build("metrics", "bad", {"share": 0.0}, where="x.yaml")
