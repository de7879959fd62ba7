"""The gesture network gives the published one's numbers; pieces meet, no sound is lost, and it keeps time."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Mixture, Motion, MotionSpec, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.core.settings import arguments
from motion_platform.encoders.label import LabelEncoder
from motion_platform.generators.diffusion.gesture_diffusion import GestureDiffusion, GestureNetwork
from motion_platform.model.conditioning import Conditioning

HERE = Path(__file__).parent
DIM, FPS = 6, 20.0
SPEC = MotionSpec("zeggs", "zeggs", FPS, torch.linspace(-1, 1, DIM), torch.linspace(0.5, 2, DIM))
SMALL = dict(width=4, latent=16, layers=1, heads=2, feed_forward=16, local_heads=2, window=4, seed_frames=3)


def small(slots=("speech", "emotion"), **more):
    torch.manual_seed(3)
    settings = {**SMALL, "max_frames": 12, "sample_steps": 3, **more}
    return GestureDiffusion(SPEC, slots, **arguments(GestureDiffusion, settings, "gesture_diffusion")).eval()


def heard(batch=1, seconds=2.0, rate=50.0, width=4, seed=0):
    """A slot with a rate, its null token in front."""
    tokens = torch.from_numpy(
        np.random.default_rng(seed).normal(size=(batch, 1 + round(seconds * rate), width))
    ).float()
    return Condition(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool), rate)


def label(values, width=4):
    """A slot without a rate: one token a row, all its numbers ``value``; None is no token."""
    tokens = torch.tensor([[0.0, value or 0.0] for value in values])[..., None].expand(-1, -1, width).clone()
    return Condition(tokens, torch.tensor([[True, value is not None] for value in values]))


def made(model, given, lengths, seed=0, ids=None, **more):
    ids = ids or [f"clip {i}" for i in range(len(lengths))]
    return model.generate(given, torch.tensor(lengths), noise=NoiseSource(ids, seed), **more)


def test_the_network_gives_the_published_numbers():
    place = importlib.util.spec_from_file_location("make_gesture_reference", HERE / "make_gesture_reference.py")
    reference = importlib.util.module_from_spec(place)
    place.loader.exec_module(reference)
    wanted = np.load(HERE / "gesture_reference.npz")
    features, frames = reference.FEATURES, reference.FRAMES
    spec = MotionSpec("zeggs", "zeggs", FPS, torch.zeros(features), torch.ones(features))
    model = GestureDiffusion(spec, ("speech", "emotion"), network=GestureNetwork(layers=1, feed_forward=64)).eval()
    own = {"speech": torch.nn.Linear(1024, 64), "emotion": torch.nn.Linear(reference.LABELS, 64)}
    with torch.no_grad():
        for name in reference.PARTS:
            module = own.get(name) or model.get_submodule(name)
            for part, weight in module.named_parameters():
                weight.copy_(reference.value(f"{name}.{part}", tuple(weight.shape)))
        for name in reference.LAYER:
            for part, weight in model.transformer.layers[0].get_submodule(name).named_parameters():
                weight.copy_(reference.value(f"{name}.{part}", tuple(weight.shape)))
        x, sound, seed = reference.inputs()
        zero = torch.zeros(2, 1, 64)
        speech = torch.cat([zero, own["speech"](sound)], 1)
        emotion = torch.cat([zero, own["emotion"](torch.eye(reference.LABELS)[[1, 4]])[:, None]], 1)
        told = torch.cat([seed.new_zeros(2, 1, features), seed], 1)
        given = {
            "speech": Condition(speech, torch.ones(2, 1 + frames, dtype=torch.bool), FPS),
            "emotion": Condition(emotion, torch.ones(2, 2, dtype=torch.bool)),
            "seed": Condition(told, torch.ones(2, 9, dtype=torch.bool)),
        }
        t = torch.tensor([12, 850])
        got = model(x, t, given)
        without = model(x, t, given | {"emotion": given["emotion"].drop(), "seed": given["seed"].drop()})
    np.testing.assert_allclose(got.numpy(), wanted["told"], atol=2e-5)
    np.testing.assert_allclose(without.numpy(), wanted["untold"], atol=2e-5)


def test_words_are_added_to_the_sound():
    model, sound, words = small(("speech", "transcript", "emotion")), heard(), heard(seed=1)
    plain = small()
    plain.load_state_dict(model.state_dict())
    x, t, mood = torch.randn(1, 12, DIM), torch.tensor([5]), label([0.5])
    seed = model.seed_condition(torch.zeros(1, 3, DIM), torch.zeros(1, 3, dtype=torch.bool))
    both = model(x, t, {"speech": sound, "transcript": words, "emotion": mood, "seed": seed})
    together = Condition(sound.tokens + words.tokens, sound.mask, sound.rate_hz)
    torch.testing.assert_close(both, plain(x, t, {"speech": together, "emotion": mood, "seed": seed}))


def training(model, given, frames=12, seed=0):
    torch.manual_seed(seed)
    lengths = torch.tensor([frames, frames - 4])
    batch = Batch(["a", "b"], {}, lengths, Motion(torch.randn(2, frames, DIM), lengths, SPEC))
    return model.loss(batch, given)


def test_training_learns_from_the_clips_own_beginning_and_is_told_it_most_of_the_time(monkeypatch):
    model, given = small(seed_dropout=0.25), {"speech": heard(2), "emotion": label([1.0, 2.0])}
    told = []
    monkeypatch.setattr(model, "_context", lambda given, *rest: told.append(given["seed"]) or real(given, *rest))
    real = GestureDiffusion._context.__get__(model)
    model.train()
    parts = training(model, given)
    parts["loss"].backward()
    assert model.seed.weight.grad is not None
    for k in range(60):
        training(model, given, seed=k)
    on = torch.cat([seed.mask[:, 1] for seed in told])
    assert 0.6 < on.float().mean() < 0.9
    model.eval()
    told.clear()
    training(model, given)
    torch.manual_seed(0)
    first = torch.randn(2, 12, DIM)[:, :3]
    torch.testing.assert_close(told[0].tokens[:, 1:], SPEC.normalise(first))
    assert told[0].mask.all()


def test_the_error_is_hubers():
    given = {"speech": heard(2), "emotion": label([1.0, 2.0])}
    got, square = (training(small(error=error), given)["rec"].item() for error in ("huber", "squared"))
    assert 0 < got < square
    far, near = torch.full((1, 2, DIM), 5.0), torch.full((1, 2, DIM), 0.5)
    model = small(huber_delta=2.0)
    assert model.distance(far, torch.zeros_like(far))[0, 0, 0] == 2 * (5 - 1)  # delta (|d| - delta / 2)
    assert model.distance(near, torch.zeros_like(near))[0, 0, 0] == 0.125
    with pytest.raises(ConfigError, match="got 'hubr'; did you mean 'huber'"):
        small(error="hubr")


# ------------------------------------------------------- what the published code does wrong, each held here to be right


@pytest.mark.parametrize("length", [1, 2, 12, 13, 21, 22, 40])
def test_no_tail_of_the_sound_is_left_without_motion(length):
    """Public: floor(n / 80) * 80 frames; up to 4 s of sound stay without motion."""
    model = small()
    motion = made(model, {"speech": heard(seconds=3), "emotion": label([1.0])}, [length])
    assert motion.x.shape == (1, length, DIM)
    assert (motion.x.abs().sum(-1) > 0).all()
    starts = model.starts(length)
    assert starts[0] == 0
    assert starts[-1] + 12 >= length
    assert all(0 < b - a <= 12 - 3 for a, b in pairwise(starts))


def test_pieces_meet_because_the_seed_is_clamped():
    """Public: the seed is only told, and the blend of 8 frames runs over the batch axis, so over one."""
    model, walked = small(), []
    walk = model._walk

    def watch(given, lengths, plan, noise, sampling, edit):
        out = walk(given, lengths, plan, noise, sampling, edit)
        walked.append((edit, given["seed"], out.clone()))
        return out

    model._walk = watch
    motion = made(model, {"speech": heard(seconds=3), "emotion": label([1.0])}, [30])
    assert [edit is None for edit, _, _ in walked] == [True, False, False]
    for start, (edit, seed, out) in list(zip(model.starts(30), walked, strict=True))[1:]:
        before = motion.x[:, start : start + 3]
        torch.testing.assert_close(out[:, :3], before, rtol=0, atol=0)  # to the last bit
        assert edit.keep[:, :3].all()
        torch.testing.assert_close(seed.tokens[:, 1:], SPEC.normalise(before))
    assert model.seams(30) == [12, 21]


def test_frames_hear_their_own_moment_at_any_length():
    """Public (\"+\"): sound is padded to whole 5 s, never cropped, and squeezed: 4.6 s of drift in a minute."""
    model = small(("speech",), max_frames=12)
    seconds = 61.3
    times = torch.arange(round(seconds * 50)) / 50
    tokens = torch.cat([torch.zeros(1), times])[None, :, None].expand(1, -1, 4)  # a token says its own second
    speech = Condition(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool), 50.0)
    for frame in (0, 7, 600, 1225):
        places = torch.arange(frame, frame + 1)[None]
        piece = model._piece(speech, torch.tensor([0]), places)
        assert piece.tokens[0, 1, 0].item() == pytest.approx(frame / FPS, abs=1e-4)
        context = model._context(
            {"speech": piece, "seed": model.seed_condition(torch.zeros(1, 3, DIM), torch.zeros(1, 3).bool())},
            torch.tensor([0]),
            torch.zeros(1, 1, dtype=torch.long),
        )
        assert context.heard[0, 0, 0].item() == pytest.approx(frame / FPS, abs=1e-4)


def test_a_motion_longer_than_a_piece_needs_no_special_way():
    """Public: without --minibatch the way through ends in an undefined name, for long and for short motions."""
    model, given = small(), {"speech": heard(seconds=2), "emotion": label([1.0])}
    short, long = made(model, given, [12]), made(model, given, [25])
    torch.testing.assert_close(short.x, long.x[:, :12])  # a longer motion begins with the shorter one


def test_a_sample_depends_on_nothing_but_itself():
    """Public (OHGesture): attention with batch_first runs over the batch axis, so samples see each other."""
    model = small()
    a, b = heard(2, seconds=2), label([1.0, None])
    both = made(model, {"speech": a, "emotion": b}, [30, 14], ids=["a", "b"])
    for row, (name, length) in enumerate((("a", 30), ("b", 14))):
        one = Condition(a.tokens[row : row + 1], a.mask[row : row + 1], a.rate_hz)
        mood = Condition(b.tokens[row : row + 1], b.mask[row : row + 1])
        alone = made(model, {"speech": one, "emotion": mood}, [length], ids=[name])
        torch.testing.assert_close(both.x[row, :length], alone.x[0], atol=1e-5, rtol=1e-4)
    assert not both.x[1, 14:].any()


def test_frames_see_each_other():
    model = small()
    given = {"speech": heard(), "emotion": label([1.0]), "seed": label([None], DIM)}
    given["seed"] = model.seed_condition(torch.zeros(1, 3, DIM), torch.zeros(1, 3, dtype=torch.bool))
    x = torch.randn(1, 12, DIM)
    moved = x.clone()
    moved[:, 9] += 1
    a, b = (model(each, torch.tensor([3]), given) for each in (x, moved))
    assert (a - b).abs().amax(-1)[0].gt(1e-5).all()


# ------------------------------------------------------------------------------------------------ guidance and edits


def test_guidance_weighs_emotion_and_seed_against_the_sound_alone():
    """Equation 4: g G(seed, emotion, sound) + (1 - g) G(-, -, sound)."""
    model = small(sampler="ddim", sample_steps=1)
    given = {"speech": heard(), "emotion": label([1.0])}
    start = torch.randn(1, 12, DIM)
    kept = Edit(start, torch.zeros(1, 12, DIM, dtype=torch.bool))
    kept.keep[:, :3] = True
    seed = model.seed_condition(start[:, :3], torch.ones(1, 3, dtype=torch.bool))
    noise = NoiseSource(["a"], 0)
    x, t = noise.normal((12, DIM), name="start"), torch.tensor([999])
    with torch.no_grad():
        told = model(x, t, given | {"seed": seed})
        alone = model(x, t, {"speech": given["speech"], "emotion": given["emotion"].drop(), "seed": seed.drop()})
    got = made(model, given, [12], ids=["a"], edit=kept, sampling=Sampling(guidance={"emotion": 2.5, "seed": 2.5}))
    wanted = SPEC.restore(2.5 * told - 1.5 * alone)
    torch.testing.assert_close(got.x[:, 3:], wanted[:, 3:], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got.x[:, :3], start[:, :3])


def test_two_emotions_are_mixed_by_weight():
    model = small(sampler="ddim", sample_steps=1)
    conditioning = Conditioning({"emotion": LabelEncoder(["happy", "angry", "sad"], learned=False)}, 4, {}).eval()
    sound = heard()

    def of(value):
        with torch.no_grad():
            return {"speech": sound} | conditioning({"emotion": [value]})

    mixture = Mixture.of([("happy", 7.0), ("angry", 3.0), ("sad", 0.0)], "--emotion")
    assert mixture.parts == (("happy", 0.7), ("angry", 0.3))
    happy, angry, mixed = (made(model, of(v), [12], ids=["a"]).x for v in ("happy", "angry", mixture))
    assert not torch.allclose(happy, angry, atol=1e-3)
    torch.testing.assert_close(mixed, 0.7 * happy + 0.3 * angry, atol=1e-5, rtol=1e-5)
    long = made(model, of(mixture), [25], ids=["a"]).x
    torch.testing.assert_close(long[:, :12], mixed)
    assert not torch.allclose(long[:, 12:], made(model, of("happy"), [25], ids=["a"]).x[:, 12:], atol=1e-3)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -0.5], [float("nan"), 1.0]])
def test_weights_that_make_no_mixture_are_refused(weights):
    with pytest.raises(UsageError, match=r"--emotion: got happy:.*allowed: weights of 0 or more that do not sum to 0"):
        Mixture.of(list(zip(("happy", "angry"), weights, strict=True)), "--emotion")


def test_progress_runs_over_all_pieces():
    steps = []
    sampling = Sampling(steps=2, progress=lambda done, total: steps.append((done, total)))
    made(small(), {"speech": heard(seconds=3), "emotion": label([1.0])}, [30], sampling=sampling)
    assert steps == [(k, 6) for k in range(1, 7)]


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="must be above width"):
        small(latent=18, local_heads=4)
    with pytest.raises(ValueError, match="seed_frames 12 must be 1 to 11"):
        small(seed_frames=12)
    with pytest.raises(ValueError, match="name of the model's own seed"):
        small(("speech", "seed"))
    with pytest.raises(DataError, match="no motion to learn from"):
        small().loss(Batch(["a"], {}, torch.tensor([3])), {})
    model = small(("speech",))
    seed = model.seed_condition(torch.zeros(1, 3, DIM), torch.zeros(1, 3, dtype=torch.bool))
    with pytest.raises(DataError, match="got 13 frames; allowed: up to max_frames = 12"):
        model(torch.zeros(1, 13, DIM), torch.tensor([1]), {"speech": heard(), "seed": seed})
