"""The container and the numbers of binary glTF, held to bytes written here by the specification."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError
from motion_platform.motion.io import gltf
from motion_platform.motion.io.gltf import Gltf, glb_container, open_glb

FLOAT, BYTE, SHORT = 5126, 5120, 5122


def glb(description: dict[str, Any], blob: bytes = b"") -> bytes:
    """glTF 2.0, section 4.4, by hand."""
    text = json.dumps(description).encode()
    text += b" " * (-len(text) % 4)
    out = struct.pack("<I4s", len(text), b"JSON") + text
    if blob:
        blob += b"\0" * (-len(blob) % 4)
        out += struct.pack("<I4s", len(blob), b"BIN\0") + blob
    return struct.pack("<4sII", b"glTF", 2, 12 + len(out)) + out


def opened(description: dict[str, Any], blob: bytes = b"") -> Gltf:
    return Gltf(Path("a.glb"), description, blob)


def table(entry: dict[str, Any], view: dict[str, Any], blob: bytes) -> Gltf:
    return opened({"accessors": [{"bufferView": 0} | entry], "bufferViews": [{"byteLength": len(blob)} | view]}, blob)


def test_a_container_is_written_and_read_by_the_specification(tmp_path: Path) -> None:
    description, blob = {"asset": {"version": "2.0"}, "extras": "Ü"}, b"12345"
    raw = glb_container(description, blob)
    magic, version, length, json_size, kind = struct.unpack_from("<4sIII4s", raw)
    assert (magic, version, length, kind, len(raw) % 4) == (b"glTF", 2, len(raw), b"JSON", 0)
    assert json.loads(raw[20 : 20 + json_size]) == description
    assert struct.unpack_from("<I4s", raw, 20 + json_size) == (8, b"BIN\0")
    assert raw[28 + json_size :] == b"12345\0\0\0"
    assert struct.unpack_from("<I4s", glb_container({}, b""), 12)[0] == len(glb_container({}, b"")) - 20  # no BIN
    (tmp_path / "a.glb").write_bytes(glb(description, blob))
    read = open_glb(tmp_path / "a.glb")
    assert (read.json, read.blob) == (description, b"12345\0\0\0")


def test_numbers_lie_where_view_accessor_and_stride_say() -> None:
    values = np.arange(12, dtype="<f4").reshape(4, 3)
    blob = b"...." + b"".join(b"?" * 8 + row.tobytes() for row in values)  # 20 bytes a row, the numbers behind 8
    file = table({"componentType": FLOAT, "type": "VEC3", "count": 4, "byteOffset": 8},
                 {"byteOffset": 4, "byteLength": len(blob) - 4, "byteStride": 20}, blob)  # fmt: skip
    assert file.accessor(0).tolist() == values.tolist()


@pytest.mark.parametrize(
    ("kind", "form", "raw", "wanted"),
    [
        (BYTE, "i1", [127, -127, -128, 0], [1.0, -1.0, -1.0, 0.0]),  # section 3.6.2.2: max(c / 127, -1)
        (5121, "u1", [255, 51, 0], [1.0, 0.2, 0.0]),
        (SHORT, "<i2", [32767, -32768], [1.0, -1.0]),
        (5123, "<u2", [65535, 0], [1.0, 0.0]),
    ],
)
def test_normalised_integers(kind: int, form: str, raw: list[int], wanted: list[float]) -> None:
    entry = {"componentType": kind, "type": "SCALAR", "count": len(raw)}
    blob = np.array(raw, form).tobytes()
    assert table(entry | {"normalized": True}, {}, blob).accessor(0)[:, 0] == pytest.approx(wanted)
    assert table(entry, {}, blob).accessor(0)[:, 0].tolist() == raw


@pytest.mark.parametrize(
    ("entry", "view", "message"),
    [
        ({"count": 3}, {}, "3 values do not lie in the file's 8 bytes"),
        ({"byteOffset": 4}, {}, "2 values do not lie"),
        ({}, {"byteOffset": 4}, "2 values do not lie"),
        ({"count": 0}, {}, "0 values do not lie"),
        ({}, {"byteStride": 2}, "byteStride is 2; allowed: 4 to 252"),
        ({"count": -1}, {}, "whole numbers from 0"),
        ({"count": True}, {}, "whole numbers from 0"),
        ({"type": "VEC9"}, {}, "unknown kind"),
        ({"componentType": 1}, {}, "unknown kind"),
        ({"componentType": {}}, {}, "unknown kind"),
        ({"type": []}, {}, "unknown kind"),
        ({}, {"buffer": 1}, "in another file"),
        ({"sparse": {}}, {}, "is sparse"),
        ({"bufferView": 1}, {}, "bufferView is 1; allowed: 0 to 0"),
        ({}, {"extensions": {"EXT_meshopt_compression": {}}}, "is compressed"),
    ],
)
def test_accessors_beyond_the_file_are_refused(entry: dict, view: dict, message: str) -> None:
    base = {"componentType": FLOAT, "type": "SCALAR", "count": 2}
    with pytest.raises(DataError, match=message):
        table(base | entry, view, bytes(8)).accessor(0)
    assert table(base, {"extensions": 7}, bytes(8)).accessor(0).tolist() == [[0.0], [0.0]]


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="accessor 0 has a NaN"):
        table({"componentType": FLOAT, "type": "SCALAR", "count": 1}, {}, struct.pack("<f", float("nan"))).accessor(0)


def test_a_node_with_a_matrix_is_the_node_with_its_parts() -> None:
    turn, scale, place = Rotation.from_euler("xyz", [20, -70, 130], degrees=True), [2.0, 0.5, 3.0], [1.0, 2.0, 3.0]
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn.as_matrix() * scale, place
    parts = {"translation": place, "rotation": (3 * turn.as_quat()).tolist(), "scale": scale}  # any length
    for entry in ({"matrix": matrix.T.ravel().tolist()}, parts):  # column by column
        (node,) = opened({"nodes": [entry]}).nodes
        assert np.allclose(node.matrix, matrix)
        assert abs(np.dot(node.rotation, turn.as_quat())) == pytest.approx(1)
        assert np.allclose(node.scale, scale)


def test_the_world_of_a_node_is_all_that_it_hangs_on() -> None:
    turn = Rotation.from_euler("z", 90, degrees=True)
    file = opened({"nodes": [
        {"translation": [0, 1, 0], "children": [2]},
        {"translation": [5, 5, 5]},
        {"rotation": turn.as_quat().tolist(), "scale": [2, 2, 2], "children": [3]},
        {"translation": [1, 0, 0]},
    ]})  # fmt: skip
    assert np.allclose(file.world(3)[:3, 3], [0, 3, 0])  # 2 x (1, 0, 0), turned to Y, and 1 up
    assert [node.parent for node in file.nodes] == [-1, -1, 0, 2]
    assert [node.name for node in file.nodes] == ["node_0", "node_1", "node_2", "node_3"]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([{"children": [1]}, {"children": [0]}], "node 0 hangs on itself"),
        ([{"children": [0]}], "node 0 hangs on two nodes"),
        ([{"children": [2]}, {"children": [2]}, {}], "node 2 hangs on two nodes"),
        ([{"children": [7]}], "a child is 7; allowed: 0 to 0"),
        ([{"children": {}}], "its children are no list"),
        ([{"translation": [1, 2]}], "translation must be 3 finite numbers"),
        ([{"scale": [1, float("nan"), 1]}], "scale must be 3 finite numbers"),
        ([{"rotation": [0, 0, 0, 0]}], "its rotation has no length"),
        ([{"matrix": [0.0] * 16}], "its matrix has no size"),
        ([{}] * 20_001, "has 20001 nodes"),
        ([3], "nodes of its description is no list of objects"),
    ],
)
def test_trees_that_are_none(nodes: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened({"nodes": nodes})


@pytest.mark.parametrize(
    "extensions",
    [
        {"VRMC_vrm": {"humanoid": {"humanBones": {"hips": {"node": 1}, "head": {"node": 0}}}}},
        {"VRM": {"humanoid": {"humanBones": [{"bone": "hips", "node": 1}, {"bone": "head", "node": 0}]}}},
        {"VRMC_vrm_animation": {"humanoid": {"humanBones": {"hips": {"node": 1}, "head": {"node": 0}}}}},
    ],
)
def test_tables_of_human_bones_of_every_version(extensions: dict) -> None:
    assert opened({"nodes": [{}, {}], "extensions": extensions}).human_bones() == {"hips": 1, "head": 0}
    with pytest.raises(DataError, match="human bone 'hips' is 1; allowed: 0 to 0"):
        opened({"nodes": [{}], "extensions": extensions}).human_bones()
    assert opened({"nodes": [{}]}).human_bones() == {}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"asset": {}}' + bytes(20), "no binary glTF .a .gltf is text"),
        (b"BVH" * 10, "is no binary glTF$"),
        (glb({})[:16], "is no binary glTF"),
        (struct.pack("<4sII", b"glTF", 1, 40) + bytes(28), "is glTF version 1"),
        (glb({"a": 1}, bytes(64))[:-8], "is cut: 100 bytes announced, 92 there"),
        (struct.pack("<4sIII4s", b"glTF", 2, 24, 99, b"JSON") + b"{}  ", "description of 99 bytes is cut"),
        (struct.pack("<4sIII4s", b"glTF", 2, 24, 4, b"JSON") + b"{]  ", "description is no JSON"),
        (struct.pack("<4sIII4s", b"glTF", 2, 24, 4, b"JSON") + b"[]  ", "description is no object"),
        (struct.pack("<4sIII4s", b"glTF", 2, 32, 4, b"JSON") + b"{}  " + struct.pack("<I4s", 9, b"BIN\0"),
         "its numbers have 0 of 9 bytes"),
    ],
    ids=["a .gltf", "text", "half a head", "version 1", "cut", "cut description", "no JSON", "a list", "cut numbers"],
)  # fmt: skip
def test_files_that_are_none_are_one_line(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "a.glb").write_bytes(raw)
    with pytest.raises(DataError, match=message):
        open_glb(tmp_path / "a.glb")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        open_glb(tmp_path / "none.glb")


def test_a_file_beyond_the_most_bytes_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.glb"
    path.write_bytes(glb({"asset": {"version": "2.0"}}, b"1234"))
    size = path.stat().st_size
    monkeypatch.setattr(gltf, "MAX_BYTES", size)
    assert open_glb(path).blob == b"1234"
    monkeypatch.setattr(gltf, "MAX_BYTES", size - 1)
    with pytest.raises(DataError, match=rf"has {size} bytes; at most {size - 1} are read"):
        open_glb(path)


def test_a_container_may_end_with_its_description_or_hold_other_chunks(tmp_path: Path) -> None:
    path, description = tmp_path / "a.glb", {"asset": {"version": "2.0"}}
    path.write_bytes(glb(description))
    assert open_glb(path).blob == b""
    whole = glb(description, b"12345678")
    start = 20 + struct.unpack_from("<I", whole, 12)[0]
    path.write_bytes(whole[: start + 4] + b"ELSE" + whole[start + 8 :])
    assert open_glb(path).blob == b""
    path.write_bytes(glb(description) + b"1234567")  # what is behind is no chunk
    assert open_glb(path).blob == b""
    for length in (len(whole) - 1, start + 8):
        cut = bytearray(whole[:length])
        struct.pack_into("<I", cut, 8, length)
        path.write_bytes(bytes(cut))
        with pytest.raises(DataError, match=rf"is cut: its numbers have {length - start - 8} of 8 bytes"):
            open_glb(path)
    for version in (1, 3):
        path.write_bytes(whole[:4] + struct.pack("<I", version) + whole[8:])
        with pytest.raises(DataError, match=f"is glTF version {version}; version 2 is read"):
            open_glb(path)
    path.write_bytes(whole[:8] + struct.pack("<I", len(whole) + 1) + whole[12:])
    with pytest.raises(DataError, match=f"is cut: {len(whole) + 1} bytes announced, {len(whole)} there"):
        open_glb(path)


def test_limits_are_met_from_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (gltf.MAX_BYTES, gltf.MAX_JSON, gltf.MAX_NODES) == (536_870_912, 67_108_864, 20_000)
    assert len(opened({"nodes": [{}] * 20_000}).nodes) == 20_000
    entry = {"componentType": FLOAT, "type": "SCALAR", "count": 2}
    assert table(entry, {"byteStride": 252}, bytes(256)).accessor(0).shape == (2, 1)
    for stride in (253, 3, "4", 4.0):
        with pytest.raises(DataError, match=r"byteStride is .*; allowed: 4 to 252"):
            table(entry, {"byteStride": stride}, bytes(300)).accessor(0)
    assert opened({"nodes": [{"translation": [9e29, -9e29, 0]}]}).nodes[0].translation[1] == -9e29
    with pytest.raises(DataError, match="node 0: translation must be 3 finite numbers"):
        opened({"nodes": [{"translation": [1e30, 0, 0]}]})
    assert opened({"nodes": [{"name": "x" * 201}, {"name": ""}]}).nodes[0].name == "x" * 200
    path = tmp_path / "a.glb"
    path.write_bytes(glb({"asset": {}}))
    size = struct.unpack_from("<I", path.read_bytes(), 12)[0]
    monkeypatch.setattr(gltf, "MAX_JSON", size)
    assert open_glb(path).json == {"asset": {}}
    monkeypatch.setattr(gltf, "MAX_JSON", size - 1)
    with pytest.raises(DataError, match=f"its description of {size} bytes is cut or too large"):
        open_glb(path)


@pytest.mark.parametrize("length", [12, 19, 20])
def test_a_head_has_twenty_bytes(length: int, tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(struct.pack("<4sIII4s", b"glTF", 2, 20, 0, b"JSON")[:length])
    with pytest.raises(DataError, match="is no binary glTF" if length < 20 else "its description is no JSON"):
        open_glb(tmp_path / "a.glb")


def test_every_width_and_kind_of_numbers_is_read() -> None:
    for component, form in gltf.TYPES.items():
        for kind, width in (("SCALAR", 1), ("VEC2", 2), ("VEC3", 3), ("VEC4", 4), ("MAT4", 16)):
            values = np.arange(2 * width).reshape(2, width).astype(form)
            file = table({"componentType": component, "type": kind, "count": 2}, {}, values.tobytes())
            assert file.accessor(0).tolist() == values.tolist(), (component, kind)
    with pytest.raises(DataError, match="an accessor's number is 1; allowed: 0 to 0"):
        file.accessor(1)
    with pytest.raises(DataError, match="an accessor's number is True; allowed: 0 to 0"):
        file.accessor(True)


def test_the_newest_table_of_human_bones_counts_and_broken_ones_are_passed_over() -> None:
    new = {"humanoid": {"humanBones": {"hips": {"node": 1}, "odd": 3}}}
    old = {"humanoid": {"humanBones": [{"bone": "hips", "node": 0}, 7]}}
    nodes: list[dict] = [{}, {}]
    assert opened({"nodes": nodes, "extensions": {"VRM": old, "VRMC_vrm": new}}).human_bones() == {"hips": 1}
    assert opened({"nodes": nodes, "extensions": {"VRM": old, "VRMC_vrm": {"humanoid": 3}}}).human_bones() == {
        "hips": 0
    }
    for broken in (3, {"VRM": 3}, {"VRM": {"humanoid": {"humanBones": 3}}}):
        assert opened({"nodes": nodes, "extensions": broken}).human_bones() == {}


def test_what_a_root_hangs_on_is_nothing() -> None:
    np.testing.assert_array_equal(opened({"nodes": [{"scale": [2, 2, 2]}]}).world(-1), np.eye(4))
