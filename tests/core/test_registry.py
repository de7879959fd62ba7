"""Names of components, with those that other packages bring."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from motion_platform.core import registry


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
