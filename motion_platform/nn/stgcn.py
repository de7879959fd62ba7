"""Graph convolutions over a skeleton and time (Yan et al. 2018, arXiv:1801.07455), as VirtualConductor uses them.

One adjacency for all neighbours ("uniform" labelling, section 3.3 there): every joint, its neighbours and itself, each
divided by how many it is connected to; every layer weighs the edges by numbers that it learns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def adjacency(joints: int, edges: Sequence[tuple[int, int]]) -> Tensor:
    """(1, J, J): 1 / (1 + neighbours of joint w) where v and w are connected or the same; columns sum to 1."""
    connected = torch.eye(joints)
    for v, w in edges:
        connected[v, w] = connected[w, v] = 1
    return (connected / connected.sum(0, keepdim=True))[None]


class GraphBlock(nn.Module):
    """A convolution over the graph, one over time, and the input on top (but for the first layer)."""

    def __init__(self, features: int, width: int, kernel: int, *, residual: bool) -> None:
        super().__init__()
        self.graph = nn.Conv2d(features, width, 1)
        self.before, self.after = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.time = nn.Conv2d(width, width, (kernel, 1), padding=(kernel // 2, 0))
        self.residual = residual

    def forward(self, x: Tensor, weights: Tensor, mask: Tensor | None) -> Tensor:
        """(B, features, T, J), weights (1, J, J), mask (B, 1, T, 1) -> (B, width, T, J)."""
        h = torch.relu(self.before(torch.einsum("bctv,vw->bctw", self.graph(x), weights[0])))
        if mask is not None:
            h = h * mask  # as if the motion ended there: the convolution pads with zeros
        h = self.after(self.time(h))
        return torch.relu(h + x if self.residual else h)


class STGCN(nn.Module):
    """Motion (B, T, J, K) -> (B, T, dim). Published: 10 layers of 32, kernel 3, 13 joints in the plane, 64 numbers."""

    def __init__(
        self,
        joints: int,
        edges: Sequence[tuple[int, int]],
        *,
        features: int = 2,
        layers: int = 10,
        width: int = 32,
        kernel: int = 3,
        dim: int = 64,
    ) -> None:
        super().__init__()
        if layers < 1 or width < 1 or kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"layers {layers}, width {width}, kernel {kernel}: at least 1, and the kernel odd")
        self.register_buffer("adjacency", adjacency(joints, edges))
        self.enter = nn.BatchNorm1d(features * joints)
        sizes = [features, *[width] * layers]
        self.blocks = nn.ModuleList(GraphBlock(sizes[i], width, kernel, residual=i > 0) for i in range(layers))
        self.edges = nn.ParameterList(nn.Parameter(torch.ones(1, joints, joints)) for _ in range(layers))
        self.out = nn.Conv1d(width * joints, dim, 1)
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, J, K), mask (B, T) True on real frames -> (B, T, dim). Padding has no influence in evaluation mode."""
        b, t, j, k = x.shape
        real = None if mask is None else mask[:, None, :, None]
        h = self.enter(x.reshape(b, t, j * k).transpose(1, 2)).view(b, j, k, t).permute(0, 2, 3, 1)
        for block, edges in zip(self.blocks, self.edges, strict=True):
            h = block(h, self.adjacency * edges, real)
        h = h.permute(0, 1, 3, 2).flatten(1, 2)  # (B, width * J, T), the joints of a channel side by side
        return self.norm(self.out(h)).transpose(1, 2)
