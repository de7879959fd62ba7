import numpy as np
import pytest

from motion_platform.motion.intervals import runs


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("", []), ("...", []), ("###", [(0, 3)]), ("#.##.", [(0, 1), (2, 4)]), (".#..#", [(1, 2), (4, 5)])],
)
def test_runs(flags: str, expected: list[tuple[int, int]]) -> None:
    assert runs(np.array([mark == "#" for mark in flags], bool)) == expected
