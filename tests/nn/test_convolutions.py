"""Convolutions over time, held to scipy's correlation, to finite reach and to rows that know nothing of each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from torch import Tensor, nn

from motion_platform.core.schema import length_mask
from motion_platform.nn.convolutions import Decoder, DualPathwayBlock, Encoder, ResidualBlock, dilations, masked

BLOCKS = {"residual": ResidualBlock, "dual": DualPathwayBlock}


def applied(convolution: nn.Conv1d, x: np.ndarray) -> np.ndarray:
    """(C, T) -> (outputs, T): a convolution of stride 1 and odd size, by scipy, with zeros beyond the ends."""
    weight, groups = convolution.weight.detach().numpy(), convolution.groups
    spread = np.zeros((*weight.shape[:2], (weight.shape[2] - 1) * convolution.dilation[0] + 1))
    spread[..., :: convolution.dilation[0]] = weight
    out = []
    for row, (taps, bias) in enumerate(zip(spread, convolution.bias.detach().numpy(), strict=True)):
        first = row * groups // len(weight) * len(taps)
        out.append(bias + sum(correlate(x[first + i], taps[i], mode="same") for i in range(len(taps))))
    return np.stack(out)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


@pytest.mark.parametrize("dilation", [1, 3])
def test_a_residual_block_is_its_equation(dilation: int) -> None:
    block, x = ResidualBlock(4, dilation).double(), torch.randn(4, 21, dtype=torch.float64)
    wanted = x.numpy() + applied(block.mix, relu(applied(block.spread, relu(x.numpy()))))
    assert np.allclose(block(x[None], None)[0].detach(), wanted, atol=1e-12)


@pytest.mark.parametrize("dilation", [1, 3])
def test_a_dual_block_is_its_equation(dilation: int) -> None:
    block, x = DualPathwayBlock(4, dilation).double(), torch.randn(4, 41, dtype=torch.float64)
    streams = [
        applied(point, applied(depth, relu(x.numpy())))
        for depth, point in zip(block.depthwise, block.pointwise, strict=True)
    ]
    assert [depth.kernel_size for depth in block.depthwise] == [(3,), (7,)]
    assert [stream.shape for stream in streams] == [(2, 41), (2, 41)]
    wanted = x.numpy() + applied(block.fuse, relu(np.concatenate(streams)))
    assert np.allclose(block(x[None], None)[0].detach(), wanted, atol=1e-12)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_the_reach_of_a_block_is_what_a_frame_depends_on(kind: str, dilation: int) -> None:
    block = BLOCKS[kind](4, dilation).double()
    x = torch.full((1, 4, 61), 1.0, dtype=torch.float64, requires_grad=True)
    for convolution in (m for m in block.modules() if isinstance(m, nn.Conv1d)):
        nn.init.constant_(convolution.weight, 0.1)
        nn.init.constant_(convolution.bias, 0.1)  # no unit of a ReLU is off
    block(x, None)[0, :, 30].sum().backward()
    seen = x.grad[0].abs().sum(0).nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (30 - block.reach, 30 + block.reach)


def test_dilations_fall_to_one() -> None:
    assert dilations(3, 3) == [9, 3, 1]
    assert dilations(1, 7) == [1]


def test_masked_is_zero_outside() -> None:
    h, mask = torch.randn(2, 3, 5), length_mask(torch.tensor([5, 2]), 5)[:, None]
    assert masked(h, None) is h
    assert masked(h, mask)[1, :, 2:].eq(0).all()
    assert masked(h, mask)[1, :, :2].equal(h[1, :, :2])


def pair(kind: str, strides: list[int]) -> tuple[Encoder, Decoder]:
    spread = dilations(2, 3)
    block = BLOCKS[kind]
    return (
        Encoder(5, 8, 6, strides, spread, block).double().eval(),
        Decoder(5, 8, 6, strides, spread, block).double().eval(),
    )


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("strides", [[1], [2], [2, 2], [3, 2], [1, 4]])
def test_the_encoder_divides_by_its_strides_and_the_decoder_multiplies(kind: str, strides: list[int]) -> None:
    encoder, decoder = pair(kind, strides)
    product = int(np.prod(strides))
    z = encoder(torch.randn(2, 5, 4 * product, dtype=torch.float64))
    assert z.shape == (2, 6, 4)
    assert decoder(z).shape == (2, 5, 4 * product)


def rows_alone(run: nn.Module, x: Tensor, lengths: Tensor) -> list[Tensor]:
    return [run(x[b : b + 1, :, :n])[0] for b, n in enumerate(lengths.tolist())]


def test_an_encoder_is_its_layers_in_the_published_order() -> None:
    """T2M-GPT: the encoder is convolution, ReLU, down and blocks, convolution; the decoder ends convolution, ReLU,
    convolution."""
    encoder, decoder = pair("residual", [2])
    x = torch.randn(5, 12, dtype=torch.float64)
    h = relu(applied(encoder.enter, x.numpy()))
    down = encoder.down[0]
    h = torch.nn.functional.conv1d(torch.from_numpy(h)[None], down.weight, down.bias, stride=2, padding=1)
    for block in encoder.blocks[0]:
        h = block(h, None)
    assert np.allclose(encoder(x[None])[0].detach(), applied(encoder.leave, h[0].detach().numpy()), atol=1e-12)

    z = torch.randn(6, 5, dtype=torch.float64)
    h = torch.from_numpy(relu(applied(decoder.enter, z.numpy())))[None]
    for block in decoder.blocks[0]:
        h = block(h, None)
    h = applied(decoder.up[0], np.repeat(h[0].detach().numpy(), 2, axis=1))
    wanted = applied(decoder.leave, relu(applied(decoder.last, h)))
    assert np.allclose(decoder(z[None])[0].detach(), wanted, atol=1e-12)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("strides", [[2, 2], [3], [1]])
def test_a_row_does_not_depend_on_how_long_the_others_are(kind: str, strides: list[int]) -> None:
    encoder, decoder = pair(kind, strides)
    product = int(np.prod(strides))
    steps = torch.tensor([7, 2])
    x = torch.randn(2, 5, 7 * product, dtype=torch.float64)
    whole = encoder(x, length_mask(steps * product, 7 * product)[:, None])
    for b, alone in enumerate(rows_alone(encoder, x, steps * product)):
        assert torch.allclose(whole[b, :, : steps[b]], alone, atol=1e-12)
    assert whole[1, :, 2:].eq(0).all()
    z = torch.randn(2, 6, 7, dtype=torch.float64)
    made = decoder(z, length_mask(steps, 7)[:, None])
    for b, alone in enumerate(rows_alone(decoder, z, steps)):
        assert torch.allclose(made[b, :, : steps[b] * product], alone, atol=1e-12)
    assert made[1, :, 2 * product :].eq(0).all()


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("strides", [[1], [2], [2, 2], [4, 1]])
def test_frames_of_a_step_depend_on_the_steps_within_its_reach(kind: str, strides: list[int]) -> None:
    _, decoder = pair(kind, strides)
    product, middle = int(np.prod(strides)), 40
    for convolution in (m for m in decoder.modules() if isinstance(m, nn.Conv1d)):
        nn.init.constant_(convolution.weight, 0.05)
        nn.init.constant_(convolution.bias, 0.1)
    z = torch.ones(1, 6, 81, dtype=torch.float64, requires_grad=True)
    decoder(z)[0, :, middle * product : (middle + 1) * product].sum().backward()
    seen = (z.grad[0].abs().sum(0) > 0).nonzero()[:, 0]
    furthest = int((seen - middle).abs().max())
    assert furthest <= decoder.reach <= furthest + 1  # whole steps, rounded up
