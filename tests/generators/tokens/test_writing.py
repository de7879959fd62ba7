"""How codes are written: the schedule, masks and draws, against closed forms."""

import itertools
import math

import torch

from motion_platform.generators.tokens.writing import choose, corrupt, draw_mask, still_masked


def test_the_schedule_is_a_cosine_and_ends_with_nothing_masked():
    count = torch.tensor([40, 7, 1])
    left = [still_masked(step, 10, count) for step in range(10)]
    assert left[-1].tolist() == [0, 0, 0]
    for step in range(10):
        share = math.cos(math.pi / 2 * (step + 1) / 10)
        assert left[step].tolist() == [math.floor(share * n + 1e-9) for n in count.tolist()]
    assert all((a >= b).all() for a, b in itertools.pairwise(left))


def test_a_mask_is_drawn_among_real_steps_with_the_share_of_the_schedule():
    torch.manual_seed(0)
    real = torch.arange(50)[None] < torch.tensor([50, 20, 1]).repeat(2000)[:, None]
    masked = draw_mask(real)
    assert not (masked & ~real).any()
    assert (masked.sum(1) >= 1).all()
    share = masked[0::3].sum(1) / 50
    # E[cos(pi u / 2)] = 2 / pi, rounded up to fiftieths
    assert abs(float(share.mean()) - 2 / math.pi - 0.01) < 0.015
    assert masked[2::3].sum(1).eq(1).all()


def test_corruption_touches_only_what_is_masked():
    torch.manual_seed(0)
    ids = torch.randint(30, (200, 50))
    masked = torch.rand(200, 50) < 0.5
    seen = corrupt(ids, masked, 30, 30)
    assert torch.equal(seen[~masked], ids[~masked])
    assert abs(float((seen[masked] == 30).float().mean()) - 0.8) < 0.02
    assert abs(float((seen[masked] == ids[masked]).float().mean()) - 0.1 - 0.1 / 30) < 0.02


def test_a_draw_follows_the_distribution_and_top_p_cuts_its_tail():
    shares = torch.tensor([0.1, 0.6, 0.25, 0.05])
    uniform = (torch.arange(1000) + 0.5)[None] / 1000
    chosen, score = choose(shares.log().expand(1, 1000, 4), uniform, 1.0, 1.0)
    assert torch.bincount(chosen[0], minlength=4).tolist() == [100, 600, 250, 50]
    assert torch.allclose(score, shares.log()[chosen])
    chosen, _ = choose(shares.log().expand(1, 1000, 4), uniform, 1.0, 0.8)
    made = torch.bincount(chosen[0], minlength=4) / 1000
    assert torch.allclose(made, torch.tensor([0.0, 0.6 / 0.85, 0.25 / 0.85, 0.0]), atol=2e-3)


def test_temperature_nought_takes_the_likeliest_and_a_low_one_sharpens():
    logits = torch.tensor([0.0, 1.0, 0.5]).expand(1, 900, 3)
    uniform = (torch.arange(900) + 0.5)[None] / 900
    assert choose(logits, uniform, 0.0, 0.9)[0].eq(1).all()
    chosen, _ = choose(logits, uniform, 0.5, 1.0)
    expected = (logits[0, 0] / 0.5).softmax(-1)
    assert torch.allclose(torch.bincount(chosen[0], minlength=3) / 900, expected, atol=3e-3)
