"""Frame rates, loops, bodies in place, root bones, names: what engines ask for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp
from stored_arrays import check_stored

sys.path.insert(0, str(Path(__file__).parent))
from characters import character_glb

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.intervals import runs
from motion_platform.motion.inverse_kinematics import posed
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.rigs import finish, naming
from motion_platform.motion.rigs.contacts import bent, faded, held, stands
from motion_platform.motion.rigs.finish import at_rate
from motion_platform.motion.rigs.fit import onto
from motion_platform.motion.rigs.rig import load_rig

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"


@pytest.fixture(scope="module")
def walk() -> Clip:
    return to_humanml3d(io.load(SAMPLE / "bandai-namco" / "dataset-1_walk_normal_001.bvh"))


@pytest.fixture(scope="module")
def hero(tmp_path_factory: pytest.TempPathFactory, walk: Clip) -> Clip:
    path = tmp_path_factory.mktemp("hero") / "hero.glb"
    path.write_bytes(character_glb())
    return onto(walk, load_rig(path))


def test_another_frame_rate_turns_along_the_shortest_arc(walk: Clip) -> None:
    clip = finish.at_rate(walk, 30)
    assert (clip.fps, len(clip)) == (30, int((len(walk) - 1) * 1.5) + 1)
    local, offsets, _ = posed(walk)
    knee = walk.skeleton.index("left_knee")
    clock = np.minimum(np.arange(len(clip)) / 30, (len(walk) - 1) / 20)
    wanted = Slerp(np.arange(len(walk)) / 20, Rotation.from_quat(local[:, knee]))(clock)
    assert clip.rotations is not None
    assert (wanted.inv() * Rotation.from_quat(clip.rotations[:, knee])).magnitude().max() < 1e-3
    for parent, child in clip.skeleton.bones:  # bones keep their lengths, which positions alone would not
        length = np.linalg.norm(clip.joints[:, child] - clip.joints[:, parent], axis=-1)
        assert np.ptp(length) < 1e-4
        assert np.isclose(length.mean(), np.linalg.norm(offsets[child]), atol=1e-4)
    with pytest.raises(UsageError, match="--out-fps"):
        finish.at_rate(walk, 0)


@pytest.mark.parametrize("kind", ["walk", "hero"])
def test_in_place_only_the_path_is_gone(kind: str, request: pytest.FixtureRequest) -> None:
    clip: Clip = request.getfixturevalue(kind)
    still = finish.in_place(clip)
    hips = clip.skeleton.index("pelvis" if kind == "walk" else "Hips")
    assert np.ptp(still.joints[:, hips, [0, 2]], axis=0).max() < 1e-6
    assert np.array_equal(still.joints[:, hips, 1], clip.joints[:, hips, 1])
    below = clip.skeleton.index("left_knee" if kind == "walk" else "LeftLowerLeg")
    steps = clip.joints[:, below] - clip.joints[:, hips]
    assert np.allclose(still.joints[:, below] - still.joints[:, hips], steps, atol=1e-5)


@pytest.mark.parametrize("kind", ["walk", "hero"])
def test_a_loop_ends_as_it_starts(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    clip: Clip = request.getfixturevalue(kind)
    loop, seam = finish.looped(finish.in_place(clip))
    assert np.abs(loop.joints[0] - loop.joints[-1]).max() < 1e-4
    assert len(loop) >= len(clip) // 2
    assert seam["gap_metres"] < 0.05  # a walk meets itself after some steps
    assert seam["speed_ratio"] < 1.5
    line = finish.describe_loop("walk", seam)
    assert f"{seam['seconds']:.2f} s" in line
    times = np.arange(0, clip.seconds, 0.1)
    words = tuple((f"{t:.1f}", float(t), float(t) + 9) for t in times)
    moving, seam = finish.looped(clip.with_(events={"beats": times}, words=words))
    assert [start for _, start, _ in moving.words] == pytest.approx(list(moving.events["beats"]))
    assert moving.words[0][1] == pytest.approx(float(moving.words[0][0]) - seam["start"] / clip.fps)
    assert moving.words[0][2] <= seam["seconds"] + 1e-9, "the loop's own times"
    assert np.linalg.norm((moving.joints[0] - moving.joints[-1])[1:, [0, 2]], axis=-1).min() > 1  # the path goes on
    assert np.abs((moving.joints[0] - moving.joints[-1])[:, 1]).max() < 1e-4
    with pytest.raises(UsageError, match="--loop"):
        finish.looped(clip.with_(joints=clip.joints[:8], rotations=None if kind == "walk" else clip.rotations[:8]))


def test_a_root_bone_stands_on_the_floor_and_faces_forward(walk: Clip, hero: Clip, tmp_path: Path) -> None:
    for clip in (walk, hero):
        rooted = finish.with_root_bone(clip)
        root = rooted.joints[:, 0]
        assert np.abs(root[:, 1]).max() < 1e-5
        hips = rooted.skeleton.index("pelvis" if clip is walk else "Hips")
        assert np.abs((rooted.joints[:, hips] - root)[:, [0, 2]]).max() < 1e-4
        assert rooted.rotations is not None
        faced = Rotation.from_quat(rooted.rotations[:, 0]).apply([0, 0, 1])
        assert (faced[:, 2] > 0.9).all()  # he walks along Z+
        io.save(rooted, tmp_path / "a.glb")
        back = io.load_all(tmp_path / "a.glb")[0]
        moved = clip if clip is hero else finish.with_rotations(clip)
        for joint in clip.skeleton.joints[1:]:
            wanted = moved.joints[:, moved.skeleton.index(joint)]
            assert np.abs(back.joints[:, back.skeleton.index(joint)] - wanted).max() < 1e-3


def test_names_of_programs_are_read_back_as_the_same_body(walk: Clip, tmp_path: Path) -> None:
    for names in naming.WRITTEN:
        clip = naming.renamed(walk, names)
        assert len(set(clip.skeleton.joints)) == 22
        io.save(clip, tmp_path / "a.glb")
        back = to_humanml3d(io.load(tmp_path / "a.glb"), uniform=False)
        assert np.abs(back.joints - to_humanml3d(clip.with_(skeleton=walk.skeleton), uniform=False).joints).max() < 2e-3
    assert naming.written_names("mixamo")["left_knee"] == "mixamorig:LeftLeg"
    assert naming.written_names("unreal")["left_knee"] == "calf_l"
    assert naming.written_names("vrm")["left_knee"] == "leftLowerLeg"
    with pytest.raises(UsageError, match="did you mean 'mixamo'"):
        naming.renamed(walk, "mixmo")
    with pytest.raises(DataError, match="22 joints"):
        naming.renamed(io.load(SAMPLE / "cmu" / "02_03.bvh"), "unity")


def test_a_leg_reaches_its_goal_with_bones_of_their_length() -> None:
    random = np.random.default_rng(0)
    hip, goal = random.normal(0, 0.03, (50, 3)), random.normal((0, -0.7, 0.1), 0.03, (50, 3))
    upper = np.tile([0.0, -0.98, 0.2], (50, 1)) / np.linalg.norm([0.98, 0.2])
    lower = np.tile([0.0, -0.98, -0.2], (50, 1)) / np.linalg.norm([0.98, 0.2])
    first, second, axis = bent(hip, goal, upper, lower, (0.43, 0.42), np.tile([1.0, 0, 0], (50, 1)))
    assert np.abs(hip + 0.43 * first + 0.42 * second - goal).max() < 1e-9
    assert np.allclose(np.linalg.norm(first, axis=-1), 1)
    assert (np.cross(first, second) * axis).sum(-1).min() > 0  # knees bend to the same side as before


def test_stands_are_found_and_held() -> None:
    clock = np.arange(60) / 20
    toe = np.zeros((60, 3))
    toe[20:40, 1] = 0.2 * np.sin(np.linspace(0, np.pi, 20))
    toe[:, 2] = np.clip((clock - 1) * 1.2, 0, 1.2)
    toe[:20, 0] = np.linspace(0, 0.05, 20)  # slides while it stands
    found = stands(toe, 20)
    assert found[:19].all()
    assert found[41:].all()
    assert not found[22:38].any()
    goals = np.array([[*toe[start:end].mean(0)[:1], 0.02, toe[start:end, 2].mean()] for start, end in runs(found)])
    moved = toe + faded(held(toe, found, goals), found, 20)
    for start, end in runs(found):
        assert np.ptp(moved[start:end], axis=0).max() < 1e-9
        assert np.allclose(moved[start:end, 1], 0.02)
    assert np.abs(np.diff(moved - toe, axis=0)).max() < 0.02  # and nothing jumps


def test_what_is_made_of_a_clip_is_what_it_was(walk: Clip, hero: Clip) -> None:
    """How a character stands, walks and closes a loop follows from some dozen borders and times."""
    loop, seam = finish.looped(walk)
    own, _ = finish.looped(hero)
    clips = {
        "character": hero, "loop": loop, "loop of a character": own, "root bone": finish.with_root_bone(walk),
        "root bone of a character": finish.with_root_bone(hero), "in place": finish.in_place(hero),
        "another rate": finish.at_rate(hero, 12.5),
    }  # fmt: skip
    made = {name: clip.joints[::5] for name, clip in clips.items()}
    report = hero.info["fit"]
    numbers = [*(seam[key] for key in sorted(seam)), *(report[key] for key in sorted(report))]
    check_stored("finished_clips", made | {"numbers": np.array(numbers)}, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("frames", "counts"), [(1, False), (2, True)])
def test_a_stand_or_a_step_lasts_a_tenth_of_a_second_at_least(frames: int, counts: bool) -> None:
    up = np.zeros((60, 3))
    up[:, 1], up[::2, 0] = 0.3, 0.5  # in the air, and fast
    up[30 : 30 + frames + 2] = up[30] * [1, 0, 1]  # the speed of a frame is that of its neighbours
    assert stands(up, 20).any() == counts
    down = np.zeros((60, 3))
    down[:, 1] = np.minimum(np.arange(60) * 0.004, 0.045)
    down[30 : 30 + frames, 1] = 0.055  # above where a foot stands, and slow
    assert (not stands(down, 20).all()) == counts


def test_a_foot_stands_below_five_centimetres_and_35_a_second_of_an_adults_leg() -> None:
    for leg, size in ((0.83, 1.0), (0.415, 0.5)):
        for height, speed, expected in ((0.049, 0.0, True), (0.051, 0.0, False), (0.0, 0.34, True), (0.0, 0.36, False)):
            toe = np.zeros((60, 3))
            toe[20:, 1] = height * size
            toe[:, 2] = np.cumsum(np.full(60, speed * size / 20))
            assert bool(stands(toe, 20, leg)[40]) is expected, (leg, height, speed)


@pytest.mark.parametrize("fps", [0.0, -1.0, 1000.1, float("nan"), float("inf")])
def test_a_rate_that_nothing_plays_is_refused(walk: Clip, fps: float) -> None:
    with pytest.raises(UsageError, match=r"--out-fps: got .*; it must be above 0 and at most 1000"):
        at_rate(walk, fps)


def test_a_rate_changes_the_count_of_frames_and_never_the_time(walk: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    few = walk.with_(joints=walk.joints[:11], rotations=None if walk.rotations is None else walk.rotations[:11])
    for fps, count in (
        (few.fps, 11),
        (2 * few.fps, 21),
        (few.fps / 2, 6),
        (few.fps / 3, 4),
        (1000.0, int(10 * 1000 / few.fps) + 1),
    ):
        made = at_rate(few, fps)
        assert (len(made), made.fps) == (count, fps)
        np.testing.assert_allclose(made.joints[0], few.joints[0], atol=5e-3)
    one = few.with_(joints=few.joints[:1], rotations=None if few.rotations is None else few.rotations[:1])
    assert (len(at_rate(one, 50.0)), at_rate(one, 50.0).fps) == (1, 50.0)
    monkeypatch.setattr(finish, "MAX_FRAMES", 21)
    assert len(at_rate(few, 2 * few.fps)) == 21
    with pytest.raises(DataError, match=r"it has 22 frames; at most 21 are allowed"):
        at_rate(few, 2.1 * few.fps)


def test_turns_between_are_those_of_slerp_however_near_they_are() -> None:
    start = Rotation.random(40, random_state=1)
    for size in (0.0, 1e-7, 5e-5, 3e-4, 0.02, 1.0, 3.1):
        end = start * Rotation.from_rotvec(size * np.array([0.6, 0.0, 0.8]))
        a, b = start.as_quat(), end.as_quat() * np.where(np.arange(40) % 2, 1, -1)[:, None]
        for share in (0.0, 0.3, 1.0):
            made = finish._between(a, b, np.full((40, 1), share))
            wanted = start * Rotation.from_rotvec(share * size * np.array([0.6, 0.0, 0.8]))
            assert (wanted.inv() * Rotation.from_quat(made)).magnitude().max() < 1e-7, (size, share)
            np.testing.assert_allclose(np.linalg.norm(made, axis=-1), 1.0, atol=1e-12)
