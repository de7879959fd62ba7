"""The conducting diffusion model: what it hears, losses, guidance, long music."""

import pytest
import torch

from motion_platform.core.errors import ConfigError, DataError, UnknownName, UsageError
from motion_platform.core.schema import Batch, Condition, Edit, Motion, MotionSpec, Sampling, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.core.settings import arguments
from motion_platform.generators.diffusion.conductor_ddpm import ConductorDDPM, join
from motion_platform.generators.diffusion.settings import DiffusionSettings
from motion_platform.generators.diffusion.windows import seam_report
from motion_platform.motion.conducting.keypoints import columns_of, resize_gestures, steadied
from motion_platform.nn.frame_tokens import on_frames

LATENT, WIDTH = 16, 64
SLOTS = ("music", "style")


def make_spec():
    generator = torch.Generator().manual_seed(1)
    mean, std = torch.rand(26, generator=generator), torch.rand(26, generator=generator) * 0.05 + 0.02
    return MotionSpec("conductor", "coco_upper", 30.0, mean, std)


def make_model(slots=SLOTS, seed=0, trained=True, **settings):
    torch.manual_seed(seed)
    settings = {"layers": 2, "latent": LATENT, "heads": 2, "feed_forward": 24, "rank": 8, "max_frames": 60,
                "sample_steps": 3, "overlap": 0.5, "normalise": True} | settings  # fmt: skip
    model = ConductorDDPM(make_spec(), slots, **arguments(ConductorDDPM, settings, "conductor_ddpm"))
    if trained:  # no weight may be zero, or the half of it could be missing and no test would see it
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.1)
    return model


def make_given(rows, frames=200, slots=SLOTS, seed=1, rate=30.0):
    generator = torch.Generator().manual_seed(seed)
    given = {}
    for slot in slots:
        count = 1 if slot == "style" else frames
        tokens = torch.randn(rows, 1 + count, WIDTH, generator=generator)
        tokens[:, 0] = torch.randn(WIDTH, generator=generator)
        mask = torch.ones(rows, 1 + count, dtype=torch.bool)
        given[slot] = Condition(tokens, mask, None if slot == "style" else rate)
    return given


def make_batch(lengths=(60, 41, 7)):
    spec, lengths = make_spec(), torch.tensor(lengths)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(len(lengths), int(lengths.max()), 26, generator=generator)
    return Batch([str(i) for i in range(len(lengths))], {}, lengths, Motion(spec.restore(x), lengths, spec))


def row_of(given, row):
    return {s: Condition(c.tokens[row : row + 1], c.mask[row : row + 1], c.rate_hz) for s, c in given.items()}


def generate(model, given, lengths, seed=0, ids=None, edit=None, **sampling):
    lengths = torch.tensor(lengths)
    noise = NoiseSource(ids or [str(i) for i in range(len(lengths))], seed)
    return model.eval().generate(given, lengths, noise=noise, sampling=Sampling(**sampling), edit=edit)


# ---------------------------------------------------------------- what is heard


def test_music_stands_on_the_frames_at_its_time():
    tokens = torch.arange(7.0)[None, :, None]  # null is 0; tokens 1..6 at 0, 1/15, ... s
    condition = Condition(tokens, torch.ones(1, 7, dtype=torch.bool), 15.0)
    got, heard = on_frames(condition, 30.0, torch.tensor([0]), torch.arange(16)[None])
    want = [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6, 6, 6, 0, 0]  # the last one stands until its end, then nothing
    assert got[0, :, 0].tolist() == want
    assert heard[0].tolist() == [True] * 14 + [False] * 2
    same, _ = on_frames(Condition(tokens, condition.mask, 30.0), 30.0, torch.tensor([0]), torch.tensor([[2, 5]]))
    assert same[0, :, 0].tolist() == [3, 6]


def test_a_dropped_slot_is_the_null_token_everywhere_and_a_label_is_the_same_everywhere():
    given = make_given(2, 10)
    frames = torch.arange(5).expand(2, -1)
    got, heard = on_frames(given["music"].drop(), 30.0, torch.arange(2), frames)
    assert torch.equal(got, given["music"].tokens[:, :1].expand(-1, 5, -1))
    assert not heard.any()
    label, heard = on_frames(given["style"], 30.0, torch.arange(2), frames)
    assert torch.equal(label, given["style"].tokens[:, 1:].expand(-1, 5, -1))
    assert heard.all()


@pytest.mark.parametrize("attention", ["linear", "full"])
@pytest.mark.parametrize("patch", [1, 4])
def test_padding_and_what_is_off_have_no_influence(attention, patch):
    model = make_model(patch=patch, attention=attention, margin=patch // 2, local=3).eval()
    given, lengths = make_given(3), torch.tensor([41, 30, 7])
    mask, t, x = length_mask(lengths, 41), torch.tensor([0, 400, 999]), torch.randn(3, 41, 26)
    with torch.no_grad():
        out = model(x, t, given, mask)
        garbage = torch.where(mask[..., None], x, torch.randn_like(x) * 1e3)
        torch.testing.assert_close(out[mask], model(garbage, t, given, mask)[mask], atol=1e-5, rtol=1e-4)
        for row, length in enumerate(lengths):
            alone = model(x[row : row + 1, :length], t[row : row + 1], row_of(given, row))
            torch.testing.assert_close(out[row : row + 1, :length], alone, atol=1e-4, rtol=1e-3)
        assert (out - model(x, t, {**given, "music": given["music"].drop()}, mask)).abs().max() > 1e-3
        assert (out - model(x, t, {**given, "style": given["style"].drop()}, mask)).abs().max() > 1e-3


def test_answers_for_the_same_frame_are_averaged_under_a_window():
    random = torch.Generator().manual_seed(0)
    answers, patch, margin = torch.randn(2, 4, 9, 3, generator=random), 5, 2
    real = torch.tensor([[True] * 4, [True, True, False, False]])
    window = torch.hann_window(11, periodic=False)[1:-1]
    expected, weights = torch.zeros(2, 24, 3), torch.zeros(2, 24, 1)
    for row in range(2):
        for token in range(4):
            if real[row, token]:
                expected[row, token * patch : token * patch + 9] += window[:, None] * answers[row, token]
                weights[row, token * patch : token * patch + 9] += window[:, None]
    expected = (expected / weights)[:, margin : margin + 20]
    found = join(answers, margin, real)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1, :10], expected[1, :10])
    torch.testing.assert_close(join(answers, 0), answers.flatten(1, 2))


def test_a_frame_of_music_reaches_every_frame_and_its_own_most():
    model = make_model(slots=("music",), patch=1).eval()
    given = make_given(1, 40, ("music",))
    changed = {"music": Condition(given["music"].tokens.clone(), given["music"].mask, 30.0)}
    changed["music"].tokens[0, 1 + 17] += 1
    x, t = torch.randn(1, 40, 26), torch.tensor([500])
    with torch.no_grad():
        difference = (model(x, t, changed) - model(x, t, given))[0].abs().mean(1)
    assert difference.argmax() == 17
    assert (difference > 0).all()


def test_frames_are_hidden_at_random_in_training_only():
    model, given = make_model(frame_mask=0.5), make_given(2, 40)
    x, t, frames = torch.randn(2, 40, 26), torch.tensor([3, 4]), torch.arange(40).expand(2, -1)
    rows = torch.arange(2)
    seen = [model._context(given, rows, frames, None, hide=True).style for _ in range(2)]
    assert (seen[0] != seen[1]).any()
    model.eval()
    with torch.no_grad():
        assert torch.equal(model(x, t, given), model(x, t, given))
    hidden = make_model(frame_mask=0.999999)._context(given, rows, frames, None, hide=True).style
    dropped = make_model()._context({s: c.drop() for s, c in given.items()}, rows, frames, None).style
    torch.testing.assert_close(hidden, dropped)


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("prediction", ["x0", "epsilon", "v"])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_every_combination_learns(prediction, schedule):
    model = make_model(trained=False, prediction=prediction, schedule=schedule, patch=4, velocity_loss=0.1,
                       head_loss=0.1, body_loss=0.1, elbow_loss=0.1, frame_mask=0.0)  # fmt: skip
    batch, given = make_batch(), make_given(3)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    draw = (torch.tensor([100, 300, 600]), torch.randn(batch.motion.x.shape))
    model.training_noise = lambda b, x: draw
    first = model.loss(batch, given)
    for _ in range(30):
        parts = model.loss(batch, given)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
    assert set(parts) == {"loss", "rec", "velocity", "head", "body", "elbow"}
    assert parts["rec"] < 0.9 * first["rec"]


def test_the_loss_is_what_its_formula_says():
    weights = {"velocity_loss": 0.5, "head_loss": 0.3, "body_loss": 0.7, "elbow_loss": 0.2}
    model = make_model(**weights, body_limit=1.2, elbow_limit=1.5).eval()
    batch, given = make_batch((20, 9)), make_given(2)
    t, noise = torch.tensor([100, 600]), torch.randn(2, 20, 26)
    model.training_noise = lambda b, x: (t, noise)
    parts = model.loss(batch, given)
    want = {name: [] for name in ("rec", "velocity", "head", "body", "elbow")}
    keypoints = {"head": range(0, 5), "body": (5, 6, 11, 12), "elbow": range(7, 11)}
    for row, length in enumerate(batch.lengths.tolist()):
        x0 = model.spec.normalise(batch.motion.x[row, :length])
        x_t = model.schedule.q_sample(x0[None], noise[row : row + 1, :length], t[row : row + 1])
        out = model(x_t, t[row : row + 1], row_of(given, row))[0]
        want["rec"].append(((out - x0) ** 2).mean())
        want["velocity"].append(((out.diff(dim=0) - x0.diff(dim=0)) ** 2).mean())
        for name, joints in keypoints.items():
            moved = out.view(length, 13, 2)[:, list(joints)].diff(dim=0)
            want[name].append((moved**2).mean())
    want["body"] = [value.clamp(max=1.2) for value in want["body"]]
    want["elbow"] = [value.clamp(max=1.5) for value in want["elbow"]]
    for name, values in want.items():
        torch.testing.assert_close(parts[name], torch.stack(values).mean(), atol=1e-5, rtol=1e-4, msg=name)
    total = parts["rec"] + 0.5 * parts["velocity"] + 0.3 * parts["head"] + 0.7 * parts["body"] - 0.2 * parts["elbow"]
    torch.testing.assert_close(parts["loss"], total)


def test_loss_ignores_what_stands_in_the_padding():
    model = make_model(patch=4, velocity_loss=1.0, head_loss=1.0).eval()
    batch, given = make_batch(), make_given(3)
    draw = (torch.tensor([10, 200, 800]), torch.randn(batch.motion.x.shape))
    model.training_noise = lambda b, x: draw
    clean = model.loss(batch, given)
    batch.motion.x[~batch.motion.mask] = torch.nan
    for name, value in model.loss(batch, given).items():
        torch.testing.assert_close(value, clean[name], msg=name)
    with pytest.raises(DataError, match="no motion"):
        model.loss(Batch(["a"], {}, torch.tensor([4])), given)


def test_raw_units_are_those_of_the_paper():
    """normalise=False: the statistics play no part."""
    model, batch, given = make_model(normalise=False).eval(), make_batch(), make_given(3)
    draw = (torch.tensor([10, 200, 800]), torch.zeros(batch.motion.x.shape))
    model.training_noise = lambda b, x: draw
    before = model.loss(batch, given)["loss"]
    model.spec = MotionSpec("conductor", "coco_upper", 30.0, torch.ones(26), torch.ones(26) * 7)
    assert torch.equal(before, model.loss(batch, given)["loss"])


# ---------------------------------------------------------------- sampling


def test_guidance_identities():
    model, given = make_model(), make_given(2)
    lengths, one = [40, 40], {"steps": 1}
    weights = lambda music, style: {"music": music, "style": style}  # noqa: E731
    plain = generate(model, given, lengths, guidance=weights(1, 1), **one).x
    none = generate(model, {s: c.drop() for s, c in given.items()}, lengths, guidance=weights(1, 1), **one).x
    music = generate(model, {**given, "style": given["style"].drop()}, lengths, guidance=weights(1, 1), **one).x
    close = dict(atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(generate(model, given, lengths, guidance=weights(0, 0), **one).x, none, **close)
    torch.testing.assert_close(
        generate(model, given, lengths, guidance=weights(3, 3), **one).x, none + 3 * (plain - none), **close
    )
    torch.testing.assert_close(
        generate(model, given, lengths, guidance=weights(2, 5), **one).x,
        none + 2 * (music - none) + 5 * (plain - music),
        **close,
    )
    with pytest.raises(UnknownName, match="did you mean 'music'"):
        generate(model, given, lengths, guidance={"musik": 2.0})


def test_a_slot_that_is_switched_off_stays_off_outside_the_guidance_interval():
    given, other = make_given(1, frames=20), make_given(1, frames=20, seed=9)
    other["style"].tokens[:, 0] = given["style"].tokens[:, 0]  # the same null token
    mixed = {"music": given["music"], "style": other["style"]}
    for interval in ((0.0, 1.0), (0.5, 1.0)):
        model = make_model(guidance_interval=interval)
        a, b = (generate(model, conditions, [20], guidance={"style": 0.0}).x for conditions in (given, mixed))
        assert torch.equal(a, b)
        a, b = (generate(model, conditions, [20], guidance={"style": 1.0}).x for conditions in (given, mixed))
        assert not torch.equal(a, b)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm++"])
def test_a_motion_does_not_depend_on_its_batch(sampler):
    model, given, lengths = make_model(patch=4), make_given(3, 400), [300, 60, 7]
    together = generate(model, given, lengths, sampler=sampler).x
    for row, length in enumerate(lengths):
        alone = generate(model, row_of(given, row), [length], ids=[str(row)], sampler=sampler).x
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-4, rtol=1e-3)
        assert not together[row, length:].any()
    assert torch.equal(together, generate(model, given, lengths, sampler=sampler).x)
    assert not torch.equal(together, generate(model, given, lengths, sampler=sampler, seed=1).x)


def test_windows_a_few_at_a_time_give_the_same_and_report_progress(monkeypatch):
    model, given, seen = make_model(patch=4), make_given(1, 900), []
    want = generate(model, given, [900]).x
    monkeypatch.setattr(type(model), "windows_at_once", 3)
    got = generate(model, given, [900], progress=lambda done, total: seen.append((done, total))).x
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)
    total = 3 * -(-(len(model.seams(900)) + 1) // 3)
    assert seen == [(k, total) for k in range(1, total + 1)]


def test_long_music_has_no_seam():
    """A network that follows its music frame by frame leaves no trace where windows meet."""
    model = make_model(slots=("music",), max_frames=60, patch=1, trained=False)
    beat = torch.sin(torch.arange(600) * 0.3)[None, :, None] * torch.ones(1, 1, WIDTH)
    given = {"music": Condition(torch.cat([torch.zeros(1, 1, WIDTH), beat], 1), torch.ones(1, 601).bool(), 30.0)}
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    spec = model.spec
    motion = spec.restore(beat[:, :, :1].expand(-1, -1, 26))
    for step in range(60):
        start = torch.randint(0, 540, (8,), generator=torch.Generator().manual_seed(step))
        x = torch.stack([motion[0, s : s + 60] for s in start])
        heard = torch.stack([given["music"].tokens[0, 1 + s : 61 + s] for s in start])
        tokens = torch.cat([torch.zeros(8, 1, WIDTH), heard], 1)
        lengths = torch.full((8,), 60)
        parts = model.loss(
            Batch([str(i) for i in range(8)], {}, lengths, Motion(x, lengths, spec)),
            {"music": Condition(tokens, torch.ones(8, 61).bool(), 30.0)},
        )
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
    made = generate(model, given, [600], steps=10, guidance={"music": 1.0}).x[0]
    report = seam_report(torch.stack([*made.view(600, 13, 2).unbind(-1), torch.zeros(600, 13)], -1).numpy(),
                         model.seams(600), 30.0)  # fmt: skip
    assert len(model.seams(600)) >= 9
    assert report["worst_ratio"] < 1.5
    assert report["ratio"] < 1.3


def test_an_edit_is_kept_exactly():
    model, given = make_model(), make_given(1)
    x = make_batch((50,)).motion.x
    keep = torch.zeros_like(x, dtype=torch.bool)
    keep[:, :20] = True
    made = generate(model, given, [50], edit=Edit(x, keep)).x
    assert torch.equal(made[keep], x[keep])
    assert not torch.equal(made[~keep], x[~keep])
    with pytest.raises(UsageError, match="allowed"):
        generate(model, given, [40], edit=Edit(x, keep))


def test_amplitude_resizes_gestures_and_leaves_posture_and_the_rest():
    time = torch.arange(300) / 30
    swing = 0.1 * torch.sin(2 * torch.pi * 2 * time)
    x = torch.full((1, 300, 26), 0.5) + swing[None, :, None]
    bigger = resize_gestures(x, torch.tensor([300]), 30.0, 2.0)
    inside = slice(60, 240)
    torch.testing.assert_close(bigger[0, inside, 20] - 0.5, 2 * swing[inside], atol=0.01, rtol=0)
    assert torch.equal(bigger[..., :14], x[..., :14])
    assert torch.equal(bigger[..., 22:], x[..., 22:])
    assert torch.equal(resize_gestures(x, torch.tensor([300]), 30.0, 1.0), x)
    still = resize_gestures(torch.full((1, 9, 26), 0.3), torch.tensor([9]), 30.0, 3.0)
    torch.testing.assert_close(still, torch.full((1, 9, 26), 0.3))
    for length in (1, 2, 5):
        assert torch.isfinite(resize_gestures(x[:, :length], torch.tensor([length]), 30.0, 2.0)).all()
    model, given = make_model(), make_given(1)
    assert not torch.equal(generate(model, given, [90]).x, generate(model, given, [90], amplitude=2.0).x)
    with pytest.raises(UsageError, match="allowed: 0 to 3"):
        Sampling(amplitude=5.0)
    with pytest.raises(UsageError, match="amplitude"):
        Sampling(amplitude=float("nan"))


def test_without_any_condition_and_without_music():
    assert torch.isfinite(generate(make_model(slots=()), {}, [130, 5]).x).all()
    nothing = {s: Condition(c.tokens[:, :1], c.mask[:, :1], c.rate_hz) for s, c in make_given(2).items()}
    assert torch.isfinite(generate(make_model(), nothing, [130, 5]).x).all()


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="'epsilon'"):
        make_model(prediction="epsilom")
    with pytest.raises(UnknownName, match="'epsilon'"):
        ConductorDDPM(make_spec(), SLOTS, diffusion=DiffusionSettings(prediction="epsilom"))
    for wrong in (
        {"patch": 0},
        {"margin": 4},
        {"timestep_shift": 0.5},
        {"frame_mask": 1.0},
        {"local": 2},
        {"attention": "none"},
    ):
        with pytest.raises((ValueError, ConfigError), match=next(iter(wrong))):
            make_model(**wrong)
    with pytest.raises(UsageError, match="at least 1 frame"):
        generate(make_model(), make_given(1), [0])
    with pytest.raises(DataError, match="max_frames = 60"):
        make_model()(torch.randn(1, 61, 26), torch.tensor([0]), make_given(1))


def test_what_is_faster_than_a_body_is_taken_out_and_nothing_comes_late():
    """Sines far below and above the limits, of arms and of the rest, against the sines themselves."""
    time = torch.arange(300) / 30
    slow, fast = torch.sin(2 * torch.pi * 2 * time), 0.3 * torch.sin(2 * torch.pi * 12 * time)
    x = (slow + fast)[None, :, None].expand(2, 300, 26).clone()
    lengths = torch.tensor([300, 200])
    arms, rest = columns_of((7, 8, 9, 10)), [c for c in range(26) if not 14 <= c < 22]
    steady = steadied(x, lengths, 30.0, 6.0, 4.0)
    inside = slice(30, 170)
    for row in (0, 1):
        torch.testing.assert_close(steady[row, inside][:, arms], slow[inside, None].expand(-1, 8), atol=0.02, rtol=0)
        torch.testing.assert_close(steady[row, inside][:, rest], slow[inside, None].expand(-1, 18), atol=0.07, rtol=0)
    assert torch.equal(steady[1, 200:], x[1, 200:])  # beyond the end nothing is touched
    assert torch.equal(steadied(x, lengths, 30.0, 6.0, 0.0)[..., rest], x[..., rest])
    assert torch.equal(steadied(x, lengths, 30.0, 0.0, 4.0)[..., arms], x[..., arms])
    assert torch.equal(steadied(x, lengths, 30.0, 15.0, 20.0), x)  # half the frame rate and more: nothing is above
    for length in (1, 2, 5):
        assert torch.isfinite(steadied(x[:1, :length], torch.tensor([length]), 30.0, 6.0, 4.0)).all()


def test_a_model_steadies_what_it_makes_and_keeps_what_was_given():
    given = make_given(1)
    trembling, steady = make_model(), make_model(arms_hertz=6.0, body_hertz=4.0)
    steady.load_state_dict(trembling.state_dict())
    made = [generate(model, given, [90]).x[0] for model in (trembling, steady)]
    jerk = [x.diff(n=3, dim=0).abs().mean() for x in made]
    assert jerk[1] < 0.5 * jerk[0]
    torch.testing.assert_close(made[1], steadied(made[0][None], torch.tensor([90]), 30.0, 6.0, 4.0)[0])
    kept = torch.zeros(1, 90, 26, dtype=torch.bool)
    kept[:, :30] = True
    x = torch.randn(1, 90, 26, generator=torch.Generator().manual_seed(0))
    assert torch.equal(generate(steady, given, [90], edit=Edit(x, kept)).x[:, :30], x[:, :30])
    with pytest.raises(ValueError, match=r"arms_hertz -1\.0 and body_hertz"):
        make_model(arms_hertz=-1.0)
