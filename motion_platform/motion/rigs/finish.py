"""What an engine asks of a clip: another frame rate, a body that stays in place, an end that meets the start, a root
bone on the floor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.inverse_kinematics import matrix_to_quaternion, posed
from motion_platform.motion.io.euler import forward_kinematics, quaternion_multiply, quaternion_to_matrix, unroll
from motion_platform.motion.rigs.pose import heading, smooth
from motion_platform.motion.skeleton import Skeleton

BLEND = 0.3
"""Seconds in which the end of a loop is led to its start."""
SHORTEST_LOOP = 0.5
"""Seconds that a loop lasts at least; and at least half of the clip."""
CANDIDATES = 240
"""Frames at either end of a loop that are compared with each other, evenly over the clip."""
VELOCITY = 0.1
"""Seconds: how much a difference of velocity counts beside one of position."""
ROOT = "root"


def with_rotations(clip: Clip) -> Clip:
    """The clip with rotations and bones of constant length, as every file of animation needs them."""
    local, offsets, moved = posed(clip)
    return _made(clip, local, offsets, moved, clip.skeleton)


def _made(clip: Clip, local: np.ndarray, offsets: np.ndarray, moved: Mapping[int, np.ndarray], base: Skeleton) -> Clip:
    steps = np.broadcast_to(offsets, (len(local), *offsets.shape)).copy()
    for j, track in moved.items():
        steps[:, j] = track
    joints = forward_kinematics(local, steps, base.parents)
    skeleton = Skeleton(
        base.name, base.joints, base.parents, offsets, base.parts, base.mirror, base.dims, base.extra_edges
    )
    return clip.with_(joints=joints.astype(np.float32), rotations=unroll(local).astype(np.float32), skeleton=skeleton)


def at_rate(clip: Clip, fps: float) -> Clip:
    """The clip at ``fps`` frames a second: rotations along the shortest arc, positions linear. UsageError,
    DataError."""
    if not (np.isfinite(fps) and 0 < fps <= 1000):
        raise UsageError(f"--out-fps: got {fps:g}; it must be above 0 and at most 1000")
    if fps == clip.fps or len(clip) == 1:
        return clip.with_(fps=float(fps))
    count = int(np.floor((len(clip) - 1) * fps / clip.fps + 1e-6)) + 1
    if count > MAX_FRAMES:
        raise DataError(f"motion {clip.name!r}: at {fps:g} fps it has {count} frames; at most {MAX_FRAMES} are allowed")
    local, offsets, moved = posed(clip)
    at = np.minimum(np.arange(count) * (clip.fps / fps), len(clip) - 1)
    before = np.minimum(at.astype(int), len(clip) - 2)
    share = (at - before)[:, None]
    turned = _between(local[before], local[before + 1], share[..., None])
    tracks = {j: track[before] * (1 - share) + track[before + 1] * share for j, track in moved.items()}
    return _made(clip.with_(fps=float(fps)), turned, offsets, tracks, clip.skeleton)


def _between(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(..., 4): ``share`` of the way from a to b along the shortest arc."""
    b = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
    angle = np.arccos(np.clip((a * b).sum(-1, keepdims=True), -1, 1))
    far = angle > 1e-4
    sine = np.where(far, np.sin(angle), 1.0)
    turned = np.where(far, (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / sine, a + share * (b - a))
    return turned / np.linalg.norm(turned, axis=-1, keepdims=True)


def in_place(clip: Clip) -> Clip:
    """The clip with its hips over one point of the floor: everything else moves as it did."""
    mover = _mover(clip)
    away = clip.joints[:, mover].astype(np.float64) * [1, 0, 1]
    away = away - away[:1]
    joints = clip.joints - away[:, None].astype(np.float32)
    if mover:  # what is above the hips never moved
        above = _way_up(clip.skeleton, mover)[1:]
        joints[:, above] = clip.joints[:, above]
    return clip.with_(joints=joints)


def _mover(clip: Clip) -> int:
    """The joint that carries the body: the rig's, else the first that moves."""
    if clip.rig is not None:
        return clip.rig.chains["trunk"][0]
    moves = np.ptp(clip.joints, axis=0).max(-1) > 1e-3
    return int(moves.argmax())


def _way_up(skeleton: Skeleton, joint: int) -> list[int]:
    way = [joint]
    while skeleton.parents[way[-1]] >= 0:
        way.append(skeleton.parents[way[-1]])
    return way


def looped(clip: Clip) -> tuple[Clip, dict[str, float]]:
    """(a part of the clip whose last frame is its first pose, how well the two met).

    The part, at least half of the clip, whose ends are most alike in pose, facing and speed is cut out; its last
    ``BLEND`` seconds are led to the first pose. The place on the floor goes on (with ``in_place``, that is the same,
    too). Seam: "start", "end" (frames of the clip), "seconds", "gap_metres" (mean distance of the joints before they
    are led together), "speed_ratio" (change of velocity over the seam against the largest elsewhere). UsageError for
    less than ``SHORTEST_LOOP`` seconds.
    """
    shortest = max(int(np.ceil(SHORTEST_LOOP * clip.fps)), len(clip) // 2)
    if len(clip) <= shortest + 2:
        raise UsageError(f"--loop: motion {clip.name!r} has {len(clip)} frames; a loop needs {shortest + 3} or more")
    mover = _mover(clip)
    joints = clip.joints.astype(np.float64)
    poses = joints - joints[:, mover : mover + 1] * [1, 0, 1]
    speed = np.gradient(joints, 1 / clip.fps, axis=0)
    stride = max(1, (len(clip) - shortest) // CANDIDATES)
    starts = np.arange(0, len(clip) - shortest, stride)
    best = (np.inf, 0, len(clip) - 1)
    for start in starts.tolist():
        ends = np.arange(start + shortest, len(clip), stride)
        cost = np.linalg.norm(poses[ends] - poses[start], axis=-1).mean(-1)
        cost += VELOCITY * np.linalg.norm(speed[ends] - speed[start], axis=-1).mean(-1)
        k = int(cost.argmin())
        if cost[k] < best[0]:
            best = (float(cost[k]), int(start), int(ends[k]))
    _, start, end = best
    local, offsets, moved = posed(clip)
    local = local[start : end + 1].copy()
    tracks = {j: track[start : end + 1].copy() for j, track in moved.items()}
    gap = float(np.linalg.norm(poses[end] - poses[start], axis=-1).mean())
    count = min(len(local) - 1, max(1, round(BLEND * clip.fps)))
    share = np.linspace(0, 1, count + 1)[1:]
    share = share * share * (3 - 2 * share)
    wanted = np.broadcast_to(local[:1], (count, *local.shape[1:]))
    # The turn that is missing at the end, a growing part of it on every frame before.
    missing = quaternion_multiply(local[:1] * [-1, -1, -1, 1], local[-1:]) * [-1, -1, -1, 1]
    still = np.zeros_like(missing)
    still[..., 3] = 1.0
    parts = _between(np.broadcast_to(still, wanted.shape), np.broadcast_to(missing, wanted.shape), share[:, None, None])
    local[-count:] = quaternion_multiply(local[-count:], parts)
    local[-1] = local[0]
    for j, track in tracks.items():
        step = track[0] - track[-1]
        if j == mover:  # the path over the floor goes on
            above = _way_up(clip.skeleton, j)[:0:-1]
            turn = np.eye(3)
            for k in above:
                turn = turn @ quaternion_to_matrix(local[-1, k])
            step = turn.T @ ((turn @ step) * [0.0, 1.0, 0.0])
        track[-count:] += share[:, None] * step
    cut = _made(clip, local, offsets, tracks, clip.skeleton)
    first, last = start / clip.fps, end / clip.fps
    events = {name: times[(times >= first) & (times <= last)] - first for name, times in clip.events.items()}
    words = tuple((text, a - first, min(b, last) - first) for text, a, b in clip.words if first <= a <= last)
    after = np.linalg.norm(np.diff(cut.joints[:2], axis=0)[0] - np.diff(cut.joints[-2:], axis=0)[0], axis=-1).mean()
    usual = np.linalg.norm(np.diff(cut.joints.astype(np.float64), n=2, axis=0), axis=-1).mean(-1)
    seam: dict[str, float] = {
        "start": start, "end": end, "seconds": (end - start) / clip.fps, "gap_metres": gap,
        "speed_ratio": float(after / max(usual.max(), 1e-9)),
    }  # fmt: skip
    return cut.with_(events=events, words=words, info={**cut.info, "loop": seam}), seam


def describe_loop(name: str, seam: Mapping[str, float]) -> str:
    """The seam in one line."""
    return (
        f"{name}: loops over {seam['seconds']:.2f} s (frames {seam['start']:.0f} to {seam['end']:.0f}); its ends were "
        f"{1000 * seam['gap_metres']:.0f} mm apart before they were joined, and at the seam the speed changes "
        f"{seam['speed_ratio']:.2f} times as much as at most elsewhere"
    )


def with_root_bone(clip: Clip) -> Clip:
    """The clip with a bone on the floor below the hips that carries place and facing (root motion of game engines).

    A rig's own bone above the hips takes it; a clip without a rig gets a joint ``root`` before the others.
    Errors: UsageError for a rig whose hips hang on nothing; DataError for a clip without a body.
    """
    from motion_platform.motion.rigs.fit import body_of

    faced = heading(body_of(clip)[0])
    mover = _mover(clip)
    floor = clip.joints[:, mover].astype(np.float64) * [1, 0, 1]
    if len(clip) > 2:  # a body sways about its path and its facing, a root bone does not
        faced = _level(smooth(faced[..., 2], clip.fps, 0.25))
    if clip.rig is None:
        local, offsets, moved = posed(clip)
        turn = matrix_to_quaternion(faced)
        back = turn * [-1, -1, -1, 1]
        whole = np.concatenate([turn[:, None], local], axis=1)
        whole[:, 1] = quaternion_multiply(back, local[:, 0])
        tracks = {j + 1: track for j, track in moved.items()}
        tracks[0] = floor
        tracks[1] = np.einsum("tji,tj->ti", faced, moved[0] - floor)
        base = clip.skeleton
        names = (ROOT, *base.joints)
        parents = (-1, *(parent + 1 for parent in base.parents))
        skeleton = Skeleton(f"{base.name}+{ROOT}", names, parents, None, base.parts, base.mirror)
        hips = np.vstack([np.zeros((1, 3)), offsets])
        hips[1] = tracks[1].mean(0)
        return _made(clip, whole, hips, tracks, skeleton)
    if mover == 0:
        raise UsageError(
            f"--root-bone: {clip.rig.path.name} has no bone above {clip.skeleton.joints[0]!r} that could stand on the "
            "floor; leave the option out"
        )
    assert clip.rotations is not None
    assert clip.skeleton.offsets is not None
    local = clip.rotations.astype(np.float64)
    whole = local.copy()
    for parent, child in clip.skeleton.bones:
        whole[:, child] = quaternion_multiply(whole[:, parent], local[:, child])
    above = _way_up(clip.skeleton, mover)[1:]
    turn = matrix_to_quaternion(faced @ clip.rig.facing.T)  # from how the rig stands to how the body faces
    joints = clip.joints.astype(np.float64)
    for j in above:
        whole[:, j] = quaternion_multiply(turn, whole[:, j])
        stood = joints[:, j] - joints[:, above[-1]]
        joints[:, j] = (
            floor + np.einsum("tij,tj->ti", quaternion_to_matrix(turn), stood) + joints[:, above[-1]] * [0, 1, 0]
        )
    own = whole.copy()
    for parent, child in clip.skeleton.bones:
        own[:, child] = quaternion_multiply(whole[:, parent] * [-1, -1, -1, 1], whole[:, child])
    return clip.with_(joints=joints.astype(np.float32), rotations=unroll(own).astype(np.float32))


def _level(forward: np.ndarray) -> np.ndarray:
    """(T, 3, 3) upright frames that face where (T, 3) points."""
    forward = forward * [1, 0, 1]
    forward = forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    up = np.broadcast_to([0.0, 1.0, 0.0], forward.shape)
    return np.stack([np.cross(up, forward), up, forward], axis=-1)
