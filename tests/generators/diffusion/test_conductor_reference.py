"""The network says what the original code of Diffusion-Conductor says, given the same weights."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.schema import Condition, MotionSpec
from motion_platform.generators.diffusion.conductor_ddpm import ConductorDDPM
from motion_platform.generators.diffusion.settings import DiffusionSettings

HERE = Path(__file__).parent
SHORT = DiffusionSettings(schedule="linear", max_frames=20)
REFERENCE = np.load(HERE / "conductor_reference.npz")
PARTS = {"sa_block": "self_attention", "ca_block": "cross_attention"}
NAMES = {
    "norm": "norm", "text_norm": "memory_norm", "query": "query", "key": "key", "value": "value",
    "proj_out.emb_layers.1": "stylisation.style", "proj_out.norm": "stylisation.norm",
    "proj_out.out_layers.2": "stylisation.output",
}  # fmt: skip


def formula(name, shape):
    spec = importlib.util.spec_from_file_location("make", HERE / "make_conductor_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.formula(name, tuple(shape))


def put(linear, name):
    linear.weight.copy_(formula(f"{name}.weight", linear.weight.shape))
    linear.bias.copy_(formula(f"{name}.bias", linear.bias.shape))


@pytest.mark.parametrize("attention", ["linear", "full"])
def test_the_network_of_the_paper(attention):
    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26))
    model = ConductorDDPM(spec, ("music",), layers=2, attention=attention, normalise=False, diffusion=SHORT).eval()
    reader, outer = model.readers["music"], torch.nn.Linear(64, 512)
    with torch.no_grad():
        model.positions.copy_(formula("sequence_embedding", model.positions.shape))
        put(model.input, "joint_embed")
        put(model.output, "out")
        put(outer, "linear")
        # Theirs is linear(proj(x)) of the encoder's features x; ours reads linear(x) and undoes it first.
        proj = torch.nn.Linear(64, 64)
        put(proj, "proj")
        reader.enter.weight.copy_(proj.weight @ torch.linalg.pinv(outer.weight.double()).float())
        reader.enter.bias.copy_(proj.bias - reader.enter.weight @ outer.bias)
        reader.style.weight.copy_(outer.weight)
        reader.style.bias.copy_(outer.bias)
        put(model.step.second, "time_embed.2")
        put(model.step.first, "time_embed.0")  # their columns: all cosines, then all sines; ours alternate, sine first
        halves = model.step.first.weight.clone().chunk(2, dim=1)
        model.step.first.weight.copy_(torch.stack(halves[::-1], dim=-1).flatten(1))
        for i, layer in enumerate(model.transformer.layers):
            place = f"temporal_decoder_blocks.{i}"
            for theirs, ours in PARTS.items():
                for a, b in NAMES.items():
                    module = (
                        getattr(layer, ours).get_submodule(b) if b != "memory_norm" or ours != "self_attention" else 0
                    )
                    if module:
                        put(module, f"{place}.{theirs}.{a}")
            put(layer.feed_forward.up, f"{place}.ffn.linear1")
            put(layer.feed_forward.down, f"{place}.ffn.linear2")
            for a, b in NAMES.items():
                if a.startswith("proj_out"):
                    put(layer.feed_forward.get_submodule(b), f"{place}.ffn.{a}")
        tokens = outer(torch.from_numpy(REFERENCE["music"]))
        given = Condition(torch.cat([torch.zeros(2, 1, 512), tokens], 1), torch.ones(2, 21, dtype=torch.bool), 30.0)
        got = model(torch.from_numpy(REFERENCE["x"]), torch.from_numpy(REFERENCE["steps"]), {"music": given})
    want = torch.from_numpy(REFERENCE[attention])
    torch.testing.assert_close(got, want, atol=2e-4 * float(want.abs().max()), rtol=1e-3)


def test_as_many_parameters_as_published_but_for_the_undone_projection():
    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26))
    model = ConductorDDPM(spec, ("music",), layers=2, diffusion=SHORT)
    ours = sum(p.numel() for p in model.parameters()) + 64 * 512 + 512  # with the conditioning's projection
    theirs_proj, ours_reader = 64 * 64 + 64, (512 * 64 + 64) + (64 * 512 + 512)
    assert ours - ours_reader == int(REFERENCE["parameters"]) - theirs_proj
