"""Gaussian diffusion: noise schedules, what a network predicts, loss weights, and samplers (diffusers' schedulers).

x_t = signal_t x_0 + noise_t e with signal_t^2 + noise_t^2 = 1 (Ho et al. 2020, eq. 4; signal_t = sqrt(alpha_bar_t)).
Timesteps are 0 (almost clean) .. steps - 1 (almost pure noise).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from motion_platform.core.errors import UnknownName, UsageError

Fraction = TypeVar("Fraction", np.ndarray, Tensor)
Prediction = Literal["x0", "epsilon", "v"]
Weighting = Literal["uniform", "min_snr"]

PREDICTIONS = ("x0", "epsilon", "v")
SCHEDULES = ("cosine", "linear")
SAMPLERS = ("ddim", "ddpm", "dpm++", "dpm++sde", "unipc")
WEIGHTINGS = ("uniform", "min_snr")


def betas_of(name: str, steps: int) -> np.ndarray:
    """(steps,) float64 variances of the forward process.

    "linear": 1e-4 .. 0.02 (Ho et al. 2020), scaled by 1000 / steps so that fewer steps end in as much noise.
    "cosine": Nichol & Dhariwal 2021, eq. 17, s = 0.008, clipped at 0.999.
    """
    if name == "linear":
        scale = 1000 / steps
        return np.minimum(np.linspace(1e-4 * scale, 0.02 * scale, steps), 0.999)
    if name == "cosine":
        f = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
        return np.minimum(1 - f[1:] / f[:-1], 0.999)
    raise UnknownName("noise schedule", name, SCHEDULES)


class NoiseSchedule(nn.Module):
    """How much signal and noise there is at every timestep, and the conversions that follow from it.

    shift: more of the training and of a sampler's steps at the noisy end (:func:`shifted`); 1 is even.
    Attributes: ``steps``, ``shift``; ``alphas_cumprod`` (steps,) float64 numpy; ``signal``, ``noise`` (steps,) float32
    buffers. All conversions broadcast a per-row timestep t (B,) over the trailing axes.
    Errors: UnknownName; UsageError for no step; ValueError for a shift below 1.
    """

    def __init__(self, name: str = "cosine", steps: int = 1000, shift: float = 1.0) -> None:
        super().__init__()
        if steps < 1:
            raise UsageError(f"noise schedule: steps {steps} must be at least 1")
        if not shift >= 1:
            raise ValueError(f"timestep_shift {shift} must be at least 1")
        self.name, self.steps, self.shift = name, steps, shift
        self.alphas_cumprod = np.cumprod(1 - betas_of(name, steps))
        self.register_buffer("signal", torch.from_numpy(np.sqrt(self.alphas_cumprod)).float(), persistent=False)
        self.register_buffer("noise", torch.from_numpy(np.sqrt(1 - self.alphas_cumprod)).float(), persistent=False)

    def draw(self, batch: int, *, stratified: bool, device: torch.device | str = "cpu") -> Tensor:
        """(batch,) int64 timesteps to train on: uniform, then :func:`shifted`, from torch's global generator.

        stratified: one in each of ``batch`` equal ranges, in random order, so that each is still uniform and their mean
        varies far less (Kingma et al. 2021, appendix I.1)."""
        u = torch.rand(batch, device=device)
        if stratified:
            u = (torch.randperm(batch, device=device) + u) / batch
        return (shifted(u, self.shift) * self.steps).long().clamp(max=self.steps - 1)

    def levels(self, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """signal and noise of t (B,), shaped to broadcast against x (B, ...)."""
        shape = (-1, *[1] * (x.ndim - 1))
        return self.signal[t].view(shape), self.noise[t].view(shape)

    def q_sample(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """A draw of q(x_t | x_0) with the given standard normal noise."""
        signal, sigma = self.levels(t, x0)
        return signal * x0 + sigma * noise

    def target(self, x0: Tensor, noise: Tensor, t: Tensor, prediction: Prediction) -> Tensor:
        """What the network should say: x0, epsilon, or v = signal e - noise x_0 (Salimans & Ho 2022)."""
        if prediction == "x0":
            return x0
        if prediction == "epsilon":
            return noise
        if prediction == "v":
            signal, sigma = self.levels(t, x0)
            return signal * noise - sigma * x0
        raise UnknownName("prediction", prediction, PREDICTIONS)

    def to_x0(self, output: Tensor, x_t: Tensor, t: Tensor, prediction: Prediction) -> Tensor:
        """The clean sample that a network output at x_t stands for."""
        if prediction == "x0":
            return output
        signal, sigma = self.levels(t, x_t)
        if prediction == "epsilon":
            return (x_t - sigma * output) / signal
        if prediction == "v":
            return signal * x_t - sigma * output
        raise UnknownName("prediction", prediction, PREDICTIONS)

    def to_epsilon(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The noise in x_t if its clean sample is x0."""
        signal, sigma = self.levels(t, x_t)
        return (x_t - signal * x0) / sigma

    def loss_weight(self, t: Tensor, prediction: Prediction, weighting: Weighting, gamma: float = 5.0) -> Tensor:
        """(B,) weight of the squared error of a prediction. "min_snr": Hang et al. 2023, section 3.4."""
        if weighting == "uniform":
            return torch.ones_like(self.signal[t])
        if weighting != "min_snr":
            raise UnknownName("loss weighting", weighting, WEIGHTINGS)
        snr = (self.signal[t] / self.noise[t]) ** 2
        clipped = snr.clamp(max=gamma)
        return {"x0": clipped, "epsilon": clipped / snr, "v": clipped / (snr + 1)}[prediction]

    def x0_weight(self, t: Tensor, prediction: Prediction) -> Tensor:
        """(B,) weight for losses on the x_0 that a prediction stands for.

        x_0 from epsilon multiplies the network's error by noise/signal, which is about 2e4 at the last cosine step;
        times signal^2 the squared error stays bounded. x_0 from x0 and v needs no such weight.
        """
        return self.signal[t] ** 2 if prediction == "epsilon" else torch.ones_like(self.signal[t])


def shifted(u: Fraction, shift: float) -> Fraction:
    """u in [0, 1] moved towards 1 (the noise): shift u / (1 + (shift - 1) u), Esser et al. 2024, section 5.3.2.

    A motion says one thing in thousands of numbers, so it is decided which motion it will be while there is hardly any
    signal in each of them: a shift spends more steps, and more of the training, up there. 1 changes nothing."""
    return shift * u / (1 + (shift - 1) * u)


class Sampler:
    """One run of a sampler: ``for i, t in enumerate(sampler.timesteps): x = sampler.step(i, x0_hat, x, noise)``.

    The timesteps are spaced "trailing" (Lin et al. 2024, table 2), :func:`shifted` as the schedule is: they start at
    the noisiest one and end in a clean sample. The scheduler of diffusers runs over exactly these (respaced, Nichol &
    Dhariwal 2021, section 4) and is told x_0 (``prediction_type="sample"``), because guidance and editing act on x_0
    whatever the network predicts.

    name: "ddim" (eta 0), "ddpm" (ancestral, posterior variance; DDIM with eta 1 is the same update), "dpm++" and
    "dpm++sde" (DPM-Solver++ 2M), "unipc". For epsilon the run starts where log(signal/noise) >= -5.1, as DPM-Solver's
    authors advise for cosine: beyond it the network's error is multiplied by more than 160.
    """

    def __init__(self, schedule: NoiseSchedule, name: str, steps: int, *, prediction: Prediction = "x0") -> None:
        if name not in SAMPLERS:
            raise UnknownName("sampler", name, SAMPLERS)
        alphas = schedule.alphas_cumprod
        horizon = schedule.steps
        if prediction == "epsilon":
            horizon = max(int((0.5 * np.log(alphas / (1 - alphas)) >= -5.1).sum()), 1)
        if not 1 <= steps <= horizon:
            raise UsageError(f"sampler {name}: got {steps} steps; allowed: 1 to {horizon}")
        self.name, self.steps = name, steps
        chosen = np.round(horizon * shifted(1 - np.arange(steps) / steps, schedule.shift)).astype(int) - 1
        for i in range(1, steps):  # many steps, much shifted: neighbours would fall together
            chosen[i] = min(chosen[i], chosen[i - 1] - 1)
        self.timesteps: list[int] = chosen.tolist()
        self.stochastic = name in ("ddpm", "dpm++sde")
        self._scheduler = _scheduler(name, alphas[chosen[::-1]])

    def step(self, i: int, x0: Tensor, x: Tensor, noise: Callable[[], Tensor] | None = None) -> Tensor:
        """x at ``timesteps[i]`` and its predicted clean sample -> x at the next timestep (after the last: x0).

        noise() is called where the sampler is stochastic: standard normal, shaped as x."""
        if i == self.steps - 1:
            return x0
        index = self.steps - 1 - i
        if self.name == "ddim":
            return self._scheduler.step(x0, index, x, return_dict=False)[0]
        if self.name == "ddpm":
            return self._scheduler.step(x0, index, x, eta=1.0, variance_noise=noise(), return_dict=False)[0]
        if self.name == "dpm++sde":
            return self._scheduler.step(x0, index, x, variance_noise=noise(), return_dict=False)[0]
        return self._scheduler.step(x0, index, x, return_dict=False)[0]


def _scheduler(name: str, alphas_cumprod: np.ndarray):
    """diffusers' scheduler over the given (S,) signal variances, least noisy first."""
    steps = len(alphas_cumprod)
    betas = 1 - alphas_cumprod / np.concatenate([[1.0], alphas_cumprod[:-1]])
    common = dict(num_train_timesteps=steps, trained_betas=betas, prediction_type="sample", timestep_spacing="trailing")
    # Imported here and from its own module: diffusers' package imports a second's worth, the multistep solvers another.
    if name in ("ddim", "ddpm"):
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        scheduler = DDIMScheduler(**common, clip_sample=False)
    elif name == "unipc":
        from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

        scheduler = UniPCMultistepScheduler(**common)
    else:
        from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

        algorithm = "sde-dpmsolver++" if name == "dpm++sde" else "dpmsolver++"
        scheduler = DPMSolverMultistepScheduler(**common, algorithm_type=algorithm)
    # The float32 betas round 1 - 2e-9 to 1, which would make the last level exactly 0 and its logarithm infinite.
    scheduler.alphas_cumprod = torch.from_numpy(alphas_cumprod)
    scheduler.set_timesteps(steps)
    return scheduler
