"""Options of the command line that put a motion onto a character."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "motion" / "rigs"))
from characters import Seen, character_glb

import motion_platform as mp

WALK = str(Path(__file__).parents[2] / "motion_platform/sample/cmu/02_03.bvh")


@pytest.fixture
def hero(tmp_path: Path) -> Path:
    path = tmp_path / "hero.glb"
    path.write_bytes(character_glb())
    return path


def test_convert_onto_a_character(motion, hero: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.glb"
    code, said, error = motion(
        "convert", WALK, str(out), "--rig", str(hero), "--out-fps", "30", "--in-place", "--root-bone"
    )
    assert code == 0, error
    assert "02_03: limbs within" in said
    assert len(Seen(out).json["animations"]) == 1
    clip = mp.read(WALK).retarget(rig=hero, fps=30, in_place=True, root_bone=True)
    assert abs(clip.joints - mp.read(out).joints).max() < 1e-4


def test_names_unit_and_rate(motion, tmp_path: Path) -> None:
    out = tmp_path / "out.bvh"
    code, _, error = motion(
        "convert", WALK, str(out), "--retarget", "--names", "unreal", "--unit", "m", "--out-fps", "60"
    )
    assert code == 0, error
    assert "JOINT calf_l" in out.read_text()
    read = mp.read(out, units="m")
    assert (read.fps, read.info["unit"]) == (60, "m")


@pytest.mark.parametrize(("options", "words"), [
    (("--names", "mixmo"), "did you mean 'mixamo'"),
    (("--unit", "cm"), "--unit: is for .bvh"),
    (("--rig", "x.fbx"), "--rig"),
    (("--rig", "gone.glb"), "no such file"),
])  # fmt: skip
def test_what_cannot_be_is_one_line_and_nothing_is_written(motion, tmp_path: Path, options, words: str) -> None:
    out = tmp_path / "out.glb"
    code, _, error = motion("convert", WALK, str(out), *options)
    assert code in (1, 2)
    assert words in error
    assert error.count("\n") == 1
    assert not out.exists()
