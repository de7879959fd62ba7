"""A motion language model in other programs: peft and transformers compute what ours does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from motion_platform.core import cards, config
from motion_platform.core.errors import OutputError, UsageError
from motion_platform.model.run import load_run
from motion_platform.pipelines import export
from motion_platform.training import build

BASES = ("llama", "untied", "gpt2", "t5")
TOKENIZER = "{name: vqvae, settings: {codes: 24, code_width: 8, width: 8, depth: 1}}"


@pytest.fixture(scope="module")
def checkpoint(tiny_bases, sample_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """Make a checkpoint of a motion language model whose adapter and rows are not zero."""

    def make(base: str, *more: str) -> Path:
        place = cards.find("configs", "smoke/motion_lm")
        changes = [f"data.folder={sample_folder}", f"model.settings.base={tiny_bases[base]}"]
        changes += ["model.settings.tuning=lora", f"model.settings.tokenizer={TOKENIZER}", "model.settings.rank=4"]
        run = build.assemble(config.load_recipe(place, [*changes, *more]), name=base)
        with torch.no_grad():
            for parameter in run.model.trainable.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        return run.model.save_pretrained(tmp_path_factory.mktemp("lm") / base)

    return make


def hidden_of(model, ids: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
    """What our network makes of ids: hidden states before the head."""
    if model.base.seq2seq:
        memory = model.base.body.get_encoder()(inputs_embeds=model.embed(ids))[0]
        return model.base.body.get_decoder()(
            inputs_embeds=model.embed(answer), encoder_hidden_states=memory
        ).last_hidden_state
    return model.base.body(inputs_embeds=model.embed(ids)).last_hidden_state


@pytest.mark.parametrize("base", BASES)
def test_transformers_computes_the_logits_of_ours(checkpoint, base: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    folder = checkpoint(base)
    ours = load_run(folder).model.trainable
    out = export.merged(str(folder), tmp_path / "hf")
    theirs = (AutoModelForSeq2SeqLM if base == "t5" else AutoModelForCausalLM).from_pretrained(out).eval()
    size = ours.vocabulary.text_size + ours.vocabulary.own
    ids, answer = torch.arange(3, size, 5)[None], torch.arange(1, size, 9)[None]
    with torch.no_grad():
        got = theirs(ids, **({"decoder_input_ids": answer} if base == "t5" else {})).logits
        wanted = ours.logits(hidden_of(ours, ids, answer), torch.arange(size))
    assert got.shape == wanted.shape
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(out)
    first = ours.vocabulary.text_size
    assert tokenizer.convert_tokens_to_ids("<motion_7>") == first + 7
    assert tokenizer("<motion_start><motion_3>", add_special_tokens=False)["input_ids"] == [
        ours.vocabulary.motion_start, first + 3,
    ]  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_peft_puts_the_adapter_on_the_base(checkpoint, tiny_bases, base: str, tmp_path: Path) -> None:
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    folder = checkpoint(base)
    ours = load_run(folder).model.trainable
    out = export.adapter(str(folder), tmp_path / "adapter")
    auto = AutoModelForSeq2SeqLM if base == "t5" else AutoModelForCausalLM
    plain = auto.from_pretrained(tiny_bases[base]).eval()
    ids, more = torch.arange(3, 200, 5)[None], {}
    if base == "t5":
        more = {"decoder_input_ids": torch.arange(1, 200, 9)[None]}
    with torch.no_grad():
        before = plain(ids, **more).logits
        after = PeftModel.from_pretrained(plain, out).eval()(ids, **more).logits
        words = torch.arange(ours.vocabulary.text_size)
        wanted = ours.logits(hidden_of(ours, ids, more.get("decoder_input_ids")), words)
    torch.testing.assert_close(after, wanted, atol=1e-4, rtol=1e-4)
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(load_file(out / export.ROWS)["rows"], ours.rows.detach())
    about = json.loads((out / export.ABOUT).read_text())
    assert about["words"][:2] == ["<motion_0>", "<motion_1>"]
    assert about["first_id"] == ours.vocabulary.text_size


def test_fewer_layers_are_exported_merged_and_refused_as_an_adapter(checkpoint, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = checkpoint("llama", "model.settings.layers=2")
    with pytest.raises(UsageError, match="stands on 2 of the 3 layers"):
        export.adapter(str(folder), tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()
    theirs = AutoModelForCausalLM.from_pretrained(export.merged(str(folder), tmp_path / "hf")).eval()
    ours = load_run(folder).model.trainable
    ids = torch.arange(3, 200, 5)[None]
    with torch.no_grad():
        wanted = ours.logits(hidden_of(ours, ids, ids), torch.arange(ours.vocabulary.text_size + ours.vocabulary.own))
        torch.testing.assert_close(theirs(ids).logits, wanted, atol=1e-4, rtol=1e-4)


def test_what_cannot_be_exported_says_so_and_leaves_nothing(checkpoint, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="recogniser is a Recogniser; a motion_lm is exported"):
        export.adapter("recogniser", tmp_path / "x")
    folder, taken = checkpoint("llama"), tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").write_text("x")
    with pytest.raises(OutputError, match="is there already"):
        export.merged(str(folder), taken)
    with pytest.raises(OutputError, match="does not exist"):
        export.adapter(str(folder), tmp_path / "no" / "where")
    whole = checkpoint("llama", "model.settings.tuning=full")
    with pytest.raises(UsageError, match="was trained whole"):
        export.adapter(str(whole), tmp_path / "y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


@pytest.mark.parametrize("base", BASES)
def test_one_recipe_trains_any_base_on_any_motion_and_exports_it(
    base: str, tiny_bases, sample_folder: Path, tmp_path: Path
) -> None:
    from motion_platform.training import train

    changes = [f"model.settings.base={tiny_bases[base]}", "data.name=sample", f"data.folder={sample_folder}"]
    changes += [f"output={tmp_path / 'run'}", "train.steps=1", "train.batch_size=2", "train.precision=no"]
    changes += ["model.settings.max_frames=48", "data.max_frames=48"]
    folder = train.run(
        config.load_recipe(cards.find("configs", "motion_lm_own"), changes), "own", device="cpu", quiet=True
    )
    assert load_run(folder).model.card.step == 1
    assert (export.adapter(str(folder), tmp_path / "adapter") / "adapter_config.json").is_file()
