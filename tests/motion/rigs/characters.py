"""A character as modelling programs export it, made by the test itself: bones along their own Y, an armature that is
turned and scaled, a twist bone, fingers, a skin; and the numbers of a glb as an independent reader sees them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

# joint: (parent, world place in metres in an A-pose that faces Z+)
PLACES: dict[str, tuple[str, tuple[float, float, float]]] = {
    "root": ("", (0.0, 0.0, 0.0)),
    "Hips": ("root", (0.0, 1.0, 0.0)),
    "Spine": ("Hips", (0.0, 1.1, -0.01)),
    "Chest": ("Spine", (0.0, 1.25, -0.01)),
    "Neck": ("Chest", (0.0, 1.5, -0.02)),
    "Head": ("Neck", (0.0, 1.6, 0.0)),
}
for _side, _sign in (("Left", 1.0), ("Right", -1.0)):
    PLACES |= {
        f"{_side}Shoulder": ("Chest", (_sign * 0.04, 1.45, 0.0)),
        f"{_side}UpperArm": (f"{_side}Shoulder", (_sign * 0.17, 1.44, -0.01)),
        f"{_side}ArmTwist": (f"{_side}UpperArm", (_sign * 0.27, 1.34, -0.01)),
        f"{_side}LowerArm": (f"{_side}ArmTwist", (_sign * 0.37, 1.24, -0.01)),
        f"{_side}Hand": (f"{_side}LowerArm", (_sign * 0.56, 1.05, 0.02)),
        f"{_side}Index1": (f"{_side}Hand", (_sign * 0.62, 0.99, 0.04)),
        f"{_side}UpperLeg": ("Hips", (_sign * 0.1, 0.95, 0.0)),
        f"{_side}LowerLeg": (f"{_side}UpperLeg", (_sign * 0.11, 0.52, 0.01)),
        f"{_side}Foot": (f"{_side}LowerLeg", (_sign * 0.12, 0.09, -0.02)),
        f"{_side}Toes": (f"{_side}Foot", (_sign * 0.14, 0.01, 0.13)),
    }


def character_glb(facing: float = 0.0, scale: float = 0.01, vrm: bool = False) -> bytes:
    """The file. facing: degrees about Y. scale: of the armature, whose nodes are in units of that many metres."""
    names = list(PLACES)
    turned = Rotation.from_euler("y", facing, degrees=True)
    place = {name: turned.apply(np.array(at)) for name, (_, at) in PLACES.items()}
    world: dict[str, Rotation] = {}
    for name in names:  # a bone's Y points to its first child, as Blender has it
        child = next((c for c in names if PLACES[c][0] == name), None)
        along = place[child] - place[name] if child else np.array([0.0, 1.0, 0.1])
        along = along / np.linalg.norm(along) if np.linalg.norm(along) > 1e-6 else np.array([0.0, 1.0, 0.0])
        world[name] = Rotation.align_vectors([along, [0.2, 0.1, 1.0]], [[0, 1, 0], [0, 0, 1]], weights=[1e6, 1])[0]
    armature = Rotation.from_euler("x", -90, degrees=True)
    nodes: list[dict[str, Any]] = [
        {"name": "Armature", "rotation": armature.as_quat().tolist(), "scale": [scale] * 3, "children": [1]}
    ]
    inverse = []
    for name in names:
        parent = PLACES[name][0]
        above = world[parent] if parent else armature
        origin = place[parent] if parent else np.zeros(3)
        node: dict[str, Any] = {
            "name": name,
            "translation": (above.inv().apply(place[name] - origin) / scale).tolist(),
            "rotation": (above.inv() * world[name]).as_quat().tolist(),
        }
        children = [1 + names.index(c) for c in names if PLACES[c][0] == name]
        nodes.append(node | ({"children": children} if children else {}))
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = world[name].as_matrix() * scale, place[name]
        inverse.append(np.linalg.inv(matrix).T.astype("<f4"))
    blob = np.stack(inverse).tobytes()
    corner = len(blob)
    blob += np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0]], "<f4").tobytes()
    blob += np.array([[1, 0, 0, 0]] * 3, "<f4").tobytes() + np.zeros((3, 4), "u1").tobytes()
    nodes.append({"name": "Body", "mesh": 0, "skin": 0})
    description: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "a test", "copyright": "nobody"},
        "scene": 0, "scenes": [{"nodes": [0, len(nodes) - 1]}], "nodes": nodes,
        "skins": [{"joints": list(range(1, 1 + len(names))), "inverseBindMatrices": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 1, "WEIGHTS_0": 2, "JOINTS_0": 3}}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(names), "type": "MAT4"},
            {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 2, "componentType": 5126, "count": 3, "type": "VEC4"},
            {"bufferView": 3, "componentType": 5121, "count": 3, "type": "VEC4"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": corner}, {"buffer": 0, "byteOffset": corner, "byteLength": 36},
            {"buffer": 0, "byteOffset": corner + 36, "byteLength": 48},
            {"buffer": 0, "byteOffset": corner + 84, "byteLength": 12},
        ],
        "buffers": [{"byteLength": len(blob)}],
    }  # fmt: skip
    if vrm:
        human = {n[0].lower() + n[1:]: 1 + names.index(n) for n in names if "Twist" not in n and "Index" not in n}
        bones = {bone: {"node": node} for bone, node in human.items() if bone != "root"}
        for k in range(len(names)):  # names that say nothing: the table must
            nodes[1 + k]["name"] = f"bone{k}"
        description["extensionsUsed"] = ["VRMC_vrm"]
        description["extensions"] = {"VRMC_vrm": {"specVersion": "1.0", "humanoid": {"humanBones": bones}}}
    return container(description, blob)


def container(description: dict[str, Any], blob: bytes = b"") -> bytes:
    text = json.dumps(description).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if blob:
        chunks += struct.pack("<I4s", len(blob), b"BIN\0") + blob
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


class Seen:
    """A glb as a viewer sees it, read without the library."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        size = struct.unpack_from("<I", raw, 12)[0]
        self.json = json.loads(raw[20 : 20 + size])
        self.blob = raw[28 + size :]

    def values(self, accessor: int) -> np.ndarray:
        entry = self.json["accessors"][accessor]
        view = self.json["bufferViews"][entry["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[entry["type"]]
        found = np.frombuffer(self.blob, "<f4", entry["count"] * width, view.get("byteOffset", 0))
        return found.reshape(entry["count"], width).astype(np.float64)

    def worlds(self, animation: int, frame: int) -> dict[str, np.ndarray]:
        """Node name -> (4, 4) at a key frame of an animation."""
        tracks = {}
        for channel in self.json["animations"][animation]["channels"]:
            sampler = self.json["animations"][animation]["samplers"][channel["sampler"]]
            tracks[channel["target"]["node"], channel["target"]["path"]] = self.values(sampler["output"])[frame]
        nodes, out = self.json["nodes"], {}
        waiting = [(n, np.eye(4)) for n in self.json["scenes"][0]["nodes"]]
        while waiting:
            n, above = waiting.pop()
            own = np.eye(4)
            turn = Rotation.from_quat(tracks.get((n, "rotation"), nodes[n].get("rotation", [0, 0, 0, 1])))
            own[:3, :3] = turn.as_matrix() * np.array(nodes[n].get("scale", [1, 1, 1]))
            own[:3, 3] = tracks.get((n, "translation"), nodes[n].get("translation", [0, 0, 0]))
            out[nodes[n].get("name", str(n))] = above @ own
            waiting += [(child, above @ own) for child in nodes[n].get("children", [])]
        return out
