"""The two functions of the Python face: what is written flat, in space, or as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import UsageError
from motion_platform.motion import files, io
from motion_platform.motion.clip import Clip
from motion_platform.motion.conducting import lift
from motion_platform.motion.skeleton import get_skeleton


def clip(skeleton: str = "humanml3d", name: str = "a") -> Clip:
    base = get_skeleton(skeleton)
    joints = np.random.default_rng(0).normal(size=(6, len(base), 3)).cumsum(0) * 0.01
    joints[..., 1] += 1.0
    return Clip(joints.astype(np.float32), 20.0, base, None, name)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert files.write(clip(), tmp_path / "a.npz") == [tmp_path / "a.npz"]
    assert np.allclose(files.read(tmp_path / "a.npz").joints, clip().joints)
    files.write([clip(name="a"), clip(name="b")], tmp_path / "two.glb")
    assert [each.name for each in files.read_all(tmp_path / "two.glb")] == ["a", "b"]


def test_options_reach_the_reader(tmp_path: Path) -> None:
    joints = clip().joints
    np.save(tmp_path / "a.npy", joints)
    read = files.read(tmp_path / "a.npy", fps=30.0, skeleton="humanml3d", units="m")
    assert read.fps == 30.0
    assert np.allclose(read.joints, joints, atol=1e-6)
    halved = files.read(tmp_path / "a.npy", fps=30.0, skeleton="humanml3d", units="cm")
    assert np.allclose(halved.joints * 100, joints, atol=1e-4)


@pytest.mark.parametrize(("name", "lifted"), [("a.html", True), ("a.PNG", True), ("a.mp4", True), ("a.npz", False)])
def test_pictures_alone_are_of_a_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lifted: bool) -> None:
    asked, written = [], []
    monkeypatch.setattr(lift, "views", lambda clips, view: asked.append(view) or ["shown"])
    monkeypatch.setattr(io, "save", lambda clips, path, **options: written.append((clips, options)) or [path])
    one = clip()
    files.write(one, tmp_path / name, view="2d", one_body=True, unit="m")
    assert asked == (["2d"] if lifted else [])
    options = {"one_body": True, "unit": "m", "layout": None, "progress": None}
    assert written == [(["shown"] if lifted else [one], options)]


def test_an_ending_that_nothing_writes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.xyz"):
        files.write(clip(), tmp_path / "a.xyz")
