"""Apexes out of probabilities, and the loss, against closed forms."""

import math

import numpy as np
import pytest
import torch

from motion_platform.nn.stroke_network import StrokeNetwork, strokes_of


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_a_pulse_counts_three_times_its_size_where_it_is_and_padding_not_at_all(monkeypatch) -> None:
    network = StrokeNetwork(4)
    logits = torch.tensor([[logit(0.2), logit(0.6), 3.0]])
    sizes = torch.tensor([[0.5, 0.25, 0.9]])
    monkeypatch.setattr(network, "forward", lambda heard, mask: (logits, sizes))
    mask = torch.tensor([[True, True, False]])
    pulse, size = torch.tensor([[0.0, 1.0, 1.0]]), torch.tensor([[0.0, 0.75, 0.1]])
    expected = (-math.log(0.8) - 3 * math.log(0.6) + 0.5**2) / 2
    assert network.loss(torch.zeros(1, 3, 4), mask, pulse, size).item() == pytest.approx(expected, rel=1e-6)
    half = torch.tensor([[0.0, 0.5, 0.0]])
    expected = (-math.log(0.8) + 2 * (-0.5 * math.log(0.6) - 0.5 * math.log(0.4)) + 0.5 * 0.5**2) / 2
    assert network.loss(torch.zeros(1, 3, 4), mask, half, size).item() == pytest.approx(expected, rel=1e-6)


def test_what_is_padded_changes_nothing_and_a_step_is_heard_on_both_sides() -> None:
    torch.manual_seed(0)
    network = StrokeNetwork().double().eval()
    assert network.first.weight.shape == (48, 4, 5)
    heard = torch.randn(1, 40, 4, dtype=torch.float64)
    mask = torch.ones(1, 40, dtype=torch.bool)
    mask[:, 30:] = False
    other = heard.clone()
    other[:, 30:] = 7.0
    (logits, sizes), (again, _) = network(heard, mask), network(other, mask)
    torch.testing.assert_close(logits[:, :30], again[:, :30])
    assert logits.shape == sizes.shape == (1, 40)
    assert ((sizes > 0) & (sizes < 1)).all()
    with torch.no_grad():
        plain = StrokeNetwork()
        plain.last.weight.zero_()
        plain.last.bias.copy_(torch.tensor([2.0, -1.0]))
        said, large = plain(torch.zeros(1, 3, 4), torch.ones(1, 3, dtype=torch.bool))
    assert said[0].tolist() == [2.0] * 3  # a logit, and beside it a size
    assert large[0].tolist() == pytest.approx([1 / (1 + math.e)] * 3)
    heard, mask = torch.randn(1, 80, 4, dtype=torch.float64), torch.ones(1, 80, dtype=torch.bool)
    other = heard.clone()
    other[:, 40] += 1.0
    changed = (network(other, mask)[0] - network(heard, mask)[0])[0] != 0
    assert changed.nonzero()[[0, -1], 0].tolist() == [8, 72]  # 32 frames, 1.6 s at 20 a second


def test_strokes_are_peaks_the_highest_first_and_apart() -> None:
    p = np.zeros(60)
    p[[5, 13, 30, 50]] = [0.6, 0.9, 0.3, 0.29]
    size = np.arange(60) / 60
    # at 10 a second: 5 is nearer than 0.9 s to the higher 13; 50 is below the threshold
    assert strokes_of(p, size, 10.0) == ([1.35, 3.05], [13 / 60, 30 / 60])
    assert strokes_of(p, size, 10.0, apart=0.8)[0] == [0.55, 1.35, 3.05]
    assert strokes_of(p, size, 10.0, threshold=0.2)[0] == [1.35, 3.05, 5.05]
    p = np.zeros(20)
    p[[0, 8, 19]] = 0.5  # at the ends, and as high as another: the first stays
    assert strokes_of(p, np.ones(20), 10.0)[0] == [0.05, 1.95]
    flat = np.zeros(20)
    flat[4:7] = 0.5
    assert strokes_of(flat, np.ones(20), 10.0)[0] == [0.65]  # of a plateau its end
    assert strokes_of(np.zeros(0), np.zeros(0), 10.0) == ([], [])
