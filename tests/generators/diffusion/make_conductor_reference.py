"""Writes conductor_reference.npz: what the original networks say, for weights made by a formula.

    python tests/generators/diffusion/make_conductor_reference.py PATH/Diffusion-Conductor PATH/VirtualConductor

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


def main(diffusion: str, adversarial: str) -> None:
    here = Path(__file__).parent / "conductor_reference.npz"
    np.savez_compressed(here, **of_diffusion(diffusion), **of_gan(adversarial))


def of_gan(folder: str) -> dict[str, np.ndarray]:
    """The pose generator (its music encoder left out) and the critic of VirtualConductor."""
    sys.path.insert(0, folder)
    from models.Discriminator import Discriminator_1DCNN
    from models.Generator import Generator

    generator, critic = Generator().eval(), Discriminator_1DCNN().eval()
    generator.music_encoder = torch.nn.Identity()
    with torch.no_grad():
        for network in (generator, critic):
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    positive = name.endswith(("_var", "weight_g"))  # variances and lengths
                    made = formula(name, tuple(value.shape))
                    value.copy_(made.abs() + 0.5 if positive else made)
        draw = torch.Generator().manual_seed(1)
        music, noise = torch.randn(2, 150, 64, generator=draw), torch.randn(2, 5, 8, generator=draw)
        motion = generator(music, noise)
        said = critic(motion)
    return {
        "gan_music": music.numpy(), "gan_noise": noise.numpy(),
        "gan_motion": motion.flatten(2).numpy(), "gan_said": said[:, 0].numpy(),
        "gan_parameters": np.array([sum(p.numel() for p in n.parameters()) for n in (generator, critic)]),
    }  # fmt: skip


def of_diffusion(folder: str) -> dict[str, np.ndarray]:
    """The denoising network of Diffusion-Conductor, with linear and with full attention."""
    sys.modules["cv2"] = types.SimpleNamespace(norm=None)  # imported there, used nowhere
    path = Path(folder) / "Diffusion_Stage" / "models" / "transformer.py"
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
    return {"x": x.numpy(), "music": music.numpy(), "steps": steps.numpy(), **stored}


if __name__ == "__main__":
    main(*sys.argv[1:3])
