"""How much a body moves: closed forms, and wrong motions that the number must see."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Motion
from motion_platform.metrics.movement import Movement, MovementState, _power, features_of, score
from motion_platform.motion.skeleton import get_skeleton

FPS = 20.0
SKELETON = get_skeleton("humanml3d")
pytestmark = pytest.mark.usefixtures("joints_as_features")


def waving(oracles, frames: int, hertz: float = 1.5, size: float = 0.1, phase: float = 0.0) -> torch.Tensor:
    """A standing person whose right wrist swings sideways as a sine of ``size`` metres."""
    joints = oracles.standing(frames)
    t = torch.arange(frames) / FPS
    joints[:, SKELETON.index("right_wrist"), 0] += size * torch.sin(2 * math.pi * hertz * t + phase)
    return joints


def walking(oracles, frames: int, speed: float = 1.0, stride: float = 0.7) -> torch.Tensor:
    """Everything glides forward at ``speed``, the ankles swing against each other."""
    joints = oracles.standing(frames)
    t = torch.arange(frames) / FPS
    swing = stride / 2 * torch.sin(2 * math.pi * 0.9 * t)
    for side, sign in (("left", 1), ("right", -1)):
        for joint in ("ankle", "foot", "knee"):
            joints[:, SKELETON.index(f"{side}_{joint}"), 2] += sign * swing * (0.5 if joint == "knee" else 1)
    return joints + (speed * t)[:, None, None] * torch.tensor([0.0, 0.0, 1.0])


def test_features_are_what_the_formulas_say(oracles) -> None:
    found = features_of(waving(oracles, 80), FPS, SKELETON)
    assert found["swing"] == pytest.approx(0.1 / math.sqrt(2), rel=0.1)
    assert found["rhythm"] > 0.85
    raised = oracles.standing(80)  # a hand that goes up quickly at the beginning, and stays there
    up = (torch.arange(80) / FPS / 0.6).clamp(max=1)[:, None] * torch.tensor([0.0, 0.8, 0.0])
    for joint, share in (("right_wrist", 1.0), ("right_elbow", 0.5)):
        raised[:, SKELETON.index(joint)] += share * up
    assert features_of(raised, FPS, SKELETON)["swing"] < 0.002
    assert found["travel"] == pytest.approx(0, abs=1e-6)
    assert found["turn"] == pytest.approx(0, abs=1e-6)
    walk = features_of(walking(oracles, 100), FPS, SKELETON)
    assert walk["travel"] == pytest.approx(1.0, rel=1e-4)
    # ankles 0.3 m apart sideways and up to 0.7 m forwards
    assert walk["stride"] == pytest.approx(math.hypot(0.3, 0.7) - 0.3, abs=0.03)
    slow = waving(oracles, 80, hertz=0.25)
    assert features_of(slow, FPS, SKELETON)["swing"] < 0.5 * found["swing"]  # slower than SLOWEST
    turned = oracles.turned(oracles.standing(40), torch.linspace(0, 1.5, 40))
    assert features_of(turned, FPS, SKELETON)["turn"] == pytest.approx(1.5, rel=1e-3)


@pytest.mark.parametrize(
    ("feature", "least"),
    [("joint_speed", 0.1), ("travel", 0.15), ("stride", 0.3), ("swing", 0.03), ("rhythm", 0.5), ("turn", 0.5)],
)
def test_a_feature_counts_from_so_much_of_it_in_the_real_clips(feature: str, least: float) -> None:
    """The borders are part of what the metric is: another one makes its values incomparable."""
    for value, counts in ((least, True), (0.99 * least, False)):
        rows = {"a": ("walk", {feature: value})}
        assert bool(MovementState(rows, rows, least=1).ratios()) is counts


@pytest.mark.parametrize(("ratio", "within"), [(0.699, 0.0), (0.7, 1.0), (1.4, 1.0), (1.401, 0.0)])
def test_within_is_from_seven_tenths_to_fourteen(ratio: float, within: float) -> None:
    state = MovementState({"a": ("walk", {"turn": ratio})}, {"a": ("walk", {"turn": 1.0})}, least=1)
    assert state.compute()["movement_within"] == within


def test_where_and_how_fast_a_hand_swings(oracles) -> None:
    """From a second on, between 30 and 85 % of the clip, from 0.6 Hz on, and with a millimetre at least."""
    assert "swing" not in features_of(waving(oracles, 19), FPS, SKELETON)
    assert "swing" in features_of(waving(oracles, 20), FPS, SKELETON)
    still, swung = oracles.standing(200), waving(oracles, 200)
    for first, last, seen in ((0, 59, False), (55, 66, True), (165, 170, True), (171, 200, False)):
        part = still.clone()
        part[first:last] = swung[first:last]
        assert (features_of(part, FPS, SKELETON)["swing"] > 1e-3) is seen, (first, last)
    # 110 frames of the middle are 5.5 s: whole periods of 3/5.5 = 0.545 Hz and 4/5.5 = 0.727 Hz
    slow, fast = (features_of(waving(oracles, 200, hertz=k / 5.5), FPS, SKELETON)["swing"] for k in (3, 4))
    assert slow < 0.1 * fast
    assert fast == pytest.approx(0.1 / math.sqrt(2), rel=0.02)
    shaking, trembling = (features_of(waving(oracles, 200, hertz=8 / 5.5, size=s), FPS, SKELETON) for s in (2e-3, 1e-3))
    assert shaking["rhythm"] == pytest.approx(1.0, abs=1e-3)
    assert trembling["rhythm"] == 0.0  # 0.7 mm root mean square


@pytest.mark.parametrize(("ratio", "expected"), [(1, 1), (0.5, 0.5), (2, 0.5), (0.25, 0), (5, 0), (0, 0)])
def test_the_score_of_a_ratio(ratio: float, expected: float) -> None:
    assert score(ratio) == pytest.approx(expected)


def judged(oracles, made: list[torch.Tensor], real: list[torch.Tensor], contents: list[str]) -> dict[str, float]:
    motion = oracles.motion_of(made)
    batch = oracles.batch_of(motion, [{"content": c, "style": "normal"} for c in contents])
    batch.motion = oracles.motion_of(real)
    return Movement().state(motion, batch).compute()


@pytest.fixture
def real(oracles):
    waves = [waving(oracles, 80, phase=0.4 * k) for k in range(4)]
    walks = [walking(oracles, 80, speed=0.9 + 0.05 * k) for k in range(4)]
    return [*waves, *walks], ["wave"] * 4 + ["walk"] * 4


def test_real_motion_scores_one_and_a_statue_nothing(oracles, real) -> None:
    clips, contents = real
    same = judged(oracles, clips, clips, contents)
    assert same["movement"] == pytest.approx(1.0)
    assert same["movement_within"] == 1.0
    statue = judged(oracles, [oracles.standing(80)] * 8, clips, contents)
    assert statue["movement"] == 0.0
    assert statue["movement_within"] == 0.0


@pytest.mark.parametrize("wrong", ["half amplitude", "half speed", "wave as its mean over phases", "feet that glide"])
def test_wrong_motions_are_seen(oracles, real, wrong: str) -> None:
    clips, contents = real
    made = list(clips)
    if wrong == "half amplitude":
        made[:4] = [waving(oracles, 80, size=0.05) for _ in range(4)]
    elif wrong == "half speed":
        made[4:] = [walking(oracles, 80, speed=0.47) for _ in range(4)]
    elif wrong == "wave as its mean over phases":
        mean = torch.stack([waving(oracles, 80, phase=2 * math.pi * k / 12) for k in range(12)]).mean(0)
        made[:4] = [mean] * 4
    else:
        made[4:] = [walking(oracles, 80, stride=0.05) for _ in range(4)]
    found = judged(oracles, made, clips, contents)
    assert found["movement"] < 0.95
    assert found["movement_within"] < 1
    if wrong == "half speed":
        assert found["movement_travel"] == pytest.approx(0.48, abs=0.03)


def test_labels_with_few_real_clips_say_nothing(oracles, real) -> None:
    clips, _ = real
    with pytest.raises(DataError, match="no label has 3 real clips"):
        judged(oracles, clips, clips, [f"kind {k}" for k in range(8)])


def test_states_merge_and_refuse_a_clip_counted_twice(oracles, real) -> None:
    clips, contents = real
    motion = oracles.motion_of(clips)
    batch = oracles.batch_of(motion, [{"content": c, "style": "normal"} for c in contents])
    batch.motion = motion
    whole = Movement().state(motion, batch)
    parts = []
    for rows in (slice(0, 3), slice(3, 8)):
        part = oracles.motion_of(clips[rows])
        own = oracles.batch_of(part, [{"content": c, "style": "normal"} for c in contents[rows]])
        own.ids, own.motion = batch.ids[rows], part
        parts.append(Movement().state(part, own))
    assert parts[1].merge(parts[0]).compute() == whole.compute()
    with pytest.raises(DataError, match="counted twice"):
        whole.merge(parts[0])


def test_without_labels_or_real_motion_it_says_what_it_needs(oracles, real) -> None:
    motion = oracles.motion_of(real[0])
    batch = oracles.batch_of(motion)
    with pytest.raises(DataError, match="needs a data set with both"):
        Movement().state(Motion(motion.x, motion.lengths, motion.spec), batch)
    assert np.isfinite(score(1.3))


def test_a_feature_that_the_prediction_is_too_short_to_have_is_none_of_it(oracles, real) -> None:
    clips, contents = real
    short = [clip[:19] for clip in clips]  # below a second no swing is measured
    found = judged(oracles, short, clips, contents)
    assert found["movement_swing"] == found["movement_rhythm"] == 0.0
    assert found["movement_travel"] == pytest.approx(1.0)


def test_three_real_clips_of_a_label_are_enough_and_two_are_not() -> None:
    for clips, counts in ((2, 0), (3, 1)):
        rows = {f"clip {k}": ("walk", {"turn": 1.0}) for k in range(clips)}
        assert len(MovementState(rows, rows).ratios()) == counts
    some = {f"clip {k}": ("walk", {"turn": 1.0} | ({"swing": 1.0} if k else {})) for k in range(3)}
    assert MovementState(some, some).ratios() == {("walk", "turn"): 1.0}  # only two of them have a swing


@pytest.mark.parametrize("frames", [40, 41])
def test_the_power_of_a_swing_is_its_mean_square_without_its_parabola(frames: int) -> None:
    """Parseval, for an even and an odd number of frames."""
    way = np.random.default_rng(0).normal(size=(frames, 3))
    t = np.arange(frames)
    rest = np.stack([column - np.polyval(np.polyfit(t, column, 2), t) for column in way.T], 1)
    power = _power(way)
    assert len(power) == frames // 2 + 1
    assert power.sum() == pytest.approx(np.square(rest).sum(1).mean())
    assert _power(np.stack([t, t**2, 3 + 0 * t], 1) / 100).sum() == pytest.approx(0, abs=1e-20)


def test_the_power_of_one_tone_is_at_its_frequency() -> None:
    t = np.arange(200)
    power = _power(np.stack([np.cos(2 * np.pi * 20 * t / 200), 0 * t, 0 * t], 1))
    assert power[20] == pytest.approx(0.5, rel=1e-2)
    assert power.sum() == pytest.approx(0.5, rel=1e-2)
