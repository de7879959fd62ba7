"""The dilated network over time, held to scipy's correlation and to the width of what it sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from motion_platform.nn.tcn import KERNEL, TCN, TemporalBlock


def unit_norm(block: TemporalBlock) -> TemporalBlock:
    """The block with batch norms that change nothing, up to their epsilon."""
    for norm in (block.first_norm, block.second_norm):
        norm.eps = 0.0
    return block.eval().double()


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_a_block_is_two_reflected_correlations_a_mean_of_three_and_its_input(dilation: int) -> None:
    block = unit_norm(TemporalBlock(1, 1, dilation))
    x = torch.randn(40, dtype=torch.float64)
    with torch.no_grad():
        for convolution in (block.first, block.second):
            convolution.parametrizations.weight.original0.fill_(1.0)
        made = block(x[None, None])[0, 0].numpy()
    wanted = x.numpy()
    for convolution in (block.first, block.second):
        taps = np.zeros((KERNEL - 1) * dilation + 1)
        taps[::dilation] = convolution.weight.detach().numpy()[0, 0]
        assert np.isclose(np.linalg.norm(taps), 1.0)  # weight norm: the direction alone is left where its size is 1
        wanted = np.maximum(correlate1d(wanted, taps, mode="mirror") + convolution.bias.detach().numpy()[0], 0)
    wanted = correlate1d(wanted, np.ones(3) / 3, mode="constant")
    assert np.allclose(made, np.maximum(wanted + x.numpy(), 0), atol=1e-12)


def test_a_block_of_another_width_adds_a_projection_of_its_input() -> None:
    block = unit_norm(TemporalBlock(2, 3, 1))
    x = torch.randn(1, 2, 12, dtype=torch.float64)
    with torch.no_grad():
        for convolution in (block.first, block.second):
            convolution.parametrizations.weight.original0.zero_()
            convolution.bias.zero_()
        made = block(x)
    weight, bias = block.skip.weight.detach()[..., 0], block.skip.bias.detach()
    assert torch.allclose(made[0], (weight @ x[0] + bias[:, None]).relu(), atol=1e-12)


def test_it_sees_as_far_back_as_ahead_and_no_further() -> None:
    layers = 3
    network = TCN(2, 4, 3, layers).eval().double()
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        torch.nn.init.constant_(norm.bias, 3.0)  # no ReLU is closed, so that nothing is hidden by one
    x = torch.zeros(1, 101, 2, dtype=torch.float64, requires_grad=True)
    network(x)[0, 50].sum().backward()
    seen = x.grad[0].abs().sum(-1).nonzero()[:, 0]
    # A block reaches twice 2 x dilation frames, and one more by its mean of three.
    reach = sum(2 * (KERNEL - 1) // 2 * 2**k + 1 for k in range(layers))
    assert (int(seen.min()), int(seen.max())) == (50 - reach, 50 + reach)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_the_shortest_input_is_the_shortest_that_it_reads(layers: int) -> None:
    network = TCN(1, 2, 1, layers).eval()
    assert network(torch.zeros(1, network.shortest, 1)).shape == (1, network.shortest, 1)
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        network(torch.zeros(1, network.shortest - 1, 1))


def test_its_weights_begin_as_published_a_hundredth_in_size() -> None:
    network = TCN(20, 40, 60, 2)
    first = network.blocks[0]
    for module in (first.first, first.second, first.skip, network.output):
        assert module.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert isinstance(network.blocks[1].skip, torch.nn.Identity)
