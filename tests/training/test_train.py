from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from forked import ROOT, run
from safetensors.torch import load_file
from torch import nn

from motion_platform.core.errors import ConfigError, MotionPlatformError, UsageError, WeightsError
from motion_platform.data.loader import make_loader
from motion_platform.data.meta import digest
from motion_platform.data.prepared import PreparedDataset
from motion_platform.model.run import load_run
from motion_platform.training import build, progress, train
from motion_platform.training import state as checkpoint
from motion_platform.training.progress import Reporter

QUIET = {"device": "cpu", "quiet": True}


class Runs:
    """A pickle of this makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


def state_of(folder: Path) -> dict:
    return torch.load(folder / checkpoint.RESUME, weights_only=True)


def same(a: object, b: object, where: str = "") -> None:
    """Equal bit for bit, through dicts and lists."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}.{i}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    else:
        assert a == b, where


@pytest.mark.parametrize("accumulation", [1, 2])
def test_resumed_equals_uninterrupted_bit_for_bit(recipe, train_until, accumulation: int) -> None:
    options = ["train.steps=9", f"train.gradient_accumulation={accumulation}", "validation.every=3"]
    whole = train.run(recipe(*options, output="whole"), "whole", **QUIET)
    part = recipe(*options, output="part")
    train_until(part, "part", 4, r"step 4 of 9.*go on with: .*--resume")
    assert state_of(Path(part.output))["step"] == 4
    resumed = train.run(part, "part", resume=True, **QUIET)
    before, after = state_of(whole), state_of(resumed)
    before.pop("recipe"), after.pop("recipe")
    same(before, after)
    same(load_file(whole / "model.safetensors"), load_file(resumed / "model.safetensors"))


def test_training_learns_and_the_averaged_weights_are_what_is_saved(recipe) -> None:
    made = recipe("train.steps=60", "train.log_every=10", "train.ema_decay=0.5")
    folder = train.run(made, "toy", device="cpu")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.7 * losses[0]
    assert {"rec", "learning_rate", "sequences_per_second", "gradient_norm"} <= lines[0].keys()
    saved, state = load_file(folder / "model.safetensors"), state_of(folder)
    for name, average in state["ema"]["shadow"].items():
        assert torch.equal(saved[name], average)
    assert any(not torch.equal(saved[name], state["model"][name]) for name in state["ema"]["shadow"])


def test_a_space_is_trained_by_the_same_loop(recipe) -> None:
    folder = train.run(recipe("train.steps=60", base="smoke/recogniser"), "rec", device="cpu")
    run = load_run(folder)
    assert run.model.trainable.targets == {"content": ["runs", "walks"], "style": ["angry", "calm"]}
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line for line in lines if "validation/recognition_content" in line][-1][
        "validation/recognition_content"
    ] == 1


def test_two_processes_give_the_gradients_and_the_validation_of_one(toy_data: Path, tmp_path: Path) -> None:
    """First moments of Adam after one step are (1 - beta1) times the first gradient."""
    environment = {**os.environ, "MOTION_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    options = [f"data.folder={toy_data}", "train.steps=1", "train.gradient_accumulation=2", "train.gradient_clip=0",
               "model.settings.dropout=0.1", "model.settings.layers=1", "train.log_every=1",
               "validation.every=1", "validation.samples=5"]  # fmt: skip
    for name, processes, said in (("one", 1, "1 process:"), ("two", 2, "2 processes:")):
        command = ["cli.py", "train", "smoke/text_to_motion", *options, f"output={tmp_path / name}", "--device", "cpu"]
        done = run(command, environment, processes=processes)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    one, two = state_of(tmp_path / "one"), state_of(tmp_path / "two")
    assert one["optimiser"]["state"].keys() == two["optimiser"]["state"].keys()
    largest = 0.0
    for key, moments in one["optimiser"]["state"].items():
        gradient, other = (m["exp_avg"] / 0.1 for m in (moments, two["optimiser"]["state"][key]))
        assert torch.allclose(gradient, other, rtol=1e-5, atol=1e-6), key
        largest = max(largest, gradient.abs().max().item())
    assert largest > 1e-2  # the comparison was not of zeros
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines()[-1] for name in ("one", "two")]
    metrics, others = (json.loads(line) for line in logs)
    assert "validation/foot_skating" in metrics
    assert metrics == pytest.approx(others, rel=1e-4)
    lines = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "two")]
    one_loss, two_loss = (next(json.loads(line)["loss"] for line in log if '"loss"' in line) for log in lines)
    assert one_loss == pytest.approx(two_loss, rel=1e-4), "the loss of all processes is logged"


@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_batch_system_save_and_say_how_to_go_on(toy_data: Path, tmp_path: Path, wish: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "cli.py", "train", "smoke/recogniser", f"data.folder={toy_data}", "train.steps=100000",
               "train.log_every=1", f"output={tmp_path / 'run'}", "--device", "cpu"]  # fmt: skip
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        for line in process.stdout:
            if line.startswith("step"):
                process.send_signal(wish)
                break
        _, error = process.communicate(timeout=900)
    assert process.returncode == 130
    assert error.splitlines()[-1].startswith("error: stopped at step ")
    assert "--resume" in error
    assert state_of(tmp_path / "run")["step"] >= 1
    assert load_run(tmp_path / "run").model.card.step == state_of(tmp_path / "run")["step"]


def test_a_run_is_not_overwritten_unless_asked(recipe) -> None:
    made = recipe("train.steps=1", base="smoke/recogniser")
    train.run(made, "rec", **QUIET)
    with pytest.raises(UsageError, match=r"holds a run already.*--resume, --overwrite"):
        train.run(made, "rec", **QUIET)
    train.run(made, "rec", overwrite=True, **QUIET)


def test_resuming_another_run_or_a_broken_one_is_refused(recipe) -> None:
    made = recipe("train.steps=1", base="smoke/recogniser")
    with pytest.raises(UsageError, match="nothing to resume"):
        train.run(made, "rec", resume=True, **QUIET)
    folder = train.run(made, "rec", **QUIET)
    other = recipe("train.steps=2", "train.batch_size=4", base="smoke/recogniser")
    with pytest.raises(UsageError, match=r"train\.batch_size was 8 and is now 4"):
        train.run(other, "rec", resume=True, **QUIET)
    path = folder / checkpoint.RESUME
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot be read"):
        train.run(made, "rec", resume=True, **QUIET)


def test_a_state_that_would_run_code_is_refused_before_it_does(recipe, tmp_path: Path) -> None:
    path = tmp_path / "run" / checkpoint.RESUME
    path.parent.mkdir(parents=True)
    torch.save({"format": checkpoint.RESUME_FORMAT, "recipe": Runs(tmp_path / "ran")}, path)
    with pytest.raises(WeightsError, match="cannot be read"):
        checkpoint.load_state(tmp_path / "run", recipe())
    assert not (tmp_path / "ran").exists()
    torch.load(path, weights_only=False)  # the trap itself works
    assert (tmp_path / "ran").exists()


def test_low_precision_and_a_lost_run(recipe) -> None:
    folder = train.run(recipe("train.steps=2", "train.precision=bf16"), "toy", **QUIET)
    assert all(t.dtype == torch.float32 for t in load_file(folder / "model.safetensors").values())
    with pytest.raises(UsageError, match="'fp16', which needs a GPU"):
        train.run(recipe("train.precision=fp16", output="other"), "toy", **QUIET)
    wild = recipe("train.steps=200", "train.learning_rate=1e30", "train.log_every=5", output="wild")
    with pytest.raises(MotionPlatformError, match=r"the loss is .*lower train\.learning_rate"):
        train.run(wild, "toy", device="cpu")
    assert not (Path(wild.output) / "model.safetensors").exists()


def test_learning_rate_follows_its_formula(recipe) -> None:
    plan = recipe("train.steps=110", "train.warmup_steps=10", "train.learning_rate=2.0").train
    assert [train.learning_rate(plan, s) for s in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    assert train.learning_rate(plan, 10 + 25) == pytest.approx(1 + math.cos(math.pi / 4))
    assert train.learning_rate(plan, 109) == pytest.approx(1 + math.cos(math.pi * 0.99))
    linear = plan.model_copy(update={"schedule": "linear"})
    assert train.learning_rate(linear, 10 + 25) == pytest.approx(1.5)
    assert train.learning_rate(plan.model_copy(update={"schedule": "constant"}), 99) == 2.0


def test_weight_decay_shrinks_matrices_and_leaves_biases_and_norms(recipe) -> None:
    """A step of AdamW without gradients is the decay alone: p (1 - rate * decay), Loshchilov & Hutter 2019, alg. 2."""
    network = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Conv1d(4, 2, 3), nn.Embedding(5, 2))
    network.paces = {}
    model = nn.ModuleDict({"trainable": network})
    model.trainable = network
    made = recipe("train.weight_decay=0.1", "train.learning_rate=0.5").train
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimiser = train.make_optimiser(model, made)
    for value in network.parameters():
        value.grad = torch.zeros_like(value)
    optimiser.step()
    for name, value in network.named_parameters():
        factor = 0.95 if name in ("0.weight", "2.weight", "3.weight") else 1.0
        torch.testing.assert_close(value.detach(), factor * before[name], msg=name)
    assert {name for name in before if before[name].ndim < 2} == {"0.bias", "1.weight", "1.bias", "2.bias"}


def test_micro_batches_are_shared_out_evenly(recipe) -> None:
    plan = recipe("train.batch_size=12", "train.gradient_accumulation=3").train
    assert [train.micro_batches(plan, world) for world in (1, 2, 3)] == [3, 4, 3]
    with pytest.raises(UsageError, match="must be a multiple of 5"):
        train.micro_batches(plan, 5)


def test_slots_must_fit_the_task(recipe) -> None:
    with pytest.raises(ConfigError, match="no such slot; did you mean 'text_high'"):
        train.run(recipe("slots.text_hihg={encoder: letters}"), "toy", **QUIET)


def test_settings_of_a_component_are_checked_with_the_recipe_in_front(recipe) -> None:
    with pytest.raises(ConfigError, match=r"toy: model: mdm has no setting 'layerz'; did you mean 'layers'"):
        train.run(recipe("model.settings.layerz=3"), "toy", **QUIET)
    with pytest.raises(ConfigError, match=r"toy: slots\.text_high: letters has no setting 'scales'"):
        train.run(recipe("slots.text_high.settings.scales=3"), "toy", **QUIET)


def test_frozen_encoders_read_ahead_exactly_what_training_meets(own_task, own_recipe) -> None:
    """Slots of labels and of captions, two of a clip: after encoding ahead, no batch needs the encoder again."""
    made = own_recipe(own_task("text: text, style: text, label: text"), "text", "style", "label")
    built = build.assemble(made, name="mine")
    spec, slots = built.model.spec, tuple(made.slots)
    batches = make_loader(built.dataset, "train", spec, slots, batch_size=8, captions_per_clip=1)
    train.precompute(built.model, batches, Reporter(Path(made.output), quiet=True))
    table = built.model.conditioning.cache.table(next(iter(built.model.conditioning.fingerprints.values())))
    met = {text for epoch in range(4) for batch in batches.epoch(epoch) for said in batch.raw.values() for text in said}
    assert met == set(table)
    assert {"calm", "angry", "runs calm"} <= met
    assert not any(text.startswith("somebody") for text in met)  # the second captions


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_fine_tuning_goes_on_from_the_loss_of_its_start(recipe, capsys: pytest.CaptureFixture[str]) -> None:
    first = train.run(recipe("train.steps=60", "validation.every=0", output="first"), "first", device="cpu")
    options = ["train.steps=10", "train.learning_rate=1e-6", "train.ema_decay=0", "validation.every=0"]
    capsys.readouterr()
    tuned = train.run(recipe(*options, f"initial={first}", output="tuned"), "tuned", device="cpu")
    total = len(load_file(first / "model.safetensors")) - 2  # without the statistics
    assert f"starting from {first}: {total} of {total} tensors taken\n" in capsys.readouterr().out
    anew = train.run(recipe(*options, output="anew"), "anew", device="cpu")
    start, end, new = (log_of(folder)[k]["loss"] for folder, k in ((tuned, 0), (first, -1), (anew, 0)))
    assert start < end + 0.3 * (new - end)
    card = load_run(tuned).model.card
    (before,) = card.data["trained_from"]
    assert before["model"] == "first"
    assert before["sha256"] == load_run(first).model.card.weights["sha256"]
    again = train.run(recipe(*options, f"initial={tuned}", output="again"), "again", device="cpu")
    assert [each["model"] for each in load_run(again).model.card.data["trained_from"]] == ["tuned", "first"]


def test_fine_tuning_takes_what_agrees_and_says_what_is_new(recipe) -> None:
    first = train.run(recipe("train.steps=1", output="first"), "first", **QUIET)
    other = recipe("model.settings.feed_forward=64", f"initial={first}", "slots.text_low.settings.scale=2.0")
    built = build.assemble(other, name="other")
    before = {name: tensor.detach().clone() for name, tensor in built.model.own_state().items()}
    taken, new = build.start_from(built, str(first))
    assert taken + len(new) == len(before)
    assert any(".projections.text_low." in name for name in new)  # another encoder: the same shape says nothing
    assert not any(".projections.text_high." in name for name in new)
    source = load_file(first / "model.safetensors")
    for name, tensor in built.model.own_state().items():
        assert torch.equal(tensor, before[name] if name in new else source[name]), name


def test_fine_tuning_goes_on_where_an_encoder_gives_more_layers(recipe) -> None:
    """The columns of a layer that is new count nothing: the model says what it said."""
    slot = ["slots.text_high.encoder=sentence", "slots.text_high.settings={output: tokens}"]
    first = train.run(recipe(*slot, "train.steps=1", output="first"), "first", **QUIET)
    before = load_run(first).model
    wider = "slots.text_high.settings={output: tokens, layers: [6, 4]}"
    built = build.assemble(recipe(slot[0], wider, f"initial={first}"), name="wider")
    taken, new = build.start_from(built, str(first))
    assert (taken, new) == (len(before.own_state()), [])
    weight = built.model.conditioning.projections["text_high"].weight
    assert weight.shape[1] == 2 * 384
    assert not weight[:, 384:].any()
    raw = {"text_high": ["a person walks", "somebody waves"], "text_low": [None, None]}
    raw = {name: raw[name] for name in before.conditioning.slots}
    with torch.no_grad():
        told = [model.eval().conditioning(raw)["text_high"].tokens for model in (before, built.model)]
    torch.testing.assert_close(told[1], told[0], atol=1e-5, rtol=1e-4)
    other = build.assemble(recipe(slot[0], wider.replace("6, 4", "4, 6")), name="turned")
    assert any(".projections.text_high." in name for name in build.start_from(other, str(first))[1])


def test_fine_tuning_from_what_does_not_fit_is_one_line(recipe) -> None:
    first = train.run(recipe("train.steps=1", output="first"), "first", **QUIET)
    rec = train.run(recipe("train.steps=1", base="smoke/recogniser", output="recogniser"), "rec", **QUIET)
    with pytest.raises(ConfigError, match=r"initial: .*recogniser.*\) has no tensor of the name and shape"):
        train.run(recipe(f"initial={rec}"), "toy", **QUIET)
    card = yaml.safe_load((first / "model.yaml").read_text())
    card["spec"]["representation"] = "humanml3d"
    (first / "model.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(ConfigError, match=r"has representation 'humanml3d', this recipe 'humanml3d_essential'"):
        train.run(recipe(f"initial={first}"), "toy", **QUIET)


def test_a_resumed_fine_tuning_does_not_need_its_start_again(recipe, train_until) -> None:
    first = train.run(recipe("train.steps=1", output="first"), "first", **QUIET)
    options = ["train.steps=4", f"initial={first}", "validation.every=0"]
    whole = train.run(recipe(*options, output="whole"), "run", **QUIET)
    part = recipe(*options, output="part")
    train_until(part, "run", 2)
    shutil.rmtree(first)
    resumed = train.run(part, "run", resume=True, **QUIET)
    same(load_file(whole / "model.safetensors"), load_file(resumed / "model.safetensors"))
    data = [load_run(folder).model.card.data for folder in (whole, resumed)]
    assert data[0] == data[1]
    assert "trained_from" in data[0]


def test_an_output_that_cannot_be_a_folder_is_refused_first(recipe, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="taken: is a file; give a folder"):
        train.run(recipe(output="taken"), "toy", **QUIET)
    with pytest.raises(UsageError, match=r"below: .*taken is a file; give a folder"):
        train.run(recipe(output="taken/below"), "toy", **QUIET)


def test_a_run_is_not_resumed_over_other_data(recipe, toy_data: Path) -> None:
    made = recipe("train.steps=1", base="smoke/recogniser")
    train.run(made, "rec", **QUIET)
    meta = toy_data / "meta.json"
    before = meta.read_text()
    try:
        changed = json.loads(before) | {"name": "toy2"}
        meta.write_text(json.dumps(changed | {"sha256": digest(changed)}))
        with pytest.raises(UsageError, match="is not what this run began with"):
            train.run(recipe("train.steps=2", base="smoke/recogniser"), "rec", resume=True, **QUIET)
    finally:
        meta.write_text(before)
    train.run(recipe("train.steps=2", base="smoke/recogniser"), "rec", resume=True, **QUIET)


def test_what_is_not_finite_is_never_saved_as_a_state(recipe) -> None:
    wild = recipe(
        "train.steps=60", "train.learning_rate=1e30", "train.log_every=50", "train.save_every=2", output="nan"
    )
    with pytest.raises(MotionPlatformError, match=r"is not finite; nothing was saved|the loss is"):
        train.run(wild, "toy", **QUIET)
    path = Path(wild.output) / checkpoint.RESUME
    if path.is_file():
        state = torch.load(path, weights_only=True)
        assert all(torch.isfinite(t).all() for t in state["model"].values() if t.is_floating_point())


def test_an_empty_validation_split_is_found_before_training(recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PreparedDataset.indices
    monkeypatch.setattr(
        PreparedDataset, "indices", lambda self, split=None: [] if split == "val" else whole(self, split)
    )
    made = recipe("train.steps=3", "validation.every=2", "validation.split=val")
    with pytest.raises(UsageError, match=r"validation\.split: 'val' of data set \w+ is empty"):
        train.run(made, "toy", **QUIET)
    assert not (Path(made.output) / "log.jsonl").exists()


@pytest.mark.parametrize("has", [True, False])
def test_slow_bf16_is_said_where_the_processor_lacks_it(
    recipe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    monkeypatch.setattr(progress, "computes_bf16", lambda: has)
    for precision in ("bf16", "no"):
        options = ["train.steps=1", "validation.every=0", f"train.precision={precision}"]
        train.run(recipe(*options, output=precision), "toy", device="cpu")
        said = "note: this processor computes bf16 much slower" in capsys.readouterr().out
        assert said == (precision == "bf16" and not has)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="reads the flags of a Linux processor")
def test_bf16_needs_avx512_on_x86() -> None:
    flags = Path("/proc/cpuinfo").read_text()
    if "flags\t" not in flags:
        pytest.skip("not an x86 processor")
    assert progress.computes_bf16() <= ("avx512bw" in flags)
