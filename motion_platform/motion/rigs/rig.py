"""Somebody's own skeleton, as a motion is put on it: its joints, a pose in which it stands, and what its parts are.

A rig is read from a .bvh, .glb or .vrm. The pose in which it stands is its rest pose where that is a stance (arms
anywhere), else the pose in which a skin was bound to it, else the frame of its own motion that is most of a stance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.inverse_kinematics import matrix_to_quaternion
from motion_platform.motion.io.euler import forward_kinematics, quaternion_multiply
from motion_platform.motion.io.gltf import Gltf, open_glb
from motion_platform.motion.io.read_glb import Tree, trees
from motion_platform.motion.joint_names import Place
from motion_platform.motion.rigs.pose import SIDES, Pose, heading, read_pose, stance_directions
from motion_platform.motion.skeleton import Skeleton, get_skeleton

FORMATS = (".bvh", ".glb", ".vrm")
UPRIGHT = {"thigh": 0.85, "shank": 0.85, "trunk": 0.9}
"""Cosines between a part of a stance and the vertical, at least."""
MOST_FRAMES = 400
"""Frames of a rig's own motion among which a stance is looked for."""
GROUND = 0.12
"""Share of a body's height that its lowest joint may be above y = 0, for y = 0 to be the floor of a .glb."""
HUMAN_BONES = {
    "pelvis": "hips", "spine1": "spine", "spine2": "chest", "spine3": "upperChest", "neck": "neck", "head": "head",
    "collar": "Shoulder", "shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand", "hip": "UpperLeg",
    "knee": "LowerLeg", "ankle": "Foot", "foot": "Toes",
}  # fmt: skip
"""VRM's and Unity's names of the parts of a body (a side's begin with left or right)."""


@dataclass(frozen=True)
class Rig:
    """J joints, of which some are parts of a body.

    skeleton: with the rest pose as offsets. turned (J, 4), placed (J, 3): the stance, world rotations and positions, as
    it stands in the file. facing (3, 3): left, up, forward of the stance. body: joints of the 22 -> (T = 1) pose facing
    Z+. chains: "trunk" (pelvis to chest), "neck" (to the head), "left_collar" ... -> joint numbers. limbs: "left_hip"
    ... -> joint number. floor: height of the floor under the stance. file, tree: of a .glb. stance: what it was taken
    from.
    """

    path: Path
    skeleton: Skeleton
    turned: np.ndarray
    placed: np.ndarray
    facing: np.ndarray
    pose: Pose
    chains: Mapping[str, list[int]]
    limbs: Mapping[str, int]
    floor: float
    stance: str
    convention: str
    info: Mapping[str, Any]
    file: Gltf | None = None
    tree: Tree | None = None

    @property
    def leg(self) -> float:
        """Metres from hip to ankle along the bones, the mean of both legs."""
        ways = [("hip", "knee"), ("knee", "ankle")]
        steps = [
            np.linalg.norm(self.placed[self.limbs[f"{side}_{b}"]] - self.placed[self.limbs[f"{side}_{a}"]])
            for side in SIDES
            for a, b in ways
        ]
        return float(sum(steps)) / 2


def load_rig(
    path: str | Path,
    *,
    names: str | Path | Mapping[str, Any] | None = None,
    units: str | None = None,
    up: str | None = None,
) -> Rig:
    """Read a character's skeleton. names, units, up: as of every reader (units and up: .bvh).

    Errors: UsageError for another format; DataError for a file without a body of known parts, or one that never stands.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"--rig: {path}: is no skeleton that is read; allowed: {', '.join(FORMATS)} (FBX: save it as .glb)"
        )
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    return _from_bvh(path, names, units, up) if path.suffix.lower() == ".bvh" else _from_glb(path, names)


def _from_bvh(path: Path, names: Any, units: str | None, up: str | None) -> Rig:
    from motion_platform.motion.io import bvh

    clip = bvh.read(path, units=units, up=up)
    assert clip.skeleton.offsets is not None
    assert clip.rotations is not None
    identity = np.tile([0.0, 0.0, 0.0, 1.0], (1, len(clip.skeleton), 1))
    rest = clip.with_(
        joints=forward_kinematics(identity, clip.skeleton.offsets, clip.skeleton.parents).astype(np.float32),
        rotations=identity.astype(np.float32),
    )
    some = np.unique(np.linspace(0, len(clip) - 1, MOST_FRAMES).astype(int))
    moving = clip.with_(joints=clip.joints[some], rotations=clip.rotations[some], events={})
    return _rig(path, [("its rest pose", rest), ("a frame of its motion", moving)], names, None, None)


def _from_glb(path: Path, names: Any) -> Rig:
    from motion_platform.motion.io import read_glb

    file = open_glb(path)
    tree, _ = trees(file)[0]
    skeleton = Skeleton(f"glb:{path.stem}", tree.names, tuple(tree.parents), tree.world_offsets)
    identity = np.tile([0.0, 0.0, 0.0, 1.0], (1, len(skeleton), 1))
    rest = _still(skeleton, identity, tree.root, path)
    poses = [("its rest pose", rest)]
    bound = _bound(file, tree)
    if bound is not None:
        poses.insert(0, ("the pose in which its skin was bound", _still(skeleton, bound, tree.root, path)))
    poses += [
        ("a frame of its motion", clip.with_(skeleton=skeleton))
        for clip in read_glb.read(path)
        if clip.skeleton.joints == skeleton.joints and len(clip) > 1
    ]
    bones = file.human_bones()
    known = {tree.nodes.index(node): bone for bone, node in bones.items() if node in tree.nodes}
    return _rig(path, poses, names, (file, tree), {bone: skeleton.joints[j] for j, bone in known.items()} or None)


def _still(skeleton: Skeleton, local: np.ndarray, root: np.ndarray, path: Path) -> Clip:
    assert skeleton.offsets is not None
    offsets = skeleton.offsets.copy()
    offsets[0] = root
    joints = forward_kinematics(local, offsets, skeleton.parents)
    return Clip(joints.astype(np.float32), 30.0, skeleton, local.astype(np.float32), path.stem)


def _bound(file: Gltf, tree: Tree) -> np.ndarray | None:
    """(1, J, 4): the pose in which skins were bound, as rotations from the rest pose, the root as at rest; None where
    skins do not say it."""
    matrices: dict[int, np.ndarray] = {}
    for skin in file.entries("skins"):
        if "inverseBindMatrices" not in skin:
            continue
        try:
            inverse = file.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
            for node, matrix in zip(skin["joints"], np.linalg.inv(inverse), strict=False):
                turn = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
                matrices.setdefault(node, turn)
        except (DataError, np.linalg.LinAlgError, ValueError):
            return None  # compressed or broken: the rest pose is there
    if not matrices:
        return None
    local = np.tile([0.0, 0.0, 0.0, 1.0], (1, len(tree.nodes), 1))
    for j, (node, parent) in enumerate(zip(tree.nodes, tree.parents, strict=True)):
        if parent < 0 or node not in matrices or tree.nodes[parent] not in matrices:
            continue
        own = matrix_to_quaternion(matrices[tree.nodes[parent]].T @ matrices[node])
        before = tree.turned[parent]
        # from node axes into the world's axes, as the reader does
        local[0, j] = quaternion_multiply(quaternion_multiply(before, own), tree.turned[j] * [-1, -1, -1, 1])
    return local if np.isfinite(local).all() else None


def _rig(
    path: Path, poses: list[tuple[str, Clip]], names: Any, glb: tuple[Gltf, Tree] | None, human: dict[str, str] | None
) -> Rig:
    """The rig of the first of some poses that is a stance."""
    from motion_platform.motion.retarget import find_places, joints_at

    first = poses[0][1].with_(name=path.name)
    convention, places = (
        ("VRM's human bones", _human_places(human, path)) if human and names is None else find_places(first, names)
    )
    best: tuple[float, str, Clip, int] | None = None
    for what, clip in poses:
        worst, frame = _stands(joints_at(clip, places))
        if best is None or worst > best[0]:
            best = (worst, what, clip, frame)
        if worst >= 0:
            break
    assert best is not None
    worst, what, clip, frame = best
    if worst < 0:
        raise DataError(
            f"{path}: stands upright neither in its rest pose nor in its motion, so nothing says what its joints' "
            "turns mean; save it in a T-pose or A-pose"
        )
    assert clip.rotations is not None
    local = clip.rotations[frame : frame + 1].astype(np.float64)
    whole = local.copy()
    for parent, child in clip.skeleton.bones:
        whole[:, child] = quaternion_multiply(whole[:, parent], local[:, child])
    joints = joints_at(clip, places)[frame : frame + 1]
    facing = heading(joints)[0]
    for side in SIDES:  # no toes: a foot points forward, along the floor
        ankle, toe = (get_skeleton("humanml3d").index(f"{side}_{part}") for part in ("ankle", "foot"))
        if np.linalg.norm(joints[0, toe] - joints[0, ankle]) < 1e-3:
            joints[0, toe] = joints[0, ankle] + 0.12 * facing[:, 2]
    straight = joints @ facing
    stance = stance_directions(straight[0])
    placed = clip.joints[frame].astype(np.float64)
    info: dict[str, Any] = {key: clip.info[key] for key in ("end_sites", "unit", "up", "notes") if key in clip.info}
    limbs = _limbs(places, clip.skeleton, path)
    lowest = float(min(placed[:, 1].min(), joints[0, :, 1].min()))
    height = float(joints[0, :, 1].max() - lowest)
    ground = 0.0 if glb is not None and 0 <= lowest <= GROUND * height else float(joints[0, :, 1].min())
    return Rig(
        path, clip.skeleton, whole[0], placed, facing, read_pose(straight, clip.fps, stance),
        _chains(limbs, places, clip.skeleton, path), limbs, ground, f"{what}" + (f", {frame}" if frame else ""),
        convention, info, *(glb or (None, None)),
    )  # fmt: skip


def _stands(joints: np.ndarray) -> tuple[float, int]:
    """(by how much the worst part of the best of T bodies is above the limits of a stance, its number)."""
    skeleton = get_skeleton("humanml3d")

    def along(start: str, end: str) -> np.ndarray:
        step = joints[:, skeleton.index(end)] - joints[:, skeleton.index(start)]
        return step[:, 1] / np.maximum(np.linalg.norm(step, axis=-1), 1e-9)

    parts = [along("pelvis", "neck") - UPRIGHT["trunk"]]
    for side in SIDES:
        parts += [-along(f"{side}_hip", f"{side}_knee") - UPRIGHT["thigh"]]
        parts += [-along(f"{side}_knee", f"{side}_ankle") - UPRIGHT["shank"]]
    worst = np.min(parts, axis=0)
    return float(worst.max()), int(worst.argmax())


def stands_upright(joints: np.ndarray) -> bool:
    """Whether one of the bodies (T, 22, 3) stands: legs down, trunk up, arms anywhere."""
    return _stands(joints)[0] >= 0


def _human_places(human: Mapping[str, str], path: Path) -> dict[str, Place]:
    """The 22 places of a file that says itself which node is which bone. Bones that VRM leaves free are between
    others."""
    out: dict[str, Place] = {}
    for joint in get_skeleton("humanml3d").joints:
        side, _, part = joint.rpartition("_")
        bone = f"{side}{HUMAN_BONES[part]}" if side else HUMAN_BONES[part]
        if bone in human:
            out[joint] = (human[bone], human[bone], 0.0)
    # Between bones that the file names, never between a bone and a place that is itself between.
    top, way = ("neck", 1.0) if "neck" in out else ("head", 0.9)
    middle = next((joint for joint in ("neck", "spine3", "spine2", "spine1") if joint in out), "pelvis")
    between = {
        "spine1": ("pelvis", top, 0.24 * way), "spine2": ("pelvis", top, 0.5 * way),
        "spine3": ("pelvis", top, 0.6 * way), "neck": ("pelvis", "head", 0.9),
        "left_collar": (middle, "left_shoulder", 0.42), "right_collar": (middle, "right_shoulder", 0.42),
    }  # fmt: skip
    for joint in ("neck", "spine1", "spine2", "spine3", "left_collar", "right_collar"):
        a, b, share = between[joint]
        if joint not in out and a in out and b in out:
            out[joint] = (out[a][0], out[b][0], share)
    for side in SIDES:  # no toes: a foot of no length says nothing, the stance takes its place
        if f"{side}_foot" not in out and f"{side}_ankle" in out:
            out[f"{side}_foot"] = out[f"{side}_ankle"]
    missing = [joint for joint in get_skeleton("humanml3d").joints if joint not in out]
    if missing:
        raise DataError(f"{path}: its table of human bones has none for {', '.join(missing)}")
    return out


def _limbs(places: Mapping[str, Place], skeleton: Skeleton, path: Path) -> dict[str, int]:
    limbs = {}
    for side in SIDES:
        for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            a, b, share = places[f"{side}_{part}"]
            if a not in skeleton.joints or (share and a != b):
                raise DataError(f"{path}: has no joint of its own at {side}_{part}, which a character must have")
            limbs[f"{side}_{part}"] = skeleton.index(a)
        toe = places[f"{side}_foot"][0]
        if toe in skeleton.joints and skeleton.index(toe) != limbs[f"{side}_ankle"]:
            limbs[f"{side}_foot"] = skeleton.index(toe)
    return limbs


def _way(skeleton: Skeleton, joint: int) -> list[int]:
    """From the root to a joint."""
    way = [joint]
    while skeleton.parents[way[0]] >= 0:
        way.insert(0, skeleton.parents[way[0]])
    return way


def _shared(skeleton: Skeleton, joints: list[int]) -> int:
    """The lowest joint that all hang on."""
    ways = [_way(skeleton, joint) for joint in joints]
    return [way[0] for way in zip(*ways, strict=False) if len(set(way)) == 1][-1]


def _chains(
    limbs: Mapping[str, int], places: Mapping[str, Place], skeleton: Skeleton, path: Path
) -> dict[str, list[int]]:
    hips = _shared(skeleton, [limbs["left_hip"], limbs["right_hip"]])
    chest = _shared(skeleton, [limbs["left_shoulder"], limbs["right_shoulder"]])
    a, b, share = places["head"]
    near = b if share > 0.5 and b in skeleton.joints else a
    head = skeleton.index(near if near in skeleton.joints else places["neck"][0])
    body = _shared(skeleton, [hips, chest])
    way = _way(skeleton, chest)
    trunk = way[way.index(body) :]
    out = {"trunk": trunk}
    top = _shared(skeleton, [chest, head])
    up = _way(skeleton, head)
    out["neck"] = up[up.index(top) + 1 :]
    for side in SIDES:
        arm = _way(skeleton, limbs[f"{side}_shoulder"])
        out[f"{side}_collar"] = arm[arm.index(chest) + 1 : -1]
    if body == chest and len(skeleton) < 15:
        raise DataError(f"{path}: its arms and legs hang on one joint")
    return out
