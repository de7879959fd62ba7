"""How motions are handed over: what is refused before any work, and in which order the rest is done."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from characters import character_glb

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.rigs.deliver import Delivery, check, deliver

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"


@pytest.fixture(scope="module")
def walk() -> Clip:
    clip = to_humanml3d(io.load(SAMPLE / "cmu" / "02_03.bvh"))
    return clip.with_(joints=clip.joints[:60], rotations=None, events={})


@pytest.fixture(scope="module")
def hero(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rig") / "hero.glb"
    path.write_bytes(character_glb())
    return path


def test_nothing_asked_is_nothing_done(walk: Clip) -> None:
    clips, lines = deliver([walk], Delivery())
    assert clips[0] is walk
    assert lines == []


def test_a_rate_is_a_straight_line_between_frames(walk: Clip) -> None:
    (clip,), _ = deliver([walk], Delivery(fps=2 * walk.fps))
    assert (clip.fps, len(clip)) == (40.0, 2 * len(walk) - 1)
    hips = walk.joints[:, 0]
    assert np.allclose(clip.joints[::2, 0], hips, atol=1e-5)
    assert np.allclose(clip.joints[1::2, 0], (hips[1:] + hips[:-1]) / 2, atol=1e-5)


def test_every_wish_is_done_to_every_clip(walk: Clip, hero: Path) -> None:
    wish = Delivery(rig=hero, fps=30.0, in_place=True, root_bone=True)
    clips, lines = deliver([walk.with_(name="a"), walk.with_(name="b")], wish)
    assert [clip.fps for clip in clips] == [30.0, 30.0]
    assert len([line for line in lines if "limbs within" in line]) == 2
    for clip in clips:
        assert clip.rig is not None
        hips = clip.joints[:, clip.skeleton.index("Hips")]
        assert np.ptp(hips[:, [0, 2]], axis=0).max() < 0.05  # in place
        assert np.ptp(walk.joints[:, 0, [0, 2]], axis=0).max() > 0.5  # which it was not
        root = clip.joints[:, 0]
        assert np.abs(root[:, 1] - root[0, 1]).max() < 1e-5  # a bone on the floor


def test_a_loop_is_told_and_ends_as_it_starts(walk: Clip) -> None:
    (clip,), lines = deliver([walk], Delivery(loop=True))
    assert len(lines) == 1
    assert f"{walk.name}: loops over {clip.info['loop']['seconds']:.2f} s" in lines[0]


def test_names_are_written_after_all_that_reads_them(walk: Clip) -> None:
    (clip,), _ = deliver([walk], Delivery(names="mixamo", in_place=True))
    assert clip.skeleton.joints[0].endswith("Hips")
    assert np.ptp(clip.joints[:, 0, [0, 2]], axis=0).max() < 0.05


@pytest.mark.parametrize(
    ("wish", "outputs", "kind", "message"),
    [
        ({"names": "mixmo"}, ["a.glb"], UsageError, "did you mean 'mixamo'"),
        ({"names": "unity", "rig": "HERO"}, ["a.glb"], UsageError, "keep the rig's own names"),
        ({"unit": "mile"}, ["a.bvh"], UnknownName, "'mile'"),
        ({"unit": "cm"}, ["a.glb"], UsageError, "--unit: is for .bvh files"),
        ({"layout": "amass"}, ["a.bvh"], UsageError, "is for .npz and .npy files"),
        ({"layout": "amas"}, ["a.bvh", "a.npz"], UnknownName, "did you mean 'amass'"),
        ({"rig": "gone.glb"}, ["a.glb"], DataError, "no such file"),
        ({}, ["a.vrm"], UsageError, "a .vrm is a character"),
        ({"rig": "HERO"}, ["a.vrm"], UsageError, "a .vrm is a character"),  # a .glb is none of that kind
    ],
)
def test_what_cannot_be_handed_over_is_refused_first(
    wish: dict, outputs: list[str], kind: type, message: str, hero: Path
) -> None:
    if "rig" in wish:
        wish = wish | {"rig": hero if wish["rig"] == "HERO" else Path(wish["rig"])}
    with pytest.raises(kind, match=message):
        check(Delivery(**wish), [Path(output) for output in outputs])


def test_what_can_is_let_through(hero: Path, tmp_path: Path) -> None:
    avatar = tmp_path / "avatar.vrm"
    avatar.write_bytes(character_glb(vrm=True))
    check(Delivery(names="unreal", unit="cm"), [Path("a.bvh"), Path("a.glb")])
    check(Delivery(layout="features"), [Path("a.npz"), Path("a.npy")])
    check(Delivery(rig=hero), [Path("a.glb")])
    check(Delivery(rig=avatar), [Path("a.vrm")])
