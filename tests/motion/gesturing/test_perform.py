"""A talking body part by part: breath, nods, weights and clocks of gestures by their definitions, the rest kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored

from motion_platform.motion.gesturing import library, perform
from motion_platform.motion.gesturing.accents import Accent
from motion_platform.motion.gesturing.emotions import Manner
from motion_platform.motion.gesturing.plan import LIVELIEST, QUICKEST, SLOWEST, GesturePlan, Stroke
from motion_platform.motion.skeleton import get_skeleton

SKELETON = get_skeleton(library.SKELETON)
SECONDS = np.arange(120) / 20


def strokes() -> list[Stroke]:
    gestures = [g for g in library.packaged().gestures if g.hands == ("left", "right")]
    times = [(0.5, 0.9, 1.2, 1.4, 1.6, 0.4), (1.9, 2.3, 2.5, 2.8, 3.2, 1.0), (4.1, 4.5, 4.7, 4.9, 5.0, 0.0)]
    return [
        Stroke(gesture=gesture, start=a, full=b, apex=c, done=d, hold=e, strength=s)
        for gesture, (a, b, c, d, e, s) in zip(gestures[::20], times, strict=False)
    ]


@pytest.mark.parametrize("tempo", [0.1, 0.8, 1.0, 1.3, 9.0])
def test_a_breath_is_a_quarter_of_a_second_s_and_faster_with_the_tempo(tempo: float) -> None:
    held = min(max(tempo, QUICKEST), SLOWEST)
    wanted = (1 - np.cos(2 * np.pi * 0.25 * np.sqrt(held) * SECONDS)) / 2
    np.testing.assert_allclose(perform._breath(SECONDS, Manner(tempo=tempo)), wanted, atol=1e-12)


def test_a_nod_is_a_bell_on_each_accent_and_never_too_deep() -> None:
    plan = GesturePlan((), (Accent(1.0, 0.5), Accent(3.0, 1.0), Accent(3.1, 1.0), Accent(5.5, 0.1)))
    wanted = np.zeros(120)
    for accent in plan.accents:
        bell = 3.5 * accent.strength * np.exp(-0.5 * ((SECONDS - accent.time) / 0.13) ** 2)
        wanted += np.where(np.abs(SECONDS - accent.time) < 0.52, bell, 0.0)
    assert wanted.max() > 5.25
    np.testing.assert_allclose(perform._nods(plan, SECONDS), np.minimum(wanted, 5.25), atol=1e-12)
    assert perform._nods(GesturePlan((), ()), SECONDS).tolist() == [0.0] * 120


def test_minimum_jerk_is_a_polynomial_of_five() -> None:
    x = np.linspace(-0.5, 1.5, 41)
    inside = np.clip(x, 0, 1)
    np.testing.assert_allclose(perform.rise(x), 10 * inside**3 - 15 * inside**4 + 6 * inside**5, atol=1e-12)


@pytest.mark.parametrize("tempo", [0.2, 1.0, 1.25, 5.0])
def test_the_weight_of_a_stroke_comes_up_while_it_is_prepared_and_goes_where_there_is_time(tempo: float) -> None:
    made = perform._weights(strokes(), SECONDS, Manner(tempo=tempo))
    back = 0.9 / min(max(tempo, QUICKEST), SLOWEST)
    first, second, third = strokes()
    assert perform.retractions([first, second, third]) == [None, 3.2, 5.0]
    up = [perform.rise((SECONDS - s.start) / (s.full - s.start)) for s in (first, second, third)]
    np.testing.assert_allclose(made[0], np.where(SECONDS < 2.3, up[0], 0.0))
    np.testing.assert_allclose(made[1], up[1] * (1 - perform.rise((SECONDS - 3.2) / back)))
    np.testing.assert_allclose(made[2], up[2] * (1 - perform.rise((SECONDS - 5.0) / back)))
    assert perform._weights([], SECONDS, Manner()) == []
    assert perform.retractions([]) == []


def test_the_clip_of_a_gesture_meets_the_phases_of_the_plan() -> None:
    for stroke in strokes():
        gesture = stroke.gesture
        apex = gesture.at("emphasis")
        last = min(gesture.at("stroke_end"), apex + LIVELIEST * (stroke.done - stroke.apex))
        at = np.array([0.0, stroke.full, stroke.apex, stroke.done, 99.0])
        np.testing.assert_allclose(
            perform._clip_times(stroke, at), [gesture.arrival, gesture.arrival, apex, last, last], atol=1e-9
        )
        assert (np.diff(perform._clip_times(stroke, SECONDS)) >= 0).all()
    at_once = Stroke(gesture=gesture, start=1.0, full=2.0, apex=2.0005, done=2.001, hold=2.1, strength=1.0)
    np.testing.assert_array_equal(perform._clip_times(at_once, SECONDS), np.full(120, apex))


def test_standing_still_moves_by_the_breath_alone() -> None:
    """Legs do not; shoulders rise by 1.2 degrees and the manner's, the trunk bends by its thirds."""
    rest = perform.at_rest(library.packaged(), SECONDS, Manner())
    bent = perform.at_rest(library.packaged(), SECONDS, Manner(spine=9.0, head=10.0, shoulders=4.0, spread=6.0))
    breath = perform._breath(SECONDS, Manner())

    def turned(name: str) -> Rotation:
        j = SKELETON.index(name)
        return Rotation.from_quat(rest[:, j]).inv() * Rotation.from_quat(bent[:, j])

    for name, degrees in (("spine1", 3.0), ("spine2", 3.0), ("spine3", 3.0), ("neck", 4.0), ("head", 6.0)):
        np.testing.assert_allclose(np.degrees(turned(name).as_rotvec()), np.tile([degrees, 0, 0], (120, 1)), atol=1e-6)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        collar = SKELETON.index(f"{side}_collar")
        by = Rotation.from_quat(bent[:, collar]) * Rotation.from_quat(rest[:, collar]).inv()
        np.testing.assert_allclose(np.degrees(by.as_rotvec()), np.tile([0, 0, sign * 4.0], (120, 1)), atol=1e-6)
        shoulder = SKELETON.index(f"{side}_shoulder")
        by = Rotation.from_quat(bent[:, shoulder]) * Rotation.from_quat(rest[:, shoulder]).inv()
        away, hang = (Rotation.from_euler(*turn, degrees=True) for turn in (("z", sign * 2.0), ("x", -6.3)))
        assert (by * (away * hang).inv()).magnitude().max() < 1e-6
    for name in ("pelvis", "left_hip", "right_knee", "left_ankle", "right_foot"):
        assert np.ptp(rest[:, SKELETON.index(name)], axis=0).max() == 0
        np.testing.assert_array_equal(rest[0, SKELETON.index(name)], library.packaged().idle[0, SKELETON.index(name)])
    assert breath.max() > 0.99


def test_the_idle_loop_goes_to_and_fro() -> None:
    """A finger is in no breath and no manner: it is where the loop is, there and back."""
    whole = library.packaged()
    finger, last = SKELETON.index("left_index2"), len(whole.idle) - 1
    seconds = np.array([0.0, 3.25, last, last + 2.5, 2 * last, 2 * last + 4.0, 3 * last + 1.0]) / whole.idle_fps
    frames = [0.0, 3.25, last, last - 2.5, 0.0, 4.0, last - 1.0]
    made = perform.at_rest(whole, seconds, Manner())[:, finger]
    for got, frame in zip(made, frames, strict=True):
        a, b = int(frame), min(int(frame) + 1, last)
        wanted = whole.idle[a, finger] * (1 - frame + a) + whole.idle[b, finger] * (frame - a)
        np.testing.assert_allclose(got, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_a_plan_carried_out_is_what_it_was() -> None:
    plan = GesturePlan(tuple(strokes()), (Accent(1.2, 0.6), Accent(4.7, 1.0)))
    made = {}
    for name, manner, amplitude in (
        ("plain", Manner(), 1.0),
        ("large", Manner(amplitude=9.0, tempo=1.2, spine=5.0), 1.0),
        ("small", Manner(amplitude=0.01, shoulders=3.0), 0.7),
    ):
        joints, rotations = perform.perform(plan, 120, 20.0, library.packaged(), manner, amplitude)
        assert (joints.dtype, rotations.dtype, joints.shape) == (np.float32, np.float32, (120, 52, 3))
        made |= {f"{name} joints": joints[1::6, :23], f"{name} turns": rotations[1::6, :23]}
    check_stored("performances", made, atol=2e-5)
