"""Runs the published models and writes mdm_reference.npz, the numbers that test_mdm_reference.py compares with.

    python tests/generators/diffusion/make_mdm_reference.py PATH/motion-diffusion-model PATH/MotionGPT

The first is GuyTevet/motion-diffusion-model (one text, frames masked), the second humansensinglab/MotionGPT (WACV: two
texts, no mask). Both networks run as published; their text encoders and body models are replaced by stand-ins, because
only the transformer is compared. Weights are a formula of the parameter's name and are set on both sides.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

FEATURES, WIDTH, LAYERS, HEADS, FEED_FORWARD, TEXT, FRAMES = 10, 16, 2, 2, 32, 12, 9
LENGTHS = (9, 6, 4)
TIMESTEPS = (0, 417, 999)

NAMES = [  # published name -> ours
    (r"^input_process\.poseEmbedding\.", "input."),
    (r"^embed_timestep\.time_embed\.0\.", "timestep.first."),
    (r"^embed_timestep\.time_embed\.2\.", "timestep.second."),
    (r"^seqTransEncoder\.", "transformer."),
    (r"\.self_attn\.in_proj_", ".attention.in_projection."),
    (r"\.self_attn\.out_proj\.", ".attention.out_projection."),
    (r"\.linear1\.", ".up."),
    (r"\.linear2\.", ".down."),
    (r"\.norm1\.", ".attention_norm."),
    (r"\.norm2\.", ".feed_forward_norm."),
    (r"^output_process\.poseFinal\.", "output."),
]


def our_name(name: str) -> str:
    for pattern, ours in NAMES:
        name = re.sub(pattern, ours, name)
    return name


def values(name: str, shape: tuple[int, ...], scale: float = 1.0) -> torch.Tensor:
    """Numbers in (-scale, scale) without structure, from a name alone."""
    i = np.arange(int(np.prod(shape)), dtype=np.float64) + zlib.crc32(name.encode()) % 9973
    noise = np.sin(i * 12.9898) * 43758.5453
    return torch.from_numpy((2 * (noise - np.floor(noise)) - 1) * scale).float().reshape(shape)


def inputs() -> dict[str, torch.Tensor]:
    """x (B, T, D), high and low text features (B, TEXT), lengths, timesteps."""
    batch = len(LENGTHS)
    return {
        "x": values("x", (batch, FRAMES, FEATURES), 2.0),
        "high": values("high", (batch, TEXT), 2.0),
        "low": values("low", (batch, TEXT), 2.0),
        "lengths": torch.tensor(LENGTHS),
        "timesteps": torch.tensor(TIMESTEPS),
    }


def run(repository: str) -> None:
    """In a process of its own, in the repository's folder: both have a package called ``model``."""
    import types

    class Nothing(torch.nn.Module):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__()
            self.__dict__["smpl_model"] = torch.nn.Identity()

    for module, content in {
        "clip": {},
        "model.rotation2xyz": {"Rotation2xyz": Nothing},
        "model.BERT.BERT_encoder": {"load_bert": None},
        "utils.misc": {"WeightedSum": Nothing},
    }.items():
        sys.modules[module] = types.ModuleType(module)
        sys.modules[module].__dict__.update(content)
    sys.path.insert(0, repository)
    from model.mdm import MDM

    dual = "second_llm" in MDM.__init__.__code__.co_varnames
    MDM.load_and_freeze_clip = lambda self, version: torch.nn.Identity()
    model = MDM(
        "", FEATURES, 1, 1, True, "rot6d", True, True, latent_dim=WIDTH, ff_size=FEED_FORWARD, num_layers=LAYERS,
        num_heads=HEADS, dropout=0.1, data_rep="hml_vec", dataset="humanml", clip_dim=TEXT, cond_mode="text",
        cond_mask_prob=0.1, mask_frames=True, clip_version="none",
    )  # fmt: skip
    given = inputs()
    mask = torch.arange(FRAMES)[None] < given["lengths"][:, None]
    y = {"mask": mask[:, None, None]}
    if dual:
        MDM.encode_text = lambda self, text: given["high"]
        MDM.encode_babel_text = lambda self, text: given["low"]
        y |= {"text": None, "babel_text": None}
    else:
        y |= {"text_embed": given["high"][None]}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(values(name, tuple(parameter.shape), 0.5))
        model.eval()
        out = model(given["x"].permute(0, 2, 1)[:, :, None], given["timesteps"], y)
    kept = {n: p for n, p in model.named_parameters() if not n.startswith("embed_")} | {
        n: p for n, p in model.named_parameters() if n.startswith("embed_timestep")
    }
    embeds = {n: p for n, p in model.named_parameters() if n not in kept}
    name = "dual" if dual else "single"
    np.savez(
        f"{sys.argv[3]}.{name}.npz",
        output=out[:, :, 0].permute(0, 2, 1).numpy(),
        parameters=sum(p.numel() for p in kept.values()),
        **{n: p.detach().numpy() for n, p in embeds.items()},
    )


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        run(sys.argv[2])
    else:
        target = Path(__file__).with_name("mdm_reference.npz").resolve()
        found = {}
        for repository, name in zip(sys.argv[1:], ("single", "dual"), strict=True):
            command = [sys.executable, str(Path(__file__).resolve()), "--one", repository, str(target)]
            subprocess.run(command, check=True, cwd=repository)
            part = Path(f"{target}.{name}.npz")
            with np.load(part) as arrays:
                found |= {f"{name}/{key}": arrays[key] for key in arrays.files}
            part.unlink()
        np.savez_compressed(target, **found)
        print({key: value.shape or int(value) for key, value in found.items()})
