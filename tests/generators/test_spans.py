import pytest
import torch

from motion_platform.core.schema import Spans
from motion_platform.generators.spans import soften, span_windows


def spans_of(lengths, rows=1):
    starts = torch.tensor([0, *torch.tensor(lengths).cumsum(0)[:-1].tolist()])
    count = len(lengths)
    row = torch.arange(rows).repeat_interleave(count)
    return Spans(row, starts.repeat(rows), torch.tensor(lengths).repeat(rows), ("body",) * (count * rows))


@pytest.mark.parametrize("fade", [1, 4, 10])
def test_weights_of_all_windows_sum_to_one_and_a_span_has_the_say_in_its_middle(fade):
    spans = spans_of([30, 100, 20], rows=2)
    windows, of_span = span_windows(spans, 60, margin=10, overlap=20, fade=fade)
    assert windows.shape == (2, 150)
    total = windows.blend(torch.ones(len(of_span), windows.mask.shape[1], 1))
    assert torch.allclose(total, torch.ones(2, 150, 1), atol=1e-5)
    value = of_span[:, None, None].float() % 3
    blended = windows.blend(value.expand(-1, windows.mask.shape[1], 1))[0, :, 0]
    assert torch.allclose(blended[:25], torch.zeros(25))
    assert torch.allclose(blended[40:120], torch.ones(80))
    assert torch.allclose(blended[136:], torch.full((14,), 2.0))
    assert 0 <= blended[29] <= 0.5 <= blended[30] <= 1, "the border is in the middle of the fade"


def test_windows_reach_over_their_ends_and_no_farther_than_the_motion():
    windows, of_span = span_windows(spans_of([30, 40]), 60, margin=8, overlap=20, fade=2)
    assert of_span.tolist() == [0, 1]
    assert windows.starts.tolist() == [0, 22]
    assert windows.lengths.tolist() == [38, 48]


def test_a_long_span_gets_several_windows():
    windows, of_span = span_windows(spans_of([30, 200]), 60, margin=8, overlap=20, fade=2)
    assert of_span.tolist().count(1) > 3
    assert int(windows.lengths.max()) <= 60
    assert int((windows.starts + windows.lengths).max()) == 230


def test_only_what_is_near_a_border_is_softened():
    x = torch.zeros(1, 70, 2)
    x[0, 30:, 0] = 1.0  # a step at the border
    x[0, 55, 1] = 1.0  # a spike far from it
    out = soften(x, spans_of([30, 40]), reach=10)
    assert torch.equal(out[0, :20], x[0, :20])
    assert torch.equal(out[0, 40:], x[0, 40:])
    assert 0.2 < float(out[0, 29, 0]) < 0.5 < float(out[0, 30, 0]) < 0.8
    assert torch.allclose(soften(torch.ones(1, 70, 2), spans_of([30, 40]), reach=10), torch.ones(1, 70, 2))
