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
