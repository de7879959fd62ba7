"""The names that programs give the 22 joints, to write files with: see ``joint_names.yaml``."""

from __future__ import annotations

from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.motion.clip import Clip
from motion_platform.motion.joint_names import conventions
from motion_platform.motion.rigs.finish import with_rotations
from motion_platform.motion.skeleton import Skeleton, get_skeleton

WRITTEN = {
    "smpl": ("humanml3d", ""), "mixamo": ("mixamo", "mixamorig:"), "motionbuilder": ("mixamo", ""),
    "unreal": ("unreal", ""), "unity": ("unity", ""), "vrm": ("unity", ""),
}  # fmt: skip
"""What ``--names`` writes: name -> (convention of ``joint_names.yaml``, what stands before every name)."""


def written_names(names: str) -> dict[str, str]:
    """Joint of HumanML3D -> its name. UsageError for an unknown set of names."""
    if names not in WRITTEN:
        raise UsageError(f"--names: got {names!r}; {suggest(names, WRITTEN)}")
    convention, before = WRITTEN[names]
    joints = get_skeleton("humanml3d").joints
    if convention == "humanml3d":
        return {joint: joint for joint in joints}
    table = conventions()[convention]
    first = {joint: rule if isinstance(rule, str) else rule[0] for joint, rule in table.items()}
    if names == "vrm":  # Unity's names, which begin small
        first = {joint: name[0].lower() + name[1:] for joint, name in first.items()}
    return {joint: f"{before}{first[joint]}" for joint in joints}


def renamed(clip: Clip, names: str) -> Clip:
    """The clip with the joint names of a program, and rotations. Errors: UsageError; DataError for other joints than
    the 22."""
    table = written_names(names)
    base = get_skeleton("humanml3d")
    if clip.skeleton.joints != base.joints:
        raise DataError(
            f"--names: motion {clip.name!r} is on skeleton {clip.skeleton.name}, not on the 22 joints that have such "
            "names; retarget it first (--retarget)"
        )
    turned = with_rotations(clip)
    parts = {part: tuple(table[joint] for joint in joints) for part, joints in base.parts.items()}
    mirror = {table[a]: table[b] for a, b in base.mirror.items()}
    offsets = turned.skeleton.offsets
    skeleton = Skeleton(names, tuple(table[joint] for joint in base.joints), base.parents, offsets, parts, mirror)
    return turned.with_(skeleton=skeleton)
