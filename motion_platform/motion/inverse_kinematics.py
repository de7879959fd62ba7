"""Joint positions into local rotations on a skeleton whose bones keep their lengths.

Positions do not say how a bone is turned about itself. Joints with several children (pelvis, chest) are turned by the
best fit to all of them (Kabsch 1976); a joint with one child by the shortest arc in its parent's frame, which is free
of twist. Where that jumps (a bone passes the opposite of its rest direction) the twist is carried on from the
frame before and let go again slowly, so that nothing flips.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.euler import forward_kinematics, quaternion_multiply, quaternion_to_matrix, unroll
from motion_platform.motion.skeleton import Skeleton

TWIST_RATE = 0.12
"""Radians a frame by which a carried twist is let go, and the largest twist of a frame that is no jump."""

EPSILON = 1e-9

STRETCH = 0.0005
"""Metres by which a bone of a clip with rotations may change before its joint is moved as well as turned."""

SHAPE_PASSES = 3
"""Passes that find the mean shape of the children around a joint; the change of the third is below 0.1 mm."""

REACH = {"hip": 1.0, "shoulder": 0.5}
"""How far a knee or elbow gives way for the end of its limb: feet are where they were, and the error of an arm is
shared between elbow and wrist."""

T_POSE = {
    "hip": (0.60, -0.80, 0.0), "knee": (0.0, -1.0, 0.0), "ankle": (0.0, -1.0, -0.05), "foot": (0.0, -0.40, 0.92),
    "spine1": (0.0, 1.0, 0.0), "spine2": (0.0, 1.0, 0.0), "spine3": (0.0, 1.0, 0.05), "neck": (0.0, 1.0, -0.15),
    "head": (0.0, 0.95, 0.30), "collar": (0.60, 0.80, 0.0), "shoulder": (0.97, 0.24, 0.0),
    "elbow": (1.0, 0.0, 0.0), "wrist": (1.0, 0.0, 0.0),
}  # fmt: skip
"""Directions of the bones that end at these joints when a person stands with the arms out; left, so X+ is outward.
HumanML3D's own offsets are directions for reference, with hanging arms and the head pointing forward: no rest pose."""


def posed(clip: Clip) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """A clip as files of animation want it: (local rotations (T, J, 4) xyzw, rest offsets (J, 3), moved joints).

    The clip's own rotations where it has them, else :func:`rotations_from_joints`. Moved joints: joint -> positions
    (T, 3) in its parent's frame; the root always, and joints whose bone changes in a clip with rotations. In metres.
    """
    if clip.rotations is None or clip.skeleton.offsets is None:
        found, rest = rotations_from_joints(clip.joints, clip.skeleton)
        return found, rest, {0: clip.joints[:, 0].astype(np.float64)}
    local = clip.rotations.astype(np.float64)
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    offsets = np.array(clip.skeleton.offsets, np.float64)
    joints = clip.joints.astype(np.float64)
    root = joints[:, 0]
    positions = {0: root}
    moved = np.broadcast_to(offsets, joints.shape).copy()
    moved[:, 0] = root
    if np.abs(forward_kinematics(local, moved, clip.skeleton.parents) - joints).max() > STRETCH:
        whole = local.copy()
        for parent, child in clip.skeleton.bones:
            whole[:, child] = quaternion_multiply(whole[:, parent], local[:, child])
            turned = quaternion_to_matrix(whole[:, parent])
            seen = np.einsum("tik,ti->tk", turned, joints[:, child] - joints[:, parent])
            if np.abs(seen - offsets[child]).max() > STRETCH:
                positions[child] = seen
    return local, offsets, positions


def rotations_from_joints(
    joints: np.ndarray, skeleton: Skeleton, reach: Mapping[str, float] = REACH, rest: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """joints (T, J, 3) world positions in metres -> local rotations (T, J, 4) xyzw and rest offsets (J, 3) in metres.

    Bone lengths are the means over the clip; each bone aims at its true end from where the one before it really ended,
    so errors do not add up along a limb; a knee (and by half an elbow) gives way, in the plane in which it bends, so
    that wrist and ankle are where they were wherever the limb reaches that far (reach: all of that, or a share). End
    joints have no rotation of their own. The rest pose is a person with the arms out for the HumanML3D skeleton, the
    skeleton's offsets for others, the first frame where it has none. rest (J, 3): the offsets of another body, which
    then keeps its own shape and lengths. Errors: DataError for positions of another shape. Forward kinematics of the
    result starts at ``joints[:, 0]``.
    """
    joints = np.asarray(joints, np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (len(skeleton), 3):
        raise DataError(f"joints have shape {joints.shape}; skeleton {skeleton.name} needs (T, {len(skeleton)}, 3)")
    if rest is None:
        lengths = np.zeros(len(skeleton))
        for parent, child in skeleton.bones:
            lengths[child] = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1).mean()
        offsets = rest_directions(skeleton, joints[0]) * lengths[:, None]
    else:
        offsets = np.array(rest, np.float64)
        lengths = np.linalg.norm(offsets, axis=-1)
    frames = len(joints)
    local = np.zeros((frames, len(skeleton), 4))
    local[..., 3] = 1.0
    turned = np.broadcast_to(np.eye(3), (frames, len(skeleton), 3, 3)).copy()
    limbs = _limbs(skeleton)
    placed = joints.copy()  # placed[:, j] is final when j is reached, because parents come first
    for j, parent in enumerate(skeleton.parents):
        above = turned[:, parent] if parent >= 0 else np.broadcast_to(np.eye(3), (frames, 3, 3))
        children = [c for p, c in skeleton.bones if p == j and lengths[c] > EPSILON]
        aims = joints[:, children]
        if (end := limbs.get(j)) is not None:
            middle, share = aims[:, 0], reach[skeleton.joints[j].rpartition("_")[2]]
            bent = _bent(placed[:, j], middle, joints[:, end], lengths[children[0]], lengths[end])
            aims = (middle + share * (bent - middle))[:, None]
        # The children as the parent's frame sees them: (T, C, 3).
        seen = np.einsum("tik,tci->tck", above, aims - placed[:, j, None])
        if len(children) == 1:
            local[:, j] = swing(offsets[children[0]], seen[:, 0])
        elif children and rest is not None:
            local[:, j] = matrix_to_quaternion(_kabsch(offsets[children], seen))
        elif children:
            local[:, j], offsets[children] = _fit(offsets[children], seen, lengths[children])
        turned[:, j] = above @ quaternion_to_matrix(local[:, j])
        for child in (c for p, c in skeleton.bones if p == j):
            placed[:, child] = placed[:, j] + turned[:, j] @ offsets[child]
    return unroll(local), offsets


def _limbs(skeleton: Skeleton) -> dict[int, int]:
    """Upper arms and thighs of the named skeletons: shoulder -> wrist, hip -> ankle; two bones between, one after the
    other."""
    ends = {"shoulder": ("elbow", "wrist"), "hip": ("knee", "ankle")}
    out = {}
    for j, name in enumerate(skeleton.joints):
        side, _, part = name.rpartition("_")
        middle, end = (f"{side}_{each}" for each in ends.get(part, ("", "")))
        if middle in skeleton.joints and end in skeleton.joints:
            a, b = skeleton.index(middle), skeleton.index(end)
            if skeleton.parents[a] == j and skeleton.parents[b] == a:
                out[j] = b
    return out


def _bent(start: np.ndarray, middle: np.ndarray, end: np.ndarray, first: float, second: float) -> np.ndarray:
    """(T, 3): where the middle joint lies so that two bones of constant length run from start to end (T, 3 each), in
    the plane and on the side where it was; on the line where the end is out of reach."""
    step = end - start
    far = np.linalg.norm(step, axis=-1, keepdims=True)
    along = step / np.maximum(far, EPSILON)
    side = (middle - start) - ((middle - start) * along).sum(-1, keepdims=True) * along
    size = np.linalg.norm(side, axis=-1, keepdims=True)
    reach = np.clip(far, abs(first - second) + EPSILON, first + second)
    cosine = np.clip((first**2 + reach**2 - second**2) / np.maximum(2 * first * reach, EPSILON), -1.0, 1.0)
    bent = first * (cosine * along + np.sqrt(1 - cosine**2) * side / np.maximum(size, EPSILON))
    return start + np.where((size > EPSILON) & (far > EPSILON), bent, middle - start)


def rest_directions(skeleton: Skeleton, pose: np.ndarray) -> np.ndarray:
    """(J, 3) unit vectors from parent to joint at rest; zero for the root and for joints on top of their parent."""
    directions = np.zeros((len(skeleton), 3))
    for parent, child in skeleton.bones:
        side, _, limb = skeleton.joints[child].rpartition("_")
        if skeleton.name == "humanml3d" and limb in T_POSE:
            x, y, z = T_POSE[limb]
            directions[child] = (-x if side == "right" else x, y, z)
        elif skeleton.offsets is not None:
            directions[child] = skeleton.offsets[child]
        if not directions[child].any():
            directions[child] = pose[child] - pose[parent]
    size = np.linalg.norm(directions, axis=-1, keepdims=True)
    return np.where(size > EPSILON, directions / np.maximum(size, EPSILON), 0.0)


def swing(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(T, 4) xyzw that turn ``rest`` (3,) into the directions ``seen`` (T, 3) with the least twist and without jumps.

    A direction of length zero repeats the one before it.
    """
    rest = rest / np.linalg.norm(rest)
    size = np.linalg.norm(seen, axis=-1, keepdims=True)
    known = size[:, 0] > EPSILON
    if not known.any():
        return np.tile([0.0, 0.0, 0.0, 1.0], (len(seen), 1))
    last = np.maximum.accumulate(np.where(known, np.arange(len(seen)), -1))
    last[last < 0] = np.flatnonzero(known)[0]
    directions = (seen / np.maximum(size, EPSILON))[last]
    turns = arc(np.broadcast_to(rest, directions.shape), directions)
    # The twist between a frame's shortest arc and the one before it, carried along by the least motion.
    carried = quaternion_multiply(arc(directions[:-1], directions[1:]), turns[:-1])
    change = quaternion_multiply(turns[1:] * [-1, -1, -1, 1], carried)
    jumps = 2 * np.arctan2(change[:, :3] @ rest, change[:, 3])
    jumps = np.concatenate([[0.0], (jumps + np.pi) % (2 * np.pi) - np.pi])
    if np.abs(jumps).max() <= TWIST_RATE:
        return turns
    twist = np.zeros(len(turns))
    for t in range(1, len(turns)):  # each frame depends on the one before it
        kept = (twist[t - 1] + jumps[t] + np.pi) % (2 * np.pi) - np.pi
        twist[t] = kept - np.clip(kept, -TWIST_RATE, TWIST_RATE)
    about = np.concatenate([np.sin(twist / 2)[:, None] * rest, np.cos(twist / 2)[:, None]], axis=-1)
    return quaternion_multiply(turns, about)


def arc(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Shortest rotations (..., 4) xyzw between unit vectors (..., 3); half a turn about some normal for opposites."""
    cosine = (start * end).sum(-1, keepdims=True)
    least = np.eye(3)[np.abs(start).argmin(-1)]
    normal = np.cross(start, least)
    # Half-angle form: (a x b, 1 + a.b), normalised.
    turn = np.concatenate([np.cross(start, end), 1 + cosine], axis=-1)
    opposite = np.concatenate([normal, np.zeros_like(cosine)], axis=-1)
    turn = np.where(cosine > -1 + 1e-12, turn, opposite)
    return turn / np.linalg.norm(turn, axis=-1, keepdims=True)


def _fit(rest: np.ndarray, seen: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 4) rotations of a joint with C children and the rest offsets (C, 3) whose shape is the clip's own.

    The angles between the bones of a real pelvis are not those of a schematic one: the rest offsets become the mean of
    the children as the joint's own frame sees them, in turn with the rotations (generalised Procrustes analysis).
    """
    for _ in range(SHAPE_PASSES):
        matrices = _kabsch(rest, seen)
        mean = np.einsum("tik,tci->ck", matrices, seen)
        size = np.linalg.norm(mean, axis=-1, keepdims=True)
        rest = np.where(size > EPSILON, mean / np.maximum(size, EPSILON) * lengths[:, None], rest)
    return matrix_to_quaternion(_kabsch(rest, seen)), rest


def _kabsch(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rotations that take rest (C, 3) nearest to seen (T, C, 3)."""
    covariance = np.einsum("tci,ck->tik", seen, rest)
    # A weak pull to no rotation decides the turn about a line when all children lie on it; it is far below 0.1 mm else.
    covariance += 1e-5 * max(float((rest**2).sum()), EPSILON) * np.eye(3)
    u, _, vt = np.linalg.svd(covariance)
    u[..., 2] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt


def matrix_to_quaternion(matrices: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) -> (..., 4) xyzw, from the largest of the four components (Shepperd 1978)."""
    rows = [[matrices[..., i, k] for k in range(3)] for i in range(3)]
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rows
    trace = xx + yy + zz
    products = [  # 4 q q^T
        [1 + 2 * xx - trace, xy + yx, xz + zx, zy - yz],
        [xy + yx, 1 + 2 * yy - trace, yz + zy, xz - zx],
        [xz + zx, yz + zy, 1 + 2 * zz - trace, yx - xy],
        [zy - yz, xz - zx, yx - xy, 1 + trace],
    ]
    sizes = np.stack([xx, yy, zz, trace], axis=-1)
    table = np.stack([np.stack(row, axis=-1) for row in products], axis=-2)
    best = np.take_along_axis(table, sizes.argmax(-1)[..., None, None], axis=-2)[..., 0, :]
    return best / np.linalg.norm(best, axis=-1, keepdims=True)
