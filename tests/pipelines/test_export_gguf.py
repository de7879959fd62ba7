"""GGUF written here is read by transformers, whose reader is its own: the same logits and the same ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedTokenizerFast

from motion_platform.core import cards, config
from motion_platform.core.errors import UsageError
from motion_platform.pipelines import export, export_gguf
from motion_platform.training import build


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LLaMA with grouped queries, and a tokenizer of bytes with two merges."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("base") / "llama"
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: i for i, word in enumerate(["</s>", *letters, "wa", "wal"])}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[("w", "a"), ("wa", "l")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    made = LlamaConfig(**sizes, num_key_value_heads=2, vocab_size=len(words), tie_word_embeddings=False)
    AutoModelForCausalLM.from_config(made).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(base: Path, sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A motion language model on it whose adapter and rows are not zero."""
    changes = [f"data.folder={sample_folder}", f"model.settings.base={base}", "model.settings.tuning=lora"]
    changes += ["model.settings.tokenizer={name: vqvae, settings: {codes: 24, code_width: 8, width: 8, depth: 1}}"]
    run = build.assemble(config.load_recipe(cards.find("configs", "smoke/motion_lm"), changes), name="lm")
    with torch.no_grad():
        for parameter in run.model.trainable.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return str(run.model.save_pretrained(tmp_path_factory.mktemp("lm") / "run"))


def test_another_reader_computes_the_logits_and_reads_the_motion_words(checkpoint: str, tmp_path: Path) -> None:
    merged = export.merged(checkpoint, tmp_path / "hf")
    out = export_gguf.gguf(checkpoint, tmp_path / "run.gguf")
    ours = AutoModelForCausalLM.from_pretrained(merged).eval()
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=out.name).eval()
    ids = torch.arange(5, ours.config.vocab_size, 7)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, ours(ids).logits, rtol=1e-5, atol=1e-6)
    text = "walk <motion_start><motion_3><motion_17><motion_end>"
    said = AutoTokenizer.from_pretrained(merged)(text)["input_ids"]
    assert AutoTokenizer.from_pretrained(tmp_path, gguf_file=out.name)(text)["input_ids"] == said
    assert len(said) < len(text) - 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hf", "run.gguf"]


def test_rotary_pairs_are_the_two_halves_of_a_head() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None].repeat(3, 1)
    assert export_gguf.rotary_pairs(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_another_architecture_or_name_is_refused_in_one_line(tiny_bases, checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"this one is gpt2; .*--merged.*convert_hf_to_gguf\.py") as caught:
        export_gguf.convert(tiny_bases["gpt2"], tmp_path / "x.gguf", name="x")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"unknown format \.bin; allowed: \.gguf"):
        export_gguf.gguf(checkpoint, tmp_path / "x.bin")
    assert not list(tmp_path.iterdir())
