"""``motion tokenize``, ``detokenize``: from motion to tokens and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import motion_platform as mp

WALK = str(Path(__file__).parents[2] / "motion_platform/sample/cmu/02_03.bvh")


def test_a_walk_is_a_walk_again(motion, tmp_path: Path) -> None:
    written, out = tmp_path / "walk.json", tmp_path / "walk.npz"
    code, said, error = motion("tokenize", WALK, "-o", str(written))
    assert code == 0, error
    assert "1 motion," in said
    assert json.loads(written.read_text())
    code, _, error = motion("detokenize", str(written), "-o", str(out))
    assert code == 0, error
    given, again = mp.read(WALK).retarget(), mp.read(out)
    assert abs(len(again) - len(given)) <= 4  # whole steps of four frames
    frames = min(len(again), len(given))
    way = [np.ptp(clip.joints[:frames, 0, [0, 2]], axis=0).max() for clip in (given, again)]
    assert abs(way[1] - way[0]) < 0.3 * way[0]


def test_what_cannot_be_is_refused_before_any_work(motion, tmp_path: Path) -> None:
    for command, words in (
        (["tokenize", "gone.bvh", "-o", str(tmp_path / "a.txt")], ".json"),
        (["tokenize", "gone.bvh", "-o", str(tmp_path / "a.json")], "gone.bvh"),
        (["detokenize", str(tmp_path / "gone.json"), "-o", str(tmp_path / "a.npz")], "gone.json"),
        (["detokenize", str(tmp_path / "gone.json"), "-o", str(tmp_path / "a.xyz")], ".xyz"),
    ):
        code, _, error = motion(*command)
        assert code in (1, 2)
        assert words in error
        assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
