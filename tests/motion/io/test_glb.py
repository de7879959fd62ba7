"""glb files, read with a parser of the test's own: structure, forward kinematics and skinning as a viewer does them."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored

from motion_platform.core.errors import OutputError, UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import glb
from motion_platform.motion.render.body import Body, build_body
from motion_platform.motion.skeleton import Skeleton, get_skeleton

TYPES = {5126: np.float32, 5125: np.uint32, 5123: np.uint16, 5121: np.uint8}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def bending(frames: int = 30, keep_rotations: bool = True, fps: float = 20.0, **fields: Any) -> Clip:
    """A person whose limbs bend smoothly while walking along Z."""
    skeleton = get_skeleton("humanml3d")
    assert skeleton.offsets is not None
    clock = np.arange(frames) / fps
    vectors = 0.5 * np.sin(2 * clock[:, None, None] + np.arange(66).reshape(22, 3))
    local = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_quat().reshape(frames, 22, 4)
    joints = np.zeros((frames, 22, 3))
    joints[:, 0] = np.stack([0.1 * clock, np.full(frames, 0.9), 1.1 * clock], axis=-1)
    turned = [Rotation.from_quat(local[:, 0])]
    for j in range(1, 22):
        parent = skeleton.parents[j]
        joints[:, j] = joints[:, parent] + turned[parent].apply(skeleton.offsets[j])
        turned.append(turned[parent] * Rotation.from_quat(local[:, j]))
    rotations = local.astype(np.float32) if keep_rotations else None
    return Clip(joints.astype(np.float32), fps, skeleton, rotations, **fields)


class Parsed:
    """What a viewer knows about a glb."""

    def __init__(self, raw: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", raw)
        assert (magic, version, length) == (b"glTF", 2, len(raw))
        size, kind = struct.unpack_from("<I4s", raw, 12)
        assert kind == b"JSON"
        self.json = json.loads(raw[20 : 20 + size])
        binary, kind = struct.unpack_from("<I4s", raw, 20 + size)
        assert kind == b"BIN\0"
        self.blob = raw[28 + size : 28 + size + binary]
        assert size % 4 == 0
        assert binary % 4 == 0
        assert self.json["buffers"] == [{"byteLength": len(self.blob)}]

    def array(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        kind, width = np.dtype(TYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
        assert view.get("byteOffset", 0) % 4 == 0
        assert accessor["count"] * width * kind.itemsize == view["byteLength"]
        values = np.frombuffer(self.blob, kind, accessor["count"] * width, view.get("byteOffset", 0))
        values = values.reshape(accessor["count"], width)
        if "min" in accessor:
            assert np.array_equal(values.min(0), np.array(accessor["min"], values.dtype))
            assert np.array_equal(values.max(0), np.array(accessor["max"], values.dtype))
        return values

    def worlds(self, frame: int) -> list[np.ndarray]:
        """(4, 4) world transform of each node at a key frame."""
        tracks: dict[tuple[int, str], np.ndarray] = {}
        animation = self.json["animations"][0]
        for channel in animation["channels"]:
            output = self.array(animation["samplers"][channel["sampler"]]["output"])
            tracks[channel["target"]["node"], channel["target"]["path"]] = output[min(frame, len(output) - 1)]
        nodes = self.json["nodes"]
        worlds: list[Any] = [None] * len(nodes)
        waiting = [(n, np.eye(4)) for n in self.json["scenes"][0]["nodes"]]
        while waiting:
            n, above = waiting.pop()
            own = np.eye(4)
            turn = tracks.get((n, "rotation"), nodes[n].get("rotation", [0, 0, 0, 1]))
            own[:3, :3] = Rotation.from_quat(turn).as_matrix()
            own[:3, 3] = tracks.get((n, "translation"), nodes[n].get("translation", [0, 0, 0]))
            worlds[n] = above @ own
            waiting += [(child, worlds[n]) for child in nodes[n].get("children", [])]
        return worlds

    def skinned(self, skin: int, frame: int) -> np.ndarray:
        """(V, 3) vertices of a mesh at a key frame."""
        entry, primitive = self.json["skins"][skin], self.json["meshes"][skin]["primitives"][0]
        attributes = {name: self.array(index) for name, index in primitive["attributes"].items()}
        inverse = self.array(entry["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        worlds = self.worlds(frame)
        matrices = np.stack([worlds[n] for n in entry["joints"]]) @ inverse
        ends = np.concatenate([attributes["POSITION"], np.ones((len(attributes["POSITION"]), 1))], axis=-1)
        moved = np.einsum("vwik,vk->vwi", matrices[attributes["JOINTS_0"]], ends)
        assert np.allclose(attributes["WEIGHTS_0"].sum(-1), 1)
        return (attributes["WEIGHTS_0"][..., None] * moved).sum(1)[:, :3]


def parse(clips: Clip | Sequence[Clip], path: Path) -> Parsed:
    glb.write(clips, path)
    return Parsed(path.read_bytes())


@pytest.mark.parametrize("keep_rotations", [True, False])
def test_joints_are_where_the_clip_has_them(keep_rotations: bool, tmp_path: Path) -> None:
    clip = bending(keep_rotations=keep_rotations)
    parsed = parse(clip, tmp_path / "a.glb")
    for frame in (0, 7, 29):
        worlds = parsed.worlds(frame)
        found = np.stack([worlds[n][:3, 3] for n in parsed.json["skins"][0]["joints"]])
        assert np.abs(found - clip.joints[frame]).max() < 5e-4
    times = parsed.array(parsed.json["animations"][0]["samplers"][0]["input"])[:, 0]
    assert np.allclose(times, np.arange(30) / 20)


def test_the_body_follows_the_joints(tmp_path: Path) -> None:
    clip = bending(keep_rotations=False)
    parsed, body = parse(clip, tmp_path / "a.glb"), build_body(clip)
    checked, per_part = 0, 2 * glb.CAP * glb.AROUND
    for frame in (0, 12):
        points = body.place(clip.joints[frame].astype(float))
        vertices = parsed.skinned(0, frame)
        assert len(vertices) == per_part * len(body.ends)
        for n, (a, b) in enumerate(body.ends):
            if np.count_nonzero(body.weights[[a, b]]) != 2 or body.tones[n] not in (1, 2):
                continue  # heels, hands and the trunk hang on several joints: there a rigid skin differs
            checked += 1
            own = vertices[n * per_part : (n + 1) * per_part]
            axis = points[b] - points[a]
            s = np.clip((own - points[a]) @ axis / (axis @ axis), 0, 1)
            away = np.linalg.norm(own - points[a] - s[:, None] * axis, axis=-1)
            radius = body.radii[n, 0] + s * (body.radii[n, 1] - body.radii[n, 0])
            assert np.abs(away - radius).max() < 0.004
    assert checked >= 8


def test_faces_look_outward(tmp_path: Path) -> None:
    parsed = parse(bending(2), tmp_path / "a.glb")
    primitive = parsed.json["meshes"][0]["primitives"][0]
    positions, normals = (parsed.array(primitive["attributes"][k]) for k in ("POSITION", "NORMAL"))
    faces = parsed.array(primitive["indices"])[:, 0].reshape(-1, 3)
    corners = positions[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(across, axis=-1)
    solid = size > 1e-10
    assert solid.mean() > 0.95
    assert ((across * normals[faces].mean(1)).sum(-1)[solid] > 0).all()
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)


def test_several_motions_stand_side_by_side_under_one_animation(tmp_path: Path) -> None:
    clips = [bending(20, name="a", captions=("walks",)), bending(9, fps=10, name="b")]
    parsed = parse(clips, tmp_path / "a.glb")
    assert len(parsed.json["skins"]) == len(parsed.json["meshes"]) == 2
    assert len(parsed.json["animations"]) == 1
    first, second = parsed.skinned(0, 0), parsed.skinned(1, 0)
    assert second[:, 0].min() > first[:, 0].max()
    stand = next(node for node in parsed.json["nodes"] if node.get("name") == "a")
    assert stand["extras"] == {"captions": ["walks"]}


def odd_clips() -> list[Clip]:
    tree = Skeleton("dot", ("it",), (-1,))
    flat = np.random.default_rng(0).normal(size=(4, 13, 3)).astype(np.float32)
    return [
        bending(1),
        bending(25, keep_rotations=False, captions=("</script> é 走",)),
        Clip(flat * [1, 1, 0], 20, get_skeleton("coco_upper")),
        Clip(np.zeros((3, 1, 3), np.float32), 20, tree),
    ]


def test_every_accessor_is_in_bounds(tmp_path: Path) -> None:
    for clip in odd_clips():
        parsed = parse(clip, tmp_path / "a.glb")
        arrays = [parsed.array(i) for i in range(len(parsed.json["accessors"]))]
        assert all(np.isfinite(values).all() for values in arrays)
        vertices = len(parsed.skinned(0, 0))
        assert parsed.array(parsed.json["meshes"][0]["primitives"][0]["indices"]).max() == vertices - 1
        for channel, sampler in zip(*(parsed.json["animations"][0][k] for k in ("channels", "samplers")), strict=True):
            values = parsed.array(sampler["output"])
            assert len(values) == len(clip)
            if channel["target"]["path"] == "rotation":
                assert np.allclose(np.linalg.norm(values, axis=-1), 1, atol=1e-5)


def test_the_official_validator_finds_nothing(tmp_path: Path) -> None:
    modules = os.environ.get("GLTF_VALIDATOR_MODULES")  # a node_modules folder: npm install gltf-validator
    node = shutil.which("node")
    if not node or not modules:
        pytest.skip("needs node, and GLTF_VALIDATOR_MODULES naming a node_modules folder with gltf-validator")
    glb.write(odd_clips(), tmp_path / "a.glb")
    script = """require('gltf-validator').validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[1])))
        .then((report) => console.log(JSON.stringify(report.issues)))"""
    run = subprocess.run(
        [node, "-e", script, str(tmp_path / "a.glb")],
        capture_output=True, text=True, check=True, env={**os.environ, "NODE_PATH": modules},
    )  # fmt: skip
    issues = json.loads(run.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_bad_requests_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no motion"):
        glb.write([], tmp_path / "a.glb")
    with pytest.raises(OutputError, match="does not exist"):
        glb.write(bending(2), tmp_path / "nowhere" / "a.glb")
    huge = bending(1)
    with pytest.raises(UsageError, match="holds at most"):
        glb.write(
            [huge.with_(joints=np.broadcast_to(huge.joints, (10**6, 22, 3)), rotations=None)] * 20, tmp_path / "a.glb"
        )
    assert list(tmp_path.iterdir()) == []


def test_the_collar_carries_the_bone_to_the_shoulder_also_on_the_trunk() -> None:
    """A bone is carried by the joint at which it starts."""
    clip = bending(2)
    body, skeleton = build_body(clip), clip.skeleton
    checked = 0
    for (a, b), tone in zip(body.ends, body.tones, strict=True):
        alone = [np.flatnonzero(np.abs(body.weights[point]) > 1e-9) for point in (a, b)]
        if any(len(found) != 1 for found in alone):
            continue
        start, end = (int(found[0]) for found in alone)
        if skeleton.parents[end] == start:
            checked += 1
            assert glb._carriers(skeleton, body, a, b, tone) == [start, start], (start, end)
    assert checked == 8


def test_several_motions_of_one_skeleton_share_one_body(tmp_path: Path) -> None:
    first = bending(5, keep_rotations=True)
    alike = glb.posed_alike([first, first.with_(name="again")])
    for local, offsets, _ in alike:  # the same bones: every clip keeps its own rotations
        np.testing.assert_array_equal(offsets, alike[0][1])
        assert np.abs((local * first.rotations).sum(-1)).min() > 1 - 1e-5
    longer = first.with_(joints=first.joints * np.float32(1.2), rotations=None)
    both = glb.posed_alike([first.with_(rotations=None), longer])
    np.testing.assert_array_equal(both[0][1], both[1][1])
    assert [len(local) for local, _, _ in both] == [5, 5]
    lengths = np.linalg.norm(both[0][1][1:], axis=-1) / np.linalg.norm(first.skeleton.offsets[1:], axis=-1)
    assert ((lengths > 1) & (lengths < 1.2)).all()
    np.testing.assert_allclose(both[1][2][0], longer.joints[:, 0])
    other = first.skeleton
    for changed in (
        Skeleton("y", ("x", *other.joints[1:]), other.parents, other.offsets),
        Skeleton("y", other.joints, (*other.parents[:-1], 0), other.offsets),
    ):
        with pytest.raises(UsageError, match="is on skeleton y, the first on humanml3d: they cannot share one body"):
            glb.posed_alike([first, first.with_(skeleton=changed)])


def test_a_viewer_finds_one_scene_that_holds_every_body(tmp_path: Path) -> None:
    """glTF 2.0: what is shown is the scene that "scene" names; a body is matt and in its own colours."""
    for clips in ([bending(2)], [bending(2), bending(3)]):
        parsed = parse(clips, tmp_path / "a.glb")
        description = parsed.json
        assert len(description["scenes"]) == 1
        assert description["scene"] == 0
        hung = {child for node in description["nodes"] for child in node.get("children", [])}
        assert set(description["scenes"][0]["nodes"]) == set(range(len(description["nodes"]))) - hung
        (material,) = description["materials"]
        assert material["pbrMetallicRoughness"]["baseColorFactor"] == [1, 1, 1, 1]
        assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
        assert all(p["material"] == 0 for mesh in description["meshes"] for p in mesh["primitives"])


def test_bodies_of_capsules_are_what_they_were() -> None:
    """Every ninth vertex and face of a person, of key points in an image and of a snake."""
    made: dict[str, np.ndarray] = {}
    snake = Skeleton("snake", tuple("abcde"), (-1, 0, 1, 2, 2))
    flat = np.random.default_rng(0).normal(size=(1, 13, 3)) * [1, 1, 0]
    along = np.random.default_rng(1).normal(size=(1, 5, 3))
    for name, clip in {
        "person": bending(1),
        "flat": Clip(flat.astype(np.float32), 20, get_skeleton("coco_upper")),
        "snake": Clip(along.astype(np.float32), 20, snake),
    }.items():
        body = build_body(clip)
        parts = glb.body_mesh(clip.skeleton, body, body.place(clip.joints[0].astype(float)))
        assert [part.dtype.name for part in parts[:3]] == ["float32", "float32", "uint8"]
        made |= {f"{name} {k}": part[::9] for k, part in enumerate(parts)}
    check_stored("body_meshes", made, atol=2e-5)


def test_a_capsule_is_round_and_closed() -> None:
    """Each vertex lies a radius off the end that it belongs to, along its normal; every edge is of two faces but at
    the two tiny rings at its ends."""
    skeleton = Skeleton("bone", ("a", "b"), (-1, 0))
    body = Body(
        np.eye(2), np.array([0, 1]), np.array([[0, 1], [1, 1]]), np.array([[0.3, 0.2], [0.1, 0.1]]), np.zeros(2, int)
    )
    points = np.array([[0.0, 0.0, 0.0], [0.5, 1.0, -0.2]])
    positions, normals, _, owners, faces = glb.body_mesh(skeleton, body, points)
    assert len(positions) == 2 * 160
    assert len(faces) == 2 * 288
    ends = np.repeat([0, 1, 1, 1], 80)
    radii = np.repeat([0.3, 0.2, 0.1, 0.1], 80)
    np.testing.assert_allclose(positions - points[ends], radii[:, None] * normals, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)
    axis = (points[1] - points[0]) / np.linalg.norm(points[1] - points[0])
    along = normals[:160] @ axis
    assert along[0] == pytest.approx(-np.sin(np.pi / 2 - 0.02), abs=1e-6)
    assert along[-1] == pytest.approx(np.sin(np.pi / 2 - 0.02), abs=1e-6)
    tilt = 0.1 / np.linalg.norm(points[1] - points[0])
    np.testing.assert_allclose(along[64:96], tilt, atol=1e-6)
    edges: dict[frozenset[int], int] = {}
    for face in faces:
        for k in range(3):
            edge = frozenset((int(face[k]), int(face[(k + 1) % 3])))
            edges[edge] = edges.get(edge, 0) + 1
    assert sorted(edges.values()).count(1) == 4 * 16
    assert set(edges.values()) == {1, 2}
    assert owners[:160].tolist() == [0] * 160


@pytest.mark.parametrize(
    ("count", "kind", "corners"), [(255, 5121, 5123), (256, 5123, 5123), (410, 5123, 5123), (411, 5123, 5125)]
)
def test_numbers_are_as_wide_as_a_body_needs(count: int, kind: int, corners: int, tmp_path: Path) -> None:
    """Joints beyond 255 and vertices beyond 65,534, 160 to a bone."""
    chain = Skeleton("chain", tuple(f"j{k}" for k in range(count)), (-1, *range(count - 1)))
    joints = np.zeros((1, count, 3), np.float32)
    joints[0, :, 1] = np.arange(count)
    parsed = parse(Clip(joints, 20, chain), tmp_path / "a.glb")
    primitive = parsed.json["meshes"][0]["primitives"][0]
    assert parsed.json["accessors"][primitive["attributes"]["JOINTS_0"]]["componentType"] == kind
    assert parsed.json["accessors"][primitive["indices"]]["componentType"] == corners


def test_several_motions_stand_sixty_centimetres_apart(tmp_path: Path) -> None:
    clips = [bending(5, name="a"), bending(9, name="b"), bending(3, name="c")]
    parsed = parse(clips, tmp_path / "a.glb")
    edge = None
    for clip in clips:
        (stand,) = (node for node in parsed.json["nodes"] if node.get("name") == clip.name)
        low, high = float(clip.joints[..., 0].min()), float(clip.joints[..., 0].max())
        shift = 0.0 if edge is None else edge + 0.6 - low
        np.testing.assert_allclose(stand["translation"], [shift, 0, 0], atol=1e-6)
        edge = high + shift


def test_joints_that_are_never_turned_have_no_channel_but_the_root_and_those_of_named_motions(tmp_path: Path) -> None:
    clip = bending(6)
    assert clip.rotations is not None
    still = clip.rotations.copy()
    still[:, 5:] = still[:1, 5:]
    still[:, 0] = still[:1, 0]
    parsed = parse(clip.with_(rotations=still), tmp_path / "a.glb")
    turned = [
        c["target"]["node"] for c in parsed.json["animations"][0]["channels"] if c["target"]["path"] == "rotation"
    ]
    assert turned == [0, 1, 2, 3, 4]
    glb.write([clip.with_(rotations=still, name="x"), clip.with_(name="y")], tmp_path / "b.glb", one_body=True)
    named = Parsed((tmp_path / "b.glb").read_bytes()).json["animations"]
    assert [animation["name"] for animation in named] == ["x", "y"]
    turned = [[c["target"]["node"] for c in a["channels"] if c["target"]["path"] == "rotation"] for a in named]
    assert turned == [[0, 1, 2, 3, 4], list(range(22))]


def test_a_glb_says_who_made_it_and_under_which_licence(tmp_path: Path) -> None:
    plain = parse(bending(2), tmp_path / "a.glb").json["asset"]
    assert plain == {"version": "2.0", "generator": "motion-platform"}
    licensed = parse(bending(2, info={"licence": "CC0"}), tmp_path / "a.glb").json["asset"]
    assert licensed["copyright"] == "motion: CC0"
    times = parse(bending(4, fps=25.0), tmp_path / "a.glb")
    (clock,) = {sampler["input"] for sampler in times.json["animations"][0]["samplers"]}
    np.testing.assert_allclose(times.array(clock)[:, 0], [0, 0.04, 0.08, 0.12])
