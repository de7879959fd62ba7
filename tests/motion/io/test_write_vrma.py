"""VRM animations, as a glb reader of the tests' own sees them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[1] / "rigs"))
from characters import Seen

from motion_platform.core.errors import UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.write_vrma import write
from motion_platform.motion.skeleton import Skeleton, get_skeleton

BODY = get_skeleton("humanml3d")


def waving(frames: int = 5, **fields) -> Clip:
    """A body in its rest pose, 10 cm further at every frame, that turns, with one forearm that swings."""
    offsets, joints = np.array(BODY.offsets), np.zeros((frames, len(BODY), 3))
    elbow = BODY.index("left_elbow")
    for t in range(frames):
        world: dict[int, Rotation] = {}
        for j, parent in enumerate(BODY.parents):
            own = Rotation.from_euler("y", 20 * t, degrees=True) if j == 0 else Rotation.identity()
            own = Rotation.from_euler("z", 25 * t, degrees=True) if j == elbow else own
            above = world[parent] if parent >= 0 else Rotation.identity()
            joints[t, j] = joints[t, parent] + above.apply(offsets[j]) if parent >= 0 else [0.1 * t, 0.95, 0.0]
            world[j] = above * own
    return Clip(joints.astype(np.float32), 20.0, BODY, None, "wave", **fields)


@pytest.mark.parametrize("rotated", [False, True])
def test_a_viewer_sees_every_joint_where_the_clip_has_it(rotated: bool, tmp_path: Path) -> None:
    """``rotated``: the clip has rotations as well, from a rest pose that is no T-pose."""
    clip = waving(captions=("a person waves",), info={"licence": "CC0"})
    if rotated:
        offsets = Rotation.from_euler("z", 30, degrees=True).apply(BODY.offsets)
        turns = np.tile(Rotation.from_euler("x", 10, degrees=True).as_quat(), (len(clip), len(BODY), 1))
        clip = clip.with_(skeleton=replace(BODY, offsets=offsets), rotations=turns.astype(np.float32))
    assert write(clip, tmp_path / "a.vrma") == [tmp_path / "a.vrma"]
    seen = Seen(tmp_path / "a.vrma")
    bones = seen.json["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    name_of = {j: seen.json["nodes"][j]["name"] for j in range(len(BODY))}
    for frame in range(len(clip)):
        world = seen.worlds(0, frame)
        for j, joint in enumerate(BODY.joints):
            assert np.allclose(world[name_of[j]][:3, 3], clip.joints[frame, j], atol=1e-3), joint
    assert len(bones) == len(BODY)
    assert seen.json["nodes"][bones["leftLowerArm"]["node"]]["children"] == [BODY.index("left_wrist")]
    assert bones["hips"] == {"node": 0}
    assert seen.json["extensionsUsed"] == ["VRMC_vrm_animation"]
    assert seen.json["asset"]["copyright"] == "motion: CC0"
    assert seen.json["asset"]["extras"]["captions"] == ["a person waves"]


def test_the_rest_pose_stands_on_the_floor(tmp_path: Path) -> None:
    """Characters are scaled by the height of the hips above the lowest joint."""
    write(waving(), tmp_path / "a.vrma")
    seen = Seen(tmp_path / "a.vrma")
    places: dict[int, np.ndarray] = {}
    for j, parent in enumerate(BODY.parents):
        places[j] = np.array(seen.json["nodes"][j]["translation"]) + (places[parent] if parent >= 0 else 0)
    assert min(place[1] for place in places.values()) == pytest.approx(0, abs=1e-6)
    legs = sum(np.linalg.norm(BODY.offsets[BODY.index(f"left_{part}")]) for part in ("knee", "ankle"))
    assert places[BODY.index("left_hip")][1] - places[BODY.index("left_ankle")][1] == pytest.approx(legs, rel=0.02)
    arm = places[BODY.index("left_wrist")] - places[BODY.index("left_shoulder")]
    assert arm[0] / np.linalg.norm(arm) == pytest.approx(1, abs=1e-3)  # VRM asks for a T-pose


def test_times_are_seconds_and_every_joint_turns(tmp_path: Path) -> None:
    write(waving(3), tmp_path / "a.vrma")
    seen = Seen(tmp_path / "a.vrma")
    (animation,) = seen.json["animations"]
    assert np.allclose(seen.values(animation["samplers"][0]["input"])[:, 0], [0, 0.05, 0.1])
    targets = [(c["target"]["node"], c["target"]["path"]) for c in animation["channels"]]
    assert targets == [*((j, "rotation") for j in range(len(BODY))), (0, "translation")]


def test_several_motions_are_several_files(tmp_path: Path) -> None:
    paths = write([waving(), waving()], tmp_path / "a.vrma")
    assert [path.name for path in paths] == ["a_1.vrma", "a_2.vrma"]
    assert all(path.is_file() for path in paths)


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.vrma: there is no motion to write"):
        write([], tmp_path / "a.vrma")
    thing = Clip(np.zeros((2, 2, 3), np.float32), 20.0, Skeleton("thing", ("a", "b"), (-1, 0)))
    with pytest.raises(UsageError, match=r"is on skeleton thing; a \.vrma holds the 22 joints"):
        write(thing, tmp_path / "a.vrma")
    assert list(tmp_path.iterdir()) == []
