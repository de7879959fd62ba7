"""Make ``m2s_reference.npz``: what VirtualConductor's own M2SNet computes with weights drawn from a seed.

    python tests/published/make_m2s_reference.py CLONE_OF_VIRTUALCONDUCTOR

The clone is ChenDelong1999/VirtualConductor. Its weights are not free to pass on, so every tensor is drawn here;
the file holds the names and shapes of theirs, the inputs' seed and the outputs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch


def drawn(names: list[str], shapes: list[tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """The same tensors from the same names: variances above 0, weights that neither fade nor blow up."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, shape in zip(names, shapes, strict=True):
        value = torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            value = 0.5 + value.abs()
        elif name.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        elif len(shape) > 1 and "edge_importance" not in name and not name.endswith(".A"):
            value = value * (2 / np.prod(shape[1:])) ** 0.5 * (0.2 if name.startswith("fuse") else 1)
        made[name] = value
    return made


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """mel (2, 180, 128), motion (2, 60, 13, 2)."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2, 180, 128, generator=generator), torch.rand(2, 60, 13, 2, generator=generator)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from models.M2SNet import M2SNet

    network = M2SNet()
    graph = network.motion_encoder.st_gcn.A.clone()
    state = network.state_dict()
    names, shapes = list(state), [tuple(value.shape) for value in state.values()]
    made = drawn(names, shapes)
    made["motion_encoder.st_gcn.A"] = graph
    network.load_state_dict(made)
    network.eval()
    mel, motion = inputs()
    with torch.no_grad():
        np.savez_compressed(
            Path(__file__).with_name("m2s_reference.npz"),
            names=np.array(names),
            shapes=np.array([" ".join(map(str, shape)) for shape in shapes]),
            graph=graph.numpy(),
            music=network.music_encoder(mel).numpy(),
            motion=network.motion_encoder(motion).numpy(),
            sync=network(mel, motion).numpy(),
        )
