"""Sync accuracy as a pooled mean over clips and kinds."""

from __future__ import annotations

import math

import pytest
import torch

from motion_platform.core.contracts import Embeddings
from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.metrics.sync_accuracy import SyncAccuracy


def test_it_averages_over_the_clips_that_say_something() -> None:
    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26))
    motion = Motion(torch.zeros(3, 4, 26), torch.tensor([4, 4, 4]), spec)
    batch = Batch(["a", "b", "c"], {}, motion.lengths, motion)
    hard = torch.tensor([[0.5, 1.0], [math.nan, math.nan], [0.75, 0.0]])
    nothing = torch.full((3, 2), math.nan)
    seen = Embeddings(sync={"easy": torch.tensor([[1.0, 1.0]] * 3), "hard": hard, "super_hard": nothing})
    values = SyncAccuracy().state(motion, batch, seen).compute()
    assert values == pytest.approx(
        {
            "sync_accuracy_easy": 1.0,
            "sync_accuracy_easy_pairs": 1.0,
            "sync_accuracy_hard": 0.625,
            "sync_accuracy_hard_pairs": 0.5,
        }
    )
