"""The rulers of plain sentences: a statue does not swing, a cut shows as a seam."""

from __future__ import annotations

import numpy as np
import pytest

import motion_platform as mp


def test_a_seam_is_seen_where_it_is_and_not_elsewhere(benchmark) -> None:
    steady = np.zeros((60, 22, 3)) + np.linspace(0, 1, 60)[:, None, None]
    assert benchmark.seam(steady, [30]) == pytest.approx(0, abs=1e-9)
    cut = steady.copy()
    cut[30:] += 0.1
    assert benchmark.seam(cut, [30]) == pytest.approx(100 * 0.1 * np.sqrt(3))
    assert benchmark.seam(cut, [10]) == pytest.approx(0, abs=1e-9)


def test_a_statue_neither_swings_nor_travels(benchmark, sample_root) -> None:
    walk = mp.read(sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh").retarget()
    statue = walk.with_(joints=np.repeat(walk.joints[:1], len(walk), 0), rotations=None)
    found = benchmark.seen([statue], ("swing", "travel", "joint_speed"))
    assert found == pytest.approx({"swing": 0, "travel": 0, "joint_speed": 0, "seconds": walk.seconds}, abs=1e-6)
    assert benchmark.seen([walk], ("travel",))["travel"] > 0.5
