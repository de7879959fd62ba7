"""The cross-modality transformer, held to attention written out position by position in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import Tensor

from motion_platform.core.schema import length_mask
from motion_platform.nn.linear_transformer import (
    LinearTransformer,
    StepEmbedding,
    StyledAttention,
    StyledFeedForward,
    Stylisation,
)
from motion_platform.nn.transformer import sinusoidal

LATENT, WIDTH, HEADS = 8, 12, 2


def numbers(*size: int) -> Tensor:
    return torch.randn(*size, dtype=torch.float64)


def awake(module: torch.nn.Module) -> torch.nn.Module:
    """The module in float64 with every weight drawn: the published zeros at its ends would hide everything else."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def normed(layer: torch.nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    deviation = x - x.mean(-1, keepdims=True)
    scaled = deviation / np.sqrt((deviation**2).mean(-1, keepdims=True) + layer.eps)
    return scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def silu(x: np.ndarray) -> np.ndarray:
    return x * expit(x)


def stylised(layer: Stylisation, h: np.ndarray, style: np.ndarray) -> np.ndarray:
    """MotionDiffuse, equation 8, of one row: h (S, latent), style (S, width)."""
    both = linear(layer.style, style)
    scale, shift = both[:, :LATENT], both[:, LATENT:]
    return linear(layer.output, silu(normed(layer.norm, h) * (1 + scale) + shift))


def attended(layer: StyledAttention, x: np.ndarray, tokens: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Attention of one row, head by head and position by position; tokens are normalised, real (N,) is True there."""
    query = linear(layer.query, normed(layer.norm, x))
    key, value = linear(layer.key, tokens[real]), linear(layer.value, tokens[real])
    size = LATENT // HEADS
    out = np.zeros_like(x)
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        q, k, v = query[:, part], key[:, part], value[:, part]
        if layer.kind == "full":
            out[:, part] = softmax(q @ k.T / np.sqrt(size), axis=1) @ v
        else:  # Shen et al. 2021: softmax of q over its features, of k over time
            out[:, part] = softmax(q, axis=1) @ (softmax(k, axis=0).T @ v)
    return out


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_self_attention_is_its_equation_and_sees_real_frames_alone(kind: str) -> None:
    layer = awake(StyledAttention(LATENT, LATENT, WIDTH, HEADS, 0.0, kind))
    x, style, lengths = numbers(2, 7, LATENT), numbers(2, 7, WIDTH), torch.tensor([7, 4])
    made = layer(x, style, length_mask(lengths, 7)).detach().numpy()
    for b, length in enumerate(lengths.tolist()):
        row, real = x[b].numpy(), np.arange(7) < length
        wanted = row + stylised(
            layer.stylisation, attended(layer, row, normed(layer.norm, row), real), style[b].numpy()
        )
        assert np.allclose(made[b, :length], wanted[:length], atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_cross_attention_reads_normalised_tokens_of_a_memory(kind: str) -> None:
    layer = awake(StyledAttention(LATENT, WIDTH, WIDTH, HEADS, 0.0, kind))
    x, style, tokens = numbers(2, 5, LATENT), numbers(2, 5, WIDTH), numbers(2, 9, WIDTH)
    lengths = torch.tensor([3, 9])
    made = layer(x, style, memory=layer.memory(tokens, length_mask(lengths, 9))).detach().numpy()
    for b, length in enumerate(lengths.tolist()):
        row = x[b].numpy()
        heard = attended(layer, row, normed(layer.memory_norm, tokens[b].numpy()), np.arange(9) < length)
        assert np.allclose(made[b], row + stylised(layer.stylisation, heard, style[b].numpy()), atol=1e-10)


def test_a_linear_memory_holds_no_length() -> None:
    layer = StyledAttention(LATENT, WIDTH, WIDTH, HEADS, 0.0, "linear")
    for length in (3, 50):
        (kept,) = layer.memory(torch.randn(2, length, WIDTH))
        assert kept.shape == (2, HEADS, LATENT // HEADS, LATENT // HEADS)


def test_a_memory_without_a_real_token_says_nothing() -> None:
    layer = StyledAttention(LATENT, WIDTH, WIDTH, HEADS, 0.0, "linear")
    (kept,) = layer.memory(torch.randn(2, 4, WIDTH), length_mask(torch.tensor([0, 4]), 4))
    assert kept[0].eq(0).all()
    assert kept[1].abs().sum() > 0


def test_a_feed_forward_is_its_equation() -> None:
    from scipy.stats import norm

    layer = awake(StyledFeedForward(LATENT, 10, WIDTH, 0.0))
    x, style = numbers(1, 4, LATENT), numbers(1, 4, WIDTH)
    up = linear(layer.up, x[0].numpy())
    hidden = linear(layer.down, up * norm.cdf(up))  # GELU is x times the normal distribution's share below x
    wanted = x[0].numpy() + stylised(layer.stylisation, hidden, style[0].numpy())
    assert np.allclose(layer(x, style)[0].detach(), wanted, atol=1e-10)


def test_steps_are_embedded_as_sinusoids_through_two_layers() -> None:
    layer = awake(StepEmbedding(20, LATENT, WIDTH))
    steps = torch.tensor([0, 7, 19])
    waves = sinusoidal(20, LATENT).double().numpy()[steps.numpy()]
    wanted = linear(layer.second, silu(linear(layer.first, waves)))
    assert np.allclose(layer(steps).detach(), wanted, atol=1e-6)
    assert layer(steps).dtype == torch.float64  # the table is stored narrower and follows the weights


def network(**settings) -> LinearTransformer:
    return LinearTransformer(2, LATENT, WIDTH, HEADS, 10, **settings)


@pytest.mark.parametrize("local", [0, 3])
def test_before_training_it_changes_nothing(local: int) -> None:
    x = torch.randn(2, 6, LATENT)
    model = network(local=local).eval()
    given = model(x, torch.randn(2, 6, WIDTH), memory=model.memory(torch.randn(2, 4, WIDTH)))
    assert torch.equal(given, x)
    for layer in model.layers:  # as published, every last layer is 0; ours, the local one, too
        parts = [part.stylisation.output for part in (layer.self_attention, layer.cross_attention, layer.feed_forward)]
        last = [*parts, layer.feed_forward.down, *([layer.local] if local else [])]
        assert not any(weights.any() for module in last for weights in module.parameters())


def test_the_stack_is_its_layers_with_the_style_activated_once() -> None:
    model = awake(network(local=3))
    x, style, tokens = numbers(1, 6, LATENT), numbers(1, 6, WIDTH), numbers(1, 4, WIDTH)
    active = torch.from_numpy(silu(style.numpy()))
    wanted = x
    for layer in model.layers:
        taps, bias = layer.local.weight.detach()[:, 0], layer.local.bias.detach()
        padded = torch.nn.functional.pad(wanted[0], (0, 0, 1, 1))
        near = sum(padded[k : k + 6] * taps[:, k] for k in range(3)) + bias
        wanted = wanted + near
        wanted = layer.self_attention(wanted, active, None)
        wanted = layer.cross_attention(wanted, active, memory=layer.cross_attention.memory(tokens))
        wanted = layer.feed_forward(wanted, active)
    assert torch.allclose(model(x, style, memory=model.memory(tokens)), wanted, atol=1e-10)
    assert not torch.allclose(model(x, style), wanted, atol=1e-3)  # without a memory there is no cross-attention


@pytest.mark.parametrize("kind", ["linear", "full"])
def test_a_row_does_not_depend_on_how_long_the_others_are(kind: str) -> None:
    model = awake(network(kind=kind, local=5))
    x, style, tokens = numbers(2, 7, LATENT), numbers(2, 7, WIDTH), numbers(2, 9, WIDTH)
    mask, heard = length_mask(torch.tensor([7, 3])), length_mask(torch.tensor([9, 2]))
    whole = model(x, style, mask, model.memory(tokens, heard))
    alone = model(x[1:, :3], style[1:, :3], None, model.memory(tokens[1:, :2]))
    assert torch.allclose(whole[1, :3], alone[0], atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "square"}, "attention 'square' must be 'linear' or 'full'"),
        ({"local": 4}, "local 4 must be 0 or an odd number"),
    ],
)
def test_settings_that_do_not_go(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(**settings)
    with pytest.raises(ValueError, match="latent 12 and width 12 must differ"):
        LinearTransformer(1, 12, 12, 2, 8)
    with pytest.raises(ValueError, match="latent 8 must be a multiple of heads 3"):
        LinearTransformer(1, 8, 12, 3, 8)
