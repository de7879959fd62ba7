"""FBX and USD through Blender: what is called and with what, and what is said where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from motion_platform.core.errors import OutputError, UsageError
from motion_platform.motion import io
from motion_platform.motion.io import write_blender

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"


def stand_in(folder: Path, name: str, lines: str) -> str:
    """A program that stands in for Blender."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport pathlib, sys\n{lines}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["blender", "python-with-bpy"])
@pytest.mark.skipif(os.name == "nt", reason="starts a script by its first line")
def test_the_glb_goes_through_blender(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = "source, target = map(pathlib.Path, sys.argv[-2:]); target.write_bytes(b'FBX' + source.read_bytes()[:4])"
    monkeypatch.setenv("MOTION_BLENDER", stand_in(tmp_path, name, copy))
    clip = io.load(SAMPLE / "cmu" / "06_09.bvh")
    assert io.save(clip, tmp_path / "a.fbx") == [tmp_path / "a.fbx"]
    assert (tmp_path / "a.fbx").read_bytes() == b"FBXglTF"
    command = write_blender.find_blender("a.fbx")
    assert ("--background" in command) == (name == "blender")


@pytest.mark.skipif(os.name == "nt", reason="starts a script by its first line")
def test_what_blender_says_is_passed_on_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTION_BLENDER", stand_in(tmp_path, "blender", "sys.exit('Error: no exporter')"))
    with pytest.raises(OutputError, match="no exporter"):
        io.save(io.load(SAMPLE / "cmu" / "06_09.bvh"), tmp_path / "a.usdc")
    assert not list(tmp_path.glob("*.usdc"))


def test_without_blender_the_ways_out_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOTION_BLENDER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(write_blender.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"written through Blender.*or write \.glb"):
        write_blender.find_blender("a.fbx")
    monkeypatch.setenv("MOTION_BLENDER", "/nowhere/blender")
    with pytest.raises(UsageError, match="is no program"):
        write_blender.find_blender("a.fbx")


@pytest.mark.skipif(os.name == "nt", reason="starts a script by its first line")
def test_a_blender_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTION_BLENDER", stand_in(tmp_path, "blender", "import time; time.sleep(60)"))
    monkeypatch.setattr(write_blender, "SECONDS", 0.2)
    with pytest.raises(OutputError, match=r"a\.fbx: Blender did not end within 0\.2 seconds"):
        io.save(io.load(SAMPLE / "cmu" / "06_09.bvh"), tmp_path / "a.fbx")
    assert not list(tmp_path.glob("*.fbx"))


@pytest.mark.skipif(os.name == "nt", reason="starts a script by its first line")
def test_a_blender_that_writes_nothing_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for lines, said in (("print('first'); print('last')", "it says: last"), ("pass", "it says: nothing")):
        monkeypatch.setenv("MOTION_BLENDER", stand_in(tmp_path, "blender", lines))
        with pytest.raises(OutputError, match=said):
            io.save(io.load(SAMPLE / "cmu" / "06_09.bvh"), tmp_path / "a.fbx")


def test_the_package_of_blender_is_taken_where_no_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOTION_BLENDER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(write_blender.importlib.util, "find_spec", lambda name: object() if name == "bpy" else None)
    assert write_blender.find_blender("a.fbx") == [sys.executable]
