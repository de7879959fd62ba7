"""Writes conductor_reference.npz: what the original network of Diffusion-Conductor says, for weights made by a formula.

    python tests/generators/make_conductor_reference.py PATH/TO/Diffusion_Stage/models/transformer.py

The weights follow from their names, so that only inputs and outputs are stored. Nothing of the original is kept.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch

FRAMES, LAYERS = 20, 2


def formula(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Weights that follow from their name: about as large as trained ones, none of them zero."""
    number = sum((i + 1) * ord(c) for i, c in enumerate(name))
    values = torch.arange(int(np.prod(shape)), dtype=torch.float64)
    return (torch.sin(values * 12.9898 + number) * 43758.5453).frac().reshape(shape).float() * 0.2


def main(path: str) -> None:
    sys.modules["cv2"] = types.SimpleNamespace(norm=None)  # imported there, used nowhere
    spec = importlib.util.spec_from_file_location("original", path)
    original = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(original)
    stored = {}
    generator = torch.Generator().manual_seed(0)
    x, music = torch.randn(2, FRAMES, 26, generator=generator), torch.randn(2, FRAMES, 64, generator=generator)
    steps = torch.tensor([3, 700])
    for full in (False, True):
        model = original.MotionTransformer(
            26, num_frames=FRAMES, num_layers=LAYERS, latent_dim=128, device="cpu", music_model_path=None, no_eff=full
        ).eval()
        with torch.no_grad():
            for name, value in model.named_parameters():
                value.copy_(formula(name, value.shape))
            out = model(x, steps, length=[FRAMES] * 2, xf_proj=model.proj(music), xf_out=music)
        stored["full" if full else "linear"] = out.numpy()
        stored["parameters"] = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("music_encoder"))
    here = Path(__file__).parent / "conductor_reference.npz"
    np.savez_compressed(here, x=x.numpy(), music=music.numpy(), steps=steps.numpy(), **stored)


if __name__ == "__main__":
    main(sys.argv[1])
