"""Writer of VRM animations (.vrma): motion for any VRM character, as VTuber and avatar programs load it.

A .vrma is a binary glTF without a mesh: a T-posed skeleton, a table that says which node is which human bone (extension
``VRMC_vrm_animation`` 1.0 of the VRM consortium), and one animation of rotations and of the hips' place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import UsageError
from motion_platform.core.files import atomic_path, numbered
from motion_platform.motion.clip import Clip
from motion_platform.motion.conducting.lift import on_body
from motion_platform.motion.inverse_kinematics import posed
from motion_platform.motion.io.gltf import glb_container
from motion_platform.motion.io.provenance import provenance
from motion_platform.motion.io.write_rig import Blob
from motion_platform.motion.skeleton import get_skeleton


def write(clips: Clip | Sequence[Clip], path: str | Path) -> list[Path]:
    """Write .vrma: one motion a file, so several clips become ``walk_1.vrma``, ... Returns their paths.

    Errors: UsageError for no clips, or for a skeleton other than the 22 joints; OutputError when a file cannot be
    written.
    """
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    path = Path(path)
    if not clips:
        raise UsageError(f"{path}: there is no motion to write; give at least one")
    paths = numbered(path, len(clips))
    for clip, target in zip(clips, paths, strict=True):
        raw = vrma_bytes(on_body(clip), path)
        with atomic_path(target) as temporary:
            temporary.write_bytes(raw)
    return paths


def vrma_bytes(clip: Clip, path: Path) -> bytes:
    """The whole file of one clip. UsageError for a skeleton other than the 22 joints."""
    from motion_platform.motion.rigs.naming import written_names

    base = get_skeleton("humanml3d")
    if clip.skeleton.joints != base.joints:
        raise UsageError(
            f"{path}: motion {clip.name!r} is on skeleton {clip.skeleton.name}; a .vrma holds the 22 joints "
            "(--retarget)"
        )
    bones = written_names("vrm")
    local, offsets, _ = posed(clip.with_(rotations=None))  # with the T-pose as rest, which VRM asks for
    rest = offsets.copy()
    for parent, child in base.bones:
        rest[child] += rest[parent]
    rest[:, 1] -= rest[:, 1].min()  # the hips' height above the floor, which characters are scaled by
    nodes: list[dict[str, Any]] = []
    for j, joint in enumerate(base.joints):
        place = offsets[j] if j else rest[0]
        node: dict[str, Any] = {"name": bones[joint], "translation": [float(v) for v in place]}
        children = [child for parent, child in base.bones if parent == j]
        if children:
            node["children"] = children
        nodes.append(node)
    licence = {"copyright": f"motion: {clip.info['licence']}"} if "licence" in clip.info else {}
    description: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "motion-platform", "extras": provenance(clip)} | licence,
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {
            "VRMC_vrm_animation": {
                "specVersion": "1.0",
                "humanoid": {"humanBones": {bones[joint]: {"node": j} for j, joint in enumerate(base.joints)}},
            }
        },
        "scene": 0, "scenes": [{"nodes": [0]}], "nodes": nodes,
    }  # fmt: skip
    blob = Blob(description, b"")
    times = blob.accessor(np.arange(len(clip)) / clip.fps, bounds=True)
    tracks = [(j, "rotation", local[:, j]) for j in range(len(base))]
    tracks.append((0, "translation", clip.joints[:, 0].astype(np.float64)))
    samplers, channels = [], []
    for j, kind, values in tracks:
        samplers.append({"input": times, "output": blob.accessor(values), "interpolation": "LINEAR"})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": j, "path": kind}})
    description["animations"] = [{"name": clip.name, "channels": channels, "samplers": samplers}]
    description["buffers"] = [{"byteLength": blob.size}]
    return glb_container(description, b"".join(blob.parts))
