"""Writer of the parameters of SMPL as AMASS lays them out: what programs around SMPL, SMPL-H and Blender's add-on read.

One motion a file: ``poses`` (T, 156), axis times angle of the 52 joints of SMPL-H, root first, hands at rest; ``trans``
(T, 3), metres, Z up; ``betas`` (16,), zero: the mean body; ``mocap_framerate``; ``gender``, neutral. Captions, model,
seed and licence stand in ``motion_platform_provenance``, as JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.files import atomic_path
from motion_platform.motion.clip import Clip
from motion_platform.motion.inverse_kinematics import rotations_from_joints
from motion_platform.motion.io import provenance, smpl
from motion_platform.motion.io.euler import quaternion_multiply, quaternion_to_axis_angle, quaternion_to_matrix
from motion_platform.motion.io.units import TURNS, from_y_up
from motion_platform.motion.skeleton import get_skeleton

JOINTS, BETAS = 52, 16
"""Of SMPL-H, as AMASS has it: body and hands; the shape."""
UP = "z"


def write_amass(clip: Clip, path: str | Path) -> Path:
    """Write one clip. Errors: DataError for a body on which the 22 joints are not found; OutputError."""
    arrays: dict[str, Any] = dict(amass_arrays(clip))
    arrays[smpl.PROVENANCE] = np.array(provenance.as_text([clip]))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return Path(path)


def amass_arrays(clip: Clip) -> dict[str, np.ndarray]:
    """The fields of a file. Poses that came from one are kept; any other body is put onto the 22 joints and posed so
    that the ankles of SMPL's body are where they were. DataError."""
    from motion_platform.motion.retarget import on_22_joints

    if clip.skeleton.name == "smpl" and clip.rotations is not None and "body" in clip.info:
        local, root = clip.rotations.astype(np.float64), clip.joints[:, 0].astype(np.float64)
    else:
        local, root = _posed(on_22_joints(clip).joints.astype(np.float64))
    local = local / np.linalg.norm(local, axis=-1, keepdims=True)
    local[:, 0] = quaternion_multiply(TURNS[UP] * [-1, -1, -1, 1], local[:, 0])
    poses = np.zeros((len(local), JOINTS, 3))
    poses[:, :22] = quaternion_to_axis_angle(local)
    return {
        "poses": poses.reshape(len(local), -1),
        "trans": from_y_up(root, UP),
        "betas": np.zeros(BETAS),
        "mocap_framerate": np.array(float(clip.fps)),
        "gender": np.array("neutral"),
    }


def _posed(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 22, 3) places -> local rotations (T, 22, 4) of SMPL's body and its root (T, 3).

    Where in a pelvis its joint lies, every skeleton says otherwise: the body goes where its hips are nearest to those
    that were seen, so that knees need not give way for ankles.
    """
    skeleton, rest = get_skeleton("humanml3d"), smpl.rest_offsets()
    hips = [skeleton.index("left_hip"), skeleton.index("right_hip")]
    local, _ = rotations_from_joints(joints, skeleton, rest=rest)
    joints = joints.copy()
    joints[:, 0] = joints[:, hips].mean(1) - quaternion_to_matrix(local[:, 0]) @ rest[hips].mean(0)
    local, _ = rotations_from_joints(joints, skeleton, rest=rest)
    return local, joints[:, 0]
