import pytest
import torch

from motion_platform.metrics.supporting_foot import SupportingFoot, _speed

pytestmark = pytest.mark.usefixtures("joints_as_features")


@pytest.fixture
def values(oracles):
    def measure(*clips, **settings):
        motion = oracles.motion_of(list(clips))
        return SupportingFoot(**settings).state(motion, oracles.batch_of(motion)).compute()

    return measure


def striding(oracles, frames: int, speed: float) -> torch.Tensor:
    """A body that goes forward at ``speed`` m/s over one standing foot; the other foot is held high."""
    joints = oracles.standing(frames)
    joints[..., 2] += torch.arange(frames)[:, None] / oracles.FPS * speed
    joints[:, oracles.LEFT_FOOT, 2] = 0.0
    joints[:, oracles.RIGHT_FOOT, 1] = 0.3
    return joints


def test_a_foot_that_stands_under_a_moving_body(oracles, values):
    got = values(striding(oracles, 40, 1.0))
    assert got == {"supporting_foot": pytest.approx(0, abs=1e-4), "supporting_foot_carried": 1.0}


def test_feet_that_slide_with_the_body(oracles, values):
    joints = oracles.standing(40)
    joints[..., 2] += torch.arange(40)[:, None] / oracles.FPS * 0.5
    assert values(joints)["supporting_foot"] == pytest.approx(50, rel=1e-4)


def test_feet_that_swim_under_a_standing_body(oracles, values):
    joints = oracles.standing(60)
    way = 0.02 * torch.sin(torch.arange(60) / 6)
    joints[:, [oracles.LEFT_FOOT, oracles.RIGHT_FOOT], 0] += way[:, None]
    expected = 100 * oracles.FPS * float(way.diff().abs().mean())
    assert values(joints)["supporting_foot_standing"] == pytest.approx(expected, rel=1e-3)
    assert "supporting_foot" not in values(joints)
    assert values(oracles.standing(60))["supporting_foot_standing"] == pytest.approx(0, abs=1e-4)


def test_the_slower_of_two_low_feet_carries(oracles, values):
    joints = oracles.standing(40)
    joints[:, oracles.LEFT_FOOT, 2] += torch.arange(40) / oracles.FPS
    assert values(joints)["supporting_foot_standing"] == pytest.approx(0, abs=1e-4)


def test_a_body_that_floats_has_no_supporting_foot(oracles, values):
    up = oracles.standing(40) + torch.tensor([0.0, 0.3, 0.0])
    assert values(up) == {"supporting_foot_carried": 0.0}
    assert values(up, height=0.5)["supporting_foot_carried"] == 1.0


def test_walking_and_standing_are_told_by_the_speed_of_the_pelvis(oracles, values):
    for speed, names in (
        (0.09, {"_standing"}),
        (0.11, set()),
        (0.29, set()),
        (0.31, {""}),
        (1.99, {""}),
        (2.01, set()),
    ):
        got = {name.removeprefix("supporting_foot") for name in values(striding(oracles, 40, speed))}
        assert got == names | {"_carried"}, speed


def test_the_speed_is_that_of_half_a_second_around_and_at_few_frames_a_second_of_one_step():
    way = torch.zeros(41, 3)
    way[20:, 0] = 1.0  # one metre at once, between frames 19 and 20
    at = _speed(way, 20.0)
    assert at.count_nonzero() == 2 * 5 - 1  # reaches of a quarter of a second, and the step itself within both
    assert at[19] == pytest.approx(1 / 9 * 20)
    at = _speed(way, 4.0)
    assert at.count_nonzero() == 1
    assert at[19] == pytest.approx(4.0)


def test_what_is_a_ratio_says_so():
    assert SupportingFoot().about("supporting_foot_carried") == ("ratio", None)
    assert SupportingFoot().about("supporting_foot_standing") == ("cm/s", False)


def test_a_foot_at_the_height_itself_carries_nothing(oracles, values):
    joints = oracles.standing(20)
    joints[:, [oracles.LEFT_FOOT, oracles.RIGHT_FOOT], 1] = 0.25
    assert values(joints, height=0.25) == {"supporting_foot_carried": 0.0}
    assert values(joints, height=0.2501)["supporting_foot_carried"] == 1.0
    once = oracles.standing(20)
    once[1::2, [oracles.LEFT_FOOT, oracles.RIGHT_FOOT], 1] = 0.3  # low before a step or after it, never both
    assert values(once) == {"supporting_foot_carried": 0.0}
