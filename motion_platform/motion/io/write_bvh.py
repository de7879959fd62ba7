"""Writer of Biovision Hierarchy (BVH) files: centimetres or another unit, Y up, rotation channels Z X Y, opens in
Blender and Maya."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.files import atomic_path, numbered
from motion_platform.motion.clip import Clip
from motion_platform.motion.conducting.lift import on_body
from motion_platform.motion.inverse_kinematics import posed
from motion_platform.motion.io.euler import quaternion_to_matrix
from motion_platform.motion.io.units import UNITS
from motion_platform.motion.skeleton import Skeleton

TIP = 0.5
"""Length of a bone without a known end (hands, head, toes) as a share of the bone before it."""


def write(clips: Sequence[Clip] | Clip, path: str | Path, *, unit: str | None = None) -> list[Path]:
    """Write BVH: one motion a file, so several clips become ``walk_1.bvh``, ``walk_2.bvh``, ... Returns their paths.

    A clip with rotations keeps them (and its moving bones, as position channels); for any other, rotations are found by
    :func:`~motion_platform.motion.inverse_kinematics.rotations_from_joints`. Angles are continuous over time. A
    conductor is put on the 22 joints of HumanML3D, in 3-D (:mod:`~motion_platform.motion.conducting.lift`). ``unit``:
    m, dm, cm, mm, inch, cmu (default: that of the .bvh rig that a motion was put on, else cm). Errors: UsageError for
    no clips; OutputError when a file cannot be written.
    """
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    path = Path(path)
    if not clips:
        raise UsageError(f"{path}: there is no motion to write; give at least one")
    paths = numbered(path, len(clips))
    for clip, target in zip(clips, paths, strict=True):
        own = clip.rig.info.get("unit") if clip.rig is not None and clip.rig.file is None else None
        text = bvh_text(on_body(clip), unit or own or "cm")
        with atomic_path(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths


def bvh_text(clip: Clip, unit: str = "cm") -> str:
    """The whole file as text. UnknownName for an unknown unit."""
    if unit not in UNITS:
        raise UnknownName("unit", unit, UNITS, "--unit")
    size = 1 / UNITS[unit]
    skeleton = clip.skeleton
    local, offsets, positions = posed(clip)
    angles = np.degrees(continuous_euler(quaternion_to_matrix(local)))
    order = depth_first(skeleton)
    names = _unique_names(skeleton)
    columns = []
    for j in order:
        if j in positions:
            columns.append(positions[j] * size)
        columns.append(angles[:, j])
    head = ["HIERARCHY", *_hierarchy(skeleton, names, offsets * size, set(positions), _tips(clip, offsets), size)]
    head += ["MOTION", f"Frames: {len(clip)}", f"Frame Time: {1 / clip.fps:.9f}"]
    out = io.StringIO()
    np.savetxt(out, np.concatenate(columns, axis=1), fmt="%.5f")
    return "\n".join(head) + "\n" + out.getvalue()


def continuous_euler(matrices: np.ndarray) -> np.ndarray:
    """(T, ..., 3, 3) -> angles (T, ..., 3) about Z, X, Y in radians with R = Rz Rx Ry, without jumps over time.

    Every rotation has two such triples, (z, x, y) and (z + pi, pi - x, y + pi): the one nearer to the frame before is
    taken, then whole turns are added. At the pole (x = 90 degrees) Y is zero.
    """
    sine = np.clip(matrices[..., 2, 1], -1.0, 1.0)
    z = np.arctan2(-matrices[..., 0, 1], matrices[..., 1, 1])
    y = np.arctan2(-matrices[..., 2, 0], matrices[..., 2, 2])
    pole = np.hypot(matrices[..., 0, 1], matrices[..., 1, 1]) < 1e-7
    z = np.where(pole, np.arctan2(matrices[..., 1, 0], matrices[..., 0, 0]), z)
    one = np.stack([z, np.arcsin(sine), np.where(pole, 0.0, y)], axis=-1)
    two = np.stack([one[..., 0] + np.pi, np.pi - one[..., 1], one[..., 2] + np.pi], axis=-1)

    def far(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.abs((a - b + np.pi) % (2 * np.pi) - np.pi).sum(-1)

    # Both triples change places when one step is shorter across than along; the distances are the same from either.
    across = far(two[1:], one[:-1]) < far(one[1:], one[:-1])
    second = np.concatenate([np.zeros_like(across[:1]), np.cumsum(across, axis=0) % 2 == 1]) if len(one) > 1 else None
    chosen = one if second is None else np.where(second[..., None], two, one)
    return np.unwrap(chosen, axis=0)


def depth_first(skeleton: Skeleton) -> list[int]:
    """Joints in the order in which a nested hierarchy lists them."""
    order, waiting = [], [0]
    while waiting:
        j = waiting.pop()
        order.append(j)
        waiting += [child for parent, child in reversed(skeleton.bones) if parent == j]
    return order


def _tips(clip: Clip, offsets: np.ndarray) -> dict[int, list[np.ndarray]]:
    """End Sites of the joints without children: the source's own, else half a bone further."""
    known = clip.info.get("end_sites", {}) if clip.rotations is not None else {}
    inner = {parent for parent, _ in clip.skeleton.bones}
    tips = {}
    for j, joint in enumerate(clip.skeleton.joints):
        if j in inner:
            continue
        own = [np.asarray(tip, np.float64) for tip in known.get(joint, [])]
        guess = TIP * offsets[j] if offsets[j].any() else np.array([0.0, 0.05, 0.0])
        tips[j] = own or [guess]
    return tips


def _unique_names(skeleton: Skeleton) -> list[str]:
    names: list[str] = []
    for joint in skeleton.joints:
        # One word each, which every program reads; names that came with blanks from a BVH (3ds Max) go back so.
        words = " ".join(joint.split())
        name = re.sub(r"[{}]+" if skeleton.name.startswith("bvh:") else r"[\s{}]+", "_", words) or "joint"
        while name in names:
            name += "_"
        names.append(name)
    return names


def _hierarchy(
    skeleton: Skeleton,
    names: list[str],
    offsets: np.ndarray,
    moving: set[int],
    tips: dict[int, list[np.ndarray]],
    size: float,
) -> list[str]:
    children: dict[int, list[int]] = {}
    for parent, child in skeleton.bones:
        children.setdefault(parent, []).append(child)
    lines: list[str] = []
    waiting: list[tuple[int, int] | str] = [(0, 0)]
    while waiting:  # a stack: a tree may be deeper than Python's recursion
        item = waiting.pop()
        if isinstance(item, str):
            lines.append(item)
            continue
        j, depth = item
        tab = "\t" * depth
        lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {names[j]}", f"{tab}{{", f"{tab}\tOFFSET {_vector(offsets[j])}"]
        channels = ["Xposition Yposition Zposition"] if j in moving else []
        channels.append("Zrotation Xrotation Yrotation")
        lines.append(f"{tab}\tCHANNELS {6 if j in moving else 3} {' '.join(channels)}")
        for tip in tips.get(j, []):
            lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {_vector(tip * size)}", f"{tab}\t}}"]
        waiting.append(f"{tab}}}")
        waiting += [(child, depth + 1) for child in reversed(children.get(j, []))]
    return lines


def _vector(values: np.ndarray) -> str:
    return " ".join(f"{value + 0.0:.6f}" for value in values)
