"""Rules, memory and the mean pose as models."""

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Audio, Batch, Condition, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.encoders.librosa_beats import LibrosaBeats, clock
from motion_platform.generators.conducting.baselines import ConductorMean, ConductorNeighbour, ConductorPattern

MEAN = torch.rand(26, generator=torch.Generator().manual_seed(0))
SPEC = MotionSpec("conductor", "coco_upper", 30.0, MEAN, torch.full((26,), 0.05))


def heard(encoded):
    """What conditioning hands over for these tokens of an encoder (B, N, C)."""
    rows, count, _ = encoded.shape
    on = torch.ones(rows, 1 + count, dtype=torch.bool)
    return {"music": Condition(torch.zeros(rows, 1 + count, 4), on, 30.0, encoded)}


def generate(model, given, lengths, **sampling):
    noise = NoiseSource([str(i) for i in range(len(lengths))], 0)
    return model.eval().generate(given, torch.tensor(lengths), noise=noise, sampling=Sampling(**sampling))


def learn(model, x, given=None, steps=60):
    lengths = torch.full((len(x),), x.shape[1])
    batch = Batch([str(i) for i in range(len(x))], {}, lengths, Motion(x, lengths, SPEC))
    optimiser = torch.optim.Adam(model.parameters(), 0.1)
    for _ in range(steps):
        parts = model.train().loss(batch, given or {})
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
    return parts


def test_the_mean_pose_is_learned_and_stands_still():
    model = ConductorMean(SPEC, ("music",))
    x = SPEC.mean + 0.1 + 0.02 * torch.randn(4, 50, 26)
    learn(model, x, steps=200)
    made = generate(model, heard(torch.zeros(1, 40, 3)), [40]).x
    torch.testing.assert_close(made[0, 0], x.mean((0, 1)), atol=0.01, rtol=0)
    assert not made.diff(dim=1).any()


def test_hands_fall_to_an_ictus_on_every_beat():
    model = ConductorPattern(SPEC, ("music",), beats_a_bar=3)
    period, frames = 18, 300  # 100 beats a minute
    count = torch.arange(frames) / period - 1
    made = generate(model, heard(count.clamp(min=-1)[None, :, None]), [frames]).x[0]
    wrist = made[:, 2 * 10 + 1]  # the right one's height, downwards
    assert torch.equal(
        made[:period], model.spec.restore(model.pose).expand(period, -1)
    )  # at rest before the first beat
    beats = torch.arange(2 * period, frames - 1, period)
    falling = torch.stack([wrist[beat] - wrist[beat - 3] for beat in beats])
    rising = torch.stack([wrist[beat] - wrist[beat + 3] for beat in beats])
    assert (falling > 0).all()
    assert (rising > 0).all()
    bar = wrist[period : period + 3 * period]
    assert torch.allclose(bar, wrist[4 * period : 7 * period], atol=1e-5)  # and again every bar
    assert int(bar.argmin()) > 2 * period  # highest before the downbeat
    mean = model.spec.restore(model.pose)
    torch.testing.assert_close(made[:, 18] - mean[18], -(made[:, 20] - mean[20]))  # hands mirror each other
    twice = generate(model, heard(count.clamp(min=-1)[None, :, None]), [frames], amplitude=2.0).x[0]
    assert float(torch.std(twice[90:210, 21])) > 1.5 * float(torch.std(made[90:210, 21]))


def test_without_beats_or_music_the_conductor_rests():
    model = ConductorPattern(SPEC, ("music",))
    rest = model.spec.restore(model.pose).expand(30, -1)
    silent = generate(model, heard(torch.full((1, 30, 1), -1.0)), [30]).x[0]
    assert torch.equal(silent, rest)
    on = torch.ones(1, 1, dtype=torch.bool)
    nothing = {"music": Condition(torch.zeros(1, 1, 4), on, 30.0, torch.zeros(1, 0, 1))}
    assert torch.equal(generate(model, nothing, [30]).x[0], rest)


def test_what_was_conducted_to_the_same_music_comes_back():
    model = ConductorNeighbour(SPEC, ("music",), features=5, seconds=2.0, capacity=7)
    music, x = torch.randn(3, 180, 5), torch.randn(3, 180, 26)
    learn(model, x, heard(music), steps=1)
    assert int(model.remembered) == 9  # three blocks a row; of nine the last seven are kept
    again = generate(model, heard(music[2:, 60:120]), [60]).x[0]
    torch.testing.assert_close(again, x[2, 60:120])
    long = generate(model, heard(music[2:]), [180]).x[0]
    assert torch.isfinite(long).all()
    assert long.shape == (180, 26)
    model.eval().loss(Batch(["a"], {}, torch.tensor([180]), Motion(x[:1], torch.tensor([180]), SPEC)), heard(music[:1]))
    assert int(model.remembered) == 9  # nothing is remembered of what is only judged
    with pytest.raises(DataError, match="got 4 features a frame; allowed: 5"):
        generate(model, heard(torch.zeros(1, 60, 4)), [60])


def test_an_untrained_memory_shows_the_mean_pose_and_short_music_is_no_problem():
    model = ConductorNeighbour(SPEC, ("music",), features=5, seconds=2.0)
    assert not generate(model, heard(torch.randn(1, 60, 5)), [60]).x.diff(dim=1).any()
    learn(model, torch.randn(1, 60, 26), heard(torch.randn(1, 60, 5)), steps=1)
    for length in (1, 20, 61, 95):
        assert torch.isfinite(generate(model, heard(torch.randn(1, length, 5)), [length]).x).all()


def test_settings_and_edits_are_refused():
    with pytest.raises(ValueError, match="beats_a_bar 0"):
        ConductorPattern(SPEC, ("music",), beats_a_bar=0)
    with pytest.raises(ValueError, match="nothing to compare"):
        ConductorNeighbour(SPEC, ("music",), seconds=0.1)
    model = ConductorMean(SPEC, ("music",))
    with pytest.raises(UsageError, match="editing needs a diffusion model"):
        model.generate({}, torch.tensor([9]), noise=NoiseSource(["a"], 0), edit=object())


# ---------------------------------------------------------------- the clock


def clicks(period, seconds=20.0):
    mel = np.zeros((round(seconds * 90), 128), np.float32)
    for beat in np.arange(0.5, seconds, period):
        mel[round(beat * 90) : round(beat * 90) + 5] = 0.9
    return mel


@pytest.mark.parametrize("period", [0.4, 0.5, 0.625])
def test_the_clock_counts_clicks(period):
    count = clock(clicks(period))[:, 0]
    assert len(count) == 600
    steady = count[150:450]
    pace = np.diff(steady).mean() * 30 * period
    assert pace == pytest.approx(1.0, abs=0.02)
    passed = np.flatnonzero(np.diff(np.floor(steady)) > 0) / 30 + 5
    off = (passed - 0.5 + period / 2) % period - period / 2
    assert np.abs(off).max() < 0.07


def test_silence_noise_and_moments_have_no_beats_or_finite_ones():
    assert (clock(np.zeros((900, 128), np.float32))[:, 0] == -1).all()
    assert (clock(np.ones((900, 128), np.float32))[:, 0] == -1).all()
    assert np.isfinite(clock(np.random.default_rng(0).uniform(0, 1, (900, 128)).astype(np.float32))).all()
    assert len(clock(clicks(0.5, 1.0)[:4])) == 2


def test_the_encoder_of_the_clock():
    encoder = LibrosaBeats()
    made = encoder([Audio(20.0, features={"mel": clicks(0.5)}), None, Audio(10.0, features={"mel": clicks(0.5, 10.0)})])
    assert made.tokens.shape == (3, 600, 2)
    assert made.mask.sum(1).tolist() == [600, 0, 300]
    assert made.rate_hz == 30
    assert encoder.fingerprint() == LibrosaBeats().fingerprint()
    with pytest.raises(DataError, match="expected Audio"):
        encoder(["a.wav"])
