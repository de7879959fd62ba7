"""The diffusion transformer: masks, losses, guidance, sampling, edits."""

import itertools

import pytest
import torch

from motion_platform.core.errors import ConfigError, DataError, UnknownName, UsageError
from motion_platform.core.schema import Condition, Edit, Motion, Sampling, length_mask
from motion_platform.core.seeding import NoiseSource
from motion_platform.nn.diffusion import SAMPLERS

VARIANTS = [
    {"architecture": "encoder", "fusion": "sum"},
    {"architecture": "encoder", "fusion": "tokens"},
    {"architecture": "decoder"},
    {"architecture": "decoder", "text_layers": 1, "alignment_loss": 0.1, "natural_length": True},
]
variants = pytest.mark.parametrize("variant", VARIANTS, ids=["sum", "tokens", "decoder", "reader"])


def generate(model, given, lengths, ids=None, seed=0, edit=None, **sampling):
    lengths = torch.tensor(lengths)
    noise = NoiseSource(ids or [str(i) for i in range(len(lengths))], seed)
    sampling.setdefault("steps", 3)
    return model.eval().generate(given, lengths, noise=noise, sampling=Sampling(**sampling), edit=edit)


# ---------------------------------------------------------------- the network


@variants
@pytest.mark.parametrize("patch", [1, 4])
def test_shapes_and_padding_has_no_influence(make, variant, patch):
    model = make.model(patch=patch, smoothing=3, **variant).eval()
    torch.nn.init.normal_(model.smooth.weight)
    given, lengths = make.given(4), torch.tensor([41, 30, 7, 1])
    mask, t = length_mask(lengths, 41), torch.tensor([0, 400, 900, 999])
    x = torch.randn(4, 41, 67)
    with torch.no_grad():
        out = model(x, t, given, mask)
        garbage = torch.where(mask[..., None], x, torch.randn_like(x) * 1e3)
        again = model(garbage, t, given, mask)
        assert out.shape == x.shape
        torch.testing.assert_close(out[mask], again[mask], atol=1e-6, rtol=1e-5)
        for row, length in enumerate(lengths):  # alone, without any padding
            alone = model(x[row : row + 1, :length], t[row : row + 1], make.row(given, row))
            torch.testing.assert_close(out[row : row + 1, :length], alone, atol=1e-5, rtol=1e-4)


@variants
def test_tokens_that_are_off_have_no_influence_and_null_alone_is_finite(make, variant):
    model = make.model(**variant).eval()
    given = make.given(4)
    cleaned = {s: Condition(torch.where(c.mask[..., None], c.tokens, 0.0), c.mask) for s, c in given.items()}
    dropped = {slot: c.drop() for slot, c in given.items()}
    x, t = torch.randn(4, 20, 67), torch.tensor([1, 2, 3, 4])
    with torch.no_grad():
        torch.testing.assert_close(model(x, t, given), model(x, t, cleaned))
        none = model(x, t, dropped)
        assert torch.isfinite(none).all()
        assert (none - model(x, t, given)).abs().max() > 1e-3


def test_sum_reads_the_null_token_only_without_real_tokens(make):
    model = make.model(slots=("a",)).eval()
    c = make.given(1, ("a",))["a"]
    changed = Condition(c.tokens.clone(), c.mask)
    changed.tokens[:, 0] += 1
    x, t = torch.randn(1, 9, 67), torch.tensor([5])
    with torch.no_grad():
        assert torch.equal(model(x, t, {"a": c}), model(x, t, {"a": changed}))
        assert not torch.allclose(model(x, t, {"a": c.drop()}), model(x, t, {"a": changed.drop()}))


def test_no_slots_at_all(make):
    for variant in VARIANTS[:2]:
        model = make.model(slots=(), **variant)
        assert torch.isfinite(generate(model, {}, [12, 5]).x).all()


def test_smoothing_starts_as_the_identity(make):
    plain, smooth = make.model(patch=4), make.model(patch=4, smoothing=5)
    smooth.load_state_dict(plain.state_dict(), strict=False)
    x, given = torch.randn(2, 20, 67), make.given(2)
    with torch.no_grad():
        got = smooth.eval()(x, torch.tensor([3, 4]), given)
        torch.testing.assert_close(got, plain.eval()(x, torch.tensor([3, 4]), given))


def test_more_frames_than_the_window_are_refused_by_the_network(make):
    with pytest.raises(DataError, match="max_frames = 48"):
        make.model()(torch.randn(1, 49, 67), torch.tensor([0]), make.given(1))


# ---------------------------------------------------------------- training


@pytest.mark.parametrize(
    ("variant", "prediction", "schedule"),
    list(itertools.product(VARIANTS, ["x0", "epsilon", "v"], ["cosine", "linear"])),
    ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v.values())),
)
def test_every_combination_learns(make, variant, prediction, schedule):
    model = make.model(
        **variant, prediction=prediction, schedule=schedule, patch=4, dropout=0.0,
        velocity_loss=0.1, position_loss=0.1, joint_velocity_loss=0.01, foot_loss=0.01,
    )  # fmt: skip
    batch, given = make.batch(), make.given(4)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    probe_t, probe_noise = torch.tensor([100, 300, 500, 700]), torch.randn(batch.motion.x.shape)

    def probe():  # the same timesteps and noise before and after
        draw, model.training_noise = model.training_noise, lambda batch, x: (probe_t, probe_noise)
        with torch.no_grad():
            parts = model.loss(batch, given)
        model.training_noise = draw
        return parts

    before = probe()
    for _ in range(30):
        parts = model.loss(batch, given)
        optimiser.zero_grad()
        parts["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    after = probe()
    learned = {"length", "alignment"} if "text_layers" in variant else set()
    assert set(before) == {"loss", "rec", "velocity", "position", "joint_velocity", "foot"} | learned
    assert all(torch.isfinite(v) for v in after.values())
    assert after["loss"] < 0.8 * before["loss"]
    assert after["rec"] < 0.9 * before["rec"]


def test_the_loss_is_what_its_formula_says(make):
    """Recomputed row by row from the network's own output."""
    from motion_platform.motion.representations import get_representation

    weights = {"velocity_loss": 0.5, "position_loss": 2.0, "joint_velocity_loss": 0.3, "foot_loss": 0.7}
    model, batch, given = make.model(**weights).eval(), make.batch((20, 9)), make.given(2)
    decode = get_representation("humanml3d_essential").decode
    t, noise = torch.tensor([100, 600]), torch.randn(2, 20, 67)
    model.training_noise = lambda batch, x: (t, noise)
    parts = model.loss(batch, given)
    want = {name: [] for name in ("rec", "velocity", "position", "joint_velocity", "foot")}
    for row, length in enumerate(batch.lengths.tolist()):
        raw = batch.motion.x[row : row + 1, :length]
        x0 = model.spec.normalise(raw)
        x_t = model.schedule.q_sample(x0, noise[row : row + 1, :length], t[row : row + 1])
        out = model(x_t, t[row : row + 1], make.row(given, row))
        predicted = model.spec.restore(out)
        placed = predicted.clone()
        placed[..., :4] = raw[..., :4]
        true, own = decode(raw), decode(predicted)
        want["rec"].append(((out - x0) ** 2).mean())
        want["velocity"].append(((out.diff(dim=1) - x0.diff(dim=1)) ** 2).mean())
        want["position"].append(((decode(placed) - true) ** 2).mean())
        want["joint_velocity"].append((((own.diff(dim=1) - true.diff(dim=1)) * 20) ** 2).mean())
        feet = [7, 10, 8, 11]
        slow = true[:, :, feet].diff(dim=1).norm(dim=-1) * 20 < 0.5
        low = true[:, :-1, feet, 1] < true[:, :, feet, 1].amin(1, keepdim=True) + 0.05
        speed = (own[:, :, feet].diff(dim=1) * 20) ** 2
        want["foot"].append((speed * (slow & low)[..., None]).mean())
    for name, values in want.items():
        torch.testing.assert_close(parts[name], torch.stack(values).mean(), atol=1e-5, rtol=1e-3, msg=name)
    total = parts["rec"] + sum(weight * parts[name.removesuffix("_loss")] for name, weight in weights.items())
    torch.testing.assert_close(parts["loss"], total)


@pytest.mark.parametrize("prediction", ["x0", "epsilon", "v"])
def test_weights_of_noise_levels(make, prediction):
    """Min-SNR weighs every term; for epsilon the terms on x_0 are also weighted by signal^2."""
    batch, given = make.batch((20,)), make.given(1)
    t, noise = torch.tensor([850]), torch.randn(1, 20, 67)
    for weighting in ("uniform", "min_snr"):
        model = make.model(prediction=prediction, loss_weighting=weighting, velocity_loss=0.5, foot_loss=2.0).eval()
        model.training_noise = lambda b, x: (t, noise)
        parts = model.loss(batch, given)
        signal2 = model.schedule.signal[850] ** 2
        snr = signal2 / (1 - signal2)
        weight = {"x0": snr, "epsilon": 1.0, "v": snr / (snr + 1)}[prediction] if weighting == "min_snr" else 1.0
        on_x0 = signal2 if prediction == "epsilon" else 1.0
        want = weight * (parts["rec"] + on_x0 * (0.5 * parts["velocity"] + 2.0 * parts["foot"]))
        torch.testing.assert_close(parts["loss"], want, rtol=1e-4, atol=1e-6)
        assert snr < 5  # so that the weight is not at its limit


def test_loss_ignores_what_stands_in_the_padding(make):
    model = make.model(patch=4, position_loss=1.0, joint_velocity_loss=1.0, foot_loss=1.0, velocity_loss=1.0).eval()
    batch, given = make.batch(), make.given(4)
    t, noise = torch.tensor([10, 200, 400, 800]), torch.randn(batch.motion.x.shape)
    model.training_noise = lambda batch, x: (t, noise)
    clean = model.loss(batch, given)
    batch.motion.x[~batch.motion.mask] = torch.nan
    for name, value in model.loss(batch, given).items():
        torch.testing.assert_close(value, clean[name], msg=name)


def test_loss_is_the_mean_over_rows(make):
    """So that two processes with half of the rows each average to the same gradient."""
    model, batch, given = make.model(patch=4, foot_loss=0.1).eval(), make.batch(), make.given(4)
    t, noise = torch.tensor([10, 200, 400, 800]), torch.randn(batch.motion.x.shape)
    model.training_noise = lambda b, x: (t, noise)
    whole = model.loss(batch, given)["loss"]
    rows = []
    for row in range(4):
        one = make.batch()
        one.motion = Motion(one.motion.x[row : row + 1], one.lengths[row : row + 1], one.motion.spec)
        model.training_noise = lambda b, x, r=row: (t[r : r + 1], noise[r : r + 1])
        rows.append(model.loss(one, make.row(given, row))["loss"])
    torch.testing.assert_close(whole, torch.stack(rows).mean(), atol=1e-5, rtol=1e-4)


def test_contact_columns_are_used_where_there_are_any(make):
    from motion_platform.core.schema import MotionSpec
    from motion_platform.generators.diffusion.geometry import GeometricLoss

    spec = MotionSpec("humanml3d", "humanml3d", 20.0, torch.zeros(263), torch.ones(263))
    loss = GeometricLoss(spec, {"foot": 1.0})
    true = torch.zeros(1, 5, 263)
    true[0, 2, -4:] = torch.tensor([1.0, 0.0, 0.0, 1.0])
    planted = loss.planted(true, loss.representation.decode(true), torch.ones(1, 5, dtype=torch.bool))
    assert planted.nonzero().tolist() == [[0, 2, 0], [0, 2, 3]]
    assert [loss.representation.skeleton.joints[i] for i in loss.feet] == [
        "left_ankle", "left_foot", "right_ankle", "right_foot"
    ]  # fmt: skip


# ---------------------------------------------------------------- guidance


def one_step_output(model, given, guidance, steps=1):
    """With one step the result is the guided x_0 prediction itself."""
    return generate(model, given, [20, 20, 20], steps=steps, guidance=guidance).x


@variants
@pytest.mark.parametrize("prediction", ["x0", "v", "epsilon"])
def test_guidance_identities(make, variant, prediction):
    model, given = make.model(prediction=prediction, **variant).eval(), make.given(3)
    dropped = {slot: c.drop() for slot, c in given.items()}
    high_only = {**given, "text_low": given["text_low"].drop()}
    low_only = {**given, "text_high": given["text_high"].drop()}
    both = lambda h, l: {"text_high": h, "text_low": l}  # noqa: E731, E741

    plain = one_step_output(model, given, both(1, 1))
    none = one_step_output(model, dropped, both(1, 1))
    high = one_step_output(model, high_only, both(1, 1))
    low = one_step_output(model, low_only, both(1, 1))
    scale = (plain - none).abs().max()
    assert scale > 1e-4

    def close(a, b):
        assert (a - b).abs().max() < 1e-3 * max(scale, a.abs().max())

    close(one_step_output(model, given, both(0, 0)), none)
    close(one_step_output(model, dropped, both(7, 7)), none)
    close(one_step_output(model, given, both(3, 3)), none + 3 * (plain - none))
    close(one_step_output(model, given, both(3, 1.5)), none + 3 * (high - none) + 1.5 * (plain - high))
    close(one_step_output(model, given, both(2, 0)), none + 2 * (high - none))
    close(one_step_output(model, given, both(0, 2)), none + 2 * (low - none))
    close(one_step_output(model, high_only, both(2, 9)), none + 2 * (high - none))


def test_passes_that_do_not_count_are_not_computed(make):
    model, given = make.model().eval(), make.given(2)
    rows = []
    model.transformer.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    high_only = {**given, "text_low": given["text_low"].drop()}
    for conditions, guidance, passes in [
        (given, {"text_high": 1, "text_low": 1}, 1),
        (given, {"text_high": 0, "text_low": 0}, 1),
        (given, {"text_high": 2, "text_low": 2}, 2),
        (given, {"text_high": 2, "text_low": 1}, 3),
        (given, {"text_high": 1, "text_low": 2}, 2),
        (given, {"text_high": 2, "text_low": 0}, 2),
        (high_only, {"text_high": 2, "text_low": 5}, 2),
        (high_only, {}, 2),
    ]:
        rows.clear()
        generate(model, conditions, [8, 8], steps=1, guidance=guidance)
        assert rows == [2 * passes], guidance


def test_guidance_interval_saves_passes_outside_it(make):
    model, given = make.model(guidance_interval=(0.2, 0.8)).eval(), make.given(1)
    rows = []
    model.transformer.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    generate(model, given, [8], steps=10)
    assert rows == [1, 1, 2, 2, 2, 2, 2, 2, 1, 1]  # t/1000 = .999 .899 .799 ... .299 .199 .099


def test_default_guidance_and_unknown_slots(make):
    model = make.model(guidance={"text_low": 4.0})
    assert model.guidance == {"text_high": 2.5, "text_low": 4.0}
    with pytest.raises(UnknownName, match="did you mean 'text_high'"):
        generate(model, make.given(1), [5], guidance={"text_hi": 1.0})
    with pytest.raises(UnknownName, match="slot"):
        make.model(guidance={"music": 1.0})


# ---------------------------------------------------------------- sampling


@variants
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sample_does_not_depend_on_the_batch(make, variant, sampler):
    model = make.model(patch=4, **variant)
    given, lengths, ids = make.given(4), [41, 8, 48, 17], ["a", "b", "c", "d"]
    whole = generate(model, given, lengths, ids, sampler=sampler, steps=4)
    order = [2, 0, 3, 1]
    shuffled = generate(
        model, {s: Condition(c.tokens[order], c.mask[order]) for s, c in given.items()},
        [lengths[i] for i in order], [ids[i] for i in order], sampler=sampler, steps=4,
    )  # fmt: skip
    for row in range(4):
        alone = generate(
            model, make.row(given, row), lengths[row : row + 1], ids[row : row + 1], sampler=sampler, steps=4
        )
        n = lengths[row]
        torch.testing.assert_close(whole.x[row, :n], alone.x[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(whole.x[row, :n], shuffled.x[order.index(row), :n], atol=1e-5, rtol=1e-5)
        assert (whole.x[row, n:] == 0).all()


def test_seeds(make):
    model, given = make.model(), make.given(2)
    first = generate(model, given, [20, 20], seed=1).x
    assert torch.equal(first, generate(model, given, [20, 20], seed=1).x)
    assert not torch.allclose(first, generate(model, given, [20, 20], seed=2).x)
    state = torch.get_rng_state()
    generate(model, given, [20, 20], sampler="ddpm")
    assert torch.equal(state, torch.get_rng_state())  # no global randomness


def test_result_is_in_raw_units_and_can_be_learnt_from(make):
    model = make.model()
    motion = generate(model, make.given(1), [20], steps=1)
    assert motion.spec is model.spec
    model.spec.mean[:] += 5.0
    shifted = generate(model, make.given(1), [20], steps=1)
    torch.testing.assert_close(shifted.x, motion.x + 5.0)
    weight = torch.ones(67, requires_grad=True)
    (shifted.x * weight).sum().backward()  # not an inference tensor


def test_requests_that_cannot_be(make):
    model, given = make.model(), make.given(1)
    with pytest.raises(UsageError, match="at least 1"):
        generate(model, given, [0])
    with pytest.raises(UsageError, match="2 noise ids for 1"):
        generate(model, given, [5], ids=["a", "b"])
    with pytest.raises(UsageError, match="got 0 steps"):
        generate(model, given, [5], steps=0)
    with pytest.raises(UnknownName, match="sampler"):
        generate(model, given, [5], sampler="euler")
    for settings in ({"patch": 0}, {"smoothing": 2}, {"heads": 5}, {"position_space": "x"}):
        with pytest.raises((ValueError, ConfigError), match=str(next(iter(settings)))):
            make.model(**settings)
    with pytest.raises(ConfigError, match="did you mean 'encoder'"):
        make.model(architecture="encodr")


# ---------------------------------------------------------------- edits


@pytest.mark.parametrize("prediction", ["x0", "epsilon", "v"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_edits_keep_their_entries_exactly_and_make_the_rest(make, prediction, sampler):
    model, given, batch = make.model(prediction=prediction, patch=4), make.given(4), make.batch()
    keep = torch.rand(batch.motion.x.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    lengths = batch.lengths.tolist()
    edited = generate(model, given, lengths, sampler=sampler, edit=Edit(batch.motion.x, keep))
    free = generate(model, given, lengths, sampler=sampler)
    real = batch.motion.mask[..., None]
    assert torch.equal(edited.x[keep & real], batch.motion.x[keep & real])
    assert (edited.x[~real.expand_as(keep)] == 0).all()
    assert torch.isfinite(edited.x).all()
    assert (edited.x - free.x)[~keep & real].abs().max() > 1e-4  # the rest has seen what was kept


def test_what_an_edit_does_not_keep_has_no_influence(make):
    model, given, batch = make.model(), make.given(4), make.batch()
    keep = torch.zeros(batch.motion.x.shape, dtype=torch.bool)
    keep[:, :5] = True
    other = torch.where(keep, batch.motion.x, torch.nan)
    lengths = batch.lengths.tolist()
    one = generate(model, given, lengths, edit=Edit(batch.motion.x, keep))
    two = generate(model, given, lengths, edit=Edit(other, keep))
    assert torch.equal(one.x, two.x)


def test_an_edit_of_another_shape_is_refused(make):
    batch = make.batch()
    edit = Edit(batch.motion.x, torch.zeros_like(batch.motion.x, dtype=torch.bool))
    with pytest.raises(UsageError, match=r"\(1, 5, 67\)"):
        generate(make.model(), make.given(1), [5], edit=edit)


def test_bfloat16_autocast_around_sampling(make):
    """The network may run in bfloat16; guidance, sampler and kept entries stay in float32."""
    model, given, batch = make.model(patch=4, position_loss=1.0), make.given(4), make.batch()
    keep = torch.zeros(batch.motion.x.shape, dtype=torch.bool)
    keep[:, :3] = True
    lengths, edit = batch.lengths.tolist(), Edit(batch.motion.x, keep)
    guidance = {"text_high": 2.5, "text_low": 1.5}
    exact = generate(model, given, lengths, edit=edit, guidance=guidance).x
    with torch.autocast("cpu", torch.bfloat16):
        fast = generate(model, given, lengths, edit=edit, guidance=guidance).x
        parts = model.train().loss(batch, given)
    assert fast.dtype == torch.float32
    assert torch.equal(fast[keep], exact[keep])
    assert 0 < (fast - exact).abs().max() < 0.05 * exact.abs().max()
    assert all(v.dtype == torch.float32 for v in parts.values())


def test_what_it_made_itself_is_told_beside_an_edit(make):
    """Kept frames are put in at every step; the last prediction before that is not the kept frames."""
    model, batch = make.model(), make.batch()
    keep = torch.zeros_like(batch.motion.x, dtype=torch.bool)
    keep[:, :5] = True
    made = generate(model, make.given(4), batch.lengths.tolist(), edit=Edit(batch.motion.x, keep))
    assert torch.equal(made.x[keep], batch.motion.x[keep])
    assert made.own.shape == made.x.shape
    assert (made.own - batch.motion.x)[keep].abs().mean() > 0.05, "an untrained model does not know what it was given"
    assert not made.own[~made.mask].any()
    assert generate(model, make.given(4), batch.lengths.tolist()).own is None
