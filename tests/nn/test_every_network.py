"""What every network of the room begins with, computes and teaches, is what it was.

Sizes that nobody names, how weights begin, where dropout stands, and what padding does decide whether a shipped model
can be loaded and a run repeated. The equations are tested beside each module; here every number of it counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from stored_arrays import check_stored
from torch import Tensor, nn

from motion_platform.core.schema import Condition
from motion_platform.nn import convolutions
from motion_platform.nn.beat_network import BeatNetwork, hints
from motion_platform.nn.diffusion import PREDICTIONS, SAMPLERS, SCHEDULES, WEIGHTINGS, NoiseSchedule, Sampler
from motion_platform.nn.frame_tokens import on_frames
from motion_platform.nn.linear_transformer import LinearTransformer, StepEmbedding
from motion_platform.nn.local_attention import local_attention, rotary_heads
from motion_platform.nn.music_network import MusicNetwork
from motion_platform.nn.stgcn import STGCN
from motion_platform.nn.stroke_network import StrokeNetwork, strokes_of
from motion_platform.nn.tcn import TCN
from motion_platform.nn.transformer import TimestepEmbedding, Transformer, cut_patches

EDGES = [(0, 1), (1, 2), (1, 3), (3, 4)]
LENGTHS = (23, 14, 1)
"""Frames of three rows: all, some and one."""


def waves(*shape: int, least: float = -1.0) -> Tensor:
    """Numbers between ``least`` and 1 that no two places share, the same in every version of a library."""
    numbers = torch.arange(math.prod(shape), dtype=torch.float64)
    return (least + (1 - least) * (0.5 + 0.5 * torch.sin(numbers * 0.7 + 0.01 * numbers**1.5))).view(shape).float()


def real(frames: int) -> Tensor:
    return torch.arange(frames)[None] < torch.tensor(LENGTHS)[:, None]


def filled(module: nn.Module) -> nn.Module:
    """Every parameter from :func:`waves`, as large as keeps what comes out of a layer near what goes in."""
    with torch.no_grad():
        for name, value in module.named_parameters():
            fan = max(1, value.numel() // max(1, len(value)) if value.ndim > 1 else 4)
            value.copy_(waves(*value.shape) / math.sqrt(fan) + (1.0 if value.ndim == 1 and "norm" in name else 0.0))
    return module


def convolved(kind: str) -> tuple[nn.Module, nn.Module]:
    block = {"plain": convolutions.ResidualBlock, "dual": convolutions.DualPathwayBlock}[kind]
    spread = convolutions.dilations(2, 3)
    return (
        convolutions.Encoder(6, 10, 5, [1, 2, 3] if kind == "dual" else [2, 2], spread, block),
        convolutions.Decoder(6, 10, 5, [1, 2, 3] if kind == "dual" else [2, 2], spread, block),
    )


def transformer(norm: str) -> Callable[[nn.Module], Tensor]:
    def run(module: nn.Module) -> Tensor:
        memory = module.keys_values(waves(3, 5, 16)) if norm == "pre" else None
        return module(waves(3, 23, 16), real(23), memory, real(5) if memory else None)

    return run


def linear(kind: str) -> Callable[[nn.Module], Tensor]:
    def run(module: nn.Module) -> Tensor:
        memory = module.memory(waves(3, 7, 24), real(7))
        return module(waves(3, 23, 16), waves(3, 23, 24), real(23), memory)

    return run


def beats(module: nn.Module) -> Tensor:
    heard = module(waves(3, 23, 128, least=0.0), real(23))
    return torch.cat([heard.beat[..., None], heard.bar[..., None], heard.tempo, heard.metre], -1)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], Tensor]]] = {
    "beat network": (BeatNetwork, beats),
    "small beat network": (lambda: BeatNetwork(2, 8, 3, 3, 0.5), beats),
    "music network": (MusicNetwork, lambda module: module(waves(2, 23, 128, least=0.0))),
    "graph network": (lambda: STGCN(5, EDGES), lambda module: module(waves(3, 23, 5, 2), real(23))),
    "stroke network": (StrokeNetwork, lambda module: torch.stack(module(waves(3, 23, 4), real(23)))),
    "dilated network": (lambda: TCN(6, 8, 5, 3), lambda module: module(waves(3, 23, 6))),
    "transformer, post": (lambda: Transformer(2, 16, 4, 24), transformer("post")),
    "transformer, pre": (lambda: Transformer(2, 16, 4, 24, norm="pre", cross_attention=True), transformer("pre")),
    "step": (lambda: TimestepEmbedding(50, 16), lambda module: module(torch.tensor([0, 7, 49]))),
    "linear transformer": (lambda: LinearTransformer(2, 16, 24, 4, 20, 0.2, local=3), linear("linear")),
    "full transformer": (lambda: LinearTransformer(2, 16, 24, 4, 20, kind="full"), linear("full")),
    "wide step": (lambda: StepEmbedding(50, 16, 24), lambda module: module(torch.tensor([0, 7, 49]))),
    "encoder": (lambda: convolved("plain")[0], lambda module: module(waves(3, 24, 6).mT, real(24)[:, None])),
    "dual encoder": (lambda: convolved("dual")[0], lambda module: module(waves(3, 24, 6).mT)),
    "decoder": (lambda: convolved("plain")[1], lambda module: module(waves(3, 8, 5).mT, real(8)[:, None])),
    "dual decoder": (lambda: convolved("dual")[1], lambda module: module(waves(3, 8, 5).mT)),
}


def test_networks_begin_compute_and_teach_as_they_did() -> None:
    made: dict[str, np.ndarray] = {}
    for name, (make, run) in NETWORKS.items():
        torch.manual_seed(0)
        module = make()
        parameters = list(module.parameters())
        begins = [[value.numel(), value.mean().item(), value.std(unbiased=False).item()] for value in parameters]
        dropped = [part for part in module.modules() if isinstance(part, nn.Dropout | nn.Dropout1d)]
        made[f"{name}, begins"] = np.array(begins)
        made[f"{name}, dropped"] = np.array([part.p for part in dropped])
        for part in dropped:
            part.p = 0.0
        learnt = run(filled(module).train())
        (learnt * waves(*learnt.shape)).sum().backward()
        taught = [0.0 if value.grad is None else value.grad.norm().item() for value in parameters]
        taught = np.array(taught)
        taught[taught < 1e-4 * taught.max()] = 0.0  # a bias before a normalisation learns nothing but rounding errors
        made[f"{name}, taught"] = taught
        with torch.no_grad():
            made[f"{name}, made"] = run(module.eval()).numpy()
    check_stored("networks", made, atol=1e-4, rtol=2e-3)


def test_noise_schedules_and_samplers_are_what_they_were() -> None:
    made: dict[str, np.ndarray] = {}
    for schedule in SCHEDULES:
        for steps, shift in ((1, 1.0), (7, 1.0), (50, 2.5)):
            noise = NoiseSchedule(schedule, steps, shift)
            t, x0, e = torch.arange(steps), waves(steps, 3), waves(steps, 3).flip(0)
            rows = [noise.signal, noise.noise]
            for prediction in PREDICTIONS:
                rows += [noise.loss_weight(t, prediction, weighting) for weighting in WEIGHTINGS]
                rows += [noise.x0_weight(t, prediction), noise.target(x0, e, t, prediction).sum(-1)]
            rows.append(noise.q_sample(x0, e, t).sum(-1))
            made[f"{schedule} {steps}"] = torch.stack(rows).numpy()
            for name in SAMPLERS:
                for prediction in PREDICTIONS:
                    taken = min(steps, 5)
                    if prediction == "epsilon" and steps < 50:
                        continue
                    sampler = Sampler(noise, name, taken, prediction=prediction)
                    x = waves(2, 3)
                    for i in range(taken):
                        x = sampler.step(i, 0.5 * x + 0.1, x, lambda: waves(2, 3).flip(0))
                    path = [*sampler.timesteps, float(sampler.stochastic)]
                    made[f"{schedule} {steps} {name} {prediction}"] = np.concatenate([path, x.flatten().numpy()])
    check_stored("noise", made, atol=1e-5, rtol=1e-4)


def test_functions_of_the_room_are_what_they_were() -> None:
    made: dict[str, Tensor] = {}
    x, mask = waves(3, 23, 16), real(23)
    for window, back in ((4, 1), (5, 0), (7, 2), (30, 1)):
        made[f"local attention {window} {back}"] = local_attention(x, heads=2, window=window, back=back)
        masked = local_attention(x, mask, heads=4, window=window, back=back)
        made[f"local attention {window} {back}, masked"] = masked * mask[..., None]
    made["rotary"] = rotary_heads(x, 4)
    for patch in (1, 2, 5):
        patches, counts = cut_patches(x, torch.tensor(LENGTHS), patch)
        made[f"patches {patch}"] = torch.cat([patches, counts[..., None]], -1)
    made["hints"] = hints(waves(2, 24, 128, least=0.0))
    every = torch.arange(12.0)[None].expand(3, -1)
    tokens, on = waves(3, 7, 5), torch.cat([torch.ones(3, 1, dtype=torch.bool), torch.tensor(
        [[True] * 6, [True] * 3 + [False] * 3, [False] * 6])], 1)  # fmt: skip
    for rate in (None, 10.0, 20.0, 30.0):
        for row, fps in ((torch.arange(3), 20.0), (torch.tensor([2, 0, 1]), 25.0)):
            heard, where = on_frames(Condition(tokens, on, rate_hz=rate), fps, row, every)
            made[f"on frames {rate} {fps}"] = torch.cat([heard, where[..., None]], -1)
    nothing = on_frames(Condition(tokens[:, :1], on[:, :1], rate_hz=10.0), 20.0, torch.arange(3), every)
    made["on frames, nothing"] = torch.cat([nothing[0], nothing[1][..., None]], -1)
    chance, size = waves(400, least=0.0).numpy(), waves(400, least=0.0).numpy()[::-1]
    for rate in (20.0, 30.0):
        made[f"strokes {rate}"] = torch.tensor(strokes_of(chance, size, rate))
    network = filled(StrokeNetwork())
    loss = network.loss(waves(3, 23, 4), mask, waves(3, 23, least=0.0), waves(3, 23, least=0.0))
    made["loss of strokes"] = loss.detach()[None]
    made["loss of no stroke"] = network.loss(waves(1, 4, 4), real(4)[2:] & False, waves(1, 4), waves(1, 4)).detach()[
        None
    ]
    check_stored("nn_functions", {name: value.float().numpy() for name, value in made.items()}, atol=1e-4)


@pytest.mark.parametrize("strides", [[1], [1, 1], [2], [2, 1]])
@pytest.mark.parametrize("depth", [1, 2])
def test_the_reach_of_a_decoder_is_no_further_than_it_needs_to_be(strides: list[int], depth: int) -> None:
    """A step changes frames of the steps at its reach, and none beyond."""
    spread = convolutions.dilations(depth, 2)
    decoder = filled(convolutions.Decoder(3, 6, 4, strides, spread, convolutions.ResidualBlock)).eval()
    for value in decoder.parameters():
        value.data.abs_()  # nothing is lost in a ReLU, and nothing cancels
    steps, middle, scale = 41, 20, math.prod(strides)
    with torch.no_grad():
        before = decoder(torch.ones(1, 4, steps))
        after = decoder(torch.ones(1, 4, steps) + (torch.arange(steps) == middle))
    changed = ((after - before).abs().amax((0, 1)) > 0).nonzero()[:, 0] // scale - middle
    assert (-int(changed.min()), int(changed.max())) == (decoder.reach, decoder.reach)
