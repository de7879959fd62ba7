"""A motion language model as a checkpoint: what is in it, what it needs, and that nothing changes by saving it."""

import os
from pathlib import Path

import forked
import pytest
import torch

from motion_platform.core import config
from motion_platform.core.errors import ConfigError, WeightsError
from motion_platform.core.weight_files import sha256_of
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import load_run
from motion_platform.training import build, train

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def adapter(recipe, tiny_base, tokenizers):
    """The recipe of an adapter on the tiny base and the first tokenizer."""
    settings = {"base": tiny_base(), "tokenizer": tokenizers[0], "tuning": "lora", "rank": 4}
    own = [f"model.settings.{key}={value}" for key, value in settings.items()]

    def make(*overrides, output="run"):
        return recipe(*own, *overrides, base="smoke/motion_lm", output=output)

    return make


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_saving_and_loading_changes_no_logit_and_holds_the_adapter_alone(adapter, tiny_base, tokenizers):
    made = adapter("train.steps=3")
    folder = train.run(made, "lm", device="cpu", quiet=True)
    held = weights(folder)
    heads = {name.split(".")[1] for name in held if name.startswith("trainable.")}
    assert heads == {"rows", "lora"}
    assert (folder / "model.safetensors").stat().st_size < (tiny_base() / "model.safetensors").stat().st_size / 3

    first, second = MotionModel.from_pretrained(folder), MotionModel.from_pretrained(folder)
    again = second.save_pretrained(folder.parent / "again")
    third = MotionModel.from_pretrained(again)
    ids = torch.randint(250, (2, 9))
    hidden = [m.trainable.base.body(inputs_embeds=m.trainable.embed(ids)).last_hidden_state for m in (first, third)]
    assert torch.equal(*hidden)
    out = first.trainable.vocabulary.motion_out
    assert torch.equal(first.trainable.logits(hidden[0], out), third.trainable.logits(hidden[1], out))
    lora = [name for name in held if "lora_B" in name]
    assert lora
    assert all(held[name].abs().max() > 0 for name in lora), "it has learned something"
    assert first.card.fingerprints["motion tokenizer"] == sha256_of(tokenizers[0] / "model.safetensors")


def test_another_base_or_tokenizer_is_refused(adapter, tiny_base, tokenizers):
    folder = train.run(adapter("train.steps=1"), "lm", device="cpu", quiet=True)
    card = (folder / "model.yaml").read_text()
    for old, new, message in (
        (tiny_base(), tiny_base(1), "was trained with the language model"),
        (tokenizers[0], tokenizers[1], "was trained with the motion tokenizer"),
    ):
        (folder / "model.yaml").write_text(card.replace(str(old), str(new)))
        with pytest.raises(WeightsError, match=message) as caught:
            MotionModel.from_pretrained(folder)
        assert "\n" not in str(caught.value)
    (folder / "model.yaml").write_text(card)
    other = adapter(f"model.settings.base={tiny_base(1)}", output="other")
    with pytest.raises(ConfigError, match="was trained with another language model"):
        build.start_from(build.assemble(other), str(folder))
    assert build.start_from(build.assemble(adapter(output="same")), str(folder))[0] > 4


def test_resumed_equals_uninterrupted(adapter):
    train.run(adapter("train.steps=2", "train.schedule=constant", output="cut"), "lm", device="cpu", quiet=True)
    same = train.run(
        adapter("train.steps=4", "train.schedule=constant", output="straight"), "lm", device="cpu", quiet=True
    )
    cut = train.run(
        adapter("train.steps=4", "train.schedule=constant", output="cut"), "lm", device="cpu", quiet=True, resume=True
    )
    for name, value in weights(same).items():
        assert torch.equal(value, weights(cut)[name]), name


def test_a_trained_model_generates_from_the_words_of_its_slot(adapter):
    folder = train.run(adapter("train.steps=2"), "lm", device="cpu", quiet=True)
    run = load_run(folder)
    texts = {"text_high": ["a person walks", "a person runs", None]}
    one = run.model.generate(texts, [20, 33, 8], ["a", "b", "c"])
    two = run.model.generate({"text_high": ["a person runs"]}, [33], ["b"])
    assert one.lengths.tolist() == [20, 33, 8]
    assert torch.allclose(one.x[1, :33], two.x[0], atol=1e-4)


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(adapter, tmp_path):
    """First moments of Adam after one step are (1 - beta1) times the first gradient; also with the base in parts."""
    environment = {**os.environ, "MOTION_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    settings = "train.steps=1", "train.gradient_accumulation=2", "train.gradient_clip=0", "train.log_every=1"
    settings += ("validation.every=0",)
    found = []
    for name, processes, more in (("one", 1, []), ("two", 2, []), ("parts", 2, ["model.settings.shard=true"])):
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text(config.to_yaml(adapter(*settings, *more, output=name)))
        done = forked.run(["cli.py", "train", str(recipe), "--device", "cpu"], environment, processes=processes)
        assert done.returncode == 0, done.stderr[-3000:]
        state = torch.load(tmp_path / name / "resume" / "state.pt", weights_only=True)
        found.append([m["exp_avg"] for m in state["optimiser"]["state"].values()])
    for other in found[1:]:
        assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-7) for a, b in zip(found[0], other, strict=True))
    assert max(float(a.abs().max()) for a in found[0]) > 1e-3
