import pytest
import torch

from motion_platform.core.contracts import generation_id
from motion_platform.core.errors import DataError
from motion_platform.metrics.prediction import ADE, APD, FDE

pytestmark = pytest.mark.usefixtures("joints_as_features")


@pytest.fixture
def value(oracles):
    """Numbers for clips, each a real motion and its predictions."""

    def measure(metric, *clips):
        real, made, ids = [], [], []
        for c, (truth, predictions) in enumerate(clips):
            for k, prediction in enumerate(predictions):
                real.append(truth)
                made.append(prediction)
                ids.append(generation_id(f"clip {c}", k))
        batch = oracles.batch_of(oracles.motion_of(real))
        batch.ids = ids
        return metric.state(oracles.motion_of(made), batch).compute()

    return measure


def shifted(clip, x):
    return clip + torch.tensor([x, 0.0, 0.0])


def test_a_known_translation_is_the_length_of_the_whole_pose(oracles, value):
    clip = oracles.standing(5)
    assert value(ADE(), (clip, [shifted(clip, 0.2)])) == {"ade": pytest.approx(0.2 * 22**0.5, rel=1e-5)}
    assert value(FDE(), (clip, [shifted(clip, 0.2)])) == {"fde": pytest.approx(0.2 * 22**0.5, rel=1e-5)}


def test_average_is_over_frames_and_final_is_the_last(oracles, value):
    clip = oracles.standing(4)
    late = clip.clone()
    late[3, :, 0] += 1.0
    assert value(ADE(), (clip, [late]))["ade"] == pytest.approx(22**0.5 / 4, rel=1e-5)
    assert value(FDE(), (clip, [late]))["fde"] == pytest.approx(22**0.5, rel=1e-5)
    assert value(ADE(given=0.75), (clip, [late]))["ade"] == pytest.approx(22**0.5, rel=1e-5)


def test_the_best_of_several_counts_and_the_name_says_so(oracles, value):
    a, b = oracles.standing(5), oracles.standing(8)
    clips = (a, [shifted(a, 0.4), shifted(a, 0.1)]), (b, [shifted(b, 0.3), shifted(b, 0.5)])
    wanted = pytest.approx((0.1 + 0.3) / 2 * 22**0.5, rel=1e-5)
    assert value(ADE(generations=2), *clips) == {"ade_best_of_2": wanted}
    assert value(FDE(generations=2), *clips) == {"fde_best_of_2": wanted}


def test_pairwise_distance(oracles, value):
    clip = oracles.standing(5)
    several = [clip, shifted(clip, 0.1), shifted(clip, 0.3)]  # distances 0.1, 0.3, 0.2
    wanted = 0.2 * (5 * 22) ** 0.5
    assert value(APD(generations=3), (clip, several)) == {"apd": pytest.approx(wanted, rel=1e-4)}
    assert value(APD(generations=2), (clip, [clip, clip])) == {"apd": 0}


def test_a_missing_prediction_is_an_error(oracles, value):
    clip = oracles.standing(5)
    for metric in (ADE(generations=3), APD(generations=3)):
        with pytest.raises(DataError, match="clip 'clip 0' has 2 predictions instead of 3"):
            value(metric, (clip, [clip, clip]))


def test_settings_are_checked():
    wrong = [(APD, {"generations": 1}), (ADE, {"generations": 0}), (FDE, {"given": 1.0}), (APD, {"given": -0.001})]
    for metric, settings in wrong:
        with pytest.raises(ValueError, match="allowed"):
            metric(**settings)
    for metric, least in ((APD, 2), (ADE, 1), (FDE, 1)):
        assert metric(generations=least, given=0).generations == least
        assert metric(generations=least, given=0.999).given == 0.999
