"""What several tests of pipelines need: an untrained model, and a clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion_platform.motion.clip import Clip
from motion_platform.motion.representations import get_representation
from motion_platform.training import build


@pytest.fixture
def run(recipe):
    torch.manual_seed(0)
    made = build.assemble(recipe(), name="toy")
    made.model.eval()
    return made


@pytest.fixture
def clip(sample_dataset) -> Clip:
    """60 frames of a real motion."""
    row = int(np.argmax(sample_dataset.frames >= 60))
    found = get_representation(sample_dataset.representation)
    joints = found.decode(torch.from_numpy(sample_dataset.features(row)[:61].copy())).numpy()
    return Clip(joints.astype(np.float32), 20.0, found.skeleton)
