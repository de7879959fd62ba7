"""Weights, gradients and moments spread by DeepSpeed (ZeRO, stages 2 and 3), through accelerate.

Rajbhandari et al. 2020 (arXiv:1910.02054): stage 2 spreads gradients and moments, stage 3 the weights too. A process
holds a flat part of every tensor; what is saved is put together, and is what a run of one process saves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, distributed, nn

from motion_platform.core.config import Recipe
from motion_platform.core.errors import UsageError
from motion_platform.model.motion_model import MotionModel
from motion_platform.training.ranks import micro_batches

STAGES = (2, 3)
SIZES = ("reduce_bucket_size", "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold")
"""Settings that accelerate derives from a model's hidden size where they are "auto"."""


@dataclass(frozen=True)
class Later:
    """A tensor in parts, which all processes together put together when it is asked for."""

    gather: Callable[[], Tensor]


def later(part: Tensor, like: Tensor) -> Tensor | Later:
    """``part`` where the parameter ``like`` is whole; else what puts it together with the parts of the others."""
    return Later(partial(gathered, part, like)) if hasattr(like, "ds_tensor") else part


def held(parameter: Tensor) -> Tensor:
    """What this process holds of a parameter: a flat part under stage 3, with a few values to spare in the last."""
    return getattr(parameter, "ds_tensor", parameter).detach()


def gathered(part: Tensor, like: Tensor) -> Tensor:
    """The whole tensor of which every process holds such a part. All processes call it together."""
    world = distributed.get_world_size()
    whole = part.new_empty(world * part.numel())
    distributed.all_gather(list(whole.chunk(world)), part.contiguous())
    return whole[: like.ds_numel].view(like.ds_shape)  # type: ignore[attr-defined]


def part_of(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of a whole tensor, laid out as that of the parameter ``like``."""
    own = held(like)
    first = distributed.get_rank() * own.numel()
    part = torch.zeros_like(own, dtype=value.dtype)
    given = value.flatten()[first : first + own.numel()]
    part[: given.numel()] = given.to(part.device)
    return part


def wanted() -> bool:
    """Is accelerate configured for DeepSpeed?"""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"


def handlers(cpu: bool) -> list[Any]:
    """What an Accelerator needs for DeepSpeed without a GPU: accelerate itself takes one process for all there is.

    Errors: UsageError for ``cpu`` where there is a GPU, which DeepSpeed would take.
    """
    from accelerate.utils import InitProcessGroupKwargs

    if not torch.cuda.is_available():
        return [InitProcessGroupKwargs(backend="gloo")]
    if cpu:
        raise UsageError(
            "DeepSpeed takes the GPU that is here; for a trial on the CPU hide it: CUDA_VISIBLE_DEVICES=''"
        )
    return []


def load_whole() -> None:
    """Let transformers read bases whole again, which accelerate told it to spread from the start under stage 3: their
    tables are looked at, and layers are cut, before training."""
    from transformers.integrations import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()


def check(configuration: dict[str, Any], recipe: Recipe) -> None:
    """UsageError for what cannot be done with this recipe, or is said in the recipe."""
    zero = configuration["zero_optimization"]
    if zero.get("stage") not in STAGES:
        raise UsageError(
            f"DeepSpeed: zero_stage: got {zero.get('stage')}; allowed: 2 (gradients, moments), 3 (weights)"
        )
    for name in ("optimizer", "scheduler"):
        if name in configuration:
            raise UsageError(f"DeepSpeed: its configuration has {name!r}, which the recipe says; take it out there")
    for name in ("offload_optimizer", "offload_param"):
        device = (zero.get(name) or {}).get("device") or "none"
        if device != "none":
            raise UsageError(f"DeepSpeed: {name}_device: got {device!r}; allowed: none")
    if recipe.train.precision == "fp16":
        raise UsageError("DeepSpeed: train.precision: got 'fp16'; allowed: bf16, no")
    if zero["stage"] == 3 and recipe.validation.every:
        raise UsageError("DeepSpeed, stage 3: a model in parts generates nothing while it trains: validation.every=0")


def prepared(
    accelerator: Accelerator, model: MotionModel, optimiser: torch.optim.Optimizer, recipe: Recipe
) -> tuple[nn.Module, ZeroOptimiser]:
    """The engine, and the optimiser as the loop sees it. Batch, accumulation, clipping and precision are the recipe's.

    Errors: those of :func:`check`.
    """
    import deepspeed

    plugin, train, world = accelerator.state.deepspeed_plugin, recipe.train, accelerator.num_processes
    settings = plugin.deepspeed_config
    check(settings, recipe)
    micro = micro_batches(train, world)
    for name in SIZES:  # a model here has no single hidden size: DeepSpeed's own sizes
        if settings["zero_optimization"].get(name) == "auto":
            del settings["zero_optimization"][name]
    settings |= {
        "train_batch_size": train.batch_size,
        "train_micro_batch_size_per_gpu": train.batch_size // micro,
        "gradient_accumulation_steps": micro // world,
        "gradient_clipping": float(train.gradient_clip or 0.0),
        "fp16": {"enabled": False},
        "bf16": {"enabled": False},  # would round the weights; the recipe's bf16 computes in it
        "torch_autocast": {"enabled": train.precision == "bf16", "dtype": "bfloat16"},
    }
    accelerator.gradient_accumulation_steps = micro // world
    layout = optimiser.state_dict()["param_groups"]
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    optimiser.param_groups[:] = [group for group in optimiser.param_groups if group["params"]]
    engine, _ = accelerator.prepare(model, optimiser)
    if settings["zero_optimization"]["stage"] == 3:
        # Weights that are used outside the forward() of their own module are gathered for the whole of a step, as in
        # FSDP's root; those of layers, layer by layer.
        layers = layers_of(model)
        inside = {id(p) for m in model.modules() if type(m).__name__ in layers for p in m.parameters()}
        for parameter in model.parameters():
            if id(parameter) not in inside:
                deepspeed.zero.register_external_parameter(model, parameter)
    return engine, ZeroOptimiser(engine.optimizer, layout, parameters)


def layers_of(model: nn.Module) -> list[str]:
    """Names of the classes of layers that transformers keeps together."""
    return sorted({name for module in model.modules() for name in getattr(module, "_no_split_modules", None) or ()})


class ZeroOptimiser:
    """DeepSpeed's optimiser with the state of the torch optimiser inside it, as that of one process.

    zero: DeepSpeed's. layout, parameters: groups and parameters of the torch optimiser before DeepSpeed took it.
    """

    def __init__(self, zero: Any, layout: list[dict[str, Any]], parameters: list[nn.Parameter]) -> None:
        self._zero, self._layout, self._parameters = zero, layout, parameters
        self._stage3 = hasattr(parameters[0], "ds_tensor")

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self._zero.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """DeepSpeed does it in its step."""

    def step(self) -> None:
        """DeepSpeed takes it with the last micro-batch."""

    def state_dict(self) -> dict[str, Any]:
        """What torch's would be, with moments :class:`Later`."""
        from deepspeed.utils import safe_get_full_optimizer_state

        states: dict[int, Any] = {}
        flat = next(iter(self._zero.optimizer.state.values()), None)
        if flat is not None:
            moments = [name for name in flat if name != "step"]
            for number, parameter in enumerate(self._parameters):
                states[number] = {"step": torch.as_tensor(flat["step"], dtype=torch.float32).detach().clone()}
                for name in moments:
                    states[number][name] = Later(partial(safe_get_full_optimizer_state, parameter, name))
        return {"state": states, "param_groups": self._layout}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over moments and steps; weights are those with which DeepSpeed began."""
        from deepspeed.utils import safe_set_full_optimizer_state, safe_set_local_optimizer_state

        if not state["state"]:
            return
        self._begin_states()
        for flat in self._zero.optimizer.state.values():
            flat["step"] = torch.as_tensor(flat["step"]).clone().fill_(float(state["state"][0]["step"]))
        for number, parameter in enumerate(self._parameters):
            for name, value in state["state"][number].items():
                if name == "step":
                    continue
                if self._stage3:
                    safe_set_local_optimizer_state(parameter, part_of(value, parameter), name)
                else:
                    safe_set_full_optimizer_state(parameter, value.to(parameter.device), name)

    @torch.no_grad()
    def _begin_states(self) -> None:
        """Let torch's optimiser make its states, which it does in its first step: one that moves nothing."""
        inner, groups = self._zero.optimizer, self._zero.optimizer.param_groups
        flats = self._zero.fp32_partitioned_groups_flat if self._stage3 else self._zero.single_partition_of_fp32_groups
        kept = [dict(group) for group in groups]
        for flat in flats:
            flat.grad = torch.zeros_like(flat)
        for group in groups:
            group.update(params=[], lr=0.0, weight_decay=0.0)
        groups[0]["params"] = list(flats)
        inner.step()
        for flat in flats:
            flat.grad = None
        for group, before in zip(groups, kept, strict=True):
            group.update(before)
        if not self._stage3:  # stage 3 looks them up when they are asked for
            self._zero._lazy_init_hp_params_optimizer_state()  # noqa: SLF001 - otherwise only its step does it
