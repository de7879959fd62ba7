"""The benchmark of what is done after a model: its two ways of giving bones one length, and its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import after_model
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation.bounds.motion import RealMotion
from motion_platform.evaluation.testset import TestSet
from motion_platform.motion import io
from motion_platform.motion.inverse_kinematics import REACH
from motion_platform.motion.retarget import to_humanml3d

SAMPLE = Path(__file__).parents[2] / "motion_platform" / "sample"


def test_bones_that_are_only_aimed_miss_the_ankle_and_bones_as_written_do_not() -> None:
    clip = to_humanml3d(io.load(SAMPLE / "cmu" / "02_03.bvh"))
    joints = clip.joints.astype(float)
    joints[::2, clip.skeleton.index("left_ankle")] -= [0.0, 0.02, 0.0]  # a shank that breathes by two centimetres
    aimed = after_model.away(joints, clip.skeleton, after_model.AIMED)
    written = after_model.away(joints, clip.skeleton, REACH)
    assert aimed["ankle"].mean() > 3.0
    assert written["ankle"].mean() < 0.2 * aimed["ankle"].mean()
    assert written["knee"].mean() > aimed["knee"].mean()  # which gives way
    read = after_model.off_by(after_model.as_amass(clip), clip.joints, clip.skeleton)
    assert read["ankle"].mean() < 1 < read["elbow"].mean(), "of a body with shoulders of its own"


def test_real_clips_have_rigid_bones(sample_folder: Path) -> None:
    test = TestSet(PreparedDataset.open(sample_folder), "test", samples=4)
    found = after_model.measured(RealMotion(), test)
    assert found["bone_length_drift"] == pytest.approx(0, abs=0.01)
    assert {"pops", "supporting_foot_carried"} <= set(found)
