"""The conductor's motion: on the beat, in the pattern, smooth, of fixed bones, and different by conductor."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import find_peaks
from stored_arrays import check_stored

from motion_platform.data.scores import motion
from motion_platform.data.scores.conductors import CONDUCTORS
from motion_platform.data.scores.performance import PerformancePlan
from motion_platform.motion.conducting.patterns import PATTERNS, pattern
from motion_platform.motion.skeleton import get_skeleton

AT = get_skeleton("coco_upper").index


def plan(beats=4, bars=8, tempo=90.0, dynamics=0.6, articulation=0.3, **more):
    n = beats * bars
    seconds = 3 + n * 60 / tempo + 3
    frames = round(seconds * 30)
    made = PerformancePlan(
        frames / 30,
        3 + np.arange(n) * 60 / tempo,
        np.arange(n) % beats,
        np.full(n, beats),
        np.full(frames, dynamics),
        np.full(frames, articulation),
        np.zeros(0),
        np.zeros(n),
    )
    return replace(made, **more)


def conduct(made, style="classical", seed=0, **changes):
    return motion.conduct(made, replace(CONDUCTORS[style], **changes), np.random.default_rng(seed))


def ictuses(keypoints, prominence=0.012):
    """Times at which the right hand is lowest (y counts down), to a fraction of a frame by a parabola."""
    y = keypoints[:, AT("right_wrist"), 1].astype(np.float64)
    at, _ = find_peaks(y, prominence=prominence)
    a, b, c = y[at - 1], y[at], y[at + 1]
    return (at + 0.5 * (a - c) / (a - 2 * b + c)) / 30


@pytest.mark.parametrize("style", CONDUCTORS)
@pytest.mark.parametrize("beats", [1, 2, 3, 4, 6])
def test_every_ictus_is_on_its_beat(style, beats):
    made = plan(beats, tempo=70.0 if beats == 1 else 110.0, bars=24 // beats)
    found = ictuses(conduct(made, style, lag=0.0, jitter=0.0))
    nearest = np.abs(found[None] - made.beats[:, None]).min(1)
    assert np.median(nearest) < 0.02
    assert (nearest < 0.05).mean() > 0.95
    inside = found[(found > made.beats[0] - 0.1) & (found < made.beats[-1] + 0.1)]
    assert (np.abs(inside[:, None] - made.beats[None]).min(1) < 0.05).mean() > 0.95  # and nothing between


@pytest.mark.parametrize("beats", [2, 3, 4, 5, 6, 7])
def test_the_first_beat_goes_down_from_the_highest_and_the_others_lie_where_the_diagram_says(beats):
    made = plan(beats, bars=6)
    keypoints = conduct(made, lag=0.0, jitter=0.0)
    hand = keypoints[:, AT("right_wrist")]
    at = np.round(made.beats * 30).astype(int)
    tops = np.array([hand[a:b, 1].min() for a, b in pairwise(at)])
    for bar in range(4):
        own = tops[bar * beats : (bar + 1) * beats]
        assert own.argmin() == beats - 1  # highest before the next first beat
    lowest = hand[at, 1].reshape(-1, beats)
    assert lowest.mean(0).argmax() == 0  # in bars of six the second lies next to it, and the hand drifts
    # The conductor's right is at smaller x: order the beats across, and compare with the diagram.
    across = -hand[at, 0].reshape(-1, beats).mean(0)
    wanted = [stroke.across for stroke in pattern(beats)]
    assert np.corrcoef(across, wanted)[0, 1] > 0.97


def test_diagrams_have_a_stroke_a_beat_and_only_the_last_rises_to_the_top():
    for beats in range(1, 13):
        strokes = pattern(beats)
        assert len(strokes) == beats
        assert (strokes[0].across, strokes[0].height) == (0, 0)
        assert strokes[-1].rebound == max(stroke.rebound for stroke in strokes)
    assert {stroke.across < 0 for stroke in PATTERNS[4][1:2]} == {True}  # two: to the left
    assert PATTERNS[4][2].across > 0.5  # three: to the right


def test_it_is_smooth_inside_the_picture_and_the_bones_never_stretch():
    made = plan(4, bars=12, tempo=150.0, dynamics=1.0)
    for style in CONDUCTORS:
        keypoints = conduct(made, style)
        assert keypoints.dtype == np.float32
        assert keypoints.shape == (round(made.seconds * 30), 13, 2)
        assert keypoints.min() > 0.05
        assert keypoints.max() < 0.95
        speed = np.linalg.norm(np.diff(keypoints, axis=0), axis=-1) * 30
        assert speed.max() < 3.5  # frames of 1.8 m a second: a hand's 6 m/s at the very most
        jump = np.linalg.norm(np.diff(keypoints, n=2, axis=0), axis=-1)
        assert jump.max() < 0.06
        for bone, length in ((("shoulder", "elbow"), motion.UPPER_ARM), (("elbow", "wrist"), motion.FOREARM)):
            for side in ("left", "right"):
                a, b = (keypoints[:, AT(f"{side}_{end}")] for end in bone)
                assert np.linalg.norm(a - b, axis=-1).max() <= length + 1e-4
        width = keypoints[:, AT("left_shoulder"), 0] - keypoints[:, AT("right_shoulder"), 0]
        np.testing.assert_allclose(width, 0.2, atol=0.01)


def height(keypoints, made):
    inside = keypoints[round(made.beats[0] * 30) : round(made.beats[-1] * 30), AT("right_wrist"), 1]
    return float(np.ptp(inside))


def test_size_follows_the_dynamics_and_style():
    quiet, loud = plan(dynamics=0.1), plan(dynamics=1.0)
    assert height(conduct(loud), loud) > 1.5 * height(conduct(quiet), quiet)
    made = plan()
    assert height(conduct(made, "grand"), made) > 1.5 * height(conduct(made, "precise"), made)


def test_staccato_strikes_faster_at_the_beat_than_legato():
    def near_beats(made):
        y = conduct(made, lag=0.0, jitter=0.0)[:, AT("right_wrist"), 1]
        speed = np.abs(np.diff(y)) / np.abs(np.diff(y)).mean()
        return np.mean([speed[int(b * 30) - 3 : int(b * 30) + 3].mean() for b in made.beats[4:-4]])

    assert near_beats(plan(articulation=1.0)) > 1.15 * near_beats(plan(articulation=0.0))


def test_a_cue_lifts_the_left_hand_and_a_hold_holds():
    calm = dict(left=(0.0, 1.0, 0.0))
    made = plan(cues=np.array([12.0]))
    hand = conduct(made, **calm)[:, AT("left_wrist")]
    assert hand[360, 1] < hand[270, 1] - 0.1
    assert hand[360, 0] > hand[270, 0] + 0.05
    holds = np.zeros(32)
    holds[10] = 3.0
    beats = 3 + np.arange(32) * 0.8 + np.where(np.arange(32) > 10, 2.4, 0)
    made = plan(tempo=75.0, beats=4, holds=holds, seconds=36.0)
    made = replace(made, beats=beats, dynamics=np.full(1080, 0.6), articulation=np.full(1080, 0.3))
    hand = conduct(made)[:, AT("right_wrist")]
    middle = round((beats[10] + 1.6) * 30)
    assert np.ptp(hand[middle - 15 : middle + 15, 1]) < 0.03
    assert np.ptp(hand[middle - 90 : middle - 60, 1]) > 0.06


def test_no_beats_is_a_conductor_at_rest():
    empty = np.zeros(0)
    made = PerformancePlan(5.0, empty, empty.astype(int), empty.astype(int), np.zeros(150), np.zeros(150), empty, empty)
    keypoints = conduct(made)
    assert keypoints.shape == (150, 13, 2)
    assert np.ptp(keypoints[:, AT("right_wrist")], axis=0).max() < 0.05
    assert keypoints[:, AT("right_wrist"), 1].min() > 0.6


def test_the_same_seed_gives_the_same_motion():
    made = plan()
    np.testing.assert_array_equal(conduct(made, seed=3), conduct(made, seed=3))
    assert np.abs(conduct(made, seed=3) - conduct(made, seed=4)).max() > 0.002


def test_a_shoulder_goes_up_with_its_hand():
    made = plan(cues=np.array([12.0]))
    keypoints = conduct(made, left=(0.0, 1.0, 0.0), sway=0.0)
    rise = keypoints[270, :, 1] - keypoints[360, :, 1]  # rows count downwards
    assert rise[AT("left_wrist")] > 0.1
    assert rise[AT("left_shoulder")] > 0.006


def test_a_held_beat_ends_where_the_next_one_begins():
    holds = np.zeros(8)
    holds[3] = 2.0
    beats = 3 + np.arange(8) * 0.8 + np.where(np.arange(8) > 3, 1.6, 0)
    times = round((beats[-1] + 3) * 30)
    made = plan(beats=4, bars=2, holds=holds)
    made = replace(
        made, beats=beats, seconds=times / 30, dynamics=np.full(times, 0.6), articulation=np.full(times, 0.3)
    )
    hand = conduct(made, lag=0.0, jitter=0.0)[:, AT("right_wrist")]
    steps = np.linalg.norm(np.diff(hand, axis=0), axis=1)
    assert steps[round(beats[4] * 30) - 6 : round(beats[4] * 30) + 6].max() < 1.2 * steps[: round(beats[3] * 30)].max()


def test_the_motion_is_what_it_was():
    """A prepared set of made-up conductors can be made again: every number of the motion counts."""
    frames = round(plan(4, bars=6).seconds * 30)
    t = np.arange(frames)
    holds = np.zeros(24)
    holds[13] = 1.2
    made = plan(
        4, bars=6, dynamics=0.5 + 0.5 * np.sin(t / 90), articulation=0.5 + 0.5 * np.cos(t / 130), holds=holds,
        cues=np.array([7.0, 14.0]),
    )  # fmt: skip
    found = {style: conduct(made, style, seed=k)[::11].round(4) for k, style in enumerate(CONDUCTORS)}
    for beats in (3, 6):
        found[f"{beats} beats"] = conduct(plan(beats, bars=4, tempo=120.0), "fluid", seed=9)[::11].round(4)
    rest = PerformancePlan(2.0, *[np.zeros(0)] * 3, np.full(60, 0.5), np.full(60, 0.3), np.zeros(0), np.zeros(0))
    found["at rest"] = conduct(rest)[::11].round(4)
    check_stored("conductor_motion", found, atol=2e-4)


def left_of(made, style="classical", **changes):
    """(T, 2) the left wrist and (T, 2) the right one of a conductor who does not sway."""
    keypoints = conduct(made, style, lag=0.0, jitter=0.0, sway=0.0, **changes)
    return keypoints[:, AT("left_wrist")], keypoints[:, AT("right_wrist")]


def test_the_left_hand_beats_along_in_the_loudest_parts_and_nowhere_else():
    loud = np.where(np.arange(3200) // 400 % 4 == 1, 0.9, 0.3)  # 13 s in every 53
    made = plan(bars=36, tempo=90.0)
    made = replace(made, dynamics=np.resize(loud, len(made.dynamics)))
    left, right = left_of(made, left=(0.25, 0.75, 0.0))
    quiet = np.ones(len(left), bool)
    for start in (400, 2000):
        inside, around = slice(start + 120, start + 280), slice(start - 240, start + 640)
        moves = np.std(np.diff(left[inside, 1])) / np.std(np.diff(right[inside, 1]))
        assert moves > 0.6
        assert np.corrcoef(np.diff(left[inside, 1]), np.diff(right[inside, 1]))[0, 1] > 0.8
        quiet[max(around.start, 0) : around.stop] = False
    quiet[:150] = quiet[-250:] = False
    assert quiet.sum() > 600
    assert np.std(np.diff(left[:, 1])[quiet[1:]]) < 0.15 * np.std(np.diff(right[:, 1])[quiet[1:]])


def test_the_left_hand_rises_with_a_swell_and_rests_where_nothing_changes():
    made = plan(bars=36, tempo=90.0)
    time = np.arange(len(made.dynamics)) / 30
    swell = 0.2 + 0.7 * np.clip((time - 40) / 12, 0, 1)
    left, _ = left_of(replace(made, dynamics=swell), left=(0.0, 0.7, 0.3))
    assert left[(39 * 30), 1] - left[(53 * 30), 1] > 0.08  # y counts down
    assert left[300:1050, 1].min() > 0.6  # at the hip, where nothing changes


@pytest.mark.parametrize("style", CONDUCTORS)
def test_a_fermata_is_held_by_the_left_hand_until_it_ends(style):
    made = plan(bars=8, tempo=60.0)
    holds = np.zeros(32)
    holds[16] = 3.0
    beats = made.beats + np.where(np.arange(32) > 16, 3.0, 0.0)
    seconds = made.seconds + 3
    frames = round(seconds * 30)
    held = replace(made, beats=beats, holds=holds, seconds=seconds, dynamics=np.full(frames, 0.6))
    held = replace(held, articulation=np.full(frames, 0.3))
    left, _ = left_of(held, style)
    begin, end = round(beats[16] * 30), round(beats[17] * 30)
    assert np.abs(left[begin + 6, 1] - 0.44) < 0.02  # up with the note, and not after it
    assert np.abs(left[begin - 21, 1] - left[begin - 30, 1]) < 0.05  # nor before
    inside = left[begin + 15 : end - 15]
    assert inside[:, 1].max() < 0.5  # up
    assert np.ptp(inside, axis=0).max() < 0.05  # and still
    assert np.ptp(left[end - 15 : end + 6, 1]) > 0.02  # a small loop ends it
    assert motion._fermatas(held) == [(float(beats[16]), float(beats[17]))]


def test_ways_are_the_conductors_shares_in_the_order_of_loudness_and_swell():
    time = np.arange(800) / 10
    changes = np.arange(1, 8) * 10.0  # eight parts
    level = np.repeat([0.1, 0.9, 0.2, 0.8, 0.3, 0.4, 0.5, 0.6], 100)
    slow = level + 0.05 * np.where(np.isin(np.arange(800) // 100, (4, 6)), np.sin(time), 0)
    conductor = replace(CONDUCTORS["classical"], left=(1.0, 2.0, 1.0))
    assert motion._ways(time, slow, changes, conductor).tolist() == [1, 0, 1, 0, 2, 1, 2, 1]
    nobody = replace(conductor, left=(0.0, 1.0, 0.0))
    assert motion._ways(time, slow, changes, nobody).tolist() == [1] * 8
    assert motion._ways(time, slow, np.array([200.0]), conductor).tolist() in ([1, 1], [0, 1])


def odd(seconds=26.0, quiet=0.0, tempo=100.0, holds=()):
    """A plan that begins in the midst of a bar, changes its meter, and ends in the first beat of another one."""
    index = np.array([3, 4, *[0, 1, 2] * 3, *[0, 1, 2, 3] * 2, *[0, 1] * 3, 0])
    count = np.array([5, 5, *[3] * 9, *[4] * 8, *[2] * 6, 1])
    frames = round(seconds * 30)
    t = np.arange(frames) / 30
    beats = 1.5 + np.arange(len(index)) * 60 / tempo
    lasts = np.zeros(len(index))
    for k, hold in holds:
        lasts[k] = hold
        beats[k + 1 :] += hold * 60 / tempo
    loud = np.full(frames, quiet) if quiet in (0.0, 1.0) else 0.5 + 0.5 * np.sin(t * 1.3)
    cues = np.array([3.2, 9.0, 15.0, 25.5])
    return PerformancePlan(frames / 30, beats, index, count, loud, 0.5 + 0.5 * np.cos(t), cues, lasts)


def test_motions_of_odd_plans_are_what_they_were():
    """At the borders of what is clipped, too: fast and soft, slow and loud, held at either end, few beats."""
    plans = {
        "precise": (odd(quiet=0.0, tempo=260.0), "precise"), "grand": (odd(60.0, 1.0, 36.0), "grand"),
        "lively": (odd(quiet=0.5, holds=((0, 0.6), (11, 2.0), (25, 1.5))), "lively"),
        "fluid": (odd(quiet=0.5, holds=((1, 1.0), (24, 0.4))), "fluid"),
    }  # fmt: skip
    found = {name: conduct(made, style, seed=3)[5::13] for name, (made, style) in plans.items()}
    for n in (0, 1, 2, 3, 5, 7):
        made = odd(8.0, 0.5)
        made = replace(made, beats=made.beats[:n], index=made.index[5 : 5 + n], count=made.count[5 : 5 + n])
        found[f"{n} beats"] = conduct(replace(made, holds=made.holds[:n]), "lively", seed=n)[::7]
    made = odd(quiet=0.5)  # one beat before the first bar
    made = replace(made, **{name: getattr(made, name)[1:] for name in ("beats", "index", "count", "holds")})
    found["pickup"] = conduct(made, "classical", seed=5)[::13]
    found["swaying"] = conduct(plan(4, bars=2), "grand", seed=1, sway=60.0, nod=9.0)[::5]
    assert found["swaying"].min() == 0
    assert found["swaying"].max() == 1
    for frames in (34, 64, 79):  # the last sample is at a step of the noise
        made = odd(frames / 30)
        found[f"{frames} frames"] = conduct(replace(made, beats=made.beats[:0]), "classical", seed=frames)
    check_stored("conductor_odd", {name: values.astype(np.float32) for name, values in found.items()}, atol=1e-5)


def test_a_plan_of_no_time_is_a_motion_of_no_frame():
    empty = np.zeros(0)
    made = PerformancePlan(0.0, *[empty] * 3, *[empty] * 2, empty, empty)
    assert conduct(made).shape == (0, 13, 2)


def test_two_beats_are_conducted_and_one_is_not():
    for n, moves in ((1, False), (2, True)):
        made = odd(8.0, 0.5)
        made = replace(made, beats=made.beats[:n], index=made.index[:n], count=made.count[:n], holds=made.holds[:n])
        hand = conduct(made)[:, AT("right_wrist")]
        assert (np.ptp(hand[:, 1]) > 0.08) == moves


def test_two_beats_at_once_divide_by_nothing():
    made = plan(4, bars=2)
    for k in (2, len(made.beats) - 1):
        beats = made.beats.copy()
        beats[k] = beats[k - 1]
        with np.errstate(all="raise", under="ignore"):
            assert np.isfinite(conduct(replace(made, beats=beats), lag=0.0, jitter=0.0)).all()


def test_hands_anywhere_and_the_body_that_follows_them():
    """Arms of fixed bones: drawn in where they cannot reach, bent where they can; shoulders that rise with hands."""
    random = np.random.default_rng(0)
    t = np.arange(240) / 120
    right, left = random.uniform(-0.3, 1.3, (2, 240, 2))
    right[:60], left[:60] = (0.4, 0.47), (0.6, 0.47)  # on the shoulders
    found = {"body": motion._body(t, right, left, CONDUCTORS["lively"], np.random.default_rng(1))[::3]}
    shoulder = np.full((300, 2), 0.5)
    far = np.linspace(0, 0.6, 300)[:, None] * random.normal(size=(300, 2)) + 0.5
    for side in (1, -1):
        wrist, elbow = motion._arm(shoulder, far, side)
        reach = np.linalg.norm(wrist - shoulder, axis=1)
        assert reach.max() == pytest.approx(0.985 * 0.32)
        within = np.linalg.norm(far - shoulder, axis=1) < 0.31
        np.testing.assert_allclose(wrist[within], far[within])
        found[f"arm {side}"] = np.concatenate([wrist, elbow], 1)[::3]
    check_stored("conductor_body", {name: values.astype(np.float32) for name, values in found.items()}, atol=1e-6)


def test_a_part_of_no_time_is_the_quietest_and_changes_least():
    """Changes before the beginning and behind the end; of two parts the one that is there is mirrored, or shaped."""
    time, level = np.arange(100) / 10, np.linspace(0.2, 0.7, 100)
    for at, there in ((50.0, 0), (-1.0, 1)):
        for left, way in (((0.5, 0.5, 0.0), 0), ((0.0, 0.5, 0.5), 2)):
            conductor = replace(CONDUCTORS["classical"], left=left)
            wanted = [1, 1]
            wanted[there] = way
            assert motion._ways(time, level, np.array([at]), conductor).tolist() == wanted


def test_a_short_hold_is_a_fermata_too():
    made = odd(holds=((3, 0.5),))
    assert motion._fermatas(made) == [(float(made.beats[3]), float(made.beats[4]))]
    made = odd(holds=((25, 0.5),))
    assert motion._fermatas(made) == [(float(made.beats[25]), made.seconds)]
