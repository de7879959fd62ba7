"""HumanML3D and KIT-ML .npy files, told apart by shape: joints (T, 22|21, 3) or features (T, 263|67|251); several
motions of one length as joints (N, T, 22|21, 3). Written are those of HumanML3D."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.files import atomic_path, numbered
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.io import arrays
from motion_platform.motion.io.layouts import check_layout
from motion_platform.motion.io.units import body_height, find_unit, find_up, to_y_up
from motion_platform.motion.skeleton import Skeleton, get_skeleton

FEATURES = {263: "humanml3d", 67: "humanml3d_essential", 251: "kit_ml"}
SMPL_JOINTS = (24, 52, 55, 127)
"""SMPL, SMPL-H and SMPL-X: the first 22 are the joints of HumanML3D."""
JOINTS = {22: ("humanml3d", 20.0), 21: ("kit", 12.5)}


def write(clips: Clip | Sequence[Clip], path: str | Path, *, layout: str | None = None) -> list[Path]:
    """Write HumanML3D's files: one motion a file, float32, Y up, metres, 22 joints at 20 fps; returns their paths.

    layout: "joints" (T, 22, 3) as in ``new_joints`` (default), or "features" (T - 1, 263), raw, as in
    ``new_joint_vecs``. Another body or frame rate is retargeted first, to the floor, facing Z+. Errors: UsageError for
    no clips; UnknownName for another layout; DataError for a body on which the 22 joints are not found, or one frame
    as features; OutputError.
    """
    from motion_platform.motion.retarget import on_22_joints

    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: there is no motion to write; give at least one")
    layout = "joints" if layout is None else layout
    check_layout(layout, path)
    paths = numbered(path, len(clips))
    for clip, target in zip(clips, paths, strict=True):
        array = on_22_joints(clip, JOINTS[22][1]).joints.astype(np.float32)
        if layout == "features":
            from motion_platform.motion.representations import get_representation

            array = get_representation("humanml3d").encode(array)
        with atomic_path(target) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    return paths


def read(
    path: str | Path, *, skeleton: Skeleton | None = None, fps: float | None = None, units: str | None = None,
    up: str | None = None,
) -> Clip | list[Clip]:  # fmt: skip
    """Read joints or raw (not normalised) features; features become joints by the representation's own decoder. Joints
    (N, T, J, 3) are N motions.

    ``skeleton``: of joints with another count. ``fps``: else 20 (HumanML3D) or 12.5 (KIT-ML). ``units``: of joints;
    else metres, and for KIT-ML millimetres of its one-metre person where the numbers say so. ``up``: of joints; else
    "y". Errors: DataError.
    """
    path = Path(path)
    array = arrays.real(arrays.load_array(path), str(path))
    if array.ndim == 4 and 1 <= len(array) <= MAX_FRAMES:
        several = [_one(path, motion, skeleton, fps, units, up) for motion in array]
        return [clip.with_(name=f"{path.stem}_{i}") for i, clip in enumerate(several, 1)]
    return _one(path, array, skeleton, fps, units, up)


def _one(
    path: Path, array: np.ndarray, skeleton: Skeleton | None, fps: float | None, units: str | None, up: str | None
) -> Clip:
    if array.ndim not in (2, 3) or array.size == 0 or len(array) > MAX_FRAMES:
        raise DataError(f"{path}: has shape {array.shape}; {_allowed(skeleton)}")
    if not np.isfinite(array).all():
        raise DataError(f"{path}: frame {int(np.argwhere(~np.isfinite(array))[0, 0])} has a NaN or infinite value")
    if np.abs(array).max() > 1e9:  # beyond any unit; squares of more would overflow
        raise DataError(f"{path}: a value of {np.abs(array).max():.4g} is no position of a person")
    if array.ndim == 2 and array.shape[1] in FEATURES:
        if up is not None:
            raise DataError(f"{path}: features have their own up axis; leave --up out (up= in Python)")
        return _features(path, array, skeleton, fps, units)
    if array.ndim == 2 or array.shape[2] != 3:
        raise DataError(f"{path}: has shape {array.shape}; {_allowed(skeleton)}")
    notes = []
    if skeleton is None and array.shape[1] in SMPL_JOINTS:
        notes = [f"the first 22 of {array.shape[1]} joints are read, as the body joints of SMPL"]
        array = array[:, :22]
    if skeleton is None:
        if array.shape[1] not in JOINTS:
            raise DataError(f"{path}: has shape {array.shape}; {_allowed(None)}, or give skeleton=")
        skeleton = get_skeleton(JOINTS[array.shape[1]][0])
    elif array.shape[1] != len(skeleton):
        raise DataError(f"{path}: has shape {array.shape}; {_allowed(skeleton)}")
    if fps is None:
        if array.shape[1] not in JOINTS:
            raise DataError(f"{path}: the frame rate of {array.shape[1]} joints is not known; give fps=")
        fps = JOINTS[array.shape[1]][1]
    if units is None:
        lengths = [float(np.median(np.linalg.norm(array[:, j] - array[:, p], axis=-1))) for p, j in skeleton.bones]
        height = body_height([0.0, *lengths], skeleton.parents)
        units = "mm" if skeleton.name == "kit" and height > 100 else "m"
        if units == "m" and not 0.3 <= height <= 4:
            raise DataError(
                f"{path}: a body of {height:.4g} m is no person; say the unit: --units UNIT (units= in Python)"
            )
    name, metres = find_unit(0.0, units, str(path))
    upward = find_up(skeleton.joints, array[0], array, up or "y", str(path))
    info = {"source": path.name, "unit": name, "up": upward, **({"notes": notes} if notes else {})}
    return Clip((to_y_up(array, upward) * metres).astype(np.float32), fps, skeleton, None, path.stem, (), info)


def _features(path: Path, array: np.ndarray, skeleton: Skeleton | None, fps: float | None, units: str | None) -> Clip:
    import torch

    from motion_platform.motion.representations import get_representation

    representation = get_representation(FEATURES[array.shape[1]])
    if skeleton is not None and skeleton.joints != representation.skeleton.joints:
        raise DataError(f"{path}: features of {representation.name} are not of skeleton {skeleton.name}")
    if units is not None:
        raise DataError(f"{path}: features of {representation.name} have their own unit; leave units= out")
    joints = representation.decode(torch.from_numpy(array)).numpy()
    lengths = np.linalg.norm(joints[:, [j for _, j in representation.skeleton.bones]]
                             - joints[:, [p for p, _ in representation.skeleton.bones]], axis=-1)  # fmt: skip
    if not 0.1 <= float(np.median(lengths.sum(-1))) <= 40:
        raise DataError(f"{path}: its bones are no person's; are the features normalised? give raw ones")
    info = {"source": path.name, "unit": "m", "up": "y", "representation": representation.name}
    return Clip(
        joints.astype(np.float32), fps or representation.fps, representation.skeleton, None, path.stem, (), info
    )


def _allowed(skeleton: Skeleton | None) -> str:
    joints = f"(T, {len(skeleton)}, 3)" if skeleton else "joints (T, 22, 3) or (T, 21, 3)"
    return f"allowed: {joints}, features (T, 263), (T, 67) or (T, 251), 1 to {MAX_FRAMES} frames"
