"""How gesture_reference.npz was made: the published networks, small, with weights that a formula gives.

    python make_gesture_reference.py DIFFUSE_STYLE_GESTURE/main/model

where the argument is a folder of https://github.com/YoungSeng/DiffuseStyleGesture (commit f78242b); it needs einops.
Only numbers are kept: the inputs and what comes out, with conditions and without. (At the published size, with random
weights, the difference to the published network is below 3e-6 where numbers are up to 2.4.)
"""

import sys
from pathlib import Path

import numpy as np
import torch

FEATURES, FRAMES, LATENT, LABELS = 20, 22, 256, 6
PARTS = {
    "seed": "embed_text",
    "timestep.first": "embed_timestep.time_embed.0",
    "timestep.second": "embed_timestep.time_embed.2",
    "input": "input_process.poseEmbedding",
    "join": "input_process2",
    "output": "output_process.poseFinal",
    "emotion": "embed_style",
    "speech": "WavEncoder.audio_feature_map",
}
LAYER = {
    "attention.in_projection": "self_attn.in_proj_",
    "attention.out_projection": "self_attn.out_proj",
    "up": "linear1",
    "down": "linear2",
    "attention_norm": "norm1",
    "feed_forward_norm": "norm2",
}


def value(name, shape):
    """Weights by formula: small, all different, the same on every machine."""
    count = int(np.prod(shape))
    start = sum(name.encode()) % 97
    wave = np.sin(np.arange(count) * 0.7311 + start) * (1 + np.cos(np.arange(count) * 0.0173))
    return torch.from_numpy((wave / np.sqrt(shape[-1] if len(shape) > 1 else 8)).reshape(shape)).float()


def inputs():
    """x (2, T, D), sound (2, T, 1024), seed (2, 8, D); steps 12 and 850, labels 1 and 4."""
    draws = [value(name, shape) for name, shape in (("x", (2, FRAMES, FEATURES)), ("a", (2, FRAMES, 1024)))]
    return [draws[0] * 4, draws[1] * 8, value("s", (2, 8, FEATURES)) * 4]


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from mdm import MDM

    published = MDM(
        modeltype="", njoints=FEATURES, nfeats=1, cond_mode="cross_local_attention3_style1", audio_feat="wavlm",
        arch="trans_enc", latent_dim=LATENT, num_layers=1, ff_size=64, n_seed=8, action_emb="tensor",
    ).eval()  # fmt: skip
    state = published.state_dict()
    for ours, theirs in PARTS.items():
        for part in ("weight", "bias"):
            made = value(f"{ours}.{part}", tuple(state[f"{theirs}.{part}"].shape))
            if ours == "seed" and part == "weight":  # ours: frame by frame; theirs: feature by feature
                made = made.view(-1, 8, FEATURES).transpose(1, 2).flatten(1)
            state[f"{theirs}.{part}"].copy_(made)
    for ours, theirs in LAYER.items():
        for part in ("weight", "bias"):
            name = f"seqTransEncoder.layers.0.{theirs}{'' if theirs.endswith('_') else '.'}{part}"
            state[name].copy_(value(f"{ours}.{part}", tuple(state[name].shape)))
    x, sound, seed = inputs()
    told = {
        "audio": sound,
        "style": torch.eye(LABELS)[[1, 4]],
        "seed": seed.transpose(1, 2)[:, :, None],
        "mask_local": torch.ones(2, FRAMES).bool(),
    }
    with torch.no_grad():
        outs = [
            published(x.transpose(1, 2)[:, :, None], torch.tensor([12, 850]), told, uncond_info=without)[:, :, 0]
            for without in (False, True)
        ]
    told, untold = (out.transpose(1, 2).numpy() for out in outs)
    np.savez_compressed(Path(__file__).with_name("gesture_reference.npz"), told=told, untold=untold)
    print(np.abs(told).max(), np.abs(told - untold).max())
