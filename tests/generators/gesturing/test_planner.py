"""The planner behind the contract of generators: slots, emotions, words, marks, and what it refuses."""

import numpy as np
import pytest
import torch

from motion_platform.core.errors import ConfigError, UnknownName, UsageError
from motion_platform.core.schema import Audio, Condition, Edit, Motion, MotionSpec, Word
from motion_platform.core.seeding import NoiseSource
from motion_platform.encoders.gesture_words import GestureWords
from motion_platform.encoders.times import Times
from motion_platform.generators.gesturing.planner import GesturePlanner
from motion_platform.motion.bodies import clips_of
from motion_platform.motion.gesturing.finishing import wrist_speeds
from motion_platform.motion.gesturing.plan import lexicon
from motion_platform.motion.skeleton import get_skeleton

EMOTIONS = ("happy", "sad", "neutral", "old", "angry", "relaxed")
SPEC = MotionSpec("gesture", "humanml3d_hands", 20.0, torch.zeros(796), torch.ones(796))
SLOTS = ("speech", "transcript", "emotion", "strokes")


@pytest.fixture(scope="module")
def planner():
    return GesturePlanner(SPEC, SLOTS, emotions=EMOTIONS).eval()


def condition(rows, width, rate=20.0):
    """Encoder tokens of rows (n, C) as a Condition after conditioning."""
    longest = max(len(row) for row in rows)
    own, on = torch.zeros(len(rows), longest, width), torch.zeros(len(rows), longest, dtype=torch.bool)
    for b, row in enumerate(rows):
        own[b, : len(row)], on[b, : len(row)] = torch.as_tensor(row, dtype=torch.float32), True
    null = torch.ones(len(rows), 1, dtype=torch.bool)
    return Condition(torch.zeros(len(rows), 1 + longest, 4), torch.cat([null, on], 1), rate, own)


def speech(frames=120):
    at = (np.arange(frames) + 0.5) / 20
    near = np.exp(-0.5 * ((at[:, None] - np.array([1.0, 2.5, 4.0])) / 0.08) ** 2).max(1)
    return np.stack([0.6 + 0.4 * near, 0.3 * near, 0.7 + 0 * at, 0.5 * near], axis=1)


def emotion(*names):
    return condition([np.eye(6)[[EMOTIONS.index(name)]] if name else np.zeros((0, 6)) for name in names], 6, None)


def given(rows=1, **slots):
    nothing = [np.zeros((0, 1))] * rows
    return {
        "speech": condition([speech()] * rows, 4),
        "transcript": condition([np.zeros((0, 16))] * rows, 16),
        "emotion": emotion(*[""] * rows),
        "strokes": condition(nothing, 1, None),
        **slots,
    }


def test_no_wrist_is_faster_than_asked_and_strokes_stay_where_they_are(planner):
    limited = GesturePlanner(SPEC, SLOTS, emotions=EMOTIONS, fastest=0.8).eval()
    skeleton, lengths = get_skeleton("humanml3d_hands"), torch.tensor([120])
    told = given(emotion=emotion("angry"))
    free, slow = (p.generate(told, lengths, noise=NoiseSource(["a"], 0)) for p in (planner, limited))
    free, slow = clips_of(free)[0], clips_of(slow)[0]
    assert wrist_speeds(free.rotations, skeleton, 20.0).max() > 1.2
    assert wrist_speeds(slow.rotations, skeleton, 20.0).max() <= 0.8 + 1e-3
    assert np.abs(slow.joints - free.joints).max() < 0.35
    assert np.median(np.abs(slow.joints - free.joints)) < 1e-3


def test_rows_are_their_own_and_features_are_those_of_the_body(planner):
    lengths = torch.tensor([120, 80])
    motion = planner.generate(given(2), lengths, noise=NoiseSource(["a", "b"], 0))
    alone = planner.generate(given(1), lengths[:1], noise=NoiseSource(["a"], 0))
    assert torch.equal(motion.x[0], alone.x[0])
    assert not torch.equal(motion.x[0, :80], motion.x[1, :80])
    assert (motion.x[1, 80:] == 0).all()
    clip = clips_of(motion)[0]
    made = planner.talk(given(1), 0, 120, _seed("a"))
    assert np.abs(clip.joints - made.joints).max() < 1e-4
    assert clip.rotations.shape == (120, 52, 4)


def _seed(name):
    from motion_platform.core.seeding import seed_of

    return seed_of(0, name, "gestures")


def test_emotions_change_the_body_and_a_mixture_lies_between(planner):
    poses = {}
    for name in ("neutral", "old", ""):
        poses[name] = planner.manner(emotion(name), 0)
    assert poses[""] == poses["neutral"]
    mixture = emotion("old")
    mixture.mixed = [(torch.tensor([0.25]), emotion("old")), (torch.tensor([0.75]), emotion("neutral"))]
    assert planner.manner(mixture, 0).spine == pytest.approx(poses["old"].spine / 4, rel=1e-3)


def test_words_and_marks_come_through_their_encoders(planner):
    audio = Audio(6.0, words=(Word("Never,", 0.8, 1.2), Word("stone", 2.0, 2.4), Word("you", 3.9, 4.2)))
    encoder = GestureWords()
    made = encoder([audio, None])
    told = planner.words(condition([made.tokens[0].numpy(), np.zeros((0, encoder.dim))], encoder.dim), 0)
    assert [(lexicon()[w.text], round(w.start, 2), round(w.end, 2)) for w in told] == [
        ("negation", 0.8, 1.2),
        ("you", 3.9, 4.2),
    ]
    times = Times()(["3.5, 1.25", ""])
    assert times.tokens[0, :, 0].tolist() == [1.25, 3.5]
    marks = given(1, strokes=condition([times.tokens[0].numpy()], 1, None))
    assert [round(s.apex, 2) for s in planner.talk(marks, 0, 120, 0).plan.strokes] == [1.25, 3.5]
    for wrong in ("now", "1.2;3", "-1", "nan"):
        with pytest.raises(UsageError, match="seconds"):
            Times()([wrong])


def test_it_has_nothing_to_learn_and_refuses_what_it_cannot_do(planner):
    assert float(planner.loss(None, {})["loss"].detach()) == 0
    motion = Motion(torch.zeros(1, 20, 796), torch.tensor([20]), SPEC)
    with pytest.raises(UsageError, match="whole motions"):
        planner.generate(given(), torch.tensor([20]), noise=NoiseSource(["a"], 0), edit=Edit(motion.x, motion.x.bool()))
    with pytest.raises(UnknownName, match="angry"):
        GesturePlanner(SPEC, SLOTS, emotions=["angri"])
    with pytest.raises(ConfigError, match="slot"):
        GesturePlanner(SPEC, ())
