import pytest
import torch

from motion_platform.metrics.physical import Acceleration, BoneLengthDrift, Floating, FloorPenetration, Jerk, Pops

pytestmark = pytest.mark.usefixtures("joints_as_features")


@pytest.fixture
def value(oracles):
    def measure(metric, *clips):
        motion = oracles.motion_of(list(clips))
        return metric.state(motion, oracles.batch_of(motion)).compute()

    return measure


def test_floor(oracles, value):
    up, down = (oracles.standing(10) + torch.tensor([0.0, dy, 0.0]) for dy in (0.03, -0.02))
    assert value(FloorPenetration(), oracles.standing(10)) == {"floor_penetration": 0.0}
    assert value(FloorPenetration(), up) == {"floor_penetration": 0.0}
    assert value(FloorPenetration(), down)["floor_penetration"] == pytest.approx(2.0, rel=1e-5)
    assert value(Floating(), up)["floating"] == pytest.approx(3.0, rel=1e-5)
    assert value(Floating(), down) == {"floating": 0.0}


def test_frames_of_all_samples_count_the_same(oracles, value):
    up = oracles.standing(30) + torch.tensor([0.0, 0.04, 0.0])
    assert value(Floating(), up, oracles.standing(10))["floating"] == pytest.approx(3.0, rel=1e-5)


def test_jerk_of_a_cubic_is_its_third_derivative(oracles, value):
    t = torch.arange(40, dtype=torch.float64) / oracles.FPS
    joints = oracles.standing(40).double()
    joints[:, :, 0] += (0.7 * t**3)[:, None]  # third derivative 0.7 * 6, everywhere
    assert value(Jerk(), joints.float())["jerk"] == pytest.approx(4.2, rel=0.05)  # float32 features, 3rd difference
    assert value(Jerk(), oracles.standing(40)) == {"jerk": 0.0}
    assert value(Jerk(), oracles.standing(3)) == {}


def test_jerk_of_steady_motion_is_zero(oracles, value):
    joints = oracles.standing(20)
    joints[..., 2] += 0.0625 * torch.arange(20)[:, None]  # exact in binary
    assert value(Jerk(), joints)["jerk"] == pytest.approx(0.0, abs=0.2)


def test_bone_length_drift(oracles, value):
    joints = oracles.standing(10)
    assert value(BoneLengthDrift(), joints)["bone_length_drift"] == pytest.approx(0.0, abs=1e-5)
    joints[:, :, 0] += torch.arange(10)[:, None]  # moving as a whole does not change a bone
    assert value(BoneLengthDrift(), joints)["bone_length_drift"] == pytest.approx(0.0, abs=1e-4)
    down = joints[0, oracles.LEFT_WRIST] - joints[0, 18]
    joints[::2, oracles.LEFT_WRIST] += 0.02 * down / down.norm()  # half of the frames 2 cm longer: 1 cm off the mean
    assert value(BoneLengthDrift(), joints)["bone_length_drift"] == pytest.approx(1.0 / 21, rel=1e-3)


def test_acceleration_of_a_fall(oracles, value):
    t = torch.arange(30, dtype=torch.float64)[:, None] / oracles.FPS
    joints = oracles.standing(30).double()
    joints[..., 1] += 20 - 0.5 * 9.81 * t**2
    assert value(Acceleration(), joints.float())["acceleration"] == pytest.approx(9.81, rel=1e-3)
    joints = oracles.standing(20)
    joints[..., 2] += 0.0625 * torch.arange(20)[:, None]  # steady; exact in binary
    assert value(Acceleration(), joints)["acceleration"] == pytest.approx(0.0, abs=0.02)
    assert value(Acceleration(), oracles.standing(2)) == {}


def swinging(oracles, frames: int = 60) -> torch.Tensor:
    """An arm that swings by 40 cm at 1.5 Hz: fast, and smooth."""
    joints = oracles.standing(frames)
    joints[:, oracles.LEFT_WRIST, 1] += 0.2 * torch.sin(torch.arange(frames) / oracles.FPS * 2 * torch.pi * 1.5)
    return joints


def test_smooth_motion_does_not_pop(oracles, value):
    assert value(Pops(), swinging(oracles)) == {"pops": 0.0}
    assert value(Pops(), oracles.standing(8)) == {}


@pytest.mark.parametrize("fault", ["a cut", "a pose that flashes up", "a wrist that jumps"])
def test_what_jumps_pops(oracles, value, fault):
    joints = swinging(oracles)
    if fault == "a cut":
        joints[30:, :, 0] += 0.1
    elif fault == "a pose that flashes up":
        joints[30, oracles.RIGHT_WRIST, 1] += 0.5
    else:
        joints[30, oracles.RIGHT_WRIST, 0] += 0.05
    frames = 2 if fault == "a cut" else 1
    assert value(Pops(), joints)["pops"] == pytest.approx(frames * 60 * oracles.FPS / 58)
    assert value(Pops(least=500.0), joints)["pops"] == 0.0


def test_a_jump_counts_above_its_borders(oracles, value):
    """Of a still body that is displaced for a frame: 2 d fps^2 at that frame, and half of it beside."""
    joints = oracles.standing(60)
    joints[30, oracles.RIGHT_WRIST, 0] += 0.03125  # 25 m/s^2, exact in binary
    once = 60 * oracles.FPS / 58
    for settings, frames in (({"least": 24.99}, 1), ({"least": 25.0}, 0), ({"least": 12.49}, 1)):
        assert value(Pops(**settings), joints)["pops"] == pytest.approx(frames * once), settings
    default = oracles.standing(60)
    for size, frames in ((0.0151, 1), (0.0149, 0)):  # 12 m/s^2 are 1.5 cm at 20 frames a second
        default[30, oracles.RIGHT_WRIST, 0] = oracles.standing(1)[0, oracles.RIGHT_WRIST, 0] + size
        assert value(Pops(), default)["pops"] == pytest.approx(frames * once), size


@pytest.mark.parametrize(("apart", "size", "pops"), [(8, 0.3, 1), (8, 0.36, 0), (9, 0.3, 1), (11, 0.36, 2)])
def test_a_jump_is_three_times_as_large_as_others_within_four_tenths_of_a_second(oracles, value, apart, size, pops):
    joints = oracles.standing(60)
    joints[30, oracles.RIGHT_WRIST, 0] += 1.0
    joints[30 + apart, oracles.RIGHT_WRIST, 0] += size  # its second differences reach one frame to either side
    assert value(Pops(), joints)["pops"] == pytest.approx(pops * 60 * oracles.FPS / 58)


def test_as_few_frames_as_each_number_needs(oracles, value):
    for metric, frames in ((Jerk(), 4), (Acceleration(), 3), (Pops(), 12), (BoneLengthDrift(), 1), (Floating(), 1)):
        assert value(metric, oracles.standing(frames)) == {metric.name: pytest.approx(0, abs=1e-5)}
        if frames > 1:
            assert value(metric, oracles.standing(frames - 1)) == {}


def test_a_jump_that_is_just_three_times_as_large_as_another_does_not_count(oracles, value):
    for other, pops in ((0.25, 0), (0.249, 1)):
        joints = oracles.standing(60)
        joints[:, oracles.RIGHT_WRIST, 0] = 0.0  # exact in binary, as the jumps are
        joints[30, oracles.RIGHT_WRIST, 0] = 0.75
        joints[35, oracles.RIGHT_WRIST, 0] = other
        assert value(Pops(), joints)["pops"] == pytest.approx(pops * 60 * oracles.FPS / 58)
