"""Causal attention within windows against a loop over frames; rotary positions against their definition."""

import math

import pytest
import torch

from motion_platform.nn.local_attention import local_attention, rotary, rotary_heads


def by_loops(x, mask, heads, window, back):
    """What a frame gets, frame by frame."""
    batch, length, width = x.shape
    size = width // heads
    out = torch.zeros_like(x)
    for b in range(batch):
        for h in range(heads):
            own = x[b, :, h * size : (h + 1) * size]
            for t in range(length):
                first = max(0, (t // window - back) * window)
                seen = [s for s in range(first, t + 1) if mask[b, s]]
                if seen:
                    weights = torch.softmax(own[seen] @ own[t] / math.sqrt(size), 0)
                    out[b, t, h * size : (h + 1) * size] = weights @ own[seen]
    return out


@pytest.mark.parametrize(("length", "window", "back"), [(12, 4, 1), (11, 4, 1), (9, 3, 2), (3, 5, 1)])
def test_a_frame_sees_its_own_window_and_those_before_never_what_comes(length, window, back):
    x = torch.randn(2, length, 8, dtype=torch.float64)
    mask = torch.ones(2, length, dtype=torch.bool)
    mask[1, length - 2 :] = False
    got = local_attention(x, mask, heads=2, window=window, back=back)
    torch.testing.assert_close(got[mask], by_loops(x, mask, 2, window, back)[mask])
    assert torch.isfinite(got).all()
    torch.testing.assert_close(local_attention(x[:1], heads=2, window=window, back=back), got[:1])


def test_what_comes_later_changes_nothing_before():
    x = torch.randn(1, 22, 8)
    changed = x.clone()
    changed[:, 15:] += 1
    a, b = (local_attention(each, heads=2, window=11) for each in (x, changed))
    torch.testing.assert_close(a[:, :15], b[:, :15])
    long = torch.randn(1, 13, 8, dtype=torch.float64)  # usually one window back
    mask = torch.ones(1, 13, dtype=torch.bool)
    torch.testing.assert_close(local_attention(long, heads=2, window=4), by_loops(long, mask, 2, 4, 1))
    assert not torch.allclose(a[:, 15:], b[:, 15:])


def test_rotary_products_depend_on_the_distance_alone():
    q, k = torch.randn(1, 1, 16, dtype=torch.float64), torch.randn(1, 1, 16, dtype=torch.float64)
    turned_q, turned_k = rotary(q.expand(1, 30, 16)), rotary(k.expand(1, 30, 16))
    products = (turned_q[0] @ turned_k[0].T).numpy()
    for distance in (0, 3, 7):
        diagonal = products.diagonal(distance)
        assert diagonal == pytest.approx([diagonal[0]] * len(diagonal), rel=1e-5, abs=1e-6)  # angles are float32
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm(dim=-1).expand(1, 30))
    # position 1, first plane: columns 0 and 8 turned by one radian
    a, b = q[0, 0, 0], q[0, 0, 8]
    assert turned_q[0, 1, 0].item() == pytest.approx((a * math.cos(1) - b * math.sin(1)).item(), abs=1e-6)
    torch.testing.assert_close(rotary_heads(q.expand(1, 30, 16), 2)[..., 8:], rotary(q[..., 8:].expand(1, 30, 8)))
