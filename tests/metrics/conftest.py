"""Motions whose features are the joints themselves, so that every oracle is a closed form on positions."""

import sys
from types import SimpleNamespace

import pytest
import torch

from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.motion.skeleton import get_skeleton

FPS = 20.0
LEFT_FOOT, RIGHT_FOOT, LEFT_WRIST, RIGHT_WRIST, LEFT_SHOULDER, RIGHT_SHOULDER = 10, 11, 20, 21, 16, 17


def standing(frames: int) -> torch.Tensor:
    """(T, 22, 3): a still person of plausible size, facing Z+, feet at height 0."""
    skeleton = get_skeleton("humanml3d")
    pose = torch.zeros(22, 3)
    heights = {"pelvis": 0.95, "hip": 0.9, "knee": 0.5, "ankle": 0.08, "foot": 0.0, "spine": 1.1, "neck": 1.45}
    heights |= {"collar": 1.4, "head": 1.6, "shoulder": 1.4, "elbow": 1.15, "wrist": 0.9}
    for j, name in enumerate(skeleton.joints):
        part = name.removeprefix("left_").removeprefix("right_").rstrip("123")
        pose[j, 1] = heights[part]
        pose[j, 0] = {"l": 0.15, "r": -0.15}.get(name[0] if "_" in name else "", 0.0)
    pose[[LEFT_FOOT, RIGHT_FOOT], 2] = 0.12
    return pose.expand(frames, 22, 3).clone()


def turned(joints: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """(T, J, 3) turned about the Y axis through the origin by (T,) radians, positive from Z to X (to the left)."""
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    x, y, z = joints.unbind(-1)
    return torch.stack([x * cos + z * sin, y, z * cos - x * sin], -1)


@pytest.fixture(scope="session")
def oracles():
    """This file: the motions above and below."""
    return sys.modules[__name__]


@pytest.fixture
def joints_as_features(monkeypatch):
    """Decoding = reshaping (B, T, 66) to joints."""
    plain = SimpleNamespace(decode=lambda x: x.unflatten(-1, (22, 3)))
    for module in ("motion_platform.metrics.base", "motion_platform.spaces.recogniser"):
        monkeypatch.setattr(f"{module}.get_representation", lambda name: plain)


def motion_of(clips: list[torch.Tensor]) -> Motion:
    """Joint clips (T_b, 22, 3) -> one padded Motion with 66 features; the padding holds large numbers."""
    lengths = torch.tensor([len(clip) for clip in clips])
    x = torch.full((len(clips), int(lengths.max()), 66), 1e3)
    for b, clip in enumerate(clips):
        x[b, : len(clip)] = clip.flatten(1)
    return Motion(x, lengths, MotionSpec("joints", "humanml3d", FPS, torch.zeros(66), torch.ones(66)))


def batch_of(motion: Motion, labels: list[dict[str, str]] | None = None, prefix: str = "clip") -> Batch:
    ids = [f"{prefix} {b}" for b in range(len(motion.lengths))]
    return Batch(ids=ids, raw={}, lengths=motion.lengths, motion=motion, labels=labels)
