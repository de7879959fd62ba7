"""Weights of which every process holds a part (FSDP2 or DeepSpeed, through accelerate): whole for a file, parts of what
is whole.

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
from motion_platform.training import zero


def whole(values: Any, *, keep: bool = True) -> Any:
    """Nested tables and lists with every tensor whole, those that were in parts on the CPU. All processes call it
    together; keep: whether this one wants them (else None stands there)."""
    if isinstance(values, (DTensor, zero.Later)):
        gathered = values.full_tensor() if isinstance(values, DTensor) else values.gather()
        return gathered.detach().cpu() if keep else None
    if isinstance(values, dict):
        return {key: whole(value, keep=keep) for key, value in values.items()}
    return [whole(value, keep=keep) for value in values] if isinstance(values, list) else values


def part_of(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of a whole tensor, where ``like`` is held in parts of the same shape; else the tensor."""
    if hasattr(like, "ds_tensor"):
        return zero.part_of(value, like)
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def load_optimiser(optimiser: Any, state: dict[str, Any]) -> None:
    """Load a state whose tensors are whole."""
    if isinstance(optimiser, zero.ZeroOptimiser):
        return optimiser.load_state_dict(state)
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    own = {
        number: {name: part_of(v, parameters[number]) if isinstance(v, Tensor) else v for name, v in values.items()}
        for number, values in state["state"].items()
    }
    optimiser.load_state_dict({**state, "state": own})
    return None


def backward(accelerator: Accelerator, model: nn.Module, loss: Tensor, pieces: int) -> None:
    """Add the gradients of one of ``pieces`` micro-batches. DeepSpeed takes its step with the last of them."""
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        model.backward(loss)  # type: ignore[operator] # the engine, which divides by the pieces itself
        model.step()  # type: ignore[operator]
    else:
        accelerator.backward(loss / pieces)


def prepared(
    accelerator: Accelerator, model: MotionModel, optimiser: torch.optim.Optimizer, recipe: Recipe
) -> tuple[nn.Module, Any]:
    """Model and optimiser as the engine that ``accelerate`` was configured for trains them.

    Errors: UsageError for what FSDP or DeepSpeed cannot do with this recipe, and for another version of FSDP.
    """
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        return zero.prepared(accelerator, model, optimiser, recipe)
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
        model._no_split_modules = zero.layers_of(model)  # type: ignore[assignment]  # noqa: SLF001 - where accelerate looks
    return accelerator.prepare(model, optimiser)
