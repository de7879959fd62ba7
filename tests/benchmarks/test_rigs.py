"""The benchmark of characters, on one of them."""

from __future__ import annotations

from pathlib import Path

from benchmarks import rigs

SAMPLE = Path(__file__).parents[2] / "motion_platform" / "sample"


def test_a_rig_that_is_the_motion_s_own_body_is_met_closely() -> None:
    found = rigs.measure(SAMPLE / "cmu" / "06_09.bvh", [SAMPLE / "cmu" / "06_09.bvh"])
    assert found["joints"] == 31
    assert found["shoulder_p95"] < 0.01  # arms are never bent for the feet
    assert found["p95"] < 2.0
    assert found["floor_mm"] < 5.1
    assert found["slide_mm"] < 1.0
