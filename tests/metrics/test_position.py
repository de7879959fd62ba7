import numpy as np
import pytest
import scipy.spatial
import torch

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Batch, Motion, MotionSpec
from motion_platform.metrics.position import MPJPE, MSE, PAMPJPE, AccelerationError, JointErrors, RootError, aligned
from motion_platform.motion.representations.conductor import Conductor
from motion_platform.motion.skeleton import get_skeleton

pytestmark = pytest.mark.usefixtures("joints_as_features")
ALL = [MSE, MPJPE, PAMPJPE, RootError, JointErrors, AccelerationError]


@pytest.fixture
def errors(oracles):
    def measure(metric, x, y):
        batch = oracles.batch_of(oracles.motion_of([y]))
        return metric().state(oracles.motion_of([x]), batch).compute()

    return measure


@pytest.fixture
def clip(oracles):
    return oracles.standing(12) + 0.05 * torch.randn(12, 22, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("metric", ALL)
def test_of_a_motion_with_itself_is_zero(errors, clip, metric):
    assert max(errors(metric, clip, clip).values()) == pytest.approx(0, abs=1e-4)


def test_a_known_translation(errors, clip):
    moved = clip + torch.tensor([0.3, 0.4, 1.2])
    assert errors(MSE, moved, clip)["mse"] == pytest.approx(1.69 / 3, rel=1e-5)
    assert errors(MPJPE, moved, clip) == pytest.approx({"mpjpe": 0, "mpjpe_global": 1300}, rel=1e-5, abs=1e-3)
    wanted = {"root_error": 1300, "root_error_horizontal": 1000 * (0.09 + 1.44) ** 0.5}
    assert errors(RootError, moved, clip) == pytest.approx(wanted, rel=1e-5)
    assert errors(PAMPJPE, moved, clip)["pa_mpjpe"] == pytest.approx(0, abs=1e-3)
    assert errors(AccelerationError, moved, clip)["acceleration_error"] == pytest.approx(0, abs=1e-3)


def test_one_joint_moved(errors, oracles, clip):
    moved = clip.clone()
    moved[:, oracles.LEFT_WRIST, 0] += 0.22
    assert errors(MPJPE, moved, clip)["mpjpe"] == pytest.approx(10, rel=1e-4)
    parts = errors(JointErrors, moved, clip)
    assert parts["joint_error_left_wrist"] == pytest.approx(220, rel=1e-4)
    assert len(parts) == 21
    assert sum(parts.values()) / 22 == pytest.approx(10, rel=1e-4)
    assert set(parts) == {f"joint_error_{name}" for name in get_skeleton("humanml3d").joints[1:]}


def test_a_similarity_is_undone_and_a_mirror_is_not(errors, clip):
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))[0]
    turn = turn * torch.det(turn)
    same = 1.7 * clip @ turn.T + torch.tensor([1.0, 2.0, 3.0])
    assert errors(PAMPJPE, same, clip)["pa_mpjpe"] == pytest.approx(0, abs=1e-2)
    assert errors(PAMPJPE, clip * torch.tensor([-1.0, 1.0, 1.0]), clip)["pa_mpjpe"] > 5


def test_alignment_equals_scipys_procrustes():
    random = np.random.RandomState(0)
    for _ in range(20):
        x, y = random.randn(2, 15, 3)
        y = x + 0.3 * y  # near enough that scipy does not mirror
        standard, moved, _ = scipy.spatial.procrustes(y, x)
        size = np.linalg.norm(y - y.mean(0))
        got = aligned(torch.tensor(x)[None], torch.tensor(y)[None])[0].numpy()
        np.testing.assert_allclose(got, moved * size + y.mean(0), atol=1e-10)
        np.testing.assert_allclose(standard * size + y.mean(0), y, atol=1e-10)


def test_a_body_in_one_point_has_no_scale(errors, clip):
    assert errors(PAMPJPE, torch.zeros_like(clip), clip)["pa_mpjpe"] > 0


def test_acceleration_error_of_a_known_acceleration(errors, oracles):
    t = torch.arange(30)[:, None] / oracles.FPS
    still, moving = oracles.standing(30), oracles.standing(30)
    moving[:, :, 0] += 0.5 * 3.0 * t**2
    assert errors(AccelerationError, moving, still)["acceleration_error"] == pytest.approx(3.0, rel=1e-3)
    assert errors(AccelerationError, moving[:2], still[:2]) == {}


def test_frames_of_all_clips_count_the_same(oracles):
    still, moved = oracles.standing(30), oracles.standing(10)
    real = oracles.motion_of([still, moved])
    made = oracles.motion_of([still, moved + torch.tensor([0.0, 0.04, 0.0])])
    value = RootError().state(made, oracles.batch_of(real)).compute()["root_error"]
    assert value == pytest.approx(10, rel=1e-5)


@pytest.mark.parametrize("metric", ALL)
def test_bad_pairs_say_so(oracles, metric):
    motion = oracles.motion_of([oracles.standing(4), oracles.standing(5)])
    batch = oracles.batch_of(oracles.motion_of([oracles.standing(4), oracles.standing(6)]))
    with pytest.raises(DataError, match="'clip 1' has 5 predicted frames and 6 real ones"):
        metric().state(motion, batch)
    batch = oracles.batch_of(oracles.motion_of([oracles.standing(4), oracles.standing(5)]))
    batch.motion.x[1, 2, 3] = float("nan")
    with pytest.raises(DataError, match="the real motion for 'clip 1' has a NaN"):
        metric().state(motion, batch)
    batch.motion = None
    with pytest.raises(DataError, match="no real motion"):
        metric().state(motion, batch)


def test_the_error_of_conductors_is_also_in_the_unit_of_their_papers(monkeypatch):
    """Widths of the frame squared over x and y: what np.mean((a - b) ** 2) of two motion.npy is."""
    monkeypatch.setattr("motion_platform.metrics.base.get_representation", lambda name: Conductor())
    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26))
    random = np.random.default_rng(0)
    real = random.random((2, 40, 26)).astype(np.float32)
    rightly, lengths = real + 0.01, torch.tensor([40, 40])

    def values(made):
        clips = [Motion(torch.from_numpy(x), lengths, spec) for x in (made, real)]
        batch = Batch(ids=["a", "b"], raw={}, lengths=lengths, motion=clips[1])
        return MSE().state(clips[0], batch).compute()

    for made in (rightly, real[:, ::-1].copy(), np.full_like(real, 0.5), 1 - real):  # late, still, mirrored both ways
        found = values(made)
        assert found["mse_frame"] == pytest.approx(float(np.mean((made - real) ** 2)), rel=1e-4)
        assert found["mse"] == pytest.approx(2.16 * found["mse_frame"], rel=1e-4)
        assert made is rightly or found["mse_frame"] > 100 * values(rightly)["mse_frame"]
    assert MSE().about("mse_frame") == ("squared frames", False)
