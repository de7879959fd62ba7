"""Messages: short enough to be read, with the nearest name, and the exit code of a command."""

from __future__ import annotations

import pytest

from motion_platform.core.errors import (
    LONGEST,
    ConfigError,
    DataError,
    MotionPlatformError,
    OutputError,
    UnknownName,
    UsageError,
    WeightsError,
    suggest,
)


def test_a_message_of_2000_characters_stays_and_of_a_longer_one_its_ends() -> None:
    assert LONGEST == 2000
    assert str(DataError("x" * 2000)) == "x" * 2000
    assert str(DataError("a" * 1500 + "b" * 101 + "c" * 400)) == "a" * 1500 + " ... " + "c" * 400
    assert str(MotionPlatformError()) == ""


def test_a_wrong_request_exits_with_2_and_everything_else_with_1() -> None:
    assert {cls.exit_code for cls in (UsageError, ConfigError, UnknownName)} == {2}
    assert {cls.exit_code for cls in (MotionPlatformError, DataError, WeightsError, OutputError)} == {1}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wlak", "did you mean 'walk'? allowed: run, walk"),
        ("wa", "did you mean 'walk'? allowed: run, walk"),
        ("w", "allowed: run, walk"),  # less than half alike
        (3, "allowed: run, walk"),
    ],
)
def test_the_nearest_name_is_said_where_it_is_at_least_half_alike(name: object, said: str) -> None:
    assert suggest(name, ["walk", "run"]) == said


def test_an_unknown_name_says_where() -> None:
    error = UnknownName("metric", "jrk", {"jerk"}, "a.yaml: metrics")
    assert str(error) == "a.yaml: metrics: unknown metric 'jrk'; did you mean 'jerk'? allowed: jerk"
    assert str(UnknownName("metric", "x", ())) == "unknown metric 'x'; allowed: (none)"
