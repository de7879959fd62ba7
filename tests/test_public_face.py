"""The names that a program imports from ``motion_platform``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import ROOT, run

import motion_platform as mp

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_every_name_is_there_and_documented() -> None:
    for name in mp._PLACES:
        assert getattr(mp, name).__doc__, name
    assert set(mp._PLACES) <= set(dir(mp))
    with pytest.raises(AttributeError, match="no attribute 'lood'"):
        mp.lood  # noqa: B018


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, motion_platform; print([m for m in ('torch', 'numpy', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_clip_shows_and_writes_itself(sample_root: Path, tmp_path: Path) -> None:
    clip = mp.read(sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh")
    assert repr(clip).startswith("Clip('dataset-1_walk_normal_001'")
    assert len(repr(clip)) < 150
    shown = clip._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in shown
    moved = clip.retarget()
    assert moved.joints.shape[1:] == (22, 3)
    (path,) = moved.save(tmp_path / "walk.npz")
    assert mp.read(path).joints.shape == moved.joints.shape
    assert len(mp.read_all(path)) == 1
    with pytest.raises(mp.UsageError):
        mp.write(moved, tmp_path / "walk.xyz")


def test_one_call_from_a_sentence_to_a_page(tmp_path: Path) -> None:
    model = mp.load("text_to_motion", "text_to_motion_small")
    clip = model("a person walks forward", seconds=1, steps=2)[0]
    again = model(["somebody runs", "a person walks forward"], seconds=1, steps=2)[1]
    assert len(clip) == 20
    assert abs(clip.joints - again.joints).max() < 1e-4  # whatever else is made in the same call
    (page,) = clip.save(tmp_path / "walk.html")
    assert "a person walks forward" in page.read_text(encoding="utf-8")
    assert 1 < model.seconds("a person bows")[0] < 9.9
    kept = model.edit(clip, keep="prefix", keep_seconds=0.5, seconds=1.5, steps=2)[0]
    assert len(kept) == 30
    with pytest.raises(mp.UsageError, match="makes no words of motion"):
        model.caption(clip)
    with pytest.raises(mp.UsageError, match="completes no motion"):
        model(motion=clip)
    with pytest.raises(mp.UsageError, match="--device: 'abacus' is not on this machine"):
        mp.load("text_to_motion", device="abacus")


def test_completing_a_motion_takes_how_it_is_sampled(sample_root: Path) -> None:
    model = mp.load("motion_in_between", "text_to_motion_small")
    walk = mp.read(sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh")
    one, other = (model(motion=walk, steps=steps)[0] for steps in (1, 3))
    assert abs(one.joints - other.joints).max() > 1e-3
    with pytest.raises(mp.UsageError, match="--seconds: a completed motion is as long as the one given"):
        model(motion=walk, seconds=2)
    with pytest.raises(mp.UsageError, match="--motion: a completed motion takes texts"):
        model(motion=walk, style="sad")


def test_a_tokenizer_writes_and_reads_codes(sample_root: Path) -> None:
    tokenizer = mp.load("rvq_open")
    codes = tokenizer.tokens(sample_root / "bandai-namco" / "dataset-1_walk_normal_001.bvh")
    assert {len(step) for step in codes} == {4}
    assert tokenizer.from_tokens(codes[:5]).joints.shape == (20, 22, 3)
    with pytest.raises(mp.UsageError, match="no motion tokenizer"):
        mp.load("text_to_motion_small").tokens(codes)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    out = [str(tmp_path / "bvh"), str(tmp_path / "out")] if "fine_tune" in path.name else [str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MOTION_CACHE": str(tmp_path / "cache")}
    done = run([str(path), *out], environment)
    assert done.returncode == 0, json.dumps(done.stderr[-2000:])
    assert any((tmp_path / "out").rglob("*"))
