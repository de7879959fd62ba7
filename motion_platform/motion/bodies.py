"""A clip as features of a model, and back."""

from __future__ import annotations

from pathlib import Path

import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.motion.clip import Clip
from motion_platform.motion.representations import get_representation
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import get_skeleton


def features_of(clip: Clip, spec: MotionSpec, names: str | Path | None = None) -> torch.Tensor:
    """(T, D) features of any clip, retargeted. UsageError for a model of another skeleton; DataError for one frame."""
    if spec.skeleton != "humanml3d":
        raise UsageError(f"the model's skeleton is {spec.skeleton}; reading a motion file for it needs humanml3d")
    found = to_humanml3d(clip, fps=spec.fps, names=names)
    if len(found) < 2:
        raise DataError(f"motion {clip.name!r}: has {len(found)} frame at {spec.fps:g} fps; at least 2 are needed")
    return torch.from_numpy(get_representation(spec.representation).encode(found.joints))


def clips_of(motion: Motion) -> list[Clip]:
    """Decode a padded batch of raw features to clips in metres, without padding."""
    found = get_representation(motion.spec.representation)
    skeleton = get_skeleton(motion.spec.skeleton)
    rows = zip(motion.x.detach().cpu(), motion.lengths.tolist(), strict=True)
    return [Clip(found.decode(x[:n]).float().numpy(), motion.spec.fps, skeleton) for x, n in rows]
