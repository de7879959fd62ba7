"""Where hands have just been: a line behind every joint that a skeleton names in its part "traced"."""

from __future__ import annotations

import numpy as np

from motion_platform.motion.clip import Clip
from motion_platform.motion.render.body import side_of
from motion_platform.motion.render.raster import tones
from motion_platform.motion.render.scene import View, pose_at

SECONDS = 1.0
"""How long a trace is (as in the films of VirtualConductor, Chen et al. 2022)."""
POINTS = 30
WIDTH = 0.022
"""Metres, at the joint; it tapers away."""
DARKER = np.float32(0.78)
"""Against the limb that leaves the trace, so that it is seen before it."""


def traced(clip: Clip) -> list[int]:
    """The joints that leave a trace."""
    return clip.skeleton.indices("traced") if "traced" in clip.skeleton.parts else []


def draw_traces(image: np.ndarray, view: View, clip: Clip, joints: list[int], seconds: float) -> None:
    """Draw the traces at a time into image (H, W, 3) float32, in the colours of the sides, over the body."""
    if not joints:
        return
    times = np.linspace(max(seconds - SECONDS, 0.0), seconds, POINTS)
    poses = np.stack([pose_at(clip, float(t))[joints] for t in times]).astype(np.float64)  # (points, joints, 3)
    spots, scale = view.project(poses)
    age = (seconds - times) / SECONDS  # 0: now
    for k, joint in enumerate(joints):
        colour = DARKER * tones("light")[side_of(clip.skeleton.joints[joint])]
        for i in range(POINTS - 1):
            strength = np.float32(0.85 * (1 - age[i + 1]) ** 1.2)
            half = max(float(WIDTH * scale[i, k] * (1 - 0.8 * age[i + 1]) / 2), 0.6)
            _line(image, spots[i, k, :2], spots[i + 1, k, :2], half, colour, strength)


def _line(
    image: np.ndarray, p: np.ndarray, q: np.ndarray, half: float, colour: np.ndarray, strength: np.float32
) -> None:
    """One anti-aliased stroke of half a width in pixels. Round at q alone, so that strokes join without dark knots."""
    height, width = image.shape[:2]
    low = np.floor(np.minimum(p, q) - half - 1).astype(int)
    high = np.ceil(np.maximum(p, q) + half + 2).astype(int)
    x0, y0 = max(low[0], 0), max(low[1], 0)
    x1, y1 = min(high[0], width), min(high[1], height)
    step = q - p
    length = float(np.hypot(*step))
    if x0 >= x1 or y0 >= y1 or length < 1e-6:
        return
    x = (np.arange(x0, x1, dtype=np.float32) + np.float32(0.5 - p[0]))[None]
    y = (np.arange(y0, y1, dtype=np.float32) + np.float32(0.5 - p[1]))[:, None]
    along = (x * np.float32(step[0]) + y * np.float32(step[1])) / np.float32(length)
    across = np.abs(x * np.float32(step[1]) - y * np.float32(step[0])) / np.float32(length)
    cover = np.clip(half + 0.5 - across, 0, 1) * np.clip(along + 0.5, 0, 1) * np.clip(length + 0.5 - along, 0, 1)
    part = image[y0:y1, x0:x1]
    part += (strength * cover.astype(np.float32))[..., None] * (colour - part)
