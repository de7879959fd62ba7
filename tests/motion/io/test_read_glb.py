"""Animations read out of glb files: our own, characters', every interpolation, and files that are damaged or
hostile."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "rigs"))
from characters import PLACES, character_glb, container

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import glb, read_glb
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import Skeleton

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    found = [io.load(SAMPLE / "cmu" / f"{name}.bvh") for name in ("02_03", "06_09")]
    return [to_humanml3d(clip).with_(captions=(f"caption {k}",), fps=20.0) for k, clip in enumerate(found)]


def test_our_own_glb_comes_back(clips: list[Clip], tmp_path: Path) -> None:
    io.save(clips, tmp_path / "two.glb")
    for clip, back in zip(clips, io.load_all(tmp_path / "two.glb"), strict=True):
        assert (back.name, back.captions, back.fps, len(back)) == (clip.name, clip.captions, clip.fps, len(clip))
        assert back.skeleton.joints == clip.skeleton.joints
        written = glb.posed(clip)
        from motion_platform.motion.io.euler import forward_kinematics

        steps = np.broadcast_to(written[1], clip.joints.shape).copy()
        steps[:, 0] = clip.joints[:, 0]
        assert np.abs(back.joints - forward_kinematics(written[0], steps, clip.skeleton.parents)).max() < 1e-5
    again = tmp_path / "again.glb"
    io.save(io.load_all(tmp_path / "two.glb"), again)
    for first, second in zip(io.load_all(tmp_path / "two.glb"), io.load_all(again), strict=True):
        assert np.abs(first.joints - second.joints).max() < 1e-4


def test_named_motions_share_one_body(clips: list[Clip], tmp_path: Path) -> None:
    io.save([clip.with_(name="same") for clip in clips], tmp_path / "named.glb", one_body=True)
    back = io.load_all(tmp_path / "named.glb")
    assert [clip.name for clip in back] == ["same", "same_2"]
    assert [clip.captions for clip in back] == [("caption 0",), ("caption 1",)]
    assert np.allclose(back[0].skeleton.offsets, back[1].skeleton.offsets)
    with_skin = json.loads((tmp_path / "named.glb").read_bytes()[20:].split(b"BIN\0")[0][:-4].strip() or b"{}")
    assert len(with_skin["skins"]) == 1


def test_a_character_is_read_in_its_rest_pose(tmp_path: Path) -> None:
    (tmp_path / "hero.glb").write_bytes(character_glb())
    clip = io.load(tmp_path / "hero.glb")
    assert clip.skeleton.joints == tuple(PLACES) or set(clip.skeleton.joints) == set(PLACES)
    for joint, (_, place) in PLACES.items():
        assert np.allclose(clip.joints[0, clip.skeleton.index(joint)], place, atol=1e-5)
    assert clip.info["notes"] == ["has no animation: its rest pose is read"]
    assert len(to_humanml3d(clip)) == 1


def two_bones(keys: list[float], values: np.ndarray, how: str, path: str = "rotation") -> bytes:
    blob = np.array(keys, "<f4").tobytes()
    start = len(blob)
    blob += values.astype("<f4").tobytes()
    description: dict[str, Any] = {
        "asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "scene": 0,
        "nodes": [{"name": "a", "children": [1]}, {"name": "b", "translation": [0, 1, 0], "children": [2]},
                  {"name": "c", "translation": [0, 1, 0]}],
        "skins": [{"joints": [0, 1, 2]}],
        "animations": [{"name": "turn", "samplers": [{"input": 0, "output": 1, "interpolation": how}],
                        "channels": [{"sampler": 0, "target": {"node": 1, "path": path}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": len(keys), "type": "SCALAR"},
                      {"bufferView": 1, "componentType": 5126, "count": len(values), "type": f"VEC{values.shape[1]}"}],
        "bufferViews": [{"buffer": 0, "byteLength": start},
                        {"buffer": 0, "byteOffset": start, "byteLength": len(blob) - start}],
        "buffers": [{"byteLength": len(blob)}],
    }  # fmt: skip
    return container(description, blob)


def about_z(degrees: float) -> list[float]:
    return [0.0, 0.0, np.sin(np.radians(degrees) / 2), np.cos(np.radians(degrees) / 2)]


@pytest.mark.parametrize(("how", "middle"), [("LINEAR", 45.0), ("STEP", 0.0)])
def test_rotations_between_keys(how: str, middle: float, tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(two_bones([0.5, 1.5], np.array([about_z(0), about_z(90)]), how))
    clip = io.load(tmp_path / "a.glb", fps=10)
    assert len(clip) == 11
    tip = clip.joints[:, 2]
    assert np.allclose(tip[5], [-np.sin(np.radians(middle)), 1 + np.cos(np.radians(middle)), 0], atol=1e-5)
    assert np.allclose(tip[10], [-1, 1, 0], atol=1e-5)


def test_splines_follow_their_tangents(tmp_path: Path) -> None:
    """y(s) of the cubic Hermite spline with values 0, 1 and tangents 2, 0 over two seconds, at its middle: 0.5 +
    0.5."""
    keys = np.array([[0, 0, 0], [0, 0, 0], [2, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]], float)
    (tmp_path / "a.glb").write_bytes(two_bones([0.0, 2.0], keys, "CUBICSPLINE", "translation"))
    clip = io.load(tmp_path / "a.glb", fps=10)
    assert np.allclose(clip.joints[10, 1], [0.5 + 2 * 2 / 8, 0, 0], atol=1e-5)


def changed(**changes: Any) -> bytes:
    raw = two_bones([0.0, 1.0], np.array([about_z(0), about_z(90)]), "LINEAR")
    size = struct.unpack_from("<I", raw, 12)[0]
    description = json.loads(raw[20 : 20 + size])
    for path, value in changes.items():
        place, *keys = path.split("__")
        at: Any = description
        for key in [place, *keys][:-1]:
            at = at[int(key)] if key.isdigit() else at[key]
        last = path.split("__")[-1]
        at[int(last) if last.isdigit() else last] = value
    return container(description, raw[28 + size :])


HOSTILE = {
    "empty": b"glTF",
    "text": b'{"asset": {"version": "2.0"}}' + b" " * 40,
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "no json": struct.pack("<4sII", b"glTF", 2, 24) + struct.pack("<I4s", 4, b"JSON") + b"{{{{",
    "deep json": container({"a": 1}).replace(b'{"a": 1}', b"[[[[[[[[") + b"[" * 100_000,
    "list": struct.pack("<4sII", b"glTF", 2, 24) + struct.pack("<I4s", 4, b"JSON") + b"[1] ",
    "circle": changed(nodes__2={"children": [1]}),
    "own child": changed(nodes__2={"children": [2]}),
    "child out of range": changed(nodes__2={"children": [99]}),
    "child of another kind": changed(nodes__2={"children": ["1"]}),
    "accessor out of range": changed(animations__0__samplers__0__input=7),
    "negative accessor": changed(animations__0__samplers__0__input=-1),
    "count beyond the file": changed(accessors__0__count=2**31),
    "count of another kind": changed(accessors__0__count=1e300),
    "view beyond the file": changed(bufferViews__0__byteOffset=2**40),
    "negative offset": changed(accessors__0__byteOffset=-4),
    "stride": changed(bufferViews__0__byteStride=1),
    "buffer elsewhere": changed(bufferViews__0__buffer=3),
    "matrix of no size": changed(nodes__0={"name": "a", "children": [1], "matrix": [0] * 16}),
    "infinite place": changed(nodes__0={"name": "a", "children": [1], "translation": [1e999, 0, 0]}),
    "huge place": changed(nodes__0={"name": "a", "children": [1], "translation": [10**400, 0, 0]}),
    "rotation of no length": changed(nodes__0={"name": "a", "children": [1], "rotation": [0, 0, 0, 0]}),
    "skin out of range": changed(skins__0__joints=[0, 5]),
    "skin without joints": changed(skins__0__joints=[]),
    "nodes of another kind": changed(nodes="x"),
    "animations of another kind": changed(animations={"a": 1}),
    "nodes of a channel of another kind": changed(animations__0__channels__0__target={"node": {}, "path": "rotation"}),
    "unknown interpolation": changed(animations__0__samplers__0__interpolation="MAGIC"),
    "a year of frames": two_bones([0.0, 3.2e7], np.array([about_z(0), about_z(90)]), "LINEAR"),
    "times out of order": two_bones([1.0, 0.5], np.array([about_z(0), about_z(90)]), "LINEAR"),
    "key of no length": two_bones([0.0, 1.0], np.array([about_z(0), 1e-10 * np.array(about_z(90))]), "LINEAR"),
    "not a number": two_bones([0.0, np.nan], np.array([about_z(0), about_z(90)]), "LINEAR"),
    "cut": character_glb()[:900],
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_damaged_and_hostile_files_are_one_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.glb"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(DataError) as error:
        io.load_all(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_random_damage_is_never_a_foreign_error(tmp_path: Path) -> None:
    raw, path = character_glb(), tmp_path / "x.glb"
    random = np.random.default_rng(3)
    for _ in range(150):
        data = bytearray(raw)
        for at in random.integers(0, len(data), 6):
            data[at] = random.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            found = io.load_all(path)
        except DataError:
            continue
        assert all(np.isfinite(clip.joints).all() for clip in found)


@pytest.mark.parametrize(
    ("times", "rate", "uneven"),
    [
        (np.arange(40) / 30, 30.0, False),
        (np.arange(40) / 29.97, 30.0, False),
        (np.arange(6) * 0.5, 30.0, False),  # poses keyed by hand, evenly
        (np.array([0, 0.1, 0.5, 0.52, 1.3]), 30.0, True),
        (np.zeros(1), 30.0, False),
    ],
)
def test_the_rate_is_that_of_the_densest_keys(times: np.ndarray, rate: float, uneven: bool) -> None:
    few = (0, "rotation", times[:1], np.zeros((1, 4)), "LINEAR")
    assert read_glb._rate([few, (0, "rotation", times, np.zeros((len(times), 4)), "LINEAR")]) == (rate, uneven)


def test_frame_rates_at_the_borders_of_what_is_a_rate() -> None:
    def rate(times: np.ndarray) -> tuple[float, bool]:
        return read_glb._rate([(0, "rotation", times, np.zeros((len(times), 4)), "LINEAR")])

    assert rate(np.arange(9) / 10.0) == (10.0, False)  # as rare as frames are
    assert rate(np.arange(9) / 9.0) == (30.0, False)  # rarer: poses keyed by hand
    assert rate(np.arange(9) / 900.0) == (900.0, False)
    assert rate(np.arange(9) / 1100.0) == (30.0, True)  # less than a millisecond is no frame
    assert rate(np.arange(40) / 29.9) == (29.9, False)
    assert rate(np.arange(40) / 30.05) == (30.0, False)  # up to two thousandths off a whole rate
    assert rate(np.arange(40) / 30.07) == (30.07, False)
    assert rate(np.arange(40) / 23.97612) == (24.0, False)
    assert rate(np.arange(40) / 12.34567) == (12.346, False)
    for late, uneven in ((0.0009, False), (0.0014, True)):  # of a step of 50 ms: 1 ms and what a float leaves
        times = np.arange(21) / 20.0
        times[7:] += late
        times[8:] -= late
        assert rate(times) == (30.0 if uneven else 20.0, uneven)
    few = (0, "rotation", np.arange(3) / 12.0, np.zeros((3, 4)), "LINEAR")
    many = (1, "rotation", np.arange(9) / 24.0, np.zeros((9, 4)), "LINEAR")
    assert read_glb._rate([few, many]) == (24.0, False)
    assert read_glb._rate([many, few]) == (24.0, False)


def test_between_keys_of_unequal_width_as_the_specification_says() -> None:
    """glTF 2.0, appendix C, against scipy's splines and slerp, at times before, between and after the keys."""
    from scipy.interpolate import CubicHermiteSpline
    from scipy.spatial.transform import Rotation, Slerp

    random = np.random.default_rng(5)
    times = np.array([0.2, 0.5, 1.3, 1.4, 3.0])
    clock = np.linspace(0.0, 3.5, 71)
    inside = np.clip(clock, times[0], times[-1])
    keys = random.normal(size=(15, 3))
    spline = CubicHermiteSpline(times, keys[1::3], keys[1::3] * 0)
    spline = [
        CubicHermiteSpline(times[k : k + 2], keys[1::3][k : k + 2], [keys[2::3][k], keys[0::3][k + 1]])
        for k in range(4)
    ]
    wanted = np.stack([spline[min(3, max(0, int(np.searchsorted(times, t, "right")) - 1))](t) for t in inside])
    np.testing.assert_allclose(read_glb._sampled(times, keys, "CUBICSPLINE", clock), wanted, atol=1e-5)
    places = random.normal(size=(5, 3))
    wanted = np.stack([np.interp(clock, times, column) for column in places.T], axis=-1)
    np.testing.assert_allclose(read_glb._sampled(times, places, "LINEAR", clock), wanted, atol=1e-5)
    turns = Rotation.random(5, random_state=3)
    quaternions = turns.as_quat() * np.array([1, -1, 1, -1, 1])[:, None]  # the same rotations, the long way round
    made = read_glb._sampled(times, quaternions, "LINEAR", clock)
    between = Slerp(times, turns)(inside).inv() * Rotation.from_quat(made)
    assert between.magnitude().max() < 1e-5
    np.testing.assert_allclose(np.linalg.norm(made, axis=-1), 1, atol=1e-9)
    step = read_glb._sampled(times, places, "STEP", clock)
    wanted = places[np.clip(np.searchsorted(times, clock + 1e-6, side="right") - 1, 0, 4)]
    np.testing.assert_array_equal(step, wanted)


def test_rotations_that_hardly_differ_are_not_divided_by_nothing() -> None:
    for degrees in (0.0, 0.008, 0.02, 1.0):
        made = read_glb._sampled(
            np.array([0.0, 1.0]), np.array([about_z(0), about_z(degrees)]), "LINEAR", np.array([0.25])
        )
        np.testing.assert_allclose(made[0], about_z(degrees / 4), atol=1e-12)


def test_one_key_lasts_as_long_as_the_others_of_its_animation(tmp_path: Path) -> None:
    found = read_glb._sampled(np.array([0.7]), np.array([[1.0, 2.0, 3.0]]), "LINEAR", np.linspace(0, 1, 4))
    assert found.tolist() == [[1.0, 2.0, 3.0]] * 4
    one = two_bones([0.7], np.array([about_z(90)]), "LINEAR")
    (tmp_path / "a.glb").write_bytes(one)
    clip = io.load(tmp_path / "a.glb")
    assert (len(clip), clip.fps) == (1, 30.0)
    np.testing.assert_allclose(clip.joints[0, 2], [-1, 1, 0], atol=1e-5)


def test_uneven_keys_are_told(tmp_path: Path) -> None:
    keys = [0.0, 0.1, 0.5, 0.52, 1.3]
    (tmp_path / "a.glb").write_bytes(two_bones(keys, np.array([about_z(10 * k) for k in range(5)]), "LINEAR"))
    clip = io.load(tmp_path / "a.glb")
    assert clip.info["notes"] == ["its keys lie at no one frame rate: read at 30 fps"]
    assert len(clip) == 40
    assert "notes" not in io.load(tmp_path / "a.glb", fps=10).info
    assert len(io.load(tmp_path / "a.glb", fps=10)) == 14


def bare(*, nodes: list[dict[str, Any]], animated: list[Any] = (), **more: Any) -> bytes:  # type: ignore[assignment]
    """A file without skin whose animation turns these nodes by 90 degrees about Z in a second."""
    blob = np.array([0.0, 1.0], "<f4").tobytes() + np.array([about_z(0), about_z(90)], "<f4").tobytes()
    channels = [{"sampler": 0, "target": {"node": node, "path": "rotation"}} for node in animated]
    description: dict[str, Any] = {
        "asset": {"version": "2.0"}, "nodes": nodes,
        "animations": [{"samplers": [{"input": 0, "output": 1}], "channels": channels}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 2, "type": "SCALAR"},
                      {"bufferView": 1, "componentType": 5126, "count": 2, "type": "VEC4"}],
        "bufferViews": [{"buffer": 0, "byteLength": 8}, {"buffer": 0, "byteOffset": 8, "byteLength": 32}],
        "buffers": [{"byteLength": 40}], **more,
    }  # fmt: skip
    return container(description, blob)


def chain(count: int, name: str | None = None) -> list[dict[str, Any]]:
    """Nodes that hang on each other, a metre apart."""
    made: list[dict[str, Any]] = [
        {"name": name or f"n{k}", "translation": [0, 1, 0], "children": [k + 1]} for k in range(count)
    ]
    del made[-1]["children"]
    return made


def test_without_a_skin_what_the_animation_turns_is_the_skeleton(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    path.write_bytes(bare(nodes=chain(4), animated=[1, 3]))
    clip = io.load(path)
    assert clip.skeleton.joints == ("n1", "n2", "n3")
    assert (clip.name, len(clip)) == ("a_1", 31)
    np.testing.assert_allclose(clip.joints[0, :, 1], [2, 3, 4], atol=1e-6)  # what it hangs on counts
    np.testing.assert_allclose(clip.joints[-1], [[0, 2, 0], [-1, 2, 0], [-2, 2, 0]], atol=1e-5)
    for animated in ([1], [], [None]):
        path.write_bytes(bare(nodes=chain(4), animated=animated))
        with pytest.raises(DataError, match="has no skeleton: no skin"):
            io.load(path)


def test_skeletons_of_two_roots_or_of_no_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    path.write_bytes(bare(nodes=[{"name": "a"}, {"name": "b"}], animated=[0, 1]))
    with pytest.raises(DataError, match="hang on different roots"):
        io.load(path)
    nodes = chain(3)
    nodes[0]["scale"] = [0, 1, 1]
    path.write_bytes(bare(nodes=nodes, animated=[1, 2]))
    with pytest.raises(DataError, match="its skeleton hangs on a node of size zero"):
        io.load(path)


def test_a_skeleton_has_a_thousand_joints_at_most(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    for count in (1000, 1001):
        nodes: list[dict[str, Any]] = [
            {"children": list(range(1, count))},
            *({"name": f"j{k // 3}"} for k in range(count - 1)),
        ]
        path.write_bytes(bare(nodes=nodes, skins=[{"joints": list(range(count))}], animations=[]))
        if count == 1000:
            joints = read_glb.read(path)[0].skeleton.joints
            assert joints[:4] == ("node_0", "j0", "j0_2", "j0_3")
        else:
            with pytest.raises(DataError, match="a skeleton of 1001 joints; at most 1000 are read"):
                read_glb.read(path)


def test_skins_of_one_character_are_one_skeleton_and_others_their_own_the_largest_first(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    first, second = chain(3), chain(4, "m")
    for node in second[:-1]:
        node["children"] = [node["children"][0] + 3]
    nodes = [*first, *second]
    path.write_bytes(
        bare(
            nodes=nodes,
            animations=[],
            skins=[{"joints": [0, 1], "name": "hair"}, {"joints": [2]}, {"joints": [3, 4, 5, 6], "name": "other"}],
        )
    )
    clips = io.load_all(path)
    assert [clip.name for clip in clips] == ["other", "hair"]
    assert [len(clip.skeleton) for clip in clips] == [4, 3]
    human = {
        "extensions": {"VRM": {"humanoid": {"humanBones": [{"bone": "hips", "node": 0}, {"bone": "head", "node": 2}]}}}
    }
    path.write_bytes(bare(nodes=nodes, animations=[], skins=[{"joints": [0, 1], "name": "hair"}], **human))
    assert [len(clip.skeleton) for clip in io.load_all(path)] == [3]
    path.write_bytes(bare(nodes=nodes, animations=[], skins=[{"joints": [3, 4]}], **human))
    assert sorted((clip.name, len(clip.skeleton)) for clip in io.load_all(path)) == [("a", 2), ("a", 3)]


def test_a_skeleton_that_is_told_must_have_the_files_joints(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    path.write_bytes(bare(nodes=chain(3), animated=[0, 2]))
    own = io.load(path).skeleton
    told = Skeleton("mine", own.joints, own.parents, own.offsets)
    assert io.load(path, skeleton=told).skeleton is told
    other = Skeleton("other", ("x", *own.joints[1:]), own.parents, own.offsets)
    with pytest.raises(DataError, match="its joints are not those of skeleton other"):
        io.load(path, skeleton=other)


def test_more_frames_than_the_file_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.glb"
    path.write_bytes(two_bones([0.0, 1.0], np.array([about_z(0), about_z(90)]), "LINEAR"))  # 3 joints
    for limit, fps, allowed in ((93, 30.0, True), (92, 30.0, False), (0, 1.0, True), (0, 2.0, False)):
        monkeypatch.setattr(read_glb, "BUDGET", limit)  # or four joints a key: two keys are eight, 6 and 9 are asked
        if allowed:
            assert len(io.load(path, fps=fps)) == fps + 1
        else:
            with pytest.raises(DataError, match="are more frames than it holds"):
                io.load(path, fps=fps)
    monkeypatch.setattr(read_glb, "BUDGET", 1000)
    for most in (31, 30):
        monkeypatch.setattr(read_glb, "MAX_FRAMES", most)
        if most == 31:
            assert len(io.load(path)) == 31
        else:
            with pytest.raises(DataError, match="are more frames than it holds"):
                io.load(path)


def test_scales_go_into_the_bones_with_their_signs(tmp_path: Path) -> None:
    nodes = chain(4)
    nodes[0] |= {"scale": [2, 2, 2]}
    nodes[1] |= {"scale": [-0.5, 0.5, 0.5], "translation": [1, 0, 0]}
    nodes[2] |= {"translation": [3, 1, 0]}
    (tmp_path / "a.glb").write_bytes(bare(nodes=nodes, animations=[], skins=[{"joints": [1, 2, 3]}]))
    joints = read_glb.read(tmp_path / "a.glb")[0].joints[0]
    np.testing.assert_allclose(joints, [[2, 1, 0], [-1, 2, 0], [-1, 3, 0]], atol=1e-6)


@pytest.mark.parametrize(("last", "count"), [(29.9988, 30), (29.9992, 31), (30.0, 31), (30.99, 31)])
def test_a_last_key_counts_as_a_frame_up_to_a_thousandth_of_one_before_it(
    tmp_path: Path, last: float, count: int
) -> None:
    (tmp_path / "a.glb").write_bytes(two_bones([0.0, last / 30], np.array([about_z(0), about_z(90)]), "LINEAR"))
    assert len(io.load(tmp_path / "a.glb", fps=30)) == count
