"""Schedules, conversions and samplers against closed forms and diffusers."""

import itertools
import math

import numpy as np
import pytest
import torch

from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.nn.diffusion import PREDICTIONS, SAMPLERS, SCHEDULES, NoiseSchedule, Sampler, shifted

MEAN, STD = 2.0, 0.5


def gaussian_output(schedule, x, t, prediction):
    """What a perfect network says when the data are N(MEAN, STD^2): the posterior mean, in closed form."""
    signal, noise = float(schedule.signal[t]), float(schedule.noise[t])
    variance = (signal * STD) ** 2 + noise**2
    x0 = MEAN + signal * STD**2 / variance * (x - signal * MEAN)
    epsilon = noise / variance * (x - signal * MEAN)
    return {"x0": x0, "epsilon": epsilon, "v": signal * epsilon - noise * x0}[prediction]


def run(schedule, name, steps, prediction, size=40_000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sampler = Sampler(schedule, name, steps, prediction=prediction)
    x = torch.randn(size, 1, generator=generator)
    for i, t in enumerate(sampler.timesteps):
        output = gaussian_output(schedule, x, t, prediction)
        x0 = schedule.to_x0(output, x, torch.tensor([t]), prediction)
        x = sampler.step(i, x0, x, lambda: torch.randn(size, 1, generator=generator))
    return x


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_recovers_a_gaussian(schedule, prediction, name):
    steps = {"ddpm": 250, "ddim": 100, "dpm++sde": 50}.get(name, 20)
    x = run(NoiseSchedule(schedule), name, steps, prediction)
    assert x.mean().item() == pytest.approx(MEAN, abs=0.02)
    assert x.std().item() == pytest.approx(STD, rel=0.05)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 7, 15])
def test_few_and_odd_numbers_of_steps_are_finite_and_centred(name, steps):
    x = run(NoiseSchedule("cosine"), name, steps, "x0", size=4000)
    assert torch.isfinite(x).all()
    assert x.mean().item() == pytest.approx(MEAN, abs=0.05)


def test_one_thousand_steps_of_ddpm():
    x = run(NoiseSchedule("cosine"), "ddpm", 1000, "x0", size=10_000)
    assert x.mean().item() == pytest.approx(MEAN, abs=0.02)
    assert x.std().item() == pytest.approx(STD, rel=0.03)


@pytest.mark.parametrize(("schedule", "diffusers_name"), [("cosine", "squaredcos_cap_v2"), ("linear", "linear")])
def test_schedule_equals_diffusers(schedule, diffusers_name):
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    theirs = DDPMScheduler(beta_schedule=diffusers_name).alphas_cumprod.double().sqrt().numpy()
    ours = NoiseSchedule(schedule)
    np.testing.assert_allclose(ours.signal.numpy(), theirs, atol=2e-6)
    np.testing.assert_allclose((ours.signal**2 + ours.noise**2).numpy(), 1, atol=1e-6)


def test_cosine_closed_form():
    """alpha_bar_t = f(t) / f(0), Nichol & Dhariwal eq. 17, wherever no beta was clipped."""
    f = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2
    np.testing.assert_allclose(NoiseSchedule("cosine").alphas_cumprod[:990], (f / f[0])[1:991], rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 10, 100, 2000])
def test_fewer_linear_steps_add_as_much_more_noise_each(steps):
    betas = np.linspace(0.1 / steps, 20 / steps, steps).clip(max=0.999)
    np.testing.assert_allclose(NoiseSchedule("linear", steps).alphas_cumprod, np.cumprod(1 - betas), rtol=1e-9)


@pytest.mark.parametrize(("prediction", "theirs"), [("x0", "sample"), ("epsilon", "epsilon"), ("v", "v_prediction")])
def test_q_sample_and_targets_equal_diffusers(prediction, theirs):
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    scheduler = DDIMScheduler(beta_schedule="linear", prediction_type=theirs, clip_sample=False)
    schedule = NoiseSchedule("linear")
    x0, noise, t = torch.randn(4, 6, 3), torch.randn(4, 6, 3), torch.tensor([0, 10, 500, 990])
    x_t = schedule.q_sample(x0, noise, t)
    torch.testing.assert_close(x_t, scheduler.add_noise(x0, noise, t), atol=1e-5, rtol=1e-5)
    target = schedule.target(x0, noise, t, prediction)
    if prediction == "v":
        torch.testing.assert_close(target, scheduler.get_velocity(x0, noise, t), atol=1e-5, rtol=1e-5)
    scheduler.set_timesteps(1000)
    for row in range(4):
        known = scheduler.step(target[row], int(t[row]), x_t[row]).pred_original_sample
        got = schedule.to_x0(target[row : row + 1], x_t[row : row + 1], t[row : row + 1], prediction)[0]
        torch.testing.assert_close(got, known, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_conversions_round_trip(prediction, schedule):
    schedule = NoiseSchedule(schedule).double()
    t = torch.arange(0, 990, 7)
    x0, noise = torch.randn(len(t), 5, 2).double(), torch.randn(len(t), 5, 2).double()
    x_t = schedule.q_sample(x0, noise, t)
    back = schedule.to_x0(schedule.target(x0, noise, t, prediction), x_t, t, prediction)
    torch.testing.assert_close(back, x0, atol=2e-4, rtol=1e-4)
    low_noise = schedule.to_epsilon(x0, x_t, t)
    torch.testing.assert_close(low_noise, noise, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "module", "cls", "settings"),
    [
        ("ddim", "scheduling_ddim", "DDIMScheduler", {"clip_sample": False}),
        ("dpm++", "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler", {}),
        ("unipc", "scheduling_unipc_multistep", "UniPCMultistepScheduler", {}),
    ],
)
@pytest.mark.parametrize(("prediction", "theirs"), [("x0", "sample"), ("epsilon", "epsilon"), ("v", "v_prediction")])
def test_equals_diffusers_used_directly(name, module, cls, settings, prediction, theirs):
    """Over the untouched 1000-step schedule with a denoiser that is not linear; linear schedule, 20 | 1000."""
    import importlib

    schedule = NoiseSchedule("linear")
    scheduler = getattr(importlib.import_module(f"diffusers.schedulers.{module}"), cls)(
        beta_schedule="linear", prediction_type=theirs, timestep_spacing="trailing", **settings
    )
    scheduler.set_timesteps(20)
    sampler = Sampler(schedule, name, 20, prediction=prediction)
    assert sampler.timesteps == scheduler.timesteps.tolist()

    def network(x, t):
        return schedule.target(torch.tanh(x + 0.3), x, torch.tensor([t]), prediction)

    a = b = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    for i, t in enumerate(sampler.timesteps):
        a = sampler.step(i, schedule.to_x0(network(a, t), a, torch.tensor([t]), prediction), a)
        b = scheduler.step(network(b, t), t, b, return_dict=False)[0]
    torch.testing.assert_close(a, b, atol=2e-3, rtol=2e-3)


def test_ddpm_equals_diffusers_ddpm_step_by_step():
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    schedule = NoiseSchedule("linear")
    scheduler = DDPMScheduler(
        beta_schedule="linear", prediction_type="sample", clip_sample=False, timestep_spacing="trailing"
    )
    scheduler.set_timesteps(50)
    sampler = Sampler(schedule, "ddpm", 50)
    x = torch.randn(8, 3)
    for i, t in enumerate(sampler.timesteps):
        x0 = torch.tanh(x)
        theirs = scheduler.step(x0, t, x, generator=torch.Generator().manual_seed(i)).prev_sample
        x = sampler.step(i, x0, x, lambda: torch.randn(8, 3, generator=torch.Generator().manual_seed(i)))  # noqa: B023
        torch.testing.assert_close(x, theirs, atol=1e-4, rtol=1e-4)


def test_timesteps_end_at_the_noisiest_and_start_clean():
    for steps in (1, 3, 10, 50, 999, 1000):
        timesteps = Sampler(NoiseSchedule("cosine"), "ddim", steps).timesteps
        assert len(timesteps) == steps
        assert timesteps[0] == 999
        assert all(a > b for a, b in itertools.pairwise(timesteps))
    # epsilon: not from where 1 / signal is thousands
    start = Sampler(NoiseSchedule("cosine"), "ddim", 10, prediction="epsilon").timesteps[0]
    assert 980 < start < 999
    assert Sampler(NoiseSchedule("linear"), "ddim", 10, prediction="epsilon").timesteps[0] == 999


@pytest.mark.parametrize("shift", [1.0, 4.0, 50.0])
def test_a_shift_moves_steps_and_training_alike_towards_the_noise(shift):
    for steps in (1, 28, 500, 1000):
        timesteps = Sampler(NoiseSchedule("cosine", 1000, shift), "ddpm", steps).timesteps
        assert len(timesteps) == steps
        assert timesteps[0] == 999
        assert timesteps[-1] >= 0
        assert all(a > b for a, b in itertools.pairwise(timesteps))
    # half of the steps, and half of the training, lie above shift / (1 + shift)
    middle = 1000 * shift / (1 + shift)
    schedule = NoiseSchedule("cosine", 1000, shift)
    timesteps = torch.tensor(Sampler(schedule, "ddpm", 28).timesteps)
    assert abs(int((timesteps >= middle).sum()) - 14) <= 1
    drawn = schedule.draw(1000, stratified=True)
    assert abs(int((drawn >= middle).sum()) - 500) <= 20
    # the odds of noise are multiplied by shift: that is what the formula means
    u = np.linspace(0.01, 0.99, 11)
    moved = shifted(u, shift)
    np.testing.assert_allclose(moved / (1 - moved), shift * u / (1 - u))


@pytest.mark.parametrize("name", SAMPLERS)
def test_after_the_last_step_there_is_the_clean_sample_itself(name):
    sampler = Sampler(NoiseSchedule("cosine", 100), name, 5)
    x0, x = torch.randn(2, 3), torch.randn(2, 3)
    for i in range(4):
        assert not torch.equal(sampler.step(i, x0, x, lambda: torch.randn(2, 3)), x0)
    assert sampler.step(4, x0, x) is x0  # and no noise is asked for


def test_deterministic_samplers_draw_no_noise():
    for name in SAMPLERS:
        sampler = Sampler(NoiseSchedule(), name, 4)
        x = torch.randn(2, 3)
        drawn = []
        for i in range(4):
            x = sampler.step(i, x * 0, x, lambda: drawn.append(1) or torch.randn(2, 3))  # noqa: B023
        assert bool(drawn) == sampler.stochastic == (name in ("ddpm", "dpm++sde"))
        assert torch.equal(x, torch.zeros(2, 3))


def test_min_snr_weights():
    schedule = NoiseSchedule("cosine")
    t = torch.tensor([0, 300, 700, 999])
    snr = (schedule.signal[t] / schedule.noise[t]).double() ** 2
    x0 = schedule.loss_weight(t, "x0", "min_snr", 5.0)
    torch.testing.assert_close(x0.double(), snr.clamp(max=5))
    # the three predictions weigh the same squared error of x0: e = (s/n)^2 of x0's, v = 1/n^2 of x0's
    torch.testing.assert_close(schedule.loss_weight(t, "epsilon", "min_snr").double() * snr, x0.double())
    torch.testing.assert_close(schedule.loss_weight(t, "v", "min_snr").double() * (snr + 1), x0.double())
    assert torch.equal(schedule.loss_weight(t, "v", "uniform"), torch.ones(4))


def test_stratified_timesteps_are_uniform_and_spread():
    torch.manual_seed(0)
    t = NoiseSchedule(steps=1000).draw(50, stratified=True)
    assert torch.equal(t.sort().values // 20, torch.arange(50))
    assert not torch.equal(t, t.sort().values)
    pool = torch.cat([NoiseSchedule(steps=10).draw(7, stratified=s) for s in (True, False) for _ in range(3000)])
    counts = torch.bincount(pool, minlength=10) / len(pool)
    assert counts.min() > 0.09
    assert counts.max() < 0.11


def test_errors_say_what_is_allowed():
    with pytest.raises(UnknownName, match="did you mean 'cosine'"):
        NoiseSchedule("cosin")
    with pytest.raises(UsageError, match="steps 0 must be at least 1"):
        NoiseSchedule(steps=0)
    for shift in (0.5, float("nan")):
        with pytest.raises(ValueError, match="must be at least 1"):
            NoiseSchedule(shift=shift)
    with pytest.raises(UnknownName, match="ddim"):
        Sampler(NoiseSchedule(), "dim", 5)
    for steps in (0, -1, 1001):
        with pytest.raises(UsageError, match="1 to 1000"):
            Sampler(NoiseSchedule(), "ddim", steps)


@pytest.mark.parametrize("name", SCHEDULES)
def test_for_epsilon_the_run_starts_where_the_signal_is_a_hundred_and_sixtieth(name):
    """exp(-5.1) of the noise, as DPM-Solver's authors advise: as many steps may be asked for as lie before it."""
    schedule = NoiseSchedule(name, 1000)
    alphas = schedule.alphas_cumprod
    before = int((np.sqrt(alphas / (1 - alphas)) >= math.exp(-5.1)).sum())
    Sampler(schedule, "ddim", before, prediction="epsilon")
    with pytest.raises(UsageError, match=f"allowed: 1 to {before}"):
        Sampler(schedule, "ddim", before + 1, prediction="epsilon")
    Sampler(schedule, "ddim", 1000)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize(("drawn", "step"), [(1 - 2**-24, -1), (0.0, 0)])
def test_the_largest_number_that_can_be_drawn_is_still_a_step(shift, drawn, step, monkeypatch):
    """Shifted, it is rounded to 1, which is after the last."""
    monkeypatch.setattr(torch, "rand", lambda size, device=None: torch.full((size,), drawn))
    schedule = NoiseSchedule("cosine", 1000, shift)
    assert set(schedule.draw(4, stratified=False).tolist()) == {range(1000)[step]}


def test_for_epsilon_there_is_one_step_however_noisy_the_first_is():
    schedule = NoiseSchedule("cosine", 1)
    schedule.alphas_cumprod = np.array([1e-9])
    assert Sampler(schedule, "ddim", 1, prediction="epsilon").timesteps == [0]
    with pytest.raises(UsageError, match=r"allowed: 1 to 1$"):
        Sampler(schedule, "ddim", 2, prediction="epsilon")
