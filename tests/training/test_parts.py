"""FSDP2 through accelerate on two gloo processes: the step is that of one process, and so is what is saved."""

import os
from pathlib import Path
from types import SimpleNamespace

import forked
import pytest
import torch
from accelerate.utils import DistributedType

from motion_platform.core import config
from motion_platform.core.errors import UsageError
from motion_platform.training import parts, train

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (
    "model.settings.tuning=full", "model.settings.layers=2", "validation.every=0", "train.gradient_accumulation=2",
    "train.batch_size=8", "train.schedule=constant", "train.warmup_steps=0", "train.ema_decay=0.9", "train.log_every=1",
)  # fmt: skip
START = '''
"""accelerate opens FSDP on accelerators only; everything after that is the same on a CPU."""
import sys

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from motion_platform.core import config
from motion_platform.training import trackers, train

plain = trackers.accelerator_for


def with_fsdp(*arguments, **more):
    accelerator = plain(*arguments, **more)
    AcceleratorState._shared_state["distributed_type"] = DistributedType.FSDP
    AcceleratorState._shared_state["fsdp_plugin"] = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=False
    )
    return accelerator


trackers.accelerator_for = with_fsdp
prepared = train.parts.prepared


def looked_at(accelerator, model, optimiser, recipe):
    made = prepared(accelerator, model, optimiser, recipe)
    share = sum(p.to_local().numel() for p in model.parameters()) / sum(p.numel() for p in model.parameters())
    layers = sum(type(m).__name__.startswith("FSDPLlamaDecoderLayer") for m in model.modules())
    print(f"rank {accelerator.process_index} holds {share:.2f}, {layers} layers")
    return made


train.parts.prepared = looked_at
for steps, more in ((1, {}), (2, {"resume": True})):
    recipe = config.load_recipe(__import__("pathlib").Path(sys.argv[1]), [f"train.steps={steps}"])
    train.run(recipe, "lm", device="cpu", quiet=True, **more)
'''


@pytest.mark.slow
def test_an_fsdp_step_equals_the_step_of_one_process(recipe, tiny_base, tokenizers, tmp_path: Path) -> None:
    """Two steps of a small LLaMA, trained whole: at once in one process, and stopped and resumed in two that hold a
    half each."""
    own = f"model.settings.base={tiny_base()}", f"model.settings.tokenizer={tokenizers[0]}"
    alone = train.run(
        recipe(*own, *SETTINGS, "train.steps=2", base="smoke/motion_lm", output="one"), "lm", device="cpu", quiet=True
    )
    file, start = tmp_path / "two.yaml", tmp_path / "start.py"
    file.write_text(config.to_yaml(recipe(*own, *SETTINGS, base="smoke/motion_lm", output="two")))
    start.write_text(START)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = forked.run([str(start), str(file)], environment, processes=2)
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in range(2):
        assert f"rank {rank} holds 0.50, 2 layers" in done.stdout
    one, two = (torch.load(f / "resume" / "state.pt", weights_only=True) for f in (alone, tmp_path / "two"))
    assert one["model"].keys() == two["model"].keys()
    for what in ("model", "ema"):
        tensors = one[what] if what == "model" else one[what]["shadow"]
        others = two[what] if what == "model" else two[what]["shadow"]
        for name, value in tensors.items():
            assert (value - others[name]).abs().max() < 1e-5, (what, name)
    moments, others = one["optimiser"]["state"], two["optimiser"]["state"]
    assert max(float(m["exp_avg"].abs().max()) for m in moments.values()) > 1e-3
    for key, values in moments.items():
        assert (values["exp_avg"] - others[key]["exp_avg"]).abs().max() < 1e-5
        assert values["step"] == others[key]["step"] == 2


def test_what_fsdp_cannot_do_is_said_before_training(recipe) -> None:
    class Engine:
        distributed_type = DistributedType.FSDP

        def __init__(self, version: int, alone: bool) -> None:
            plugin = SimpleNamespace(fsdp_version=version, cpu_ram_efficient_loading=alone)
            self.state = SimpleNamespace(fsdp_plugin=plugin)

    model, adapter = (SimpleNamespace(trainable=SimpleNamespace(spread=why)) for why in ("", "use shard=true"))
    for engine, trained, made, message in (
        (Engine(1, False), model, recipe(), "version 1 is configured, 2 is needed"),
        (Engine(2, True), model, recipe(), "fsdp_cpu_ram_efficient_loading false"),
        (Engine(2, False), adapter, recipe(), "FSDP: use shard=true"),
        (Engine(2, False), model, recipe("validation.every=2"), "validation.every=0"),
    ):
        with pytest.raises(UsageError, match=message):
            parts.prepared(engine, trained, None, made)


def test_whole_values_are_left_as_they_are() -> None:
    tensor = torch.randn(3)
    found = parts.whole({"a": [tensor, 1], "b": {"c": None}}, keep=False)
    assert found["a"][0] is tensor
    assert found == {"a": [tensor, 1], "b": {"c": None}}
    assert parts.part_of(tensor, torch.zeros(3)) is tensor
