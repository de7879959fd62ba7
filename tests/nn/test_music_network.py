"""The music network: the published sizes, what a token hears, long recordings in pieces."""

from __future__ import annotations

import itertools

import pytest
import torch

from motion_platform.nn.music_network import MARGIN, MusicNetwork, ResidualConvolution

PUBLISHED = 71_104
"""Parameters of ``music_encoder`` in M2SNet_official_pretrained.pt."""


@pytest.fixture
def network() -> MusicNetwork:
    """In evaluation mode, in double precision, with running statistics that are not those of the start."""
    torch.manual_seed(0)
    network = MusicNetwork([3, 4, 5], 6)
    with torch.no_grad():
        network.train()(torch.rand(2, 60, 128))
    return network.eval().double()


def test_it_has_as_many_parameters_as_the_published() -> None:
    assert sum(weight.numel() for weight in MusicNetwork().parameters()) == PUBLISHED


@pytest.mark.parametrize(("frames", "tokens"), [(4, 2), (9, 3), (10, 4), (270, 90)])
def test_a_token_every_three_frames(network: MusicNetwork, frames: int, tokens: int) -> None:
    with torch.no_grad():
        made = network(torch.rand(2, frames, 128).double())
    assert made.shape == (2, tokens, 6)


def test_a_token_hears_its_margin_and_no_more(network: MusicNetwork) -> None:
    mel = torch.rand(1, 180, 128).double().requires_grad_()
    network(mel)[0, 30].sum().backward()
    heard = mel.grad[0].abs().sum(1).nonzero()[:, 0]
    assert heard.min() >= 90 - MARGIN
    assert heard.max() <= 90 + MARGIN
    assert heard.max() - heard.min() > MARGIN  # else the margin is wider than it need be


@pytest.mark.parametrize("tokens", [1, 7, 50, 99, 100])
def test_pieces_are_the_whole(network: MusicNetwork, tokens: int) -> None:
    mel = torch.rand(1, 301, 128).double()
    with torch.no_grad():
        whole, pieces = network(mel), network.in_pieces(mel, tokens)
    torch.testing.assert_close(pieces, whole, rtol=1e-10, atol=1e-10)


def test_sizes_that_cannot_be_are_refused() -> None:
    for channels, dim in (([1, 2], 3), ([0, 1, 1], 3), ([1, 1, 1], 0)):
        with pytest.raises(ValueError, match="three groups"):
            MusicNetwork(channels, dim)


def test_one_channel_and_one_number_a_token_are_the_least() -> None:
    tiny = MusicNetwork((1, 1, 1), dim=1).eval()
    assert tiny(torch.randn(1, 9, 128)).shape == (1, 3, 1)


@pytest.mark.parametrize("channels", [(16, 32, 32), (2, 2, 2), (2, 3, 3)])
def test_the_input_is_added_in_all_layers_but_the_first(channels: tuple[int, int, int]) -> None:
    layers = [m for m in MusicNetwork(channels).modules() if isinstance(m, ResidualConvolution)]
    assert [layer.shortcut is None for layer in layers] == [True] + [False] * 6
    plain = [isinstance(layer.shortcut, torch.nn.Identity) for layer in layers]
    widths = [1, *[channels[0]] * 3, *[channels[1]] * 2, *[channels[2]] * 2]
    assert plain[1:] == [a == b for a, b in itertools.pairwise(widths[1:])]


def test_a_residual_convolution_is_its_equation() -> None:
    layer = ResidualConvolution(2, 3).eval()
    x = torch.randn(1, 2, 5, 6)
    with torch.no_grad():
        padded = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
        heard = torch.nn.functional.conv2d(padded, layer.convolution.weight, layer.convolution.bias)
        keep = 1 / (1 + 1e-5) ** 0.5  # batch normalisation that has seen nothing
        added = torch.nn.functional.conv2d(x, layer.shortcut[0].weight, layer.shortcut[0].bias) * keep
        torch.testing.assert_close(layer(x), (heard * keep).relu() + added)
