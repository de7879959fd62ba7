"""The settings of every diffusion model: one block in recipes, one argument of constructors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from motion_platform.core.errors import UnknownName
from motion_platform.nn.diffusion import PREDICTIONS, SAMPLERS, WEIGHTINGS, Prediction, Weighting

Error = Literal["squared", "huber"]


@dataclass(frozen=True)
class DiffusionSettings:
    """How noise is put in and taken out, how long the windows are, and what the loss is.

    prediction: what the network says; schedule, diffusion_steps: the forward process; timestep_shift: more of the
    training and of the sampler's steps at the noisy end (nn/diffusion.shifted). sampler, sample_steps: the defaults of
    ``generate``. guidance: weight a slot (the model's ``default_guidance`` where not named). guidance_interval: the
    range of t / diffusion_steps in which guidance acts; outside it a step costs one conditional pass (Kynkaanniemi et
    al. 2024). max_frames: the longest window; overlap: seconds that windows share in longer motions
    (generators/diffusion/windows.py). velocity_loss: weight of the error of differences between frames.
    loss_weighting: "uniform" or "min_snr". stratified: spread the timesteps of a batch evenly (unbiased, less noise in
    the gradient). error: of a number, "squared" or "huber" (half the square up to ``huber_delta``, then straight on;
    Huber 1964).
    """

    prediction: Prediction = "x0"
    schedule: Literal["cosine", "linear"] = "cosine"
    diffusion_steps: int = 1000
    timestep_shift: float = 1.0
    sampler: str = "ddim"
    sample_steps: int = 10
    guidance: dict[str, float] | None = None
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    max_frames: int = 196
    overlap: float = 2.0
    velocity_loss: float = 0.0
    loss_weighting: Weighting = "uniform"
    stratified: bool = True
    error: Error = "squared"
    huber_delta: float = 1.0

    def check(self, who: str) -> None:
        """UnknownName, ValueError for settings that make no sense; ``who`` has them."""
        for kind, name, allowed in (
            ("error", self.error, ("squared", "huber")),
            ("prediction", self.prediction, PREDICTIONS),
            ("sampler", self.sampler, SAMPLERS),
            ("loss weighting", self.loss_weighting, WEIGHTINGS),
        ):
            if name not in allowed:
                raise UnknownName(kind, name, allowed, who)
        if self.max_frames < 1 or self.sample_steps < 1:
            raise ValueError(f"max_frames {self.max_frames} and sample_steps {self.sample_steps} must be >= 1")
        if not self.huber_delta > 0:
            raise ValueError(f"huber_delta {self.huber_delta} must be above 0")
