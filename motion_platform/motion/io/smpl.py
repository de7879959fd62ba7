"""Motions as parameters of SMPL: AMASS, and what reads people out of films (GVHMR, WHAM); told apart by their fields.

Only the pose and the path are in such a file; where the joints are, the licensed body model says, which does not ship.
``T_POSE`` stands in for it, or ``body`` names a file with the rest joints of the person's shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.io import arrays, provenance
from motion_platform.motion.io.euler import (
    axis_angle_to_quaternion,
    forward_kinematics,
    quaternion_multiply,
    quaternion_to_matrix,
    unroll,
)
from motion_platform.motion.io.units import TURNS, UPS, to_y_up
from motion_platform.motion.skeleton import Skeleton, get_skeleton

PROVENANCE = "motion_platform_provenance"
"""The field with captions, model, seed and licence in a file that we wrote (write_smpl.py)."""
RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
BODY = 66
"""Values of a pose that are read: the turns of the 22 body joints, axis times angle. Hands and face follow them."""


@dataclass(frozen=True)
class Layout:
    """The fields of one program: the ``pose`` (T, .) in one field or several, root first, the path ``trans`` (T, 3) in
    metres; ``widths``: how many values its pose may have; ``usual_fps`` where a file does not say its rate (None: it
    must, or ``fps=``); ``up``: the axis of its world, "y", or None for AMASS's Z unless its bodies stand along Y."""

    program: str
    pose: tuple[str, ...]
    trans: str
    widths: tuple[int, ...]
    up: str | None = None
    usual_fps: float | None = None

    @property
    def fields(self) -> set[str]:
        return {*self.pose, self.trans, *RATES, PROVENANCE}


LAYOUTS = (
    Layout("AMASS", ("poses",), "trans", (66, 72, 156, 165)),
    Layout("AMASS in parts", ("root_orient", "pose_body"), "trans", (66,)),  # SMPL-X, as kimodo writes it
    Layout("GVHMR", ("global_orient", "body_pose"), "transl", (66, 72), up="y", usual_fps=30.0),  # films become 30 fps
    Layout("WHAM", ("pose_world",), "trans_world", (72,), up="y"),
)

BODY_FIELDS = {"J", "joints", "J_regressed"}

# Directions of SMPL's rest pose (arms out, palms down, legs a little apart) for a body without the licensed model file.
# Written by eye from the published figure; lengths come from the humanml3d skeleton.
T_POSE = {
    "left_hip": (0.58, -0.81, -0.08), "left_knee": (0.10, -0.99, 0.0), "left_ankle": (-0.03, -0.99, -0.10),
    "left_foot": (0.25, -0.40, 0.88), "spine1": (0.0, 0.97, -0.24), "spine2": (0.0, 1.0, 0.02),
    "spine3": (0.0, 1.0, 0.05), "neck": (0.0, 0.98, -0.19), "head": (0.0, 0.86, 0.51),
    "left_collar": (0.58, 0.80, -0.15), "left_shoulder": (0.93, 0.33, -0.14), "left_elbow": (0.99, -0.05, -0.10),
    "left_wrist": (1.0, 0.03, 0.0),
}  # fmt: skip


def layout_of(fields: set[str]) -> Layout | None:
    """The first layout whose pose and path are among the names of a file's fields."""
    return next((layout for layout in LAYOUTS if {*layout.pose, layout.trans} <= fields), None)


def known_layouts() -> str:
    """ "AMASS (poses, trans), ..." for messages."""
    return ", ".join(f"{layout.program} ({', '.join([*layout.pose, layout.trans])})" for layout in LAYOUTS)


def to_clip(
    path: Path,
    layout: Layout,
    found: Mapping[str, np.ndarray],
    *,
    fps: float | None = None,
    up: str | None = None,
    body: str | Path | None = None,
) -> Clip:
    """The clip of a file's fields. ``fps`` and ``up`` ("y", "z") overrule what it says or what is guessed; ``body``: an
    .npz or .npy with the rest joints of the person's shape, (22 or more, 3) in metres, under "J", "joints" or
    "J_regressed"; without it positions are off by centimetres for people of other builds than SMPL's mean body.

    Errors: DataError for wrong shapes, values that are not finite or a rate that is not said; UsageError for ``up``.
    """
    poses, trans = _pose(path, layout, found), arrays.real(found[layout.trans], f"{path}: {layout.trans}")
    if trans.shape != (len(poses), 3):
        raise DataError(f"{path}: {layout.trans} has shape {trans.shape}, not ({len(poses)}, 3)")
    if not 1 <= len(poses) <= MAX_FRAMES:
        raise DataError(f"{path}: has {len(poses)} frames; 1 to {MAX_FRAMES} are allowed")
    if not (np.isfinite(poses).all() and np.isfinite(trans).all()):
        raise DataError(f"{path}: {' or '.join([*layout.pose, layout.trans])} have a NaN or infinite value")
    if up not in (None, *UPS):
        raise UsageError(f"{path}: unknown up axis {up!r}; {suggest(up, UPS)}")
    notes: list[str] = []
    fps = fps or _rate(path, layout, found, notes)
    rest = _t_pose() if body is None else _rest_joints(Path(body))
    smpl = get_skeleton("humanml3d")  # the 22 body joints of SMPL, in its order
    offsets = _steps(rest)
    world = up or _upward(layout, poses, notes)
    rotations = axis_angle_to_quaternion(poses.reshape(-1, 22, 3))
    positions = np.tile(offsets, (len(poses), 1, 1))
    positions[:, 0] = rest[0] + trans
    if world != "y":  # the whole scene turns: the rest pose is Y up as it is, so only the root's rotation changes
        rotations[:, 0] = quaternion_multiply(TURNS[world], rotations[:, 0])
        positions[:, 0] = to_y_up(positions[:, 0], world)
    with np.errstate(over="ignore", invalid="ignore"):
        joints = forward_kinematics(rotations, positions, smpl.parents)
    skeleton = Skeleton("smpl", smpl.joints, smpl.parents, offsets, smpl.parts, smpl.mirror)
    stands_in = "stand-in" if body is None else Path(body).name
    info: dict[str, Any] = {"source": path.name, "unit": "m", "up": world, "body": stands_in}
    if notes:
        info["notes"] = notes
    clip = Clip(joints.astype(np.float32), fps, skeleton, unroll(rotations).astype(np.float32), path.stem, (), info)
    if PROVENANCE not in found:
        return clip
    (told,) = provenance.parse(str(found[PROVENANCE]), str(path))
    return provenance.told_of(clip, told)


def _pose(path: Path, layout: Layout, found: Mapping[str, np.ndarray]) -> np.ndarray:
    """(T, 66): the turns of the 22 body joints. DataError."""
    parts = [arrays.real(found[name], f"{path}: {name}") for name in layout.pose]
    shapes = " and ".join(f"{name} {part.shape}" for name, part in zip(layout.pose, parts, strict=True))
    same = all(part.ndim == 2 and len(part) == len(parts[0]) for part in parts)
    if not same or sum(part.shape[1] for part in parts) not in layout.widths:
        allowed = ", ".join(f"(T, {width})" for width in sorted(layout.widths, reverse=True))
        raise DataError(f"{path}: has {shapes}; {layout.program} has {allowed} in all")
    return np.concatenate(parts, axis=1)[:, :BODY]


def _rate(path: Path, layout: Layout, found: Mapping[str, np.ndarray], notes: list[str]) -> float:
    """Frames a second, as the file says or as its program always writes. DataError where neither is known."""
    rate = next((found[name] for name in RATES if name in found), None)
    if rate is not None and rate.size == 1:
        return float(arrays.real(rate, f"{path}: {RATES[0]}").reshape(()))
    if layout.usual_fps is None:
        raise DataError(f"{path}: has no single frame rate ({', '.join(RATES)}); say it: --fps N (fps= in Python)")
    notes.append(f"{layout.usual_fps:g} fps, as {layout.program} writes; say --fps N if that is wrong")
    return layout.usual_fps


def _upward(layout: Layout, poses: np.ndarray, notes: list[str]) -> str:
    """ "y", "-y" or "z": the axis along which the roots hold the bodies up in most frames, else that of the layout.

    A root without turn stands along Y; in a Z-up world one who stands has a root turned by 90 degrees about X; before
    a camera, whose Y points down, by 180.
    """
    usual = layout.up or "z"
    upright = quaternion_to_matrix(axis_angle_to_quaternion(poses[:, :3]))[..., 1]  # (T, 3): where the body's Y points
    for axis, along in (("y", upright[:, 1]), ("-y", -upright[:, 1]), ("z", upright[:, 2])):
        if axis != usual and (along > 0.8).mean() > 0.6:
            notes.append(
                f"read as {UPS[axis]}: its bodies stand so ({layout.program} is {UPS[usual]}); say --up {usual} "
                "if that is wrong"
            )
            return axis
    return usual


def rest_offsets() -> np.ndarray:
    """(22, 3) from parent to joint in the rest pose of the body that stands in for SMPL's, in metres."""
    return _steps(_t_pose())


def _steps(rest: np.ndarray) -> np.ndarray:
    return rest - rest[[max(parent, 0) for parent in get_skeleton("humanml3d").parents]]


def _t_pose() -> np.ndarray:
    """(22, 3) rest joints: the directions above, the lengths of the humanml3d skeleton."""
    skeleton = get_skeleton("humanml3d")
    assert skeleton.offsets is not None
    rest = np.zeros((len(skeleton), 3))
    for parent, j in skeleton.bones:
        name = skeleton.joints[j]
        direction = np.array(T_POSE[name.replace("right", "left")]) * ([-1, 1, 1] if name.startswith("right") else 1)
        rest[j] = rest[parent] + direction / np.linalg.norm(direction) * np.linalg.norm(skeleton.offsets[j])
    return rest


def _rest_joints(path: Path) -> np.ndarray:
    if not path.is_file():
        raise DataError(f"{path}: no such file with rest joints")
    if path.suffix.lower() == ".npy":
        found = arrays.load_array(path)
    else:
        fields = arrays.load_arrays(path, BODY_FIELDS)
        if not fields:
            raise DataError(f"{path}: has none of J, joints, J_regressed")
        found = next(iter(fields.values()))
    found = arrays.real(found, str(path))
    if found.ndim != 2 or found.shape[0] < 22 or found.shape[1] != 3 or not np.isfinite(found).all():
        raise DataError(f"{path}: rest joints must be finite (22 or more, 3), got {found.shape}")
    return found[:22]
