"""Bones that keep their lengths and feet that stand where they carry: what is done to generated joints before anybody
sees them.

A network that writes joint positions frame by frame lets a bone breathe by a centimetre and a supporting foot slide by
several. Both are mended on the joints alone, without a model: bones get their median length; the way of the body is
corrected by what the supporting feet slide; what is left is taken up by the knees. Source of the order (root first,
then legs): Kovar et al. 2002, "Footskate cleanup for motion capture editing"; the thresholds are ours, and
docs/text-to-motion.md says what they change.
"""

from __future__ import annotations

import numpy as np
import torch

from motion_platform.core.schema import Motion
from motion_platform.motion.intervals import runs
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import Skeleton, get_skeleton

LOW = 0.08
"""Metres above the floor up to which a foot may carry weight."""
SLOW = 0.6
"""m/s; a foot that is faster swings."""
SHORTEST = 0.15
"""Seconds; a shorter contact is none."""
FADE = 0.25
"""Seconds over which a foot comes to, and leaves, the place where it stands."""
FARTHEST = 0.12
"""Metres by which a foot is moved at most against the body."""
SMOOTH = 0.1
"""Seconds (standard deviation) over which the correction of the body's way is smoothed."""


def standing(motion: Motion) -> Motion:
    """A batch of generated motions in raw units with constant bones and feet that stand; lengths and D as they were."""
    representation = get_representation(motion.spec.representation)
    skeleton = get_skeleton(motion.spec.skeleton)
    x = motion.x.clone()
    for b, length in enumerate(motion.lengths.tolist()):
        if length < 2:
            continue
        joints = representation.decode(x[b, :length].double().cpu()).numpy()
        joints = lock_feet(constant_bones(joints, skeleton), motion.spec.fps, skeleton)
        # A row of features holds the way to the next frame: the last one goes on as the one before it.
        joints = np.concatenate([joints, 2 * joints[-1:] - joints[-2:-1]])
        x[b, :length] = torch.from_numpy(representation.encode(joints)).to(x)
    return Motion(x, motion.lengths, motion.spec)


def constant_bones(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3) joints with every bone at its median length, in the directions it had; the root stays."""
    result = joints.copy()
    for parent, child in skeleton.bones:
        bone = joints[:, child] - joints[:, parent]
        lengths = np.linalg.norm(bone, axis=-1, keepdims=True)
        result[:, child] = result[:, parent] + bone / lengths.clip(1e-8) * np.median(lengths)
    return result


def lock_feet(joints: np.ndarray, fps: float, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3) joints in metres, Y up, floor at 0 -> the same with feet that stand while they carry.

    A skeleton without the legs hip, knee, ankle, foot comes back as it is, and so do motions too short for a contact.
    """
    legs = _legs(skeleton)
    if legs is None or len(joints) < max(3, round(SHORTEST * fps) + 1):
        return joints
    joints = joints.astype(np.float64)
    contact = np.stack([_contact(joints[:, leg[3]], fps) for leg in legs], 1)  # (T, 2)
    joints = joints + _root_correction(joints, legs, contact, fps)[:, None]
    for side, leg in enumerate(legs):
        _stand(joints, leg, contact[:, side], fps)
    return joints


def _legs(skeleton: Skeleton) -> list[list[int]] | None:
    names = [[f"{side}_{part}" for part in ("hip", "knee", "ankle", "foot")] for side in ("left", "right")]
    if any(name not in skeleton.joints for leg in names for name in leg):
        return None
    return [[skeleton.index(name) for name in leg] for leg in names]


def _contact(foot: np.ndarray, fps: float) -> np.ndarray:
    """(T, 3) -> (T,) True where the foot carries: low, slow, and for long enough."""
    speed = np.linalg.norm(np.gradient(foot[:, [0, 2]], axis=0), axis=-1) * fps
    carries = (foot[:, 1] < LOW) & (speed < SLOW)
    for start, stop in runs(~carries):  # a single frame between two contacts is one
        if stop - start == 1 and start > 0 and stop < len(foot):
            carries[start] = True
    for start, stop in runs(carries):
        if stop - start < SHORTEST * fps:
            carries[start:stop] = False
    return carries


def _root_correction(joints: np.ndarray, legs: list[list[int]], contact: np.ndarray, fps: float) -> np.ndarray:
    """(T, 3) by how much the body must have moved otherwise for the supporting feet to stand, smoothed."""
    slide = np.zeros((len(joints) - 1, 3))
    weight = np.zeros(len(joints) - 1)
    for side, leg in enumerate(legs):
        carries = contact[:-1, side] & contact[1:, side]
        step = np.diff(joints[:, leg[3]], axis=0) * (1, 0, 1)
        slide[carries] -= step[carries]
        weight += carries
    slide = slide / weight.clip(1)[:, None]
    # Where no foot carries nearby nothing is known of the slide, and little is corrected.
    known = _gaussian((weight > 0).astype(float)[:, None], SMOOTH * fps).clip(0.05)
    smooth = _gaussian(slide, SMOOTH * fps) / known
    return np.concatenate([np.zeros((1, 3)), np.cumsum(smooth, axis=0)])


def _gaussian(values: np.ndarray, deviation: float) -> np.ndarray:
    """(T, C) values averaged over time by a Gaussian cut at four deviations, with zeros before and after them.

    What scipy.ndimage.gaussian_filter1d does; scipy.ndimage takes longer to import than all else here takes.
    """
    radius = int(4 * deviation + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    whole = np.stack([np.convolve(column, kernel) for column in values.T], axis=1)
    return whole[radius : radius + len(values)]


def _stand(joints: np.ndarray, leg: list[int], contact: np.ndarray, fps: float) -> None:
    """Hold one foot where it stands, in place: its offset from there, faded out over ``FADE``; the knee gives way."""
    foot = joints[:, leg[3]]
    stands = runs(contact)
    if not stands:
        return
    offset = np.zeros_like(foot)
    for start, stop in stands:
        offset[start:stop] = (foot[start:stop].mean(0) - foot[start:stop]) * (1, 0, 1)
    # Between two contacts: from the offset of the one to that of the other, and through none where they are far apart.
    t, known = np.arange(len(foot)), np.flatnonzero(contact)
    last = known[(np.searchsorted(known, t, side="right") - 1).clip(0)]
    following = known[np.searchsorted(known, t).clip(max=len(known) - 1)]
    since, until = np.abs(t - last), np.abs(following - t)
    share = _ease(since / (since + until).clip(1))[:, None]
    fade = 1 - _ease((np.minimum(since, until) / (FADE * fps)).clip(0, 1))[:, None]
    offset = fade * ((1 - share) * offset[last] + share * offset[following])
    size = np.linalg.norm(offset, axis=-1, keepdims=True)
    offset = offset * np.minimum(1, FARTHEST / size.clip(1e-8))
    hip, knee, ankle, toe = (joints[:, j].copy() for j in leg)
    thigh, shank = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
    goal = ankle + offset
    goal = hip + _within(goal - hip, 0.999 * (thigh + shank))
    joints[:, leg[1]] = _knee(hip, knee, ankle, goal, thigh, shank)
    joints[:, leg[2]], joints[:, leg[3]] = goal, toe + (goal - ankle)


def _ease(share: np.ndarray) -> np.ndarray:
    """From 0 to 1, starting and ending at rest."""
    return 0.5 - 0.5 * np.cos(np.pi * share)


def _within(vectors: np.ndarray, longest: np.ndarray) -> np.ndarray:
    """(T, 3) vectors, those that are longer than (T,) ``longest`` shortened to it."""
    length = np.linalg.norm(vectors, axis=-1)
    return vectors * np.minimum(1, longest / length.clip(1e-8))[:, None]


def _knee(
    hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray, goal: np.ndarray, thigh: np.ndarray, shank: np.ndarray
) -> np.ndarray:
    """(T, 3) where the knee goes with the ankle from ``ankle`` to ``goal``: lengths kept, bent to the same side."""
    axis = goal - hip
    distance = np.linalg.norm(axis, axis=-1).clip(1e-8)
    axis = axis / distance[:, None]
    along = (thigh**2 - shank**2 + distance**2) / (2 * distance)
    before = (ankle - hip) / np.linalg.norm(ankle - hip, axis=-1).clip(1e-8)[:, None]
    bend = (knee - hip) - ((knee - hip) * before).sum(-1, keepdims=True) * before
    bend = bend - (bend * axis).sum(-1, keepdims=True) * axis
    bend = bend / np.linalg.norm(bend, axis=-1, keepdims=True).clip(1e-8)
    out = np.sqrt((thigh**2 - along**2).clip(0))
    return hip + axis * along[:, None] + bend * out[:, None]
