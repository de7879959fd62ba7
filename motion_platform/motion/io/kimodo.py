"""The joints that kimodo writes: ``posed_joints`` (T, J, 3), metres, Y up, of SMPL-X's body or of the SOMA skeleton.

Names and parents as in kimodo's skeleton/definitions.py (Apache-2.0). The file says neither them nor its rate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.io import arrays
from motion_platform.motion.skeleton import Skeleton, get_skeleton

FIELD = "posed_joints"
FPS = 30.0
ROBOT = 34
"""Joints of Unitree's G1, which is no person."""
FINGERS = ("Index", "Middle", "Ring", "Pinky")


def soma(joints: int) -> Skeleton:
    """The SOMA skeleton with 77 joints, or with the 30 that kimodo's models work on."""
    whole = joints == 77
    bones = {"Hips": "", "Spine1": "Hips", "Spine2": "Spine1", "Chest": "Spine2", "Neck1": "Chest", "Neck2": "Neck1"}
    bones |= {"Head": "Neck2"} | ({"HeadEnd": "Head"} if whole else {})
    bones |= {"Jaw": "Head", "LeftEye": "Head", "RightEye": "Head"}
    for side in ("Left", "Right"):
        bones |= _chain("Chest", [f"{side}{part}" for part in ("Shoulder", "Arm", "ForeArm", "Hand")])
        hand = f"{side}Hand"
        if whole:
            bones |= _chain(hand, [f"{hand}Thumb{end}" for end in ("1", "2", "3", "End")])
            for finger in FINGERS:
                bones |= _chain(hand, [f"{hand}{finger}{end}" for end in ("1", "2", "3", "4", "End")])
        else:
            bones |= {f"{hand}ThumbEnd": hand, f"{hand}MiddleEnd": hand}
    for side in ("Left", "Right"):
        leg = ("Leg", "Shin", "Foot", "ToeBase", "ToeEnd") if whole else ("Leg", "Shin", "Foot", "ToeBase")
        bones |= _chain("Hips", [f"{side}{part}" for part in leg])
    names = list(bones)
    return Skeleton(f"soma{joints}", tuple(names), tuple(names.index(p) if p else -1 for p in bones.values()), None)


def _chain(first: str, joints: list[str]) -> dict[str, str]:
    """Joint -> parent, one after another below ``first``."""
    return dict(zip(joints, [first, *joints], strict=False))


def to_clip(path: Path, found: np.ndarray, fps: float | None) -> Clip:
    """The clip of ``posed_joints``. DataError for a shape of no skeleton of a person, or values that are not finite."""
    joints = arrays.real(found, f"{path}: {FIELD}")
    if joints.ndim == 3 and joints.shape[1] == ROBOT:
        raise DataError(f"{path}: {FIELD} has the {ROBOT} joints of the robot G1; only people are read")
    if joints.ndim != 3 or joints.shape[1:] not in ((22, 3), (30, 3), (77, 3)):
        raise DataError(f"{path}: {FIELD} has shape {joints.shape}; its people have (T, 22|30|77, 3)")
    if not 1 <= len(joints) <= MAX_FRAMES:
        raise DataError(f"{path}: has {len(joints)} frames; 1 to {MAX_FRAMES} are allowed")
    if not np.isfinite(joints).all():
        raise DataError(f"{path}: frame {int(np.argwhere(~np.isfinite(joints))[0, 0])} has a NaN or infinite value")
    info: dict[str, object] = {"source": path.name, "unit": "m", "up": "y"}
    if fps is None:
        info["notes"] = [f"{FPS:g} fps, as kimodo writes; say --fps N if that is wrong"]
    count = joints.shape[1]
    skeleton = get_skeleton("humanml3d") if count == 22 else soma(count)
    return Clip(joints.astype(np.float32), fps or FPS, skeleton, None, path.stem, (), info)
