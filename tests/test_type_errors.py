from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from type_errors import BOUNDS, CLEAN, ROOT, counts, too_many


def test_errors_are_counted_by_room_and_may_only_fall() -> None:
    found = counts(
        [
            "motion_platform/nn/tcn.py:12: error: Incompatible types  [assignment]",
            "motion_platform/nn/tcn.py:12: note: See the documentation",
            "motion_platform/core/config.py:3: error: Name is not defined  [name-defined]",
            "motion_platform/data/sources/x.py:9: error: No  [misc]",
            "motion_platform/__init__.py:1: error: No  [misc]",
            "Found 4 errors in 4 files (checked 300 source files)",
        ]
    )
    assert found == {"nn": 1, "core": 1, "data": 1, "root": 1}
    assert too_many(found, {"nn": 1, "core": 5}) == {"core": (1, 0), "data": (1, 0), "root": (1, 0)}
    assert too_many(found, {"nn": 0, "root": 2})["nn"] == (1, 0)


def test_the_bounds_are_of_rooms_that_are_there_and_the_clean_ones_have_none() -> None:
    bounds = json.loads(BOUNDS.read_text())
    assert not set(bounds) & set(CLEAN)
    for room, bound in bounds.items():
        assert bound > 0
        assert (ROOT / "motion_platform" / room).is_dir(), f"{room}: there is no such room"
