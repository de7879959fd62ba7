from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import npy
from motion_platform.motion.io.units import body_height
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def joints(name: str, frames: int = 30) -> np.ndarray:
    """The rest pose, wandering and turning on the floor."""
    skeleton = get_skeleton(name)
    rest = np.zeros((len(skeleton), 3))
    for parent, j in skeleton.bones:
        rest[j] = rest[parent] + skeleton.offsets[j]
    rest[:, 1] -= rest[:, 1].min()
    angle = np.linspace(0, 1, frames)[:, None]
    x, y, z = rest.T
    turned = np.stack(
        [x * np.cos(angle) + z * np.sin(angle), y + 0 * angle, z * np.cos(angle) - x * np.sin(angle)], axis=-1
    )
    return turned + np.linspace(0, 1, frames)[:, None, None] * [0.3, 0, 1]


def read(tmp_path: Path, array: np.ndarray, **options: object):
    np.save(tmp_path / "a.npy", array)
    return npy.read(tmp_path / "a.npy", **options)


@pytest.mark.parametrize(
    ("name", "fps", "scale", "unit"), [("humanml3d", 20, 1, "m"), ("kit", 12.5, 1, "m"), ("kit", 12.5, 1000, "mm")]
)
def test_joints_are_told_by_their_shape(tmp_path: Path, name: str, fps: float, scale: float, unit: str) -> None:
    made = joints(name)
    clip = read(tmp_path, (made * scale).astype(np.float32))
    np.testing.assert_allclose(clip.joints, made, atol=1e-5)
    assert (clip.fps, clip.skeleton.name, clip.info["unit"]) == (fps, name, unit)


@pytest.mark.parametrize("name", ["humanml3d", "humanml3d_essential", "kit_ml"])
def test_features_become_the_joints_they_were_made_of(tmp_path: Path, name: str) -> None:
    representation = get_representation(name)
    made = joints(representation.skeleton.name)
    clip = read(tmp_path, representation.encode(made))
    assert clip.fps == representation.fps
    np.testing.assert_allclose(np.diff(clip.joints, axis=0)[:, :, 1], np.diff(made[:-1], axis=0)[:, :, 1], atol=1e-4)
    for a, b in [(0, 5), (3, 9), (8, 20)]:  # distances do not depend on where the clip starts
        expected = np.linalg.norm(made[:-1, a] - made[:-1, b], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(clip.joints[:, a] - clip.joints[:, b], axis=-1), expected, atol=1e-4)
    own, other = representation.skeleton, get_skeleton("beat")
    assert np.array_equal(npy.read(tmp_path / "a.npy", skeleton=own).joints, clip.joints)
    assert npy.read(tmp_path / "a.npy", fps=50).fps == 50
    with pytest.raises(DataError, match=f"features of {name} are not of skeleton beat"):
        npy.read(tmp_path / "a.npy", skeleton=other)
    with pytest.raises(DataError, match=f"features of {name} have their own unit"):
        npy.read(tmp_path / "a.npy", units="m")


def test_other_skeletons_and_units_may_be_given(tmp_path: Path) -> None:
    made = joints("humanml3d")
    assert read(tmp_path, made * 100, units="cm").joints == pytest.approx(made, abs=1e-5)
    assert read(tmp_path, made, fps=30).fps == 30
    with pytest.raises(DataError, match="units="):
        read(tmp_path, made * 100)
    with pytest.raises(DataError, match=r"allowed: \(T, 21, 3\)"):
        read(tmp_path, made, skeleton=get_skeleton("kit"))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 22, 3)), "has shape"),
        (np.zeros((5, 0, 3)), r"has shape \(5, 0, 3\); allowed: joints"),
        (np.zeros((5, 0)), r"has shape \(5, 0\); allowed: joints"),
        (np.zeros((5, 23, 3)), r"has shape \(5, 23, 3\); allowed: joints"),
        (np.zeros((5, 22, 2)), "has shape"),
        (np.zeros((5, 262)), "has shape"),
        (np.zeros(()), "has shape"),
        (np.full((5, 263), np.nan), "frame 0 has a NaN"),
        (np.zeros((5, 22, 3), complex), "not real numbers"),
        (np.array(["a"]), "not real numbers"),
        (np.zeros((5, 22, 3)), "no person"),
        (np.zeros((5, 263)), "no person"),
        (np.zeros((1_000_001, 22, 3), np.int8), "has shape"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, array)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="pickled Python object"):
        npy.read(tmp_path / "a.npy")


def test_several_motions_of_one_length_are_several_clips(tmp_path: Path) -> None:
    """(N, T, 22, 3), as generators save their samples, and as the line makes it that is said of MDM's results."""
    made = np.stack([joints("humanml3d"), joints("humanml3d")[::-1] + np.array([1, 0, 0])])
    np.save(tmp_path / "samples.npy", made.astype(np.float32))
    first, second = io.load_all(tmp_path / "samples.npy")
    np.testing.assert_allclose(first.joints, made[0], atol=1e-5)
    np.testing.assert_allclose(second.joints, made[1], atol=1e-5)
    assert (first.name, second.name) == ("samples_1", "samples_2")
    with pytest.raises(DataError, match=r"has shape \(30, 23, 3\)"):
        read(tmp_path, np.zeros((2, 30, 23, 3)))
    with pytest.raises(DataError, match="has shape"):
        read(tmp_path, np.zeros((0, 30, 22, 3)))


def test_the_line_that_is_said_of_a_pickled_result_makes_it_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = np.stack([joints("humanml3d"), joints("humanml3d")])
    np.save("results.npy", {"motion": made.transpose(0, 2, 3, 1), "text": ["a", "b"]}, allow_pickle=True)
    with pytest.raises(DataError, match="is a pickled Python object, as MDM writes") as caught:
        io.load("results.npy")
    exec(str(caught.value).partition("in Python: ")[2], {"numpy": np})
    np.testing.assert_allclose(io.load_all("motions.npy")[1].joints, made[1], atol=1e-5)


def test_what_is_written_is_what_humanml3d_holds(tmp_path: Path) -> None:
    """Its own joints as they are, its features those of its own program; another rate or body is retargeted."""
    from motion_platform.motion.retarget import to_humanml3d

    made = joints("humanml3d").astype(np.float32)
    clip = Clip(made, 20.0, get_skeleton("humanml3d"), captions=("walk",), info={"model": "m", "seed": 1})
    (path,) = io.save(clip, tmp_path / "joints.npy")
    stored = np.load(path, allow_pickle=False)
    assert (stored.dtype, stored.shape) == (np.float32, (30, 22, 3))
    assert np.array_equal(stored, made)
    back = io.load(path)
    assert (back.captions, back.info["model"], back.info["seed"]) == (("walk",), "m", 1), "said in the file beside it"
    (path,) = io.save(clip, tmp_path / "features.npy", layout="features")
    stored = np.load(path, allow_pickle=False)
    assert (stored.dtype, stored.shape) == (np.float32, (29, 263))
    np.testing.assert_array_equal(stored, get_representation("humanml3d").encode(made))

    one, two = io.save([clip.with_(fps=40.0), clip], tmp_path / "walk.npy")
    assert (one.name, two.name) == ("walk_1.npy", "walk_2.npy")
    np.testing.assert_allclose(np.load(one), to_humanml3d(clip.with_(fps=40.0)).joints, atol=1e-6)
    assert io.load(one).fps == 20
    with pytest.raises(DataError, match="2"):
        io.save(clip.with_(joints=made[:1]), tmp_path / "one.npy", layout="features")
    assert not (tmp_path / "one.npy").exists()


@pytest.mark.parametrize(("height", "person"), [(0.31, True), (0.29, False), (3.9, True), (4.1, False)])
def test_a_body_of_30_centimetres_to_4_metres_is_in_metres(tmp_path: Path, height: float, person: bool) -> None:
    made = joints("humanml3d")
    skeleton = get_skeleton("humanml3d")
    made *= height / body_height(np.linalg.norm(skeleton.offsets, axis=-1), skeleton.parents)
    if person:
        assert read(tmp_path, made).joints == pytest.approx(made, abs=1e-5)
    else:
        with pytest.raises(DataError, match="is no person; say the unit"):
            read(tmp_path, made)


def test_limits_of_an_array_from_both_sides(tmp_path: Path) -> None:
    body = joints("humanml3d", 2)
    with pytest.raises(DataError, match="features have their own up axis; leave --up out"):
        read(tmp_path, np.zeros((5, 263)), up="z")
    with pytest.raises(DataError, match="features of humanml3d have their own unit"):
        read(tmp_path, np.zeros((5, 263)), units="m")
    with pytest.raises(DataError, match="are not of skeleton kit"):
        read(tmp_path, np.zeros((5, 263)), skeleton=get_skeleton("kit"))
    far = body.copy()
    far[..., 0] += 1e9 - 10
    with pytest.raises(DataError, match=r"a value of 1\.1e\+09 is no position of a person"):
        npy.read(_saved(tmp_path, np.full((2, 22, 3), -1.1e9)))
    assert len(npy.read(_saved(tmp_path, far))) == 2
    assert len(npy.read(_saved(tmp_path, body[:1]))) == 1
    with pytest.raises(DataError, match="has shape"):
        npy.read(_saved(tmp_path, body[:0]))


def _saved(tmp_path: Path, array: np.ndarray) -> Path:
    np.save(tmp_path / "a.npy", array)
    return tmp_path / "a.npy"


def test_another_body_needs_its_frame_rate(tmp_path: Path) -> None:
    skeleton = get_skeleton("humanml3d_hands")
    array = joints("humanml3d_hands", 3)
    lent = Skeleton("x", skeleton.joints[:23], skeleton.parents[:23], skeleton.offsets[:23])
    path = _saved(tmp_path, array[:, :23])
    with pytest.raises(DataError, match="the frame rate of 23 joints is not known; give fps="):
        npy.read(path, skeleton=lent)
    assert npy.read(path, skeleton=lent, fps=12.0).fps == 12
    with pytest.raises(DataError, match=r"has shape \(3, 23, 3\); allowed: \(T, 22, 3\)"):
        npy.read(path, skeleton=get_skeleton("humanml3d"))
    with pytest.raises(DataError, match=r"or give skeleton="):
        npy.read(path)


def test_nothing_to_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no motion to write; give at least one"):
        npy.write([], tmp_path / "a.npy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "person"), [(0.105, True), (0.095, False), (39.0, True), (41.0, False)])
def test_features_of_no_persons_bones_are_not_raw(tmp_path: Path, size: float, person: bool) -> None:
    """All bones together are between 0.1 and 40 m long; those of the mean body are as the skeleton's offsets say."""
    body = joints("humanml3d", 20)
    features = get_representation("humanml3d").encode(body.astype(np.float32))
    decoded = npy.read(_saved(tmp_path, features)).joints
    bones = get_skeleton("humanml3d").bones
    whole = sum(np.linalg.norm(decoded[:, j] - decoded[:, p], axis=-1) for p, j in bones)
    groups = get_representation("humanml3d").groups
    scaled, factor = features.copy(), size / float(np.median(whole))
    for columns in (slice(3, 4), groups["positions"] if "positions" in groups else slice(4, 67)):
        scaled[:, columns] *= factor
    path = _saved(tmp_path, scaled)
    if person:
        made = npy.read(path).joints
        lengths = sum(np.linalg.norm(made[:, j] - made[:, p], axis=-1) for p, j in bones)
        assert np.median(lengths) == pytest.approx(size, rel=0.02)
    else:
        with pytest.raises(DataError, match="its bones are no person's; are the features normalised"):
            npy.read(path)
