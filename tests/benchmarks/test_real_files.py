"""The other reader reads as ours does, and every verdict can fail."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from motion_platform.motion import io

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases"


def test_the_other_reader_and_ours_say_the_same(benchmark, sample_root: Path) -> None:
    for path in (sample_root / "cmu" / "02_03.bvh", CASES / "names_unity.bvh"):
        clip = io.load(path)
        theirs = benchmark.read_frame(path, 3)
        for name, place in theirs.items():
            apart = place - theirs[clip.skeleton.joints[0]]
            ours = clip.joints[3, clip.skeleton.index(name)] - clip.joints[3, 0]
            scale = np.linalg.norm(ours) / max(np.linalg.norm(apart), 1e-9)
            np.testing.assert_allclose(ours, apart * scale, atol=1e-4)


@pytest.mark.parametrize(("axis", "degrees"), [([1.0, 0, 0], 0), ([0, 1.0, 0], 90), ([-1.0, 0, 0], 180)])
def test_a_bend_is_the_angle_between_two_bones(benchmark, axis: list[float], degrees: float) -> None:
    middle = np.array([1.0, 0, 0])
    assert benchmark.bend(np.zeros(3), middle, middle + axis) == pytest.approx(degrees)


def test_a_folder_is_judged(benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for name in ("names_unity.bvh", "names_bip001.bvh"):
        (tmp_path / name).write_bytes((CASES / name).read_bytes())
    monkeypatch.setattr("sys.argv", ["real_files", str(tmp_path), "--out", str(tmp_path / "out.json")])
    assert benchmark.main() == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["retargeted"] == 100
    assert found["worst degrees"] < 0.01
    (tmp_path / "broken.bvh").write_text("HIERARCHY")
    assert benchmark.main() == 1
    said = capsys.readouterr().out
    assert "refused: broken.bvh" in said
    assert re.search(r"retargeted, % +66.67 +>= 95 +MISS", said)


def test_limbs_that_are_bent_otherwise_are_seen(benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    path = CASES / "names_unity.bvh"
    right = benchmark.look(path)
    assert right["degrees"] < 0.01
    assert right["upright"] == 1
    read = benchmark.to_humanml3d

    def raised(clip):
        made = read(clip)
        made.joints[:, benchmark.AT("left_wrist")] += [0, 0.01, 0]
        return made

    def lying(clip):
        made = read(clip)
        return made.with_(joints=made.joints[..., [1, 2, 0]])

    monkeypatch.setattr(benchmark, "to_humanml3d", raised)
    assert benchmark.look(path)["degrees"] > 0.7
    monkeypatch.setattr(benchmark, "to_humanml3d", lying)
    assert benchmark.look(path)["upright"] < 0.5
