import numpy as np
import pytest

from motion_platform.metrics.transitions import jerk_of, transition_report

FPS = 20.0


def swinging(frames=200, joints=3):
    t = np.arange(frames) / FPS
    phase = np.arange(joints)[:, None] * 0.7
    return np.stack([np.sin(2 * t + phase), np.cos(3 * t + phase), 0 * t + phase], -1).transpose(1, 0, 2)


def test_jerk_of_a_cubic_path_is_its_third_derivative():
    t = np.arange(50) / FPS
    joints = np.zeros((50, 2, 3))
    joints[:, 0, 1] = 2.0 * t**3
    assert jerk_of(joints, FPS)[:, 0] == pytest.approx(12.0)
    assert jerk_of(joints, FPS)[:, 1] == pytest.approx(0.0)


def test_a_motion_that_runs_through_its_borders_has_ratio_one():
    report = transition_report(swinging(), [60, 130], FPS)
    assert report["jerk_ratio"] == pytest.approx(1.0, abs=0.25)
    assert report["peak_ratio"] < 1.05
    assert report["pop"] < 4


def test_a_hard_cut_is_seen_and_where_it_is_not_asked_for_it_is_not():
    cut = swinging()
    cut[60:, :, 0] += 0.3
    report, elsewhere = transition_report(cut, [60], FPS), transition_report(cut, [130], FPS)
    assert report["jerk_ratio"] > 3
    assert report["peak_ratio"] > 3
    assert report["pop"] == pytest.approx(30, abs=4)
    assert elsewhere["jerk_ratio"] < 1
    assert report["area_under_jerk"] > 5 * transition_report(swinging(), [60], FPS)["area_under_jerk"]


def test_without_a_border_there_is_nothing_to_say():
    assert all(np.isnan(value) for value in transition_report(swinging(), [], FPS).values())
