import numpy as np
import pytest
import torch

from motion_platform.metrics.foot_skating import FootSkating

pytestmark = pytest.mark.usefixtures("joints_as_features")


@pytest.fixture
def values(oracles):
    def measure(clips, **settings):
        motion = oracles.motion_of(clips)
        return FootSkating(**settings).state(motion, oracles.batch_of(motion)).compute()

    return measure


@pytest.fixture
def sliding(oracles):
    def make(frames, metres_per_frame):
        joints = oracles.standing(frames)
        joints[:, oracles.LEFT_FOOT, 0] += metres_per_frame * torch.arange(frames)
        return joints

    return make


def test_a_planted_body_does_not_skate(oracles, values):
    assert values([oracles.standing(30)]) == {
        "foot_skating": 0.0,
        "foot_skating_frames": 0.0,
        "foot_skating_cm_per_contact_frame": 0.0,
        "foot_contact": 1.0,
    }


def test_one_foot_that_slides_four_centimetres_a_frame_skates_in_every_frame(values, sliding):
    got = values([sliding(30, 0.04)])
    assert got["foot_skating_frames"] == 1.0
    assert got["foot_skating_cm_per_contact_frame"] == pytest.approx(2.0)  # 4 cm for one of two feet in contact


def test_a_slow_slide_is_below_the_threshold_but_still_measured(values, sliding):
    got = values([sliding(30, 0.02)])  # 0.4 m/s
    assert got["foot_skating_frames"] == 0.0
    assert got["foot_skating_cm_per_contact_frame"] == pytest.approx(1.0)


def test_a_foot_in_the_air_may_move(oracles, values, sliding):
    joints = sliding(30, 0.1)
    joints[:, oracles.LEFT_FOOT, 1] = 0.06
    assert values([joints])["foot_skating_frames"] == 0.0
    assert values([joints], height=0.07)["foot_skating_frames"] == 1.0


def test_a_foot_that_touches_the_floor_in_one_frame_alone_carries_nothing(oracles, values, sliding):
    joints = sliding(30, 0.04)
    joints[1::2, [oracles.LEFT_FOOT, oracles.RIGHT_FOOT], 1] += 0.2
    got = values([joints])
    assert (got["foot_contact"], got["foot_skating_frames"]) == (0.0, 0.0)


def test_half_of_the_frames(oracles, values):
    joints = oracles.standing(41)
    joints[20:, oracles.LEFT_FOOT, 2] += 0.05 * torch.arange(21)  # slides in the steps 20 -> 40
    assert values([joints])["foot_skating_frames"] == pytest.approx(20 / 40)


def test_padding_is_not_measured_and_frames_are_pooled(oracles, values, sliding):
    got = values([sliding(11, 0.04), oracles.standing(31)])
    assert got["foot_skating_frames"] == pytest.approx(10 / 40)


def test_a_flying_body_has_no_contact_and_no_slide_per_contact(oracles, values):
    joints = oracles.standing(10) + torch.tensor([0.0, 1.0, 0.0])
    assert values([joints]) == {"foot_skating": 0.0, "foot_skating_frames": 0.0, "foot_contact": 0.0}


def test_units_and_directions():
    metric = FootSkating()
    assert metric.about("foot_skating") == ("ratio", False)
    assert metric.about("foot_skating_frames") == ("ratio", False)
    assert metric.about("foot_skating_cm_per_contact_frame") == ("cm", False)
    assert metric.about("foot_contact") == ("ratio", None)


def published(joints, left, right):
    """The published code's ratio of one clip, in scipy's words (Guided Motion Diffusion, calculate_skating_ratio)."""
    from scipy.ndimage import uniform_filter1d

    feet = joints[:, [left, right]].numpy()
    speed = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1) * 20.0
    smooth = uniform_filter1d(speed, axis=0, size=5, mode="constant")
    contact = (feet[:-1, :, 1] < 0.05) & (feet[1:, :, 1] < 0.05)
    return float((contact & (speed > 0.5) & (smooth > 0.5)).any(1).mean())


def test_the_published_ratio_is_the_published_code_and_averages_over_clips(oracles, values):
    random = np.random.default_rng(0)
    clips = []
    for frames in (15, 40, 60):
        joints = oracles.standing(frames)
        steps = torch.from_numpy(random.normal(size=(frames, 2, 3)) * [0.03, 0.02, 0.03]).cumsum(0)
        joints[:, [oracles.LEFT_FOOT, oracles.RIGHT_FOOT]] += steps.to(joints)
        clips.append(joints)
    wanted = [published(joints, oracles.LEFT_FOOT, oracles.RIGHT_FOOT) for joints in clips]
    assert 0 < min(wanted) < max(wanted) < 1
    got = values(clips)
    assert got["foot_skating"] == pytest.approx(np.mean(wanted), abs=1e-9)
    assert got["foot_skating"] <= got["foot_skating_frames"] * 1.5


def test_a_slip_of_one_frame_is_seen_by_ours_and_not_by_the_published_ratio(oracles, values):
    joints = oracles.standing(40)
    joints[20:, oracles.LEFT_FOOT, 0] += 0.04  # 0.8 m/s once
    got = values([joints])
    assert (got["foot_skating"], got["foot_skating_frames"]) == (0.0, pytest.approx(1 / 39))


def test_three_wrong_motions_are_caught(oracles, values, sliding):
    for wrong in (sliding(40, 0.04), sliding(40, -0.06), oracles.standing(40)):
        if not wrong[1:].ne(wrong[:-1]).any():  # the whole body glides
            wrong += torch.arange(40)[:, None, None] * torch.tensor([0.03, 0.0, 0.03])
        assert values([wrong])["foot_skating"] > 0.9


def test_a_foot_is_low_below_the_height_and_skates_above_the_speed(oracles, values):
    """Numbers that are exact in binary: neither at the height nor at the speed itself."""
    at = oracles.standing(12)
    at[:, [oracles.LEFT_FOOT, oracles.RIGHT_FOOT], 1] = 0.25
    assert values([at], height=0.25)["foot_contact"] == 0.0
    assert values([at], height=0.2501)["foot_contact"] == 1.0
    gliding = oracles.standing(12) + torch.arange(12)[:, None, None] * torch.tensor([0.03125, 0.0, 0.0])  # 0.625 m/s
    for speed, skates in ((0.625, 0.0), (0.6249, 1.0)):
        got = values([gliding], speed=speed)
        assert got["foot_skating_frames"] == skates
        assert got["foot_skating"] <= skates


def test_a_clip_of_two_frames_is_one_step_and_of_one_frame_none(oracles, values):
    jump = oracles.standing(2)
    jump[1, :, 0] += 1.0  # 20 m/s, of which a fifth is left in the mean of five frames
    assert values([jump])["foot_skating"] == 1.0
    assert values([jump, oracles.standing(1)])["foot_skating"] == 1.0  # one frame says nothing


def test_a_mean_speed_of_five_frames_that_is_just_the_limit_is_not_above_it(oracles, values):
    for size, skates in ((0.125, 0), (0.126, 1)):  # 2.5 m/s in one step: 0.5 m/s in the mean of five
        joints = oracles.standing(41)
        joints[:, oracles.LEFT_FOOT, 0] = 0.0  # exact in binary, as the step is
        joints[20:, oracles.LEFT_FOOT, 0] = size
        assert values([joints])["foot_skating"] == pytest.approx(skates / 40)
