"""The training loop, one for every model.

**Same numbers on any number of processes.** A step's batch (``train.batch_size`` sequences) is cut into M
micro-batches. Micro-batch m of step s is the same on whatever process computes it: its clips follow from (seed,
epoch), and before its forward pass all random generators are seeded from (seed, s, m), so noise, timesteps and dropout
are too. Process r of W computes m = r, r + W, ...; DDP averages. One process with the same M gives the same gradients.

**Resumed equals uninterrupted**, for the same reason: no random state has to be saved, it follows from the step.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from motion_platform import __version__
from motion_platform.core.config import Recipe, TrainRecipe
from motion_platform.core.errors import MotionPlatformError, UsageError
from motion_platform.core.files import lock_folder, settle
from motion_platform.core.seeding import seed_everything, seed_of
from motion_platform.evaluation import passes as evaluate
from motion_platform.model.motion_model import CARD, MotionModel
from motion_platform.model.run import Run
from motion_platform.training import parts, trackers
from motion_platform.training import state as checkpoint
from motion_platform.training.build import assemble, output_folder, start_from
from motion_platform.training.ema import EMA
from motion_platform.training.feeding import loader_for, precompute
from motion_platform.training.known import write_what_is_known
from motion_platform.training.progress import Reporter
from motion_platform.training.ranks import Interrupted, StopFlag, agreed, alike, micro_batches, told_when_another_ends
from motion_platform.training.zero import held, later


def run(
    recipe: Recipe,
    name: str,
    *,
    header: str = "",
    resume: bool = False,
    overwrite: bool = False,
    device: str | None = None,
    quiet: bool = False,
    again: str = "the same command with --resume",
) -> Path:
    """Train a recipe (``name``: what to call it) and return the folder of the model.

    header: comment lines for the recipe's copy. device: None (the accelerator that is there) or "cpu". again: how a
    person resumes it.

    Errors: those of ``assemble``; UsageError when the output folder holds a run already or cannot be one; Interrupted
    on Ctrl-C.
    """
    train, output = recipe.train, output_folder(recipe, name)
    check_request(train, output, device, fresh=not (resume or overwrite))
    AcceleratorState._reset_state()  # noqa: SLF001 - accelerate would refuse a second run of this process with another precision
    names = trackers.chosen(train.log_with)
    accelerator = trackers.accelerator_for(output, names, precision=train.precision, cpu=device == "cpu")
    with lock_folder(output, "trains") if accelerator.is_main_process else contextlib.nullcontext():
        if accelerator.is_main_process and not (resume or overwrite):
            check_fresh(output)  # another process may have ended meanwhile
        with told_when_another_ends(accelerator.num_processes, again):
            return _run(recipe, name, output, accelerator, names, header, resume, overwrite, quiet, again)


def _run(
    recipe: Recipe,
    name: str,
    output: Path,
    accelerator: Accelerator,
    names: list[str],
    header: str,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    again: str,
) -> Path:
    """The same in a folder that is this process's own."""
    train = recipe.train
    rank, world = accelerator.process_index, accelerator.num_processes
    micro = micro_batches(train, world)
    state = checkpoint.load_state(output, recipe) if resume else None
    built = assemble(recipe, name=name)
    dataset = built.open_data()
    prepared = dataset.fingerprint
    if state is not None and state.get("prepared", prepared) != prepared:
        raise UsageError(
            f"{output}: data set {recipe.data.name} ({dataset.folder}) is not what this run began with; "
            "it was prepared anew. Start again with --overwrite, or put the old data back"
        )
    reporter = Reporter(output, quiet=quiet or not accelerator.is_main_process)
    if recipe.initial is not None and state is None:
        reporter.initial(recipe.initial, *start_from(built, recipe.initial))
    built.model.to(accelerator.device)
    facts = {
        "prepared set": prepared,
        "recipe": str(recipe.model_dump(exclude={"output": True, "data": {"folder"}})),
        "state to resume": str(state and state["step"]),
        "version of the code": __version__,
    }
    alike(accelerator, facts, again)
    loader = loader_for(built, recipe, name, micro)
    written, train = recipe, train.in_steps(len(loader.rows))
    recipe = recipe.model_copy(update={"train": train})
    with accelerator.main_process_first():  # the others find the features in the cache
        precompute(built.model, loader, reporter)
    if state is not None:
        restore_weights(state, built.model)
    model, optimiser = parts.prepared(accelerator, built.model, make_optimiser(built.model, train), recipe)
    ema = EMA(built.model, train.ema_decay)
    step = 0
    if state is not None:
        step = restore(state, ema, optimiser)
    if state is not None and accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(state["scaler"])
    batches = loader.micro_batches(step * micro + rank, stride=world, prefetch=train.prefetch)

    def save() -> None:
        accelerator.wait_for_everyone()
        chief = accelerator.is_main_process
        state = parts.whole(snapshot(step, built.model, ema, optimiser, accelerator), keep=chief)
        refuse_nan(state, step)
        if chief:
            checkpoint.save(built.model, output, written, header, step=step, state={**state, "prepared": prepared})
        accelerator.wait_for_everyone()

    if overwrite and not resume:
        reporter.forget()
    reporter.start(step, built.model, f"{accelerator.device}, {world} process{'es' * (world > 1)}", micro, train)
    if names and not reporter.quiet:
        reporter.trackers = trackers.Trackers(accelerator, recipe, step)
    with reporter, StopFlag() as stop:
        while step < train.steps:
            losses = optimise(model, optimiser, batches, accelerator, recipe, step, micro)
            ema.update(built.model)
            step += 1
            reporter.add(losses, train.batch_size)
            if step % train.log_every == 0 or step == train.steps:
                reporter.log(step, learning_rate(train, step - 1))
            if recipe.validation.every and step % recipe.validation.every == 0:
                reporter.validation(step, validate(built, ema, recipe, rank, world))
            if agreed(stop.wanted, accelerator, step, train.log_every):
                save()
                raise Interrupted(f"stopped at step {step} of {train.steps}, saved in {output}; go on with: {again}")
            if step % train.save_every == 0 and step < train.steps:
                save()
        save()
        write_what_is_known(built.model, loader, output, chief=accelerator.is_main_process)
    reporter.end(output)
    return output


def refuse_nan(state: Mapping[str, Any], step: int) -> None:
    """MotionPlatformError for a number that is not finite in weights, their averages or the optimiser's state, before
    anything is saved that a run could resume from."""
    for what, part in (("weight", "model"), ("averaged weight", "ema"), ("state of the optimiser", "optimiser")):
        for name, value in tensors_in(state[part]):
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise MotionPlatformError(
                    f"step {step}: {what} {name} is not finite; nothing was saved, the state of the last save stands; "
                    "lower train.learning_rate, or use train.precision=no"
                )


def tensors_in(values: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """(dotted name, tensor) of everything in nested tables and lists."""
    if isinstance(values, torch.Tensor):
        yield name, values
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        yield from tensors_in(value, f"{name}.{key}" if name else str(key))


def check_request(train: TrainRecipe, output: Path, device: str | None, *, fresh: bool) -> None:
    """UsageError for what cannot be done here, before anything is read. fresh: the run neither resumes nor replaces."""
    check_output(output)
    if train.precision == "fp16" and (device == "cpu" or not torch.cuda.is_available()):
        raise UsageError("train.precision: got 'fp16', which needs a GPU; allowed here: bf16, no")
    settle(output / CARD)
    if fresh:
        check_fresh(output)


def check_fresh(output: Path) -> None:
    """UsageError for a folder that holds a run."""
    if (output / CARD).exists() or (output / checkpoint.RESUME).exists():
        raise UsageError(f"{output}: holds a run already; use --resume, --overwrite, or output=ANOTHER_FOLDER")


def check_output(output: Path) -> None:
    """UsageError when ``output`` is a file, or would lie below one."""
    for place in (output, *output.parents):
        if place.is_dir():
            return
        if place.exists():
            what = "is a file" if place == output else f"{place} is a file"
            raise UsageError(f"output: {output}: {what}; give a folder")


def optimise(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Any,
    accelerator: Accelerator,
    recipe: Recipe,
    step: int,
    micro: int,
) -> dict[str, torch.Tensor]:
    """One optimiser step; the detached losses of this process, averaged over its micro-batches."""
    world, train = accelerator.num_processes, recipe.train
    own = micro // world
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(train, step) * group.get("pace", 1.0)
    optimiser.zero_grad(set_to_none=True)
    total: dict[str, torch.Tensor] = {}
    for k in range(own):
        batch = next(batches).to(accelerator.device)
        seed_everything(seed_of(recipe.seed, step, k * world + accelerator.process_index))
        with accelerator.no_sync(model) if k < own - 1 else contextlib.nullcontext():
            losses = model(batch)
            parts.backward(accelerator, model, losses["loss"], own)
        for key, value in losses.items():
            total[key] = total.get(key, 0) + value.detach() / own
    if world > 1:  # what is logged is the loss of all processes' clips; which parts there are may differ between them
        total["loss"] = accelerator.reduce(total["loss"].float(), reduction="mean")
    if train.gradient_clip:
        norm = accelerator.clip_grad_norm_(model.parameters(), train.gradient_clip)
        total["gradient_norm"] = parts.whole(norm)
    optimiser.step()
    return total


def learning_rate(train: TrainRecipe, step: int) -> float:
    """Linear warm-up from 0, then constant, or down to 0 by a line or half a cosine. ``step`` counts from 0."""
    if step < train.warmup_steps:
        return train.learning_rate * (step + 1) / train.warmup_steps
    done = (step - train.warmup_steps) / max(1, train.steps - train.warmup_steps)
    factor = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}[train.schedule]
    return train.learning_rate * factor


def make_optimiser(model: MotionModel, train: TrainRecipe) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices only (not on biases, norms and other vectors); ``paces`` of the trainable."""
    paces = {f"trainable.{start}": pace for start, pace in model.trainable.paces.items()}
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    for pace in (1.0, *paces.values()):  # first the matrices, then the vectors, and those with a pace last
        for matrix in (True, False):
            decay = train.weight_decay if matrix else 0.0
            groups.setdefault((pace, matrix), {"params": [], "weight_decay": decay, "pace": pace})
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    for name, parameter in trained:
        pace = next((pace for start, pace in paces.items() if name.startswith(start)), 1.0)
        groups[pace, parameter.ndim >= 2]["params"].append(parameter)
    fused = trained[0][1].device.type == "cuda"
    return torch.optim.AdamW(list(groups.values()), lr=train.learning_rate, betas=tuple(train.betas), fused=fused)


def validate(built: Run, ema: EMA, recipe: Recipe, rank: int, world: int) -> dict[str, float]:
    """``evaluate.run`` on a subset, under the averaged weights."""
    metrics = recipe.validation.metrics or None
    with ema.applied(built.model):
        result = evaluate.measure_run(
            built,
            metrics=metrics,
            split=recipe.validation.split,
            samples=recipe.validation.samples,
            rank=rank,
            world=world,
        )
    return result["metrics"]


def snapshot(step: int, model: MotionModel, ema: EMA, optimiser: Any, accelerator: Accelerator) -> dict[str, Any]:
    """All that changes while training."""
    return {
        "step": step,
        "model": {name: later(held(t), t) for name, t in model.own_state().items()},
        "ema": ema.state_dict(),
        "optimiser": optimiser.state_dict(),
        "scaler": accelerator.scaler.state_dict() if accelerator.scaler is not None else None,
        "data": model.card.data,
    }


@torch.no_grad()
def restore_weights(state: dict[str, Any], model: MotionModel) -> None:
    """Those of :func:`snapshot` into a model that no engine has yet spread: DeepSpeed copies what it begins with."""
    for name, value in model.own_state().items():
        value.copy_(state["model"][name])
    if "data" in state:  # with what the weights started from, which is not read again
        model.card = model.card.model_copy(update={"data": state["data"]})


def restore(state: dict[str, Any], ema: EMA, optimiser: Any) -> int:
    """The rest of :func:`snapshot`, into what the engine made; returns the step."""
    ema.load_state_dict(state["ema"])
    parts.load_optimiser(optimiser, state["optimiser"])
    return int(state["step"])
