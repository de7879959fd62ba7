"""Weights of which every process holds a part (FSDP2, through accelerate): whole for a file, parts of what is whole.

What a run saves is the same whatever engine trained it, so a run may go on with another number of processes.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from motion_platform.core.config import Recipe
from motion_platform.core.errors import UsageError
from motion_platform.model.motion_model import MotionModel


def whole(values: Any, *, keep: bool = True) -> Any:
    """Nested tables and lists with every tensor whole, those that were in parts on the CPU. All processes call it
    together; keep: whether this one wants them (else None stands there)."""
    if isinstance(values, DTensor):
        gathered = values.full_tensor()
        return gathered.detach().cpu() if keep else None
    if isinstance(values, dict):
        return {key: whole(value, keep=keep) for key, value in values.items()}
    return [whole(value, keep=keep) for value in values] if isinstance(values, list) else values


def part_of(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of a whole tensor, where ``like`` is held in parts of the same shape; else the tensor."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


@torch.no_grad()
def put(target: Tensor, value: Tensor) -> None:
    """Write a whole tensor into one that may be held in parts."""
    target.copy_(part_of(value, target))


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state whose tensors are whole."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    own = {
        number: {name: part_of(v, parameters[number]) if isinstance(v, Tensor) else v for name, v in values.items()}
        for number, values in state["state"].items()
    }
    optimiser.load_state_dict({**state, "state": own})


def prepared(
    accelerator: Accelerator, model: MotionModel, optimiser: torch.optim.Optimizer, recipe: Recipe
) -> tuple[nn.Module, Any]:
    """Model and optimiser as the engine that ``accelerate`` was configured for trains them.

    Errors: UsageError for what FSDP cannot do with this recipe, for another version of it, and for DeepSpeed, whose
    partitions are saved by other means.
    """
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        raise UsageError(
            "DeepSpeed is configured; FSDP2 spreads weights, gradients and moments as its stage 3 does: "
            "accelerate launch --use_fsdp --fsdp_version 2"
        )
    if accelerator.distributed_type == DistributedType.FSDP:
        plugin = accelerator.state.fsdp_plugin
        if plugin.fsdp_version != 2:
            raise UsageError("FSDP: version 1 is configured, 2 is needed: accelerate launch --fsdp_version 2")
        if plugin.cpu_ram_efficient_loading:
            raise UsageError(
                "FSDP: weights that the first process alone reads are not supported: accelerate launch "
                "--fsdp_cpu_ram_efficient_loading false"
            )
        if model.trainable.spread:
            raise UsageError(f"FSDP: {model.trainable.spread}")
        if recipe.validation.every:
            raise UsageError("FSDP: a model in parts generates nothing while it trains: validation.every=0")
        layers = {name for module in model.modules() for name in getattr(module, "_no_split_modules", None) or ()}
        model._no_split_modules = sorted(layers)  # type: ignore[assignment]  # noqa: SLF001 - where accelerate looks
    return accelerator.prepare(model, optimiser)
