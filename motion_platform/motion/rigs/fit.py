"""A motion put on somebody's own skeleton: its turns, its size, its feet; and how far off the result is.

Limbs point exactly where they did. Trunk, neck, collars and feet are turned from the rig's own stance as the body is
from one that stands. The path is scaled by the length of the legs, the body stands on the rig's floor, and feet stay
where they stood (``contacts``), for which knees and hips give way by a few degrees at most; the report says by how
many.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.intervals import runs
from motion_platform.motion.inverse_kinematics import matrix_to_quaternion
from motion_platform.motion.io.euler import forward_kinematics, quaternion_to_matrix, unroll
from motion_platform.motion.rigs import contacts
from motion_platform.motion.rigs.feet import body_way
from motion_platform.motion.rigs.pose import SIDES, Pose, frame, heading, read_pose, stance_directions, turn_between
from motion_platform.motion.rigs.rig import Rig, stands_upright
from motion_platform.motion.skeleton import get_skeleton

POINTING = ("elbow", "wrist", "knee", "ankle")
"""Limb bones, by the joints that they end at, whose directions the report compares."""


def onto(clip: Clip, rig: Rig, *, names: str | Path | Mapping[str, Any] | None = None, keep_feet: bool = True) -> Clip:
    """The clip on the rig's skeleton, in metres, at its own frame rate, with rotations.

    names: joint names of the clip, where they are not known. keep_feet: hold standing feet still. ``info`` gains "rig"
    (the file) and "fit" (see :func:`fit_report`). Errors: DataError for a clip without a body.
    """
    joints, convention = body_of(clip, names)
    source = read_pose(joints, clip.fps, _stance(clip, names))
    leg = _leg(joints)
    if leg < 1e-3:
        raise DataError(f"motion {clip.name!r}: its legs have no length")
    scale = rig.leg / leg
    world = _turned(source, rig, _known_turns(clip, names, convention))
    body = rig.chains["trunk"][0]
    hips = [rig.limbs[f"{side}_hip"] for side in SIDES]
    skeleton = get_skeleton("humanml3d")
    middle = joints[:, [skeleton.index("left_hip"), skeleton.index("right_hip")]].mean(1)
    ankles = np.stack([joints[:, skeleton.index(f"{side}_ankle")] for side in SIDES], axis=1)
    toes = [joints[:, skeleton.index(f"{side}_foot")] for side in SIDES]
    standing = [contacts.stands(toe, clip.fps, leg) for toe in toes]
    rest_ankle = float(np.mean([rig.placed[rig.limbs[f"{side}_ankle"], 1] for side in SIDES])) - rig.floor
    flat = ankles[..., 1][np.stack(standing, 1)] if np.any(standing) else ankles[..., 1].reshape(-1)
    goal = middle * scale
    goal[:, 1] = (middle[:, 1] - np.quantile(flat, 0.25)) * scale + rest_ankle
    anchor = rig.placed[hips].mean(0) - rig.placed[body]
    unturned = quaternion_to_matrix(rig.turned)
    turn = np.einsum("tij,kj->tik", world[:, body], unturned[body])  # from the stance to each frame
    root = goal - turn @ anchor
    placed = _placed(rig, world, root)
    if keep_feet:
        world, placed = _kept_feet(rig, world, placed, root, standing, clip.fps)
    local, offsets = _local(rig, world)
    steps = np.broadcast_to(offsets, placed.shape).copy()
    steps[:, 0] = placed[:, 0]
    if body != 0:  # what hangs above the body stays; the body itself is moved
        before = world[:, rig.skeleton.parents[body]]
        steps[:, body] = np.einsum("tji,tj->ti", before, placed[:, body] - placed[:, rig.skeleton.parents[body]])
    made = forward_kinematics(local, steps, rig.skeleton.parents)
    info = {key: value for key, value in clip.info.items() if key not in ("end_sites", "stretching", "folded_root")}
    info |= {key: rig.info[key] for key in ("end_sites",) if key in rig.info}
    info |= {"rig": rig.path.name, "convention": convention}
    out = Clip(
        made.astype(np.float32), clip.fps, rig.skeleton, unroll(local).astype(np.float32), clip.name, clip.captions,
        info, clip.audio, clip.events, rig, clip.words,
    )  # fmt: skip
    info["fit"] = fit_report(source, out, rig, standing, scale)
    return out


def body_of(clip: Clip, names: str | Path | Mapping[str, Any] | None = None) -> tuple[np.ndarray, str]:
    """((T, 22, 3) joints of HumanML3D where the clip has them, the convention of its names). DataError."""
    from motion_platform.motion.retarget import find_places, joints_at

    if names is None and clip.skeleton.joints == get_skeleton("humanml3d").joints:
        return clip.joints.astype(np.float64), "humanml3d"
    convention, places = find_places(clip, names)
    return joints_at(clip, places), convention


def _rest_joints(clip: Clip, names: Any) -> np.ndarray | None:
    """(1, 22, 3): the rest pose of a clip with rotations, where it is a stance; else None."""
    offsets = clip.skeleton.offsets
    # The named skeleton's offsets are directions for reference, and no pose that anybody stands in.
    if clip.rotations is None or offsets is None or clip.skeleton.name == "humanml3d":
        return None
    still = np.tile([0.0, 0.0, 0.0, 1.0], (1, len(clip.skeleton), 1))
    rest = clip.with_(
        joints=forward_kinematics(still, offsets, clip.skeleton.parents).astype(np.float32),
        rotations=still.astype(np.float32),
        events={},
    )
    joints, _ = body_of(rest, names)
    return joints if stands_upright(joints) else None


def _stance(clip: Clip, names: Any) -> dict[str, np.ndarray] | None:
    """What "no turn" means for a clip with a rest pose of its own that stands; None: the usual stance."""
    rest = _rest_joints(clip, names)
    return None if rest is None else stance_directions((rest @ heading(rest)[0])[0])


def _known_turns(clip: Clip, names: Any, convention: str) -> dict[str, np.ndarray]:
    """ "head", "left_wrist", "right_wrist" -> (T, 3, 3) turns from the stance, where the clip's own rotations say them:
    a clip with rotations whose rest pose is a stance. For wrists the turn that brings the rest pose's forearm out of
    the usual axes comes first, so that arms may rest in any direction."""
    from motion_platform.motion.retarget import find_places

    rest = _rest_joints(clip, names)
    if rest is None or clip.rotations is None:
        return {}
    facing = heading(rest)[0]
    still = read_pose(rest @ facing, clip.fps, stance_directions((rest @ facing)[0]))
    if convention == "humanml3d":
        places = {joint: (joint, joint, 0.0) for joint in clip.skeleton.joints}
    else:
        _, places = find_places(clip, names)
    world = quaternion_to_matrix(clip.rotations.astype(np.float64))
    for parent, child in clip.skeleton.bones:
        world[:, child] = world[:, parent] @ world[:, child]
    out = {}
    for part in ("head", "left_wrist", "right_wrist"):
        a, b, share = places[part]
        if a not in clip.skeleton.joints or (share and a != b):
            continue
        own = world[:, clip.skeleton.index(a)] @ facing
        side = part.removesuffix("_wrist")
        out[part] = own if part == "head" else own @ still.frames[f"{side}_elbow"][0]
    return out


def _leg(joints: np.ndarray) -> float:
    skeleton = get_skeleton("humanml3d")
    steps = [
        np.linalg.norm(joints[:, skeleton.index(f"{side}_{b}")] - joints[:, skeleton.index(f"{side}_{a}")], axis=-1)
        for side in SIDES
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    return float(np.mean(steps)) * 2


def _turned(source: Pose, rig: Rig, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """(T, J, 3, 3) world rotations of all joints of the rig. known: turns that the source itself says."""
    count = len(source.joints)
    rest = np.einsum("ki,jkl->jil", rig.facing, quaternion_to_matrix(rig.turned))  # as it stands, facing Z+
    own = quaternion_to_matrix(rig.turned)
    world: list[np.ndarray | None] = [None] * len(rig.skeleton)

    def turn(joints: list[int], turns: list[np.ndarray]) -> None:
        for j, by in zip(joints, turns, strict=True):
            world[j] = by @ rest[j]

    pelvis, chest = source.turns["pelvis"], source.turns["chest"]
    trunk = rig.chains["trunk"]
    turn(trunk, [turn_between(pelvis, chest, k / max(len(trunk) - 1, 1)) for k in range(len(trunk))])
    # What lies between there and the hips goes with the first of the trunk, which turns as the pelvis does.
    neck = rig.chains["neck"]
    turn(neck, [turn_between(chest, source.turns["neck"], (k + 1) / len(neck)) for k in range(len(neck))])
    if "head" in known and neck:
        turn(neck[-1:], [known["head"]])
    for side in SIDES:
        if f"{side}_wrist" in known:
            wrist = rig.limbs[f"{side}_wrist"]
            world[wrist] = known[f"{side}_wrist"] @ (rig.pose.frames[f"{side}_elbow"][0].T @ rest[wrist])
        collar = rig.chains[f"{side}_collar"]
        by = source.turns[f"{side}_collar"]
        turn(collar, [turn_between(chest, by, (k + 1) / len(collar)) for k in range(len(collar))])
        for part in ("shoulder", "elbow", "hip", "knee"):
            j = rig.limbs[f"{side}_{part}"]
            from_rig = rig.pose.frames[f"{side}_{part}"][0].T @ rest[j]
            world[j] = source.frames[f"{side}_{part}"] @ from_rig
        ankle = rig.limbs[f"{side}_ankle"]
        world[ankle] = source.frames[f"{side}_foot"] @ (rig.pose.frames[f"{side}_foot"][0].T @ rest[ankle])
    filled = np.empty((count, len(rig.skeleton), 3, 3))
    for j, parent in enumerate(rig.skeleton.parents):
        placed = world[j]
        if placed is not None:
            filled[:, j] = placed
        elif parent < 0:
            filled[:, j] = own[j]
        else:  # goes with what it hangs on, as it does in the stance
            filled[:, j] = filled[:, parent] @ (own[parent].T @ own[j])
    return filled


def _steps(rig: Rig) -> np.ndarray:
    """(J, 3) from parent to joint in the stance, as the turned parent sees it."""
    own = quaternion_to_matrix(rig.turned)
    parents = np.maximum(rig.skeleton.parents, 0)
    return np.einsum("jik,ji->jk", own[parents], rig.placed - rig.placed[parents])


def _placed(rig: Rig, world: np.ndarray, root: np.ndarray) -> np.ndarray:
    """(T, J, 3) positions with the body's joint at ``root``; what is above it stays in its place."""
    steps, body = _steps(rig), rig.chains["trunk"][0]
    placed = np.empty((*world.shape[:2], 3))
    for j, parent in enumerate(rig.skeleton.parents):
        if j == body:
            placed[:, j] = root
        elif parent < 0:
            placed[:, j] = rig.placed[j] - [0.0, rig.floor, 0.0]
        else:
            placed[:, j] = placed[:, parent] + world[:, parent] @ steps[j]
    return placed


def _kept_feet(
    rig: Rig, world: np.ndarray, placed: np.ndarray, root: np.ndarray, standing: list[np.ndarray], fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """World rotations and positions with feet held where they stand."""
    world = world.copy()
    tips = [rig.limbs.get(f"{side}_foot", rig.limbs[f"{side}_ankle"]) for side in SIDES]
    legs = [[rig.limbs[f"{side}_{part}"] for part in ("hip", "knee", "ankle")] for side in SIDES]
    paths = [[placed[:, j] for j in (*leg, tip)] for leg, tip in zip(legs, tips, strict=True)]
    heights = [float(rig.placed[tip, 1]) - rig.floor for tip in tips]
    way, places = body_way(paths, standing, heights, fps)
    root = root + way
    steps = [np.diff(rig.placed[leg], axis=0) for leg in legs]
    lengths = [(float(np.linalg.norm(upper)), float(np.linalg.norm(lower))) for upper, lower in steps]

    def legs_at(root: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Hips, and where their ankles are to be."""
        placed = _placed(rig, world, root)
        by = [contacts.held(placed[:, tip], stands, at) for tip, stands, at in zip(tips, standing, places, strict=True)]
        goals = [placed[:, leg[2]] + moved for leg, moved in zip(legs, by, strict=True)]
        return [placed[:, leg[0]] for leg in legs], goals

    sink = contacts.lowering(*legs_at(root), [sum(pair) for pair in lengths], fps)  # where a leg does not reach
    root = root - sink[:, None] * [0.0, 1.0, 0.0]
    hips, goals = legs_at(root)
    rest = np.einsum("ki,jkl->jil", rig.facing, quaternion_to_matrix(rig.turned))
    for side, leg, goal, hip_at, pair, stands in zip(SIDES, legs, goals, hips, lengths, standing, strict=True):
        hip, knee, ankle = leg
        bones = [rig.pose.frames[f"{side}_{part}"][0].T @ rest[j] for j, part in ((hip, "hip"), (knee, "knee"))]
        old = [world[:, j] @ bone.T for j, bone in zip((hip, knee), bones, strict=True)]
        first, second, axis = contacts.bent(hip_at, goal, old[0][..., 0], old[1][..., 0], pair, old[0][..., 1])
        new = contacts.turned_on([frame(first, axis), frame(second, axis)], old, stands, fps)
        for j, below, turn, bone in zip((hip, knee), (knee, ankle), new, bones, strict=True):
            _carry(rig, world, j, turn @ bone, stop=below)
    return world, _placed(rig, world, root)


def _carry(rig: Rig, world: np.ndarray, joint: int, new: np.ndarray, stop: int) -> None:
    """Turn a joint, and with it all that hangs on it but what hangs on ``stop`` (which has a turn of its own)."""
    by = new @ world[:, joint].transpose(0, 2, 1)
    below = {joint}
    for j, parent in enumerate(rig.skeleton.parents):
        if parent in below and j != stop:
            below.add(j)
    for j in below:
        world[:, j] = by @ world[:, j]


def _local(rig: Rig, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(local rotations (T, J, 4), offsets (J, 3)) in the skeleton's own rest pose."""
    assert rig.skeleton.offsets is not None
    local = world.copy()
    for parent, child in rig.skeleton.bones:
        local[:, child] = world[:, parent].transpose(0, 2, 1) @ world[:, child]
    return matrix_to_quaternion(local), np.asarray(rig.skeleton.offsets, np.float64)


def fit_report(source: Pose, made: Clip, rig: Rig, standing: list[np.ndarray], scale: float) -> dict[str, float]:
    """How far a motion on a rig is off: degrees between the limb bones' directions before and after (mean, 95th
    percentile, largest), metres by which a standing foot is off the floor's height and by which it slides in a
    stand."""
    skeleton = get_skeleton("humanml3d")
    angles, heights, slides = [], [], []
    joints = made.joints.astype(np.float64)
    before = {"elbow": "shoulder", "wrist": "elbow", "knee": "hip", "ankle": "knee"}
    for side, stands in zip(SIDES, standing, strict=True):
        for part in POINTING:
            a, b = f"{side}_{before[part]}", f"{side}_{part}"
            wanted = source.joints[:, skeleton.index(b)] - source.joints[:, skeleton.index(a)]
            seen = joints[:, rig.limbs[b]] - joints[:, rig.limbs[a]]
            sine = np.linalg.norm(np.cross(wanted, seen), axis=-1)
            angles.append(np.degrees(np.arctan2(sine, (wanted * seen).sum(-1))))
        tip = rig.limbs.get(f"{side}_foot", rig.limbs[f"{side}_ankle"])
        for start, end in runs(stands):
            place = joints[start:end, tip]
            heights.append(np.abs(place[:, 1] - (rig.placed[tip, 1] - rig.floor)))
            slides.append(np.linalg.norm((place - place.mean(0))[:, [0, 2]], axis=-1))
    every = np.concatenate(angles)
    report = {
        "degrees_mean": float(every.mean()), "degrees_p95": float(np.quantile(every, 0.95)),
        "degrees_max": float(every.max()), "scale": float(scale),
    }  # fmt: skip
    if heights:
        report["floor_metres"] = float(np.concatenate(heights).max())
        report["slide_metres"] = float(np.concatenate(slides).max())
    return report


def describe_fit(name: str, report: Mapping[str, float]) -> str:
    """The report in one line."""
    line = (
        f"{name}: limbs within {report['degrees_mean']:.1f} degrees of the motion (95 %: {report['degrees_p95']:.1f}, "
        f"largest {report['degrees_max']:.1f}), size {report['scale']:.2f}"
    )
    if "floor_metres" in report:
        line += (
            f"; standing feet within {1000 * report['floor_metres']:.0f} mm of the floor's height, "
            f"sliding at most {1000 * report['slide_metres']:.0f} mm"
        )
    return line
