"""Names of components, with those that other packages bring."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from motion_platform.core import registry
from motion_platform.core.errors import ConfigError, UnknownName


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


def test_a_plug_in_that_repeats_a_name_stands_under_its_package_and_harms_nobody(monkeypatch) -> None:
    own = registry.table("metrics")["jerk"]
    monkeypatch.setattr(
        registry,
        "plugins",
        lambda kind: (("jerk", "a:Jerk", "pack"), ("jerk", own[0], "same"), ("new", "a:New", "pack")),
    )
    found = registry.table("metrics")
    assert found["jerk@pack"] == ("a:Jerk", "pack")
    assert found["jerk"] == (own[0], "same")  # the same class
    assert found["new"] == ("a:New", "pack")
    assert registry.names("metrics") == sorted(found)


def test_wrong_names_and_classes_say_where_and_what(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="unknown kind 'metric'; did you mean 'metrics'"):
        registry.table("metric")
    with pytest.raises(UnknownName, match=r"^a\.yaml: unknown metric 'jrk'; did you mean 'jerk'"):
        registry.get("metrics", "jrk", where="a.yaml")
    with pytest.raises(UnknownName, match=r"^unknown data set 'samples'; did you mean 'sample'"):
        registry.get("data", "samples")
    monkeypatch.setattr(
        registry, "plugins", lambda kind: (("set", "builtins:set", "pack"), ("join", "os.path:join", "pack"))
    )
    for name in ("set", "join"):
        with pytest.raises(ConfigError, match=rf"^{name} \(.*\): is no Metric; what stands under metrics must be one"):
            registry.get("metrics", name)
    with pytest.raises(ConfigError, match=r"^a\.yaml: set \(builtins:set\)"):
        registry.get("metrics", "set", where="a.yaml")


def test_a_component_is_given_what_it_takes_and_must_be_told_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made:
        def __init__(self, spec: str, size: int, share: float = 0.5) -> None:
            if size < 1:
                raise ValueError(f"size {size} must be at least 1")
            self.all = (spec, size, share)

    monkeypatch.setattr(registry, "get", lambda kind, name, where="": Made)
    given = {"spec": "s", "slots": ()}  # it takes no slots
    assert registry.build("metrics", "made", {"size": 2}, given=given).all == ("s", 2, 0.5)
    assert registry.build("metrics", "made", {"size": 2, "share": 1}, given=given).all == ("s", 2, 1)
    with pytest.raises(ConfigError, match=r"^x\.yaml: made needs the setting 'size'"):
        registry.build("metrics", "made", where="x.yaml", given=given)
    with pytest.raises(ConfigError, match=r"^made needs the setting 'spec'"):
        registry.build("metrics", "made", {"size": 2})
    with pytest.raises(ConfigError, match=r"^made: size 0 must be at least 1"):
        registry.build("metrics", "made", {"size": 0}, given=given)
