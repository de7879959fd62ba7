"""What lies in a binary glTF file (.glb, .vrm, .vrma): its JSON, its numbers and its tree of nodes, all bounded by the
file.

glTF 2.0 specification, sections 3.5 (nodes), 3.6 (accessors) and 4.4 (the container). Nothing is allocated that the
file does not hold: an accessor lies within its buffer view, a view within the buffer, and every index is checked.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.inverse_kinematics import matrix_to_quaternion
from motion_platform.motion.io.text import check_pointer

MAX_BYTES, MAX_JSON, MAX_NODES = 512 * 2**20, 64 * 2**20, 20_000
TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
MAGIC = b"glTF"


@dataclass
class Node:
    """One node: its place relative to the parent's. rotation xyzw."""

    name: str
    translation: np.ndarray
    rotation: np.ndarray
    scale: np.ndarray
    children: list[int] = field(default_factory=list)
    parent: int = -1

    @property
    def matrix(self) -> np.ndarray:
        """(4, 4), its own."""
        from motion_platform.motion.io.euler import quaternion_to_matrix

        out = np.eye(4)
        out[:3, :3] = quaternion_to_matrix(self.rotation) * self.scale
        out[:3, 3] = self.translation
        return out


class Gltf:
    """An opened file. ``json``: the description as it is; ``blob``: the binary chunk; ``nodes``: the tree."""

    def __init__(self, path: Path, description: dict[str, Any], blob: bytes) -> None:
        self.path, self.json, self.blob = path, description, blob
        self.nodes = self._nodes()

    def fail(self, message: str) -> DataError:
        """An error of this file."""
        return DataError(f"{self.path}: {message}")

    def entries(self, key: str, inside: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """A list of objects of the description; DataError where something else stands there."""
        found = (self.json if inside is None else inside).get(key, [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise self.fail(f"{key} of its description is no list of objects")
        return found

    def index(self, value: Any, count: int, what: str) -> int:
        """A number that points to one of ``count`` things. DataError."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
            raise self.fail(f"{what} is {value!r:.40}; allowed: 0 to {count - 1}")
        return value

    def accessor(self, number: Any) -> np.ndarray:
        """(count, width) float64 values of an accessor; integers that are normalised stand for -1 to 1. DataError."""
        accessors, views = self.entries("accessors"), self.entries("bufferViews")
        number = self.index(number, len(accessors), "an accessor's number")
        entry, where = accessors[number], f"accessor {number}"
        if "sparse" in entry or "bufferView" not in entry:
            raise self.fail(f"{where} is sparse, which is not read for animations; export without it")
        view = views[self.index(entry["bufferView"], len(views), f"{where}: bufferView")]
        extensions = view.get("extensions")
        if isinstance(extensions, dict) and "EXT_meshopt_compression" in extensions:
            raise self.fail(f"{where} is compressed (EXT_meshopt_compression); export the file without compression")
        component, form = entry.get("componentType"), entry.get("type")
        kind = TYPES.get(component) if isinstance(component, int) else None
        width = WIDTHS.get(form) if isinstance(form, str) else None
        if kind is None or width is None or view.get("buffer", 0) != 0:
            raise self.fail(f"{where} is of an unknown kind, or in another file")
        numbers = [entry.get("count"), entry.get("byteOffset", 0), view.get("byteOffset", 0), view.get("byteLength")]
        if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
            raise self.fail(f"{where}: its count and offsets must be whole numbers from 0")
        count, inner, outer, length = numbers
        size = np.dtype(kind).itemsize * width
        stride = view.get("byteStride", size)
        if not isinstance(stride, int) or not size <= stride <= 252:
            raise self.fail(f"{where}: byteStride is {stride!r:.20}; allowed: {size} to 252")
        end = inner + (stride * (count - 1) + size if count else 0)
        if count == 0 or end > length or outer + length > len(self.blob):
            raise self.fail(f"{where}: {count} values do not lie in the file's {len(self.blob):,} bytes")
        raw = np.frombuffer(self.blob, np.uint8, stride * (count - 1) + size, outer + inner)
        rows = np.lib.stride_tricks.as_strided(raw, (count, size), (stride, 1))
        values = np.ascontiguousarray(rows).view(kind).reshape(count, width)
        out = values.astype(np.float64)
        if entry.get("normalized") and kind[-2] in "iu":
            out = np.maximum(out / np.iinfo(values.dtype).max, -1.0)
        if not np.isfinite(out).all():
            raise self.fail(f"{where} has a NaN or infinite value")
        return out

    def _nodes(self) -> list[Node]:
        entries = self.entries("nodes")
        if len(entries) > MAX_NODES:
            raise self.fail(f"has {len(entries)} nodes; at most {MAX_NODES} are read")
        nodes = [self._node(k, entry) for k, entry in enumerate(entries)]
        for k, (node, entry) in enumerate(zip(nodes, entries, strict=True)):
            children = entry.get("children", [])
            if not isinstance(children, list):
                raise self.fail(f"node {k}: its children are no list")
            for child in children:
                child = self.index(child, len(nodes), f"node {k}: a child")
                if nodes[child].parent >= 0 or child == k:
                    raise self.fail(f"node {child} hangs on two nodes")
                nodes[child].parent = k
                node.children.append(child)
        reached = [k for k, node in enumerate(nodes) if node.parent < 0]
        for k in reached:  # grows while it is walked
            reached += nodes[k].children
        if len(reached) < len(nodes):  # a circle hangs on no root
            raise self.fail(f"node {min(set(range(len(nodes))) - set(reached))} hangs on itself")
        return nodes

    def _node(self, k: int, entry: dict[str, Any]) -> Node:
        def numbers(key: str, count: int, default: Sequence[float]) -> np.ndarray:
            values = entry.get(key, default)
            good = isinstance(values, (list, tuple)) and len(values) == count
            good = good and all(isinstance(v, (int, float)) and abs(v) < 1e30 for v in values)  # NaN is not below
            if not good:
                raise self.fail(f"node {k}: {key} must be {count} finite numbers, got {values!r:.60}")
            return np.array(values, np.float64)

        name = str(entry.get("name") or f"node_{k}")[:200]
        if "matrix" in entry:
            m = numbers("matrix", 16, ()).reshape(4, 4).T
            scale = np.linalg.norm(m[:3, :3], axis=0)
            if (scale < 1e-12).any():
                raise self.fail(f"node {k}: its matrix has no size")
            return Node(name, m[:3, 3], matrix_to_quaternion(m[:3, :3] / scale), scale)
        turn = numbers("rotation", 4, (0.0, 0.0, 0.0, 1.0))
        length = np.linalg.norm(turn)
        if length < 1e-6:
            raise self.fail(f"node {k}: its rotation has no length")
        return Node(name, numbers("translation", 3, (0.0,) * 3), turn / length, numbers("scale", 3, (1.0,) * 3))

    def world(self, k: int) -> np.ndarray:
        """(4, 4) of a node with all that it hangs on, at rest; of -1, what roots hang on, no turn and no way."""
        out = np.eye(4)
        while k >= 0:
            out = self.nodes[k].matrix @ out
            k = self.nodes[k].parent
        return out

    def human_bones(self) -> dict[str, int]:
        """VRM's own table: bone of a human -> node (VRM 0.x and 1.0, and VRM animations); empty for other files."""
        extensions = self.json.get("extensions")
        extensions = extensions if isinstance(extensions, dict) else {}
        for key in ("VRMC_vrm", "VRM", "VRMC_vrm_animation"):
            human = extensions.get(key)
            human = human.get("humanoid") if isinstance(human, dict) else None
            bones = human.get("humanBones") if isinstance(human, dict) else None
            if isinstance(bones, dict):
                listed = [(name, bone.get("node")) for name, bone in bones.items() if isinstance(bone, dict)]
            elif isinstance(bones, list):
                listed = [(bone.get("bone"), bone.get("node")) for bone in bones if isinstance(bone, dict)]
            else:
                continue
            return {
                str(name): self.index(node, len(self.nodes), f"human bone {str(name)[:40]!r}") for name, node in listed
            }
        return {}


def open_glb(path: str | Path) -> Gltf:
    """Read the container. DataError, one line, for anything that is no whole and bounded binary glTF 2.0."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path}: has {size:,} bytes; at most {MAX_BYTES:,} are read")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    check_pointer(path, data[:64])
    if len(data) < 20 or data[:4] != MAGIC:
        more = " (a .gltf is text; save it as .glb)" if data[:1] == b"{" else ""
        raise DataError(f"{path}: is no binary glTF{more}")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise DataError(f"{path}: is glTF version {version}; version 2 is read")
    if length > len(data):
        raise DataError(f"{path}: is cut: {length:,} bytes announced, {len(data):,} there")
    json_size, kind = struct.unpack_from("<I4s", data, 12)
    if kind != b"JSON" or json_size > min(MAX_JSON, len(data) - 20):
        raise DataError(f"{path}: its description of {json_size:,} bytes is cut or too large")
    try:
        description = json.loads(data[20 : 20 + json_size].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its description is no JSON: {' '.join(str(error).split())[:100]}") from error
    if not isinstance(description, dict):
        raise DataError(f"{path}: its description is no object")
    blob, start = b"", 20 + json_size
    if start + 8 <= len(data):
        blob_size, kind = struct.unpack_from("<I4s", data, start)
        if kind == b"BIN\0":
            if blob_size > len(data) - start - 8:
                raise DataError(f"{path}: is cut: its numbers have {len(data) - start - 8:,} of {blob_size:,} bytes")
            blob = data[start + 8 : start + 8 + blob_size]
    return Gltf(path, description, blob)


def glb_container(description: dict[str, Any], blob: bytes) -> bytes:
    """The whole file of a description and its numbers."""
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    blob += b"\0" * (-len(blob) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if blob:
        chunks += struct.pack("<I4s", len(blob), b"BIN\0") + blob
    return struct.pack("<4sII", MAGIC, 2, 12 + len(chunks)) + chunks
