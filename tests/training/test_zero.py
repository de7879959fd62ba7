"""DeepSpeed through accelerate on two gloo processes: the step is that of one process, and so is what is saved."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import SimpleNamespace

import forked
import pytest
import torch
from safetensors.torch import load_file

from motion_platform.core import config
from motion_platform.core.errors import UsageError
from motion_platform.training import train, zero

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (
    "model.settings.layers=2", "validation.every=0", "train.gradient_accumulation=4", "train.batch_size=8",
    "train.schedule=constant", "train.warmup_steps=0", "train.ema_decay=0.9", "train.log_every=1",
    "train.log_with=[]",
)  # fmt: skip
LORA, FULL = ("model.settings.tuning=lora", "model.settings.rank=4"), ("model.settings.tuning=full",)
needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="needs DeepSpeed (pip install -e '.[deepspeed]')"
)


def environment(folder: Path, stage: int) -> dict[str, str]:
    """What ``accelerate launch --use_deepspeed --deepspeed_config_file FILE`` sets."""
    file = folder / f"stage{stage}.json"
    # Of its own accord stage 3 leaves tensors of fewer than 100,000 values whole: a tiny model would have no parts.
    file.write_text(json.dumps({"zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": 0}}))
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {
        **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(file), "DS_ACCELERATOR": "cpu",
    }  # fmt: skip


def logged(folder: Path, key: str) -> list[float]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line[key] for line in lines if key in line]


@needs_deepspeed
@pytest.mark.slow
@pytest.mark.parametrize(("stage", "tuning"), [(2, LORA), (3, LORA), (3, FULL)])
def test_a_step_under_deepspeed_equals_the_step_of_one_process(
    recipe, tiny_base, tokenizers, tmp_path: Path, stage: int, tuning: tuple[str, ...]
) -> None:
    """Three steps of a small LLaMA: at once in one process, and in two under DeepSpeed, stopped and resumed after the
    first, and again after the second by one process without it."""
    own = f"model.settings.base={tiny_base()}", f"model.settings.tokenizer={tokenizers[0]}", *SETTINGS, *tuning
    alone = [
        train.run(recipe(*own, f"train.steps={n}", base="smoke/motion_lm", output=f"one{n}"), "lm", device="cpu")
        for n in (2, 3)
    ]
    two, file = tmp_path / "two", tmp_path / "two.yaml"
    file.write_text(config.to_yaml(recipe(*own, base="smoke/motion_lm", output="two")))
    for steps, more in ((1, []), (2, ["--resume"])):
        words = ["-m", "motion_platform", "train", str(file), "--device", "cpu", f"train.steps={steps}", *more]
        done = forked.run(words, environment(tmp_path, stage), processes=2)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
        assert "on cpu, 2 processes" in done.stdout
    same(alone[0], two, steps=2)
    for key in ("loss", "gradient_norm"):
        assert logged(two, key) == pytest.approx(logged(alone[0], key), rel=1e-4)
    train.run(config.load_recipe(file, ["train.steps=3"]), "lm", device="cpu", resume=True)
    same(alone[1], two, steps=3)


def same(one: Path, two: Path, *, steps: int) -> None:
    """Both hold the same to 1e-5: weights, averages, moments, and the model that is used."""
    kept, other = (torch.load(folder / "resume" / "state.pt", weights_only=True) for folder in (one, two))
    moments = [
        {f"{k}.{m}": v for k, values in s["optimiser"]["state"].items() for m, v in values.items()}
        for s in (kept, other)
    ]
    assert max(float(v.abs().max()) for name, v in moments[0].items() if name.endswith("exp_avg")) > 1e-3
    assert {float(v) for name, v in moments[1].items() if name.endswith("step")} == {steps}
    for a, b in (
        (kept["model"], other["model"]),
        (kept["ema"]["shadow"], other["ema"]["shadow"]),
        moments,
        (load_file(one / "model.safetensors"), load_file(two / "model.safetensors")),
    ):
        assert a.keys() == b.keys()
        for name, value in a.items():
            assert value.shape == b[name].shape, name
            assert float((value - b[name]).abs().max()) < 1e-5, name


def test_what_deepspeed_cannot_do_is_said_before_training(recipe) -> None:
    for settings, made, message in (
        ({"zero_optimization": {"stage": 1}}, recipe(), "zero_stage: got 1; allowed: 2"),
        ({"zero_optimization": {"stage": 2}, "optimizer": {}}, recipe(), "'optimizer', which the recipe says"),
        ({"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}, recipe(), "got 'cpu'"),
        ({"zero_optimization": {"stage": 2}}, recipe("train.precision=fp16"), "allowed: bf16, no"),
        ({"zero_optimization": {"stage": 3}}, recipe("validation.every=2"), "validation.every=0"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            zero.check(settings, made)
        assert "\n" not in str(caught.value)
    zero.check({"zero_optimization": {"stage": 2, "offload_param": {"device": "none"}}}, recipe("validation.every=2"))


def test_a_gpu_is_not_left_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [handler.backend for handler in zero.handlers(cpu=True)] == ["gloo"] * (not torch.cuda.is_available())
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: True))
    assert zero.handlers(cpu=False) == []
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES=''"):
        zero.handlers(cpu=True)


def test_parts_of_all_processes_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven values over three processes: three, three, and one with two to spare."""
    value, like = torch.arange(7.0).view(7, 1), torch.empty(0)
    like.ds_tensor = torch.zeros(3)
    found = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        found.append(zero.part_of(value, like))
    assert [part.tolist() for part in found] == [[0, 1, 2], [3, 4, 5], [6, 0, 0]]
    plain = torch.randn(3, requires_grad=True)
    assert zero.held(plain).equal(plain)
    assert zero.later(plain, plain) is plain
