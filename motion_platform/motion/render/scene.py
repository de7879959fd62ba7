"""What pictures share: how large a motion is, its poses at any time, and the camera that looks at it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motion_platform.motion.clip import Clip

MAX_FPS = 60
"""Clips with more frames a second are thinned: no screen shows more."""

FIELD_OF_VIEW = 0.56
YAW, PITCH = 0.62, 0.20
"""Radians: from the front of a body that faces Z+, a little from its left and from above."""


def stride(clip: Clip) -> int:
    """Every how many frames one is shown, so that at most MAX_FPS are."""
    return max(1, math.ceil(clip.fps / MAX_FPS - 1e-6))


def extent(clip: Clip) -> tuple[float, float]:
    """(floor, height) in metres: the lowest level of the body, and how tall a picture must be to hold one pose.

    The floor is the ground at 0 wherever the motion comes near it, else the lowest joint.
    """
    joints = clip.joints.astype(np.float64)
    low = float(joints[..., 1].min())
    if clip.skeleton.dims == 2:
        whole = float(np.ptp(joints[..., 1]))  # of the whole clip: this camera does not follow
        return low, max(whole, 0.9 * float(np.ptp(joints[..., 0])), 1e-3) * 1.2
    tall = joints[..., 1].max(1) - joints[..., 1].min(1)
    wide = np.linalg.norm(np.ptp(joints[..., ::2], axis=1), axis=-1)
    height = max(float(np.quantile(np.maximum(tall, 0.8 * wide), 0.95)), 1e-3)
    floor = 0.0 if -0.25 * height < low < 0.35 * height else low
    above = float(np.quantile(joints[..., 1].max(1), 0.95)) - floor
    return floor, max(height, above) * 1.12


def told_apart(clips: Sequence[Clip]) -> list[Clip]:
    """The clips, with "sample 2" behind the words that several of them share: what a picture writes under each."""
    words = [clip.captions[0] if clip.captions else clip.name for clip in clips]
    seen: Counter[str] = Counter()
    named = []
    for clip, said in zip(clips, words, strict=True):
        seen[said] += 1
        if words.count(said) > 1:
            clip = clip.with_(captions=(f"{said}, sample {seen[said]}", *clip.captions[1:]))
        named.append(clip)
    return named


def middle(clip: Clip) -> np.ndarray:
    """(3,) middle of the box around all joints in all frames, in metres."""
    joints = clip.joints.reshape(-1, 3).astype(np.float64)
    return (joints.min(0) + joints.max(0)) / 2


def pose_at(clip: Clip, seconds: float) -> np.ndarray:
    """Joints (J, 3) at a time, interpolated between frames; the last frame after the end."""
    at = min(max(seconds * clip.fps, 0.0), len(clip) - 1.0)
    first = min(int(at), len(clip) - 1)
    second = min(first + 1, len(clip) - 1)
    weight = at - first
    return (1 - weight) * clip.joints[first] + weight * clip.joints[second]


def smooth_root(clip: Clip) -> np.ndarray:
    """(T, 3) first joint, averaged over 0.4 s on either side: a following camera does not shake with the steps. Towards
    the ends over less, as much on either side: the way from the first to the last is that of the body."""
    total = np.concatenate([np.zeros((1, 3)), np.cumsum(clip.joints[:, 0].astype(np.float64), axis=0)])
    index = np.arange(len(clip))
    reach = np.minimum(max(1, round(0.4 * clip.fps)), np.minimum(index, index[::-1]))
    low, high = index - reach, index + reach + 1
    return (total[high] - total[low]) / (high - low)[:, None]


@dataclass(frozen=True)
class View:
    """A perspective camera. right, up, back: unit vectors; focal: pixels; size: (width, height) in pixels."""

    eye: np.ndarray
    right: np.ndarray
    up: np.ndarray
    back: np.ndarray
    focal: float
    size: tuple[int, int]

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """points (..., 3) -> (x, y, depth) in pixels, pixels, metres (..., 3), and pixels a metre there (...)."""
        seen = points - self.eye
        depth = np.maximum(-(seen @ self.back), 1e-3)
        scale = self.focal / depth
        x = self.size[0] / 2 + (seen @ self.right) * scale
        y = self.size[1] / 2 - (seen @ self.up) * scale
        return np.stack([x, y, depth], axis=-1), scale


def look_at(
    target: np.ndarray,
    tall: float,
    size: tuple[int, int],
    *,
    yaw: float = YAW,
    pitch: float = PITCH,
    field_of_view: float = FIELD_OF_VIEW,
) -> View:
    """A camera at which ``tall`` metres around ``target`` fill the picture's height."""
    distance = tall / 2 / math.tan(field_of_view / 2)
    back = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    up = np.cross(back, right)
    focal = size[1] / 2 / math.tan(field_of_view / 2)
    return View(np.asarray(target, np.float64) + distance * back, right, up, back, focal, size)
