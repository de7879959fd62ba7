"""Recon, Vel and Dist against closed forms."""

import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Edit
from motion_platform.metrics.keyposes import KeyPoses, canonical
from motion_platform.metrics.prediction import ADE, APD, FDE

pytestmark = pytest.mark.usefixtures("joints_as_features")
JOINTS = 22**0.5
"""A shift of every joint by 1 m is this long as one vector."""


@pytest.fixture
def value(oracles):
    """Numbers of a metric for one clip, its prediction, and the frames that were given."""

    def measure(real, made, given, metric=None, ids=None):
        motion = oracles.motion_of(made if isinstance(made, list) else [made])
        batch = oracles.batch_of(oracles.motion_of([real] * len(motion.lengths)))
        batch.ids = ids or batch.ids
        keep = torch.zeros_like(batch.motion.x, dtype=torch.bool)
        keep[:, given] = True
        batch.edit = Edit(batch.motion.x, keep)
        return (metric or KeyPoses()).state(motion, batch).compute()

    return measure


def moving(clip, speed):
    """The clip with a shift along X that grows with the frame number."""
    return clip + torch.arange(len(clip))[:, None, None] * torch.tensor([speed, 0.0, 0.0])


def test_what_is_kept_has_no_error_and_the_join_shows_in_the_velocity(oracles, value):
    real = moving(oracles.standing(10), 0.1)
    made = real.clone()
    made[4:] = made[3] + 0.0  # stops after the given frames
    found = value(real, made, [0, 1, 2, 3])
    assert found["keyposes_recon"] == pytest.approx(0)
    assert found["keyposes_vel"] == pytest.approx(0.1 * 20 * JOINTS / 4, rel=1e-5)  # steps 0-1, 1-2, 2-3 and 3-4
    assert found["keyposes_dist"] == pytest.approx(0, abs=1e-6)


def test_recon_is_at_its_own_place_and_dist_at_the_best_one(oracles, value):
    real = oracles.standing(6)
    real[4, :, 1] += 0.3  # a jump
    late = oracles.standing(6)
    late[5, :, 1] += 0.3
    late = oracles.turned(late, torch.full((6,), 0.7)) + torch.tensor([2.0, 0.0, 1.0])
    found = value(real, late, [4])
    assert found["keyposes_dist"] == pytest.approx(0, abs=1e-5)
    assert found["keyposes_recon"] > 2 * JOINTS


def test_only_the_given_frames_count(oracles, value):
    real = oracles.standing(8)
    made = real.clone()
    made[2:5, :, 0] += 0.5
    assert value(real, made, [3])["keyposes_recon"] == pytest.approx(0.5 * JOINTS, rel=1e-5)
    assert value(real, made, [0, 3])["keyposes_recon"] == pytest.approx(0.25 * JOINTS, rel=1e-5)
    assert value(real, made, [7])["keyposes_recon"] == 0


def test_the_steps_into_and_out_of_a_given_frame_count(oracles, value):
    real = oracles.standing(8)
    made = real.clone()
    made[3, :, 0] += 0.5
    for given, share in (([3], 1), ([2], 1 / 2), ([4], 1 / 2), ([2, 4], 2 / 4), ([1], 0), ([0, 7], 0)):
        found = value(real, made, given)["keyposes_vel"]
        assert found == pytest.approx(share * 0.5 * 20 * JOINTS, rel=1e-5, abs=1e-4), given


def test_a_frame_of_which_a_part_was_given_is_no_pose_and_without_poses_there_is_nothing_to_say(oracles, value):
    clip = oracles.standing(6)
    assert value(clip, clip, []) == {}
    motion = oracles.motion_of([clip])
    batch = oracles.batch_of(motion)
    batch.edit = Edit(motion.x, torch.ones_like(motion.x, dtype=torch.bool))
    batch.edit.keep[:, :, 4] = False
    assert KeyPoses().state(motion, batch).compute() == {}


@pytest.fixture
def delivered(oracles):
    """Numbers of a motion whose given frames were put back, and of what the model itself had made there."""

    def measure(real, own, given):
        shown = own.clone()
        shown[given] = real[given]
        motion, before = oracles.motion_of([shown]), oracles.motion_of([own])
        motion.own = before.x
        batch = oracles.batch_of(oracles.motion_of([real]))
        keep = torch.zeros_like(batch.motion.x, dtype=torch.bool)
        keep[:, given] = True
        batch.edit = Edit(batch.motion.x, keep)
        return KeyPoses().state(motion, batch).compute()

    return measure


def test_what_the_model_itself_made_is_measured_where_frames_were_put_back(oracles, delivered):
    real = moving(oracles.standing(12), 0.05)
    given = [0, 1, 2, 3]
    assert delivered(real, real, given) == pytest.approx(
        {"keyposes_recon": 0, "keyposes_vel": 0, "keyposes_dist": 0, "keyposes_join": 0}, abs=1e-5
    )
    away, still, bent = real + torch.tensor([1.0, 0.0, 0.0]), oracles.standing(12), real.clone()
    bent[:, :, 1] *= 0.5
    for wrong, caught in ((away, "recon"), (still, "vel"), (bent, "dist")):
        assert delivered(real, wrong, given)[f"keyposes_{caught}"] > 0.1
    assert delivered(real, away, given)["keyposes_recon"] == pytest.approx(JOINTS, rel=1e-5)
    assert delivered(real, away, given)["keyposes_vel"] == pytest.approx(0, abs=1e-4)
    assert delivered(real, away, given)["keyposes_join"] == pytest.approx(20 * JOINTS / 4, rel=1e-5)  # one jump of 4
    assert KeyPoses().about("keyposes_join") == ("m/s", False)


def test_canonical_poses_do_not_know_where_they_were(oracles):
    clip = oracles.standing(5)
    facing = [[1, 2], [16, 17]]
    turned = oracles.turned(clip, torch.linspace(-3, 3, 5)) + torch.tensor([1.0, 0.0, -2.0])
    assert torch.allclose(canonical(turned, facing), clip, atol=1e-5)


def test_a_task_that_gives_no_pose_is_an_error(oracles):
    motion = oracles.motion_of([oracles.standing(4)])
    with pytest.raises(DataError, match="keyposes: no pose was given"):
        KeyPoses().state(motion, oracles.batch_of(motion))


def test_displacement_is_measured_on_what_was_made(oracles, value):
    real = oracles.standing(10)
    made = real.clone()
    made[:5, :, 0] += 1.0  # wrong only where it was given
    made[9, :, 0] += 0.2
    assert value(real, made, range(5), ADE())["ade"] == pytest.approx(0.2 * JOINTS / 5, rel=1e-5)
    assert value(real, made, range(5), FDE())["fde"] == pytest.approx(0.2 * JOINTS, rel=1e-5)
    assert value(real, made, [0, 9], FDE())["fde"] == 0  # the last one that was made
    assert value(real, made, range(10), ADE())["ade"] == pytest.approx(0.2 * JOINTS, rel=1e-5)
    both = value(real, [real, made], range(5), APD(generations=2), ["clip#0", "clip#1"])
    assert both["apd"] == pytest.approx(0.2 * JOINTS, rel=1e-4)
