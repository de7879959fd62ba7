"""Any body -> the 22 joints of HumanML3D at 20 fps: names, frame rate, bone lengths, place, heading; from there to the
21 of KIT-ML at 12.5 fps; and mirroring."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion.body_structure import BELOW, Body, locate_by_structure
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.io.euler import quaternion_multiply, quaternion_to_matrix
from motion_platform.motion.joint_names import TARGET, Place, locate, own_places
from motion_platform.motion.reference_pose import starts_with_reference_pose
from motion_platform.motion.representations.guo import KIT_BODY, canonical, uniform_skeleton
from motion_platform.motion.skeleton import Skeleton, get_skeleton

SAME = 1e-4
"""Metres: joints no further apart are in one place."""
KIT_PLACES: dict[str, Place] = {
    "spine1": ("spine1", "spine2", 0.39),
    "spine2": ("spine3", "neck", 0.55),
    "left_heel": ("left_ankle", "left_foot", 0.35),
    "right_heel": ("right_ankle", "right_foot", 0.35),
}
"""Where KIT's joints are between two of the 22 joints, for those that are no joint of the same name. The spine: the way
back of ``kit_ml`` in joint_names.yaml, at the bone lengths of skeletons/kit.yaml; the heel: by those lengths."""


def to_humanml3d(
    clip: Clip,
    *,
    fps: float = 20.0,
    names: str | Path | Mapping[str, Any] | None = None,
    uniform: bool = True,
) -> Clip:
    """Retarget a clip with named joints, in metres and Y up, to the 22-joint skeleton.

    Joints are found by the conventions of ``joint_names.yaml`` (``names`` adds to them: a mapping or a YAML file),
    resampled in time to ``fps``, given HumanML3D's common bone lengths (``uniform``; the source's are kept otherwise),
    then put on the floor, with the first pelvis above the origin, the first frame facing Z+ (left is X+).
    ``info`` gains "convention" and "source_fps". Errors: DataError for a joint not found or a body without
    length or heading; ConfigError for ``names``. A reference pose in front is left out (motion/reference_pose.py).
    """
    target = get_skeleton(TARGET)
    notes = list(clip.info.get("notes", []))
    if starts_with_reference_pose(clip):
        rotations = None if clip.rotations is None else clip.rotations[1:]
        clip = clip.with_(joints=clip.joints[1:], rotations=rotations)
        notes.append("left out: the first frame, a reference pose")
    if names is None and clip.skeleton.joints == target.joints:
        convention, joints = "humanml3d", clip.joints.astype(np.float64)
    else:
        convention, places = find_places(clip, names)
        joints = joints_at(clip, places)
        if convention == "structure" and places["left_foot"][2] == BELOW:
            notes.append("neither a toe joint nor an End Site says where the feet end: they are put below the ankles")
    joints = resample(joints, clip.fps, fps)
    if uniform:
        joints = uniform_skeleton(joints)
    joints = canonical(joints)
    info = {**clip.info, "convention": convention, "source_fps": float(clip.fps), **({"notes": notes} if notes else {})}
    for key in ("end_sites", "stretching"):  # they speak of the source's skeleton
        info.pop(key, None)
    return Clip(joints.astype(np.float32), float(fps), target, None, clip.name, clip.captions, info)


def on_22_joints(clip: Clip, fps: float | None = None) -> Clip:
    """The clip itself where it is on the joints of HumanML3D at ``fps`` (default: at its own), else retargeted to
    them, a conductor lifted into space. Errors: those of :func:`to_humanml3d`."""
    from motion_platform.motion.conducting.lift import on_body

    body = on_body(clip)
    if body.skeleton.joints == get_skeleton(TARGET).joints and fps in (None, body.fps):
        return body
    return to_humanml3d(body, fps=fps or body.fps)


def to_kit(clip: Clip, *, fps: float = 12.5, names: str | Path | Mapping[str, Any] | None = None) -> Clip:
    """Retarget a clip to the 21 joints of KIT-ML: first to the 22 of HumanML3D (:func:`to_humanml3d`), then each joint
    to its place between those (``KIT_PLACES``), with the bone lengths of KIT's person, who is one metre tall.

    Every limb keeps its direction, the path is scaled by the leg, and the clip starts as every published one does: on
    the floor, above the origin, facing Z+. The lengths of skeletons/kit.yaml are estimates: the result has KIT's form
    and is no clip of its body. A clip that is on KIT's joints keeps its lengths.
    Errors: those of :func:`to_humanml3d`.
    """
    kit = get_skeleton("kit")
    if clip.skeleton.joints == kit.joints and names is None:
        own = canonical(resample(clip.joints.astype(np.float64), clip.fps, fps), KIT_BODY)
        return clip.with_(joints=own, fps=float(fps), skeleton=kit, rotations=None)
    body = to_humanml3d(clip, fps=fps, names=names)
    at = {joint: body.joints[:, j].astype(np.float64) for j, joint in enumerate(body.skeleton.joints)}
    places = [KIT_PLACES.get(joint, (joint, joint, 0.0)) for joint in kit.joints]
    joints = np.stack([at[a] + share * (at[b] - at[a]) for a, b, share in places], axis=1)
    return body.with_(joints=canonical(uniform_skeleton(joints, body=KIT_BODY), KIT_BODY), skeleton=kit)


def find_places(clip: Clip, names: str | Path | Mapping[str, Any] | None = None) -> tuple[str, dict[str, Place]]:
    """(convention or "structure", joint of HumanML3D -> where it is in a clip's skeleton). What a person names counts
    before both. DataError, ConfigError."""
    tips = _tips(clip)
    where = f"motion {clip.name!r}"
    try:
        convention, places = locate([*clip.skeleton.joints, *tips], names, where)
        if names is not None or not _meet(clip, places):
            return convention, places
        unnamed = DataError(f"{where}: has the names of {convention}, but two of its joints are in one place")
    except DataError as error:
        unnamed = error
    own = own_places([*clip.skeleton.joints, *tips], names, where)
    try:
        return "structure", {**_by_structure(clip, tips, where), **own}
    except DataError as unseen:
        raise DataError(f"{unnamed} (and by its structure: {str(unseen).removeprefix(where + ': ')})") from unseen


def _meet(clip: Clip, places: Mapping[str, Place]) -> bool:
    """Whether a bone of the 22 joints has no length in the first frame."""
    first = clip.with_(
        joints=clip.joints[:1], rotations=None if clip.rotations is None else clip.rotations[:1], events={}
    )
    joints = joints_at(first, places)[0]
    return any(np.linalg.norm(joints[a] - joints[b]) < SAME for a, b in get_skeleton(TARGET).bones)


def joints_at(clip: Clip, places: Mapping[str, Place]) -> np.ndarray:
    """(T, 22, 3) float64: the joints of HumanML3D where a clip has them."""
    tips = _tips(clip)
    joints = clip.joints.astype(np.float64)
    used = {name for place in places.values() for name in place[:2]}
    world = {}
    for name in used:
        world[name] = (
            _tip(clip, name.removesuffix("_end"), tips[name]) if name in tips else joints[:, clip.skeleton.index(name)]
        )
    mapped = [
        world[a] + share * (world[b] - world[a]) for a, b, share in (places[t] for t in get_skeleton(TARGET).joints)
    ]
    return np.stack(mapped, axis=1)


def _tips(clip: Clip) -> dict[str, list[float]]:
    """``X_end`` -> the offset of the End Site of joint X."""
    ends = clip.info.get("end_sites", {}) if clip.rotations is not None else {}
    return {f"{joint}_end": tip[0] for joint, tip in ends.items()}


def _by_structure(clip: Clip, tips: Mapping[str, list[float]], where: str) -> dict[str, Place]:
    """The places that names of no known convention and the bones' lengths tell. DataError."""
    frames = np.unique(np.linspace(0, len(clip) - 1, 12).astype(int))
    some = clip.with_(
        joints=clip.joints[frames],
        rotations=None if clip.rotations is None else clip.rotations[frames],
        events={},
    )
    ends = {name.removesuffix("_end"): _tip(some, name.removesuffix("_end"), tip) for name, tip in tips.items()}
    body = Body(clip.skeleton.joints, clip.skeleton.parents, some.joints.astype(np.float64), ends)
    return locate_by_structure(body, where)


def _tip(clip: Clip, joint: str, offset: list[float]) -> np.ndarray:
    """World positions (T, 3) of an End Site."""
    assert clip.rotations is not None
    j = clip.skeleton.index(joint)
    turned = clip.rotations[:, j].astype(np.float64)
    parent = clip.skeleton.parents[j]
    while parent >= 0:
        turned = quaternion_multiply(clip.rotations[:, parent].astype(np.float64), turned)
        parent = clip.skeleton.parents[parent]
    return clip.joints[:, j] + quaternion_to_matrix(turned) @ np.asarray(offset)


def resample(joints: np.ndarray, source_fps: float, fps: float) -> np.ndarray:
    """(T, J, 3) at ``source_fps`` -> (T', J, 3) at ``fps``, linear in time, from the same first moment.

    T' = floor((T - 1) fps / source_fps) + 1: no frame is made up after the last one.
    """
    if not (np.isfinite(fps) and 0 < fps <= 1000):
        raise UsageError(f"fps is {fps}; it must be above 0 and at most 1000")
    if source_fps == fps or len(joints) == 1:
        return joints
    count = int(np.floor((len(joints) - 1) * fps / source_fps + 1e-6)) + 1
    if count > MAX_FRAMES:
        raise DataError(
            f"{len(joints)} frames at {source_fps:g} fps are {count} at {fps:g}; at most {MAX_FRAMES} are allowed"
        )
    at = np.minimum(np.arange(count) * (source_fps / fps), len(joints) - 1)
    before = np.minimum(at.astype(int), len(joints) - 2)
    share = (at - before)[:, None, None]
    return joints[before] * (1 - share) + joints[before + 1] * share


def mirror(clip: Clip) -> Clip:
    """The same motion seen in a mirror: left and right joints change places, X changes sign.

    Bones keep their lengths by going with their joint to the other side, rotations and rest pose included. A skeleton
    without mirror pairs (BVH) gets them from its names (Left/Right, L/R). Errors: DataError when there are none.
    """
    skeleton = clip.skeleton
    pairs = skeleton.mirror or mirror_pairs(skeleton.joints)
    if not pairs:
        raise DataError(f"motion {clip.name!r}: skeleton {skeleton.name} has no left and right joints to swap")
    swap = np.array([skeleton.index(pairs.get(joint, joint)) for joint in skeleton.joints])
    flip = np.array([-1, 1, 1], np.float32)
    rotations = None
    if clip.rotations is not None:
        rotations = clip.rotations[:, swap] * np.array([1, -1, -1, 1], np.float32)
        offsets = None if skeleton.offsets is None else skeleton.offsets[swap] * flip
        skeleton = Skeleton(
            skeleton.name, skeleton.joints, skeleton.parents, offsets, skeleton.parts, pairs, skeleton.dims
        )
    info = dict(clip.info)
    if "end_sites" in info:
        info["end_sites"] = {
            pairs.get(joint, joint): [[-tip[0], *tip[1:]] for tip in tips] for joint, tips in info["end_sites"].items()
        }
    return clip.with_(joints=clip.joints[:, swap] * flip, rotations=rotations, skeleton=skeleton, info=info)


_SIDES = re.compile(r"left|right|(?<![A-Za-z])[lr](?![a-z])|(?<=[_.\- ])[lr]$|^[lr](?=[A-Z])", re.IGNORECASE)
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


def mirror_pairs(joints: tuple[str, ...]) -> dict[str, str]:
    """Joint -> its twin, from names: Left/Right, L/R at an end or before a capital; CMU's lower-case l/r prefix."""

    def other(found: re.Match[str]) -> str:
        word = _OTHER[found.group().lower()]
        return word.upper() if found.group().isupper() else word.capitalize() if found.group()[0].isupper() else word

    there, pairs = set(joints), {}
    for joint in joints:
        twin = _SIDES.sub(other, joint, count=1)
        if twin == joint and joint[:1] in ("l", "r"):
            twin = _OTHER[joint[0]] + joint[1:]
        if twin != joint and twin in there:
            pairs[joint] = twin
    return pairs
