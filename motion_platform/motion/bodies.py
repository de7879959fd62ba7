"""A clip as features of a model, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.euler import quaternion_multiply, unroll
from motion_platform.motion.representations import get_representation
from motion_platform.motion.retarget import resample, to_humanml3d, to_kit
from motion_platform.motion.skeleton import Skeleton, get_skeleton

FRAMES_AT_ONCE = 4096
"""Frames decoded together where each decodes by itself, which bounds the memory of hours."""


def features_of(clip: Clip, spec: MotionSpec, names: str | Path | None = None) -> torch.Tensor:
    """(T, D) features of any clip: retargeted to the 22 joints of HumanML3D or the 21 of KIT-ML, or as it is for a body
    with rotations (:func:`on_skeleton`). UsageError for a model of another skeleton; DataError for one frame."""
    chosen = get_representation(spec.representation)
    if chosen.needs_rotations:
        found = on_skeleton(clip, chosen.skeleton, spec.fps)
    elif spec.skeleton == "humanml3d":
        found = to_humanml3d(clip, fps=spec.fps, names=names)
    elif spec.skeleton == "kit":
        found = to_kit(clip, fps=spec.fps, names=names)
    else:
        raise UsageError(
            f"the model's skeleton is {spec.skeleton}; reading a motion file for it needs humanml3d or kit"
        )
    if len(found) < 2:
        raise DataError(f"motion {clip.name!r}: has {len(found)} frame at {spec.fps:g} fps; at least 2 are needed")
    return torch.from_numpy(chosen.encode(found.joints, found.rotations))


def on_skeleton(clip: Clip, skeleton: Skeleton, fps: float) -> Clip:
    """The joints of a named skeleton out of a clip with rotations that has them, by name, at ``fps``.

    The body keeps its own bone lengths and place. What the clip has between two of the joints is turned with the lower
    one. DataError for a clip without rotations or without one of the joints.
    """
    where = f"motion {clip.name!r}"
    if clip.rotations is None:
        raise DataError(f"{where}: has no joint rotations, which a body with fingers needs (BVH files have them)")
    missing = [joint for joint in skeleton.joints if joint not in clip.skeleton.joints]
    if missing:
        raise DataError(
            f"{where}: has {len(clip.skeleton)} joints, but not {', '.join(missing[:3])}"
            f"{f' and {len(missing) - 3} more' if len(missing) > 3 else ''} of skeleton {skeleton.name}"
        )
    whole = clip.rotations.astype(np.float64)
    whole /= np.linalg.norm(whole, axis=-1, keepdims=True)
    for parent, j in clip.skeleton.bones:
        whole[:, j] = quaternion_multiply(whole[:, parent], whole[:, j])
    at = [clip.skeleton.index(joint) for joint in skeleton.joints]
    joints, whole = clip.joints[:, at].astype(np.float64), whole[:, at]
    local = whole.copy()
    for parent, j in skeleton.bones:
        local[:, j] = quaternion_multiply(whole[:, parent] * [-1, -1, -1, 1], whole[:, j])
    local = resample(unroll(local), clip.fps, fps)  # neighbours are near each other: a straight line, then unit length
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    joints = resample(joints, clip.fps, fps)
    seen = np.zeros((len(skeleton), 3))
    for parent, j in skeleton.bones:
        turn, bone = whole[0, parent] * [-1, -1, -1, 1], clip.joints[0, at[j]] - clip.joints[0, at[parent]]
        pure = np.append(bone, 0.0).astype(np.float64)
        seen[j] = quaternion_multiply(quaternion_multiply(turn, pure), turn * [-1, -1, -1, 1])[:3]
    body = replace(skeleton, offsets=seen)
    return clip.with_(
        joints=joints.astype(np.float32), rotations=local.astype(np.float32), fps=float(fps), skeleton=body, info={}
    )


def clips_of(motion: Motion) -> list[Clip]:
    """Decode a padded batch of raw features to clips in metres, without padding; with the rotations that the
    representation holds, and the rest pose that they turn."""
    found = get_representation(motion.spec.representation)
    skeleton = get_skeleton(motion.spec.skeleton)
    rows = zip(motion.x.detach().cpu(), motion.lengths.tolist(), strict=True)
    clips = []
    for x, n in rows:
        pieces = x[:n].split(FRAMES_AT_ONCE if found.frame_by_frame else n)
        rotations, offsets = [found.rotations(piece) for piece in pieces], found.offsets(x[:n])
        body = skeleton if offsets is None else replace(skeleton, offsets=offsets.double().numpy())
        turns = [piece for piece in rotations if piece is not None]  # all of them or none
        turned = unroll(torch.cat(turns).float().numpy()) if turns else None
        joints = torch.cat([found.decode(piece) for piece in pieces]).float().numpy()
        clips.append(Clip(joints, motion.spec.fps, body, turned))
    return clips
