"""Writer of motions into somebody's own character (.glb, .vrm): its file as it is, with an animation a motion.

Everything that the file holds stays (meshes, skins, materials, its own animations); ours stand before them, named, and
move the joints of the skeleton. Channels are added only for joints that move.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import UsageError
from motion_platform.core.files import atomic_path
from motion_platform.motion.clip import Clip
from motion_platform.motion.inverse_kinematics import posed
from motion_platform.motion.io.euler import quaternion_multiply, quaternion_to_matrix, unroll
from motion_platform.motion.io.gltf import glb_container
from motion_platform.motion.io.provenance import provenance
from motion_platform.motion.io.read_glb import Tree

STILL = 1e-6
"""Change of a quaternion's component below which a joint has no channel."""


def write(clips: Sequence[Clip], path: str | Path) -> Path:
    """Write clips that are on one .glb or .vrm rig into a copy of its file. Errors: UsageError for clips on different
    rigs; OutputError when the file cannot be written."""
    rig = clips[0].rig
    if rig is None or rig.file is None or rig.tree is None or any(clip.rig is not rig for clip in clips):
        raise UsageError(f"{path}: the motions are not all on one character of a .glb or .vrm")
    description = copy.deepcopy(rig.file.json)
    blob = Blob(description, rig.file.blob)
    own = [_animation(clip, rig.tree, blob, name) for clip, name in zip(clips, unique_names(clips), strict=True)]
    description["animations"] = [*own, *description.get("animations", [])]
    if not description.get("buffers"):
        description["buffers"] = [{}]
    description["buffers"][0]["byteLength"] = blob.size
    with atomic_path(path) as temporary:
        temporary.write_bytes(glb_container(description, b"".join(blob.parts)))
    return Path(path)


def unique_names(clips: Sequence[Clip]) -> list[str]:
    """The clips' names, all different."""
    names: list[str] = []
    for clip in clips:
        name, number = clip.name, 2
        while name in names:
            name, number = f"{clip.name}_{number}", number + 1
        names.append(name)
    return names


class Blob:
    """The numbers of a file, and room for more behind them."""

    def __init__(self, description: dict[str, Any], blob: bytes) -> None:
        blob += b"\0" * (-len(blob) % 4)
        self.parts, self.size, self.description = [blob], len(blob), description

    def accessor(self, values: np.ndarray, bounds: bool = False) -> int:
        """Store (N,), (N, 3) or (N, 4) float32 values; the accessor's number."""
        values = np.ascontiguousarray(values, np.float32)
        raw = values.tobytes()
        views = self.description.setdefault("bufferViews", [])
        views.append({"buffer": 0, "byteOffset": self.size, "byteLength": len(raw)})
        self.parts.append(raw)
        self.size += len(raw)
        kind = {1: "SCALAR", 2: f"VEC{values.shape[-1]}"}[values.ndim]
        entry: dict[str, Any] = {
            "bufferView": len(views) - 1, "componentType": 5126, "count": len(values), "type": kind,
        }  # fmt: skip
        if bounds:
            entry["min"], entry["max"] = [float(values.min())], [float(values.max())]
        accessors = self.description.setdefault("accessors", [])
        accessors.append(entry)
        return len(accessors) - 1


def _animation(clip: Clip, tree: Tree, blob: Blob, name: str) -> dict[str, Any]:
    """The animation of one clip, in the axes of the file's own nodes."""
    local, _, moved = posed(clip)
    before = tree.turned[np.maximum(tree.parents, 0)].copy()
    before[0] = quaternion_multiply(tree.turned[0], tree.rest[0] * [-1, -1, -1, 1])
    back = before * [-1, -1, -1, 1]
    nodes = unroll(quaternion_multiply(quaternion_multiply(back[None], local), tree.turned[None]))
    times = blob.accessor(np.arange(len(clip)) / clip.fps, bounds=True)
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []

    def channel(joint: int, path: str, values: np.ndarray) -> None:
        samplers.append({"input": times, "output": blob.accessor(values), "interpolation": "LINEAR"})
        target = {"node": tree.nodes[joint], "path": path}
        channels.append({"sampler": len(samplers) - 1, "target": target})

    for j in range(len(tree.nodes)):
        turns = nodes[:, j]
        still = np.abs(turns - turns[:1]).max() < STILL
        if not still or np.abs(np.abs((turns[0] * tree.rest[j]).sum()) - 1) > STILL:
            channel(j, "rotation", turns)
    for j, track in moved.items():
        if j == 0:
            values = (track - tree.above[:3, 3]) @ np.linalg.inv(tree.above[:3, :3]).T
        else:
            values = np.einsum("ki,tk->ti", quaternion_to_matrix(before[j]), track) / tree.scales[j]
        channel(j, "translation", values)
    return {"name": name, "channels": channels, "samplers": samplers, "extras": provenance(clip)}
