"""Writer of animated binary glTF (.glb): a skinned body on a skeleton of nodes, for Blender, Unity and web viewers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import UsageError
from motion_platform.core.files import atomic_path
from motion_platform.core.licences import combined
from motion_platform.motion.clip import Clip
from motion_platform.motion.conducting.lift import on_body
from motion_platform.motion.inverse_kinematics import posed, rotations_from_joints
from motion_platform.motion.io import write_rig
from motion_platform.motion.io.provenance import provenance
from motion_platform.motion.render.body import LEFT, RIGHT, Body, build_body
from motion_platform.motion.render.raster import tones
from motion_platform.motion.skeleton import Skeleton

AROUND, CAP = 16, 5
"""Vertices around a limb, and rings of each of its rounded ends."""

GAP = 0.6
"""Metres between motions that stand side by side."""

MAX_BYTES = 2**32 - 2**20
"""A glb counts its bytes with 32 bits."""

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
COMPONENT = {"float32": 5126, "uint32": 5125, "uint16": 5123, "uint8": 5121}
SHAPE = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


def write(clips: Sequence[Clip] | Clip, path: str | Path, *, one_body: bool = False) -> Path:
    """Write one glb. Metres, Y up, each clip at its own frame rate (as key times in seconds).

    Clips on a character of a .glb or .vrm go into a copy of its file, an animation each
    (:mod:`~motion_platform.motion.io.write_rig`).

    Several clips are several skinned bodies, moved along X until they stand side by side; one animation moves them all,
    because most viewers play only one; ``one_body``: one body with a named animation a clip, for engines. Rotations as
    in :func:`~motion_platform.motion.inverse_kinematics.posed`. A conductor is put on the 22 joints of HumanML3D, in
    3-D (:mod:`~motion_platform.motion.conducting.lift`). Errors: UsageError for no clips or more than a glb can hold;
    OutputError when the file cannot be written.
    """
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: there is no motion to write; give at least one")
    if any(clip.rig is not None and clip.rig.file is not None for clip in clips):
        return write_rig.write(clips, path)
    clips = [on_body(clip) for clip in clips]
    needed = sum(clip.joints.shape[0] * (clip.joints.shape[1] * 16 + 16) for clip in clips)
    if needed > MAX_BYTES:
        raise UsageError(f"{path}: the motions need {needed:,} bytes; a glb holds at most {MAX_BYTES:,}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(glb_bytes(clips, one_body or all(clip.rig is not None for clip in clips)))
    return Path(path)


def glb_bytes(clips: Sequence[Clip], one_body: bool) -> bytes:
    """The whole file."""
    import pygltflib as gl

    licences = [clip.info["licence"] for clip in clips if "licence" in clip.info]
    builder = _Builder(gl, f"motion: {combined(licences)}" if licences else None)
    if one_body:
        builder.add_named(clips)
        return builder.finish()
    edge = None
    for clip in clips:
        low, high = float(clip.joints[..., 0].min()), float(clip.joints[..., 0].max())
        shift = 0.0 if edge is None else edge + GAP - low
        edge = high + shift
        builder.add(clip, posed(clip), shift)
    return builder.finish()


Pose = tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]
"""As :func:`~motion_platform.motion.inverse_kinematics.posed` gives it."""


def posed_alike(clips: Sequence[Clip]) -> list[Pose]:
    """The poses of clips of one skeleton, with one rest pose for all. UsageError for clips of different skeletons."""
    first = clips[0].skeleton
    for clip in clips:
        if clip.skeleton.joints != first.joints or clip.skeleton.parents != first.parents:
            raise UsageError(
                f"motion {clip.name!r} is on skeleton {clip.skeleton.name}, the first on {first.name}: they cannot "
                "share one body (--retarget puts both on the 22 joints)"
            )
    single = [posed(clip) for clip in clips]
    if all(np.array_equal(offsets, single[0][1]) for _, offsets, _ in single):
        return single
    # Bones of different lengths: the mean of all, and the rotations that go with it.
    joints = np.concatenate([clip.joints for clip in clips])
    local, offsets = rotations_from_joints(joints, first)
    out: list[Pose] = []
    at = 0
    for clip in clips:
        out.append((local[at : at + len(clip)], offsets, {0: clip.joints[:, 0].astype(np.float64)}))
        at += len(clip)
    return out


class _Builder:
    def __init__(self, gl: Any, copyright: str | None = None) -> None:
        self.gl = gl
        self.file = gl.GLTF2(
            asset=gl.Asset(version="2.0", generator="motion-platform", copyright=copyright),
            scene=0,
            scenes=[gl.Scene(nodes=[])],
        )
        plain = gl.PbrMetallicRoughness(baseColorFactor=[1.0, 1.0, 1.0, 1.0], metallicFactor=0.0, roughnessFactor=0.7)
        self.file.materials = [gl.Material(name="body", pbrMetallicRoughness=plain)]
        self.file.animations = []
        self.blob: list[bytes] = []
        self.size = 0

    def accessor(self, values: np.ndarray, target: int | None = None, bounds: bool = False, unit: bool = False) -> int:
        """Store (N,) or (N, C) values; returns the accessor's number. unit: integers that stand for 0..1."""
        gl, values = self.gl, np.ascontiguousarray(values)
        raw = values.tobytes()
        self.file.bufferViews.append(gl.BufferView(buffer=0, byteOffset=self.size, byteLength=len(raw), target=target))
        self.blob.append(raw + b"\0" * (-len(raw) % 4))
        self.size += len(self.blob[-1])
        flat = values.reshape(len(values), -1)
        made = gl.Accessor(
            bufferView=len(self.file.bufferViews) - 1,
            componentType=COMPONENT[values.dtype.name],
            count=len(values),
            type=SHAPE[flat.shape[1]],
        )
        if unit:
            made.normalized = True
        if bounds:
            made.min, made.max = ([float(v) for v in edge] for edge in (flat.min(0), flat.max(0)))
        self.file.accessors.append(made)
        return len(self.file.accessors) - 1

    def add_named(self, clips: Sequence[Clip]) -> None:
        """One body, and an animation for each motion, named as the motion is."""
        poses = posed_alike(clips)
        for k, (clip, pose, name) in enumerate(zip(clips, poses, write_rig.unique_names(clips), strict=True)):
            extras = provenance(clip)
            self.file.animations.append(self.gl.Animation(name=name, channels=[], samplers=[], extras=extras))
            if k == 0:
                self.add(clip, pose, 0.0)
            else:
                self.channels(clip, pose, 0)

    def add(self, clip: Clip, pose: Pose, shift: float) -> None:
        """One motion: skeleton nodes, a skinned mesh, and its channels."""
        gl, file, skeleton = self.gl, self.file, clip.skeleton
        if not file.animations:
            file.animations.append(gl.Animation(name="motion", channels=[], samplers=[]))
        local, offsets, moved = pose
        rest = offsets.copy()
        rest[0] = 0.0
        for parent, child in skeleton.bones:
            rest[child] += rest[parent]

        first = len(file.nodes)
        for j, joint in enumerate(skeleton.joints):
            start = moved[j][0] if j in moved else offsets[j]
            children = [first + child for parent, child in skeleton.bones if parent == j]
            node = gl.Node(name=joint, translation=_floats(start), rotation=_floats(_unit(local[0, j])))
            node.children = children
            file.nodes.append(node)
        stand = gl.Node(name=clip.name, translation=[shift, 0.0, 0.0], children=[first])
        stand.extras = provenance(clip)
        file.nodes.append(stand)

        body = build_body(clip)
        positions, normals, colours, owners, faces = body_mesh(skeleton, body, body.place(rest))
        many = len(skeleton) > 255
        joints = np.zeros((len(positions), 4), np.uint16 if many else np.uint8)
        joints[:, 0] = owners
        weights = np.zeros((len(positions), 4), np.float32)
        weights[:, 0] = 1.0
        attributes = gl.Attributes(
            POSITION=self.accessor(positions, ARRAY_BUFFER, bounds=True),
            NORMAL=self.accessor(normals, ARRAY_BUFFER),
            COLOR_0=self.accessor(colours, ARRAY_BUFFER, unit=True),
            JOINTS_0=self.accessor(joints, ARRAY_BUFFER),
            WEIGHTS_0=self.accessor(weights, ARRAY_BUFFER),
        )
        corners = faces.reshape(-1).astype(np.uint32 if len(positions) > 65534 else np.uint16)
        primitive = gl.Primitive(
            attributes=attributes, indices=self.accessor(corners, ELEMENT_ARRAY_BUFFER), material=0
        )
        file.meshes.append(gl.Mesh(name=clip.name, primitives=[primitive]))
        inverse = np.tile(np.eye(4, dtype=np.float32), (len(skeleton), 1, 1))
        inverse[:, 3, :3] = -rest  # column-major: the last four numbers are the translation
        file.skins.append(
            gl.Skin(
                name=clip.name,
                inverseBindMatrices=self.accessor(inverse.reshape(-1, 16)),
                joints=list(range(first, first + len(skeleton))),
                skeleton=first,
            )
        )
        file.nodes.append(gl.Node(name=f"{clip.name} body", mesh=len(file.meshes) - 1, skin=len(file.skins) - 1))
        file.scenes[0].nodes += [len(file.nodes) - 2, len(file.nodes) - 1]

        self.channels(clip, pose, first)

    def channels(self, clip: Clip, pose: Pose, first: int) -> None:
        """The channels of one motion on the skeleton whose nodes begin at ``first``, in the last animation."""
        local, _, moved = pose
        skeleton = clip.skeleton
        times = self.accessor((np.arange(len(clip)) / clip.fps).astype(np.float32), bounds=True)
        for j in range(len(skeleton)):
            if len(self.file.animations) > 1 or np.abs(local[:, j] - local[0, j]).max() > 1e-7 or j == 0:
                self.channel(first + j, "rotation", times, _unit(local[:, j]).astype(np.float32))
        for j, track in moved.items():
            self.channel(first + j, "translation", times, track.astype(np.float32))

    def channel(self, node: int, path: str, times: int, values: np.ndarray) -> None:
        animation = self.file.animations[-1]
        animation.samplers.append(
            self.gl.AnimationSampler(input=times, output=self.accessor(values), interpolation="LINEAR")
        )
        target = self.gl.AnimationChannelTarget(node=node, path=path)
        animation.channels.append(self.gl.AnimationChannel(sampler=len(animation.samplers) - 1, target=target))

    def finish(self) -> bytes:
        self.file.buffers = [self.gl.Buffer(byteLength=self.size)]
        self.file.set_binary_blob(b"".join(self.blob))
        return b"".join(self.file.save_to_bytes())


def body_mesh(
    skeleton: Skeleton, body: Body, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tapered capsules around placed points (K, 3) of the rest pose.

    Returns positions (V, 3), normals (V, 3) float32, colours (V, 4) uint8 in linear light, owners (V,): the joint that
    carries a vertex, faces (F, 3).
    """
    turn = 2 * np.pi * np.arange(AROUND) / AROUND
    positions, normals, colours, owners, faces = [], [], [], [], []
    linear = np.round(tones() ** 2.2 * 255).astype(np.uint8)
    count = 0
    for (a, b), (ra, rb), tone in zip(body.ends, body.radii, body.tones, strict=True):
        axis = points[b] - points[a]
        length = np.linalg.norm(axis)
        axis = axis / length if length > 1e-9 else np.array([0.0, 1.0, 0.0])
        side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
        side /= np.linalg.norm(side)
        other = np.cross(axis, side)
        # Both spheres meet the cone where its surface touches them, so the joined surface is smooth.
        tilt = np.arcsin(np.clip((ra - rb) / max(length, 1e-9), -1, 1))
        # The outermost rings are tiny, not points: every vertex keeps a normal of its own and no face is empty.
        angle = np.concatenate([np.linspace(-np.pi / 2 + 0.02, tilt, CAP), np.linspace(tilt, np.pi / 2 - 0.02, CAP)])
        ring = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * other
        normal = np.cos(angle)[:, None, None] * ring + np.sin(angle)[:, None, None] * axis
        centre = np.repeat([points[a], points[b]], CAP, axis=0)[:, None]
        radius = np.repeat([ra, rb], CAP)[:, None, None]
        positions.append((centre + radius * normal).reshape(-1, 3))
        normals.append(normal.reshape(-1, 3))
        colours.append(np.tile([*linear[tone], 255], (2 * CAP * AROUND, 1)))
        owners.append(np.repeat(_carriers(skeleton, body, a, b, tone), CAP * AROUND))
        lower = (np.arange(2 * CAP - 1)[:, None] * AROUND + np.arange(AROUND)).reshape(-1)
        right = (np.arange(2 * CAP - 1)[:, None] * AROUND + (np.arange(AROUND) + 1) % AROUND).reshape(-1)
        quads = np.concatenate(
            [np.stack([lower, right, lower + AROUND], -1), np.stack([right, right + AROUND, lower + AROUND], -1)]
        )
        faces.append(quads + count)
        count += 2 * CAP * AROUND
    return (
        np.concatenate(positions).astype(np.float32),
        _unit(np.concatenate(normals)).astype(np.float32),
        np.concatenate(colours).astype(np.uint8),
        np.concatenate(owners),
        np.concatenate(faces),
    )


def _carriers(skeleton: Skeleton, body: Body, a: int, b: int, tone: int) -> list[int]:
    """The joints that carry the two ends of a capsule.

    A bone is carried by the joint at which it starts. On the trunk an end at a joint moves with what that joint hangs
    from; on a limb a shape that starts at a joint (hand, heel) moves with the joint.
    """

    def joint(point: int) -> int | None:
        used = np.flatnonzero(np.abs(body.weights[point]) > 1e-9)
        return int(used[0]) if len(used) == 1 else None

    def above(j: int) -> int:
        return max(skeleton.parents[j], 0)

    start, end = joint(a), joint(b)
    if start is not None and end is not None and skeleton.parents[end] == start:
        return [start, start]
    limb = tone in (LEFT, RIGHT)
    first = int(body.owner[a]) if start is None else start if limb or a == b else above(start)
    second = int(body.owner[b]) if end is None else first if a == b else above(end)
    return [first, second]


def _unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def _floats(values: np.ndarray) -> list[float]:
    return [float(v) for v in values]
