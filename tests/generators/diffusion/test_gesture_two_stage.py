"""Two stages: strokes are heard, told, or asked for; the body that is made stands on its feet."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.schema import Audio, Batch, Condition, Mixture, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.diffusion import gesture_two_stage
from motion_platform.generators.diffusion.gesture_diffusion import PIECES, GestureNetwork
from motion_platform.generators.diffusion.gesture_two_stage import GestureTwoStage
from motion_platform.motion.bodies import clips_of
from motion_platform.motion.gesturing.finishing import wrist_speeds
from motion_platform.motion.gesturing.stance import joined, smoothed, stand
from motion_platform.motion.gesturing.track import stroke_track
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.stroke_network import StrokeNetwork, strokes_of

FRAMES = 44


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    spec = MotionSpec("gesture", "humanml3d_hands", 20.0, torch.zeros(796), torch.ones(796))
    network = GestureNetwork(width=8, latent=16, layers=1, heads=2, feed_forward=16, local_heads=2, seed_frames=4)
    short = replace(PIECES, max_frames=22, sample_steps=2)
    return GestureTwoStage(spec, ("speech", "strokes"), network=network, diffusion=short).eval()


def told(prosody, marks=()):
    """One row of conditions as they come out of the conditioning, of width 8."""
    own = torch.as_tensor(prosody, dtype=torch.float32)[None]
    on = torch.ones(1, 1 + own.shape[1], dtype=torch.bool)
    asked = torch.tensor(marks, dtype=torch.float32)[None, :, None]
    wanted = torch.ones(1, 1 + len(marks), dtype=torch.bool)
    return {
        "speech": Condition(torch.zeros(1, 1 + own.shape[1], 8), on, 20.0, own),
        "strokes": Condition(torch.zeros(1, 1 + len(marks), 8), wanted, None, asked),
    }


def test_peaks_are_strokes_the_highest_first_and_none_too_near():
    probability = np.zeros(100)
    probability[[10, 20, 60, 90]] = [0.5, 0.9, 0.4, 0.2]
    times, sizes = strokes_of(probability, np.linspace(0, 1, 100), 20.0)
    assert times == [20.5 / 20, 60.5 / 20]  # 10 is too near to 20, 90 too low
    assert sizes == pytest.approx([20 / 99, 60 / 99])
    assert strokes_of(np.zeros(5), np.zeros(5), 20.0) == ([], [])


def test_the_first_stage_learns_where_strokes_are():
    torch.manual_seed(0)
    network = StrokeNetwork(channels=16, dilations=(1, 2))
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    random = np.random.default_rng(0)

    def rows(count):
        heard, track = np.zeros((count, 80, 4), np.float32), np.zeros((count, 80, 4), np.float32)
        for row in range(count):
            at = np.sort(random.choice(np.arange(5, 75, 10), 3, replace=False))
            heard[row, at, 0], heard[row, :, 1] = 1, random.normal(size=80) * 0.1
            track[row] = stroke_track((at + 0.5) / 20, [0.8] * 3, 80, 20.0)
        return torch.from_numpy(heard), torch.from_numpy(track)

    heard, track = rows(16)
    on = torch.ones(16, 80, dtype=torch.bool)
    first = float(network.loss(heard, on, track[..., 2], track[..., 3]).detach())
    for _ in range(60):
        optimiser.zero_grad()
        network.loss(heard, on, track[..., 2], track[..., 3]).backward()
        optimiser.step()
    heard, track = rows(8)
    with torch.no_grad():
        assert float(network.loss(heard, on[:8], track[..., 2], track[..., 3])) < 0.7 * first
    logits, _ = network(heard, on[:8])
    for row in range(8):
        times, _ = strokes_of(logits[row].sigmoid().detach().numpy(), np.ones(80), 20.0, apart=0.4)
        true = np.flatnonzero(heard[row, :, 0].numpy()) / 20
        assert np.abs(np.array(times)[:, None] - true[None]).min(0).max() <= 0.1


def test_training_reads_the_datas_track_and_refuses_data_without(model):
    spec = model.spec
    x = torch.randn(1, 22, 796)
    track = stroke_track([0.5], [1.0], 22, 20.0)
    batch = Batch(["a"], {"speech": [Audio(1.1, features={"strokes": track})]}, torch.tensor([22]))
    batch.motion = Motion(x, batch.lengths, spec)
    given = told(np.zeros((22, 4)))
    parts = model.loss(batch, given)
    assert parts["loss"] > parts["strokes"] > 0
    other = Batch(["a"], {"speech": [Audio(1.1)]}, batch.lengths, batch.motion)
    with pytest.raises(DataError, match="speech_gestures"):
        model.loss(other, given)


def test_strokes_are_heard_or_asked_for_and_change_the_motion(model):
    lengths = torch.tensor([FRAMES])
    prosody = np.random.default_rng(0).random((FRAMES, 4))
    assert model.planned(told(prosody, [0.5, 1.5]), lengths) == [([0.5, 1.5], [0.7, 0.7])]
    made = [
        model.generate(told(prosody, marks), lengths, noise=NoiseSource(["a"], 0), sampling=Sampling()).x
        for marks in ([0.5], [0.5], [1.5])
    ]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    with pytest.raises(UsageError, match=r"2\.20 s"):
        model.planned(told(prosody, [9.0]), lengths)
    with pytest.raises(ConfigError, match="speech comes first"):
        GestureTwoStage(model.spec, ("strokes",))


def test_feet_stand_and_bones_keep_their_lengths(model):
    motion = model.generate(told(np.zeros((FRAMES, 4))), torch.tensor([FRAMES]), noise=NoiseSource(["a"], 0))
    clip = clips_of(model.finished(motion, {}))[0]
    skeleton = get_skeleton("humanml3d_hands")
    for parent, j in skeleton.bones:
        length = np.linalg.norm(clip.joints[:, j] - clip.joints[:, parent], axis=-1)
        assert length == pytest.approx(np.linalg.norm(skeleton.offsets[j]), abs=2e-4)
    feet = clip.joints[:, [*skeleton.indices("left_foot"), *skeleton.indices("right_foot")]]
    assert np.abs(feet.mean(1)[:, [0, 2]]).max() < 1e-3
    assert np.abs(feet[..., 1].min(1)).max() < 1e-3
    still = np.zeros((3, 52, 4))
    still[..., 3] = 1
    assert stand(still, skeleton)[0, 0, 1] == pytest.approx(-skeleton.offsets[[1, 4, 7, 10], 1].sum(), abs=1e-5)


def test_a_long_motion_is_finished_in_blocks_as_it_would_be_at_once(model, monkeypatch):
    random = torch.Generator().manual_seed(1)
    x = 0.1 * torch.randn(1, 150, 796, generator=random).cumsum(1)
    whole = model.finished(Motion(x.clone(), torch.tensor([150]), model.spec), {}).x
    for size in (40, 73):  # 73: what is left at the end would be too short for a block
        monkeypatch.setattr(gesture_two_stage, "BLOCK", size)
        made = model.finished(Motion(x.clone(), torch.tensor([150]), model.spec), {}).x
        assert (made[..., :-3] - whole[..., :-3]).abs().max() < 2e-2  # the gaze is the median of its block
        assert np.allclose(*(get_representation("gesture").to_joints(m[0].numpy()) for m in (made, whole)), atol=1e-4)


def test_hands_rest_in_silence_in_the_posture_of_the_emotion_and_are_never_too_fast(model, monkeypatch):
    random = torch.Generator().manual_seed(2)
    wild = 0.3 * torch.randn(1, 120, 796, generator=random).cumsum(1)
    silent = {"speech": [Audio(6.0, np.zeros(96_000, np.float32), 16_000)]}
    for name, value in (("rest", 1.2), ("posture", True), ("fastest", 1.0)):
        monkeypatch.setattr(model, name, value)
    skeleton = get_skeleton("humanml3d_hands")

    def bent(emotion, given=silent):
        motion = Motion(wild.clone(), torch.tensor([120]), model.spec)
        clip = clips_of(model.finished(motion, {**given, "emotion": [emotion]}))[0]
        if given is silent:
            assert wrist_speeds(clip.rotations, skeleton, 20.0).max() <= 1.0
        back = clip.joints[:, skeleton.index("neck")] - clip.joints[:, 0]
        hands = clip.joints[:, skeleton.index("left_wrist")] - clip.joints[:, 0]
        return float(np.degrees(np.arctan2(back[:, 2], back[:, 1])).mean()), hands

    neutral, hands = bent("neutral")
    assert np.abs(hands - hands[0]).max() < 0.03  # breathing
    assert hands[:, 1].max() < 0.0  # down
    old, half = bent("old")[0], bent(Mixture.of([("old", 1.0), ("neutral", 1.0)], "emotion"))[0]
    assert old - neutral > 8
    assert half == pytest.approx((old + neutral) / 2, abs=1.5)
    assert bent("bored")[0] == neutral  # nobody has measured it
    moving = bent("neutral", {"speech": [None]})[1]  # nothing is given: nothing is known of pauses
    assert np.abs(moving - moving[0]).max() > 0.05


def test_a_jump_at_a_seam_dies_away_and_nothing_else_is_touched():
    x = np.linspace(0, 1, 60)[:, None] * np.ones(3)
    broken = x.copy()
    broken[30:] += 0.5
    made = joined(broken, [30], 20.0)
    assert np.abs(np.diff(made, 2, axis=0)).max() < 0.05
    assert np.array_equal(made[:30], broken[:30])
    assert np.array_equal(made[40:], broken[40:])
    assert np.allclose(smoothed(x, 0.05, 20.0)[5:-5], x[5:-5])  # a straight line stays one
    assert smoothed(broken, 0.0, 20.0) is broken
