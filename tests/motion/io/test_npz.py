import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import npz
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def unit(rotations: np.ndarray) -> np.ndarray:
    return (rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)).astype(np.float32)


def clip(seed: int = 0, frames: int = 6) -> Clip:
    random = np.random.default_rng(seed)
    skeleton = Skeleton(
        "own", ("a", "b", "c"), (-1, 0, 0), random.normal(size=(3, 3)), {"p": ("b",)}, {"b": "c", "c": "b"}
    )
    return Clip(
        random.normal(size=(frames, 3, 3)).astype(np.float32), 29.97, skeleton,
        unit(random.normal(size=(frames, 3, 4))), "é name", ("a walk", "歩く"),
        {"unit": "cm", "n": [1, 2.5]}, events={"beats": np.array([0.1, 1 / 3]), "bars": np.zeros(0)},
        words=(("<b>é", 0.1, 1 / 3), ("歩く", 0.5, 0.5)),
    )  # fmt: skip


def test_ours_comes_back_bit_for_bit(tmp_path: Path) -> None:
    plain = Clip(np.ones((1, 22, 3), np.float32), 20, get_skeleton("humanml3d"))
    made = [clip(), plain, clip(1)]
    assert npz.write(made, tmp_path / "a.npz") == tmp_path / "a.npz"
    for before, after in zip(made, npz.read(tmp_path / "a.npz"), strict=True):
        assert np.array_equal(before.joints, after.joints)
        assert (before.fps, before.name, before.captions, before.info) == (
            after.fps,
            after.name,
            after.captions,
            after.info,
        )
        assert before.words == after.words
        assert before.events.keys() == after.events.keys()
        assert all(np.array_equal(before.events[k], after.events[k]) for k in before.events)
        for field in ("name", "joints", "parents", "parts", "mirror", "dims"):
            assert getattr(before.skeleton, field) == getattr(after.skeleton, field)
        assert np.array_equal(before.skeleton.offsets, after.skeleton.offsets)
        assert (before.rotations is None) == (after.rotations is None)
        assert before.rotations is None or np.array_equal(before.rotations, after.rotations)
    assert npz.read(tmp_path / "a.npz")[1].skeleton is get_skeleton("humanml3d")
    assert npz.read(tmp_path / "a.npz", fps=10)[0].fps == 10


def test_writing_refuses_what_cannot_be_read_back(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no motion"):
        npz.write([], tmp_path / "a.npz")
    with pytest.raises(UsageError, match="plain values"):
        npz.write(clip().with_(info={"x": object()}), tmp_path / "a.npz")
    with pytest.raises(OutputError, match="does not exist"):
        npz.write(clip(), tmp_path / "no" / "a.npz")
    assert list(tmp_path.iterdir()) == []


def change(path: Path, head: dict | None = None, **fields: np.ndarray) -> Path:
    with np.load(path) as archive:
        found = dict(archive)
    if head is not None:
        found["motion_platform"] = np.array(json.dumps({**json.loads(str(found["motion_platform"])), **head}))
    np.savez(path, **{**found, **fields})
    return path


@pytest.mark.parametrize(
    ("head", "fields", "message"),
    [
        ({"version": 2}, {}, "version 2; this program reads motion_platform.clips 1"),
        ({"clips": []}, {}, "no motion"),
        ({"clips": [{}]}, {}, "header is broken"),
        ({"clips": 5}, {}, "header is broken"),
        (None, {"joints_0": np.full((6, 3, 3), np.nan)}, "NaN"),
        (None, {"joints_0": np.zeros((6, 4, 3))}, "needs"),
        (None, {"joints_0": np.zeros((0, 3, 3))}, "zero frames"),
        (None, {"joints_0": np.array("x")}, "not real numbers"),
        (None, {"rotations_0": np.full((6, 3, 4), np.inf)}, "rotations_0"),
        (None, {"rotations_0": np.zeros((6, 3, 3))}, "rotations have shape"),
        (None, {"offsets_0": np.zeros((2, 3))}, "offsets"),
        (None, {"motion_platform": np.array("{")}, "header is broken"),
    ],
)
def test_broken_files_of_ours_are_refused(tmp_path: Path, head: dict | None, fields: dict, message: str) -> None:
    npz.write(clip(), tmp_path / "a.npz")
    with pytest.raises(DataError, match=message) as caught:
        npz.read(change(tmp_path / "a.npz", head, **fields))
    assert "\n" not in str(caught.value)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", poses=np.array([object()]), trans=np.zeros((1, 3)), mocap_framerate=30)
    with pytest.raises(DataError, match="pickle"):
        npz.read(tmp_path / "a.npz")


def amass(path: Path, frames: int = 5, width: int = 156, **changes: object) -> tuple[Path, dict]:
    random = np.random.default_rng(0)
    fields = {
        "poses": random.normal(size=(frames, width)) * 0.5, "trans": random.normal(size=(frames, 3)),
        "mocap_framerate": np.array(120.0), "betas": np.zeros(16), "gender": np.array("male"),
        "dmpls": np.zeros((frames, 8)),
    }  # fmt: skip
    fields.update(changes)
    fields = {k: v for k, v in fields.items() if v is not None}
    np.savez(path, **fields)
    return path, fields


@pytest.mark.parametrize("width", [66, 72, 156, 165])
def test_amass_joints_are_those_of_a_slow_independent_reading(tmp_path: Path, width: int) -> None:
    path, fields = amass(tmp_path / "a.npz", width=width)
    rest = np.random.default_rng(1).normal(size=(24, 3))
    np.savez(tmp_path / "body.npz", J_regressed=rest)
    (read,) = npz.read(path, body=tmp_path / "body.npz", up="z")
    parents = get_skeleton("humanml3d").parents
    for t in range(5):
        world, place = [], []
        for j, parent in enumerate(parents):
            local = Rotation.from_rotvec(fields["poses"][t, 3 * j : 3 * j + 3])
            world.append(local if parent < 0 else world[parent] * local)
            place.append(
                rest[0] + fields["trans"][t]
                if parent < 0
                else place[parent] + world[parent].apply(rest[j] - rest[parent])
            )
        x, y, z = np.array(place).T
        np.testing.assert_allclose(read.joints[t], np.stack([x, z, -y], axis=1), atol=1e-5)
    assert read.fps == 120
    assert read.skeleton.joints == get_skeleton("humanml3d").joints


def test_amass_stands_upright_and_keeps_its_left(tmp_path: Path) -> None:
    poses = np.zeros((3, 156))
    poses[:, 0] = np.pi / 2  # AMASS is Z up: an upright person's root is turned by 90 degrees about X
    path, _ = amass(tmp_path / "a.npz", 3, poses=poses, trans=np.tile([0, 0, 0.95], (3, 1)), mocap_framerate=None,
                    mocap_frame_rate=np.array([60.0]))  # fmt: skip
    (read,) = npz.read(path)
    at = {joint: read.joints[0, j] for j, joint in enumerate(read.skeleton.joints)}
    assert read.fps == 60
    assert at["head"][1] > 1.5
    assert abs(at["left_foot"][1]) < 0.05
    assert at["left_wrist"][0] > 0.6
    assert at["left_foot"][2] > at["left_ankle"][2]
    assert read.info["body"] == "stand-in"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": np.zeros((5, 60))}, "has poses .5, 60."),
        ({"trans": np.zeros((4, 3))}, "trans has shape"),
        ({"poses": np.full((5, 156), np.nan)}, "NaN"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "has 0 frames"),
        ({"mocap_framerate": None}, "no single frame rate"),
        ({"mocap_framerate": np.array(-5.0)}, "fps is -5"),
        ({"mocap_framerate": np.array("fast")}, "not real numbers"),
        ({"poses": None}, "neither our .npz .* nor AMASS"),
    ],
)
def test_broken_amass_files_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    path, _ = amass(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=message):
        npz.read(path)


def test_a_body_must_be_one(tmp_path: Path) -> None:
    path, _ = amass(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.zeros((5, 3)))
    for body in ("b.npy", "none.npz"):
        with pytest.raises(DataError, match="rest joints"):
            npz.read(path, body=tmp_path / body)
    npz.write(clip(), tmp_path / "ours.npz")
    with pytest.raises(UsageError, match="for parameters of SMPL"):
        npz.read(tmp_path / "ours.npz", body=tmp_path / "b.npy")


def test_a_skeleton_that_is_told_must_have_the_joints_of_the_file(tmp_path: Path) -> None:
    npz.write([clip()], tmp_path / "a.npz")
    told = Skeleton("told", ("a", "b", "c"), (-1, 0, 1))
    assert npz.read(tmp_path / "a.npz", skeleton=told)[0].skeleton is told
    with pytest.raises(DataError, match="its joints are not those of skeleton other"):
        npz.read(tmp_path / "a.npz", skeleton=Skeleton("other", ("a", "b", "d"), (-1, 0, 1)))


@pytest.mark.parametrize("name", ["humanml3d", "coco_upper"])
def test_a_skeleton_that_ships_is_itself_again_and_no_other_of_its_name(tmp_path: Path, name: str) -> None:
    own = get_skeleton(name)
    still = np.zeros((2, len(own), 3), np.float32)

    def back(skeleton: Skeleton) -> Skeleton:
        npz.write([Clip(still, 20.0, skeleton)], tmp_path / "a.npz")
        return npz.read(tmp_path / "a.npz")[0].skeleton

    assert back(own) is own
    other = np.ones((len(own), 3)) if own.offsets is None else 1.1 * own.offsets
    for changed in (
        replace(own, offsets=other),
        replace(own, joints=("x", *own.joints[1:]), parts={}, mirror={}, extra_edges=()),
        replace(own, parents=(-1, *[0] * (len(own) - 1))),
    ):
        found = back(changed)
        assert found is not own
        assert (found.joints, found.parents) == (changed.joints, changed.parents)
    if own.offsets is not None:
        assert back(replace(own, offsets=None)).offsets is None


def test_options_of_other_layouts_are_refused(tmp_path: Path) -> None:
    npz.write([clip()], tmp_path / "a.npz")
    for option in ({"up": "y"}, {"body": "x.npz"}):
        with pytest.raises(UsageError, match="is for parameters of SMPL; this file says it itself"):
            npz.read(tmp_path / "a.npz", **option)


@pytest.mark.parametrize(
    ("length", "good"), [(1.0, True), (1.009, True), (0.991, True), (1.012, False), (0.988, False)]
)
def test_a_quaternion_has_length_one(tmp_path: Path, length: float, good: bool) -> None:
    made = clip()
    npz.write([made.with_(rotations=made.rotations * np.float32(length))], tmp_path / "a.npz")
    if good:
        assert npz.read(tmp_path / "a.npz")[0].rotations is not None
    else:
        with pytest.raises(DataError, match="rotations_0: a quaternion is not of length 1"):
            npz.read(tmp_path / "a.npz")
