"""Accents, plans and the body that carries them out, on speech that is made so that the answer is known."""

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.schema import Word
from motion_platform.motion.gesturing import library
from motion_platform.motion.gesturing.accents import accents_of, phrases_of
from motion_platform.motion.gesturing.emotions import Manner, compared, manners, measure, mixed
from motion_platform.motion.gesturing.perform import NEAR, retractions, rise
from motion_platform.motion.gesturing.plan import APART, lexicon, plan
from motion_platform.motion.gesturing.talk import talk
from motion_platform.motion.gesturing.track import REACH, stroke_track
from motion_platform.motion.skeleton import get_skeleton

FPS = 20.0
WRISTS = [get_skeleton(library.SKELETON).index(f"{side}_wrist") for side in ("left", "right")]
FEET = [get_skeleton(library.SKELETON).index(f"{side}_foot") for side in ("left", "right")]


def speech(stressed, seconds=10.0, pause=(4.5, 6.0)):
    """Prosody of a murmur with stressed syllables at the given seconds, and a pause."""
    at = (np.arange(round(seconds * FPS)) + 0.5) / FPS
    near = np.exp(-0.5 * ((at[:, None] - np.asarray(stressed)) / 0.08) ** 2).max(1)
    said = ~((at > pause[0]) & (at < pause[1]))
    made = np.stack([0.6 + 0.4 * near, 0.3 * near, 0.7 + 0 * at, 0.1 + 0.5 * near], axis=1) * said[:, None]
    return made.astype(np.float32)


def talked(prosody, seed=0, **settings):
    random = np.random.default_rng(seed)
    return talk(prosody, FPS, len(prosody), FPS, library.packaged(), random, **settings)


STRESSED = (1.0, 2.5, 4.0, 7.0, 8.6)


def test_accents_are_where_they_were_put_and_phrases_between_pauses():
    prosody = speech(STRESSED)
    found = [accent.time for accent in accents_of(prosody, FPS) if accent.strength > 0.3]
    assert len(found) == len(STRESSED)
    assert np.abs(np.array(found) - STRESSED).max() <= 0.06
    phrases = phrases_of(prosody, FPS)
    assert [(round(p.start, 1), round(p.end, 1)) for p in phrases] == [(0.0, 4.5), (6.0, 10.0)]
    assert accents_of(np.zeros((100, 4), np.float32), FPS) == []
    assert phrases_of(np.zeros((0, 4), np.float32), FPS) == []


def test_apexes_are_on_accents_and_the_hand_is_still_after_them_and_fast_before():
    hits = []
    for seed in range(4):
        made = talked(speech(STRESSED), seed)
        apexes = [stroke.apex for stroke in made.plan.strokes]
        assert len(apexes) >= 4
        assert all(min(abs(apex - time) for time in STRESSED) <= 0.06 for apex in apexes)
        assert (np.diff(apexes) >= APART - 1e-6).all()
        speed = np.linalg.norm(np.diff(made.joints[:, WRISTS], axis=0), axis=-1).max(1) * FPS
        for apex in apexes:
            k = round(apex * FPS)
            hits.append((speed[max(0, k - 10) : k].max(), speed[k : k + 3].mean()))
    before, after = np.mean(hits, axis=0)
    assert before > 2 * after


def test_the_body_stands_breathes_and_keeps_its_bones_and_its_pace():
    made = talked(speech(STRESSED), manner=manners()["angry"])
    assert np.ptp(made.joints[:, FEET], axis=0).max() < 1e-6
    assert abs(made.joints[0, FEET, 1]).min() < 1e-6
    skeleton = get_skeleton(library.SKELETON)
    for parent, j in skeleton.bones:
        length = np.linalg.norm(made.joints[:, j] - made.joints[:, parent], axis=-1)
        assert length == pytest.approx(np.linalg.norm(skeleton.offsets[j]), abs=1e-4)
    speed = np.linalg.norm(np.diff(made.joints[:, WRISTS], axis=0), axis=-1) * FPS
    assert speed.max() < 4.0
    quiet = talked(np.zeros((200, 4), np.float32))
    assert quiet.plan.strokes == ()
    moved = np.ptp(quiet.joints, axis=0)
    assert 0.002 < moved[skeleton.index("head")].max() < 0.02
    assert moved.max() < 0.04


def test_hands_are_at_rest_in_a_long_pause():
    prosody = speech((1.0, 2.0, 8.0), 10.0, (2.5, 7.0))
    rest = talked(np.zeros_like(prosody)).joints
    for seed in range(3):
        made = talked(prosody, seed).joints
        assert np.abs(made[round(4.5 * FPS), WRISTS] - rest[round(4.5 * FPS), WRISTS]).max() < 0.02


def test_a_plan_depends_on_its_seed_and_words_call_for_their_gestures():
    prosody = speech(STRESSED)
    assert np.array_equal(talked(prosody, 3).joints, talked(prosody, 3).joints)
    assert not np.array_equal(talked(prosody, 3).joints, talked(prosody, 4).joints)
    words = [Word("Never", 2.3, 2.7), Word("you", 6.8, 7.2), Word("table", 8.4, 8.8)]
    made = {round(s.apex, 1): s.gesture.kind for s in talked(prosody, 1, words=words).plan.strokes}
    assert made[2.5] == lexicon()["never"] == "negation"
    assert made[7.0] == "you"
    assert made.get(8.6, "beat") not in lexicon().values() or made[8.6] in ("offer", "receive", "example", "plea")


def test_a_users_marks_are_the_strokes():
    marks = [0.6, 3.3, 5.2]
    made = talked(speech(STRESSED), marks=marks)
    assert [stroke.apex for stroke in made.plan.strokes] == marks
    assert [s.apex for s in talked(np.zeros((200, 4), np.float32), marks=[2.0, 99.0]).plan.strokes] == [2.0]


def test_a_hand_goes_back_only_where_there_is_time():
    strokes = plan(accents_of(speech(STRESSED), FPS), [], 10, library.packaged(), np.random.default_rng(0)).strokes
    for stroke, after, back in zip(strokes, strokes[1:], retractions(strokes), strict=False):
        assert (back is not None) == (after.start - stroke.hold > NEAR)
    assert retractions(strokes)[-1] is not None
    assert rise(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 0.5, 1, 1]


def test_emotions_mix_and_wrong_ones_are_one_line():
    half = mixed({"happy": 1, "sad": 1})
    happy, sad = manners()["happy"], manners()["sad"]
    assert half.spine == pytest.approx((happy.spine + sad.spine) / 2)
    assert half.tempo == pytest.approx((happy.tempo * sad.tempo) ** 0.5)
    assert mixed({}) == Manner() == mixed({"neutral": 2.0})
    assert set(manners()) == {"happy", "sad", "neutral", "old", "angry", "relaxed"}
    with pytest.raises(UnknownName, match="happy"):
        mixed({"hapy": 1})
    with pytest.raises(UsageError, match="sum to 0"):
        mixed({"happy": 0.0})
    with pytest.raises(UsageError, match="0 or more"):
        mixed({"happy": -1.0})


def test_what_is_measured_is_what_was_done():
    """A body whose amplitude and posture are transformed is measured to be so, on the 22 joints."""
    from motion_platform.motion.clip import Clip

    body = get_skeleton("humanml3d")

    def seen(**changed):
        made = talked(speech(STRESSED), manner=Manner(**changed)).joints
        order = [get_skeleton(library.SKELETON).index(name) for name in body.joints]
        return measure([Clip(made[:, order], FPS, body)])

    neutral = seen()
    bent = compared(seen(spine=20.0), neutral)
    assert bent.spine == pytest.approx(20 * 2 / 3, abs=7)  # of three joints the last bends only what is above it
    assert compared(seen(amplitude=0.6), neutral).amplitude < 0.85
    assert compared(seen(shoulders=8.0), neutral).shoulders > 4
    assert compared(neutral, neutral) == Manner()


def test_the_track_of_strokes_is_a_closed_form():
    track = stroke_track([3.0, 1.0], [0.2, 0.9], 100, FPS)
    at = (np.arange(100) + 0.5) / FPS
    assert track[:, 0] == pytest.approx(
        np.where(
            at <= 1, np.clip(1 - (1 - at) / REACH, 0, 1), np.where(at <= 3, np.clip(1 - (3 - at) / REACH, 0, 1), 0)
        ),
        abs=1e-6,
    )
    assert track[at > 3][0, 1] == pytest.approx(1 - 0.025 / REACH)
    assert track[:, 2].argmax() in (19, 20, 59, 60)
    assert track[0, 3] == pytest.approx(0.9)
    assert track[45, 3] == pytest.approx(0.2)
    assert not stroke_track([], [], 10, FPS).any()


def test_a_talk_is_what_it_was():
    """Some hundred numbers say how a talker moves; none of them changes by mistake."""
    words = [Word("Never", 2.3, 2.7), Word("you", 6.8, 7.2), Word("all", 8.4, 8.8)]
    made = {
        "neutral": talked(speech(STRESSED), 1),
        "words": talked(speech(STRESSED), 1, words=words, manner=mixed({"happy": 2, "angry": 1})),
        "marks": talked(speech((1.0, 1.4, 1.9, 2.6, 6.3), pause=(3.0, 6.0)), 2, marks=[0.6, 3.3, 5.2]),
        "large": talked(speech(STRESSED), 4, manner=Manner(amplitude=3.0)),
        "small": talked(speech(STRESSED), 4, manner=Manner(amplitude=0.1)),
        "sad": talked(speech((0.8, 1.3, 2.1, 6.5), pause=(2.4, 5.9)), 5, manner=manners()["sad"]),
    }
    joints = {name: talk.joints[::5].round(4) for name, talk in made.items()}
    strokes = {
        f"{name} strokes": np.array([[s.start, s.full, s.apex, s.done, s.hold, s.strength] for s in talk.plan.strokes])
        for name, talk in made.items()
    }
    check_stored("gesturing", joints | strokes, atol=1.1e-4)


def _said(spans, seconds=4.0, rate=100.0):
    """Prosody whose energy is just above what is speech in these spans, and at its border elsewhere."""
    at = (np.arange(round(seconds * rate)) + 0.5) / rate
    on = np.any([(at >= a) & (at < b) for a, b in spans], axis=0)
    prosody = np.zeros((len(at), 4), np.float32)
    prosody[:, 0] = np.where(on, 0.36, 0.34)
    return prosody


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([(1.0, 2.0)], [(1.0, 2.0)]),
        ([(0.0, 0.5), (3.0, 4.0)], [(0.0, 0.5), (3.0, 4.0)]),
        ([(1.0, 1.5), (1.74, 2.0)], [(1.0, 2.0)]),  # less than a pause of a quarter of a second
        ([(1.0, 1.5), (1.76, 2.0)], [(1.0, 1.5), (1.76, 2.0)]),
        ([(1.0, 1.14)], []),  # a click is no phrase
        ([(1.0, 1.16)], [(1.0, 1.16)]),
        ([(1.0, 1.1), (1.3, 1.4), (1.6, 1.7)], [(1.0, 1.7)]),
    ],
)
def test_phrases_end_with_pauses_of_a_quarter_of_a_second(spans, found):
    made = phrases_of(_said(spans), 100.0)
    assert [(p.start, p.end) for p in made] == [(pytest.approx(a), pytest.approx(b)) for a, b in found]


def test_speech_without_a_peak_has_no_accent():
    assert accents_of(np.tile([0.5, 0.0, 0.5, 0.0], (200, 1)).astype(np.float32), 20.0) == []
    assert accents_of(np.ones((2, 4), np.float32), 20.0) == []
    quiet = speech(STRESSED)
    quiet[:, 0] *= 0.3  # every peak is below speech
    assert accents_of(quiet, FPS) == []
    two = accents_of(speech((1.0, 8.0)), FPS)
    assert [round(accent.time, 1) for accent in two if accent.strength > 0.5] == [1.0, 8.0]
    assert max(accent.strength for accent in two) == 1.0
