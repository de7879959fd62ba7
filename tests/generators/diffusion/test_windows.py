"""Windows over long motions, and the seam report."""

import itertools

import numpy as np
import pytest
import torch

from motion_platform.core.schema import Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.generators.diffusion.windows import HAND_OVER, plan_windows, seam_report, seams_of, window_starts


@pytest.mark.parametrize("length", [1, 48, 49, 80, 81, 200, 1234])
def test_windows_cover_everything_and_overlap_enough(length):
    starts = window_starts(length, 48, 10)
    assert starts[0] == 0
    assert starts[-1] == max(length - 48, 0)
    for a, b in itertools.pairwise(starts):
        assert 0 < b - a <= 48 - 10
    assert len(starts) == (1 if length <= 48 else 1 + -(-(length - 48) // 38))  # the fewest


def test_blending_restores_what_was_cut_and_windows_are_weighted_means():
    lengths = torch.tensor([150, 30, 48, 49])
    plan = plan_windows(lengths, 48, 10)
    x = torch.randn(4, 150, 3)
    back = plan.blend(plan.cut(x))
    for row, length in enumerate(lengths):
        torch.testing.assert_close(back[row, :length], x[row, :length])
        assert (back[row, length:] == 0).all()
    total = torch.zeros(4, 150).index_put((plan.rows[:, None], plan.index), plan.weight, accumulate=True)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(total[row, :length], torch.ones(int(length)))
    assert (plan.weight >= 0).all()
    assert (plan.weight[~plan.mask] == 0).all()
    # from one window's constant to the next one's: monotone, in the few frames of the hand-over
    values = torch.arange(len(plan.rows)).float()[:, None, None].expand(-1, 48, 1)
    ramp = plan.blend(values)[0, :, 0].diff()
    assert ramp.min() >= -1e-6
    assert ramp.max() < 1 / HAND_OVER + 1e-6
    seams = seams_of(150, 48, 10)
    for frame in (ramp > 0).nonzero().flatten().tolist():
        assert min(abs(frame + 1 - seam) for seam in seams) <= HAND_OVER / 2 + 1


@pytest.mark.parametrize(("window", "overlap"), [(48, 24), (8, 1), (3, 2), (2, 1), (1, 0)])
def test_weights_sum_to_one_for_any_lengths(window, overlap):
    for length in range(1, 4 * window + 3):
        plan = plan_windows(torch.tensor([length, window + 1]), window, overlap)
        x = torch.randn(2, max(length, window + 1), 1)
        torch.testing.assert_close(plan.blend(plan.cut(x))[0, :length], x[0, :length])


def test_one_window_a_motion_when_all_fit():
    plan = plan_windows(torch.tensor([40, 3]), 48, 10)
    assert plan.rows.tolist() == [0, 1]
    assert plan.mask.sum(1).tolist() == [40, 3]
    x = torch.randn(2, 40, 3)
    assert torch.equal(plan.cut(x), x)
    assert torch.equal(plan.blend(x), x * plan.mask[..., None])
    assert torch.equal(plan.some(torch.tensor([1])).cut(x), x[1:])


def test_a_long_motion_is_made_and_does_not_depend_on_the_batch(make):
    model, given = make.model(patch=4, overlap=1.0).eval(), make.given(3)
    ids, lengths = ["a", "b", "c"], [131, 30, 70]

    def sample(given, lengths, ids):
        return model.generate(given, torch.tensor(lengths), noise=NoiseSource(ids, 0), sampling=Sampling(steps=3)).x

    whole = sample(given, lengths, ids)
    assert whole.shape == (3, 131, 67)
    assert torch.isfinite(whole).all()
    for row, length in enumerate(lengths):
        alone = sample(make.row(given, row), [length], [ids[row]])
        torch.testing.assert_close(whole[row, :length], alone[0], atol=1e-5, rtol=1e-5)
        assert (whole[row, length:] == 0).all()


def test_seam_report_finds_a_jump_and_only_there():
    t = np.arange(200) / 20.0
    smooth = np.stack([np.sin(t), np.cos(t), t], -1)[:, None].repeat(4, 1)
    assert seam_report(smooth, [100], 20.0)["ratio"] == pytest.approx(1.0, rel=0.1)
    broken = smooth.copy()
    broken[100:] += 0.1
    report = seam_report(broken, [100], 20.0)
    assert report["ratio"] > 5
    assert report["worst_jump_at_seams"] == pytest.approx(np.sqrt(3) * 0.1 * 20, rel=0.1)
    assert report["worst_ratio"] > 10
    assert seam_report(broken, [30], 20.0)["ratio"] < 1
    assert np.isnan(seam_report(smooth, [], 20.0)["ratio"])


def test_seams_lie_in_the_overlaps():
    starts = window_starts(150, 48, 10)
    for seam, a, b in zip(seams_of(150, 48, 10), starts, starts[1:], strict=False):
        assert b <= seam < a + 48
    assert seams_of(40, 48, 10) == []
