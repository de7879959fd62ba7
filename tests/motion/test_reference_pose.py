"""A pose in front that is not of the motion: both conditions, each at its border."""

import numpy as np
import pytest

from motion_platform.motion.clip import Clip
from motion_platform.motion.reference_pose import starts_with_reference_pose, without_reference_pose
from motion_platform.motion.skeleton import Skeleton

BODY = Skeleton("two", ("a", "b"), (-1, 0))


def walk(steps: list[float], fps: float = 30.0, rotations: np.ndarray | None = None) -> Clip:
    """Both joints go along X by these steps, in metres a frame."""
    joints = np.zeros((len(steps) + 1, 2, 3), np.float32)
    joints[1:, :, 0] = np.cumsum(steps)[:, None]
    return Clip(joints, fps, BODY, rotations)


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([0.26, 0.08, 0.08], True),
        ([0.24, 0.01, 0.01], False),  # slower than 7.5 m/s
        ([0.26, 0.088, 0.01], False),  # not three times as far as the next
        ([0.26, 0.01, 0.01, 0.01, 0.088], False),  # the fifth step counts
        ([0.26, 0.01, 0.01, 0.01, 0.01, 0.088], True),  # the sixth does not
        ([-0.26, 0.08], True),
        ([0.26], False),  # two frames say nothing
    ],
)
def test_the_first_frame_is_far_off_and_the_next_are_not(steps: list[float], found: bool) -> None:
    assert starts_with_reference_pose(walk(steps)) is found


def test_speed_is_a_second_and_the_mean_of_the_joints() -> None:
    assert starts_with_reference_pose(walk([0.13, 0.01, 0.01], fps=60.0))
    assert not starts_with_reference_pose(walk([0.13, 0.01, 0.01], fps=30.0))
    one = walk([0.0, 0.0, 0.0])
    one.joints[1:, 1, 0] = 0.4  # one of two joints moves: 6 m/s on average
    assert not starts_with_reference_pose(one)
    one.joints[1:, 1, 0] = 0.6
    assert starts_with_reference_pose(one)


def test_the_second_frame_takes_its_place() -> None:
    rotations = np.random.default_rng(0).normal(size=(4, 2, 4)).astype(np.float32)
    clip = walk([1.0, 0.1, 0.1], rotations=rotations)
    made = without_reference_pose(clip)
    assert made.rotations is not None
    np.testing.assert_array_equal(made.joints, clip.joints[[1, 1, 2, 3]])
    np.testing.assert_array_equal(made.rotations, rotations[[1, 1, 2, 3]])
    assert clip.joints[0, 0, 0] == 0  # what was given stays
    assert without_reference_pose(walk([1.0, 0.1])).rotations is None
