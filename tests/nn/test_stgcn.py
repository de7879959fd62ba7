"""Graph convolutions: the published graph and sizes, the sums by hand, and padding that counts nothing."""

from __future__ import annotations

import pytest
import torch

from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.stgcn import STGCN, adjacency

GRAPH = [(0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (0, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (11, 12), (5, 11)]
GRAPH += [(6, 12)]
"""``ConductorMotionX`` of VirtualConductor's graph.py."""
PUBLISHED = 70_478
"""Parameters of ``motion_encoder`` in M2SNet_official_pretrained.pt without the layer that is never called."""


def test_the_skeleton_has_the_published_graph() -> None:
    assert {frozenset(edge) for edge in get_skeleton("coco_upper").edges} == {frozenset(edge) for edge in GRAPH}


def test_adjacency_of_a_path_by_hand() -> None:
    expected = torch.tensor([[1 / 2, 1 / 3, 0], [1 / 2, 1 / 3, 1 / 2], [0, 1 / 3, 1 / 2]])
    torch.testing.assert_close(adjacency(3, [(0, 1), (2, 1)])[0], expected)


def test_it_has_as_many_parameters_as_the_published() -> None:
    assert sum(weight.numel() for weight in STGCN(13, GRAPH).parameters()) == PUBLISHED


def test_one_layer_by_hand() -> None:
    torch.manual_seed(0)
    network = STGCN(3, [(0, 1), (1, 2)], layers=1, width=1, kernel=1, dim=1).double().eval()
    x = torch.randn(1, 2, 3, 2).double()
    block, keep = network.blocks[0], 1 / (1 + 1e-5) ** 0.5  # batch normalisation that has seen nothing
    with torch.no_grad():
        network.edges[0].mul_(torch.arange(9.0).view(1, 3, 3))
        made = network(x)
    weights = network.adjacency[0].double() * torch.arange(9.0).view(3, 3).double()
    told = x * keep @ block.graph.weight[0, :, 0, 0] + block.graph.bias  # (1, 2, 3)
    h = torch.relu(told @ weights * keep)
    h = torch.relu((h * block.time.weight.item() + block.time.bias.item()) * keep)
    expected = (h @ network.out.weight[0, :, 0] + network.out.bias) * keep
    torch.testing.assert_close(made[..., 0], expected)


def test_padding_counts_nothing() -> None:
    torch.manual_seed(0)
    network = STGCN(13, GRAPH, layers=3, width=4, dim=5)
    x = torch.rand(2, 20, 13, 2)
    with torch.no_grad():
        network(x)  # running statistics
        network.eval()
        padded = torch.cat([x[:1, :12], torch.full((1, 8, 13, 2), 9.0)], 1)
        mask = torch.arange(20)[None] < 12
        torch.testing.assert_close(network(padded, mask)[:, :12], network(x[:1, :12]), rtol=1e-4, atol=1e-5)
        assert (network(padded)[:, 11] - network(x[:1, :12])[:, 11]).abs().max() > 1e-3  # the mask is what does it


@pytest.mark.parametrize("setting", [{"layers": 0}, {"width": 0}, {"kernel": 2}])
def test_sizes_that_cannot_be_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        STGCN(13, GRAPH, **setting)
