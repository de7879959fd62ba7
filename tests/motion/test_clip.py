"""One motion in memory: what it refuses, each limit from both sides, and what it can be asked to become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.rigs import finish
from motion_platform.motion.skeleton import Skeleton, get_skeleton

BODY = Skeleton("one", ("a",), (-1,))
CMU = Path(__file__).parents[2] / "motion_platform" / "sample" / "cmu"


def clip(frames: int = 3, fps: float = 20.0, **given: object) -> Clip:
    return Clip(np.zeros((frames, 1, 3), np.float32), fps, BODY, **given)  # type: ignore[arg-type]


def test_a_million_frames_are_the_most() -> None:
    big = np.broadcast_to(np.zeros((1, 1, 3), np.float32), (1_000_000, 1, 3))
    assert len(Clip(big, 20.0, BODY)) == 1_000_000
    with pytest.raises(DataError, match="has 1000001 frames; at most 1000000 are allowed"):
        Clip(np.broadcast_to(big[:1], (1_000_001, 1, 3)), 20.0, BODY)
    with pytest.raises(DataError, match="has zero frames"):
        clip(0)


@pytest.mark.parametrize("fps", [1e-3, 1000.0])
def test_a_rate_may_be_anything_above_nothing_up_to_a_thousand(fps: float) -> None:
    assert clip(fps=fps).seconds == pytest.approx(3 / fps)


@pytest.mark.parametrize("fps", [0.0, -1.0, 1000.1, float("nan"), float("inf")])
def test_any_other_rate_is_refused(fps: float) -> None:
    with pytest.raises(DataError, match="it must be above 0 and at most 1000"):
        clip(fps=fps)


def test_places_rotations_events_and_words_must_be_whole() -> None:
    with pytest.raises(DataError, match=r"needs \(T, 1, 3\)"):
        Clip(np.zeros((3, 2, 3), np.float32), 20.0, BODY)
    with pytest.raises(DataError, match=r"needs \(T, 1, 3\)"):
        Clip(np.zeros((3, 3), np.float32), 20.0, BODY)
    broken = np.zeros((3, 1, 3), np.float32)
    broken[2, 0, 1] = np.inf
    with pytest.raises(DataError, match="frame 2 has a NaN or infinite position"):
        Clip(broken, 20.0, BODY)
    with pytest.raises(DataError, match=r"not \(T, J, 4\)"):
        clip(rotations=np.zeros((2, 1, 4), np.float32))
    for times in ([[0.0]], [0.0, np.nan], [1.0, 0.5]):
        with pytest.raises(DataError, match="times of beats must be finite"):
            clip(events={"beats": np.array(times)})
    clip(events={"beats": np.array([1.0, 1.0])}, words=(("a", 1.0, 1.0),))  # two at once are allowed
    for start, end in ((1.0, 0.5), (np.nan, 1.0), (0.0, np.inf)):
        with pytest.raises(DataError, match="which is no time"):
            clip(words=(("a", start, end),))


def test_it_says_what_it_is() -> None:
    assert repr(clip(30, name="x")) == "Clip('x', 1.50 s at 20 fps, one)"
    assert repr(clip(30, name="x", captions=("a walk", "more"))) == "Clip('x', 1.50 s at 20 fps, one, 'a walk')"


@pytest.fixture(scope="module")
def walking() -> Clip:
    return io.load(CMU / "02_03.bvh")


def test_a_notebook_shows_the_player_in_a_frame_of_its_own(walking: Clip) -> None:
    import html
    import re

    shown = walking.retarget()._repr_html_()
    page = re.fullmatch(
        r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" style="[^"]*" title="motion"></iframe>', shown
    )
    assert page is not None
    assert 'id="motion-data"' in html.unescape(page[1])


def test_it_saves_itself_with_the_names_of_a_program(walking: Clip, tmp_path: Path) -> None:
    body = walking.retarget()
    body.save(tmp_path / "own.bvh", unit="m")
    body.save(tmp_path / "named.bvh", names="mixamo")
    own, named = io.load(tmp_path / "own.bvh"), io.load(tmp_path / "named.bvh")
    assert own.skeleton.joints[0] == "pelvis"
    assert named.skeleton.joints[0].endswith("Hips")
    assert own.info["unit"] == "m"
    np.testing.assert_allclose(own.joints, named.joints, atol=1e-3)
    body.save(tmp_path / "features.npy", layout="features")
    assert np.load(tmp_path / "features.npy").shape == (len(body) - 1, 263)


def test_it_goes_onto_22_joints_at_20_frames_a_second_or_what_is_asked(walking: Clip) -> None:
    made = walking.retarget()
    assert (made.skeleton.name, made.fps) == ("humanml3d", 20)
    assert made.seconds == pytest.approx(walking.seconds, abs=0.06)
    assert walking.retarget(fps=30.0).fps == 30
    still = walking.retarget(in_place=True)
    assert np.ptp(still.joints[:, 0, [0, 2]], axis=0).max() < 1e-4 < np.ptp(made.joints[:, 0, [0, 2]], axis=0).max()
    assert "loop" in walking.retarget(loop=True).info
    assert "loop" not in made.info


def test_it_goes_onto_the_body_of_a_file_at_its_own_rate(walking: Clip) -> None:
    other = CMU / "06_09.bvh"
    made = walking.retarget(rig=other)
    assert made.skeleton.joints == io.load(other).skeleton.joints
    assert made.fps == walking.fps
    assert walking.retarget(rig=other, fps=15.0).fps == 15
    assert made.info["fit"]
    assert get_skeleton("humanml3d").joints != made.skeleton.joints


def test_nothing_is_done_to_a_retargeted_clip_that_is_not_asked_for(walking: Clip) -> None:
    plain = to_humanml3d(walking, fps=20.0)
    for options, wanted in (
        ({}, plain),
        ({"in_place": True}, finish.in_place(plain)),
        ({"loop": True}, finish.looped(plain)[0]),
        ({"root_bone": True}, finish.with_root_bone(plain)),
    ):
        made = walking.retarget(**options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(made.joints, wanted.joints)
        assert made.skeleton.joints == wanted.skeleton.joints
