"""Our encoder gives the numbers of the published MDM (one text) and WACV MotionGPT (two texts)."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.schema import Condition, MotionSpec, length_mask
from motion_platform.generators.diffusion.mdm import MDM
from motion_platform.generators.diffusion.settings import DiffusionSettings

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("make_mdm_reference", HERE / "make_mdm_reference.py")
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.fixture(scope="module")
def reference():
    with np.load(HERE / "mdm_reference.npz") as arrays:
        return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}


def build(slots):
    spec = MotionSpec("humanml3d_essential", "humanml3d", 20.0, torch.zeros(made.FEATURES), torch.ones(made.FEATURES))
    return MDM(
        spec,
        slots,
        layers=made.LAYERS,
        width=made.WIDTH,
        heads=made.HEADS,
        feed_forward=made.FEED_FORWARD,
        diffusion=DiffusionSettings(max_frames=made.FRAMES),
    ).eval()


def load_by_published_names(model):
    """Fill every parameter with the values of its published name; none may be left over on our side."""
    ours = dict(model.named_parameters())
    published = ["input_process.poseEmbedding", "output_process.poseFinal"]
    published += [f"embed_timestep.time_embed.{i}" for i in (0, 2)]
    for layer in range(made.LAYERS):
        parts = ("self_attn.out_proj", "linear1", "linear2", "norm1", "norm2")
        published += [f"seqTransEncoder.layers.{layer}.{part}" for part in parts]
    names = [f"{name}.{kind}" for name in published for kind in ("weight", "bias")]
    names += [
        f"seqTransEncoder.layers.{i}.self_attn.in_proj_{kind}"
        for i in range(made.LAYERS)
        for kind in ("weight", "bias")
    ]
    with torch.no_grad():
        for name in names:
            parameter = ours.pop(made.our_name(name))
            parameter.copy_(made.values(name, tuple(parameter.shape), 0.5))
    assert not ours


def condition(features, weight, bias):
    """What conditioning hands over: null token first, then the projected text."""
    tokens = torch.nn.functional.linear(features, weight, bias)[:, None]
    null = torch.full_like(tokens, 99.0)  # on, but not read while there is text
    return Condition(torch.cat([null, tokens], 1), torch.ones(len(tokens), 2, dtype=torch.bool))


def test_one_text_equals_the_published_mdm(reference):
    model, given = build(["text_high"]), made.inputs()
    load_by_published_names(model)
    assert sum(p.numel() for p in model.parameters()) == int(reference["single/parameters"])
    text = condition(given["high"], reference["single/embed_text.weight"], reference["single/embed_text.bias"])
    mask = length_mask(given["lengths"], made.FRAMES)
    with torch.no_grad():
        out = model(given["x"], given["timesteps"], {"text_high": text}, mask)
    error = (out - reference["single/output"]).abs()[mask]
    assert reference["single/output"].abs().mean() > 0.3
    assert error.max() <= 1e-5


def test_two_texts_equal_the_published_dual_text_model(reference):
    model, given = build(["text_high", "text_low"]), made.inputs()
    load_by_published_names(model)
    assert sum(p.numel() for p in model.parameters()) == int(reference["dual/parameters"])
    texts = {
        "text_high": condition(given["high"], reference["dual/embed_text.weight"], reference["dual/embed_text.bias"]),
        "text_low": condition(
            given["low"], reference["dual/embed_babel_text.weight"], reference["dual/embed_babel_text.bias"]
        ),
    }
    with torch.no_grad():
        out = model(given["x"], given["timesteps"], texts)  # the published code attends to all frames
        without = model(given["x"], given["timesteps"], {**texts, "text_low": texts["text_low"].drop()})
    assert (out - reference["dual/output"]).abs().max() <= 1e-5
    assert (without - reference["dual/output"]).abs().max() > 0.05  # the second text counts
