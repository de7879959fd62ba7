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


def by_hand(joints, borders, fps, reach):
    """The same numbers, frame by frame."""
    frames, count = joints.shape[:2]
    jerk = {
        (t, j): np.linalg.norm(joints[t + 3, j] - 3 * joints[t + 2, j] + 3 * joints[t + 1, j] - joints[t, j]) * fps**3
        for t in range(frames - 3) for j in range(count)
    }  # fmt: skip
    most = {t: max(jerk[t, j] for j in range(count)) for t in range(frames - 3)}
    near = {t for t in most if any(abs(t + 1.5 - b) / fps <= reach for b in borders)}
    calm = np.mean([most[t] for t in most if t not in near])
    areas, pops = [], []
    for b in borders:
        areas.append(sum(abs(most[t] - calm) for t in most if abs(t + 1.5 - b) / fps <= reach) / fps)
        # a second difference is of the frames t to t + 2; within two frames: t + 1 from b - 2 to b + 2
        inside = [t for t in range(frames - 2) if b - 2 <= t + 1 <= b + 2]
        second = [
            np.linalg.norm(joints[t + 2, j] - 2 * joints[t + 1, j] + joints[t, j]) for t in inside for j in range(count)
        ]
        pops.append(max(second, default=0.0))
    of = [[jerk[key] for key in jerk if (key[0] in near) is inside] for inside in (True, False)]
    return {
        "jerk_ratio": np.mean(of[0]) / np.mean(of[1]),
        "peak_ratio": max(most[t] for t in near) / np.percentile([most[t] for t in most if t not in near], 99),
        "area_under_jerk": np.mean(areas),
        "pop": 100 * max(pops),
    }


@pytest.mark.parametrize("borders", [[20, 41], [1, 30], [3], [58], [59, 20]])
@pytest.mark.parametrize("reach", [0.5, 0.225])
def test_the_numbers_are_those_of_a_count_by_hand(borders, reach):
    random = np.random.default_rng(sum(borders))
    joints = swinging(60) + random.normal(0, 0.01, (60, 3, 3))
    joints[20:, :, 0] += 0.3
    assert transition_report(joints, borders, FPS, reach) == pytest.approx(by_hand(joints, borders, FPS, reach))
    if reach == 0.5:
        assert transition_report(joints, borders, FPS) == transition_report(joints, borders, FPS, reach)


def test_where_all_is_near_a_border_there_is_nothing_to_compare_with():
    assert all(np.isnan(value) for value in transition_report(swinging(12), [6], FPS).values())
    assert not np.isnan(transition_report(swinging(26), [6], FPS)["jerk_ratio"])
